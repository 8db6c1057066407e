"""Whole snapshots for the face's tests and for looking at it: one builder per situation.

Every builder returns a full `Snapshot` as the engine would swap it in at `NOW`. Change single fields
with `dataclasses.replace`. `ScriptedPort` and `FakeClock` are the face's whole world in tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cockpit.core.clean import Percent
from cockpit.core.commands import Command
from cockpit.core.model import (
    Failure,
    Fault,
    FlagValue,
    Health,
    Mode,
    ProbeValue,
    Quality,
    Reading,
    Side,
    Verdict,
)
from cockpit.core.rollback import CutMark, Flip, FlipState, Rollback, Step, StepState
from cockpit.core.snapshot import (
    Agreement,
    BackendStatus,
    Evidence,
    FlagStatus,
    ForeignChange,
    GateResult,
    HostStatus,
    JournalHealth,
    JournalLine,
    Level,
    ProbeStatus,
    Proposal,
    Reason,
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


class FakeClock:
    """A clock that stands still until `advance`."""

    def __init__(self, at: datetime = NOW) -> None:
        self._at = at
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)
        self._monotonic += seconds


class ScriptedPort:
    """A port whose snapshots a test sets with `show`; what the face submits is kept in `commands`."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._callbacks: list[Callable[[], None]] = []
        self.commands: list[Command] = []
        self.stopped = False

    def latest(self) -> Snapshot:
        return self._snapshot

    def submit(self, command: Command) -> None:
        self.commands.append(command)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def stop(self) -> None:
        self.stopped = True

    @property
    def subscribers(self) -> int:
        return len(self._callbacks)

    def show(self, snapshot: Snapshot) -> None:
        """Swap in a snapshot and wake the subscribers, from whatever thread calls."""
        self._snapshot = replace(snapshot, seq=self._snapshot.seq + 1)
        for callback in tuple(self._callbacks):
            callback()


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
        window_s=300,
        required=True,
        proposes_rollback=True,
    )


def _backends() -> tuple[BackendStatus, ...]:
    legacy, new = Side.LEGACY, Side.NEW
    return (
        BackendStatus(
            side=legacy,
            title="FastAPI + Supabase",
            health=Health.OK,
            probes=(
                probe("api", legacy, latency_ms=18),
                probe("database", legacy, latency_ms=7, kind="http"),
                probe("login", legacy, latency_ms=46),
            ),
        ),
        BackendStatus(
            side=new,
            title="Convex",
            health=Health.OK,
            probes=(
                probe("api", new, latency_ms=9),
                probe("functions", new, latency_ms=11, kind="convex"),
                probe("login", new, latency_ms=38),
            ),
        ),
    )


def _flags() -> tuple[FlagStatus, ...]:
    met = GateResult(name="verdict errors", met=True, text="errors NOT WORSE")
    hold = GateResult(name="hold", met=False, text="stage hold ends in 8 min", met_at=ahead(480))
    return (
        flag(
            "convex_courses",
            25,
            title="Course pages",
            asked=25,
            observed_pct=24.6,
            stage=1,
            hold_left_s=480,
            gates=(met, hold),
        ),
        flag(
            "convex_resources",
            10,
            title="Resource library",
            asked=10,
            observed_pct=10.2,
            stage=0,
            hold_left_s=-30,
            gates=(met,),
        ),
        flag(
            "convex_live_sessions",
            0,
            title="Live sessions",
            asked=None,
            observed_pct=0,
            stage=-1,
            depends_on=("convex_courses",),
        ),
    )


def _signals() -> tuple[SignalStatus, ...]:
    return (
        signal(
            "errors",
            "Failed requests",
            verdict=Verdict.NOT_WORSE,
            fill_regressed=0.02,
            fill_not_worse=1.0,
            forecast_s=None,
            text="new is not worse than 2x legacy",
        ),
        signal("slow", "Slower than 200 ms", legacy=(61, 5400), new=(19, 1800), limit_pct=None),
        signal(
            "logins",
            "Failed logins",
            legacy=(3, 400),
            new=(1, 130),
            fill_regressed=0.0,
            fill_not_worse=0.22,
            limit_pct=10,
            forecast_s=1500,
        ),
    )


def line(
    seq: int, seconds_ago: float, actor: str, kind: str, text: str, level: Level = Level.NOTE
) -> JournalLine:
    return JournalLine(seq=seq, at=ago(seconds_ago), actor=actor, kind=kind, text=text, level=level)


_TAIL: Final = (
    line(31, 3900, "ines@bastion-2", "flight.opened", "flight opened: Learning platform to Convex"),
    line(32, 3300, "ines@bastion-2", "flag.asked", "convex_courses asked for 10% (was 0%)"),
    line(33, 3299, "cockpit", "write.outcome", "convex_courses set to 10%: done in 0.04 s"),
    line(34, 3298, "cockpit", "flag.seen", "convex_courses seen at 10%", Level.OK),
    line(35, 2400, "cockpit", "verdict.changed", "errors UNDECIDED -> NOT WORSE", Level.OK),
    line(36, 1620, "ines@bastion-2", "note.added", "support says no new tickets since 02:30"),
    line(37, 1321, "ines@bastion-2", "flag.asked", "convex_courses asked for 25% (was 10%)"),
    line(38, 1320, "cockpit", "write.outcome", "convex_courses set to 25%: done in 0.05 s"),
    line(39, 1319, "cockpit", "flag.seen", "convex_courses seen at 25%", Level.OK),
    line(40, 1290, "cockpit", "flag.seen", "observed share reached 25% after 29 s", Level.OK),
)


def calm() -> Snapshot:
    """Everything is well, mid-rollout, nothing to do."""
    return Snapshot(
        seq=812,
        engine_at=ago(0.4),
        started_at=ago(3900),
        mode=Mode.LIVE,
        read_only=False,
        operator="ines",
        host="bastion-2",
        plan_title="Learning platform to Convex",
        environment="production",
        plan_digest="9f2c41d07be2",
        plan_source="/etc/cutover/lms.toml",
        budget_s=900,
        escalate_after_s=720,
        no_return_at=ahead(14 * 86400),
        flags=_flags(),
        backends=_backends(),
        signals=_signals(),
        reasons=(),
        level=Level.OK,
        first_breach_at=None,
        proposal=None,
        rollback=None,
        rollbacks_closed=0,
        last_closed=None,
        journal=JournalHealth(ok=True, path="/home/ines/.local/state/cockpit/lms.db", last_seq=40),
        tail=_TAIL,
        commands=(),
        host_status=HostStatus(
            host="bastion-2",
            load_1m=0.42,
            cpus=4,
            memory_used_pct=37.5,
            own_rss_mib=58.2,
            loop_lag_ms=1.4,
            clock_skew_s=0.012,
            sampled_at=ago(3),
        ),
        plan_change=None,
    )


def ramping() -> Snapshot:
    """A forward write was accepted and is propagating: asked and configured agree, observed follows."""
    base = calm()
    moving = flag(
        "convex_courses",
        100,
        title="Course pages",
        asked=100,
        observed_pct=61.4,
        stage=2,
        agreement=Agreement.PROPAGATING,
        differs_since=ago(12),
    )
    reason = Reason(
        level=Level.NOTE,
        subject="convex_courses",
        what="waiting for traffic to follow",
        value="61.4%",
        limit="100%",
        since=ago(12),
    )
    return replace(base, flags=(moving, *base.flags[1:]), reasons=(reason,), level=Level.NOTE)


_UNREACHABLE: Final = Failure(
    title="no answer within 5 s",
    detail="connect timeout to 10.4.0.17:4242",
    fault=Fault.NETWORK,
)


def unknown_all() -> Snapshot:
    """The first second of a flight in which nothing answers: nothing was ever seen."""
    base = calm()
    return replace(
        base,
        flags=tuple(
            flag(
                item.key,
                None,
                title=item.title,
                stage=None,
                agreement=Agreement.UNKNOWN,
                failure=_UNREACHABLE,
            )
            for item in base.flags
        ),
        backends=tuple(
            replace(
                backend,
                health=Health.UNKNOWN,
                probes=tuple(
                    probe(item.name, item.side, health=None, failure=_UNREACHABLE, history=())
                    for item in backend.probes
                ),
            )
            for backend in base.backends
        ),
        signals=tuple(
            signal(
                item.name,
                item.title,
                legacy=None,
                new=None,
                verdict=Verdict.UNKNOWN,
                fill_regressed=0,
                fill_not_worse=0,
                forecast_s=None,
                limit_pct=item.limit_pct,
                failure=_UNREACHABLE,
            )
            for item in base.signals
        ),
        reasons=(
            Reason(
                level=Level.UNKNOWN,
                subject="flag service unleash",
                what="cannot see: no answer within 5 s",
                since=ago(31),
            ),
            Reason(
                level=Level.UNKNOWN, subject="monitor prometheus", what="cannot see: no answer within 5 s"
            ),
        ),
        level=Level.UNKNOWN,
        host_status=None,
    )


def stale() -> Snapshot:
    """Values that were good once and are 16 s old at a 5 s interval: stale, not yet unknown."""
    base = calm()
    return replace(
        base,
        flags=tuple(
            replace(
                item,
                configured=replace(
                    item.configured, observed_at=ago(16), failure=_UNREACHABLE, failing_since=ago(11)
                ),
            )
            for item in base.flags
        ),
        backends=tuple(
            replace(
                backend,
                probes=tuple(
                    replace(item, reading=replace(item.reading, observed_at=ago(16), failure=_UNREACHABLE))
                    for item in backend.probes
                ),
            )
            for backend in base.backends
        ),
        level=Level.WARN,
    )


def regressed() -> Snapshot:
    """The new side is worse: REGRESSED, a hard limit breached, a probe down, a rollback proposed."""
    base = calm()
    legacy, new = base.backends
    sick = probe(
        "functions",
        Side.NEW,
        health=Health.DOWN,
        latency_ms=None,
        detail="503 Service Unavailable",
        kind="convex",
        history=(9, 10, 12, 30, 140, None, None, None),
    )
    slow = probe("api", Side.NEW, health=Health.DEGRADED, latency_ms=812, detail="slower than 500 ms")
    errors = signal(
        "errors",
        "Failed requests",
        legacy=(42, 5400),
        new=(139, 1800),
        verdict=Verdict.REGRESSED,
        fill_regressed=1.0,
        fill_not_worse=0.0,
        limit_breached=True,
        forecast_s=None,
        text="new fails 9.9x as often as legacy",
    )
    return replace(
        base,
        backends=(legacy, replace(new, health=Health.DOWN, probes=(slow, sick, new.probes[2]))),
        signals=(errors, *base.signals[1:]),
        reasons=(
            Reason(
                level=Level.BAD,
                subject="errors",
                what="new side REGRESSED",
                value="7.72%",
                limit="5%",
                since=ago(94),
            ),
            Reason(
                level=Level.BAD,
                subject="new functions",
                what="probe DOWN",
                value="503 Service Unavailable",
                since=ago(41),
            ),
            Reason(level=Level.WARN, subject="new api", what="slow", value="812 ms", limit="500 ms"),
        ),
        level=Level.BAD,
        first_breach_at=ago(94),
        proposal=Proposal(
            signal="errors",
            text="new fails 9.9x as often as legacy",
            value="7.72%",
            limit="5%",
            since=ago(94),
        ),
        tail=(
            *base.tail,
            line(41, 94, "cockpit", "limit.breached", "errors 7.72% above 5%", Level.BAD),
            line(42, 94, "cockpit", "proposal.raised", "rollback proposed: errors REGRESSED", Level.BAD),
            line(43, 41, "cockpit", "probe.changed", "new functions OK -> DOWN", Level.BAD),
        ),
    )


def foreign() -> Snapshot:
    """Somebody else raised a flag from 10 to 100 percent in the service's own console."""
    base = calm()
    moved = flag(
        "convex_resources",
        100,
        title="Resource library",
        asked=10,
        observed_pct=97.5,
        stage=0,
        agreement=Agreement.DIFFER,
        differs_since=ago(48),
        foreign=ForeignChange(at=ago(48), before="10%", after="100%", who="m.kolb", raised=True),
    )
    return replace(
        base,
        flags=(base.flags[0], moved, base.flags[2]),
        reasons=(
            Reason(
                level=Level.BAD,
                subject="convex_resources",
                what="raised by m.kolb, not by us",
                value="100%",
                limit="10%",
                since=ago(48),
            ),
        ),
        level=Level.BAD,
    )


def engine_silent() -> Snapshot:
    """The engine stopped 12 s ago: calm values, everything that much older."""
    return shifted(calm(), 12)


def read_only() -> Snapshot:
    base = calm()
    return replace(
        base,
        mode=Mode.WATCH,
        read_only=True,
        operator="",
        flags=tuple(replace(item, writable=False) for item in base.flags),
    )


def demo() -> Snapshot:
    return replace(
        calm(),
        mode=Mode.DEMO,
        environment="practice",
        plan_title="Practice world",
        hint="Press A to send 25% to the new side; faults begin two minutes later. R rolls back.",
    )


def drill() -> Snapshot:
    return replace(regressed(), mode=Mode.DRILL, environment="practice", plan_title="Drill: error burst")


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


def rolling_back(*, elapsed_s: float = 192, settled: int = 4) -> Snapshot:
    """A rollback of all flags, `elapsed_s` after declare: flags at zero, traffic still draining."""
    base = regressed()
    flags = tuple(
        replace(
            flag(
                item.key,
                0,
                title=item.title,
                asked=0,
                observed_pct=3.1 if item.stage != -1 else 0,
                stage=-1,
                agreement=Agreement.PROPAGATING,
            ),
            depends_on=item.depends_on,
        )
        for item in base.flags
    )
    rollback = Rollback(
        id="rb-1",
        flags=tuple(item.key for item in flags),
        whole=True,
        declared_at=ago(elapsed_s),
        deadline_at=ahead(900 - elapsed_s),
        escalate_at=ahead(720 - elapsed_s),
        declared_by="ines@bastion-2",
        reason="errors 7.72% above 5%",
        first_breach_at=ago(elapsed_s + 94),
        flips=tuple(
            Flip(
                flag=item.key,
                layer=0 if item.depends_on else 1,
                state=FlipState.AT_ZERO,
                before=before,
                attempts=1,
                at_zero_at=ago(elapsed_s - 1),
                changed_at=ago(elapsed_s - 1),
                share_pct=3.1,
            )
            for item, before in zip(flags, (Percent(2500), Percent(1000), Percent(0)), strict=True)
        ),
        steps=steps(settled, elapsed_s=elapsed_s),
        cut_mark=CutMark(at=ago(elapsed_s), counters=(("courses written", 18231.0),)),
    )
    return replace(base, flags=flags, rollback=rollback, proposal=None)


def overrun() -> Snapshot:
    """A rollback that is 75 s past its deadline."""
    return rolling_back(elapsed_s=975, settled=5)


def hostile(text: str) -> Snapshot:
    """Every free text field of a busy snapshot is `text`, as if nothing had been cleaned."""
    base = replace(
        rolling_back(),
        hint=text,
        proposal=regressed().proposal,
        flags=(
            replace(foreign().flags[1], writing_text=text, held_by=text, held_reason=text),
            *unknown_all().flags[1:],
        ),
    )
    poisoned = _poison(base, text)
    assert isinstance(poisoned, Snapshot)
    return poisoned


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


def _poison(value: Any, text: str) -> Any:
    """A copy of a value with every plain `str` replaced, enums and step ids kept."""
    if type(value) is str:
        return text
    if isinstance(value, tuple):
        return tuple(_poison(item, text) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        changes = {
            field.name: _poison(getattr(value, field.name), text)
            for field in fields(value)
            if field.name not in _KEEP
        }
        return replace(value, **changes)
    return value


EVERY: Final[tuple[Callable[[], Snapshot], ...]] = (
    calm,
    ramping,
    unknown_all,
    stale,
    regressed,
    foreign,
    engine_silent,
    read_only,
    demo,
    drill,
    rolling_back,
    overrun,
)
