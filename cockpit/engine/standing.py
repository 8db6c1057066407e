"""Whether a write that was decided a while ago is still to be made, by what others journalled meanwhile."""

from __future__ import annotations

from cockpit.core.driver import who_drives
from cockpit.engine.effects import WriteOrder
from cockpit.engine.logbook import Logbook


class Standing:
    """On the engine's loop only."""

    def __init__(self, logbook: Logbook, session: str) -> None:
        self._logbook = logbook
        self._session = session

    def why_not(self, order: WriteOrder) -> str:
        """Empty while this cockpit drives and what the write is for is still wanted. A rollback's write goes
        ahead where the journal cannot be read."""
        self._logbook.catch_up()
        flight = self._logbook.flight
        if not flight.seat.held_by(self._session):
            return who_drives(flight.seat)
        if order.rollback is None:
            return "" if flight.rollback is None else "a rollback was declared"
        still_open = flight.rollback is not None and flight.rollback.id == order.rollback
        return "" if still_open else "its rollback is over"
