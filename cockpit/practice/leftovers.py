"""What is left when traffic moves: a side's open streams, queued jobs, undelivered webhooks; old pages. Pure.

They begin as often as the side has traffic, and each ends by itself after a while, whoever is left.
So a side that gets no more requests empties fast at first, and its last few take their time. Pages that
clients have open become old ones when their flag changes, and go when they are reloaded.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Final

from cockpit.core.dataclass import dataclass
from cockpit.core.model import Side
from cockpit.practice.traffic import STEP_S, Dice, Series, series

STREAMS: Final = "cutover_open_streams"
JOBS: Final = "cutover_queued_jobs"
WEBHOOKS: Final = "cutover_undelivered_webhooks"
OLD_PAGES: Final = "cutover_old_bundle_clients"

GAUGES: Final = {
    STREAMS: "Live connections by backend.",
    JOBS: "Jobs that wait or run by backend.",
    WEBHOOKS: "Webhooks that are not delivered yet by backend.",
    OLD_PAGES: "Clients that run another bundle than the one that is served now by flag.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """held: how many there are on average while a side has all the traffic of one flag. mean_s: how long one
    lasts on average.
    """

    held: float
    mean_s: float


LIVES: Final[Mapping[str, Life]] = {
    STREAMS: Life(held=32, mean_s=4.0),
    JOBS: Life(held=12, mean_s=3.0),
    WEBHOOKS: Life(held=12, mean_s=10.0),
}


CLIENTS: Final = 80
RELOAD_MEAN_S: Final = 12.0


def nothing_left(flags: Collection[str]) -> dict[Series, int]:
    """Every gauge from the start, at zero."""
    pages = {series(OLD_PAGES, flag=flag): 0 for flag in flags}
    return pages | {series(name, backend=side): 0 for name in LIVES for side in Side}


def settled(flags: Mapping[Side, float]) -> dict[Series, int]:
    """Every gauge as if the sides had been having the traffic of so many flags for long."""
    return {
        series(name, backend=side): round(life.held * amount)
        for name, life in LIVES.items()
        for side, amount in flags.items()
    }


def pass_step(counters: dict[Series, int], dice: Dice, *, side: Side, flags: float) -> None:
    """One step of a side that has the traffic of so many flags (half a flag's is 0.5)."""
    for name, life in LIVES.items():
        gauge = series(name, backend=side)
        ended = dice.binomial(counters[gauge], 1 - math.exp(-STEP_S / life.mean_s))
        counters[gauge] += dice.poisson(flags * life.held * STEP_S / life.mean_s) - ended


def reload_pages(counters: dict[Series, int], dice: Dice, *, flag: str, changed: float) -> None:
    """One step of a flag's clients. changed: by which share (0 to 1) its configuration moved in it."""
    gauge = series(OLD_PAGES, flag=flag)
    reloaded = dice.binomial(counters[gauge], 1 - math.exp(-STEP_S / RELOAD_MEAN_S))
    counters[gauge] = min(CLIENTS, counters[gauge] - reloaded + round(CLIENTS * abs(changed)))
