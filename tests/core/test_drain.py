"""Drain gauges: what counts as drained, and that nothing but the step drain waits for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cockpit.core.acts import Facts, Record
from cockpit.core.drain import DrainGauge, concerned, drained_words, is_drained, low_in_a_row, undrained
from cockpit.core.events import Kind
from cockpit.core.model import Failure, Reading, Side
from cockpit.core.rollback_steps import decide
from cockpit.core.spec import RollbackSpec
from tests.core.rollback_sim import Sim

SPEC = RollbackSpec()


def gauge(
    sim: Sim, *polls: tuple[int, float | None], side: Side = Side.NEW, age_s: float = 0.0
) -> DrainGauge:
    """Open sockets, none allowed; the newest reading is the newest number of the polls."""
    numbers = [value for _, value in polls if value is not None]
    seen_at = sim.now - timedelta(seconds=age_s)
    reading: Reading[float] = Reading(value=numbers[-1], observed_at=seen_at) if numbers else Reading()
    return DrainGauge(name="sockets", side=side, below=1, reading=reading, polls=polls)


def traffic_gone() -> Sim:
    """One flag, re-read at zero and its traffic seen to be gone; only the sim's own facts were asked."""
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    sim.turn()
    sim.answer("writes", "done", lands=True)
    sim.read("writes")
    sim.turn()
    sim.observe("writes")
    sim.observe("writes")
    return sim


def settles(sim: Sim, *gauges: DrainGauge) -> tuple[bool, str]:
    """Whether the step drain is done with these gauges, once its traffic is known to be gone."""
    world: Facts = replace(sim.world(), gauges=gauges)
    for _ in range(9):
        acts = [act for act in decide(sim.rollback, world, SPEC, sim.now) if isinstance(act, Record)]
        for act in acts:
            sim.record(act.kind, act.body)
            if act.kind is Kind.STEP_DONE and act.body["step"] == "drain":
                return True, str(act.body["evidence"])
    return False, ""


def test_without_gauges_the_traffic_alone_decides() -> None:
    assert settles(traffic_gone()) == (True, "1 observed below 0.5%")


def test_a_drained_gauge_stands_in_the_evidence() -> None:
    sim = traffic_gone()
    since = sim.flight.last_seq
    said = "1 observed below 0.5%; sockets 0 (below 1)"
    assert settles(sim, gauge(sim, (since, 0.0), (since, 0.0))) == (True, said)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param((3.0, 2.0), id="above"),
        pytest.param((0.0, 1.0), id="at the limit"),
        pytest.param((1.0, 0.0), id="low only once"),
        pytest.param((0.0, None, 0.0), id="not seen in between"),
        pytest.param((0.0, 0.0, None), id="not seen at last"),
        pytest.param((float("nan"), float("nan")), id="not a number"),
        pytest.param((), id="never"),
    ],
)
def test_the_step_waits_while_the_new_side_is_not_seen_low(values: tuple[float | None, ...]) -> None:
    sim = traffic_gone()
    assert not settles(sim, gauge(sim, *((sim.flight.last_seq, value) for value in values)))[0]


def test_what_was_read_before_the_flip_proves_nothing() -> None:
    sim = traffic_gone()
    before = sim.rollback.flips[0].at_zero_seq - 1
    assert not settles(sim, gauge(sim, (before, 0.0), (before, 0.0)))[0]


def test_an_old_reading_proves_nothing() -> None:
    sim = traffic_gone()
    seq = sim.flight.last_seq
    assert not settles(sim, gauge(sim, (seq, 0.0), (seq, 0.0), age_s=60))[0]


def test_legacys_own_gauge_is_only_shown() -> None:
    sim = traffic_gone()
    assert settles(sim, gauge(sim, (sim.flight.last_seq, 900.0), side=Side.LEGACY)) == (
        True,
        "1 observed below 0.5%",
    )


def test_one_gauge_of_two_is_enough_to_wait() -> None:
    sim = traffic_gone()
    seq = sim.flight.last_seq
    good, blind = gauge(sim, (seq, 0.0), (seq, 0.0)), replace(gauge(sim), name="jobs")
    assert [each.name for each in undrained((good, blind), sim.rollback, sim.now)] == ["jobs"]
    assert not settles(sim, good, blind)[0]


def test_a_gauge_that_nobody_can_read_holds_no_flag_and_no_other_step() -> None:
    """Acts with a blind gauge and without any are the same, until the drain would be done."""
    trouble: Reading[float] = Reading(failure=Failure(title="no data"))
    sim = Sim(depends_on={"writes": (), "reads": ("writes",)}, truth={"writes": 1000, "reads": 500})
    sim.declare()
    for _ in range(4):
        world = sim.world()
        blind = replace(world, gauges=(replace(gauge(sim), reading=trouble),))
        assert decide(sim.rollback, blind, SPEC, sim.now) == decide(sim.rollback, world, SPEC, sim.now)
        sim.turn()
        for flag in list(sim.in_flight):
            sim.answer(flag, "done", lands=True)
            sim.read(flag)
    assert sim.rollback.flipped


def test_a_row_ends_with_the_first_poll_that_was_not_low() -> None:
    sim = traffic_gone()
    seen = gauge(sim, (5, 0.0), (6, 4.0), (7, 0.5), (8, 0.0))
    assert (low_in_a_row(seen, 5), low_in_a_row(seen, 8), low_in_a_row(seen, None)) == (2, 1, 0)
    assert is_drained(seen, 5, sim.now) and not is_drained(seen, 8, sim.now)


def test_old_pages_hold_the_rollback_of_their_own_flag_alone() -> None:
    sim = traffic_gone()
    seq = sim.flight.last_seq
    own, other = (
        replace(gauge(sim), name="own", flag="writes"),
        replace(gauge(sim), name="other", flag="reads"),
    )
    assert [each.name for each in concerned((own, other, gauge(sim)), sim.rollback)] == ["own", "sockets"]
    assert [each.name for each in undrained((own, other), sim.rollback, sim.now)] == ["own"]
    gone = replace(gauge(sim, (seq, 3.0), (seq, 0.0), (seq, 0.0)), name="own", flag="writes")
    assert drained_words((gone, replace(gone, flag="reads")), sim.rollback) == "own 0 (below 1)"
    assert settles(sim, gone, other) == (True, "1 observed below 0.5%; own 0 (below 1)")
