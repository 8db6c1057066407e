"""The second lever: when it is offered, what it may write, and that no two levers write at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.core.acts import FlagFact
from cockpit.core.clean import ZERO
from cockpit.core.events import Kind, Lever
from cockpit.core.levers import SLOW_S, offer
from cockpit.core.rollback import FlipState, IllegalEvent, StepState
from cockpit.core.rollback_flip import BACKGROUND_PAUSE_S
from tests.core.rollback_sim import Sim

CHAIN = {"writes": (), "reads": ("writes",), "jobs": ()}
FLAGS = list(CHAIN)

MOVES = st.one_of(
    st.tuples(st.just("answer"), st.sampled_from(FLAGS), st.sampled_from(["done", "refused", "unknown"])),
    st.tuples(st.sampled_from(["unsent", "lie"]), st.sampled_from(FLAGS), st.just("")),
    st.tuples(st.sampled_from(["read", "read second"]), st.sampled_from(FLAGS), st.just("")),
    st.tuples(st.sampled_from(["raise", "raise second"]), st.sampled_from(FLAGS), st.just("")),
    st.tuples(st.sampled_from(["pull", "by hand", "observe"]), st.sampled_from(FLAGS), st.just("")),
    st.tuples(st.just("crash"), st.just("writes"), st.just("")),
)


def sim_of(needs: dict[str, tuple[str, ...]] | None = None) -> Sim:
    needs = needs or {"writes": ()}
    sim = Sim(depends_on=needs, truth=dict.fromkeys(needs, 2500), second=dict.fromkeys(needs, 2500))
    sim.declare()
    sim.turn()
    return sim


def play(sim: Sim, move: tuple[str, str, str]) -> None:
    what, flag, outcome = move
    flying = flag in sim.in_flight
    if what == "answer" and flying:
        sim.answer(flag, outcome, lands=outcome != "refused")
    elif what == "unsent" and flying:
        sim.answer(flag, "refused", lands=False, unsent=True)
    elif what == "lie" and flying:
        sim.answer(flag, "done", lands=False)
    elif what == "read":
        sim.read(flag)
    elif what == "read second":
        sim.read_second(flag)
    elif what == "raise":
        sim.truth[flag] = 2500
    elif what == "raise second":
        sim.second[flag] = 2500
    elif what == "observe":
        sim.observe(flag)
    elif what == "crash":
        sim.crash()
    elif what in ("pull", "by hand") and offered(sim, flag):
        (sim.pull if what == "pull" else sim.by_hand)(flag)


def offered(sim: Sim, flag: str) -> str:
    flip = next(flip for flip in sim.rollback.flips if flip.flag == flag)
    return offer(sim.rollback, flip, sim.world().flags[flag], sim.now)


@settings(max_examples=300, deadline=None)
@given(moves=st.lists(MOVES, max_size=50))
def test_no_order_of_pulls_answers_and_crashes_writes_twice_or_calls_a_flag_safe_that_nobody_saw(
    moves: list[tuple[str, str, str]],
) -> None:
    """`Sim` checks after every event that at most one lever of a flag has a write in flight."""
    sim = Sim(depends_on=CHAIN, truth=dict.fromkeys(FLAGS, 2500), second=dict.fromkeys(FLAGS, 2500))
    sim.declare()
    for move in moves:
        sim.turn()
        play(sim, move)
        intents = {e.body["write_id"] for e in sim.journal if e.kind is Kind.WRITE_INTENT}
        assert {order.write_id for order in sim.in_flight.values()} <= intents
    assert all(e.body["action"] in ("kill", "zero") for e in sim.journal if e.kind is Kind.WRITE_INTENT)
    for flip in sim.rollback.flips:
        if flip.at_zero:
            assert flip.by_hand or sees_zero(sim, flip.flag, flip.lever)
        else:
            assert flip.state is not FlipState.AT_ZERO and flip.lever is None


def sees_zero(sim: Sim, flag: str, lever: Lever | None) -> bool:
    """Whether the newest read through this lever that was journalled said zero."""
    reads = [
        event.body["exposure"]
        for event in sim.journal
        if event.kind is Kind.FLAG_SEEN
        and event.body["flag"] == flag
        and event.body.get("lever", "first") == lever
    ]
    return bool(reads) and reads[-1] == 0


@settings(max_examples=200, deadline=None)
@given(moves=st.lists(MOVES, max_size=40))
def test_in_the_end_every_flag_is_at_zero_or_open_with_its_lever(moves: list[tuple[str, str, str]]) -> None:
    sim = Sim(depends_on=CHAIN, truth=dict.fromkeys(FLAGS, 2500), second=dict.fromkeys(FLAGS, 2500))
    sim.declare()
    for move in moves:
        sim.turn()
        play(sim, move)
    for _ in range(60):
        sim.turn()
        for flag in list(sim.in_flight):
            sim.answer(flag, "done", lands=True)
        for flag in FLAGS:
            sim.read(flag)
            sim.read_second(flag)
            sim.observe(flag)
    sim.turn()
    for flip in sim.rollback.flips:
        assert flip.at_zero or flip.needs_person, flip
        if not flip.at_zero:
            assert offered(sim, flip.flag), "a person is told what to pull"


def test_it_is_offered_as_soon_as_the_first_said_no_for_the_last_time() -> None:
    sim = sim_of()
    assert offered(sim, "writes") == ""
    sim.answer("writes", "refused", lands=False, detail="403")
    sim.turn()
    assert offered(sim, "writes") == ""
    sim.answer("writes", "refused", lands=False, detail="403")
    assert offered(sim, "writes") == "the first lever gave up: 403"


def test_it_is_offered_at_once_when_the_service_is_down_or_nothing_leaves() -> None:
    sim = sim_of()
    flip, fact = sim.rollback.flips[0], FlagFact(trouble="connection refused")
    assert offer(sim.rollback, flip, fact, sim.now) == "the first lever cannot be read: connection refused"
    sim.answer("writes", "refused", lands=False, unsent=True, detail="connection refused")
    assert offered(sim, "writes") == "the first lever is not reached: connection refused"


def test_it_is_offered_when_the_first_lies() -> None:
    sim = sim_of()
    sim.answer("writes", "done", lands=False)
    sim.read("writes")
    sim.turn()
    assert offered(sim, "writes") == "the first lever lies: it accepted, and did not change"


def test_it_is_offered_when_the_first_takes_too_long() -> None:
    sim = sim_of()
    late = sim.now + timedelta(seconds=SLOW_S + 1)
    flip = sim.rollback.flips[0]
    assert "longer than 15 s" in offer(sim.rollback, flip, FlagFact(), late)


def test_a_question_about_a_sick_legacy_comes_before_any_lever() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 2500})
    sim.declare()
    flip = sim.rollback.flips[0]
    assert offer(sim.rollback, flip, FlagFact(trouble="down"), sim.now) == ""


def test_pulled_it_is_written_once_and_believed_only_when_its_own_service_reads_zero() -> None:
    sim = sim_of()
    sim.answer("writes", "refused", lands=False, unsent=True)
    sim.second["writes"] = 0
    sim.read_second("writes")
    sim.pull("writes")
    sim.turn()
    assert sim.in_flight["writes"].lever is Lever.SECOND, "a read from before the pull is no proof"
    sim.answer("writes", "done", lands=True)
    sim.turn()
    assert sim.second_reads == ["writes"]
    assert not sim.rollback.flipped
    sim.read_second("writes")
    sim.turn()
    flip = sim.rollback.flips[0]
    assert flip.at_zero and flip.lever is Lever.SECOND and not flip.by_hand
    assert flip.way.took_s is not None
    assert "1 of them through the second lever" in sim.rollback.step("flip").evidence


def second_worked() -> Sim:
    sim = sim_of()
    sim.answer("writes", "refused", lands=False, unsent=True)
    sim.pull("writes")
    sim.turn()
    sim.answer("writes", "done", lands=True)
    sim.read_second("writes")
    sim.turn()
    assert sim.rollback.flips[0].lever is Lever.SECOND
    return sim


def test_the_first_is_tried_on_and_put_to_zero_when_its_service_comes_back() -> None:
    sim = second_worked()
    for _ in range(10):
        sim.now = max(sim.now, sim.rollback.flips[0].retry_at or sim.now)
        sim.turn()
        assert sim.in_flight["writes"].lever is Lever.FIRST
        sim.answer("writes", "refused", lands=False, unsent=True)
    sim.now = max(sim.now, sim.rollback.flips[0].retry_at or sim.now)
    sim.turn()
    sim.answer("writes", "done", lands=True)
    sim.read("writes")
    sim.turn()
    flip = sim.rollback.flips[0]
    assert (flip.state, flip.lever) == (FlipState.AT_ZERO, Lever.SECOND), "by which lever it went stays"


def test_a_first_lever_that_said_no_is_asked_again_now_and_then_once_the_second_works() -> None:
    sim = sim_of()
    for _ in range(2):
        sim.answer("writes", "refused", lands=False)
        sim.turn()
    assert [flip.flag for flip in sim.rollback.flips if flip.needs_person] == ["writes"]
    sim.pull("writes")
    sim.turn()
    assert [flip.flag for flip in sim.rollback.flips if flip.needs_person] == []
    sim.answer("writes", "done", lands=True)
    sim.read_second("writes")
    sim.turn()
    assert not sim.in_flight
    flip = sim.rollback.flips[0]
    assert flip.changed_at is not None and not flip.exhausted
    sim.now = flip.changed_at + timedelta(seconds=BACKGROUND_PAUSE_S)
    sim.turn()
    assert sim.in_flight["writes"].lever is Lever.FIRST


def test_a_lever_done_by_hand_is_a_persons_word_and_the_drain_is_the_evidence() -> None:
    sim = sim_of()
    sim.answer("writes", "refused", lands=False, unsent=True)
    sim.by_hand("writes")
    sim.turn()
    flip = sim.rollback.flips[0]
    assert flip.at_zero and flip.by_hand and flip.state is not FlipState.AT_ZERO
    assert sim.rollback.step("flip").evidence == "0 of 1 flags re-read at 0%, writes by hand on driver's word"
    sim.observe("writes")
    sim.observe("writes")
    sim.turn()
    assert not sim.rollback.step("drain").settled, "traffic says that it is not so"
    sim.second["writes"] = 0
    sim.observe("writes")
    sim.observe("writes")
    sim.turn()
    assert sim.rollback.step("drain").settled


def test_somebody_who_raises_the_second_lever_opens_what_was_proved() -> None:
    sim = second_worked()
    assert sim.rollback.step("flip").state is StepState.DONE
    sim.second["writes"] = 2500
    sim.read_second("writes")
    sim.turn()
    assert not sim.rollback.flipped
    assert sim.rollback.step("flip").state is StepState.RUNNING
    assert offered(sim, "writes"), "it can be pulled again"
    sim.pull("writes")


def test_a_first_lever_at_zero_needs_no_second_any_more() -> None:
    sim = sim_of()
    sim.answer("writes", "unknown", lands=True)
    sim.turn()
    sim.pull("writes")
    sim.read("writes")
    sim.turn()
    order = sim.in_flight["writes"]
    assert order.lever is Lever.SECOND, "pulled before anybody knew: it goes"
    sim.answer("writes", "done", lands=True)
    sim.turn()
    assert sim.rollback.flips[0].state is FlipState.AT_ZERO


@pytest.mark.parametrize("again", ["pull", "by_hand"])
def test_it_is_pulled_once_and_not_for_a_flag_at_zero(again: str) -> None:
    sim = sim_of()
    sim.answer("writes", "refused", lands=False, unsent=True)
    sim.pull("writes")
    with pytest.raises(IllegalEvent, match="pulled already"):
        getattr(sim, again)("writes")
    worked = second_worked()
    with pytest.raises(IllegalEvent, match="is at zero"):
        getattr(worked, again)("writes")


def test_a_second_lever_writes_nothing_but_zero() -> None:
    sim = sim_of()
    sim.answer("writes", "refused", lands=False, unsent=True)
    sim.pull("writes")
    body = {"write_id": "w", "flag": "writes", "percent": 2500, "rollback": "r1", "lever": "second"}
    for action in ("set", "zero"):
        with pytest.raises(IllegalEvent, match="only ever goes to zero"):
            sim.record(Kind.WRITE_INTENT, {**body, "action": action})


def test_what_an_older_cockpit_wrote_is_the_first_lever() -> None:
    sim = sim_of()
    first = replace(sim.journal[-1], body={k: v for k, v in sim.journal[-1].body.items() if k != "lever"})
    assert first.body.get("lever") is None
    assert sim.rollback.flips[0].write_id is not None and sim.rollback.flips[0].second is None


def test_a_read_of_the_second_service_from_before_its_answer_proves_nothing() -> None:
    sim = sim_of()
    for _ in range(2):
        sim.answer("writes", "refused", lands=False, detail="403")
        sim.turn()
    sim.pull("writes")
    sim.turn()
    before = sim.flight.last_seq
    sim.answer("writes", "done", lands=True)
    sim.second_facts["writes"] = FlagFact(exposure=ZERO, known=True, read_after=before)
    sim.turn()
    assert sim.second_reads == ["writes"]
    assert not sim.rollback.flips[0].second_works
    sim.read_second("writes")
    sim.turn()
    assert sim.rollback.flips[0].second_works
