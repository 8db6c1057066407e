"""Puts a theme on the app: picks, changes and reloads it, and keeps the last good one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from textual.app import App

from cockpit.face.themes import (
    Inks,
    Skin,
    ThemeProblems,
    Wardrobe,
    automatic,
    read_skin,
    read_wardrobe,
    themes_dir,
    watch_themes,
)
from cockpit.face.widgets import Paper


class Dressing:
    """asked: the theme somebody named, None to suit the terminal. extra: a directory of more themes."""

    def __init__(self, app: App[None], *, asked: str | None, extra: Path | None) -> None:
        self._app = app
        self._asked = asked
        self._extra = extra
        self._stop = Event()
        self._watcher: Thread | None = None
        self._known: Wardrobe | None = None
        suits = automatic(no_color=app.no_color, color_system=app.console.color_system)
        name = suits if asked is None else asked
        skin = self._alone(name) or self._wardrobe.pick(name)
        self.inks: Inks = skin.inks()
        self._wear(skin)

    @property
    def _wardrobe(self) -> Wardrobe:
        """All themes, read when they are asked for first: one is enough to begin with."""
        if self._known is None:
            self._known = self._read(None)
        return self._known

    def _alone(self, name: str) -> Skin | None:
        """The theme of this name, by the file that wins; None where that needs a look at all of them."""
        found = [path for place in self._places if (path := place / f"{name}.toml").is_file()]
        with suppress(ThemeProblems):
            return read_skin(found[-1]) if found and found[-1].stem == name else None
        return None

    @property
    def problems(self) -> tuple[str, ...]:
        """What cannot be used, the theme that was asked for first."""
        missing = self._asked is not None and self._asked not in self._wardrobe.skins
        first = (f"there is no usable theme {self._asked}",) if missing else ()
        return (*first, *self._wardrobe.problems)

    def next(self) -> Skin:
        skin = self._wardrobe.after(self._app.theme)
        self._wear(skin)
        return skin

    def reload(self) -> None:
        """Read all themes again; a broken one keeps its last good look."""
        self._known = self._read(self._wardrobe)
        self._wear(self._wardrobe.pick(self._app.theme))

    def watch(self, changed: Callable[[], object]) -> None:
        """Call `changed` from a thread of its own whenever the extra directory changed, until `stop`."""
        if self._extra is not None:
            arguments = ((self._extra,), self._stop, changed)
            self._watcher = Thread(target=watch_themes, args=arguments, daemon=True, name="themes")
            self._watcher.start()

    def stop(self) -> None:
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join(timeout=1.0)

    def _read(self, before: Wardrobe | None) -> Wardrobe:
        return read_wardrobe(*self._places, last_good=None if before is None else before.skins)

    @property
    def _places(self) -> Sequence[Path]:
        """Directories of themes, each once; the later ones win."""
        shipped = themes_dir()
        return (shipped,) if self._extra in (None, shipped) else (shipped, self._extra)

    def _wear(self, skin: Skin) -> None:
        """Put a skin on, also a changed one of the name that is worn now."""
        app = self._app
        app.register_theme(skin.theme())
        self.inks = skin.inks()
        if app.theme == skin.name:
            app.refresh_css(animate=False)
        else:
            app.theme = skin.name
        if app.is_running:
            for screen in app.screen_stack:
                for paper in screen.query(Paper):
                    paper.refresh()
