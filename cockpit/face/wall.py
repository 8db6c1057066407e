"""The war-room wall: a screen that can only look.

It is handed a source of pictures with two methods, latest and subscribe; it knows no other. Nothing that
this module imports can hand anything to an engine, and a test holds it to that. No focus, no cursor;
`q`, `t`, `?` and `ctrl+l` are its only keys.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final, Protocol

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from cockpit.core.clock import Clock
from cockpit.core.snapshot import Snapshot
from cockpit.face.cell_diff import CellDiffApp
from cockpit.face.dressing import Dressing
from cockpit.face.leftovers import DROP_EVERY_S, drop_leftovers
from cockpit.face.themes import Inks
from cockpit.face.view import Line, Role
from cockpit.face.view_lines import row
from cockpit.face.view_wall import lines
from cockpit.face.widgets import Paper

TICK_S: Final = 1.0
HELP_S: Final = 8.0


class Pictures(Protocol):
    """Where the wall looks. Thread-safe; no method blocks."""

    def latest(self) -> Snapshot:
        """The newest snapshot; there is always one."""

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back, from whatever thread, after every new snapshot; returns the way to stop it."""


class WallApp(CellDiffApp):
    """theme: the theme to wear, None picks one that suits the terminal. theme_dir: more themes, watched."""

    CSS_PATH = "cockpit.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+q", "quit", "quit", show=False),
        Binding("t", "next_theme", "theme", show=False),
        Binding("question_mark", "keys", "keys", show=False),
        Binding("ctrl+l", "again", "draw again", show=False),
    ]

    def __init__(
        self, pictures: Pictures, clock: Clock, *, theme: str | None = None, theme_dir: Path | None = None
    ) -> None:
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self._pictures = pictures
        self._clock = clock
        self._dressing = Dressing(self, asked=theme, extra=theme_dir)
        self._unsubscribe: Callable[[], None] | None = None
        self._note_left = False
        self._help_until_s: float | None = None

    @property
    def inks(self) -> Inks:
        return self._dressing.inks

    def compose(self) -> ComposeResult:
        yield Paper(id="wall")

    def on_mount(self) -> None:
        self._unsubscribe = self._pictures.subscribe(self._leave_note)
        self.set_interval(TICK_S, self.tick)
        self.set_interval(DROP_EVERY_S, drop_leftovers)
        self.call_after_refresh(self.tick)
        self._dressing.watch(lambda: self.call_later(self._dressing.reload))

    def on_unmount(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._dressing.stop()

    def on_resize(self) -> None:
        self.call_after_refresh(self.tick)

    def _leave_note(self) -> None:
        """From the source's thread: at most one note waits."""
        if not self._note_left:
            self._note_left = True
            self.call_later(self._woken)

    def _woken(self) -> None:
        self._note_left = False
        self.tick()

    def tick(self) -> None:
        """Paint the latest picture by the clock; costs nothing where nothing changed."""
        paper = self.query_one("#wall", Paper)
        width, height = paper.size
        if width < 2 or height < 3:
            return
        page = lines(self._pictures.latest(), self._clock.now(), width, height)
        paper.write([*page[:-1], self._keys_line() or page[-1]])

    def _keys_line(self) -> Line:
        if self._help_until_s is None or self._clock.monotonic() >= self._help_until_s:
            return ()
        keys = (("q", "leave"), ("t", "next theme"), ("ctrl+l", "draw again"), ("?", "this line"))
        shown = (piece for key, word in keys for piece in ((f"{key} ", Role.KEY), (f"{word}  ", Role.DIM)))
        return row(*shown, ("nothing here can touch a service", Role.DIM))

    def action_keys(self) -> None:
        self._help_until_s = self._clock.monotonic() + HELP_S
        self.tick()

    def action_again(self) -> None:
        """Something else wrote over the screen."""
        self.paint_again()

    def action_next_theme(self) -> None:
        self._dressing.next()
