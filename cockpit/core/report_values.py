"""What a report is made of. Everything here was recorded; what was not is None or empty.

Times are aware UTC datetimes, `_s` are seconds, `_pct` percent. All text is clean but not escaped.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from cockpit.core.dataclass import dataclass
from cockpit.core.rollback import StepState
from cockpit.core.snapshot import Level


class RollbackResult(StrEnum):
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRecord:
    """One write: the intent's time, and its answer. `outcome` is empty while none is recorded."""

    write_id: str
    action: str
    at: datetime | None
    outcome: str = ""
    detail: str = ""
    took_s: float | None = None
    lever: str = "first"
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRecord:
    """One flag on its way to zero. `raised_again` counts how often it left zero after it was seen there.

    at_zero_at: re-read by the first lever. second_at: by the second one. hand_at: not re-read at all, told by
    `hand_by`. took_s: from the first intent through the lever that it went by to the read that saw zero.
    """

    flag: str
    before_pct: float | None = None
    writes: tuple[WriteRecord, ...] = ()
    at_zero_at: datetime | None = None
    drained_at: datetime | None = None
    share_pct: float | None = None
    drain_note: str = ""
    raised_again: int = 0
    second_at: datetime | None = None
    second_service: str = ""
    pulled_by: str = ""
    hand_at: datetime | None = None
    hand_by: str = ""
    hand_note: str = ""
    lever: str = ""
    took_s: float | None = None

    @property
    def zero_at(self) -> datetime | None:
        """When it first came to zero by any lever, and stayed there."""
        moments = [at for at in (self.at_zero_at, self.second_at, self.hand_at) if at is not None]
        return min(moments, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """`actual_s` is counted from declare, like the budget. `late` is None where it cannot be told."""

    step: str
    key: str
    title: str
    budget_s: float | None
    state: StepState = StepState.WAITING
    evidence: str = ""
    started_at: datetime | None = None
    done_at: datetime | None = None
    done_by: str = ""
    actual_s: float | None = None
    late: bool | None = None
    reopened: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaRecord:
    """Writes on the new side since the cut mark; None: not counted."""

    name: str
    count: float | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementRecord:
    at: datetime
    hook: str
    moment: str
    sent: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WideningRecord:
    """More flags were added to an open rollback; its deadline stayed."""

    at: datetime
    by: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenItem:
    """What is left to do; `owner` is empty where nobody was named for the role."""

    what: str
    role: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackRecord:
    """budget_s: declare to deadline. detection_s: first breach to declare. safe_s: declare to users safe.
    close_s: declare to close.

    users_safe_at is the moment at which the last flag was seen drained and legacy was verified;
    `users_safe_text` says what is missing, or what the moment does not prove.
    """

    id: str
    result: RollbackResult
    whole: bool | None
    reason: str
    declared_by: str
    commander: str
    data_owner: str
    first_breach_at: datetime | None
    declared_at: datetime
    deadline_at: datetime | None
    escalated_at: datetime | None
    question: str
    answer: str
    users_safe_at: datetime | None
    users_safe_text: str
    ended_at: datetime | None
    ended_by: str
    ended_note: str
    budget_s: float | None
    detection_s: float | None
    safe_s: float | None
    close_s: float | None
    overrun_s: float | None
    steps: tuple[StepRecord, ...]
    flags: tuple[FlagRecord, ...]
    cut_at: datetime | None
    counters: tuple[tuple[str, float | None], ...]
    deltas: tuple[DeltaRecord, ...]
    announcements: tuple[AnnouncementRecord, ...]
    widened: tuple[WideningRecord, ...]
    open_items: tuple[OpenItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRecord:
    """One event in words. `kind` is the journal's own name for it."""

    seq: int
    at: datetime
    actor: str
    kind: str
    text: str
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """One cockpit that opened or resumed the flight."""

    at: datetime
    operator: str
    host: str
    version: str
    resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRecord:
    """One forward move. seen_pct: what the flag read after the write. gates: as the event lists them.

    overrides: judgements that a person put in the place of a verdict, for this very stage.
    """

    at: datetime
    by: str
    flag: str
    before_pct: float | None
    asked_pct: float | None
    outcome: str = ""
    detail: str = ""
    seen_at: datetime | None = None
    seen_pct: float | None = None
    gates: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRecord:
    """A flag that somebody else changed. `who` is empty where the service does not tell."""

    at: datetime
    flag: str
    before: str
    after: str
    who: str
    raised: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole record of one plan's flight. `last_hash` pins the journal: whoever keeps it can prove
    that nothing before it was changed or cut off. `breaks`: where the journal is not as it was written."""

    title: str
    environment: str
    mode: str
    plan_digest: str
    made_at: datetime
    first_at: datetime | None
    last_at: datetime | None
    ended_at: datetime | None
    ended_why: str
    events: int
    last_hash: str
    operators: tuple[str, ...]
    sessions: tuple[SessionRecord, ...]
    rollbacks: tuple[RollbackRecord, ...]
    moves: tuple[MoveRecord, ...]
    foreign: tuple[ForeignRecord, ...]
    judgements: tuple[TimelineRecord, ...]
    notes: tuple[TimelineRecord, ...]
    timeline: tuple[TimelineRecord, ...]
    breaks: tuple[str, ...] = ()
