"""The crowd and its requests: who is served by which side, and what they get. Pure and seeded.

Every draw belongs to one flag and one step of the simulation, so that the result does not depend on
how often or in what pieces the simulation is advanced.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping
from typing import Final

from cockpit.core.dataclass import dataclass
from cockpit.core.model import Side

STEP_S: Final = 0.5
SLOW_MS: Final = 200.0
WRITE_PART: Final = 0.2
SYNC_ERROR_RATE: Final = 0.002
OUTCOMES: Final = ("ok", "error")

REQUESTS: Final = "cutover_requests_total"
SLOW: Final = "cutover_slow_total"
SYNC: Final = "cutover_sync_total"
WRITES: Final = "cutover_writes_total"

HELP: Final[Mapping[str, str]] = {
    REQUESTS: "Requests by flag, serving backend and outcome.",
    SLOW: "Requests slower than 200 ms by flag and serving backend.",
    SYNC: "Writes carried over to the other backend, by backend that took the write and outcome.",
    WRITES: "Accepted writes by backend.",
}

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A counter's identity: its name and its labels, sorted by label name."""


def series(name: str, **labels: str) -> Series:
    return name, tuple(sorted(labels.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How one side behaves in one moment: probability of an error, and a lognormal latency."""

    error_rate: float = 0.006
    median_ms: float = 60.0
    sigma: float = 0.5

    @property
    def slow_rate(self) -> float:
        """Probability that a request takes longer than the slow threshold."""
        if self.median_ms <= 0:
            return 0.0
        z = (math.log(SLOW_MS) - math.log(self.median_ms)) / self.sigma
        return 0.5 * math.erfc(z / math.sqrt(2))


PROFILES: Final[Mapping[Side, Profile]] = {
    Side.LEGACY: Profile(median_ms=60.0),
    Side.NEW: Profile(median_ms=52.0),
}


class Dice:
    """Random draws for one step: the same seed, name and step give the same draws."""

    def __init__(self, seed: int, name: str, step: int) -> None:
        self._random = random.Random(f"{seed}/{name}/{step}")

    def poisson(self, mean: float) -> int:
        """A Poisson draw; exact, by adding up pieces that multiply uniforms."""
        total = 0
        while mean > 16:
            total += self._small_poisson(16.0)
            mean -= 16.0
        return total + self._small_poisson(mean)

    def _small_poisson(self, mean: float) -> int:
        if mean <= 0:
            return 0
        limit, product, count = math.exp(-mean), self._random.random(), 0
        while product > limit:
            product *= self._random.random()
            count += 1
        return count

    def binomial(self, trials: int, probability: float) -> int:
        return sum(self._random.random() < probability for _ in range(trials))


class Crowd:
    """The SDK clients of one flag: a ring of cohorts that re-read the flag one after the other.

    A change is seen gradually and by everybody after exactly one full turn of the ring.
    """

    COHORTS: Final = 200

    def __init__(self, share: float) -> None:
        self._cohorts = [share] * self.COHORTS
        self._total = share * self.COHORTS
        self._next = 0
        self._due = 0.0

    @property
    def share(self) -> float:
        """The share of the crowd on the new side, 0 to 1."""
        return min(1.0, max(0.0, self._total / self.COHORTS))

    def refresh(self, configured: float, part: float) -> None:
        """Let `part` (0 to 1, more is everybody) of the crowd re-read the flag."""
        self._due += part * self.COHORTS
        turns = min(int(self._due), self.COHORTS)
        self._due = min(self._due - int(self._due), 1.0)
        for _ in range(turns):
            self._cohorts[self._next] = configured
            self._next = (self._next + 1) % self.COHORTS
        if turns:
            self._total = math.fsum(self._cohorts)


def initial_counters(flags: Collection[str]) -> dict[Series, int]:
    """Every series from the start, at zero, as a well-instrumented service exposes them."""
    counters: dict[Series, int] = {}
    for side in Side:
        for flag in flags:
            counters |= {series(REQUESTS, flag=flag, backend=side, outcome=o): 0 for o in OUTCOMES}
            counters[series(SLOW, flag=flag, backend=side)] = 0
        counters |= {series(SYNC, backend=side, outcome=o): 0 for o in OUTCOMES}
        counters[series(WRITES, backend=side)] = 0
    return counters


def serve(
    counters: dict[Series, int], dice: Dice, *, flag: str, side: Side, profile: Profile, mean: float
) -> None:
    """Add one step's requests of one flag to one side; `mean` requests are expected.

    Splitting one Poisson stream by independent properties gives independent Poisson streams, so each
    combination of outcome, pace and kind is drawn by itself.
    """
    slow_rate = profile.slow_rate
    slow = writes = 0
    for outcome, outcome_rate in (("ok", 1 - profile.error_rate), ("error", profile.error_rate)):
        total = 0
        for is_slow, pace_rate in ((False, 1 - slow_rate), (True, slow_rate)):
            for is_write, kind_rate in ((False, 1 - WRITE_PART), (True, WRITE_PART)):
                count = dice.poisson(mean * outcome_rate * pace_rate * kind_rate)
                total += count
                slow += count if is_slow else 0
                writes += count if is_write and outcome == "ok" else 0
        counters[series(REQUESTS, flag=flag, backend=side, outcome=outcome)] += total
    unsynced = dice.binomial(writes, min(1.0, SYNC_ERROR_RATE + profile.error_rate / 10))
    counters[series(SLOW, flag=flag, backend=side)] += slow
    counters[series(WRITES, backend=side)] += writes
    counters[series(SYNC, backend=side, outcome="ok")] += writes - unsynced
    counters[series(SYNC, backend=side, outcome="error")] += unsynced
