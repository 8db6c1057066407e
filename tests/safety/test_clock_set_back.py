"""Real engines whose wall clock is set back or ahead in the middle of a rollback: nothing waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from cockpit.core.events import Kind
from cockpit.core.model import Freshness
from cockpit.core.rollback import FlipState, StepState
from cockpit.core.snapshot import Snapshot
from tests.engine.conftest import Pilotage, World, declare, without_signals
from tests.engine.scripted import Answer

PROVED = ("flip", "drain", "verify", "reconcile")


@pytest.fixture
def exposed() -> Iterator[World]:
    made = World(percents={"writes": 50.0, "reads": 50.0})
    yield made
    made.end()


def flown(world: World) -> Pilotage:
    """Everything of it is judged by the journal's order: time moves by microseconds only."""
    pilot = world.start(world.flying(plan=without_signals(world.plan)))
    pilot.until(lambda shot: all(flag.configured.value is not None for flag in shot.flags))
    pilot.until(lambda shot: all(flag.observed.value is not None for flag in shot.flags))
    return pilot


def jumped(shot: Snapshot) -> bool:
    return shot.rollback is not None and bool(shot.rollback.clock_jumped_s)


@pytest.mark.parametrize("by_s", [-600.0, -86_400.0, 600.0])
def test_flags_drain_legacy_and_counters_are_proved_while_the_clock_is_wrong(
    exposed: World, by_s: float
) -> None:
    pilot = flown(exposed)
    held = exposed.gate()
    exposed.service.next_answers("reads", Answer(gate=held))
    pilot.done(declare())
    exposed.bell.until(lambda: held.held == 1)
    deadline_at, left = pilot.rollback.deadline_at, pilot.rollback.left(exposed.clock.now())
    exposed.clock.set_ahead(by_s)
    pilot.until(jumped)
    held.open()
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped, "every flag at zero")
    exposed.clock.advance(60)
    pilot.settled(*PROVED)
    assert [pilot.rollback.step(step).state for step in PROVED] == [StepState.DONE] * len(PROVED)
    assert pilot.rollback.deadline_at == deadline_at
    assert pilot.rollback.left(exposed.clock.now()) < left
    (event,) = exposed.events(Kind.CLOCK_JUMPED)
    assert event.body["by_s"] == by_s


def test_a_read_that_began_before_the_write_ended_proves_nothing_though_the_clock_says_it_came_later(
    exposed: World,
) -> None:
    """The clock is set back while a read is out that began before the write's answer."""
    pilot = flown(exposed)
    write = exposed.gate()
    exposed.service.next_answers("reads", Answer(gate=write, lands=False))
    pilot.done(declare("reads"))
    exposed.bell.until(lambda: write.held == 1)
    exposed.service.read_gate.shut()
    exposed.bell.until(lambda: exposed.service.read_gate.held > 0)
    exposed.clock.set_ahead(-3600)
    pilot.until(jumped)
    write.open()
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flips[0].state is FlipState.ACCEPTED)
    assert exposed.service.exposure("reads") == 50.0, "the service said done and did nothing"
    exposed.service.read_gate.open()
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    assert pilot.flip("reads").attempts == 2 and exposed.service.exposure("reads") == 0.0


def test_readings_stay_fresh_over_a_jump_back_and_a_dead_source_still_grows_old(exposed: World) -> None:
    pilot = flown(exposed)
    exposed.clock.set_ahead(-3600)
    pilot.until(lambda shot: any(reason.subject == "clock" for reason in shot.reasons))

    def fresh(shot: Snapshot) -> bool:
        flags = [flag.configured.freshness(shot.engine_at) for flag in shot.flags]
        return all(each is Freshness.FRESH for each in flags)

    pilot.until(fresh)
    exposed.service.read_gate.shut()
    exposed.clock.advance(10)
    now = exposed.clock.now() + timedelta(seconds=10)
    assert all(flag.configured.freshness(now) is not Freshness.FRESH for flag in pilot.now.flags)


def test_a_clock_that_two_cockpits_saw_jump_is_journalled_once(exposed: World) -> None:
    """Both believe that they drive: no lock between them. A jump that counted twice would eat the time."""
    first = flown(exposed)
    first.done(declare())
    second = exposed.start(exposed.flying(operator="ben", plan=without_signals(exposed.plan)))
    second.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    exposed.clock.set_ahead(-600)
    for pilot in (first, second):
        later = pilot.until(jumped).seq + 20
        pilot.until(lambda shot: shot.seq > later)  # noqa: B023  # asked before the loop goes on
    assert first.rollback.clock_jumped_s == second.rollback.clock_jumped_s == -600.0


def test_a_clock_set_ahead_opens_no_stage_and_says_so(exposed: World) -> None:
    """An hour is asked for; ten minutes pass, and the clock leaps two hours ahead."""
    plan = without_signals(exposed.plan)
    held = tuple(
        replace(flag, stages=tuple(replace(stage, hold_s=3600.0) for stage in flag.stages))
        for flag in plan.flags
    )
    pilot = exposed.start(exposed.flying(plan=replace(plan, flags=held)))
    pilot.until(lambda shot: all(flag.hold_until is not None for flag in shot.flags))
    exposed.clock.advance(600)
    exposed.clock.set_ahead(7200)
    shot = pilot.until(lambda shot: any("the clock was set" in words for words in hold_words(shot)))
    left_s = [(flag.hold_until - shot.engine_at).total_seconds() for flag in shot.flags if flag.hold_until]
    assert len(left_s) == len(held) and all(2990 <= each <= 3000 for each in left_s)
    assert "that does not count" in hold_words(shot)[0]
    exposed.clock.advance(3001)
    pilot.until(lambda shot: not hold_words(shot))


def hold_words(shot: Snapshot) -> list[str]:
    return [
        gate.text
        for flag in shot.flags
        for gate in flag.gates
        if gate.name == "hold time" and not gate.met and "left of" in gate.text
    ]


def test_a_clock_that_was_set_back_while_no_cockpit_flew_makes_no_time(exposed: World) -> None:
    """Whoever comes next finds events of a time that is still to come."""
    exposed.service.next_answers("reads", *(Answer(lands=False),) * 2)
    first = flown(exposed)
    first.done(declare())
    deadline_at, left = first.rollback.deadline_at, first.rollback.left(exposed.clock.now())
    first.engine.leave_now("the host went down")
    assert first.engine.join(20.0)
    exposed.clock.set_ahead(-600)
    second = flown(exposed)
    second.until(jumped)
    (event,) = exposed.events(Kind.CLOCK_JUMPED)
    assert event.body["away"] is True and -601 < float(str(event.body["by_s"])) < -598
    assert second.rollback.deadline_at == deadline_at
    assert second.rollback.left(exposed.clock.now()) < left
