"""What could keep a rollback from its end, or call it further than it is: the pure machine, provoked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from cockpit.core.acts import Action, Facts, FlagFact, Write
from cockpit.core.events import Kind
from cockpit.core.model import Health
from cockpit.core.rollback import FlipState, StepState
from cockpit.core.rollback_flip import UNSEEN_LIMIT_S
from cockpit.core.rollback_steps import decide
from tests.core.rollback_sim import SPEC, Sim

PAIR = {"writes": (), "reads": ("writes",)}


def declared(**truth: int) -> Sim:
    sim = Sim(depends_on=PAIR, truth={"writes": 2500, "reads": 2500, **truth})
    sim.declare()
    return sim


def test_a_flag_that_was_written_but_cannot_be_read_again_does_not_hold_the_others_for_ever() -> None:
    """Its service answers no read any more. Without a limit `writes` would stay at 25 % for good."""
    for outcome in ("done", "unknown"):
        sim = declared()
        sim.turn()
        sim.answer("reads", outcome, lands=True)
        sim.turn()
        assert "writes" not in sim.in_flight, "first the reads, while they may still be seen"
        sim.now += timedelta(seconds=UNSEEN_LIMIT_S + 1)
        sim.turn()
        assert "writes" in sim.in_flight


def test_a_flag_that_left_the_plan_does_not_hold_the_others_for_ever() -> None:
    """The cockpit was started again on an edited plan while the rollback was open."""
    sim = declared()
    world = sim.world()
    known = {"writes": world.flags["writes"]}
    acts = decide(sim.rollback, replace(world, flags=known), SPEC, sim.now)
    assert "writes" in [act.flag for act in acts if isinstance(act, Write)]


def test_a_zero_that_is_read_while_a_forward_write_may_still_land_is_no_proof() -> None:
    """The forward write was given up unanswered: it may land after any read, so the flag is killed."""
    sim = declared(reads=0)
    sim.read("reads")
    unsettled = replace(sim.facts["reads"], forward_unsettled=True)
    facts = replace(sim.world(), flags={**sim.world().flags, "reads": unsettled})
    acts = decide(sim.rollback, facts, SPEC, sim.now)
    assert "reads" in [act.flag for act in acts if isinstance(act, Write)]
    assert Kind.FLAG_SEEN not in [getattr(act, "kind", None) for act in acts]


def run_to_the_end(sim: Sim) -> None:
    for _ in range(8):
        sim.turn()
        for flag in list(sim.in_flight):
            sim.answer(flag, "done", lands=True)
        for flag in sim.depends_on:
            sim.read(flag)
            sim.observe(flag)
        sim.probe()
    sim.turn()


def test_a_flag_that_somebody_raised_again_opens_count_and_verification_again() -> None:
    """Users were on the new side once more: what they wrote there is not in the first count."""
    sim = declared()
    run_to_the_end(sim)
    assert sim.rollback.step("reconcile").state is StepState.DONE
    assert sim.rollback.step("verify").state is StepState.DONE
    sim.truth["reads"] = 2500
    sim.read("reads")
    sim.turn()
    assert not sim.rollback.step("reconcile").settled
    assert not sim.rollback.step("verify").settled
    sim.counters["writes"] = 60.0
    run_to_the_end(sim)
    assert [delta.count for delta in sim.rollback.deltas] == [50.0]
    assert "50 writes" in sim.rollback.step("reconcile").evidence


def test_writes_are_counted_by_a_reading_that_began_after_the_drain() -> None:
    """A counter read every minute is fresh for two: its old value would leave the last writes out."""
    sim = declared()
    old = sim.flight.last_seq
    for _ in range(8):
        sim.turn()
        for flag in list(sim.in_flight):
            sim.answer(flag, "done", lands=True)
        for flag in sim.depends_on:
            sim.read(flag)
            sim.observe(flag)
        acts = decide(sim.rollback, replace(sim.world(), counted_after={"writes": old}), SPEC, sim.now)
        assert Kind.ROLLBACK_DELTA not in [getattr(act, "kind", None) for act in acts]
        if sim.rollback.step("drain").settled:
            break
    assert sim.rollback.step("drain").settled


def test_writes_are_not_called_uncountable_before_anybody_asked() -> None:
    """A cockpit that was started again after the drain has no reading yet; its first poll is on its way."""
    sim = declared()
    sim.turn()
    sim.crash()
    counted, sim.counters["writes"], sim.awaited = sim.counters["writes"], None, {"writes"}
    run_to_the_end(sim)
    assert sim.rollback.step("drain").settled
    assert sim.rollback.step("reconcile").state is StepState.RUNNING
    sim.awaited = set()
    sim.turn()
    assert sim.rollback.step("reconcile").state is StepState.FAILED, "now it was asked, and is not known"
    sim.counters["writes"] = counted
    sim.turn()
    assert sim.rollback.step("reconcile").state is StepState.DONE


def test_a_cockpit_that_dies_with_every_write_is_not_taken_for_a_refusal() -> None:
    """Whoever is started next tries again, however often: no service has said no."""
    sim = declared()
    for _ in range(5):
        sim.turn()
        assert "reads" in sim.in_flight
        sim.crash()
        sim.read("reads")
    assert sim.rollback.flip_begun, "a write may have left"
    for _ in range(2):
        sim.turn()
        sim.answer("reads", "refused", lands=False)
    sim.turn()
    assert "reads" not in sim.in_flight
    assert next(flip for flip in sim.rollback.flips if flip.flag == "reads").exhausted


def test_a_stored_percentage_whose_write_died_with_its_cockpit_is_stored_again() -> None:
    sim = declared(reads=0, writes=0)
    for flag in ("reads", "writes"):
        sim.read(flag)
    sim.turn()
    sim.crash()
    assert sim.rollback.flip_begun
    sim.turn()
    assert {order.action for order in sim.in_flight.values()} == {Action.ZERO}
    sim.answer("reads", "unknown", lands=False)
    sim.turn()
    assert "reads" not in sim.in_flight, "what went unanswered here is not repeated blindly"


def test_a_raise_that_was_read_before_zero_was_stored_is_no_raise_behind_it() -> None:
    """Storing 0 % may have taken it back already: what counts is a read that began behind that."""
    sim = declared(reads=0, writes=0)
    for flag in ("reads", "writes"):
        sim.read(flag)
    sim.turn()
    assert sim.in_flight["reads"].action is Action.ZERO
    sim.truth["reads"] = 2500
    sim.read("reads")
    sim.truth["reads"] = 0
    sim.answer("reads", "done", lands=True)
    sim.turn()
    flip = next(flip for flip in sim.rollback.flips if flip.flag == "reads")
    assert flip.state is FlipState.AT_ZERO and not flip.fought
    sim.truth["reads"] = 2500
    sim.read("reads")
    sim.turn()
    assert "reads" in sim.in_flight, "a raise that is read behind it is fought"


def test_nobody_cancels_after_a_write_left_even_if_it_was_only_the_stored_percentage() -> None:
    """The flags are off already: no kill is needed, but their stored percentage is put to zero."""
    sim = declared(writes=0, reads=0)
    sim.read("reads")
    sim.read("writes")
    sim.turn()
    assert sim.in_flight, "the stored percentage is being written"
    assert sim.rollback.flip_begun
    sim.answer("reads", "done", lands=True)
    assert sim.rollback.flip_begun


def test_a_sick_legacy_that_cannot_be_seen_any_more_is_not_a_well_one() -> None:
    """DOWN, then unreachable: the question that was asked still waits for its answer."""
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000}, legacy=Health.DOWN)
    sim.declare()
    sim.turn()
    assert sim.rollback.question
    sim.legacy = Health.UNKNOWN
    sim.turn()
    assert not sim.in_flight
    sim.legacy = Health.OK
    sim.turn()
    assert "writes" in sim.in_flight


def test_facts_of_a_flag_without_any_reading_are_no_proof_of_zero() -> None:
    sim = declared()
    acts = decide(sim.rollback, Facts(flags={"reads": FlagFact()}, legacy=sim.world().legacy), SPEC, sim.now)
    assert [act.flag for act in acts if isinstance(act, Write)] == ["reads"]
    assert all(flip.state is FlipState.WAITING for flip in sim.rollback.flips)
