"""What closed screens leave behind in caches that know no age.

`StylesCache.get_inner_outer` (seen in Textual 8.2) is cached by its arguments, and one of them is the
`StylesCache` itself: the painted lines of the last 1024 widgets that were ever shown stay in memory, some
300 KiB for every page that somebody opened and closed. Places on pages that are closed, and the widths of
words that nobody will read again, are smaller and no more use: some 2 MiB until their caches are full. A
deck that is only looked at fills that of the words alone, with every age and figure that it has shown.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import Final

DROP_EVERY_S: Final = 30.0
"""While nobody opens a page: by then the words of half a minute are a few hundred."""
_CACHES: Final = (
    ("textual._styles_cache", "StylesCache", "get_inner_outer"),
    ("textual.geometry", "Region", "intersection"),
    ("textual.geometry", "Region", "translate"),
    ("textual.geometry", "Region", "overlaps"),
    ("rich.cells", "cached_cell_len"),
)


def drop_leftovers() -> None:
    """Called when a screen comes to the front again, and every now and then. A version without one of these
    caches drops the rest."""
    for module, *path in _CACHES:
        with suppress(ImportError, AttributeError):
            found = import_module(module)
            for name in path:
                found = getattr(found, name)
            found.cache_clear()
