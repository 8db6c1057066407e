"""The judge: is the new backend worse than legacy? Valid at every poll, exact with a handful of errors.

**Where do errors come from?** Every signal counts bad events out of a total, per side. In an interval
with share rho = n1 / (n1 + n0) of the traffic on the new side, and with r = (bad rate of new) / (bad rate
of legacy), each bad event belongs to new with probability theta(r) = rho r / (rho r + 1 - rho). An outage
that hits both sides changes how many bad events there are and not where they come from: it cancels.
For a candidate ratio c the likelihood ratio against a boundary ratio b is, per bad event,
    on new:    theta(c) / theta(b)            on legacy:  (1 - theta(c)) / (1 - theta(b)).

**REGRESSED** (H0: r <= 1). b = 1, c = 1.25 .. 20. The mean of the factor under a true r is linear in
theta(r), equals 1 at r = b, and rises with r since c > b: it is <= 1 for every r <= 1.
**NOT_WORSE** (H0: r >= m). b = m, every c < m. Same line, but now it falls with r since c < b: it
is <= 1 for every r >= m, not only at the boundary. (`rare`, only if the plan names a negligible rate p:
the same for "an event on new is bad with probability >= p", with factors q and (1 - pq) / (1 - p), q < 1.)
So each product of factors is a non-negative supermartingale under its whole H0, mixtures with fixed
weights are too, and by Ville the chance that the evidence E ever reaches 1 / alpha is at most alpha,
however often one looks and however the share changes between intervals.

**Late trouble.** A product that has run through a quiet day lies so deep that it would need hours to
climb back. So only `_AT_ONCE` of the weight starts with the epoch; the rest starts later, bit by bit
(each bit is 1 until it starts, so the sum still starts at 1 and stays a supermartingale). Bits that
share a candidate share every later factor and are kept as one number. The guarantee is for one epoch
(start or `restart` to the next); an epoch is one stage of a rollout. Ville's bound is on *ever* reaching
the threshold, so a verdict may outlast it: REGRESSED latches, NOT_WORSE stands until half of its log
evidence is gone.

Inside an interval the split of errors is hypergeometric, whose tails lie inside the binomial's: many
errors make the test conservative, never wrong. Retries and cohorts that are no random sample do bias it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from functools import lru_cache
from typing import Final

from cockpit.core.counters import Counts
from cockpit.core.dataclass import dataclass, replace
from cockpit.core.spec import JudgeSpec, SignalSpec

_LOWEST: Final = 1.25
_HIGHEST: Final = 20.0
_GRID: Final = 13
_AT_ONCE: Final = 0.8
_SPENT_HALF_AT: Final = 500.0
_EQUAL_WEIGHT: Final = 0.5
_RARE_FRACTIONS: Final = (0.02, 0.1, 0.25, 0.5)
_STANDS_ABOVE: Final = 0.5
_PACE_S: Final = 300.0
_E_CAP: Final = 1e300

_STEPS: Final = tuple(
    math.exp(math.log(_LOWEST) + math.log(_HIGHEST / _LOWEST) * i / (_GRID - 1)) for i in range(_GRID)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Ratios that are tried against a boundary ratio, with weights that sum to 1."""

    boundary: float
    ratios: tuple[float, ...]
    weights: tuple[float, ...]

    def gains(self, counts: Counts) -> tuple[float, ...]:
        """Log likelihood ratio of each candidate against the boundary for one interval's bad events."""
        bad = counts.bad_new + counts.bad_legacy
        traffic = counts.total_new + counts.total_legacy
        if not bad or not counts.total_new or not counts.total_legacy:
            return (0.0,) * len(self.ratios)
        share = counts.total_new / traffic
        at_boundary = math.log1p(share * (self.boundary - 1))
        return tuple(
            counts.bad_new * math.log(ratio / self.boundary)
            + bad * (at_boundary - math.log1p(share * (ratio - 1)))
            for ratio in self.ratios
        )


WORSE: Final = Candidates(boundary=1.0, ratios=_STEPS, weights=(1 / _GRID,) * _GRID)


@lru_cache(maxsize=64)
def candidates_below(margin: float) -> Candidates:
    """The mirror's candidates: the grid turned round at the margin; half the weight on "no difference"."""
    below = tuple(margin / step for step in _STEPS)
    if margin <= 1:
        return Candidates(boundary=margin, ratios=below, weights=(1 / _GRID,) * _GRID)
    rest = ((1 - _EQUAL_WEIGHT) / _GRID,) * _GRID
    return Candidates(boundary=margin, ratios=(1.0, *below), weights=(_EQUAL_WEIGHT, *rest))


def rare_gains(counts: Counts, rate: float) -> tuple[float, ...]:
    """Log likelihood ratios of "new is bad at a fraction of `rate`" against "at `rate`"."""
    fine = counts.total_new - counts.bad_new
    return tuple(
        counts.bad_new * math.log(part) + fine * (math.log1p(-rate * part) - math.log1p(-rate))
        for part in _RARE_FRACTIONS
    )


RARE_WEIGHTS: Final = (1 / len(_RARE_FRACTIONS),) * len(_RARE_FRACTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One e-process. masses: log of (weight started so far x likelihood ratio) per candidate.

    clock: what was seen so far, in (expected) bad events; it paces the weight that starts late.
    """

    masses: tuple[float, ...]
    clock: float = 0.0

    @property
    def waiting(self) -> float:
        """Weight that has not started yet."""
        return (1 - _AT_ONCE) / (1 + self.clock / _SPENT_HALF_AT)

    @property
    def log_e(self) -> float:
        return log_sum((*self.masses, math.log(self.waiting)))


def begin(weights: Sequence[float]) -> Process:
    return Process(masses=tuple(math.log(_AT_ONCE * weight) for weight in weights))


def advance(process: Process, gains: Sequence[float], weights: Sequence[float], ticks: float) -> Process:
    """Multiply every started bit by its likelihood ratio, then start the next bit of the waiting weight."""
    if not ticks:
        return process
    moved = replace(process, clock=process.clock + ticks)
    started = process.waiting - moved.waiting
    grown = [mass + gain for mass, gain in zip(process.masses, gains, strict=True)]
    if started > 0:
        grown = [
            log_sum((mass, math.log(started * weight))) for mass, weight in zip(grown, weights, strict=True)
        ]
    return replace(moved, masses=tuple(grown))


def log_sum(logs: Sequence[float]) -> float:
    """log of the sum of exponentials, without overflow."""
    top = max(logs)
    return top + math.log(sum(math.exp(each - top) for each in logs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Thresholds of one signal. All are values of E, that is 1/alpha.

    min_total: events each side needs before NOT_WORSE; REGRESSED needs none, its count is in the evidence.
    negligible: bad fraction on new under which the ratio no longer matters; None: only the ratio counts.
    """

    margin: float
    regressed_at: float
    warning_at: float
    not_worse_at: float
    min_total: float
    negligible: float | None = None

    def __post_init__(self) -> None:
        if min(self.regressed_at, self.warning_at, self.not_worse_at) <= 1 or not self.margin > 0:
            raise ValueError("alphas lie between 0 and 1, margins above 0")
        if self.negligible is not None and not 0 < self.negligible < 1:
            raise ValueError("a negligible rate lies between 0% and 100%")


def rules(signal: SignalSpec, judge: JudgeSpec, rollback_signals: int) -> Rules:
    """REGRESSED shares alpha with the other rollback signals: any of them may cry wolf.

    NOT_WORSE does not divide: an advance needs *every* required signal, so the risk that a worse one
    slips through is at most that one's own warn_alpha.
    """
    negligible = signal.negligible_pct
    return Rules(
        margin=signal.margin,
        regressed_at=max(1, rollback_signals) / judge.alpha,
        warning_at=1 / judge.warn_alpha,
        not_worse_at=1 / judge.warn_alpha,
        min_total=judge.min_total,
        negligible=negligible / 100 if negligible is not None else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Recent events, fading with a time constant of five minutes; `seconds` fades alike, so that
    `counts / seconds` are present rates per second."""

    counts: Counts = field(default_factory=Counts)
    seconds: float = 0.0

    def taken(self, counts: Counts, seconds: float) -> Pace:
        keep = math.exp(-seconds / _PACE_S)
        faded = Counts(
            bad_legacy=self.counts.bad_legacy * keep,
            total_legacy=self.counts.total_legacy * keep,
            bad_new=self.counts.bad_new * keep,
            total_new=self.counts.total_new * keep,
        )
        return Pace(counts=faded.plus(counts), seconds=self.seconds * keep + seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """The moment E first reached the REGRESSED threshold, with the rates of that moment."""

    at: datetime
    log_e: float
    pace: Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeState:
    """What the judge knows of one signal in the present epoch. Built by `start`, changed by `update`.

    undecided_since: when the present lack of a verdict began.
    """

    rules: Rules
    started_at: datetime
    taken_at: datetime
    worse: Process
    fine: Process
    rare: Process | None = None
    totals: Counts = field(default_factory=Counts)
    pace: Pace = field(default_factory=Pace)
    regressed: Crossing | None = None
    not_worse_since: datetime | None = None
    undecided_since: datetime

    @property
    def log_e_regressed(self) -> float:
        return self.worse.log_e

    @property
    def log_e_not_worse(self) -> float:
        """Evidence against "at least m times as bad (and not negligible)"; two ways share the stake."""
        if self.rare is None:
            return self.fine.log_e
        return log_sum((self.fine.log_e, self.rare.log_e)) - math.log(2)

    @property
    def enough_traffic(self) -> bool:
        least = min(self.totals.total_legacy, self.totals.total_new)
        return least > 0 and least >= self.rules.min_total


def start(how: Rules, now: datetime) -> JudgeState:
    """A new epoch with E = 1."""
    below = candidates_below(how.margin)
    return JudgeState(
        rules=how,
        started_at=now,
        taken_at=now,
        worse=begin(WORSE.weights),
        fine=begin(below.weights),
        rare=begin(RARE_WEIGHTS) if how.negligible is not None else None,
        undecided_since=now,
    )


def update(state: JudgeState, counts: Counts, now: datetime) -> JudgeState:
    """Take the events of one interval that ended at `now`. REGRESSED latches for the rest of the epoch."""
    moved = _moved(state, counts)
    seconds = max(0.0, (now - state.taken_at).total_seconds())
    moved = replace(
        moved,
        taken_at=max(now, state.taken_at),
        totals=state.totals.plus(counts),
        pace=state.pace.taken(counts, seconds),
    )
    return _crossed(moved, now)


def _moved(state: JudgeState, counts: Counts) -> JudgeState:
    below = candidates_below(state.rules.margin)
    bad = counts.bad_new + counts.bad_legacy if counts.total_new and counts.total_legacy else 0.0
    rare = state.rare
    if rare is not None and state.rules.negligible is not None:
        ticks = counts.total_new * state.rules.negligible
        rare = advance(rare, rare_gains(counts, state.rules.negligible), RARE_WEIGHTS, ticks)
    return replace(
        state,
        worse=advance(state.worse, WORSE.gains(counts), WORSE.weights, bad),
        fine=advance(state.fine, below.gains(counts), below.weights, bad),
        rare=rare,
    )


def _crossed(state: JudgeState, now: datetime) -> JudgeState:
    log_e = state.log_e_regressed
    if state.regressed is None and log_e >= math.log(state.rules.regressed_at):
        return replace(state, regressed=Crossing(at=now, log_e=log_e, pace=state.pace))
    needed = math.log(state.rules.not_worse_at)
    if state.not_worse_since is not None:
        needed *= _STANDS_ABOVE
    stands = state.enough_traffic and state.log_e_not_worse >= needed
    if stands and state.not_worse_since is None:
        return replace(state, not_worse_since=now)
    if not stands and state.not_worse_since is not None:
        return replace(state, not_worse_since=None, undecided_since=now)
    return state


def as_e(log_e: float) -> float:
    """E itself, capped far above every threshold instead of overflowing."""
    return math.exp(log_e) if log_e < math.log(_E_CAP) else _E_CAP


def seconds_until(
    process: Process, gains: Sequence[float], weights: Sequence[float], ticks: float, target: float
) -> float | None:
    """Seconds until log E reaches `target` if every second brings `gains` and `ticks`; None if it never does.

    The first candidate to reach it alone decides. Weight that starts late counts as if it began now:
    under a steady gain g, bits started at a density d per second are worth d / g at once.
    """
    left = process.waiting
    density = left / (_SPENT_HALF_AT + process.clock)
    times = [0.0] if process.log_e >= target else []
    for mass, gain, weight in zip(process.masses, gains, weights, strict=True):
        if gain > 0:
            late = density * weight * ticks / gain
            worth = log_sum((mass, math.log(late))) if late > 0 else mass
            times.append(max(0.0, (target - worth) / gain))
    return min(times, default=None)
