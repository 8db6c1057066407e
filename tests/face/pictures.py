"""Whole snapshots for the face's tests and for looking at it: one builder per situation.

Every builder returns a full `Snapshot` as the engine would swap it in at `NOW`. Change single fields
with `dataclasses.replace`. The pieces are in `parts`, the clock and the port in `scripted`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cockpit.core.clean import Percent
from cockpit.core.history import Blank
from cockpit.core.model import (
    ForeignChange,
    Health,
    Mode,
    Side,
    Verdict,
)
from cockpit.core.rollback import CutMark, Flip, FlipState, Rollback
from cockpit.core.snapshot import (
    Agreement,
    BackendStatus,
    FlagStatus,
    GateResult,
    HostStatus,
    JournalHealth,
    Level,
    Proposal,
    Reason,
    SignalStatus,
    Snapshot,
)
from tests.face.parts import (
    HOSTILE,
    NOW,
    UNREACHABLE,
    ago,
    ahead,
    flag,
    line,
    past,
    poisoned,
    probe,
    shifted,
    signal,
    steps,
    wobble,
)
from tests.face.scripted import FakeClock, ScriptedPort

__all__ = [
    "EVERY",
    "HOSTILE",
    "NOW",
    "FakeClock",
    "ScriptedPort",
    "ago",
    "ahead",
    "calm",
    "demo",
    "drill",
    "engine_silent",
    "flag",
    "foreign",
    "hostile",
    "line",
    "overrun",
    "probe",
    "ramping",
    "read_only",
    "regressed",
    "rolling_back",
    "shifted",
    "signal",
    "stale",
    "steps",
    "unknown_all",
]


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
            legacy_history=past(*wobble(0.8, 90)),
            new_history=past(*wobble(0.6, 90)),
        ),
        signal(
            "slow",
            "Slower than 200 ms",
            legacy=(61, 5400),
            new=(19, 1800),
            limit_pct=None,
            legacy_history=past(*wobble(1.1, 40), *(Blank.NO_ANSWER,) * 4, *wobble(1.1, 46)),
            new_history=past(*(Blank.NO_EVENTS,) * 30, *wobble(1.0, 56), *(Blank.NO_ANSWER,) * 4),
        ),
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
                failure=UNREACHABLE,
            )
            for item in base.flags
        ),
        backends=tuple(
            replace(
                backend,
                health=Health.UNKNOWN,
                probes=tuple(
                    probe(item.name, item.side, health=None, failure=UNREACHABLE, history=())
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
                failure=UNREACHABLE,
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
                    item.configured, observed_at=ago(16), failure=UNREACHABLE, failing_since=ago(11)
                ),
            )
            for item in base.flags
        ),
        backends=tuple(
            replace(
                backend,
                probes=tuple(
                    replace(item, reading=replace(item.reading, observed_at=ago(16), failure=UNREACHABLE))
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
        legacy_history=past(*wobble(0.8, 90)),
        new_history=past(*wobble(0.7, 84), 1.3, 2.2, 4.1, 6.3, 7.4, 7.72),
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
            text="Failed requests: new fails 9.9x as often as legacy",
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
    whole = poisoned(base, text)
    assert isinstance(whole, Snapshot)
    return whole


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
