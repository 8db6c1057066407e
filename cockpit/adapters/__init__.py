"""The outside world: one file per product, all behind the protocols in `base`."""

import sys

# httpx brings a command line along, and with it rich's progress bars and the list of all lexers of Pygments,
# which are installed for the screen: 2 MiB and a third of its start. None is how the import system is told
# that there is no such module, and httpx does without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # documented: the import then fails
