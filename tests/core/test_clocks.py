"""A wall clock that jumps is told from time that passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.clocks import JUMP_S, ClockPair, jump
from cockpit.core.events import Kind
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
