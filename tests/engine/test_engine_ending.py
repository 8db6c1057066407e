"""Stopping, and what must not be able to stop the engine: broken screens, adapters and turns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from cockpit.core import commands as asked
from cockpit.core.commands import CommandState
from cockpit.core.events import Event, Kind
from cockpit.core.snapshot import Level, PlanChange
from cockpit.core.spec import Plan
from cockpit.engine import teller as telling
from cockpit.engine.engine import Engine
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.journal_port import Draft, FailureKind, JournalFailure
from cockpit.engine.replan import PlanOffer
from cockpit.engine.sources import Sources
from tests.engine.conftest import DEADLINE_S, Pilotage, World, advance, declare, ident, note, seen_at
from tests.engine.scripted import LOST, OBEY, Answer, FickleJournal, down


def test_stopping_without_a_rollback_signs_out_and_releases_everything(world: World) -> None:
    pilot = world.start()
    pilot.ready("writes")
    pilot.leave("the shift is over")
    last = world.events()[-1]
    assert (last.kind, last.body["why"]) == (Kind.FLIGHT_ENDED, "the shift is over")
    cast = world.cast
    assert cast.released == 1
    assert all(each.closed for each in (cast.service, cast.monitor, cast.legacy, cast.new, cast.hook))
    assert pilot.engine.failed is None


def test_stopping_is_not_held_up_by_reads_that_never_come(exposed: World) -> None:
    exposed.service.next_answers("writes", LOST)
    pilot = exposed.start()
    pilot.ready("writes")
    exposed.service.read_gate.shut()
    pilot.give(advance("writes", 100), CommandState.UNKNOWN)
    exposed.cast.hook.gate.shut()
    pilot.leave()


def test_a_write_that_is_cut_off_by_the_end_is_read_back_by_the_next_cockpit(exposed: World) -> None:
    gate = exposed.gate()
    exposed.service.next_answers("writes", Answer(gate=gate))
    pilot = exposed.start()
    pilot.ready("writes")
    pilot.give(advance("writes", 100), CommandState.RUNNING)
    exposed.bell.until(lambda: gate.held == 1)
    pilot.engine.leave_now("cut off")
    assert pilot.engine.join(DEADLINE_S)
    assert not exposed.events(Kind.WRITE_OUTCOME)
    exposed.service.truth["writes"] = replace(exposed.service.truth["writes"], percent=None)
    exposed.service.change("writes", 100)
    again = exposed.start()
    again.until(lambda _: again.flag("writes").writing is None and seen_at(again.now, "writes") == 100)
    (outcome,) = exposed.events(Kind.WRITE_OUTCOME)
    assert outcome.body["outcome"] == "unknown"
    assert not exposed.events(Kind.FLAG_FOREIGN)


def test_with_a_rollback_open_the_machine_finishes_before_the_engine_ends(exposed: World) -> None:
    gate = exposed.gate()
    exposed.service.next_answers("reads", Answer(gate=gate))
    pilot = exposed.start()
    pilot.until(lambda shot: shot.level is Level.OK)
    pilot.done(declare())
    exposed.bell.until(lambda: gate.held == 1)
    pilot.engine.stop_because("signal SIGHUP")
    exposed.bell.until(lambda: bool(exposed.events(Kind.OPERATOR_LOST)))
    gate.open()
    assert pilot.engine.join(DEADLINE_S)
    assert [exposed.service.exposure(key) for key in ("writes", "reads")] == [0, 0]
    kinds = [event.kind for event in exposed.events()]
    assert kinds[-1] is Kind.FLIGHT_ENDED
    done = {str(event.body["step"]) for event in exposed.events(Kind.STEP_DONE)}
    assert {"flip", "drain", "verify", "reconcile", "announce"} <= done


def test_a_rollback_that_nothing_can_finish_ends_with_its_time(exposed: World) -> None:
    """Flags that can neither be written nor read keep nobody's process for ever."""
    exposed.service.failing = down("503")
    exposed.service.always = {key: replace(LOST, lands=False) for key in ("writes", "reads")}
    pilot = exposed.start()
    pilot.done(declare())
    exposed.bell.until(lambda: bool(exposed.service.written("reads")))
    pilot.engine.stop()
    pilot.until(lambda shot: any(line.kind == Kind.OPERATOR_LOST for line in shot.tail))
    exposed.clock.advance(exposed.plan.rollback.budget_s + 1)
    assert pilot.engine.join(DEADLINE_S)
    assert exposed.events()[-1].kind is Kind.FLIGHT_ENDED


def test_a_source_that_breaks_while_it_is_closed_does_not_keep_the_lock_or_the_others(world: World) -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    pilot = world.start(world.flying(sources=lambda plan: replace(world.sources(plan), close=broken)))
    pilot.leave()
    assert pilot.engine.failed is None
    assert world.cast.hook.closed == 1


def test_no_task_or_thread_is_left_behind(exposed: World) -> None:
    pilot = exposed.start()
    pilot.ready("writes")
    loop = pilot.engine._loop
    assert loop is not None
    pilot.leave()
    assert loop.is_closed()
    assert not asyncio.all_tasks(loop)
    assert not [each for each in threading.enumerate() if each.name == "cockpit-engine"]


def test_a_screen_that_raises_is_told_and_keeps_nobody_from_flying(world: World) -> None:
    engine = Engine(world.flying())
    calls: list[int] = []

    def broken() -> None:
        calls.append(1)
        raise RuntimeError("this loop is closed")

    engine.subscribe(broken)
    engine.subscribe(world.bell.tell)
    world.engines.append(engine)
    engine.start()
    world.bell.until(lambda: any("screen: RuntimeError" in each.what for each in engine.latest().reasons))
    command = note("still alive")
    engine.submit(command)
    world.bell.until(lambda: any(each.id == command.id for each in engine.latest().commands))
    assert len(calls) > 1
    assert engine.alive


def test_a_turn_that_breaks_is_shown_and_journalled_and_the_rollback_goes_on(
    exposed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pilot = exposed.start()
    pilot.until(lambda shot: shot.level is Level.OK)

    def broken(*_: object, **__: object) -> object:
        raise KeyError("a bug")

    monkeypatch.setattr(telling, "signal_statuses", broken)
    shot = pilot.until(lambda shot: any("own fault, lookout: KeyError" in each.what for each in shot.reasons))
    assert shot.level is Level.BAD
    pilot.done(declare())
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    told = [str(event.body["text"]) for event in exposed.events(Kind.NOTE_ADDED)]
    assert told == ["the cockpit's own fault: lookout: KeyError: 'a bug'"], "told once, not every turn"
    monkeypatch.undo()
    pilot.until(lambda shot: not any("lookout" in each.what for each in shot.reasons))


def test_a_command_that_breaks_is_refused_and_the_next_one_is_heard(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pilot = world.start()

    def broken(*_: object) -> None:
        raise KeyError("a bug")

    assert pilot.engine._pilot is not None
    monkeypatch.setattr(pilot.engine._pilot._orders, "_poll_now", broken)
    assert "own fault: KeyError" in pilot.refused(asked.PollNow(id=ident(), by="ana"))
    pilot.done(note("heard"))


def test_a_broken_reader_is_the_cockpits_own_fault_and_the_other_sources_go_on(exposed: World) -> None:
    exposed.service.failing = ZeroDivisionError()
    pilot = exposed.start()
    pilot.until(lambda shot: any("own fault" in each.what for each in shot.reasons))
    pilot.until(lambda shot: all(each.health.value == "ok" for each in shot.backends))
    pilot.done(declare())
    exposed.bell.until(lambda: bool(exposed.service.written("reads", "kill")))
    exposed.service.failing = None
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)


def test_what_stopped_it_from_starting_is_raised_to_the_starter(world: World) -> None:
    journal = FickleJournal()
    journal.unreadable = JournalFailure(FailureKind.CORRUPT, "The journal is damaged")
    engine = Engine(world.flying(journal=journal))
    world.engines.append(engine)
    with pytest.raises(JournalFailure, match="damaged"):
        engine.start()
    assert engine.join(DEADLINE_S)
    assert world.cast.hook.closed == 1, "what was built is released"


# A changed plan


def offers(*found: PlanOffer, then: Exception | None = None) -> Callable[..., AsyncIterator[PlanOffer]]:
    async def watch(stop: asyncio.Event, flown: Callable[[], Plan]) -> AsyncIterator[PlanOffer]:
        for offer in found:
            yield offer
        if then is not None:
            raise then
        await stop.wait()

    return watch


def offer(world: World, plan: Plan) -> PlanOffer:
    change = PlanChange(digest=plan.digest, diff=("x",), problems=(), seen_at=world.clock.now())
    return PlanOffer(plan=plan, change=change)


def test_a_changed_plan_is_offered_taken_and_flown(world: World) -> None:
    slower = tuple(replace(each, interval_s=0.2) for each in world.plan.flag_services)
    plan = replace(world.plan, title="Edited", digest="e" * 64, flag_services=slower)
    pilot = world.start(replace(world.flying(), plan_offers=offers(offer(world, plan))))
    pilot.until(lambda shot: shot.plan_change is not None)
    assert "not on offer" in pilot.refused(asked.TakePlan(id=ident(), by="ana", digest="f" * 64))
    pilot.ready("writes")
    pilot.done(asked.TakePlan(id=ident(), by="ana", digest="e" * 64))
    pilot.until(lambda shot: shot.plan_title == "Edited" and shot.plan_change is None)
    assert pilot.flag("writes").configured.interval_s == 0.2, "freshness is measured by the new interval"
    pilot.fly_to("writes", 10)
    pilot.leave()
    assert world.cast.released == 2


class SlowSecret:
    """Sources whose changed plan takes as long as the test likes to build: its secret is a command."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ready = threading.Event()
        self.asked = threading.Event()

    def __call__(self, plan: Plan) -> Sources:
        if plan.digest != self._world.plan.digest:
            self.asked.set()
            self._ready.wait()
        return self._world.sources(plan)

    def answer(self) -> None:
        self._ready.set()


def taking_slowly(world: World) -> tuple[Pilotage, SlowSecret, asked.TakePlan]:
    plan = replace(world.plan, title="Edited", digest="e" * 64)
    slow = SlowSecret(world)
    flying = replace(world.flying(sources=slow), plan_offers=offers(offer(world, plan)))
    pilot = world.start(flying)
    pilot.until(lambda shot: shot.plan_change is not None)
    take = asked.TakePlan(id=ident(), by="ana", digest="e" * 64)
    pilot.give(take, CommandState.RUNNING)
    assert slow.asked.wait(20)
    return pilot, slow, take


def test_a_secret_that_takes_long_holds_up_no_poll_and_the_plan_changes_at_once(world: World) -> None:
    pilot, slow, take = taking_slowly(world)
    reads = world.service.reads
    world.bell.until(lambda: world.service.reads > reads + 3, "polls that go on")
    assert pilot.now.plan_title == "Scripted"
    again = asked.TakePlan(id=ident(), by="ana", digest="e" * 64)
    assert "being taken already" in pilot.refused(again)
    slow.answer()
    pilot.ends(take, CommandState.DONE)
    pilot.until(lambda shot: shot.plan_title == "Edited" and shot.plan_change is None)
    assert len(world.events(Kind.PLAN_TAKEN)) == 1


def test_a_rollback_that_was_declared_while_the_plan_was_built_is_flown_by_the_old_plan(
    exposed: World,
) -> None:
    pilot, slow, take = taking_slowly(exposed)
    pilot.done(declare())
    slow.answer()
    assert "while a rollback is open" in pilot.ends(take, CommandState.REFUSED).text
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    assert pilot.now.plan_title == "Scripted" and not exposed.events(Kind.PLAN_TAKEN)
    pilot.engine.leave_now("the test is over")
    assert pilot.engine.join(20)
    assert exposed.cast.released == 2, "what was built and never flown is released"


class Overtaken(MemoryJournal):
    """Another cockpit declares a rollback, just as this one is about to journal that it takes a plan."""

    _declared = False

    def append_many(
        self, drafts: Sequence[Draft], *, actor: str, at: datetime, expected_seq: int
    ) -> tuple[Event, ...]:
        if drafts[0].kind is Kind.PLAN_TAKEN and not self._declared:
            self._declared = True
            body = {"rollback": "r1", "flags": [], "steps": [], "reason": "errors"}
            times = {"deadline_at": at.isoformat(), "escalate_at": at.isoformat()}
            declared = Draft(kind=Kind.ROLLBACK_DECLARED, body={**body, **times})
            super().append_many([declared], actor="ben", at=at, expected_seq=self.last_seq())
        return super().append_many(drafts, actor=actor, at=at, expected_seq=expected_seq)


def test_a_rollback_that_another_cockpit_declares_first_keeps_the_old_plan() -> None:
    world = World(journal=Overtaken())
    try:
        pilot, slow, take = taking_slowly(world)
        slow.answer()
        assert "while a rollback is open" in pilot.ends(take, CommandState.REFUSED).text
        assert pilot.now.plan_title == "Scripted" and not world.events(Kind.PLAN_TAKEN)
    finally:
        world.end()


def test_a_cockpit_that_is_left_does_not_wait_for_a_secret(world: World) -> None:
    pilot, slow, _ = taking_slowly(world)
    pilot.leave()
    slow.answer()


def test_no_plan_is_taken_while_a_rollback_is_open(exposed: World) -> None:
    plan = replace(exposed.plan, digest="e" * 64)
    pilot = exposed.start(replace(exposed.flying(), plan_offers=offers(offer(exposed, plan))))
    pilot.until(lambda shot: shot.plan_change is not None)
    pilot.done(declare())
    refused = pilot.refused(asked.TakePlan(id=ident(), by="ana", digest="e" * 64))
    assert "while a rollback is open" in refused
    assert exposed.service.always.get("reads", OBEY) is OBEY


def test_a_plan_watch_that_breaks_is_told(world: World) -> None:
    pilot = world.start(replace(world.flying(), plan_offers=offers(then=OSError("inotify limit"))))
    shot = pilot.until(lambda shot: any("inotify limit" in each.what for each in shot.reasons))
    assert any("not watched any more" in each.what for each in shot.reasons)
