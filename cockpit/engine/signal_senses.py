"""What is known of the signals: their trackers, the newest reading of each, and the past that is drawn.

A signal may take its two sides from two monitors. Each answers in its own poll; only answers of one and
the same time are compared, and where there are none the signal is unknown and says why. What a monitor
remembers of the time before goes into the trails, which are drawn, and into nothing else.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from cockpit.core.clock import Clock
from cockpit.core.clocks import ClockPair, along, seen_at
from cockpit.core.counters import SignalSamples
from cockpit.core.dataclass import dataclass, replace
from cockpit.core.figures import length
from cockpit.core.model import STALE_AFTER_INTERVALS, Failure, Fault, Quality, Reading, Sample, Side
from cockpit.core.snapshot import SignalStatus
from cockpit.core.spec import Plan, SignalSpec
from cockpit.core.tracker import SignalTracker, observe, restart, start_signal, status
from cockpit.core.trail import Look
from cockpit.engine.questions import Answers, query_failure, sample, side_expressions
from cockpit.engine.trails import PastWanted, Trails

_SKEW_S: Final = 1.0
_Key = tuple[str, Side]


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """What one monitor said of one side of a signal in one poll."""

    asked_at: datetime
    answered_at: datetime
    took_s: float
    bad: Sample | None
    total: Sample | None
    failure: Failure | None

    @property
    def look(self) -> Look:
        return Look(at=self.asked_at, bad=self.bad, total=self.total)


class SignalSenses:
    """Used from the engine's thread only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.trackers: dict[str, SignalTracker] = {}
        self.readings: dict[str, Reading[float]] = {}
        self.trails = Trails(clock)
        self._halves: dict[_Key, Half] = {}
        self._asking: set[str] = set()
        self._ahead_s: dict[str, float] = {}
        self._compared_at: dict[str, datetime] = {}

    def adopt(self, plan: Plan) -> None:
        """Judge by this plan from now on. What is known of signals that stay is kept, but for evidence."""
        intervals = {monitor.name: monitor.interval_s for monitor in plan.monitors}
        self._plan, now = plan, self._clock.now()
        self._intervals = intervals
        self._asking.clear()
        self._halves.clear()
        for signal in plan.signals:
            interval_s = max(intervals[name] for name in signal.monitors)
            known = self.readings.get(signal.name, Reading())
            self.readings[signal.name] = replace(known, interval_s=interval_s)
            self.trackers[signal.name] = start_signal(signal, plan, now)
            self._compared_at[signal.name] = now
        self.trails.adopt(plan)

    def forget(self, name: str) -> None:
        """Its counters are others now: nothing that is known of them says anything about these."""
        self.readings.pop(name, None)
        self.trails.forget(name)

    def asking(self, monitor: str) -> None:
        """A poll of this monitor begins; it ends with `take` or `failed`."""
        self._asking.add(monitor)

    def take(self, monitor: str, answers: Answers, asked_at: datetime, took_s: float) -> None:
        """One good poll of a monitor; of single expressions it may still have failed."""
        self._asking.discard(monitor)
        self._see_its_clock(monitor, answers, asked_at)
        for signal in self._plan.signals:
            for side in signal.sides_of(monitor):
                bad, total = wanted = side_expressions(signal, side)
                half = Half(
                    asked_at=asked_at,
                    answered_at=self._clock.now(),
                    took_s=took_s,
                    bad=sample(answers.get(bad)),
                    total=sample(answers.get(total)),
                    failure=query_failure(answers, wanted),
                )
                self._hear(signal, side, half)

    def past_wanted(self, monitor: str) -> PastWanted | None:
        """What to ask this monitor of the past, at its own times, as its last answer told them."""
        return self.trails.wanted(monitor, self._ahead_s.get(monitor, 0.0))

    def failed(self, monitor: str, failure: Failure) -> None:
        self._asking.discard(monitor)
        now = self._clock.now()
        for signal in self._plan.signals:
            for side in signal.sides_of(monitor):
                half = Half(asked_at=now, answered_at=now, took_s=0.0, bad=None, total=None, failure=failure)
                self._hear(signal, side, half)

    def status(self, signal: SignalSpec, now: datetime) -> SignalStatus:
        judged = status(self.trackers[signal.name], signal, now, self.readings[signal.name])
        legacy, new = (self.trails.history(signal.name, side) for side in Side)
        by = tuple(signal.monitor_of(side) for side in Side)
        return replace(judged, legacy_history=legacy, new_history=new, monitors=by)

    def restart_judges(self) -> None:
        """Evidence starts over; what was asked before is not compared with what is asked after."""
        now = self._clock.now()
        self.trackers = {name: restart(tracker, now) for name, tracker in self.trackers.items()}
        self._halves.clear()

    def clock_set_back(self, by_s: float) -> None:
        self.readings = along(self.readings, by_s)
        self.trackers = along(self.trackers, by_s)
        self._halves = along(self._halves, by_s)
        self._compared_at = along(self._compared_at, by_s)
        self.trails.clock_set_back(by_s)

    # --- two sides ------------------------------------------------------------------------------

    def _hear(self, signal: SignalSpec, side: Side, half: Half) -> None:
        self.trails.draw(signal.name, side, half.look)
        other = Side.NEW if side is Side.LEGACY else Side.LEGACY
        self._halves[signal.name, side] = half
        waits_for = signal.monitor_of(other)
        if (signal.name, other) not in self._halves or waits_for in self._asking:
            return
        legacy, new = (self._halves[signal.name, each] for each in Side)
        apart_s, limit_s = _apart_s(legacy, new), min(self._intervals[name] for name in signal.monitors)
        if len(signal.monitors) > 1 and apart_s > limit_s and not (legacy.failure or new.failure):
            older = side if half.asked_at < self._halves[signal.name, other].asked_at else other
            del self._halves[signal.name, older]
            self._not_comparable(signal, apart_s, limit_s, min(legacy.asked_at, new.asked_at))
            return
        del self._halves[signal.name, Side.LEGACY], self._halves[signal.name, Side.NEW]
        self._compare(signal, legacy, new)

    def _compare(self, signal: SignalSpec, legacy: Half, new: Half) -> None:
        reading, now = self.readings[signal.name], ClockPair.of(self._clock)
        newer = max(legacy, new, key=_asked_at)
        asked = ClockPair(wall=newer.asked_at, steady_s=now.steady_s - newer.took_s)
        failure, asked_at = _worst(signal, legacy, new), min(legacy.asked_at, new.asked_at)
        value = None if new.total is None else new.total.value
        if failure is not None or value is None:
            self.readings[signal.name] = self._bad(reading, failure or Failure(title="no value"))
        else:
            self.readings[signal.name] = replace(
                reading,
                value=value,
                observed_at=seen_at(asked, now, reading.interval_s),
                took_s=max(legacy.took_s, new.took_s),
                failure=None,
                failing_since=None,
                attempted_at=asked_at,
            )
            self._compared_at[signal.name] = now.wall
        four = SignalSamples(
            legacy_bad=legacy.bad, legacy_total=legacy.total, new_bad=new.bad, new_total=new.total
        )
        self.trackers[signal.name] = observe(self.trackers[signal.name], four, asked_at)

    def _not_comparable(self, signal: SignalSpec, apart_s: float, limit_s: float, asked_at: datetime) -> None:
        """Said once it lasts: the next answer of the other monitor may already be of the same time."""
        now, reading = self._clock.now(), self.readings[signal.name]
        patience = timedelta(seconds=STALE_AFTER_INTERVALS * reading.interval_s)
        if now - self._compared_at[signal.name] <= patience:
            return
        title = f"the two sides were read up to {length(apart_s)} apart, more than {length(limit_s)}"
        detail = f"{' and '.join(signal.monitors)} did not answer for the same time: nothing is compared"
        self.readings[signal.name] = self._bad(
            reading, Failure(title=title, detail=detail, fault=Fault.NETWORK)
        )
        unusable = Sample(value=None, quality=Quality.ERROR, note=title)
        four = SignalSamples(legacy_bad=unusable, legacy_total=unusable, new_bad=unusable, new_total=unusable)
        self.trackers[signal.name] = observe(self.trackers[signal.name], four, asked_at)

    def _see_its_clock(self, monitor: str, answers: Answers, asked_at: datetime) -> None:
        told = (each.source_time for each in answers.values() if isinstance(each, Sample))
        source_time = next((each for each in told if each is not None), asked_at)
        ahead_s = (source_time - asked_at).total_seconds()
        self._ahead_s[monitor] = ahead_s if abs(ahead_s) > _SKEW_S else 0.0

    def _bad(self, reading: Reading[float], failure: Failure) -> Reading[float]:
        now = self._clock.now()
        return replace(reading, failure=failure, failing_since=reading.failing_since or now, attempted_at=now)


def _worst(signal: SignalSpec, legacy: Half, new: Half) -> Failure | None:
    """What is wrong with the sides; of two monitors, which one it is."""
    for side, half in ((Side.LEGACY, legacy), (Side.NEW, new)):
        if half.failure is not None:
            named = f"{signal.monitor_of(side)}: {half.failure.title}"
            return half.failure if len(signal.monitors) == 1 else replace(half.failure, title=named)
    return None


def _apart_s(one: Half, other: Half) -> float:
    """How far apart the two may have been read, at worst."""
    ways = (one.answered_at - other.asked_at, other.answered_at - one.asked_at)
    return max(way.total_seconds() for way in ways)


def _asked_at(half: Half) -> datetime:
    return half.asked_at
