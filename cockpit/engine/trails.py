"""The past of every side of every signal, as it is drawn: what was polled, and before it what was told.

A monitor is asked for the past once, after its first good poll, so that nothing live waits for it. The looks
taken until the answer comes are kept, for the past goes in front of them. A monitor that keeps none, or does
not answer, is not asked again: the reason stands with the history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from cockpit.adapters.base import AdapterError
from cockpit.core.clean import clean_text
from cockpit.core.clock import Clock
from cockpit.core.clocks import along
from cockpit.core.dataclass import dataclass
from cockpit.core.history import SideHistory
from cockpit.core.model import Sample, Side
from cockpit.core.spec import Plan, SignalSpec
from cockpit.core.trail import POINTS, Look, Trail, drawn, recalled, set_back, start_trail, take
from cockpit.engine.questions import side_expressions

_LOOKS_KEPT: Final = 200

Key = tuple[str, Side]
Told = Mapping[str, Sequence[Sample] | AdapterError]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastWanted:
    """What to ask a monitor, from start to end by its own clock, which is `ahead_s` ahead of ours."""

    expressions: tuple[str, ...]
    start: datetime
    end: datetime
    step_s: int
    ahead_s: float


class Trails:
    """Used from the engine's thread only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._trails: dict[Key, Trail] = {}
        self._untold: dict[Key, tuple[Look, ...]] = {}

    def adopt(self, plan: Plan) -> None:
        self._plan = plan
        intervals = {monitor.name: monitor.interval_s for monitor in plan.monitors}
        for signal in plan.signals:
            for side in Side:
                key, fresh = (signal.name, side), start_trail(side, intervals[signal.monitor_of(side)])
                known = self._trails.get(key)
                if known is None or known.step_s != fresh.step_s:
                    self._trails[key], self._untold[key] = fresh, ()

    def forget(self, signal: str) -> None:
        for side in Side:
            self._trails.pop((signal, side), None)
            self._untold.pop((signal, side), None)

    def draw(self, signal: str, side: Side, look: Look) -> None:
        key = (signal, side)
        self._trails[key] = take(self._trails[key], look)
        if key in self._untold:
            self._untold[key] = (*self._untold[key], look)[-_LOOKS_KEPT:]

    def history(self, signal: str, side: Side) -> SideHistory | None:
        return drawn(self._trails[signal, side])

    def clock_set_back(self, by_s: float) -> None:
        self._trails = {key: set_back(trail, by_s) for key, trail in self._trails.items()}
        self._untold = along(self._untold, by_s)

    def wanted(self, monitor: str, ahead_s: float) -> PastWanted | None:
        """What to ask this monitor of the past; None when it was asked already, or nothing is asked of it."""
        sides = list(self._sides(monitor))
        if not sides:
            return None
        first, side = sides[0]
        step_s = self._trails[first.name, side].step_s
        end_s = self._clock.now().timestamp() // step_s * step_s
        end = datetime.fromtimestamp(end_s, tz=UTC) + timedelta(seconds=ahead_s)
        span_s = POINTS * step_s + self._trails[first.name, side].window_s
        expressions = (each for signal, side in sides for each in side_expressions(signal, side))
        return PastWanted(
            expressions=tuple(dict.fromkeys(expressions)),
            start=end - timedelta(seconds=span_s),
            end=end,
            step_s=step_s,
            ahead_s=ahead_s,
        )

    async def remember(self, monitor: str, wanted: PastWanted, told: Told) -> None:
        """Put what the monitor told in front of what was seen since. It is drawn; nobody judges by it.

        The loop gets a turn between two sides: each takes some milliseconds.
        """
        for signal, side in self._sides(monitor):
            await asyncio.sleep(0)
            key, (bad, total) = (signal.name, side), side_expressions(signal, side)
            past, why = _looks(told.get(bad, ()), told.get(total, ()), wanted)
            live = self._untold.pop(key, None)
            if live is None:
                continue
            if why:
                self._trails[key] = replace(self._trails[key], note=clean_text(f"{monitor}: {why}"))
            else:
                self._trails[key] = recalled(self._trails[key], past, live)

    def no_past(self, monitor: str, why: str) -> None:
        for signal, side in self._sides(monitor):
            key = (signal.name, side)
            self._trails[key] = replace(self._trails[key], note=clean_text(f"{monitor}: {why}"))
            del self._untold[key]

    def _sides(self, monitor: str) -> Iterator[tuple[SignalSpec, Side]]:
        """The sides that this monitor has not yet been asked the past of."""
        yield from [
            (signal, side)
            for signal in self._plan.signals
            for side in signal.sides_of(monitor)
            if (signal.name, side) in self._untold
        ]


def in_words(error: AdapterError) -> str:
    return f"{error.failure.title}: {error.failure.detail}".rstrip(": ")


def _looks(
    bad: Sequence[Sample] | AdapterError, total: Sequence[Sample] | AdapterError, wanted: PastWanted
) -> tuple[tuple[Look, ...], str]:
    """The moments of which both counters are told, by our clock; or why there are none."""
    if isinstance(bad, AdapterError):
        return (), in_words(bad)
    if isinstance(total, AdapterError):
        return (), in_words(total)
    ahead = timedelta(seconds=wanted.ahead_s)
    bads = {each.source_time: each for each in bad}
    looks = tuple(
        Look(at=each.source_time - ahead, bad=bads[each.source_time], total=each)
        for each in total
        if each.source_time is not None and each.source_time in bads
    )
    return looks, "" if looks else "it has no values of that time"
