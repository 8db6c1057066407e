"""A rollback on the real engine: nothing holds up the first write, and nothing is called done unseen."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from cockpit.core import commands as asked
from cockpit.core.clean import Percent
from cockpit.core.clocks import ClockPair
from cockpit.core.commands import CommandState
from cockpit.core.events import MACHINE, Event, Kind
from cockpit.core.model import Health, WriteResult
from cockpit.core.rollback import FlipState, StepState
from cockpit.core.spec import HookMoment
from cockpit.engine import delivery, drive
from cockpit.engine.journal_port import Draft
from tests.engine.conftest import World, advance, declare, ident, note, seen_at
from tests.engine.scripted import CLOSED, LIE, LOST, OBEY, REFUSE, Answer, down

MACHINE_STEPS = ("declare", "freeze", "prove", "flip", "drain", "verify", "reconcile", "announce")


@pytest.fixture
def exposed(exposed: World) -> Iterator[World]:
    exposed.cast.monitor.bad_pct["new"] = 1.0
    yield exposed


def test_a_rollback_goes_from_declare_to_signed_off(exposed: World) -> None:
    pilot = exposed.start()
    pilot.until(lambda shot: shot.level.value == "ok")
    pilot.done(declare())
    pilot.settled(*MACHINE_STEPS)
    assert [exposed.service.exposure(key) for key in ("writes", "reads")] == [0, 0]
    assert "Stop the jobs" in pilot.refused(
        asked.CloseRollback(id=ident(), by="ana", rollback=pilot.rollback.id)
    )
    pilot.done(
        asked.DoStep(id=ident(), by="ben", rollback=pilot.rollback.id, step="jobs", note="stopped two")
    )
    pilot.until(lambda _: pilot.rollback.step("close").state is StepState.ASKING)
    pilot.done(asked.CloseRollback(id=ident(), by="ana", rollback=pilot.rollback.id, note="all well"))
    closed = pilot.until(lambda shot: shot.rollback is None).last_closed
    assert closed is not None and closed.closed_by == "ana"
    assert closed.step("jobs").done_by == "ben"
    exposed.bell.until(lambda: "closed" in exposed.cast.hook.moments)
    assert exposed.cast.hook.moments == ["declared", "flipped", "closed"]
    assert not exposed.events(Kind.FLAG_FOREIGN)


def test_after_the_close_the_watch_window_keeps_flags_where_they_are(exposed: World) -> None:
    pilot = exposed.start()
    pilot.until(lambda shot: shot.level.value == "ok")
    pilot.done(declare())
    pilot.settled(*MACHINE_STEPS)
    pilot.done(asked.DoStep(id=ident(), by="ana", rollback=pilot.rollback.id, step="jobs"))
    pilot.done(asked.CloseRollback(id=ident(), by="ana", rollback=pilot.rollback.id))
    assert "watch window after the rollback" in pilot.refused(advance("writes", 10))
    assert pilot.flag("writes").stage == -1
    exposed.clock.advance(exposed.plan.rollback.watch_window_s + 1)
    pilot.fly_to("writes", 10)


def test_the_first_write_leaves_while_every_poll_is_stuck(exposed: World) -> None:
    exposed.cast.shut_polls()
    exposed.cast.hook.gate.shut()
    pilot = exposed.start()
    exposed.bell.until(lambda: exposed.service.read_gate.held == 1)
    pilot.engine.submit(declare())
    exposed.bell.until(lambda: bool(exposed.service.written("reads", "kill")), "the kill")
    assert exposed.service.read_gate.held >= 1, "no read was answered before the write"
    assert pilot.flag("reads").configured.value is None


def test_the_first_write_leaves_before_anything_else_is_written_down(
    exposed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each further flush to the disk would stand between the intent and the request."""
    flushed: list[list[Kind]] = []
    last: list[list[Kind]] = []
    append, kill = exposed.journal.append_many, exposed.service.kill

    def flushing(drafts: Sequence[Draft], **how: Any) -> tuple[Event, ...]:
        flushed.append([draft.kind for draft in drafts])
        return append(drafts, **how)

    async def killing(key: str) -> WriteResult:
        last.append(flushed[-1])
        return await kill(key)

    monkeypatch.setattr(exposed.journal, "append_many", flushing)
    monkeypatch.setattr(exposed.service, "kill", killing)
    pilot = exposed.start()
    pilot.until(lambda snapshot: seen_at(snapshot, "reads") is not None, "a first look")
    pilot.engine.submit(declare())
    exposed.bell.until(lambda: bool(exposed.service.written("reads", "kill")), "the kill")
    assert {Kind.ROLLBACK_DECLARED, Kind.WRITE_INTENT} <= set(last[0]), "they wait for the disk once"
    pilot.settled("flip")
    said = {event.kind: event.actor for event in exposed.journal.read()}
    assert (said[Kind.ROLLBACK_DECLARED], said[Kind.WRITE_INTENT]) == ("ana", MACHINE)


def test_whatever_breaks_in_deciding_the_first_writes_the_rollback_is_declared(
    exposed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pilot = exposed.start()
    pilot.until(lambda snapshot: seen_at(snapshot, "reads") is not None, "a first look")

    def broken(*given: object) -> None:
        raise KeyError("broken")

    monkeypatch.setattr(drive, "decide", broken)
    pilot.done(declare())
    assert exposed.events(Kind.ROLLBACK_DECLARED) and not exposed.events(Kind.WRITE_INTENT)
    monkeypatch.undo()
    pilot.settled("flip")


def test_a_read_back_in_flight_does_not_hold_up_the_kill(exposed: World) -> None:
    exposed.service.next_answers("writes", LOST)
    pilot = exposed.start()
    pilot.ready("writes")
    exposed.service.read_gate.shut()
    exposed.bell.until(lambda: exposed.service.read_gate.held == 1)
    pilot.give(advance("writes", 100), CommandState.UNKNOWN)
    exposed.bell.until(lambda: exposed.service.read_gate.held == 2, "a read-back beside the poll")
    pilot.engine.submit(declare("writes"))
    exposed.bell.until(lambda: bool(exposed.service.written("reads", "kill")))


def test_declaring_needs_nothing_to_be_known_or_well(exposed: World) -> None:
    exposed.service.failing = down("503")
    exposed.cast.legacy.failing = down("cannot ask")
    exposed.cast.new.says(Health.DOWN, "dead")
    exposed.cast.monitor.failing = down("no monitor")
    exposed.cast.hook.failing = down("no chat")
    pilot = exposed.start()
    pilot.done(declare())
    exposed.bell.until(lambda: bool(exposed.service.written("reads", "kill")))
    exposed.service.failing = None
    pilot.until(lambda _: pilot.rollback.flipped)
    assert [each.flag for each in exposed.service.writes if each.action == "kill"] == ["reads", "writes"]


def test_a_legacy_that_is_down_asks_and_a_person_decides(exposed: World) -> None:
    exposed.cast.legacy.says(Health.DOWN, "connection refused")
    pilot = exposed.start()
    pilot.until(lambda shot: shot.backends[0].health is Health.DOWN)
    pilot.done(declare())
    pilot.until(lambda _: bool(pilot.rollback.question))
    assert "connection refused" in pilot.rollback.question
    pilot.done(asked.AnswerSickLegacy(id=ident(), by="ana", rollback=pilot.rollback.id, go=False))
    pilot.done(note("still held"))
    assert not exposed.service.writes
    pilot.done(asked.AnswerSickLegacy(id=ident(), by="ana", rollback=pilot.rollback.id, go=True))
    pilot.until(lambda _: pilot.rollback.flipped)
    assert pilot.rollback.step("prove").state is StepState.OVERRIDDEN
    text = pilot.refused(asked.AnswerSickLegacy(id=ident(), by="ana", rollback=pilot.rollback.id, go=False))
    assert "on its way" in text, "a held flip must not be promised once writes have left"


def test_what_depends_on_a_flag_goes_first_and_is_seen_before_it_follows(exposed: World) -> None:
    pilot = exposed.start()
    pilot.until(lambda shot: seen_at(shot, "reads") == 50)
    gate = exposed.gate()
    exposed.service.next_answers("reads", Answer(gate=gate))
    pilot.done(declare())
    exposed.bell.until(lambda: gate.held == 1)
    pilot.done(note("writes wait for reads"))
    assert not exposed.service.written("writes")
    gate.open()
    pilot.until(lambda _: pilot.rollback.flipped)
    kinds = [
        (event.body["flag"], event.kind)
        for event in exposed.events(Kind.WRITE_INTENT, Kind.FLAG_SEEN)
        if event.body.get("rollback") and event.body.get("action") != "zero"
    ]
    assert kinds.index(("reads", Kind.FLAG_SEEN)) < kinds.index(("writes", Kind.WRITE_INTENT))


def test_a_refused_kill_is_tried_once_more_and_then_a_person_is_asked(exposed: World) -> None:
    exposed.service.always["reads"] = REFUSE
    pilot = exposed.start()
    pilot.done(declare())
    pilot.until(lambda _: pilot.flip("reads").exhausted)
    assert len(exposed.service.written("reads", "kill")) == 2
    pilot.until(lambda _: pilot.flip("writes").state is FlipState.AT_ZERO)
    assert "nothing to retry" in pilot.refused(
        asked.RetryFlag(id=ident(), by="ana", rollback=pilot.rollback.id, flag="writes")
    )
    exposed.service.always["reads"] = OBEY
    pilot.done(asked.RetryFlag(id=ident(), by="ana", rollback=pilot.rollback.id, flag="reads"))
    pilot.until(lambda _: pilot.rollback.flipped)


def test_a_service_that_refuses_connections_is_tried_until_it_is_back(exposed: World) -> None:
    exposed.service.always["reads"] = CLOSED
    exposed.service.failing = down()
    pilot = exposed.start()
    pilot.done(declare())

    def tried_five_times() -> bool:
        exposed.clock.advance(1)
        said = pilot.flip("reads").detail
        return len(exposed.service.written("reads", "kill")) >= 5 and "connection refused" in said

    exposed.bell.until(tried_five_times)
    assert not pilot.flip("reads").exhausted
    assert "nothing to retry" in pilot.refused(
        asked.RetryFlag(id=ident(), by="ana", rollback=pilot.rollback.id, flag="reads")
    )
    exposed.service.always["reads"], exposed.service.failing = OBEY, None
    exposed.clock.advance(5)
    pilot.until(lambda _: pilot.rollback.flipped)


def test_a_service_that_lies_about_a_kill_is_found_out_by_reading(exposed: World) -> None:
    exposed.service.next_answers("reads", LIE)
    pilot = exposed.start()
    pilot.done(declare())
    pilot.until(lambda _: pilot.rollback.flipped)
    assert len(exposed.service.written("reads", "kill")) == 2
    assert pilot.flip("reads").attempts == 2


def test_an_unanswered_forward_write_is_given_up_for_the_rollback(exposed: World) -> None:
    gate = exposed.gate()
    exposed.service.next_answers("writes", Answer(gate=gate))
    pilot = exposed.start()
    pilot.ready("writes")
    move = advance("writes", 100)
    pilot.give(move, CommandState.RUNNING)
    exposed.bell.until(lambda: gate.held == 1)
    pilot.done(declare("writes"))
    pilot.until(lambda _: pilot.rollback.flipped)
    outcomes = {event.body["action"]: event.body for event in exposed.events(Kind.WRITE_OUTCOME)}
    assert "given up unanswered" in str(outcomes["set"]["detail"])
    assert pilot.ends(move, CommandState.REFUSED)
    assert all(each.others_in_flight == 0 for each in exposed.service.writes)


def test_a_rollback_jumps_the_queue_and_the_forward_move_behind_it_is_refused(exposed: World) -> None:
    pilot = exposed.start()
    pilot.ready("writes")
    move, back = advance("writes", 100), declare()
    gate = exposed.gate()
    exposed.service.always["reads"] = exposed.service.always["writes"] = Answer(gate=gate)
    now = ClockPair.of(exposed.clock)
    pilot.engine._inbox.extend([(move, now), (back, now)])
    pilot.engine.submit(note("wakes the engine once for all three"))
    assert "no forward move while a rollback is open" in pilot.ends(move, CommandState.REFUSED).text
    pilot.ends(back, CommandState.DONE)
    exposed.bell.until(lambda: gate.held >= 1)
    assert not [each for each in exposed.service.writes if each.action == "set"]


def test_a_second_rollback_is_refused_while_one_of_its_flags_is_open(exposed: World) -> None:
    pilot = exposed.start()
    pilot.done(declare())
    assert "open already, declared by ana" in pilot.refused(declare(by="ben"))
    assert "open already, declared by ana" in pilot.refused(declare("reads", by="ben"))


def test_an_open_rollback_of_one_flag_is_widened_to_all_and_keeps_its_deadline(exposed: World) -> None:
    pilot = exposed.start()
    pilot.done(declare("reads"))
    pilot.settled("flip", "drain")
    deadline_at = pilot.rollback.deadline_at
    exposed.clock.advance(60)
    assert "widened by 1 to 2 flags" in pilot.done(declare(by="ben")).text
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.whole and shot.rollback.flipped)
    pilot.settled("flip", "drain", "announce")
    assert pilot.rollback.flags == ("reads", "writes")
    assert pilot.rollback.deadline_at == deadline_at
    assert [exposed.service.exposure(key) for key in ("writes", "reads")] == [0.0, 0.0]
    (event,) = exposed.events(Kind.ROLLBACK_WIDENED)
    assert event.actor == "ben" and event.body["whole"] is True
    titles = [told.title for told in exposed.cast.hook.told]
    assert titles[2:] == ["ROLLBACK WIDENED: Scripted", "ROLLBACK: all flags at 0%: Scripted"]
    assert len({told.event_id for told in exposed.cast.hook.told}) == len(titles) == 4


def test_a_forward_write_of_a_flag_that_comes_along_later_gives_way_too(world: World) -> None:
    pilot = world.start()
    pilot.ready("writes")
    silent = world.gate()
    world.service.next_answers("writes", Answer(gate=silent))
    pilot.engine.submit(advance("writes", 10))
    world.bell.until(lambda: silent.held == 1)
    pilot.done(declare("reads"))
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    pilot.done(declare())
    world.bell.until(lambda: bool(world.service.written("writes", "kill")), "a kill of the flag")
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)


def test_one_flag_takes_along_what_depends_on_it_and_nothing_else(exposed: World) -> None:
    pilot = exposed.start()
    pilot.done(declare("reads"))
    pilot.until(lambda _: pilot.rollback.flipped)
    assert pilot.rollback.flags == ("reads",)
    assert not pilot.rollback.whole
    assert exposed.service.exposure("writes") == 50


def test_the_deadline_stays_where_it_was_journalled(exposed: World) -> None:
    pilot = exposed.start()
    pilot.done(declare())
    deadline = pilot.rollback.deadline_at
    pilot.settled("flip")
    exposed.clock.advance(1000)
    pilot.until(lambda shot: shot.engine_at > deadline)
    assert pilot.rollback.deadline_at == deadline
    assert pilot.rollback.left(pilot.now.engine_at).total_seconds() < 0
    pilot.done(note("overrun"))
    assert pilot.rollback.open


def test_past_the_point_of_no_return_it_is_refused_in_words(exposed: World) -> None:
    spec = replace(exposed.plan.rollback, point_of_no_return_at=exposed.clock.now())
    pilot = exposed.start(exposed.flying(plan=replace(exposed.plan, rollback=spec)))
    assert "point of no return" in pilot.refused(declare())
    assert not exposed.service.writes


def test_cancelling_works_before_the_first_write_and_leaves_holds_in_place(exposed: World) -> None:
    exposed.cast.legacy.says(Health.DOWN, "dead")
    pilot = exposed.start()
    pilot.until(lambda shot: shot.backends[0].health is Health.DOWN)
    pilot.done(asked.Hold(id=ident(), by="ben", flag="writes", reason="errors"))
    pilot.done(declare())
    pilot.until(lambda _: bool(pilot.rollback.question))
    pilot.done(asked.CancelRollback(id=ident(), by="ana", rollback=pilot.rollback.id, reason="wrong plan"))
    pilot.until(lambda shot: shot.rollback is None)
    exposed.bell.until(lambda: "cancelled" in exposed.cast.hook.moments)
    assert not exposed.service.writes
    assert pilot.now.rollbacks_closed == 0
    assert pilot.flag("writes").held_by == "ben", "nobody released it"
    assert pilot.flag("writes").asked is None


SAID: Mapping[type[asked.OnRollback], Mapping[str, object]] = {
    asked.CancelRollback: {"reason": "oops"},
    asked.AnswerSickLegacy: {"go": True},
    asked.DoStep: {"step": "jobs"},
    asked.OverrideStep: {"step": "drain", "reason": "seen"},
    asked.RetryFlag: {"flag": "reads"},
    asked.PullSecondLever: {"flag": "reads"},
    asked.GiveReason: {"reason": "slow queries"},
    asked.CloseRollback: {"note": "well"},
}


def test_what_was_said_of_one_rollback_does_nothing_to_the_next(exposed: World) -> None:
    """While the words were typed another cockpit ended that one and declared a new one."""
    assert set(SAID) == set(asked.OnRollback.__subclasses__())
    exposed.cast.legacy.says(Health.DOWN, "dead")
    pilot = exposed.start()
    pilot.until(lambda shot: shot.backends[0].health is Health.DOWN)
    pilot.done(declare())
    pilot.until(lambda _: bool(pilot.rollback.question))
    shown = pilot.rollback.id
    pilot.done(asked.CancelRollback(id=ident(), by="ben", rollback=shown, reason="a mistake"))
    pilot.done(declare())
    pilot.until(lambda shot: shot.rollback is not None and bool(shot.rollback.question))
    before = pilot.rollback
    for command, words in SAID.items():
        order: Any = partial(command, id=ident(), by="ana", rollback=shown, **words)
        assert "was not said of the one that is open now" in pilot.refused(order())
    assert (pilot.rollback.reason, pilot.rollback.answered_go, pilot.rollback.steps) == (
        before.reason,
        before.answered_go,
        before.steps,
    )
    assert not exposed.service.writes


def test_there_is_no_cancel_once_a_write_may_have_left(exposed: World) -> None:
    gate = exposed.gate()
    exposed.service.next_answers("reads", Answer(gate=gate))
    pilot = exposed.start()
    pilot.done(declare())
    exposed.bell.until(lambda: gate.held == 1)
    assert "with gates" in pilot.refused(
        asked.CancelRollback(id=ident(), by="ana", rollback=pilot.rollback.id, reason="oops")
    )


def test_steps_of_the_machine_are_overridden_but_never_ticked(exposed: World) -> None:
    exposed.cast.legacy.failing = down("probe broken")
    pilot = exposed.start()
    pilot.done(declare())
    pilot.settled("flip")
    assert "not ticked" in pilot.refused(
        asked.DoStep(id=ident(), by="ana", rollback=pilot.rollback.id, step="verify")
    )
    assert "needs a reason" in pilot.refused(
        asked.OverrideStep(id=ident(), by="ana", rollback=pilot.rollback.id, step="verify", reason=" ")
    )
    pilot.done(
        asked.OverrideStep(
            id=ident(), by="ana", rollback=pilot.rollback.id, step="verify", reason="seen with own eyes"
        )
    )
    again = asked.OverrideStep(
        id=ident(), by="ana", rollback=pilot.rollback.id, step="verify", reason="once more"
    )
    assert "overridden already" in pilot.refused(again)
    assert "acknowledge it instead" in pilot.refused(
        asked.OverrideStep(id=ident(), by="ana", rollback=pilot.rollback.id, step="jobs", reason="no")
    )
    assert "no step nonsense" in pilot.refused(
        asked.DoStep(id=ident(), by="ana", rollback=pilot.rollback.id, step="nonsense")
    )
    assert "its own key" in pilot.refused(
        asked.DoStep(id=ident(), by="ana", rollback=pilot.rollback.id, step="close")
    )
    step = pilot.rollback.step("verify")
    assert (step.state, step.done_by, step.evidence) == (StepState.OVERRIDDEN, "ana", "seen with own eyes")


def test_reason_and_names_are_given_while_the_flip_is_on_its_way(exposed: World) -> None:
    gate = exposed.gate()
    exposed.service.next_answers("reads", Answer(gate=gate))
    pilot = exposed.start()
    pilot.done(declare(reason=""))
    exposed.bell.until(lambda: gate.held == 1)
    pilot.done(
        asked.GiveReason(
            id=ident(), by="ana", rollback=pilot.rollback.id, reason="slow queries", commander="cleo"
        )
    )
    pilot.done(asked.GiveReason(id=ident(), by="ana", rollback=pilot.rollback.id, data_owner="dan"))
    rollback = pilot.rollback
    assert (rollback.reason, rollback.commander, rollback.data_owner) == ("slow queries", "cleo", "dan")


@pytest.mark.parametrize(("failing", "tries"), [(down("chat is down"), 3), (ZeroDivisionError(), 1)])
def test_a_hook_that_fails_is_shown_once_and_holds_up_nothing(
    exposed: World, failing: Exception, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "PAUSES_S", (0.0, 0.0))
    exposed.cast.hook.failing = failing
    pilot = exposed.start()
    pilot.done(declare())
    pilot.settled("flip", "drain", "verify")
    pilot.until(lambda _: pilot.rollback.step("announce").state is StepState.FAILED)
    exposed.bell.until(lambda: len(exposed.events(Kind.ANNOUNCE_FAILED)) == 2)
    pilot.done(note("told once each"))
    assert exposed.cast.hook.moments == ["declared"] * tries + ["flipped"] * tries
    assert len(exposed.events(Kind.ANNOUNCE_FAILED)) == 2


def test_a_hook_that_hangs_holds_up_nothing(exposed: World) -> None:
    exposed.cast.hook.gate.shut()
    pilot = exposed.start()
    pilot.done(declare())
    pilot.settled("flip", "drain", "verify")
    exposed.cast.hook.gate.open()
    pilot.settled("announce")


def test_two_stages_at_once_are_both_announced(world: World) -> None:
    world.cast.hook.gate.shut()
    flags = tuple(replace(flag, depends_on=()) for flag in world.plan.flags)
    pilot = world.start(world.flying(plan=replace(world.plan, flags=flags)))
    for key in ("writes", "reads"):
        pilot.fly_to(key, 10)
    world.bell.until(lambda: world.cast.hook.gate.held == 1)
    assert len(world.cast.hook.told) == 1, "a hook is told in order"
    world.cast.hook.gate.open()
    world.bell.until(lambda: len(world.cast.hook.told) == 2)
    assert {each.facts["flag"] for each in world.cast.hook.told} == {"writes", "reads"}
    assert {each.moment for each in world.cast.hook.told} == {HookMoment.STAGE.value}


def test_a_flag_that_the_plan_no_longer_has_does_not_keep_the_others_up(exposed: World) -> None:
    exposed.service.always["reads"] = REFUSE
    pilot = exposed.start()
    pilot.done(declare())
    pilot.until(lambda _: pilot.flip("reads").attempts == 1 or pilot.flip("reads").exhausted)
    pilot.engine.leave_now("the plan is edited")
    assert pilot.engine.join(20)
    kept = tuple(replace(flag, depends_on=()) for flag in exposed.plan.flags if flag.key == "writes")
    exposed.service.always["reads"] = OBEY
    again = exposed.start(exposed.flying(plan=replace(exposed.plan, flags=kept)))
    again.until(lambda _: again.flip("writes").state is FlipState.AT_ZERO)
    assert again.rollback.flags == ("reads", "writes")


def test_somebody_raising_a_flag_behind_the_rollback_is_fought_once_and_named(exposed: World) -> None:
    pilot = exposed.start()
    pilot.done(declare())
    pilot.settled("flip")
    kills = len(exposed.service.written("reads", "kill"))
    exposed.service.change("reads", 20)
    exposed.bell.until(lambda: len(exposed.service.written("reads", "kill")) == kills + 1)
    pilot.until(lambda _: pilot.flip("reads").fought and pilot.rollback.flipped)
    (foreign,) = exposed.events(Kind.FLAG_FOREIGN)
    assert (foreign.body["who"], foreign.body["raised"]) == ("mallory", True)
    exposed.service.change("reads", 20)
    pilot.until(lambda _: pilot.flip("reads").exhausted)
    assert "not fought a second time" in pilot.flip("reads").detail
    assert pilot.flag("reads").asked == Percent(0)


def test_a_monitor_that_is_gone_keeps_the_drain_open_and_says_so(exposed: World) -> None:
    pilot = exposed.start()
    pilot.until(lambda shot: shot.level.value == "ok")
    exposed.cast.monitor.failing = down("prometheus is gone")
    pilot.done(declare())
    pilot.settled("flip", "verify")
    assert pilot.rollback.step("drain").state is StepState.RUNNING
    exposed.clock.advance(exposed.plan.rollback.escalate_after_s)
    pilot.until(lambda _: pilot.rollback.escalated_at is not None)
    exposed.cast.monitor.failing = None
    pilot.settled("drain")


@pytest.mark.parametrize("stood", ["stopped", "slept"])
def test_a_key_from_before_this_cockpit_stood_still_declares_nothing_hours_later(
    exposed: World, stood: str
) -> None:
    """Others have ended what it was pressed for, and gone forward again."""
    pilot = exposed.start()
    pilot.until(lambda shot: shot.level.value == "ok")
    still = threading.Event()
    loop = pilot.engine._loop
    assert loop is not None
    loop.call_soon_threadsafe(still.wait, 30.0)
    late = declare()
    pilot.engine.submit(late)
    (exposed.clock.advance if stood == "stopped" else exposed.clock.set_ahead)(3600)
    still.set()
    assert "press it again" in pilot.ends(late, CommandState.REFUSED).text
    assert pilot.now.rollback is None and not exposed.service.writes
    pilot.done(declare())
    pilot.until(lambda _: pilot.rollback.flipped)
