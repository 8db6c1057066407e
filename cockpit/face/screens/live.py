"""Screens that stay true while they are open: one tick a second, and one wake-up per burst of snapshots.

A live screen takes nothing but a port and a clock. It never waits for the engine; the engine's thread
only leaves a note, at most one at a time, so that a stalled terminal does not collect a queue of them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, Final, TypeVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.events import Key
from textual.message import Message
from textual.screen import ModalScreen, Screen

from cockpit.core.clock import Clock
from cockpit.core.model import Mode
from cockpit.core.snapshot import Snapshot
from cockpit.face.leftovers import drop_leftovers
from cockpit.face.port import Port
from cockpit.face.view import Line, Role, clip
from cockpit.face.view_lines import row
from cockpit.face.widgets import Paper

Result = TypeVar("Result")

TICK_S: Final = 1.0
FRAME_LINES: Final = 2


class Live(Screen[Result]):
    """Calls `show` with the latest snapshot and the clock's now: on mount, every second, on every wake-up."""

    AUTO_FOCUS = ""

    class Woken(Message):
        """A new snapshot lies ready."""

    def __init__(self, port: Port, clock: Clock) -> None:
        super().__init__()
        self.port = port
        self.clock = clock
        self._note_left = False
        self._unsubscribe: Callable[[], None] | None = None

    def on_mount(self) -> None:
        self._unsubscribe = self.port.subscribe(self._leave_note)
        self.set_interval(TICK_S, self.tick)
        self.call_after_refresh(self.tick)

    def on_screen_resume(self) -> None:
        drop_leftovers()

    def on_unmount(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()

    def _leave_note(self) -> None:
        """Called from the engine's thread."""
        if not self._note_left:
            self._note_left = True
            self.post_message(self.Woken())

    def on_live_woken(self) -> None:
        self._note_left = False
        self.tick()

    def on_resize(self) -> None:
        self.call_after_refresh(self.tick)

    def tick(self) -> None:
        """Show the latest; a screen that has been left has nothing to show it on any more."""
        if self.is_mounted and self in self.app.screen_stack:
            self.show(self.port.latest(), self.clock.now())

    @abstractmethod
    def show(self, snapshot: Snapshot, now: datetime) -> None:
        """Put this picture on the screen."""

    def hear(self, key: Key) -> bool:
        """Told of a key where it arrives. True: it is acted on there and then, and needs no way through the
        queues of widgets."""
        return False

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """A live screen's own keys are its own, also against the app's priority keys."""
        return key in self._bindings.key_to_bindings


class Sheet(Live[Result], ModalScreen[Result]):
    """A framed sheet over an opaque ground: words, then fields to type in, then the line with the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "leave")]

    def compose(self) -> ComposeResult:
        with Vertical(id="sheet"):
            yield Paper(id="sheet-words")
            yield from self.fields()
            yield Paper(id="sheet-foot")

    def fields(self) -> ComposeResult:
        """Inputs between the words and the keys; none by default."""
        yield from ()

    def show(self, snapshot: Snapshot, now: datetime) -> None:
        self.set_class(snapshot.mode is Mode.DRILL, "-drill")
        words, foot = self.query_one("#sheet-words", Paper), self.query_one("#sheet-foot", Paper)
        last = self.foot(snapshot, now, foot.size.width)
        room = max(1, self.size.height - FRAME_LINES - self.fields_height - len(last))
        rows = self.words(snapshot, now, words.size.width, room)
        if len(rows) > room:
            rows = (*rows[: room - 1], row((f"… {len(rows) - room + 1} more lines", Role.WARN)))
        for paper, lines in ((words, rows), (foot, last)):
            if paper.styles.height is None or paper.styles.height.value != len(lines):
                paper.styles.height = len(lines)
            paper.write([clip(each, paper.size.width) for each in lines])

    @property
    def fields_height(self) -> int:
        """How many lines the inputs take."""
        return 0

    @abstractmethod
    def words(self, snapshot: Snapshot, now: datetime, width: int, room: int) -> tuple[Line, ...]:
        """What the sheet says, best in at most `room` lines: the end of more is not shown."""

    @abstractmethod
    def foot(self, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
        """What can be done, at the bottom; never cut."""

    def action_leave(self) -> None:
        self.dismiss(None)
