"""A full-screen sheet of lines over the deck: opaque, alive, scrolled by keys, closed by escape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from cockpit.core.clock import Clock
from cockpit.core.snapshot import Snapshot
from cockpit.face.port import Port
from cockpit.face.screens.live import Live
from cockpit.face.view import Line, Role, clip, heading
from cockpit.face.widgets import Paper

COPIED: Final = "not in the clipboard? mark the text above"
"""Nobody can ask a terminal whether it took what was sent to its clipboard."""
Words = Callable[[Snapshot, datetime, int], Sequence[Line]]


class PageScreen(Live[None], ModalScreen[None]):
    """Shows what `words` says for the latest snapshot, the clock and the present width."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "leave", "Back", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("pageup", "scroll(-15)", "Page up", show=False),
        Binding("pagedown,space", "scroll(15)", "Page down", show=False),
        Binding("home,g", "scroll(-100000)", "Top", show=False),
        Binding("end,G", "scroll(100000)", "Bottom", show=False),
    ]

    def __init__(self, port: Port, clock: Clock, *, title: str, words: Words, note: str = "") -> None:
        super().__init__(port, clock)
        self._title = title
        self._words = words
        self._note = note
        self._top = 0
        self._head = Paper(classes="line")
        self._body = Paper(classes="page-body")
        self._tail = Paper(classes="line")

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._body
        yield self._tail

    def show(self, snapshot: Snapshot, now: datetime) -> None:
        width, height = self._body.content_size
        lines = list(self._words(snapshot, now, width))
        self._top = max(0, min(self._top, len(lines) - height))
        below = len(lines) - height - self._top
        more: Line = ((f"{below} lines below", Role.WARN),) if below > 0 else ()
        self._head.write([heading("", self._title, more, self.size.width, focused=True)])
        self._body.write(lines[self._top : self._top + height])
        note: Line = ((f"   {self._note}", Role.NOTE),) if self._note else ()
        self._tail.write([clip(((" escape back   ↑↓ scroll", Role.DIM), *note), self.size.width)])

    def action_scroll(self, lines: int) -> None:
        self._top = max(0, self._top + lines)
        self.tick()

    def action_leave(self) -> None:
        self.dismiss(None)
