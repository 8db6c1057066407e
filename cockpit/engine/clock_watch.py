"""The wall clock against the steady one, before every decision: a jump is journalled, once on a host."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cockpit.core.clock import Clock
from cockpit.core.clocks import JUMP_S, ClockPair, jump
from cockpit.core.events import Kind
from cockpit.engine.drive import Drive
from cockpit.engine.logbook import Logbook
from cockpit.engine.senses import Senses


class ClockWatch:
    """Used from the engine's thread only. drives: whether this cockpit journals what it sees."""

    def __init__(
        self, *, clock: Clock, logbook: Logbook, senses: Senses, drive: Drive, drives: Callable[[], bool]
    ) -> None:
        self._clock = clock
        self._logbook = logbook
        self._senses = senses
        self._drive = drive
        self._drives = drives
        self._last = ClockPair.of(clock)
        self._away_s = 0.0
        self._told = logbook.flight.clock_jump

    def take_off(self) -> None:
        """The journal was read. Where it has an event of a time that is still to come, the clock was set back
        while no cockpit saw it: by so much at least, and that is counted. One that was set ahead looks like
        time that passed.
        """
        self._told = self._logbook.flight.clock_jump
        for last in self._logbook.kept[-1:]:
            behind_s = (last.at - self._clock.now()).total_seconds()
            self._away_s = -behind_s if behind_s > JUMP_S else 0.0

    def look(self) -> None:
        """A wall clock that jumped would shorten or stretch countdown and holds silently: journal it. Looked
        at before anything is decided, so that no decision is made between jump and journal. Where it cannot
        be written yet it counts all the same, and is written when the journal is well again.
        """
        self._tell_of_the_time_away()
        before, self._last = self._last, ClockPair.of(self._clock)
        by_s = jump(before, self._last)
        if by_s is None:
            return
        if by_s < 0:
            self._senses.clock_set_back(by_s)
        told = self._logbook.flight.clock_jump
        self._logbook.catch_up()
        self._record(by_s, lambda: not self._was_told(by_s, told))

    def _was_told(self, by_s: float, before: tuple[datetime, float] | None) -> bool:
        """Whether another cockpit has told of the same jump since."""
        news = self._logbook.flight.clock_jump
        return news is not None and news is not before and abs(news[1] - by_s) < JUMP_S

    def _tell_of_the_time_away(self) -> None:
        """Once, by whoever drives; one that flew all the time may have seen and told it itself."""
        if not self._away_s or not self._drives():
            return
        by_s, self._away_s = self._away_s, 0.0
        self._record(by_s, lambda: self._logbook.flight.clock_jump is self._told, away=True)

    def _record(self, by_s: float, still: Callable[[], bool], *, away: bool = False) -> None:
        """Asked again when somebody else's event came first: a jump that is told twice counts twice."""
        rollback = self._logbook.flight.rollback
        open_id = rollback.id if rollback is not None else None
        body: dict[str, object] = {"by_s": round(by_s, 1), "rollback": open_id, "away": away}
        self._drive.record(Kind.CLOCK_JUMPED, body, must=True, still=lambda: self._drives() and still())
