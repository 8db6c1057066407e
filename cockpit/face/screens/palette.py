"""The command palette: the registry by name, filtered as you type. Named actions only, never a shell."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input

from cockpit.face.actions import Action
from cockpit.face.keys import palette, palette_line
from cockpit.face.port import Port
from cockpit.face.view import Line, Role, heading
from cockpit.face.widgets import Paper


class PaletteScreen(ModalScreen[str | None]):
    """Dismisses with the id of the chosen action, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", show=False),
        Binding("up,ctrl+p", "choose(-1)", "Up", show=False, priority=True),
        Binding("down,ctrl+n", "choose(1)", "Down", show=False, priority=True),
    ]

    def __init__(self, port: Port) -> None:
        super().__init__()
        self._port = port
        self._chosen = 0
        self._head = Paper(classes="line")
        self._input = Input(classes="sheet-input", placeholder="type a part of a name", select_on_focus=False)
        self._input.cursor_blink = False
        self._list = Paper(classes="sheet-body")
        self._tail = Paper(classes="line")

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._input
        yield self._list
        yield self._tail

    def on_mount(self) -> None:
        self._input.focus()
        self.call_after_refresh(self._show)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    @property
    def _found(self) -> tuple[Action, ...]:
        return palette(self._port.latest(), self._input.value)

    def _show(self) -> None:
        found, snapshot = self._found, self._port.latest()
        self._chosen = max(0, min(self._chosen, len(found) - 1))
        width, height = self._list.content_size
        top = max(0, self._chosen - height + 1)
        lines: list[Line] = []
        for index, action in enumerate(found[top : top + height], start=top):
            mark = "▌" if index == self._chosen else " "
            lines.append(((mark, Role.KEY), *palette_line(action, snapshot, max(1, width - 1))))
        empty: Line = ((" nothing of that name", Role.WARN),)
        self._head.write([heading(":", "Commands", (), self.size.width, focused=True)])
        self._list.write(lines or [empty])
        below = len(found) - top - height
        more: Line = ((f"   ↓ {below} more", Role.WARN),) if below > 0 else ()
        self._tail.write([((" enter runs it   ↑↓ choose   escape back", Role.DIM), *more)])

    def on_input_changed(self) -> None:
        self._chosen = 0
        self._show()

    def on_input_submitted(self) -> None:
        found = self._found
        if found:
            self.dismiss(found[self._chosen].id)

    def action_choose(self, step: int) -> None:
        self._chosen += step
        self._show()

    def action_leave(self) -> None:
        self.dismiss(None)
