"""Journals what the lookout sees. What cannot be written now is said later, unless the next look says it.

What one look sees is one transaction: when a network fails, every probe changes in one moment, and as many
waits for the disk would hold up the polls that have to tell what is still there.
"""

from __future__ import annotations

from cockpit.core.clock import Clock
from cockpit.engine.drive import Drive
from cockpit.engine.effects import Effects
from cockpit.engine.journal_port import Draft
from cockpit.engine.logbook import Logbook
from cockpit.engine.lookout import SAID_ONCE, Lookout
from cockpit.engine.picture import signal_statuses
from cockpit.engine.senses import Senses

UNTOLD_LIMIT = 200


class Teller:
    """Used from the engine's thread only, while this cockpit drives."""

    def __init__(
        self, *, senses: Senses, effects: Effects, logbook: Logbook, drive: Drive, clock: Clock
    ) -> None:
        self._senses = senses
        self._effects = effects
        self._logbook = logbook
        self._drive = drive
        self._clock = clock
        self._lookout = Lookout()
        self._untold: list[Draft] = []

    def look(self) -> None:
        now = self._clock.now()
        seen = self._lookout.look(
            senses=self._senses,
            effects=self._effects,
            flight=self._logbook.flight,
            signals=signal_statuses(self._senses, now),
            now=now,
        )
        drafts, self._untold = [*self._untold, *seen], []
        open_rollback = self._logbook.flight.rollback is not None
        if len(drafts) > 1 and self._drive.record_all(drafts, must=open_rollback):
            return
        for draft in drafts:
            told = self._drive.record(draft.kind, dict(draft.body))
            if not told and draft.kind in SAID_ONCE:
                self._untold.append(draft)
        del self._untold[:-UNTOLD_LIMIT]
