"""The sheet behind `R`: what a rollback would do, and the second press that does it.

While a rollback of some flags is open it widens that one: same countdown, same deadline.

Leaving is always possible and changes nothing. Confirming submits one `DeclareRollback`, with an id that
stays the same however often the key is pressed, and opens the countdown at once.
"""

from __future__ import annotations

from datetime import datetime
from threading import Event
from typing import ClassVar, Final
from uuid import uuid4

from textual import events
from textual.binding import BindingType
from textual.message import Message

from cockpit.core.clock import Clock
from cockpit.core.commands import DeclareRollback, MakeReady, VetoProposal
from cockpit.core.snapshot import Snapshot
from cockpit.face.bigtype import big
from cockpit.face.port import Port
from cockpit.face.screens.arming import QUIET_S, SecondPress
from cockpit.face.screens.countdown import CountdownScreen
from cockpit.face.screens.live import TICK_S, Sheet
from cockpit.face.screens.reason import Answers, Field, Form
from cockpit.face.view import Line, Role
from cockpit.face.view_lines import blocks, column, row, wrapped
from cockpit.face.view_sheets import (
    Scope,
    budget_line,
    legacy_nature,
    legacy_state,
    order_words,
    reason_line,
    reason_words,
    rollback_refusal,
    scope,
    scope_flags,
    scope_line,
    target,
)

GIVE_WAY_S: Final = 0.03
"""How long the screen stands still after the second press. Building the countdown takes the interpreter from
the engine again and again, just when the engine is about to write."""


class RollbackSheet(Sheet[None]):
    """`focused` is the key of the flag that `f` narrows the rollback to; None when there is none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("R", "confirm", "roll back"),
        ("f", "scope", "only this flag"),
        ("v", "veto", "veto the proposal"),
    ]

    def __init__(self, port: Port, clock: Clock, operator: str, *, focused: str | None = None) -> None:
        super().__init__(port, clock)
        self._operator = operator
        self._focused = focused
        self._narrow = False
        self._command_id = str(uuid4())
        self._ready_id = str(uuid4())
        self._press = SecondPress(clock.monotonic())

    def on_mount(self) -> None:
        self._tick_when_silent()
        self.set_interval(TICK_S, self._make_ready)
        self._make_ready()

    def _make_ready(self) -> None:
        """So that the second press finds what it needs; again and again, or the engine takes it as left."""
        chosen = self._scope(self.port.latest())
        self.port.submit(MakeReady(id=self._ready_id, by=self._operator, flags=chosen.keys))

    def hear(self, key: events.Key) -> bool:
        """Behind the second key nothing waits for its turn. Not before the sheet has come up: what was typed
        until then goes the long way, and is heard in its order."""
        if self.is_mounted:
            self.on_key(key)
        return self.is_mounted

    def on_key(self, event: events.Key) -> None:
        bound = self.active_bindings.get(event.key)
        confirms = bound is not None and bound.binding.action == "confirm"
        self._press.heard(self.clock.monotonic(), event.time, confirms=confirms)
        self._tick_when_silent()
        if not confirms:  # else the act decides what is shown, and nothing may hold it up
            self.tick()

    def _tick_when_silent(self) -> None:
        self.set_timer(QUIET_S, self.tick)

    def _scope(self, snapshot: Snapshot) -> Scope:
        return scope(snapshot, self._focused if self._narrow else None)

    def words(self, snapshot: Snapshot, now: datetime, width: int, room: int) -> tuple[Line, ...]:
        chosen = self._scope(snapshot)
        name = "WIDEN" if chosen.widens else "ROLL BACK"
        title = blocks(big(name), Role.BAD)
        head = (target(snapshot), (), scope_line(chosen, self._focused), row((order_words(chosen), Role.DIM)))
        legacy = (*legacy_state(snapshot, now)[:3], *legacy_nature(snapshot, width))
        tail = ((), *legacy, reason_line(snapshot), budget_line(snapshot, now), ())
        flags = scope_flags(snapshot, chosen, now, width)
        if len(title) + len(head) + len(tail) + min(len(flags), 3) > room:
            title = (row((name, Role.BAD)),)
        flags = _shortened(flags, room - len(title) - len(head) - len(tail))
        return (*title, *head, *flags, *tail)

    def foot(self, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
        leave = (("escape ", Role.KEY), ("leave  ", Role.DIM))
        chosen = self._scope(snapshot)
        refusal = rollback_refusal(snapshot, now, chosen)
        if refusal:
            head = row(column(" NO ROLLBACK FROM HERE", width, Role.ALARM))
            return (head, *(row((f" {text}", Role.BAD)) for text in wrapped(refusal, width - 2)), row(*leave))
        act = "widen the rollback" if chosen.widens else "roll back"
        keys = [("R ", Role.KEY), (f"{act}  ", Role.DIM), *leave]
        if self._focused is not None:
            other = "all flags" if self._narrow else f"only {self._focused}"
            keys += [("f ", Role.KEY), (f"{other}  ", Role.DIM)]
        if reason_words(snapshot):
            keys += [("v ", Role.KEY), ("veto the proposal", Role.DIM)]
        return (self._press_line(act, width), row(*keys))

    def _press_line(self, act: str, width: int) -> Line:
        self._press.shown(self.clock.monotonic(), Message().time)
        if self._press.ready:
            return row(column(f" ▸ press R to {act}", width, Role.ALARM))
        wait = " … release the key: R counts after half a second of silence"
        return row(column(wait, width, Role.CAUTION))

    def action_scope(self) -> None:
        if self._focused is not None:
            self._narrow = not self._narrow
            self.tick()

    def action_veto(self) -> None:
        """A named no, with a reason, instead of the rollback that the judge proposes."""
        proposal = self.port.latest().proposal
        if proposal is None or not reason_words(self.port.latest()):
            return
        form = Form(
            self.port,
            self.clock,
            title="VETO THE PROPOSED ROLLBACK",
            explain=reason_words(self.port.latest()),
            fields=(Field(name="reason", label="reason", required=True),),
        )

        def answered(answers: Answers | None) -> None:
            if answers is not None:
                no = {"signal": proposal.signal, "reason": answers["reason"]}
                self.port.submit(VetoProposal(id=str(uuid4()), by=self._operator, **no))
                self.dismiss(None)

        self.app.push_screen(form, answered)

    def action_confirm(self) -> None:
        meant = self._press.take(self.clock.monotonic())
        snapshot, now = self.port.latest(), self.clock.now()
        chosen = self._scope(snapshot)
        if not meant or rollback_refusal(snapshot, now, chosen):
            self.tick()
            return
        command = DeclareRollback(
            id=self._command_id,
            by=self._operator,
            flags=chosen.keys,
            reason=reason_words(snapshot),
        )
        below = self.app.screen_stack[-2:-1]
        if below and isinstance(below[0], CountdownScreen):
            below[0].widen(command)
            self.dismiss(None)
            return
        self.port.submit(command)
        Event().wait(GIVE_WAY_S)
        self.app.switch_screen(CountdownScreen(self.port, self.clock, self._operator, declare=command))


def _shortened(rows: tuple[Line, ...], room: int) -> tuple[Line, ...]:
    """At most `room` lines, the last one saying how many flags are not shown; never nothing."""
    if len(rows) <= max(1, room):
        return rows
    kept = max(1, room - 1)
    return (*rows[:kept], row((f"   … and {len(rows) - kept} more flags", Role.WARN)))
