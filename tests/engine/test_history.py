"""The drawn past: asked once after the first poll, never waited for, and never heard by the judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from cockpit.core import commands as asked
from cockpit.core.history import Blank, SideHistory
from cockpit.core.model import Quality, Sample, Verdict
from cockpit.core.snapshot import Snapshot
from cockpit.core.trail import POINTS
from tests.engine.conftest import World, ident
from tests.engine.scripted import RememberingMonitor, down
from tests.engine.test_engine_ending import offer, offers

STEP_S = 20.0


@pytest.fixture
def monitor(world: World) -> RememberingMonitor:
    """In place of the scripted monitor that remembers nothing."""
    remembering = RememberingMonitor(world.bell, world.exposure)
    world.cast.monitor = remembering
    world.cast.gates.append(remembering.past_gate)
    return remembering


def ramp(expression: str, end: datetime) -> Sequence[Sample]:
    """An hour that ended with a tenth of all events on the new side bad, and none on legacy."""
    what, _, side = expression.partition("/")
    pct = 10.0 if (what, side) == ("bad", "new") else 0.0 if what == "bad" else 100.0
    return [
        Sample(value=pct * n, quality=Quality.GOOD, source_time=end - timedelta(seconds=STEP_S * (180 - n)))
        for n in range(181)
    ]


def history(shot: Snapshot, side: str = "new") -> SideHistory:
    found = shot.signals[0].new_history if side == "new" else shot.signals[0].legacy_history
    assert found is not None
    return found


def told(shot: Snapshot) -> bool:
    return bool(shot.signals) and shot.signals[0].new_history is not None and len(history(shot).points) > 5


def test_the_past_is_on_the_first_screens_and_both_sides_are_themselves(
    world: World, monitor: RememberingMonitor
) -> None:
    monitor.past = ramp
    shot = world.start().until(told)
    assert set(history(shot).points[:-1]) == {10.0}
    assert set(history(shot, "legacy").points[:-1]) == {0.0}
    assert history(shot).watched <= 2 and history(shot).note == ""
    window = history(shot).until(shot.engine_at, POINTS)
    assert window.watched_from >= POINTS - 2, "what the monitor told is not called watched"


def test_the_judge_never_hears_of_it(world: World, monitor: RememberingMonitor) -> None:
    """A tenth of an hour's events were bad on the new side alone; what is judged is what was polled."""
    monitor.past = ramp
    pilot = world.start()
    pilot.until(told)
    shot = pilot.until(lambda shot: shot.signals[0].evidence.total_new > 0)
    evidence = shot.signals[0].evidence
    assert evidence.verdict is not Verdict.REGRESSED
    assert evidence.bad_new <= 0.011 * evidence.total_new
    assert evidence.total_new <= monitor.counters["total/new"]


def test_it_is_asked_after_the_first_answer_and_nothing_waits_for_it(
    world: World, monitor: RememberingMonitor
) -> None:
    monitor.gate.shut()
    monitor.past_gate.shut()
    pilot = world.start()
    world.bell.until(lambda: monitor.gate.held == 1)
    assert not monitor.past_asked
    monitor.gate.open()
    world.bell.until(lambda: monitor.past_gate.held == 1)
    seen = monitor.asked
    world.bell.until(lambda: monitor.asked > seen + 3, "live polls go on")
    pilot.until(lambda shot: shot.signals[0].evidence.total_new > 0)
    monitor.past = ramp
    monitor.past_gate.open()
    pilot.until(told)
    ((expressions, start, end, step_s),) = monitor.past_asked
    assert set(expressions) == {"bad/legacy", "total/legacy", "bad/new", "total/new"}
    assert step_s == STEP_S and end.timestamp() % STEP_S == 0
    assert (end - start).total_seconds() == POINTS * STEP_S + 60


@pytest.mark.parametrize("failing", [down("503 busy"), RuntimeError("a fault of ours")])
def test_it_gives_up_quietly_and_says_why_where_the_past_would_be(
    world: World, monitor: RememberingMonitor, failing: Exception
) -> None:
    monitor.past_failing = failing
    pilot = world.start()
    shot = pilot.until(lambda shot: bool(shot.signals) and bool(shot.signals[0].new_history))
    shot = pilot.until(lambda shot: bool(history(shot).note))
    assert history(shot).note in (
        "metrics: 503 busy",
        "metrics: the cockpit's own fault: RuntimeError",
    )
    assert shot.signals[0].reading.failure is None
    seen = monitor.asked
    world.bell.until(lambda: monitor.asked > seen + 3)
    assert len(monitor.past_asked) == 1


def test_a_monitor_that_remembers_nothing_is_polled_all_the_same(world: World) -> None:
    shot = world.start().until(lambda shot: bool(shot.signals) and bool(shot.signals[0].new_history))
    assert history(shot).note == "metrics: a monitor of this kind remembers nothing"


def test_where_one_counter_is_not_remembered_that_side_has_no_past(
    world: World, monitor: RememberingMonitor
) -> None:
    def one(expression: str, end: datetime) -> Sequence[Sample]:
        return () if expression == "bad/legacy" else ramp(expression, end)

    monitor.past = one
    shot = world.start().until(told)
    assert set(history(shot).points[:-1]) == {10.0}
    assert history(shot, "legacy").note == "metrics: it has no values of that time"
    assert len(history(shot, "legacy").points) <= 2


def test_a_source_whose_clock_is_ahead_is_asked_and_heard_in_its_own_time(
    world: World, monitor: RememberingMonitor
) -> None:
    ahead = timedelta(seconds=90)
    monitor.past = ramp
    monitor.source_time = lambda: world.clock.now() + ahead
    shot = world.start().until(told)
    ((_, _, end, _),) = monitor.past_asked
    assert timedelta(seconds=60) < end - shot.engine_at <= ahead
    assert history(shot).last_at - shot.engine_at <= timedelta(seconds=STEP_S), "and no point is of tomorrow"
    assert set(history(shot).points[:-1]) == {10.0}


def test_another_question_has_another_past_and_the_same_one_is_not_asked_again(
    world: World, monitor: RememberingMonitor
) -> None:
    monitor.past = ramp
    (signal,) = world.plan.signals
    plan = replace(world.plan, signals=(signal, replace(signal, name="slow")), digest="e" * 64)
    pilot = world.start(replace(world.flying(), plan_offers=offers(offer(world, plan))))
    pilot.until(lambda shot: told(shot) and shot.plan_change is not None)
    pilot.done(asked.TakePlan(id=ident(), by="ana", digest="e" * 64))
    shot = pilot.until(lambda shot: len(shot.signals) == 2 and bool(shot.signals[1].new_history))
    assert len(history(shot).points) > 5, "what was known of the old one stays"
    pilot.until(
        lambda shot: len(shot.signals[1].new_history.points if shot.signals[1].new_history else ()) > 5
    )
    assert len(monitor.past_asked) == 2


def test_a_poll_that_fails_is_a_gap(world: World, monitor: RememberingMonitor) -> None:
    monitor.past = ramp
    pilot = world.start()
    pilot.until(told)
    monitor.failing = down("connection refused")
    world.clock.advance(3 * STEP_S)
    shot = pilot.until(lambda shot: history(shot).points[-1] is Blank.NO_ANSWER)
    assert Blank.NOT_ASKED in history(shot).points[-4:], "the steps that nobody polled are no zeros either"


def test_a_command_without_a_screen_asks_nothing_of_the_past(
    world: World, monitor: RememberingMonitor
) -> None:
    monitor.past = ramp
    pilot = world.start(replace(world.flying(), recalls=False))
    pilot.until(lambda shot: bool(shot.signals) and shot.signals[0].evidence.total_new > 0)
    assert not monitor.past_asked
