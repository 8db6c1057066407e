"""A wall clock that jumps is told from time that passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.clean import FULL
from cockpit.core.clocks import JUMP_S, ClockPair, along, jump
from cockpit.core.events import Kind
from cockpit.core.model import FlagValue, Freshness, Reading
from cockpit.core.rollback import Rollback
from tests.core.rollback_sim import Sim

START = ClockPair(wall=datetime(2026, 11, 20, 3, tzinfo=UTC), steady_s=1000.0)


def later(passed_s: float, jumped_s: float = 0.0) -> ClockPair:
    wall = START.wall + timedelta(seconds=passed_s + jumped_s)
    return ClockPair(wall=wall, steady_s=START.steady_s + passed_s)


@given(passed_s=st.floats(0, 1e6))
def test_time_that_passes_is_no_jump(passed_s: float) -> None:
    assert jump(START, later(passed_s)) is None


@pytest.mark.parametrize("by_s", [600.0, -600.0, 3 * 86400.0, JUMP_S + 0.1])
def test_a_step_of_the_wall_clock_is_told_with_its_size(by_s: float) -> None:
    assert jump(START, later(0.25, by_s)) == pytest.approx(by_s)


def test_a_rollback_adds_up_what_its_clock_jumped_and_its_deadline_stays() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    deadline_at = sim.rollback.deadline_at
    sim.record(Kind.CLOCK_JUMPED, {"by_s": 600.0, "rollback": "r1"})
    sim.record(Kind.CLOCK_JUMPED, {"by_s": -30.0, "rollback": "r1"})
    assert sim.rollback.clock_jumped_s == 570.0
    assert sim.rollback.deadline_at == deadline_at
    assert sim.flight.clock_jump is not None and sim.flight.clock_jump[1] == -30.0


def declared() -> Sim:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    return sim


def at(rollback: Rollback, seconds: float) -> datetime:
    return rollback.declared_at + timedelta(seconds=seconds)


def test_a_clock_set_back_does_not_give_a_rollback_more_time() -> None:
    """100 s after declare the clock is set back 10 minutes: 800 s are left, whatever the wall clock says."""
    sim = declared()
    sim.record(Kind.CLOCK_JUMPED, {"by_s": -600.0, "rollback": "r1"})
    rollback = sim.rollback
    now = at(rollback, 100 - 600)
    assert rollback.wall_left(now) - rollback.steady_left(now) == timedelta(seconds=600)
    assert rollback.left(now) == rollback.steady_left(now)
    assert rollback.elapsed(now) == timedelta(seconds=100)
    assert not rollback.escalates(now)
    late = at(rollback, 721 - 600)
    assert rollback.escalates(late), "a person is paged when the time is over, not when the clock says so"


def test_a_clock_set_ahead_leaves_the_shorter_time_and_keeps_the_other() -> None:
    sim = declared()
    sim.record(Kind.CLOCK_JUMPED, {"by_s": 600.0, "rollback": "r1"})
    rollback = sim.rollback
    now = at(rollback, 100 + 600)
    assert rollback.left(now) == rollback.wall_left(now)
    assert rollback.steady_left(now) - rollback.left(now) == timedelta(seconds=600)
    assert rollback.elapsed(now) == timedelta(seconds=700)


def test_what_is_kept_keeps_its_age_when_the_clock_is_set_back() -> None:
    at_three = START.wall
    value = FlagValue(key="f", on=True, percent=FULL, changed_at=at_three)
    reading = Reading(value=value, observed_at=at_three, attempted_at=at_three, interval_s=5.0)
    now = at_three + timedelta(seconds=2) - timedelta(hours=1)
    assert reading.freshness(now) is Freshness.UNKNOWN
    kept = along({"f": (reading,)}, -3600.0)["f"][0]
    assert kept.freshness(now) is Freshness.FRESH and kept.age_s(now) == 2.0
    assert kept.value == value, "what the source said of its own times is no time of ours"
