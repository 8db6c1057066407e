"""The commands of the driver's seat: take it, hand it over, decline what was offered, release it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cockpit.core import commands as asked
from cockpit.core.clean import clean_text
from cockpit.core.clock import Clock
from cockpit.core.commands import Command
from cockpit.core.driver import How, who_drives
from cockpit.core.events import Kind
from cockpit.engine.drive import Drive
from cockpit.engine.journal_port import Draft
from cockpit.engine.logbook import Logbook
from cockpit.engine.rollback_orders import Refused
from cockpit.engine.seat import Seat


class SeatOrders:
    """Used from the engine's thread only."""

    def __init__(self, *, logbook: Logbook, drive: Drive, clock: Clock, seat: Seat) -> None:
        self._logbook = logbook
        self._drive = drive
        self._clock = clock
        self._seat = seat
        self.handlers: Mapping[type[Command], Callable[[Any], str]] = {
            asked.TakeSeat: self._take,
            asked.OfferSeat: self._offer,
            asked.DeclineSeat: self._decline,
            asked.ReleaseSeat: self._release,
        }

    def _record(self, command: Command, *drafts: Draft) -> None:
        must = self._logbook.flight.rollback is not None
        self._logbook.append(drafts, actor=command.by, at=self._clock.now(), must=must)

    def _take(self, command: asked.TakeSeat) -> str:
        """From exactly whom the person saw in it; from one that lives only if that was meant."""
        seat = self._logbook.flight.seat
        how = self._seat.asked_way_in()
        if how is None:
            raise Refused("this cockpit drives already")
        if command.seen != ("" if seat.holder is None else seat.holder.session):
            raise Refused(f"meanwhile {who_drives(seat)}: look again")
        if how is How.CONFIRMED and not command.confirmed:
            raise Refused(f"{who_drives(seat)} and lives: the seat is taken from it by a confirmed act only")
        self._seat.take(how)
        return "the driver's seat is taken: this cockpit drives"

    def _offer(self, command: asked.OfferSeat) -> str:
        self._driving()
        other = next((each for each in self._seat.status().present if each.session == command.to), None)
        if other is None:
            raise Refused("that cockpit is gone")
        body = {"session": self._seat.session, "to": other.session, "to_name": other.name}
        self._record(command, Draft(kind=Kind.DRIVER_OFFERED, body=body))
        return f"the seat is offered to {other.name}: D there takes it, this cockpit drives until then"

    def _decline(self, command: asked.DeclineSeat) -> str:
        offer = self._logbook.flight.seat.offer
        if offer is None:
            raise Refused("nothing is offered")
        why = "withdrawn" if self._seat.taken else clean_text(command.reason) or "declined"
        body = {"session": self._seat.session, "why": why}
        self._record(command, Draft(kind=Kind.DRIVER_DECLINED, body=body))
        return f"the offer is off: {why}"

    def _release(self, command: asked.ReleaseSeat) -> str:
        self._driving()
        if self._drive.writing:
            raise Refused("a write is in flight; try again")
        if self._logbook.flight.rollback is not None and not self._seat.others_live:
            raise Refused("a rollback is open and no other cockpit is here to go on with it")
        self._record(command, self._seat.released("by hand"))
        self._seat.released_here = True
        return "the driver's seat is free: this cockpit sits beside until D takes it"

    def _driving(self) -> None:
        if not self._seat.taken:
            raise Refused(who_drives(self._logbook.flight.seat))
