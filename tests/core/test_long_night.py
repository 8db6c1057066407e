"""A flag service that is down all night: the machine never gives up, and its journal stays small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from cockpit.core.acts import FlagFact
from cockpit.core.clean import Percent
from cockpit.core.events import Kind, Lever
from cockpit.core.rollback import (
    LONGEST_PAUSE_S,
    RARE_PAUSE_S,
    STEADY_TRIES,
    Flip,
    FlipState,
    IllegalEvent,
    pause_s,
)
from tests.core.rollback_sim import Sim

NIGHT_S = 8 * 3600
FIRST_MINUTES_S = 300


def down() -> Sim:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    sim.turn()
    return sim


def flip_of(sim: Sim) -> Flip:
    return sim.rollback.flips[0]


def fails(sim: Sim) -> None:
    """The try that is out never left."""
    sim.answer("writes", "refused", lands=False, unsent=True, detail="connection refused")
    sim.turn()


def tries(sim: Sim, *, until_s: float) -> Iterator[float]:
    """When each further try is made, in seconds since the declaration; each fails at once."""
    while True:
        fails(sim)
        retry_at = flip_of(sim).retry_at
        assert retry_at is not None and not sim.in_flight
        passed_s = (retry_at - sim.rollback.declared_at).total_seconds()
        if passed_s > until_s:
            return
        sim.now = retry_at
        sim.turn()
        assert "writes" in sim.in_flight, "when the pause is over it is tried again, without an end"
        yield passed_s


def test_the_first_minutes_are_as_quick_as_ever_and_the_pause_grows_to_half_a_minute() -> None:
    pauses = [pause_s(unsent) for unsent in range(1, 200)]
    assert pauses[:8] == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    assert set(pauses[5:STEADY_TRIES]) == {LONGEST_PAUSE_S}
    assert sum(pauses[:STEADY_TRIES]) > 0.9 * FIRST_MINUTES_S
    assert all(later >= sooner for sooner, later in pairwise(pauses))
    assert pauses[-1] == RARE_PAUSE_S and pause_s(10**9) == RARE_PAUSE_S


def test_the_journal_of_a_whole_night_stays_small() -> None:
    sim = down()
    made = list(tries(sim, until_s=NIGHT_S))
    its_own_events_s = 3
    assert max(later - sooner for sooner, later in pairwise(made)) <= RARE_PAUSE_S + its_own_events_s
    events = [event for event in sim.journal if event.kind in (Kind.WRITE_INTENT, Kind.WRITE_OUTCOME)]
    assert len(events) < 2200, "every 5 s it would be eleven thousand for each flag"


def rare() -> Sim:
    """After some minutes; the last try has just failed."""
    sim = down()
    for _ in tries(sim, until_s=600):
        pass
    assert flip_of(sim).rare and flip_of(sim).retryable
    return sim


def test_a_service_that_answers_its_poll_again_is_tried_at_once_and_once() -> None:
    sim = rare()
    sim.read("writes", back=True)
    sim.turn()
    assert "writes" in sim.in_flight
    fails(sim)
    assert not sim.in_flight, "it answers polls and takes no writes: the pause counts again"
    sim.read("writes")
    sim.turn()
    assert not sim.in_flight, "going on to answer is no news"


def test_a_poll_that_was_answered_while_a_try_still_failed_brings_the_next_one() -> None:
    sim = rare()
    sim.now = flip_of(sim).retry_at or sim.now
    sim.turn()
    sim.read("writes", back=True)
    fails(sim)
    assert "writes" in sim.in_flight


def test_a_persons_key_brings_a_try_at_once() -> None:
    sim = rare()
    sim.record(Kind.FLAG_RETRIED, {"flag": "writes", "rollback": "r1"})
    assert flip_of(sim).unsent > STEADY_TRIES, "what was learned is kept: the next pause is a long one again"
    sim.turn()
    assert "writes" in sim.in_flight
    sim.answer("writes", "done", lands=True)
    sim.read("writes")
    sim.turn()
    assert flip_of(sim).state is FlipState.AT_ZERO


def test_in_the_first_minutes_there_is_nothing_to_press() -> None:
    sim = down()
    fails(sim)
    assert not flip_of(sim).retryable
    with pytest.raises(IllegalEvent, match="nothing to retry"):
        sim.record(Kind.FLAG_RETRIED, {"flag": "writes", "rollback": "r1"})


def test_the_second_lever_is_tried_again_by_the_same_key_and_the_same_poll() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000}, second={"writes": 1000})
    sim.declare()
    sim.turn()
    fails(sim)
    sim.pull("writes")
    flip = flip_of(sim)
    assert flip.second is not None
    tired = replace(flip.second, state=FlipState.REFUSED, unsent=STEADY_TRIES + 1, tried_seq=1)
    waits = replace(tired, retry_at=sim.now + timedelta(seconds=30), changed_at=sim.now)
    both = replace(flip, second=waits, retry_at=sim.now + timedelta(seconds=30), changed_at=sim.now)
    sim.flight = replace(sim.flight, rollback=replace(sim.rollback, flips=(both,)))
    sim.second_facts["writes"] = FlagFact(exposure=Percent(1000), known=True, read_after=0)
    sim.turn()
    assert not sim.in_flight
    sim.record(Kind.FLAG_RETRIED, {"flag": "writes", "rollback": "r1"})
    sim.turn()
    assert sim.in_flight["writes"].lever is Lever.SECOND
