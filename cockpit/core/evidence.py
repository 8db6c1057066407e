"""The judge's state, put as a verdict with its reason in one sentence and a forecast.

Order of verdicts: REGRESSED once crossed stays for the epoch, also when the source is lost later: it
was seen. Then UNKNOWN: what cannot be seen now is not judged. Then NOT_WORSE while its evidence
stands. All else is UNDECIDED. One side without traffic is UNDECIDED, not UNKNOWN: the source was read
and says "none", which is what 0 % and 100 % look like; it is never NOT_WORSE. No traffic on either side
is UNKNOWN before long: a stuck source looks the same.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

from cockpit.core.counters import Counts
from cockpit.core.dataclass import dataclass
from cockpit.core.figures import events, evidence_value, length, rate, times
from cockpit.core.judge import (
    RARE_WEIGHTS,
    WORSE,
    JudgeState,
    Pace,
    as_e,
    candidates_below,
    rare_gains,
    seconds_until,
)
from cockpit.core.model import Side, Verdict
from cockpit.core.snapshot import Evidence

FORECAST_LIMIT_S: Final = 7 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A side without traffic. ever: whether it had any in this epoch."""

    side: Side
    since: datetime | None
    ever: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What can be seen at this moment. trouble: why nothing can be judged now, empty when all is readable.

    quiet: sides that have no traffic to compare. warm_until: judging begins then.
    """

    trouble: str = ""
    trouble_since: datetime | None = None
    quiet: tuple[Quiet, ...] = ()
    warm_until: datetime | None = None


CLEAR_SIGHT: Final = Sight()


def evidence(state: JudgeState, now: datetime, sight: Sight = CLEAR_SIGHT) -> Evidence:
    """The verdict at `now`. It asks nothing of `update`: with time alone only the sight changes it."""
    verdict, since = _verdict(state, sight)
    forecast = Forecast()
    if verdict in (Verdict.UNDECIDED, Verdict.NOT_WORSE) and not sight.quiet:
        forecast = forecast_of(state)
    if verdict is Verdict.NOT_WORSE:
        forecast = Forecast(regressed_s=forecast.regressed_s)
    how, log_worse, log_fine = state.rules, state.log_e_regressed, state.log_e_not_worse
    return Evidence(
        verdict=verdict,
        e_regressed=as_e(log_worse),
        e_not_worse=as_e(log_fine),
        threshold=how.regressed_at,
        threshold_not_worse=how.not_worse_at,
        fill_regressed=1.0 if state.regressed else _fill(log_worse, how.regressed_at),
        fill_not_worse=_fill(log_fine, how.not_worse_at),
        bad_legacy=state.totals.bad_legacy,
        bad_new=state.totals.bad_new,
        total_legacy=state.totals.total_legacy,
        total_new=state.totals.total_new,
        warning=state.regressed is not None or log_worse >= math.log(how.warning_at),
        text=_sentence(state, verdict, sight, forecast, now),
        forecast_s=forecast.soonest_s,
        heading=forecast.heading,
        since=since,
    )


def _verdict(state: JudgeState, sight: Sight) -> tuple[Verdict, datetime | None]:
    if state.regressed is not None:
        return Verdict.REGRESSED, state.regressed.at
    if sight.trouble:
        return Verdict.UNKNOWN, sight.trouble_since
    if state.not_worse_since is not None and not sight.quiet:
        return Verdict.NOT_WORSE, state.not_worse_since
    return Verdict.UNDECIDED, state.undecided_since


def _fill(log_e: float, threshold: float) -> float:
    return min(1.0, max(0.0, log_e / math.log(threshold)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Seconds to each verdict if the present rates of the last minutes go on; None: not heading there."""

    regressed_s: float | None = None
    not_worse_s: float | None = None

    @property
    def soonest_s(self) -> float | None:
        return min((each for each in (self.regressed_s, self.not_worse_s) if each is not None), default=None)

    @property
    def heading(self) -> Verdict | None:
        if self.soonest_s is None:
            return None
        return Verdict.REGRESSED if self.soonest_s == self.regressed_s else Verdict.NOT_WORSE


def forecast_of(state: JudgeState) -> Forecast:
    """Expected growth of the log evidence at present rates, run on to each threshold and to `min_total`."""
    counts, seconds = state.pace.counts, state.pace.seconds
    if seconds <= 0:
        return Forecast()
    bad = (counts.bad_new + counts.bad_legacy) / seconds
    worse = [gain / seconds for gain in WORSE.gains(counts)]
    regressed_s = seconds_until(state.worse, worse, WORSE.weights, bad, math.log(state.rules.regressed_at))
    return Forecast(
        regressed_s=_within_limit(regressed_s), not_worse_s=_within_limit(_not_worse_s(state, bad))
    )


def _not_worse_s(state: JudgeState, bad_per_s: float) -> float | None:
    counts, seconds = state.pace.counts, state.pace.seconds
    below = candidates_below(state.rules.margin)
    target = math.log(state.rules.not_worse_at) + (math.log(2) if state.rare else 0.0)
    fine = [gain / seconds for gain in below.gains(counts)]
    ways = [seconds_until(state.fine, fine, below.weights, bad_per_s, target)]
    if state.rare is not None and state.rules.negligible is not None:
        rare = [gain / seconds for gain in rare_gains(counts, state.rules.negligible)]
        ticks = counts.total_new * state.rules.negligible / seconds
        ways.append(seconds_until(state.rare, rare, RARE_WEIGHTS, ticks, target))
    by_evidence = min((way for way in ways if way is not None), default=None)
    by_traffic = _traffic_s(state)
    return None if by_evidence is None or by_traffic is None else max(by_evidence, by_traffic)


def _traffic_s(state: JudgeState) -> float | None:
    """Seconds until both sides have the events that the plan asks for; None while a side has no traffic."""
    times = []
    for total, recent in (
        (state.totals.total_legacy, state.pace.counts.total_legacy),
        (state.totals.total_new, state.pace.counts.total_new),
    ):
        missing = max(0.0, state.rules.min_total - total)
        if missing and not recent:
            return None
        times.append(missing / recent * state.pace.seconds if missing else 0.0)
    return max(times)


def _within_limit(seconds: float | None) -> float | None:
    return seconds if seconds is not None and seconds <= FORECAST_LIMIT_S else None


def _sentence(state: JudgeState, verdict: Verdict, sight: Sight, forecast: Forecast, now: datetime) -> str:
    if verdict is Verdict.REGRESSED:
        return _regressed_words(state, sight)
    if verdict is Verdict.UNKNOWN:
        return f"cannot judge: {sight.trouble}"
    if verdict is Verdict.NOT_WORSE:
        value = evidence_value(as_e(state.log_e_not_worse))
        claim = f"not worse than {state.rules.margin:g}x"
        if state.rules.negligible is not None:
            claim += f" or below {rate(100 * state.rules.negligible)}"
        return f"{_compared(state.pace)}, {claim}, E {value} of {state.rules.not_worse_at:g}"
    return _undecided_words(state, sight, forecast, now)


def _regressed_words(state: JudgeState, sight: Sight) -> str:
    assert state.regressed is not None
    peak = max(state.regressed.log_e, state.log_e_regressed)
    words = (
        f"{_compared(state.regressed.pace)}, E {evidence_value(as_e(peak))} of {state.rules.regressed_at:g}"
    )
    if sight.trouble:
        return f"{words}; cannot see now: {sight.trouble}"
    if state.log_e_regressed < math.log(state.rules.regressed_at):
        return f"{words}; now {_compared(state.pace)}"
    return words


def _undecided_words(state: JudgeState, sight: Sight, forecast: Forecast, now: datetime) -> str:
    if sight.warm_until is not None:
        left = max(0.0, (sight.warm_until - now).total_seconds())
        return f"warming up, judged in {length(left)}"
    if sight.quiet:
        return f"no traffic on {_quiet_words(sight.quiet, now)}: nothing to compare"
    if not state.enough_traffic:
        return f"too little traffic: {_missing_words(state)}{_ahead(forecast)}"
    if not state.totals.bad_legacy and not state.totals.bad_new:
        return f"no bad events on either side in {events(state.totals.total_new)} on new{_ahead(forecast)}"
    return f"{_compared(state.pace)}, not decided{_ahead(forecast)}"


def _quiet_words(quiet: tuple[Quiet, ...], now: datetime) -> str:
    sides = " and ".join(each.side for each in quiet)
    since = max((each.since for each in quiet if each.since is not None), default=None)
    if since is None or not all(each.ever for each in quiet):
        return f"{sides} yet"
    return f"{sides} for {length((now - since).total_seconds())}"


def _missing_words(state: JudgeState) -> str:
    totals, needed = state.totals, state.rules.min_total
    side, seen = (Side.NEW, totals.total_new)
    if totals.total_legacy < totals.total_new:
        side, seen = Side.LEGACY, totals.total_legacy
    return f"{events(seen)} of {events(needed)} events needed on {side}"


def _ahead(forecast: Forecast) -> str:
    """What the evidence is heading to, and when it will be there."""
    if forecast.soonest_s is None or forecast.heading is None:
        return "; no verdict in sight at this traffic"
    return f"; heading to {forecast.heading.words} in about {length(forecast.soonest_s)}"


def _compared(pace: Pace) -> str:
    """`new 3.1% vs legacy 0.9%: 3.4x`, over the last minutes."""
    counts: Counts = pace.counts
    new = 100 * counts.bad_new / counts.total_new if counts.total_new else None
    legacy = 100 * counts.bad_legacy / counts.total_legacy if counts.total_legacy else None
    words = f"new {_or_none(new)} vs legacy {_or_none(legacy)}"
    return f"{words}: {times(new, legacy)}" if new is not None and legacy else words


def _or_none(pct: float | None) -> str:
    return "without traffic" if pct is None else rate(pct)
