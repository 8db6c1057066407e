"""How one side's past is kept: polls become points, and what a monitor remembers goes in front of them.

    trail = start_trail(interval_s)
    trail = take(trail, bad, total, at)       after every poll of that side; None: that query failed
    trail = recalled(past, live, ...)         once: the monitor's own past, then the polls since the start
    drawn(trail)                              for the snapshot

The arithmetic is that of the judge's counters (`read_meter`): a fall is a reset and no dip, an interval in
which a counter was reset counts for nothing. But it is a meter of its own, which no stage restarts and no
judge reads. Growth over a time in which nobody looked is left out, not spread over it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from cockpit.core.counters import WINDOW_S, Growth, Meter, read_meter
from cockpit.core.dataclass import dataclass
from cockpit.core.history import Blank, Point, SideHistory
from cockpit.core.model import Sample, Side

POINTS: Final = 90
SHORTEST_STEP_S: Final = 20
_RANK: Final = {Blank.NOT_ASKED: 0, Blank.NO_ANSWER: 1, Blank.NO_EVENTS: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The two counters of one side at one moment; None where there was no answer."""

    at: datetime
    bad: Sample | None
    total: Sample | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What one interval between two looks brought; growth None: the counter was reset in it."""

    at: datetime
    growth: Growth | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """last: the number of the last point's step, counted from 1970. watched_from: the first one polled.

    step_s: whole seconds, so that steps are the same for every cockpit and every server.
    """

    step_s: int
    meter: Meter
    read_at: datetime | None = None
    recent: tuple[Interval, ...] = ()
    last: int | None = None
    points: tuple[Point, ...] = ()
    watched_from: int | None = None
    note: str = ""

    @property
    def window_s(self) -> float:
        return max(WINDOW_S, self.step_s)


def start_trail(side: Side, interval_s: float) -> Trail:
    """Two polls at least fall into a step, so that a late one leaves no hole."""
    return Trail(step_s=math.ceil(max(SHORTEST_STEP_S, 2 * interval_s)), meter=Meter(side=side))


def take(trail: Trail, look: Look, *, watched: bool = True) -> Trail:
    """One more look, not older than the one before."""
    polled = read_meter(trail.meter, look.bad, look.total, look.at)
    if watched and trail.watched_from is None:
        trail = replace(trail, watched_from=_step(look.at, trail.step_s))
    if polled.growth is None and not polled.broken and not polled.began:
        return _placed(replace(trail, meter=polled.meter), look.at, Blank.NO_ANSWER)
    horizon = look.at - timedelta(seconds=trail.window_s)
    recent = tuple(each for each in trail.recent if each.at > horizon)
    if trail.read_at is not None and look.at - trail.read_at <= timedelta(
        seconds=trail.window_s + trail.step_s
    ):
        recent = (*recent, Interval(at=look.at, growth=polled.growth))
    taken = replace(trail, meter=polled.meter, read_at=look.at, recent=recent)
    return _placed(taken, look.at, _rate(recent))


def _rate(recent: Sequence[Interval]) -> Point:
    grown = [each.growth for each in recent if each.growth is not None]
    total = sum(growth.total for growth in grown)
    if total > 0:
        bad = min(total, sum(growth.bad for growth in grown))
        return float(f"{100 * bad / total:.3g}")
    if not recent:
        return Blank.NOT_ASKED
    return Blank.NO_EVENTS if len(grown) == len(recent) else Blank.NO_ANSWER


def _step(at: datetime, step_s: int) -> int:
    """The step that a moment lies in; its end still belongs to it."""
    return math.ceil(at.timestamp() / step_s) - 1


def _placed(trail: Trail, at: datetime, point: Point) -> Trail:
    """The newest good answer in a step stands for it, whatever else came."""
    step = _step(at, trail.step_s)
    if trail.last is None or step > trail.last:
        missed = 0 if trail.last is None else min(POINTS, step - trail.last - 1)
        points = (*trail.points, *((Blank.NOT_ASKED,) * missed), point)[-POINTS:]
        return replace(trail, last=step, points=points)
    if step < trail.last or _rank(point) < _rank(trail.points[-1]):
        return trail
    return replace(trail, points=(*trail.points[:-1], point))


def _rank(point: Point) -> int:
    return _RANK[point] if isinstance(point, Blank) else len(_RANK)


def recalled(trail: Trail, past: Sequence[Look], live: Sequence[Look]) -> Trail:
    """The same trail with the monitor's past in front: `live` is every look that the trail has taken."""
    began_at = live[0].at if live else None
    fresh = Trail(step_s=trail.step_s, meter=Meter(side=trail.meter.side))
    for look in past:
        if began_at is None or look.at < began_at:
            fresh = take(fresh, look, watched=False)
    for look in live:
        fresh = take(fresh, look)
    return fresh


def set_back(trail: Trail, by_s: float) -> Trail:
    """The wall clock was moved by `by_s`: the past is as long ago as before."""
    steps, by = round(by_s / trail.step_s), timedelta(seconds=by_s)
    return replace(
        trail,
        read_at=None if trail.read_at is None else trail.read_at + by,
        recent=tuple(replace(each, at=each.at + by) for each in trail.recent),
        last=None if trail.last is None else trail.last + steps,
        watched_from=None if trail.watched_from is None else trail.watched_from + steps,
    )


def drawn(trail: Trail) -> SideHistory | None:
    """For the snapshot, from the first thing that is known; None before the first look."""
    if trail.last is None:
        return None
    known = next((n for n, each in enumerate(trail.points) if each is not Blank.NOT_ASKED), POINTS)
    return SideHistory(
        last_at=datetime.fromtimestamp((trail.last + 1) * trail.step_s, tz=UTC),
        step_s=trail.step_s,
        window_s=trail.window_s,
        points=trail.points[known:],
        watched=0 if trail.watched_from is None else trail.last - trail.watched_from + 1,
        note=trail.note,
    )
