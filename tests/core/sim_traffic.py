"""A simulated crowd for the judge: polls with binomial errors, and when the evidence first crossed a line.

Every draw is one uniform number looked up in a precomputed distribution, so that thousands of hours
pass in seconds.
"""

from __future__ import annotations

import math
import random
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from statistics import median

from cockpit.core.counters import Counts
from cockpit.core.judge import JudgeState, Rules, start, update

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
POLL_S = 15
POLLS_PER_MIN = 60 / POLL_S
NEVER = math.inf
RULES = Rules(margin=2.0, regressed_at=100.0, warning_at=20.0, not_worse_at=20.0, min_total=50.0)


@lru_cache(maxsize=4096)
def binomial(events: int, rate: float) -> tuple[float, ...]:
    """The cumulative distribution of bad events among `events`."""
    if rate >= 1:
        return (0.0,) * events
    total, cumulative = 0.0, []
    for bad in range(events + 1):
        log_ways = math.lgamma(events + 1) - math.lgamma(bad + 1) - math.lgamma(events - bad + 1)
        log_rate = bad * math.log(rate) if rate else (0.0 if not bad else -math.inf)
        total += math.exp(log_ways + log_rate + (events - bad) * math.log1p(-rate))
        cumulative.append(total)
        if total > 1 - 1e-12:
            break
    return tuple(cumulative[:-1])


def bad_events(rng: random.Random, events: int, rate: float) -> int:
    return bisect(binomial(events, rate), rng.random())


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Traffic per poll and how bad each side is. share and base may depend on the poll's number."""

    events: int = 20 * POLL_S
    share: Callable[[int], float] = lambda poll: 0.1
    base: Callable[[int], float] = lambda poll: 0.01
    ratio: Callable[[int], float] = lambda poll: 1.0

    def counts(self, poll: int, rng: random.Random) -> Counts:
        new = round(self.events * self.share(poll))
        base = self.base(poll)
        return Counts(
            bad_legacy=bad_events(rng, self.events - new, base),
            total_legacy=self.events - new,
            bad_new=bad_events(rng, new, base * self.ratio(poll)),
            total_new=new,
        )


def steady(rps: int = 20, share: float = 0.1, ratio: float = 1.0, base: float = 0.01) -> World:
    return World(
        events=rps * POLL_S, share=lambda poll: share, base=lambda poll: base, ratio=lambda poll: ratio
    )


Line = Callable[[JudgeState], float]


def regressed(state: JudgeState) -> float:
    return state.log_e_regressed


def not_worse(state: JudgeState) -> float:
    return state.log_e_not_worse


def crossings(
    world: World, line: Line, thresholds: tuple[float, ...], *, polls: int, rng: random.Random, rules: Rules
) -> list[float]:
    """Minutes until the evidence first reached each threshold (ascending), NEVER if it did not."""
    state, found = start(rules, START), [NEVER] * len(thresholds)
    for poll in range(polls):
        now = START + timedelta(seconds=POLL_S * (poll + 1))
        state = update(state, world.counts(poll, rng), now)
        log_e = line(state)
        for index, threshold in enumerate(thresholds):
            if found[index] == NEVER and log_e >= math.log(threshold):
                found[index] = (poll + 1) / POLLS_PER_MIN
        if found[-1] != NEVER:
            break
    return found


def many(
    world: World,
    line: Line,
    thresholds: tuple[float, ...] = (20.0, 100.0),
    *,
    runs: int,
    minutes: float = 60,
    seed: int = 1,
    rules: Rules = RULES,
) -> list[list[float]]:
    """The crossing times of many independent flights, one list per threshold."""
    rng = random.Random(seed)
    polls = round(minutes * POLLS_PER_MIN)
    flights = [crossings(world, line, thresholds, polls=polls, rng=rng, rules=rules) for _ in range(runs)]
    return [[flight[index] for flight in flights] for index in range(len(thresholds))]


def alarms(times: list[float]) -> int:
    return sum(time != NEVER for time in times)


def most_allowed(runs: int, alpha: float) -> int:
    """How many of `runs` may cross if each crosses with probability alpha: the 99.9 % point."""
    return bisect(binomial(runs, alpha), 0.999)


def middle(times: list[float]) -> float:
    return median(times)
