"""The machine under every order of answers, lies, crashes and foreign hands that hypothesis finds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.core import rollback_flip
from cockpit.core.acts import Action, FlagFact
from cockpit.core.clean import ZERO, Percent
from cockpit.core.events import Kind
from cockpit.core.model import Health
from cockpit.core.rollback import FlipState, IllegalEvent, StepState, announcement_id
from cockpit.core.rollback_flip import UNSENT_LIMIT
from cockpit.core.spec import HookMoment
from tests.core.rollback_sim import SPEC, Sim

CHAIN = {"writes": (), "reads": ("writes",), "live": ("reads",), "jobs": ()}
FLAGS = list(CHAIN)

MOVES = st.one_of(
    st.tuples(st.just("answer"), st.sampled_from(FLAGS), st.sampled_from(["done", "refused", "unknown"])),
    st.tuples(st.just("lie"), st.sampled_from(FLAGS), st.sampled_from(["done", "unknown"])),
    st.tuples(st.sampled_from(["unsent", "throttle"]), st.sampled_from(FLAGS), st.just("")),
    st.tuples(st.sampled_from(["read", "back"]), st.sampled_from(FLAGS), st.just("")),
    st.tuples(st.just("raise"), st.sampled_from(FLAGS), st.just("")),
    st.tuples(st.just("observe"), st.sampled_from(FLAGS), st.just("")),
    st.tuples(st.just("probe"), st.just("writes"), st.just("")),
    st.tuples(st.just("crash"), st.just("writes"), st.just("")),
    st.tuples(st.just("widen"), st.sampled_from(FLAGS), st.just("")),
)


def play(sim: Sim, move: tuple[str, str, str]) -> None:
    what, flag, outcome = move
    if what == "answer" and flag in sim.in_flight:
        sim.answer(flag, outcome, lands=outcome != "refused")
    elif what == "lie" and flag in sim.in_flight:
        sim.answer(flag, outcome, lands=False)
    elif what == "unsent" and flag in sim.in_flight:
        sim.answer(flag, "refused", lands=False, unsent=True)
    elif what == "throttle" and flag in sim.in_flight:
        sim.answer(flag, "refused", lands=False, again_after_s=2.0)
    elif what in ("read", "back"):
        sim.read(flag, back=what == "back")
    elif what == "raise":
        sim.truth[flag] = 2500
    elif what == "observe":
        sim.observe(flag)
    elif what == "probe":
        sim.probe()
    elif what == "crash":
        sim.crash()
    elif what == "widen":
        sim.widen([flag])


def settle(sim: Sim) -> None:
    """From here on the world is honest and nobody interferes; a person retries what the machine gave up."""
    for _ in range(60):
        reads, recorded = sim.turn()
        for flag in list(sim.in_flight):
            sim.answer(flag, "done", lands=True)
        for flag in FLAGS:
            sim.read(flag)
            sim.observe(flag)
        sim.probe()
        for flip in sim.rollback.flips:
            if flip.exhausted and flip.flag not in sim.in_flight:
                sim.record_retry(flip.flag)
        sim.now += timedelta(seconds=5)
        quiet = not reads and not recorded and not sim.in_flight
        if quiet and sim.rollback.flipped and sim.rollback.step("drain").settled:
            return


@settings(max_examples=300, deadline=None)
@given(moves=st.lists(MOVES, max_size=40), first=st.sampled_from([*FLAGS, ""]))
def test_any_order_of_answers_lies_and_crashes_ends_with_every_flag_at_zero(
    moves: list[tuple[str, str, str]], first: str
) -> None:
    sim = Sim(depends_on=CHAIN, truth=dict.fromkeys(FLAGS, 2500))
    sim.declare([first] if first else ())
    for move in moves:
        sim.turn()
        play(sim, move)
    sim.turn()
    sim.widen()
    settle(sim)
    assert sim.truth == dict.fromkeys(FLAGS, 0)
    assert sim.rollback.flipped
    assert sim.rollback.step("flip").state is StepState.DONE
    assert sim.rollback.step("drain").state is StepState.DONE


@settings(max_examples=200, deadline=None)
@given(moves=st.lists(MOVES, max_size=40))
def test_a_flag_is_called_at_zero_only_after_a_read_that_began_after_the_last_write(
    moves: list[tuple[str, str, str]],
) -> None:
    sim = Sim(depends_on=CHAIN, truth=dict.fromkeys(FLAGS, 2500))
    sim.declare()
    for move in moves:
        sim.turn()
        play(sim, move)
        for flip in sim.rollback.flips:
            if flip.state is FlipState.AT_ZERO:
                fact_at = flip.at_zero_at
                writes = [
                    event.at
                    for event in sim.journal
                    if event.kind == "write.outcome"
                    and event.body["flag"] == flip.flag
                    and event.body["action"] == "kill"
                ]
                assert fact_at is not None and all(at < fact_at for at in writes)


def test_reads_go_to_zero_before_the_writes_they_need() -> None:
    sim = Sim(depends_on=CHAIN, truth=dict.fromkeys(FLAGS, 1000))
    sim.declare()
    sim.turn()
    assert set(sim.in_flight) == {"live", "jobs"}
    sim.answer("live", "done", lands=True)
    sim.turn()
    assert "reads" not in sim.in_flight, "accepted is not seen"
    sim.read("live")
    sim.turn()
    assert "reads" in sim.in_flight
    assert "writes" not in sim.in_flight


def test_a_stuck_flag_does_not_hold_the_others_for_ever() -> None:
    sim = Sim(depends_on=CHAIN, truth=dict.fromkeys(FLAGS, 1000))
    sim.declare()
    for _ in range(2):
        sim.turn()
        sim.answer("live", "refused", lands=False)
    sim.turn()
    assert "reads" in sim.in_flight
    live = next(flip for flip in sim.rollback.flips if flip.flag == "live")
    assert live.exhausted


def test_a_write_that_never_leaves_is_no_refusal_and_is_tried_again_with_growing_pauses() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    pauses: list[float] = []
    for _ in range(8):
        sim.turn()
        sim.answer("writes", "refused", lands=False, unsent=True, detail="connection refused")
        flip = sim.rollback.flips[0]
        assert not flip.exhausted and flip.retry_at is not None
        pauses.append((flip.retry_at - sim.now).total_seconds())
        sim.turn()
        assert not sim.in_flight, "the pause is kept"
        sim.now += timedelta(seconds=pauses[-1])
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    sim.turn()
    assert sim.rollback.flips[0].detail == "connection refused", "the last answer stays to be read"
    sim.answer("writes", "done", lands=True)
    sim.read("writes")
    sim.turn()
    flip = sim.rollback.flips[0]
    assert flip.state is FlipState.AT_ZERO and flip.attempts == 9 and flip.unsent == 0


def test_a_clock_set_back_does_not_make_the_pause_longer() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    sim.turn()
    sim.answer("writes", "refused", lands=False, unsent=True)
    sim.now -= timedelta(hours=1)
    sim.turn()
    assert "writes" in sim.in_flight


def test_a_service_that_asks_to_wait_gets_its_time_and_loses_no_try() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    for _ in range(4):
        sim.turn()
        sim.answer("writes", "refused", lands=False, again_after_s=7.0)
        sim.turn()
        assert not sim.in_flight
        sim.now += timedelta(seconds=7)
    sim.turn()
    assert "writes" in sim.in_flight
    sim.answer("writes", "refused", lands=False)
    sim.turn()
    sim.answer("writes", "refused", lands=False)
    assert sim.rollback.flips[0].exhausted, "two real refusals are the machine's limit"


def test_a_flag_that_cannot_be_reached_holds_what_it_needs_no_longer_than_an_unseen_one() -> None:
    sim = Sim(depends_on={"writes": (), "reads": ("writes",)}, truth={"writes": 1000, "reads": 1000})
    sim.declare()
    sim.turn()
    for _ in range(UNSENT_LIMIT):
        assert "writes" not in sim.in_flight
        sim.answer("reads", "refused", lands=False, unsent=True)
        sim.now += timedelta(seconds=5)
        sim.turn()
    assert "writes" in sim.in_flight


def test_an_unknown_write_is_read_back_and_never_blindly_repeated() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    sim.turn()
    sim.answer("writes", "unknown", lands=True)
    reads, _ = sim.turn()
    assert reads == ["writes"]
    assert not sim.in_flight
    sim.read("writes")
    sim.turn()
    assert sim.rollback.flips[0].state is FlipState.AT_ZERO
    assert sim.rollback.flips[0].attempts == 1


def test_a_foreign_raise_is_fought_once_and_then_shown() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    for _ in range(2):
        sim.turn()
        while "writes" in sim.in_flight:
            sim.answer("writes", "done", lands=True)
            sim.read("writes")
            sim.turn()
        assert sim.rollback.flipped
        assert sim.rollback.step("flip").state is StepState.DONE
        sim.truth["writes"] = 2500
        sim.read("writes")
    sim.turn()
    flip = sim.rollback.flips[0]
    assert flip.state is FlipState.REFUSED and flip.exhausted
    assert "not fought a second time" in flip.detail
    assert sim.rollback.step("flip").state is StepState.RUNNING, "a step that is no longer true is open again"
    assert not sim.in_flight


def test_only_a_legacy_that_is_down_holds_the_flip_and_a_person_decides() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000}, legacy=Health.DOWN)
    sim.declare()
    sim.turn()
    assert "Roll back onto it anyway?" in sim.rollback.question
    assert not sim.in_flight
    sim.record_answer(go=False)
    sim.turn()
    assert not sim.in_flight
    sim.record_answer(go=True)
    sim.turn()
    assert "writes" in sim.in_flight
    prove = sim.rollback.step("prove")
    assert prove.state is StepState.OVERRIDDEN and "driver went on" in prove.evidence


def test_a_legacy_that_cannot_be_seen_holds_nothing_and_says_so() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000}, legacy=Health.UNKNOWN)
    sim.declare()
    sim.turn()
    assert "writes" in sim.in_flight
    for _ in range(3):
        sim.probe()
    sim.turn()
    assert sim.rollback.step("prove").state is StepState.FAILED


def test_what_was_written_since_the_cut_mark_is_counted_once_the_new_side_is_drained() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    sim.turn()
    sim.answer("writes", "done", lands=True)
    sim.counters["writes"] = 47.0
    sim.read("writes")
    sim.turn()
    assert not sim.rollback.deltas
    for _ in range(2):
        sim.observe("writes")
    sim.turn()
    assert [(delta.name, delta.count) for delta in sim.rollback.deltas] == [("writes", 37.0)]
    assert "37 writes" in sim.rollback.step("reconcile").evidence


def test_a_counter_that_fell_is_not_passed_off_as_a_count() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    sim.turn()
    sim.answer("writes", "done", lands=True)
    sim.counters["writes"] = 2.0
    sim.read("writes")
    sim.turn()
    for _ in range(2):
        sim.observe("writes")
    sim.turn()
    step = sim.rollback.step("reconcile")
    assert step.state is StepState.FAILED and "reset" in step.evidence


def test_hooks_are_told_once_per_moment_and_a_failed_one_is_shown() -> None:
    both = (HookMoment.DECLARED, HookMoment.FLIPPED)
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000}, hooks=(("chat", both),))
    sim.declare()
    sim.turn()
    assert sim.announcing == {("chat", "declared")}
    sim.record_announced("chat", "declared", ok=False)
    sim.turn()
    assert sim.rollback.step("announce").state is StepState.FAILED
    assert "chat" in sim.rollback.step("announce").evidence


def test_past_the_escalation_time_the_missing_proof_is_named_once() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    sim.turn()
    sim.now = sim.rollback.escalate_at
    sim.turn()
    sim.turn()
    told = [event for event in sim.journal if event.kind == "rollback.escalated"]
    assert len(told) == 1 and "drain and verify" in str(told[0].body["why"])


def at_zero(sim: Sim) -> None:
    """Turns with an obedient service until every flag of the rollback is at zero and drained."""
    for _ in range(12):
        sim.turn()
        for flag in list(sim.in_flight):
            sim.answer(flag, "done", lands=True)
        for flag in sim.rollback.flags:
            sim.read(flag)
            sim.observe(flag)
        sim.probe()


def test_a_rollback_of_one_flag_is_widened_to_all_and_what_it_proved_is_open_again() -> None:
    sim = Sim(depends_on=CHAIN, truth=dict.fromkeys(FLAGS, 2500))
    sim.declare(["live"])
    at_zero(sim)
    proved = ("flip", "drain", "verify", "reconcile")
    assert all(sim.rollback.step(step).settled for step in proved)
    deadline_at, escalate_at = sim.rollback.deadline_at, sim.rollback.escalate_at
    sim.widen()
    rollback = sim.rollback
    assert (rollback.whole, set(rollback.flags)) == (True, set(FLAGS))
    assert (rollback.deadline_at, rollback.escalate_at) == (deadline_at, escalate_at)
    assert [rollback.step(step).state for step in proved] == [StepState.RUNNING] * len(proved)
    assert "widened by" in rollback.step("flip").evidence
    assert sim.flight.flag("writes").asked == Percent(0)
    sim.turn()
    assert set(sim.in_flight) == {"reads", "jobs"}, "live is at zero, writes waits for reads"
    at_zero(sim)
    assert sim.truth == dict.fromkeys(FLAGS, 0)
    assert all(sim.rollback.step(step).settled for step in proved)


def test_a_read_from_before_the_widening_proves_nothing_of_the_flag_that_came_along() -> None:
    sim = Sim(depends_on={"writes": (), "jobs": ()}, truth={"writes": 1000, "jobs": 0})
    sim.declare(["writes"])
    sim.read("jobs")
    sim.turn()
    sim.truth["jobs"] = 2500
    sim.widen()
    sim.turn()
    assert "jobs" in sim.in_flight


def test_a_rollback_is_widened_only_by_flags_that_it_does_not_have() -> None:
    sim = Sim(depends_on=CHAIN, truth=dict.fromkeys(FLAGS, 2500))
    row = {"flag": "live", "layer": 0, "waits_for": [], "before": 0}
    sim.declare(["live"])
    for body in ({"rollback": "r1", "flags": [row]}, {"rollback": "r1", "flags": []}, {"rollback": "other"}):
        with pytest.raises(IllegalEvent):
            sim.record(Kind.ROLLBACK_WIDENED, {"whole": False, "flags": [row], **body})


def test_hooks_are_told_of_the_wider_rollback_and_a_message_from_before_does_not_count() -> None:
    both = (HookMoment.DECLARED, HookMoment.FLIPPED)
    sim = Sim(
        depends_on={"writes": (), "jobs": ()}, truth={"writes": 0, "jobs": 1000}, hooks=(("chat", both),)
    )
    sim.declare(["writes"])
    at_zero(sim)
    for moment in both:
        sim.record_announced("chat", moment, ok=True)
    sim.turn()
    assert sim.rollback.step("announce").settled
    old = announcement_id(sim.rollback, "declared", "chat")
    sim.widen()
    assert not sim.rollback.step("announce").settled
    sim.turn()
    assert sim.announcing == {("chat", "declared")}
    sim.record_announced("chat", "declared", ok=True, event_id=old)
    assert not sim.rollback.announced
    sim.record_announced(
        "chat", "declared", ok=True, event_id=announcement_id(sim.rollback, "declared", "chat")
    )
    assert sim.rollback.announced == (("chat", "declared", True),)


def test_flags_that_are_off_give_way_to_those_that_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollback_flip, "STORES_AFTER_S", 60.0)
    sim = Sim(depends_on={"a": (), "b": ()}, truth={"a": 2500, "b": 2500})
    sim.declare()
    sim.turn()
    sim.answer("a", "done", lands=True)
    sim.read("a")
    sim.turn()
    assert sim.rollback.flips[0].at_zero and list(sim.in_flight) == ["b"]
    sim.now += timedelta(seconds=60)
    sim.turn()
    assert {key: order.action for key, order in sim.in_flight.items()} == {
        "a": Action.ZERO,
        "b": Action.KILL,
    }


def test_zero_is_stored_as_soon_as_nothing_is_being_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollback_flip, "STORES_AFTER_S", 60.0)
    sim = Sim(depends_on={"a": (), "b": ()}, truth={"a": 2500, "b": 2500})
    sim.declare()
    sim.turn()
    for flag in ("a", "b"):
        sim.answer(flag, "done", lands=True)
        sim.read(flag)
        sim.turn()
    assert {order.action for order in sim.in_flight.values()} == {Action.ZERO} and len(sim.in_flight) == 2


def test_a_read_that_began_just_before_the_answer_was_written_down_proves_nothing() -> None:
    """It may have seen the flag before the write landed, or before somebody raised it again."""
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    sim.turn()
    before = sim.flight.last_seq
    sim.answer("writes", "done", lands=True)
    sim.facts["writes"] = FlagFact(exposure=ZERO, known=True, read_after=before)
    reads, _ = sim.turn()
    assert (reads, sim.rollback.flips[0].state) == (["writes"], FlipState.ACCEPTED)
    sim.facts["writes"] = FlagFact(exposure=ZERO, known=True, read_after=before + 1)
    sim.turn()
    assert sim.rollback.flips[0].state is FlipState.AT_ZERO


def test_a_flag_at_zero_whose_exposure_cannot_be_told_any_more_is_not_at_zero() -> None:
    """Somebody gave it a second strategy, or conditions: nobody knows who is served now."""
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    at_zero(sim)
    assert [flip.state for flip in sim.rollback.flips] == [FlipState.AT_ZERO]
    sim.facts["writes"] = FlagFact(exposure=None, known=True, read_after=sim.flight.last_seq)
    sim.turn()
    assert not sim.rollback.flipped
    assert sim.in_flight["writes"].action is Action.KILL, "and is fought for"


def test_there_is_no_cancel_once_zero_is_being_stored_in_a_flag_that_was_off() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 0})
    sim.declare()
    sim.read("writes")
    sim.turn()
    assert sim.in_flight["writes"].action is Action.ZERO
    for _ in range(2):
        assert sim.rollback.flip_begun
        with pytest.raises(IllegalEvent, match="may have left"):
            sim.record(Kind.ROLLBACK_CANCELLED, {"rollback": "r1", "reason": ""})
        if "writes" in sim.in_flight:
            sim.answer("writes", "refused", lands=False)


def test_a_flag_that_was_raised_again_has_to_drain_again() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()

    def brought_to_zero() -> None:
        sim.turn()
        while "writes" in sim.in_flight:
            sim.answer("writes", "done", lands=True)
            sim.read("writes")
            sim.turn()

    brought_to_zero()
    for _ in range(SPEC.drain_polls):
        sim.observe("writes")
    sim.turn()
    assert sim.rollback.flips[0].drained_at is not None
    sim.truth["writes"] = 2500
    sim.read("writes")
    brought_to_zero()
    [flip] = sim.rollback.flips
    assert (flip.state, flip.drained_at, flip.share_pct) == (FlipState.AT_ZERO, None, None)
    assert not sim.rollback.step("drain").settled


def test_the_journal_takes_no_read_of_a_write_in_flight_and_no_end_with_lines_open() -> None:
    """Whoever decided it: two cockpits may have decided on different things."""
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    sim.turn()
    assert "writes" in sim.in_flight
    with pytest.raises(IllegalEvent, match="proves nothing"):
        sim.record(Kind.FLAG_SEEN, {"rollback": "r1", "flag": "writes", "exposure": 0})
    with pytest.raises(IllegalEvent, match="while a line above is open"):
        sim.record(Kind.ROLLBACK_CLOSED, {"rollback": "r1", "note": "", "overrun_s": 0.0})
