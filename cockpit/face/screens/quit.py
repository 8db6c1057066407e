"""Leaving. With a rollback open it says what goes on without the person who leaves, and asks.

Dismisses with True to leave. `ctrl+q` twice always leaves: the second one is bound here.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual.binding import Binding, BindingType

from cockpit.core.snapshot import Snapshot
from cockpit.face.screens.live import Sheet
from cockpit.face.screens.reason import time_line
from cockpit.face.view import Line, Role
from cockpit.face.view_lines import row, wrapped
from cockpit.face.view_sheets import quit_lines, target


class QuitSheet(Sheet[bool]):
    """Asks once, in words. Nothing is submitted: stopping is the app's act after `True`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "go", "leave now", priority=True),
        ("L", "go", "leave"),
    ]

    def words(self, snapshot: Snapshot, now: datetime, width: int, room: int) -> tuple[Line, ...]:
        title = row(("LEAVE THE COCKPIT?", Role.STRONG))
        facts = (each for fact in quit_lines(snapshot) for each in _broken(fact, width))
        return (target(snapshot), title, *time_line(snapshot, now), (), *facts, ())

    def foot(self, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
        stay = (("escape ", Role.KEY), ("stay  ", Role.DIM))
        return (row(*stay, ("L ", Role.KEY), ("or ctrl+q again: leave", Role.DIM)),)

    def action_leave(self) -> None:
        self.dismiss(False)

    def action_go(self) -> None:
        self.dismiss(True)


def _broken(fact: Line, width: int) -> tuple[Line, ...]:
    """A long fact on several rows, aligned under its text."""
    if len(fact) < 2:
        return (fact,)
    (label, role), *rest = fact
    room = max(10, width - len(label))
    texts = wrapped("".join(text for text, _ in rest), room, limit=4)
    indent = " " * len(label)
    return tuple(row((indent if position else label, role), text) for position, text in enumerate(texts))
