"""A plan file that changed on disk: what would be different, then take it or set it aside.

A broken file can only be looked at; the cockpit flies by the last good one.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import uuid4

from textual.binding import BindingType

from cockpit.core.clock import Clock
from cockpit.core.commands import TakePlan
from cockpit.core.snapshot import PlanChange, Snapshot
from cockpit.face.port import Port
from cockpit.face.screens.live import Sheet
from cockpit.face.view import Line, Role
from cockpit.face.view_lines import row
from cockpit.face.view_sheets import plan_headline, plan_lines, plan_refusal, target


class PlanChangeSheet(Sheet[None]):
    """Acts only on the change whose digest stands on the screen; a newer one is shown first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("T", "decide(True)", "take it"),
        ("X", "decide(False)", "set it aside"),
        ("up,k", "scroll(-1)", "up"),
        ("down,j", "scroll(1)", "down"),
    ]

    def __init__(self, port: Port, clock: Clock, operator: str) -> None:
        super().__init__(port, clock)
        self._operator = operator
        self._shown: PlanChange | None = None
        self._top = 0

    def words(self, snapshot: Snapshot, now: datetime, width: int, room: int) -> tuple[Line, ...]:
        change = self._shown = snapshot.plan_change
        title = row(("THE PLAN FILE", Role.STRONG))
        if change is None:
            return (target(snapshot), title, (), row(("no change waits for an answer", Role.DIM)), ())
        rows = plan_lines(change, width)
        height = max(1, room - 6)
        self._top = max(0, min(self._top, len(rows) - height))
        shown = rows[self._top : self._top + height]
        below = len(rows) - self._top - len(shown)
        more = (row((f"  … {below} more below", Role.DIM)),) if below > 0 else ()
        return (target(snapshot), title, (), plan_headline(change, now), *shown, *more, ())

    def foot(self, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
        refusal = plan_refusal(snapshot)
        leave = row(("escape ", Role.KEY), ("leave it for later", Role.DIM))
        if refusal:
            return (row((refusal, Role.WARN)), leave)
        take = row(("T ", Role.KEY), ("take it  ", Role.DIM), ("X ", Role.KEY), ("set it aside  ", Role.DIM))
        return ((), row(*take, *leave))

    def action_scroll(self, by: int) -> None:
        self._top = max(0, self._top + by)
        self.tick()

    def action_decide(self, accept: bool) -> None:
        snapshot = self.port.latest()
        change = snapshot.plan_change
        if plan_refusal(snapshot) or change is None or change != self._shown:
            self.tick()
            return
        self.port.submit(TakePlan(id=str(uuid4()), by=self._operator, digest=change.digest, accept=accept))
        self.dismiss(None)
