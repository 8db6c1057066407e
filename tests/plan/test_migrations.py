"""The plans of two whole migrations say what those migrations say, and can be drilled."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from cockpit.cli.practising import stand_ins
from cockpit.core.clean import FULL
from cockpit.core.spec import Plan
from cockpit.engine.clock import SystemClock
from cockpit.plan.load import load
from cockpit.practice.scenarios import SCENARIOS
from cockpit.practice.server import PracticeServer
from cockpit.practice.staging import stage
from tests.plan.plans import KINDS, SAMPLES

LMS = load(SAMPLES / "lms-flags.toml", KINDS)
NEON = load(SAMPLES / "neon-auth.toml", KINDS)
BOTH = pytest.mark.parametrize("plan", (LMS, NEON), ids=("lms-flags", "neon-auth"))


def _stages(plan: Plan) -> dict[str, list[float]]:
    return {flag.key: [float(stage.percent.value) for stage in flag.stages] for flag in plan.flags}


def _needs(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {flag.key: flag.depends_on for flag in plan.flags if flag.depends_on}


def test_the_lms_has_four_switches_in_the_order_of_its_migration() -> None:
    assert _stages(LMS) == {
        "convex_resources": [100],
        "convex_favorites": [100],
        "convex_live_sessions": [100],
        "convex_courses": [100],
    }
    assert _needs(LMS) == {"convex_favorites": ("convex_resources",)}


def test_the_lms_moves_one_feature_at_a_time_by_signatures_that_bind_no_rollback() -> None:
    waits = {item.name: item.flags for item in LMS.checklist if item.flags}
    assert waits["library works"] == ("convex_live_sessions", "convex_courses")
    assert waits["sessions work"] == ("convex_courses",)
    assert waits["nobody in a lesson"] == ("convex_live_sessions",)


def test_the_lms_says_that_its_way_back_leads_to_invented_content() -> None:
    legacy = LMS.backends[0]
    assert legacy.title == "Mock data"
    assert "out of sight" in legacy.nature
    assert [counter.query for counter in LMS.rollback.write_counters] == [
        "table_size:purchases",
        "table_size:favorites",
        "table_size:sessionParticipants",
    ]


def test_the_lms_watches_its_only_figure() -> None:
    assert [(each.name, each.title) for each in LMS.signals] == [
        ("errors", "Pages that failed"),
        ("slow_pages", "Pages slower than 2 s"),
    ]


def test_neon_moves_sign_in_at_once_and_everything_else_by_account() -> None:
    gradual: list[float] = [5, 25, 100]
    assert _stages(NEON) == {
        "convex_auth": [100],
        "convex_actions": gradual,
        "convex_webhooks": gradual,
        "convex_sidekick": gradual,
        "convex_chat": gradual,
    }
    assert _needs(NEON) == {
        "convex_actions": ("convex_auth",),
        "convex_webhooks": ("convex_actions",),
        "convex_sidekick": ("convex_actions",),
        "convex_chat": ("convex_auth",),
    }


def test_neon_counts_every_table_on_both_sides() -> None:
    tables = [each.name for each in NEON.parity]
    assert len(tables) == len(set(tables)) == 17
    for each in NEON.parity:
        assert re.search(rf'FROM "?{each.name}"?( WHERE |$)', each.legacy.ask)
        assert f'{{"table":"{each.name}"}}' in each.new.ask
    assert [each.name for each in NEON.parity if not each.required] == ["verification", "session"]


def test_neon_asks_for_the_gates_its_migration_names() -> None:
    names = {item.name for item in NEON.checklist}
    assert names >= {"approval", "backup", "writes stopped", "environment", "events once"}
    environment = next(item for item in NEON.checklist if item.name == "environment").evidence
    for variable in ("BETTER_AUTH_SECRET", "BETTER_AUTH_URL", "GOOGLE_CLIENT_ID", "POLAR_ACCESS_TOKEN"):
        assert variable in environment
    assert "sign_in" in {signal.name for signal in NEON.signals}
    assert len(NEON.phases) == 8


@BOTH
def test_every_limit_speaks_where_nobody_is_left_to_compare_with(plan: Plan) -> None:
    assert all(signal.limit is not None for signal in plan.signals)
    assert all(flag.stages[-1].percent == FULL and flag.traffic is not None for flag in plan.flags)


@BOTH
def test_a_flag_inside_the_new_backend_has_a_second_lever(plan: Plan) -> None:
    assert [flag.key for flag in plan.flags if plan.falls_with_new(flag)] == []
    for flag in plan.flags:
        kind = next(each.kind for each in plan.flag_services if each.name == flag.service)
        assert kind != "convex_table" or flag.second is not None


@BOTH
def test_the_way_back_is_fifteen_minutes_and_ends_somewhere(plan: Plan) -> None:
    rollback = plan.rollback
    assert rollback.budget_s == 900
    assert rollback.point_of_no_return_at is not None
    assert [figure.unit for figure in rollback.ready] == ["s"]
    takes = [flag.second.takes_s for flag in plan.flags if flag.second]
    drain = next(step for step in rollback.steps if step.id == "drain")
    assert takes and all(each < drain.budget_s for each in takes)


@BOTH
def test_a_phase_without_checks_is_written_down_all_the_same(plan: Plan) -> None:
    assert {item.phase for item in plan.checklist} < set(plan.phases)


@BOTH
def test_every_drill_can_be_staged_and_no_figure_of_the_real_night_holds_it_up(plan: Plan) -> None:
    wanted = replace(plan, rollback=replace(plan.rollback, drill_within_s=86400.0))
    clock = SystemClock()
    for scenario in SCENARIOS.values():
        with PracticeServer(plan, seed=1, clock=clock) as practice:
            begun = practice.world.instant(practice.world.settle())
            assert stage(practice.world, scenario, plan) > begun + timedelta(seconds=1)
            flown = practice.rehome(wanted, stand_ins())
            for flag in flown.flags:
                assert practice.world.configured_pct(flag.key) > 0
            assert (flown.parity, flown.announce, flown.rollback.ready) == ((), (), ())
            assert flown.rollback.drill_within_s is None
            assert flown.rollback.steps == plan.rollback.steps
            assert flown.rollback.point_of_no_return_at is None
