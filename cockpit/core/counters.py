"""Growing counters of both backends, turned into increments that may be compared.

A monitoring source tells totals since some start; the judge needs what happened between two polls,
on both backends over the same time. This module promises: an event is counted once or not at all,
never twice; nothing is counted that was not seen; no increment is negative.

- A counter that cannot be read (no data, partial, not finite, failed) gives no increment. Its next
  good reading covers the longer interval.
- A counter that falls was reset: what happened in that interval is unknown, so the interval is set
  aside on both sides, and said. So is the interval in which it jumps back over its old height: a
  summed counter falls when one of its series goes missing and jumps when it returns, and that jump
  is history, not news.
- The two sides often advance in different polls (scrapes are not aligned). Increments are held until
  both sides advanced, so that the share of traffic is that of one interval. Errors of a backend are
  compared with traffic from the same readings, so a misaligned edge costs power, not validity.
- A side without traffic for `HOLD_S` lets the other side's increments go alone; one-sided intervals
  count as traffic and carry no evidence.
- More bad events than events (a scrape between two increments) waits for the next interval, by at
  most as many as the interval had events.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta
from typing import Final

from cockpit.core.dataclass import dataclass, replace
from cockpit.core.model import Quality, Sample, Side
from cockpit.core.snapshot import SideRate

HOLD_S: Final = 300.0
WINDOW_S: Final = 60.0
COUNTER_LIMIT: Final = 2.0**53
_RING_LIMIT: Final = 600
_HEIGHTS_LIMIT: Final = 8

_QUALITY_WORDS: Final = {
    Quality.NO_DATA: "no data",
    Quality.NOT_FINITE: "not a number",
    Quality.PARTIAL: "partial data",
    Quality.ERROR: "failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What one side's counters grew by. `bad` may exceed `total` here: counters are scraped one by one."""

    bad: float = 0.0
    total: float = 0.0

    def plus(self, other: Growth) -> Growth:
        return Growth(bad=self.bad + other.bad, total=self.total + other.total)


NOTHING: Final = Growth()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Events of both sides over one and the same interval. May be fractional. bad <= total on each side."""

    bad_legacy: float = 0.0
    total_legacy: float = 0.0
    bad_new: float = 0.0
    total_new: float = 0.0

    def __post_init__(self) -> None:
        if not (
            0 <= self.bad_legacy <= self.total_legacy <= COUNTER_LIMIT
            and 0 <= self.bad_new <= self.total_new <= COUNTER_LIMIT
        ):
            raise ValueError(f"counts lie between 0 and their total: {self}")

    def plus(self, other: Counts) -> Counts:
        return Counts(
            bad_legacy=min(COUNTER_LIMIT, self.bad_legacy + other.bad_legacy),
            total_legacy=min(COUNTER_LIMIT, self.total_legacy + other.total_legacy),
            bad_new=min(COUNTER_LIMIT, self.bad_new + other.bad_new),
            total_new=min(COUNTER_LIMIT, self.total_new + other.total_new),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One side's counters. values is the last good reading (bad, total).

    heights: totals from before each fall that was not made good yet, oldest first.
    began_at/advanced_at/seen: first good reading, the last one that brought events, and events since.
    quality and note are of the last poll; `event` is the last thing worth saying (a reset), at `event_at`.
    """

    side: Side
    values: tuple[float, float] | None = None
    heights: tuple[float, ...] = ()
    began_at: datetime | None = None
    advanced_at: datetime | None = None
    seen: float = 0.0
    quality: Quality = Quality.NO_DATA
    note: str = "not read yet"
    event: str = ""
    event_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterPoll:
    """What one poll of a side gave. growth None: nothing to count now. broken: the interval is unknowable.

    began: this reading is the one from which the next will be counted.
    """

    meter: Meter
    growth: Growth | None = None
    broken: bool = False
    began: bool = False


def read_meter(meter: Meter, bad: Sample | None, total: Sample | None, now: datetime) -> MeterPoll:
    """Take one poll of a side; None for a sample means that its query failed."""
    trouble = _trouble("bad events", bad) or _trouble("events", total)
    if trouble is not None:
        quality, note = trouble
        return MeterPoll(meter=replace(meter, quality=quality, note=f"{meter.side.value} {note}"))
    values = (_value(bad), _value(total))
    good = replace(meter, values=values, began_at=meter.began_at or now, quality=Quality.GOOD, note="")
    if meter.values is None:
        return MeterPoll(meter=good, began=True)
    if values[0] < meter.values[0] or values[1] < meter.values[1]:
        heights = (*meter.heights, meter.values[1])[-_HEIGHTS_LIMIT:]
        return _broken(replace(good, heights=heights), "counter reset", now)
    above = tuple(height for height in meter.heights if height > values[1])
    if above != meter.heights:
        return _broken(replace(good, heights=above), "counter back at its height before a reset", now)
    growth = Growth(bad=values[0] - meter.values[0], total=values[1] - meter.values[1])
    if growth.total:
        good = replace(good, advanced_at=now, seen=min(COUNTER_LIMIT, good.seen + growth.total))
    return MeterPoll(meter=good, growth=growth)


def _broken(meter: Meter, what: str, now: datetime) -> MeterPoll:
    event = f"{meter.side.value} {what}: that interval is set aside"
    return MeterPoll(meter=replace(meter, event=event, event_at=now), broken=True)


def _value(sample: Sample | None) -> float:
    return sample.value if sample is not None and sample.value is not None else 0.0


def _trouble(name: str, sample: Sample | None) -> tuple[Quality, str] | None:
    """Why a sample cannot be used as a counter, None when it can."""
    if sample is None:
        return Quality.ERROR, f"{name}: query failed"
    if sample.quality is not Quality.GOOD or sample.value is None:
        quality = sample.quality if sample.quality is not Quality.GOOD else Quality.NO_DATA
        return quality, f"{name}: {sample.note or _QUALITY_WORDS[quality]}"
    if not 0 <= sample.value <= COUNTER_LIMIT:
        return Quality.NOT_FINITE, f"{name}: {sample.value:g} is not a counter"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollGrowth:
    """One poll in the display window: raw growth of each side, and when it was seen."""

    at: datetime
    legacy: Growth
    new: Growth


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSamples:
    """The four counters of one signal as polled together; None where the query failed."""

    legacy_bad: Sample | None
    legacy_total: Sample | None
    new_bad: Sample | None
    new_total: Sample | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """State of one signal's counters: two meters, what is held back, and the display window.

    held_since: when the held interval began, None while nothing is held.
    good_at: the last poll in which all four counters were good.
    """

    window_s: float = WINDOW_S
    legacy: Meter = field(default_factory=lambda: Meter(side=Side.LEGACY))
    new: Meter = field(default_factory=lambda: Meter(side=Side.NEW))
    held_legacy: Growth = NOTHING
    held_new: Growth = NOTHING
    held_since: datetime | None = None
    good_at: datetime | None = None
    recent: tuple[PollGrowth, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What one poll gave. counts: a finished interval for the judge. grown_new: raw growth for hard limits.

    broken: a reset, the interval was set aside.
    """

    counts: Counts | None = None
    grown_new: Growth | None = None
    broken: bool = False


def observe(counters: Counters, samples: SignalSamples, now: datetime) -> tuple[Counters, Poll]:
    """Take one poll of the four counters."""
    legacy = read_meter(counters.legacy, samples.legacy_bad, samples.legacy_total, now)
    new = read_meter(counters.new, samples.new_bad, samples.new_total, now)
    taken = replace(counters, legacy=legacy.meter, new=new.meter)
    if taken.legacy.quality is Quality.GOOD and taken.new.quality is Quality.GOOD:
        taken = replace(taken, good_at=now)
    if legacy.broken or new.broken:
        return _set_aside(taken), Poll(broken=True)
    taken = _remember(taken, legacy.growth or NOTHING, new.growth or NOTHING, now)
    if legacy.began or new.began:
        return let_go(taken), Poll(grown_new=new.growth)
    taken, counts = _hold_or_release(taken, legacy.growth, new.growth, now)
    return taken, Poll(counts=counts, grown_new=new.growth)


def restart(counters: Counters) -> Counters:
    """Forget every increment and start from the next reading: the share of traffic is about to change."""
    return Counters(window_s=counters.window_s, good_at=counters.good_at)


def let_go(counters: Counters) -> Counters:
    """Drop what is held for the judge, keep the rest: for polls that must not be judged."""
    return replace(counters, held_legacy=NOTHING, held_new=NOTHING, held_since=None)


def _set_aside(counters: Counters) -> Counters:
    """After a reset of one side: drop the interval on both. A side not read now starts over when it is."""
    sides = (counters.legacy, counters.new)
    legacy, new = (side if side.quality is Quality.GOOD else replace(side, values=None) for side in sides)
    return let_go(replace(counters, legacy=legacy, new=new))


def _remember(counters: Counters, legacy: Growth, new: Growth, now: datetime) -> Counters:
    horizon = now - timedelta(seconds=counters.window_s)
    kept = tuple(poll for poll in counters.recent if poll.at > horizon)[-_RING_LIMIT + 1 :]
    if legacy == NOTHING and new == NOTHING:
        return replace(counters, recent=kept)
    return replace(counters, recent=(*kept, PollGrowth(at=now, legacy=legacy, new=new)))


def _hold_or_release(
    counters: Counters, legacy: Growth | None, new: Growth | None, now: datetime
) -> tuple[Counters, Counts | None]:
    held_legacy = counters.held_legacy.plus(legacy or NOTHING)
    held_new = counters.held_new.plus(new or NOTHING)
    if not held_legacy.total and not held_new.total:
        return replace(counters, held_legacy=held_legacy, held_new=held_new), None
    since = counters.held_since or now
    held = replace(counters, held_legacy=held_legacy, held_new=held_new, held_since=since)
    both_advanced = held_legacy.total > 0 and held_new.total > 0
    both_read = legacy is not None and new is not None
    waited = both_read and (now - since).total_seconds() >= HOLD_S
    if not both_advanced and not waited:
        return held, None
    bad_legacy, early_legacy = _split(held_legacy)
    bad_new, early_new = _split(held_new)
    counts = Counts(
        bad_legacy=bad_legacy, total_legacy=held_legacy.total, bad_new=bad_new, total_new=held_new.total
    )
    left = replace(
        held, held_legacy=Growth(bad=early_legacy), held_new=Growth(bad=early_new), held_since=None
    )
    return left, counts


def _split(growth: Growth) -> tuple[float, float]:
    """Bad events that have their event, and those that came before it and wait for the next interval."""
    bad = min(growth.bad, growth.total)
    return bad, min(growth.bad - bad, growth.total)


def rates(counters: Counters, now: datetime) -> tuple[SideRate, SideRate]:
    """Legacy and new over the display window, with the quality of the last poll and why it is not good."""
    horizon = now - timedelta(seconds=counters.window_s)
    polls = tuple(poll for poll in counters.recent if poll.at > horizon)
    legacy = _summed(tuple(poll.legacy for poll in polls))
    new = _summed(tuple(poll.new for poll in polls))
    return _rate(counters, counters.legacy, legacy, now), _rate(counters, counters.new, new, now)


def _summed(growths: tuple[Growth, ...]) -> Growth:
    return Growth(bad=sum(growth.bad for growth in growths), total=sum(growth.total for growth in growths))


def _rate(counters: Counters, meter: Meter, growth: Growth, now: datetime) -> SideRate:
    note = meter.note
    recent_event = meter.event_at is not None and (now - meter.event_at).total_seconds() < counters.window_s
    if not note and recent_event:
        note = meter.event
    elif not note and growth.bad > growth.total:
        note = f"{meter.side.value} counted more bad events than events: clipped"
    elif not note and not growth.total:
        note = f"no traffic on {meter.side.value} in the last {counters.window_s:g} s"
    bad = min(growth.bad, growth.total)
    return SideRate(bad=bad, total=growth.total, quality=meter.quality, note=note)
