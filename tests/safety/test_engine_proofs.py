"""Real engines in a scripted world: what must not pass for proof, and who must not be waited for for ever."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from cockpit.core.clean import FULL
from cockpit.core.driver import How, taken_body
from cockpit.core.events import Kind
from cockpit.core.flight import fold
from cockpit.core.model import Failure, Freshness, Reading
from cockpit.core.rollback import FlipState
from cockpit.engine import poller as polling
from cockpit.engine.journal_port import Draft, SequenceConflict
from cockpit.engine.poller import Poller
from tests.engine.conftest import World, advance, declare
from tests.engine.scripted import START, Answer, down


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.end()


@pytest.fixture
def exposed() -> Iterator[World]:
    made = World(percents={"writes": 50.0, "reads": 50.0})
    yield made
    made.end()


def test_a_zero_read_an_hour_ago_does_not_make_a_flag_never_exposed(world: World) -> None:
    """Nobody could read the flag since; somebody may have raised it. Nothing observes its traffic."""
    blind = tuple(replace(flag, traffic=None) for flag in world.plan.flags)
    pilot = world.start(world.flying(plan=replace(world.plan, flags=blind)))
    pilot.until(lambda shot: all(flag.configured.value is not None for flag in shot.flags))
    world.service.failing = down()
    pilot.until(lambda shot: all(flag.configured.failure is not None for flag in shot.flags))
    world.clock.advance(3600)
    world.service.change("reads", 50)
    pilot.done(declare())
    world.service.failing = None
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    assert [flip.before for flip in pilot.rollback.flips] == [None, None]
    assert not world.events(Kind.ROLLBACK_DRAINED), "an old zero is no proof that nobody was exposed"


def test_a_write_of_a_cockpit_that_died_in_it_is_given_up_by_the_living_one(exposed: World) -> None:
    """Another one took the seat by a rollback, journalled its intent and was killed."""
    pilot = exposed.start()
    pilot.until(lambda shot: shot.level.value == "ok")
    seq = exposed.journal.last_seq()
    rollback = {
        "rollback": "r1",
        "flags": [
            {"flag": "reads", "layer": 0, "waits_for": [], "before": 5000},
        ],
        "whole": False,
        "deadline_at": (exposed.clock.now() + timedelta(seconds=900)).isoformat(),
        "escalate_at": (exposed.clock.now() + timedelta(seconds=720)).isoformat(),
        "first_breach_at": None,
        "reason": "test",
        "steps": [],
    }
    intent: dict[str, object] = {"write_id": "w1", "flag": "reads", "action": "kill", "percent": None}
    intent |= {"rollback": "r1", "session": "dead"}
    taken = taken_body(fold(exposed.events()).seat, "dead", "ops-1", How.ROLLBACK)
    while True:
        try:
            exposed.journal.append_many(
                [
                    Draft(kind=Kind.DRIVER_TAKEN, body=taken),
                    Draft(kind=Kind.ROLLBACK_DECLARED, body=rollback),
                    Draft(kind=Kind.WRITE_INTENT, body=intent),
                ],
                actor="ben",
                at=exposed.clock.now(),
                expected_seq=seq,
            )
            break
        except SequenceConflict as conflict:
            seq = conflict.last_seq
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped, "the flag at zero")
    assert exposed.service.exposure("reads") == 0
    assert [event.body["how"] for event in exposed.events(Kind.DRIVER_TAKEN)] == ["free", "rollback", "gone"]
    lost = next(event for event in exposed.events(Kind.WRITE_OUTCOME) if event.body["write_id"] == "w1")
    assert (lost.body["outcome"], lost.body["lost"]) == ("unknown", True)


def test_a_forward_write_that_may_still_land_is_killed_even_though_the_flag_reads_zero(world: World) -> None:
    """It was given up unanswered for the rollback; it lands after the read that said 0 %."""
    pilot = world.start()
    pilot.ready("writes")
    late = world.gate()
    world.service.next_answers("writes", Answer(gate=late))
    pilot.engine.submit(advance("writes", 10))
    world.bell.until(lambda: bool(world.service.written("writes", "set")))
    pilot.done(declare("writes"))
    world.bell.until(lambda: bool(world.service.written("writes", "kill")), "a kill of the flag")
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    flip = pilot.flip("writes")
    assert flip.attempts == 1 and flip.state is FlipState.AT_ZERO and flip.before is None


def test_a_probe_that_has_to_pass_sixty_times_can_pass_sixty_times(world: World) -> None:
    backends = tuple(
        replace(each, probes=tuple(replace(probe, passes=60) for probe in each.probes))
        for each in world.plan.backends
    )
    pilot = world.start(world.flying(plan=replace(world.plan, backends=backends)))
    pilot.until(lambda shot: all(probe.passes >= 60 for each in shot.backends for probe in each.probes))


def test_one_header_cannot_blind_a_source_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "RETRY_AFTER_LIMIT_S", 0.02)
    asked_again = asyncio.Event()

    async def scenario() -> None:
        asked = 0

        async def tick() -> Failure | None:
            nonlocal asked
            asked += 1
            if asked > 1:
                asked_again.set()
            return Failure(title="asked to wait", retry_after_s=86_400.0)

        poller = Poller(
            name="flags",
            interval_s=0.01,
            timeout_s=1.0,
            tick=tick,
            failed=lambda failure: None,
            rng=random.Random(1),
        )
        task = asyncio.create_task(poller.run())
        async with asyncio.timeout(20):
            await asked_again.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())


def test_a_reading_from_the_future_is_not_fresh() -> None:
    """The clock was set back an hour and the source is dead: its last answer must not look new."""
    reading = Reading(value=FULL, observed_at=START, interval_s=5.0)
    assert reading.freshness(START - timedelta(milliseconds=300)) is Freshness.FRESH
    assert reading.freshness(START - timedelta(hours=1)) is Freshness.UNKNOWN
    assert reading.fresh_value(START - timedelta(hours=1)) is None
