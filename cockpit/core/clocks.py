"""Two clocks held against each other: the wall clock, which may jump, and the steady one, which never does.

An NTP step, a set clock or a suspended laptop moves one and not the other. The countdown is made of
wall-clock instants, so such a jump would shorten or stretch it silently; it is told instead.

What a process keeps of the past is taken along when the clock is set back (`along`): its age stays what it
is. It is not taken along when the clock leaps ahead, for that is also what a host that slept looks like,
and then what is kept is as old as it looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from cockpit.core.clock import Clock
from cockpit.core.dataclass import dataclass, replace
from cockpit.core.model import STALE_AFTER_INTERVALS, Reading

T = TypeVar("T")

JUMP_S: Final = 1.0
BUSY_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPair:
    """Both clocks, read at one moment."""

    wall: datetime
    steady_s: float

    @classmethod
    def of(cls, clock: Clock) -> ClockPair:
        return cls(wall=clock.now(), steady_s=clock.monotonic())


def jump(before: ClockPair, now: ClockPair) -> float | None:
    """Seconds by which the wall clock moved more than the steady one; None for less than JUMP_S."""
    passed_s = (now.wall - before.wall).total_seconds()
    by_s = passed_s - (now.steady_s - before.steady_s)
    return by_s if abs(by_s) > JUMP_S else None


def longest(before: ClockPair, now: ClockPair) -> float:
    """Seconds that may have passed, by whichever clock says more: a suspended host stops the steady one."""
    return max(now.steady_s - before.steady_s, (now.wall - before.wall).total_seconds())


def seen_at(asked: ClockPair, now: ClockPair, interval_s: float) -> datetime:
    """Since when an answer that is taken in now counts as seen, of a source that is asked so often. Nobody
    waits much longer than that for one: who did was stopped, or slept, and had it before, nobody knows when.
    It is as old as its question then. A busy machine alone makes nothing old."""
    patience_s = max(STALE_AFTER_INTERVALS * interval_s, BUSY_S)
    return now.wall if longest(asked, now) <= patience_s else asked.wall


def along(kept: T, by_s: float) -> T:
    """The same value with every instant in it moved by `by_s`; what a source said (`Reading.value`) stays."""
    moved: T = _along(kept, timedelta(seconds=by_s))
    return moved


def _along(kept: Any, by: timedelta) -> Any:
    if isinstance(kept, datetime):
        return kept + by
    if isinstance(kept, tuple):
        return tuple(_along(each, by) for each in kept)
    if isinstance(kept, Mapping):
        return {key: _along(each, by) for key, each in kept.items()}
    if not is_dataclass(kept) or isinstance(kept, type):
        return kept
    said = ("value",) if isinstance(kept, Reading) else ()
    names = [field.name for field in fields(kept) if field.init and field.name not in said]
    return replace(kept, **{name: _along(getattr(kept, name), by) for name in names})
