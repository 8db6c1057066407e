"""The cut mark before a monitor's first answer: what is counted from then on, and what is never claimed."""

from __future__ import annotations

import pytest

from cockpit.core.events import Kind
from cockpit.core.report_left import open_items
from cockpit.core.report_rollback import rollback_record
from cockpit.core.rollback import IllegalEvent, StepState
from tests.core.rollback_sim import Sim


def cut_unseen() -> Sim:
    """The key was pressed before any monitor had answered."""
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 2500})
    sim.counters["writes"], sim.awaited = None, {"writes"}
    sim.declare()
    sim.turn()
    assert dict(sim.rollback.cut_mark.counters) == {"writes": None} if sim.rollback.cut_mark else False
    sim.awaited = set()
    return sim


def to_the_end(sim: Sim) -> None:
    for _ in range(8):
        for flag in list(sim.in_flight):
            sim.answer(flag, "done", lands=True)
        sim.read("writes")
        sim.observe("writes")
        sim.probe()
        sim.turn()


def test_what_could_not_be_counted_at_the_cut_is_counted_from_the_first_answer_on() -> None:
    sim = cut_unseen()
    sim.counters["writes"] = 100.0
    sim.turn()
    sim.counters["writes"] = 130.0
    to_the_end(sim)
    (delta,) = sim.rollback.deltas
    assert delta.count == 30.0
    assert delta.note.startswith("at least: counted from 03:00:")
    step = sim.rollback.step("reconcile")
    assert step.state is StepState.DONE and f"30 writes ({delta.note})" in step.evidence
    assert len([each for each in sim.journal if each.kind is Kind.ROLLBACK_COUNTED]) == 1


def test_a_first_answer_behind_the_drain_counts_nothing() -> None:
    """Nobody writes there any more: it would be a false zero."""
    sim = cut_unseen()
    to_the_end(sim)
    assert sim.rollback.step("drain").settled
    sim.counters["writes"] = 100.0
    to_the_end(sim)
    assert not sim.rollback.deltas
    assert sim.rollback.step("reconcile").state is StepState.FAILED


def test_a_zero_at_least_is_still_somebody_s_work() -> None:
    sim = cut_unseen()
    sim.counters["writes"] = 100.0
    to_the_end(sim)
    record = rollback_record(sim.journal[0], sim.journal, sim.now)
    assert [each.what for each in open_items(record) if "0 writes written" in each.what]


def test_what_the_cut_mark_counted_is_not_counted_again() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 2500})
    sim.declare()
    sim.turn()
    with pytest.raises(IllegalEvent, match="only what the cut mark could not count"):
        sim.record(Kind.ROLLBACK_COUNTED, {"rollback": "r1", "counters": [["writes", 1.0]]})
