"""The pieces that pictures are made of, and what can be done to a whole picture."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cockpit.core.clean import Percent
from cockpit.core.history import Point, SideHistory
from cockpit.core.model import (
    Failure,
    Fault,
    FlagValue,
    ForeignChange,
    Health,
    ProbeValue,
    Quality,
    Reading,
    Side,
    Verdict,
)
from cockpit.core.rollback import Step, StepState
from cockpit.core.snapshot import (
    Agreement,
    Evidence,
    FlagStatus,
    GateResult,
    JournalLine,
    Level,
    ProbeStatus,
    Share,
    SideRate,
    SignalStatus,
    Snapshot,
)
from cockpit.core.spec import Stage, StepKey

NOW: Final = datetime(2026, 3, 14, 3, 12, 7, tzinfo=UTC)
HOSTILE: Final = (
    "[/]",
    "[/foo]",
    "[type=x, v={'a[0]'}]",
    "[@click=app.rollback('evil')]go[/]",
    "[red]not red[/red]",
    "\x1b[2Jwiped",
    "\x1b]52;c;ZXZpbA==\x07clip",
    "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31mC1",
    "\x00nul\x7fdel",
    "\u202eright to left",
    "zero\u200bwidth\ufeff",
    "two\nlines\r\tand a tab",
    "\ud800lone",
    "z\u0301\u0301\u0301\u0301\u0301algo",
    "宽字符" * 40,
)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def ahead(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


STAGES: Final = (
    Stage(percent=Percent(1000), cohort="internal", hold_s=1800),
    Stage(percent=Percent(2500), cohort="beta", hold_s=3600),
    Stage(percent=Percent(10000), cohort="all", hold_s=0),
)


def flag(
    key: str,
    percent: float | None,
    *,
    title: str = "",
    asked: float | None = None,
    observed_pct: float | None = None,
    stage: int | None = 0,
    hold_left_s: float | None = None,
    held_by: str | None = None,
    held_reason: str = "",
    agreement: Agreement = Agreement.AGREE,
    differs_since: datetime | None = None,
    foreign: ForeignChange | None = None,
    gates: tuple[GateResult, ...] = (),
    age_s: float = 2,
    failure: Failure | None = None,
    depends_on: tuple[str, ...] = (),
    on: bool = True,
) -> FlagStatus:
    """One flag; `percent` None means never read."""
    value = None
    if percent is not None:
        value = FlagValue(
            key=key,
            on=on,
            percent=Percent.parse(percent),
            revision="41",
            changed_by="driver",
            changed_at=ago(1320),
        )
    share = None
    if observed_pct is not None:
        events = 1200.0
        share = Share(
            percent=Percent.parse(observed_pct),
            legacy_events=events * (100 - observed_pct) / 100,
            new_events=events * observed_pct / 100,
            window_s=15,
        )
    return FlagStatus(
        key=key,
        title=title or key.replace("_", " "),
        service="unleash",
        stages=STAGES,
        depends_on=depends_on,
        propagation_s=30,
        asked=None if asked is None else Percent.parse(asked),
        configured=Reading(
            value=value,
            observed_at=None if value is None else ago(age_s),
            took_s=0.021,
            failure=failure,
            failing_since=None if failure is None else ago(age_s),
            attempted_at=ago(1),
            interval_s=5,
        ),
        observed=Reading(
            value=share,
            observed_at=None if share is None else ago(age_s + 2),
            took_s=0.044,
            failure=failure if share is None else None,
            failing_since=ago(age_s) if share is None and failure is not None else None,
            attempted_at=ago(1),
            interval_s=15,
        ),
        observable=True,
        stage=stage,
        stage_since=None if stage is None else ago(1320),
        hold_until=None if hold_left_s is None else ahead(hold_left_s),
        held_by=held_by,
        held_reason=held_reason,
        agreement=agreement,
        differs_since=differs_since,
        foreign=foreign,
        gates=gates,
        writing=None,
        writing_text="",
        writable=True,
    )


def probe(
    name: str,
    side: Side,
    *,
    health: Health | None = Health.OK,
    latency_ms: float | None = 12.0,
    detail: str = "200 OK",
    age_s: float = 2,
    failure: Failure | None = None,
    kind: str = "http",
    history: tuple[float | None, ...] | None = None,
    facts: tuple[tuple[str, str], ...] = (("version", "2.14.1"),),
) -> ProbeStatus:
    """One probe; `health` None means that it never answered."""
    value = None
    if health is not None:
        value = ProbeValue(health=health, detail=detail, latency_ms=latency_ms, facts=facts)
    base = latency_ms or 10.0
    wobble = (0, 2, 1, 4, 3, 2, 6, 3, 1, 2, 5, 3)
    default_history = tuple(base * (1 + step / 12) for step in wobble)
    return ProbeStatus(
        name=name,
        kind=kind,
        side=side,
        required=True,
        reading=Reading(
            value=value,
            observed_at=None if value is None else ago(age_s),
            took_s=0.012,
            failure=failure,
            failing_since=None if failure is None else ago(age_s),
            attempted_at=ago(1),
            interval_s=5,
        ),
        history=default_history if history is None else history,
        passes=14 if health is Health.OK else 0,
    )


def past(*points: Point, watched: int = 45, note: str = "", step_s: float = 20) -> SideHistory:
    """A side's history that ends now."""
    return SideHistory(
        last_at=ahead(3), step_s=step_s, window_s=60, points=points, watched=watched, note=note
    )


def wobble(around: float, count: int) -> tuple[float, ...]:
    """Rates that stay near one value."""
    return tuple(round(around * (0.8 + 0.1 * (7 * index % 5)), 3) for index in range(count))


def signal(
    name: str,
    title: str,
    *,
    legacy: tuple[float, float] | None = (42, 5400),
    new: tuple[float, float] | None = (11, 1800),
    verdict: Verdict = Verdict.UNDECIDED,
    fill_regressed: float = 0.1,
    fill_not_worse: float = 0.6,
    limit_pct: float | None = 5.0,
    limit_breached: bool = False,
    forecast_s: float | None = 340,
    age_s: float = 3,
    failure: Failure | None = None,
    text: str = "",
    warning: bool = False,
    legacy_history: SideHistory | None = None,
    new_history: SideHistory | None = None,
) -> SignalStatus:
    """One signal; `legacy` and `new` are (bad, total), None without data."""

    def rate(pair: tuple[float, float] | None) -> SideRate:
        if pair is None:
            return SideRate(bad=0, total=0, quality=Quality.NO_DATA, note="no series matches")
        return SideRate(bad=pair[0], total=pair[1], quality=Quality.GOOD)

    seen = legacy is not None and new is not None
    (k0, n0), (k1, n1) = legacy or (0, 0), new or (0, 0)
    return SignalStatus(
        name=name,
        title=title,
        legacy=rate(legacy),
        new=rate(new),
        reading=Reading(
            value=100 * k1 / n1 if n1 else None,
            observed_at=ago(age_s) if seen else None,
            took_s=0.034,
            failure=failure,
            failing_since=None if failure is None else ago(age_s),
            attempted_at=ago(1),
            interval_s=15,
        ),
        evidence=Evidence(
            verdict=verdict,
            e_regressed=100**fill_regressed,
            e_not_worse=20**fill_not_worse,
            threshold=100,
            fill_regressed=fill_regressed,
            fill_not_worse=fill_not_worse,
            bad_legacy=k0,
            bad_new=k1,
            total_legacy=n0,
            total_new=n1,
            warning=warning,
            text=text,
            forecast_s=forecast_s,
            since=ago(260) if verdict is not Verdict.UNKNOWN else None,
        ),
        limit_pct=limit_pct,
        limit_breached=limit_breached,
        limit_text=f"{limit_pct:g}% in 3 of 5 polls" if limit_pct is not None else "",
        legacy_history=legacy_history,
        new_history=new_history,
        window_s=300,
        required=True,
        proposes_rollback=True,
    )


def line(
    seq: int, seconds_ago: float, actor: str, kind: str, text: str, level: Level = Level.NOTE
) -> JournalLine:
    return JournalLine(seq=seq, at=ago(seconds_ago), actor=actor, kind=kind, text=text, level=level)


UNREACHABLE: Final = Failure(
    title="no answer within 5 s",
    detail="connect timeout to 10.4.0.17:4242",
    fault=Fault.NETWORK,
)


_STEPS: Final = (
    ("declare", StepKey.DECLARE, "Declare", 30, True),
    ("freeze", StepKey.FREEZE, "Freeze", 60, True),
    ("prove", StepKey.PROVE, "Prove the way back", 105, True),
    ("flip", StepKey.FLIP, "Flip", 180, True),
    ("drain", StepKey.DRAIN, "Drain the new side", 420, True),
    ("verify", StepKey.VERIFY, "Verify legacy", 600, True),
    ("reconcile", StepKey.RECONCILE, "Count writes on the new side", 780, True),
    ("status_page", StepKey.MANUAL, "Update the status page", 780, False),
    ("announce", StepKey.ANNOUNCE, "Announce", 840, True),
    ("close", StepKey.CLOSE, "Close", 900, False),
)


def steps(settled: int, *, elapsed_s: float) -> tuple[Step, ...]:
    """The plan's steps with the first `settled` done and the next one running."""

    def one(index: int, row: tuple[str, StepKey, str, float, bool]) -> Step:
        step_id, key, title, budget_s, machine = row
        done, running = index < settled, index == settled
        return Step(
            id=step_id,
            key=key,
            number=index + 1,
            title=title,
            budget_s=budget_s,
            machine=machine,
            text="Say that lessons are read-only until we are back." if not machine else "",
            state=StepState.DONE if done else StepState.RUNNING if running else StepState.WAITING,
            evidence="seen" if done else "",
            started_at=ago(elapsed_s) if done or running else None,
            done_at=ago(elapsed_s - 1) if done else None,
            done_by="cockpit" if done else "",
        )

    return tuple(one(index, row) for index, row in enumerate(_STEPS))


def shifted(snapshot: Snapshot, seconds: float) -> Snapshot:
    """The same picture with every instant that many seconds earlier."""
    moved = _shift(snapshot, timedelta(seconds=seconds))
    assert isinstance(moved, Snapshot)
    return moved


def _shift(value: Any, by: timedelta) -> Any:
    if isinstance(value, datetime):
        return value - by
    if isinstance(value, tuple):
        return tuple(_shift(item, by) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{field.name: _shift(getattr(value, field.name), by) for field in fields(value)}
        )
    return value


_KEEP: Final = frozenset({"id"})


def poisoned(value: Any, text: str) -> Any:
    """A copy of a value with every plain `str` replaced, enums and step ids kept."""
    if type(value) is str:
        return text
    if isinstance(value, tuple):
        return tuple(poisoned(item, text) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        changes = {
            field.name: poisoned(getattr(value, field.name), text)
            for field in fields(value)
            if field.name not in _KEEP
        }
        return replace(value, **changes)
    return value
