"""Forward, and stopping: both name their flag; forward also lists every gate and wants the name typed.

A forward move is slow on purpose. It cannot be sent while a gate is open, and the sheet says which.
"""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from cockpit.core.clock import Clock
from cockpit.core.commands import Advance, Hold
from cockpit.core.snapshot import Snapshot
from cockpit.face.port import Port
from cockpit.face.screens.reason import Answers, Field, Form
from cockpit.face.view import Line, Role
from cockpit.face.view_lines import row
from cockpit.face.view_sheets import (
    advance_line,
    advance_refusal,
    flag_of,
    gate_lines,
    hold_refusal,
    next_stage,
    people_lines,
)


class AdvanceSheet(Form):
    """The next stage of one flag: from, to, cohort, gates; confirmed by typing the flag's key."""

    def __init__(self, port: Port, clock: Clock, operator: str, flag: str) -> None:
        super().__init__(
            port,
            clock,
            title="ADVANCE",
            fields=(Field(name="flag", label="flag", exactly=flag),),
        )
        self._operator = operator
        self._flag = flag

    def more_words(self, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
        flag = flag_of(snapshot, self._flag)
        if flag is None:
            return (row((self._flag, Role.STRONG), (" is no longer in the plan", Role.UNKNOWN)),)
        title = (row((flag.title, Role.DIM)),) if flag.title else ()
        return (advance_line(flag), *title, *people_lines(flag), (), *gate_lines(flag, now, width))

    def refusal(self, snapshot: Snapshot, now: datetime) -> str:
        return advance_refusal(snapshot, flag_of(snapshot, self._flag))

    def send(self, answers: Answers) -> None:
        snapshot = self.port.latest()
        flag = flag_of(snapshot, self._flag)
        stage = next_stage(flag) if flag is not None else None
        if stage is not None:
            self.port.submit(
                Advance(
                    id=str(uuid4()),
                    by=self._operator,
                    flag=self._flag,
                    percent_hundredths=stage.percent.hundredths,
                )
            )


class HoldSheet(Form):
    """Stop one flag's ramp where it is, or release it; which of the two depends on the flag's state now."""

    def __init__(self, port: Port, clock: Clock, operator: str, flag: str) -> None:
        status = flag_of(port.latest(), flag)
        self._operator = operator
        self._flag = flag
        self._release = status is not None and status.held_by is not None
        self._accepts = status.foreign if status is not None else None
        super().__init__(
            port,
            clock,
            title="RELEASE THE HOLD" if self._release else "HOLD HERE",
            fields=(Field(name="reason", label="reason", required=not self._release),),
        )

    def more_words(self, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
        flag = flag_of(snapshot, self._flag)
        if flag is None:
            return (row((self._flag, Role.STRONG), (" is no longer in the plan", Role.UNKNOWN)),)
        held = f"held by {flag.held_by}: {flag.held_reason}" if flag.held_by is not None else ""
        effect = (
            "it may advance again"
            if self._release
            else "it stays at this percentage; rolling back still works"
        )
        return (advance_line(flag), row((held or effect, Role.TEXT)))

    def refusal(self, snapshot: Snapshot, now: datetime) -> str:
        flag = flag_of(snapshot, self._flag)
        if self._release and flag is not None and flag.foreign not in (None, self._accepts):
            return "changed by someone else meanwhile: leave, and look again"
        return hold_refusal(snapshot, flag)

    def send(self, answers: Answers) -> None:
        self.port.submit(
            Hold(
                id=str(uuid4()),
                by=self._operator,
                flag=self._flag,
                reason=answers["reason"],
                release=self._release,
                accepts=self._accepts,
            )
        )
