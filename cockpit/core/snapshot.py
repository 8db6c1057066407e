"""The one picture everybody sees: deck, countdown, wall, `status` and observers read this value.

The engine builds it, swaps it in one reference and never changes it. All text in it is clean.
Ages and countdowns are not in it: they are computed from its instants and the reader's clock, so
that a dead engine shows as ageing data.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from cockpit.core.approvals import AdvanceRequest
from cockpit.core.checklist import ItemStatus
from cockpit.core.clean import Percent
from cockpit.core.commands import CommandStatus
from cockpit.core.dataclass import dataclass
from cockpit.core.drain import DrainGauge
from cockpit.core.history import SideHistory
from cockpit.core.model import (
    FlagValue,
    ForeignChange,
    Health,
    Mode,
    ProbeValue,
    Quality,
    Reading,
    Side,
    Verdict,
    WriteOutcome,
)
from cockpit.core.parity import ParityValue
from cockpit.core.parity_spec import Question
from cockpit.core.rollback import Rollback
from cockpit.core.seat_status import SeatStatus
from cockpit.core.spec import Stage


class Level(StrEnum):
    """How loud something is. UNKNOWN is "I cannot see", never "it is fine" and never "it is broken"."""

    OK = "ok"
    NOTE = "note"
    UNKNOWN = "unknown"
    WARN = "warn"
    BAD = "bad"


FOLLOWING: Final = "following"
NOBODY_PUBLISHES: Final = "nobody publishes"
"""FOLLOWING is the subject of reasons about an observer's own following, not about the flight; of all
things that can be wrong with it, the driver's silence is the one that is not the observer's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One line that says what is wrong: what tripped, the value, the limit, since when."""

    level: Level
    subject: str
    what: str
    value: str = ""
    limit: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Observed share of one flag's traffic on the new side, from counters over the last poll window."""

    percent: Percent
    legacy_events: float
    new_events: float
    window_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """One condition for going forward. `met_at` is when it can be met at the present pace, if known."""

    name: str
    met: bool
    text: str
    met_at: datetime | None = None


class Agreement(StrEnum):
    """Asked, configured and observed against each other."""

    AGREE = "agree"
    PROPAGATING = "propagating"
    DIFFER = "differ"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLeverStatus:
    """The second lever of one flag: another service as it reads now, or what a person does by hand.

    offer: why it is offered now, empty while it is not. barred: why it cannot be pulled from here.
    """

    service: str
    key: str
    manual: str
    takes_s: float
    reading: Reading[FlagValue]
    offer: str = ""
    barred: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagStatus:
    """asked is None until this flight asked for something. stage is the index of the stage that
    `asked` (else `configured`) has reached, -1 for 0 %, None when it is no stage at all or unknown.
    falls_with_new: no lever of it is left when the new backend is down. barred: what helps where the driver
    of a rollback has no right to write it.
    in_pages: clients get a change when they reload.
    """

    key: str
    title: str
    service: str
    stages: tuple[Stage, ...]
    depends_on: tuple[str, ...]
    propagation_s: float
    asked: Percent | None
    configured: Reading[FlagValue]
    observed: Reading[Share]
    observable: bool
    stage: int | None
    stage_since: datetime | None
    hold_until: datetime | None
    held_by: str | None
    held_reason: str
    agreement: Agreement
    differs_since: datetime | None
    foreign: ForeignChange | None
    gates: tuple[GateResult, ...]
    writing: WriteOutcome | None
    writing_text: str
    writable: bool
    second: SecondLeverStatus | None = None
    falls_with_new: bool = False
    barred: str = ""
    in_pages: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeStatus:
    """`history` is latency in ms of the last polls, oldest first, None where a poll gave none."""

    name: str
    kind: str
    side: Side
    required: bool
    reading: Reading[ProbeValue]
    history: tuple[float | None, ...]
    passes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendStatus:
    """health is the worst of the required probes, UNKNOWN beats OK and DOWN beats all.

    nature: what the plan says must be known before a rollback.
    """

    side: Side
    title: str
    health: Health
    probes: tuple[ProbeStatus, ...]
    nature: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideRate:
    """Bad and total events of one side over the judge's display window."""

    bad: float
    total: float
    quality: Quality
    note: str = ""

    @property
    def rate_pct(self) -> float | None:
        """Percent of events that were bad; None without events."""
        return 100 * self.bad / self.total if self.total > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a verdict comes from. e_* are evidence values, thresholds 1/alpha; fill is log E / log(1/alpha).

    threshold is that of REGRESSED, threshold_not_worse that of NOT_WORSE. bad_* and total_* count this epoch.

    forecast_s: seconds until the next verdict at present traffic, None when it cannot be told.
    heading: the verdict that the forecast is about.
    """

    verdict: Verdict
    e_regressed: float
    e_not_worse: float
    threshold: float
    fill_regressed: float
    fill_not_worse: float
    bad_legacy: float
    bad_new: float
    total_legacy: float
    total_new: float
    warning: bool
    text: str
    forecast_s: float | None
    since: datetime | None
    threshold_not_worse: float = 20.0
    heading: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalStatus:
    """limit_since: when the first measurement of the present hard-limit breach was taken.

    legacy_history/new_history: for the eye; None where nothing was ever asked, or an older cockpit published.
    monitors: who counts legacy and who the new side.
    """

    name: str
    title: str
    legacy: SideRate
    new: SideRate
    reading: Reading[float]
    evidence: Evidence
    limit_pct: float | None
    limit_breached: bool
    limit_text: str
    window_s: float
    required: bool
    proposes_rollback: bool
    limit_since: datetime | None = None
    legacy_history: SideHistory | None = None
    new_history: SideHistory | None = None
    monitors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBackLine:
    """One thing that a rollback would stand on. told_elsewhere: another reason line says so already."""

    level: Level
    title: str
    text: str
    told_elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityStatus:
    """One parity check and what it last found. question: count, newest or rows."""

    name: str
    title: str
    question: Question
    legacy_store: str
    new_store: str
    required: bool
    reading: Reading[ParityValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The judge proposes a rollback. Open until somebody declares or vetoes, or the cause is gone.

    goes_at: when it goes by itself unless vetoed; None where the plan leaves it to people.
    """

    signal: str
    text: str
    value: str
    limit: str
    since: datetime
    vetoed_by: str | None = None
    veto_reason: str = ""
    vetoed_at: datetime | None = None
    goes_at: datetime | None = None

    def due(self, now: datetime) -> bool:
        """Whether its veto time is over and nobody vetoed."""
        return self.goes_at is not None and self.vetoed_by is None and now >= self.goes_at


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    seq: int
    at: datetime
    actor: str
    kind: str
    text: str
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHealth:
    ok: bool
    path: str
    last_seq: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatus:
    """This machine and this process. loop_lag_ms: how late the engine's own loop woke, at worst."""

    host: str
    load_1m: float
    cpus: int
    memory_used_pct: float
    own_rss_mib: float
    loop_lag_ms: float
    clock_skew_s: float | None
    sampled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """A plan file that changed on disk. `problems` non-empty: broken, the last good plan stays."""

    digest: str
    diff: tuple[str, ...]
    problems: tuple[str, ...]
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """seq grows by one with every swap. engine_at is the engine's clock at that moment: the data age.

    read_only is True when no writer object exists in the process that made this snapshot.
    past_no_return is True once the plan's point of no return lies behind.
    drain_below_pct is the share under which the new side counts as drained, None when not told.
    seat is None where no driver's seat is known of: an older cockpit published it. request: the forward
    move that waits for more people. gauges: what besides traffic has to drain in a rollback.
    """

    seq: int
    engine_at: datetime
    started_at: datetime
    mode: Mode
    read_only: bool
    operator: str
    host: str
    plan_title: str
    environment: str
    plan_digest: str
    plan_source: str
    budget_s: float
    escalate_after_s: float
    no_return_at: datetime | None
    flags: tuple[FlagStatus, ...]
    backends: tuple[BackendStatus, ...]
    signals: tuple[SignalStatus, ...]
    reasons: tuple[Reason, ...]
    level: Level
    first_breach_at: datetime | None
    proposal: Proposal | None
    rollback: Rollback | None
    rollbacks_closed: int
    last_closed: Rollback | None
    journal: JournalHealth
    tail: tuple[JournalLine, ...]
    commands: tuple[CommandStatus, ...]
    host_status: HostStatus | None
    plan_change: PlanChange | None
    hint: str = ""
    drain_below_pct: float | None = None
    parity: tuple[ParityStatus, ...] = ()
    seat: SeatStatus | None = None
    checklist: tuple[ItemStatus, ...] = ()
    phases: tuple[str, ...] = ()
    way_back: tuple[WayBackLine, ...] = ()
    request: AdvanceRequest | None = None
    gauges: tuple[DrainGauge, ...] = ()
