"""Who else has the journal open, and who of them has fallen silent: beats given and beats watched.

Silence is judged by this cockpit's own steady clock and never by anybody's wall clock: a beat that does
not move while this one looked again and again. Time in which this cockpit did not look counts for little,
so that one that stood still itself does not take everybody else for silent when it wakes.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from cockpit.core.clock import Clock
from cockpit.core.dataclass import dataclass
from cockpit.core.seat_status import Present
from cockpit.engine.identity import Identity
from cockpit.engine.journal_port import Beat, Journal

LOOK_LIMIT_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """moved_at: when this cockpit saw the beat move last. still_s: for how long it has looked since."""

    beat: Beat
    moved_at: datetime
    still_s: float = 0.0


class Presence:
    """Used from the engine's thread only."""

    def __init__(self, *, journal: Journal, identity: Identity, clock: Clock) -> None:
        self._journal = journal
        self._identity = identity
        self._clock = clock
        self._count = 0
        self._watched: dict[str, _Watched] = {}
        self._looked_at_s = clock.monotonic()

    def beat(self) -> None:
        """Raises JournalFailure when it cannot be given: the others then take this cockpit for gone."""
        self._count += 1
        identity = self._identity
        self._journal.beat(
            Beat(session=identity.session, operator=identity.operator, host=identity.host, count=self._count)
        )

    def look(self) -> None:
        """Raises JournalFailure when the beats cannot be read: everybody stays what they were."""
        beats, now, now_s = self._journal.beats(), self._clock.now(), self._clock.monotonic()
        passed_s, self._looked_at_s = min(now_s - self._looked_at_s, LOOK_LIMIT_S), now_s
        self._watched = {beat.session: self._seen(beat, now, passed_s) for beat in beats}

    def _seen(self, beat: Beat, now: datetime, passed_s: float) -> _Watched:
        before = self._watched.get(beat.session)
        if before is None or before.beat.count != beat.count:
            return _Watched(beat=beat, moved_at=now)
        return _Watched(beat=beat, moved_at=before.moved_at, still_s=before.still_s + passed_s)

    @property
    def present(self) -> Collection[str]:
        return self._watched.keys()

    def silent(self, after_s: float) -> frozenset[str]:
        """The sessions that live and have not beaten for so long; never this cockpit's own."""
        return frozenset(
            session
            for session, watched in self._watched.items()
            if watched.still_s > after_s and session != self._identity.session
        )

    def everybody(self, after_s: float) -> tuple[Present, ...]:
        silent = self.silent(after_s)
        return tuple(
            Present(
                session=session, name=watched.beat.name, beat_at=watched.moved_at, silent=session in silent
            )
            for session, watched in self._watched.items()
        )

    def leave(self) -> None:
        self._journal.leave(self._identity.session)
