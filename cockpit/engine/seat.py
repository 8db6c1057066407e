"""This cockpit and the driver's seat: beats, watches, takes it when that is its turn, notices its loss.

Whether it drives is a fact of the folded journal and of nothing else. Of two cockpits that take the seat
at the same instant the journal lets exactly one through; the other folds that and sees who it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cockpit.core import driver
from cockpit.core.clock import Clock
from cockpit.core.driver import SILENT_AFTER_S, SILENT_IN_ROLLBACK_AFTER_S, Holder, How
from cockpit.core.events import Event, Kind
from cockpit.core.rollback import IllegalEvent
from cockpit.core.seat_status import SeatStatus
from cockpit.engine.guard import Guard
from cockpit.engine.identity import Identity
from cockpit.engine.journal_port import Draft, Journal, JournalFailure, SequenceConflict
from cockpit.engine.logbook import Logbook
from cockpit.engine.presence import Presence

ROUNDS: Final = 50


class Seat:
    """Used from the engine's thread only.

    sign_in: the event that says who flies what from now on. gained: told how, once the seat was taken.
    lost: told in the middle of folding, and must not touch the journal.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        logbook: Logbook,
        identity: Identity,
        clock: Clock,
        guard: Guard,
        sign_in: Callable[[], Draft],
        gained: Callable[[How], None],
        lost: Callable[[], None],
    ) -> None:
        self._logbook = logbook
        self._identity = identity
        self._clock = clock
        self._guard = guard
        self._sign_in = sign_in
        self._gained = gained
        self._lost = lost
        self._presence = Presence(journal=journal, identity=identity, clock=clock)
        self._lost_to: Holder | None = None
        self.released_here = False

    @property
    def taken(self) -> bool:
        return not self._identity.read_only and self._logbook.flight.seat.held_by(self._identity.session)

    @property
    def session(self) -> str:
        return self._identity.session

    @property
    def others_live(self) -> bool:
        """Whether another cockpit is here that is not silent."""
        present, silent = set(self._presence.present), self._presence.silent(self._patience_s)
        return bool(present - silent - {self.session})

    @property
    def alone(self) -> bool:
        """Whether nobody else could drive now: no holder, or one that is gone or silent."""
        return driver.asked_way_in(
            self._logbook.flight.seat,
            self._identity.session,
            present=self._presence.present,
            silent=self._presence.silent(self._patience_s),
        ) in (How.FREE, How.GONE, How.SILENCE)

    @property
    def _patience_s(self) -> float:
        return SILENT_AFTER_S if self._logbook.flight.rollback is None else SILENT_IN_ROLLBACK_AFTER_S

    def look(self) -> None:
        """Beat, see who lives, and take the seat if nobody drives; four times a second. Who only looks on
        sees who lives, too, so that it does not call one that is gone the driver."""
        if not self._identity.read_only:
            self._guard.run("heartbeat", self._presence.beat)
        self._guard.run("heartbeats of others", self._presence.look)
        if self._identity.read_only:
            return
        for _ in range(ROUNDS):
            how = self._way_in()
            if how is None:
                return
            try:
                self.take(how)
            except SequenceConflict:
                continue  # somebody was first: see who drives now
            except (IllegalEvent, JournalFailure):
                return  # tried again with the next look; the journal's trouble has a reason line of its own
            return

    def _way_in(self) -> How | None:
        return driver.way_in(
            self._logbook.flight.seat,
            self._identity.session,
            present=self._presence.present,
            silent=self._presence.silent(self._patience_s),
            released_here=self.released_here,
        )

    def asked_way_in(self) -> How | None:
        """How a person takes the seat now; None: this cockpit drives already."""
        return driver.asked_way_in(
            self._logbook.flight.seat,
            self._identity.session,
            present=self._presence.present,
            silent=self._presence.silent(self._patience_s),
        )

    def take(self, how: How) -> None:
        """Journal the take and the sign-in together. While a rollback is open it happens even where it
        cannot be written. Raises SequenceConflict, IllegalEvent or JournalFailure: then nothing changed."""
        self._logbook.append(
            [self.draft(how), self._sign_in()],
            actor=self._identity.operator,
            at=self._clock.now(),
            must=self._logbook.flight.rollback is not None,
        )
        self._gained(how)

    def draft(self, how: How) -> Draft:
        """The event by which this cockpit takes the seat from whoever has it now."""
        seat, identity = self._logbook.flight.seat, self._identity
        body = driver.taken_body(seat, identity.session, identity.host, how)
        return Draft(kind=Kind.DRIVER_TAKEN, body=body)

    def released(self, why: str) -> Draft:
        return Draft(kind=Kind.DRIVER_RELEASED, body={"session": self._identity.session, "why": why})

    def heard(self, event: Event) -> None:
        """An event of the seat, just folded."""
        session = self._identity.session
        if event.kind is not Kind.DRIVER_TAKEN or self._identity.read_only:
            return
        self.released_here = False
        if event.body.get("session") == session:
            self._lost_to = None
        elif event.body.get("from") == session:
            self._lost_to = self._logbook.flight.seat.holder
            self._lost()

    def status(self) -> SeatStatus:
        seat = self._logbook.flight.seat
        lost_to = self._lost_to if self._lost_to is not None and self._lost_to == seat.holder else None
        return SeatStatus(
            session="" if self._identity.read_only else self._identity.session,
            holder=seat.holder,
            offer=seat.offer,
            present=self._presence.everybody(self._patience_s),
            lost_to=lost_to,
        )

    def leave(self) -> None:
        if not self._identity.read_only:
            self._presence.leave()
