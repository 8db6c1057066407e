"""The AI Tutor's two plans: blue-green, feature by feature, and the bake after a report that all is done."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cockpit.cli.practising import stand_ins
from cockpit.core.clean import FULL
from cockpit.core.spec import Plan
from cockpit.engine.clock import SystemClock
from cockpit.plan.load import load
from cockpit.practice.queries import LEAST_LIMIT_PCT
from cockpit.practice.scenarios import SCENARIOS
from cockpit.practice.server import PracticeServer
from cockpit.practice.staging import stage
from tests.plan.plans import KINDS, SAMPLES

BOTH = ("tutor-bluegreen.toml", "tutor-bake.toml")


def plan_of(name: str) -> Plan:
    return load(SAMPLES / name, KINDS)


def order(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {flag.key: flag.depends_on for flag in plan.flags}


def test_bluegreen_moves_features_in_the_order_of_their_dependencies() -> None:
    assert order(plan_of("tutor-bluegreen.toml")) == {
        "tutor_auth": (),
        "tutor_sessions": ("tutor_auth",),
        "tutor_socket": ("tutor_sessions",),
        "tutor_whiteboard": ("tutor_sessions",),
        "tutor_agents": ("tutor_sessions", "tutor_socket"),
        "tutor_api": ("tutor_agents",),
        "tutor_boards": ("tutor_whiteboard", "tutor_agents"),
        "tutor_uploads": ("tutor_agents",),
        "tutor_jobs": ("tutor_api", "tutor_uploads"),
    }


def test_bluegreen_has_the_45_checks_in_nine_groups_and_phases_without_any() -> None:
    plan = plan_of("tutor-bluegreen.toml")
    groups = Counter(item.phase for item in plan.checklist)
    assert set(groups.values()) == {5}
    assert len(groups) == 9
    bare = [phase for phase in plan.phases if phase not in groups]
    assert [phase.split()[0] for phase in bare] == ["4.2", "4.3", "5", "6", "7"]
    loads = {item.title for item in plan.checklist if item.valid_s}
    assert loads == {"100 session operations at once", "50 sockets at once"}


def test_bluegreen_pulls_the_balancer_when_convex_is_down() -> None:
    plan = plan_of("tutor-bluegreen.toml")
    for flag in plan.flags:
        assert flag.service == "table"
        assert flag.second is not None
        assert flag.second.service == "balancer"
        assert not plan.falls_with_new(flag)


def test_bake_moves_the_four_phases_and_bakes_two_weeks() -> None:
    plan = plan_of("tutor-bake.toml")
    assert order(plan) == {
        "tutor_realtime": (),
        "tutor_sessions": ("tutor_realtime",),
        "tutor_agents": ("tutor_sessions",),
        "tutor_endpoints": ("tutor_agents",),
    }
    days = [stage.hold_s / 86_400 for flag in plan.flags for stage in flag.stages]
    assert days[-1] == 14 and sum(days) == 21, (
        "each waits for the one before: weeks 10 to 12, the last two baked"
    )


def test_bake_judges_by_the_figures_of_the_report() -> None:
    plan = plan_of("tutor-bake.toml")
    limits = {each.name: each.limit.max_pct for each in plan.signals if each.limit is not None}
    assert limits == {"uptime": 0.1, "errors": 5, "streaming": 5, "sessions": 5, "core": 5}
    titles = " ".join(each.title for each in plan.signals)
    assert all(figure in titles for figure in ("99.9 %", "200 ms", "100 ms"))
    assert all(item.evidence for item in plan.checklist), "a tick is no measurement"


def test_bake_stands_on_what_the_way_back_needs() -> None:
    rollback = plan_of("tutor-bake.toml").rollback
    assert [each.name for each in rollback.ready] == ["python", "reverse sync", "backup"]
    assert rollback.drill_within_s == 14 * 86_400


@pytest.mark.parametrize("name", BOTH)
def test_a_switch_is_on_one_side_or_the_other(name: str) -> None:
    plan = plan_of(name)
    for flag in plan.flags:
        assert [stage.percent for stage in flag.stages] == [FULL]
        assert flag.second is not None
        assert flag.traffic is not None
        assert f'flag="{flag.key}"' in flag.traffic.legacy
        assert f'flag="{flag.key}"' in flag.traffic.new
    assert plan.rollback.budget_s == 900
    assert plan.rollback.point_of_no_return_at is not None
    assert max(step.budget_s for step in plan.rollback.steps) <= 900


@pytest.mark.parametrize("name", BOTH)
def test_it_can_be_drilled(name: str) -> None:
    plan = plan_of(name)
    with PracticeServer(plan, seed=1, clock=SystemClock()) as practice:
        at_home = practice.rehome(plan, stand_ins())
        for scenario in SCENARIOS.values():
            stage(practice.world, scenario, plan)
            assert {practice.world.configured_pct(flag.key) for flag in plan.flags} == {100}
            practice.world.clear()
    assert {each.kind for each in at_home.monitors} == {"prometheus"}
    assert {each.kind for each in at_home.flag_services} <= {"unleash", "convex_table"}
    assert (at_home.stores, at_home.parity, at_home.announce) == ((), (), ())


def test_a_drill_asks_for_nothing_that_only_production_has() -> None:
    """What only production can answer would hold every forward move, or propose a rollback in good health."""
    plan = plan_of("tutor-bake.toml")
    plan = replace(
        plan,
        rollback=replace(
            plan.rollback,
            point_of_no_return_at=datetime(2020, 1, 1, tzinfo=UTC),
        ),
    )
    with PracticeServer(plan, seed=1, clock=SystemClock()) as practice:
        at_home = practice.rehome(plan, stand_ins())
    assert at_home.rollback.ready == ()
    assert at_home.rollback.point_of_no_return_at is None
    assert at_home.rollback.drill_within_s is None
    assert {each.limit.max_pct for each in at_home.signals if each.limit is not None} == {LEAST_LIMIT_PCT}
    assert at_home.flags[0].second == plan.flags[0].second
