"""What a side still holds when its traffic moves away: open streams, queued jobs, undelivered webhooks. Pure.

Each begins with some of the requests that the side serves and ends by itself after a while, whoever is left.
So a side that gets no more requests empties fast at first, and its last few take their time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cockpit.core.model import Side
from cockpit.practice.traffic import STEP_S, Dice, Series, series

STREAMS: Final = "cutover_open_streams"
JOBS: Final = "cutover_queued_jobs"
WEBHOOKS: Final = "cutover_undelivered_webhooks"

GAUGES: Final = {
    STREAMS: "Live connections by backend.",
    JOBS: "Jobs that wait or run by backend.",
    WEBHOOKS: "Webhooks that are not delivered yet by backend.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """per_request: how many begin with a request, on average. mean_s: how long one lasts, on average."""

    per_request: float
    mean_s: float

    def held(self, requests_per_s: float) -> int:
        """How many there are once a side has been serving so many requests for long."""
        return round(requests_per_s * self.per_request * self.mean_s)


LIVES: Final[Mapping[str, Life]] = {
    STREAMS: Life(per_request=0.2, mean_s=4.0),
    JOBS: Life(per_request=0.1, mean_s=3.0),
    WEBHOOKS: Life(per_request=0.03, mean_s=10.0),
}


def nothing_left() -> dict[Series, int]:
    """Every gauge from the start, at zero."""
    return {series(name, backend=side): 0 for name in LIVES for side in Side}


def settled(requests_per_s: Mapping[Side, float]) -> dict[Series, int]:
    """Every gauge as if the sides had been serving this for long."""
    return {
        series(name, backend=side): life.held(rate)
        for name, life in LIVES.items()
        for side, rate in requests_per_s.items()
    }


def pass_step(counters: dict[Series, int], dice: Dice, *, side: Side, requests: float) -> None:
    """One step of a side in which so many requests are expected."""
    for name, life in LIVES.items():
        gauge = series(name, backend=side)
        ended = dice.binomial(counters[gauge], 1 - math.exp(-STEP_S / life.mean_s))
        counters[gauge] += dice.poisson(requests * life.per_request) - ended
