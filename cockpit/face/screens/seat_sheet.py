"""The sheet behind `D`: who drives, who else is there, and what can be done about it from here.

Taking the seat wants the same second press as a rollback, after silence; from somebody who drives it says
so in capitals and by name. What is pressed is sent with the holder that was shown: where that changed
meanwhile, nothing is taken.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import uuid4

from textual import events
from textual.binding import BindingType
from textual.message import Message

from cockpit.core.clock import Clock
from cockpit.core.commands import Command, DeclineSeat, OfferSeat, ReleaseSeat, TakeSeat
from cockpit.core.snapshot import Snapshot
from cockpit.face.port import Port
from cockpit.face.screens.arming import QUIET_S, SecondPress
from cockpit.face.screens.live import Sheet
from cockpit.face.screens.reason import time_line
from cockpit.face.view import Line, Role
from cockpit.face.view_lines import column, row
from cockpit.face.view_seat import (
    holder_lines,
    others,
    present_lines,
    seat_refusal,
    take_words,
    takes_from_living,
)
from cockpit.face.view_sheets import target


class SeatSheet(Sheet[Command]):
    """Dismissed with the command that it handed over, so that the screen below can say what became of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("D", "take", "take the seat"),
        ("H", "hand_over", "hand over"),
        ("X", "decline", "decline or withdraw the offer"),
        ("L", "release", "leave the seat free"),
        ("up,k", "choose(-1)", "the one above"),
        ("down,j", "choose(1)", "the one below"),
    ]

    def __init__(self, port: Port, clock: Clock, operator: str) -> None:
        super().__init__(port, clock)
        self._operator = operator
        self._chosen = 0
        self._press = SecondPress(clock.monotonic())

    def on_mount(self) -> None:
        self._tick_when_silent()

    def on_key(self, event: events.Key) -> None:
        bound = self.active_bindings.get(event.key)
        confirms = bound is not None and bound.binding.action == "take"
        self._press.heard(self.clock.monotonic(), event.time, confirms=confirms)
        self._tick_when_silent()
        self.tick()

    def _tick_when_silent(self) -> None:
        self.set_timer(QUIET_S, self.tick)

    def words(self, snapshot: Snapshot, now: datetime, width: int, room: int) -> tuple[Line, ...]:
        return (
            target(snapshot),
            row(("THE DRIVER'S SEAT", Role.STRONG)),
            *time_line(snapshot, now),
            (),
            *holder_lines(snapshot, now),
            (),
            *present_lines(snapshot, now, width, self._index(snapshot) if self._drives(snapshot) else -1),
            (),
        )

    def foot(self, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
        leave: Line = (("escape ", Role.KEY), ("leave", Role.DIM))
        refusal, seat = seat_refusal(snapshot), snapshot.seat
        if seat is None or (refusal and not seat.drives):
            return (row((f" {refusal}", Role.BAD)), row(*leave))
        if seat.drives:
            return (row(*self._driver_keys(snapshot), *leave),)
        decline: Line = (("X ", Role.KEY), ("decline  ", Role.DIM)) if seat.offered_here else ()
        self._press.shown(self.clock.monotonic(), Message().time)
        line = row(column(" … release the key: D counts after half a second of silence", width, Role.CAUTION))
        if self._press.ready:
            role = Role.ALARM if takes_from_living(seat) else Role.CAUTION
            line = row(column(f" ▸ {take_words(seat)}", width, role))
        return (line, row(("D ", Role.KEY), ("take  ", Role.DIM), *decline, *leave))

    def _driver_keys(self, snapshot: Snapshot) -> Line:
        keys: Line = ()
        if others(snapshot):
            keys += (("↑ ↓ H ", Role.KEY), ("hand over to the chosen one  ", Role.DIM))
        if snapshot.seat is not None and snapshot.seat.offer is not None:
            keys += (("X ", Role.KEY), ("withdraw the offer  ", Role.DIM))
        return (*keys, ("L ", Role.KEY), ("leave the seat free  ", Role.DIM))

    def _drives(self, snapshot: Snapshot) -> bool:
        return snapshot.seat is not None and snapshot.seat.drives and not snapshot.read_only

    def _index(self, snapshot: Snapshot) -> int:
        return max(0, min(self._chosen, len(others(snapshot)) - 1))

    def action_choose(self, step: int) -> None:
        self._chosen = max(0, self._index(self.port.latest()) + step)
        self.tick()

    def action_take(self) -> None:
        meant = self._press.take(self.clock.monotonic())
        snapshot = self.port.latest()
        seat = snapshot.seat
        if not meant or seat is None or seat_refusal(snapshot):
            self.tick()
            return
        seen = "" if seat.holder is None else seat.holder.session
        confirmed = takes_from_living(seat)
        self._submit(TakeSeat(id=str(uuid4()), by=self._operator, seen=seen, confirmed=confirmed))

    def _submit(self, command: Command) -> None:
        self.port.submit(command)
        self.dismiss(command)

    def action_hand_over(self) -> None:
        snapshot = self.port.latest()
        there = others(snapshot)
        if self._drives(snapshot) and there:
            to = there[self._index(snapshot)].session
            self._submit(OfferSeat(id=str(uuid4()), by=self._operator, to=to))

    def action_decline(self) -> None:
        snapshot = self.port.latest()
        seat = snapshot.seat
        offered = seat is not None and seat.offer is not None and (seat.drives or seat.offered_here)
        if offered and not snapshot.read_only:
            self._submit(DeclineSeat(id=str(uuid4()), by=self._operator))

    def action_release(self) -> None:
        if self._drives(self.port.latest()):
            self._submit(ReleaseSeat(id=str(uuid4()), by=self._operator))
