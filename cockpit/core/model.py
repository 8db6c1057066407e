"""The values that cross every module line: readings, health, verdicts, outcomes.

All are frozen and keyword-only. Times named `_at` are aware UTC datetimes, lengths named `_s` are seconds.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final, Generic, TypeVar

from cockpit.core.clean import ZERO, Percent
from cockpit.core.dataclass import dataclass

T = TypeVar("T")

STALE_AFTER_INTERVALS: Final = 2.0
UNKNOWN_AFTER_INTERVALS: Final = 5.0
FUTURE_S: Final = 2.0


class Side(StrEnum):
    LEGACY = "legacy"
    NEW = "new"


class Health(StrEnum):
    """What a probe says. UNKNOWN means "could not ask" and is neither OK nor DOWN."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


class Freshness(StrEnum):
    FRESH = "fresh"
    STALE = "stale"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """New side against legacy side, for one signal."""

    REGRESSED = "REGRESSED"
    NOT_WORSE = "NOT_WORSE"
    UNDECIDED = "UNDECIDED"
    UNKNOWN = "UNKNOWN"

    @property
    def words(self) -> str:
        """As people read it; the value is for programs."""
        return self.value.replace("_", " ")


class Quality(StrEnum):
    """What a monitoring answer is worth. Only GOOD decides anything."""

    GOOD = "good"
    NO_DATA = "no_data"
    NOT_FINITE = "not_finite"
    PARTIAL = "partial"
    ERROR = "error"


class WriteOutcome(StrEnum):
    """DONE: the service said yes. REFUSED: it said no, nothing changed. UNKNOWN: nobody knows; read back."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Mode(StrEnum):
    """What the banner says."""

    LIVE = "live"
    DEMO = "demo"
    DRILL = "drill"
    WATCH = "watch"


class Fault(StrEnum):
    """Whose fault a failure is; decides whom the screen tells the engineer to ask."""

    SERVICE = "service"
    NETWORK = "network"
    CREDENTIAL = "credential"
    PLAN = "plan"
    COCKPIT = "cockpit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why something could not be read or written, in clean text, safe to show and to journal."""

    title: str
    detail: str = ""
    retryable: bool = True
    fault: Fault = Fault.SERVICE
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Generic[T]):
    """The last known value of one source, with what is known about its age and its trouble.

    value/observed_at: the last good answer and when it arrived, None if there never was one.
    failure/failing_since: the present trouble, None while the last poll was good.
    """

    value: T | None = None
    observed_at: datetime | None = None
    took_s: float | None = None
    failure: Failure | None = None
    failing_since: datetime | None = None
    attempted_at: datetime | None = None
    interval_s: float = 5.0

    def age_s(self, now: datetime) -> float | None:
        """Seconds since the last good answer; None if there never was one. Never negative."""
        if self.observed_at is None:
            return None
        return max(0.0, (now - self.observed_at).total_seconds())

    def freshness(self, now: datetime) -> Freshness:
        """FRESH up to 2 intervals of age, STALE up to 5, UNKNOWN beyond or without any value.

        A reading from the future is UNKNOWN: the clock was set back, and nobody can tell its age.
        """
        if self.observed_at is None or self.value is None:
            return Freshness.UNKNOWN
        if self.fresh_value(now) is not None:
            return Freshness.FRESH
        stale = 0 < (now - self.observed_at).total_seconds() <= UNKNOWN_AFTER_INTERVALS * self.interval_s
        return Freshness.STALE if stale else Freshness.UNKNOWN

    def fresh_value(self, now: datetime) -> T | None:
        """The value while it is FRESH, else None: unknown is not healthy."""
        if self.observed_at is None:
            return None
        age_s = (now - self.observed_at).total_seconds()
        return self.value if -FUTURE_S <= age_s <= STALE_AFTER_INTERVALS * self.interval_s else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagValue:
    """One flag as its service tells it.

    percent is the stored percentage, None when the configuration is not one plain percentage; `on`
    is the environment switch. `complexities` says why a flag is not plain (constraints, several
    strategies ...): it may be killed but not promoted. `revision` is the service's guard value.
    """

    key: str
    on: bool
    percent: Percent | None
    complexities: tuple[str, ...] = ()
    revision: str | None = None
    changed_by: str | None = None
    changed_at: datetime | None = None

    @property
    def exposure(self) -> Percent | None:
        """The share sent to the new side: 0 while off, else the percentage; None when it cannot be told."""
        return self.percent if self.on else ZERO

    def same_setting(self, other: FlagValue) -> bool:
        """Whether both say the same to users; revision, author and time do not count."""
        return (self.on, self.percent, self.complexities) == (other.on, other.percent, other.complexities)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeValue:
    """One health answer. `facts` are short name/text pairs for the detail screen."""

    health: Health
    detail: str = ""
    latency_ms: float | None = None
    facts: tuple[tuple[str, str], ...] = ()
    server_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One number from a monitoring source. `value` is None unless quality is GOOD."""

    value: float | None
    quality: Quality
    source_time: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """What is known about one write after its answer (or its silence).

    unsent: REFUSED because no byte of the write left: nobody said no to it. again_after_s: the service did
    not say no either, it asked to come back after so many seconds.
    """

    outcome: WriteOutcome
    detail: str = ""
    took_s: float = 0.0
    failure: Failure | None = None
    unsent: bool = False
    again_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignChange:
    """A flag setting that this cockpit did not ask for. `who` is None where the service does not tell."""

    at: datetime
    before: str
    after: str
    who: str | None
    raised: bool
