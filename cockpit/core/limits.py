"""Hard limits: a rate on the new side that is too high whatever legacy does.

A measurement closes as soon as the new side had `min_total` events since the one before, so that one
bad event in three is no rate. With plenty of traffic every poll is a measurement. Breached means:
`breaches` of the last `window` measurements lay above the limit. Only a measurement clears it; losing
the source, or the traffic, does not.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from cockpit.core.counters import NOTHING, Growth
from cockpit.core.dataclass import dataclass, replace
from cockpit.core.figures import events, rate
from cockpit.core.spec import HardLimit


class LimitState(StrEnum):
    BREACHED = "breached"
    CLEAR = "clear"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A bad rate of the new side over at least `min_total` events that ended at `at`."""

    at: datetime
    rate_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitWatch:
    """State of one hard limit. breached_since: the first breaching measurement of the present breach."""

    limit: HardLimit
    pending: Growth = NOTHING
    recent: tuple[Measurement, ...] = ()
    breached_since: datetime | None = None

    @property
    def breaching(self) -> tuple[Measurement, ...]:
        return tuple(each for each in self.recent if each.rate_pct > self.limit.max_pct)

    @property
    def state(self) -> LimitState:
        """UNKNOWN until there is a measurement."""
        if self.breached_since is not None:
            return LimitState.BREACHED
        return LimitState.CLEAR if self.recent else LimitState.UNKNOWN


def measure(watch: LimitWatch, grown: Growth | None, now: datetime) -> LimitWatch:
    """Take what one poll counted on the new side; None when it counted nothing that can be used."""
    if grown is None:
        return watch
    pending = watch.pending.plus(grown)
    if not pending.total or pending.total < watch.limit.min_total:
        return replace(watch, pending=pending)
    bad = min(pending.bad, pending.total)
    early = min(pending.bad - bad, pending.total)
    measurement = Measurement(at=now, rate_pct=100 * (bad / pending.total))
    recent = (*watch.recent, measurement)[-watch.limit.window :]
    return _settled(replace(watch, pending=Growth(bad=early), recent=recent))


def _settled(watch: LimitWatch) -> LimitWatch:
    breaching = watch.breaching
    if len(breaching) < watch.limit.breaches:
        return replace(watch, breached_since=None)
    return replace(watch, breached_since=watch.breached_since or breaching[0].at)


def forget_pending(watch: LimitWatch) -> LimitWatch:
    """After a counter reset: the unfinished measurement cannot be trusted."""
    return replace(watch, pending=NOTHING)


NO_LIMIT: Final = "no hard limit"


def limit_text(watch: LimitWatch | None) -> str:
    """`new errors 7.2% > limit 5% in 3 of 5 polls`, in general words for any signal."""
    if watch is None:
        return NO_LIMIT
    limit = f"limit {watch.limit.max_pct:g}%"
    if not watch.recent:
        seen, needed = events(watch.pending.total), events(watch.limit.min_total)
        return f"{limit}: not measured yet, {seen} of {needed} events"
    count, of = len(watch.breaching), len(watch.recent)
    if not count:
        return f"new {rate(watch.recent[-1].rate_pct)} within {limit}"
    worst = max(each.rate_pct for each in watch.breaching)
    words = f"new {rate(worst)} > {limit} in {count} of {of} polls"
    return words if watch.state is LimitState.BREACHED else f"{words}, {watch.limit.breaches} are a breach"
