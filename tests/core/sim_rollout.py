"""A rollout in which every gate is met, as parts that a test can change one at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from cockpit.core.clean import Percent
from cockpit.core.model import FlagValue, Health, ProbeValue, Quality, Reading, Side, Verdict
from cockpit.core.rollout import FlagFacts, Situation
from cockpit.core.snapshot import Agreement, Evidence, GateResult, ProbeStatus, Share, SideRate, SignalStatus
from cockpit.core.spec import (
    BackendSpec,
    FlagSpec,
    HardLimit,
    PairQuery,
    Plan,
    ProbeSpec,
    RollbackSpec,
    SignalSpec,
    Stage,
    TrafficQuery,
)
from tests.core.sim_traffic import START

NOW: datetime = START + timedelta(hours=1)


def pct(value: float) -> Percent:
    return Percent.parse(value)


CHAT = FlagSpec(
    key="chat",
    title="Chat",
    service="flags",
    stages=(
        Stage(percent=pct(5), cohort="staff", hold_s=600),
        Stage(percent=pct(25), hold_s=1800),
        Stage(percent=pct(100)),
    ),
    depends_on=("login",),
    traffic=TrafficQuery(monitor="prom", legacy="l", new="n"),
)
LOGIN = FlagSpec(
    key="login", title="Login", service="flags", stages=(Stage(percent=pct(5)), Stage(percent=pct(100)))
)
ERRORS = SignalSpec(
    name="errors",
    title="Errors",
    monitor="prom",
    legacy=PairQuery(bad="lb", total="lt"),
    new=PairQuery(bad="nb", total="nt"),
    limit=HardLimit(max_pct=5),
)


def probe_spec(side: Side, name: str = "ready", *, required: bool = True) -> ProbeSpec:
    return ProbeSpec(
        name=name,
        kind="http",
        side=side,
        settings=None,
        interval_s=5,
        timeout_s=2,
        required=required,
        passes=3,
    )


PLAN = Plan(
    title="Move",
    environment="production",
    flag_services=(),
    monitors=(),
    backends=tuple(BackendSpec(side=side, title=side.value, probes=(probe_spec(side),)) for side in Side),
    flags=(CHAT, LOGIN),
    signals=(ERRORS,),
    rollback=RollbackSpec(),
)


T = TypeVar("T")


def fresh(value: T, *, age_s: float = 1.0) -> Reading[T]:
    return Reading(value=value, observed_at=NOW - timedelta(seconds=age_s), interval_s=5.0)


def flag_value(percent: float | None, *, on: bool = True, complexities: tuple[str, ...] = ()) -> FlagValue:
    stored = pct(percent) if percent is not None else None
    return FlagValue(key="chat", on=on, percent=stored, complexities=complexities)


def share_of(percent: float, events: float = 10_000) -> Share:
    new = events * percent / 100
    return Share(percent=pct(percent), legacy_events=events - new, new_events=new, window_s=15)


def facts(spec: FlagSpec = CHAT, percent: float = 5) -> FlagFacts:
    return FlagFacts(
        spec=spec,
        asked=pct(percent),
        configured=fresh(flag_value(percent)),
        observed=fresh(share_of(percent)),
        agreement=Agreement.AGREE,
        stage_since=NOW - timedelta(minutes=30),
        writable=True,
    )


def probe_status(
    side: Side, health: Health = Health.OK, *, passes: int = 3, name: str = "ready"
) -> ProbeStatus:
    return ProbeStatus(
        name=name,
        kind="http",
        side=side,
        required=True,
        reading=fresh(ProbeValue(health=health, detail="503" if health is Health.DOWN else "")),
        history=(),
        passes=passes,
    )


def evidence_of(verdict: Verdict, **changes: object) -> Evidence:
    seen = Evidence(
        verdict=verdict,
        e_regressed=1,
        e_not_worse=1,
        threshold=100,
        fill_regressed=0,
        fill_not_worse=0,
        bad_legacy=9,
        bad_new=1,
        total_legacy=900,
        total_new=100,
        warning=False,
        text="what was seen",
        forecast_s=None,
        since=None,
    )
    return replace(seen, **changes)  # type: ignore[arg-type]  # fields by name


def signal_status(verdict: Verdict = Verdict.NOT_WORSE, **changes: object) -> SignalStatus:
    rate = SideRate(bad=1, total=100, quality=Quality.GOOD)
    return SignalStatus(
        name="errors",
        title="Errors",
        legacy=rate,
        new=rate,
        reading=fresh(1.0),
        evidence=evidence_of(verdict, **changes),
        limit_pct=5,
        limit_breached=False,
        limit_text="new 1.0% within limit 5%",
        window_s=60,
        required=True,
        proposes_rollback=True,
    )


def situation() -> Situation:
    """Chat is at 5 %, login at 100 %: chat may go to 25 %."""
    return Situation(
        now=NOW,
        plan=PLAN,
        flags=(facts(), facts(LOGIN, 100)),
        probes=tuple(probe_status(side) for side in Side),
        signals=(signal_status(),),
        parity=(),
        checklist=(),
        way_back=(),
        journal_ok=True,
        rollback_open=False,
    )


def with_chat(now: Situation, **changes: object) -> Situation:
    chat, *others = now.flags
    return replace(now, flags=(replace(chat, **changes), *others))  # type: ignore[arg-type]  # fields by name


def unmet(results: tuple[GateResult, ...]) -> dict[str, GateResult]:
    return {result.name: result for result in results if not result.met}
