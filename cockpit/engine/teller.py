"""Journals what the lookout sees. What cannot be written now is said later, unless the next look says it.

What one look sees is one transaction: when a network fails, every probe changes in one moment, and as many
waits for the disk would hold up the polls that have to tell what is still there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cockpit.core.clock import Clock
from cockpit.core.events import MACHINE
from cockpit.core.rollback import IllegalEvent
from cockpit.engine.drive import Drive
from cockpit.engine.effects import Effects
from cockpit.engine.journal_port import Draft, JournalFailure, SequenceConflict
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
        drafts = [*self._untold, *seen]
        untold = self._tell(drafts, now) if drafts else ()
        self._untold = [draft for draft in untold if draft.kind in SAID_ONCE][-UNTOLD_LIMIT:]

    def _tell(self, drafts: Sequence[Draft], now: datetime) -> Sequence[Draft]:
        """Together, or each by itself where one of them cannot be; those that were not told.

        What others append first changes what there is to tell: the next look decides. Where it is another one
        that drives now, that one tells what it sees.
        """
        must = self._logbook.flight.rollback is not None
        try:
            self._logbook.append(drafts, actor=MACHINE, at=now, must=must)
        except SequenceConflict:
            return drafts if self._logbook.flight.seat.held_by(self._drive.session) else ()
        except (IllegalEvent, JournalFailure):
            if len(drafts) == 1:
                return drafts
            return [untold for each in drafts for untold in self._tell([each], now)]
        return ()
