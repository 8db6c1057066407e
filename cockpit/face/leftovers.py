"""What closed screens leave behind inside Textual.

`StylesCache.get_inner_outer` (seen in 8.2) is cached by its arguments, and one of them is the `StylesCache`
itself: the painted lines of the last 1024 widgets that were ever shown stay in memory, some 300 KiB for every
page that somebody opened and closed.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module


def drop_leftovers() -> None:
    """Called when a screen comes to the front again. A Textual without that cache has nothing to drop."""
    with suppress(ImportError, AttributeError):
        import_module("textual._styles_cache").StylesCache.get_inner_outer.cache_clear()
