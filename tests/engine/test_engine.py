"""The real engine on scripted adapters: take-off, reading, going forward, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.core import commands as asked
from cockpit.core.clean import Percent
from cockpit.core.commands import CommandState
from cockpit.core.events import Kind
from cockpit.core.model import Freshness, Health, WriteOutcome
from cockpit.core.snapshot import Agreement, Level
from tests.engine.conftest import World, advance, declare, ident, note, seen_at
from tests.engine.scripted import LIE, LOST, LOST_UNDONE, REFUSE, Answer, down


def test_the_first_snapshot_is_there_at_once_and_knows_nothing(world: World) -> None:
    world.cast.shut_polls()
    pilot = world.start()
    first = pilot.now
    assert first.level is Level.UNKNOWN
    assert all(flag.configured.freshness(first.engine_at) is Freshness.UNKNOWN for flag in first.flags)
    assert all(backend.health is Health.UNKNOWN for backend in first.backends)
    assert all(not all(gate.met for gate in flag.gates) for flag in first.flags)
    assert [event.kind for event in world.events()] == [Kind.DRIVER_TAKEN, Kind.FLIGHT_OPENED]


def test_what_was_read_first_is_journalled_as_the_setting_to_compare_with(exposed: World) -> None:
    pilot = exposed.start()
    pilot.until(lambda shot: seen_at(shot, "reads") == 50)
    exposed.bell.until(lambda: len(exposed.events(Kind.FLAG_SEEN)) == 2)
    assert {(e.body["flag"], e.body["exposure"]) for e in exposed.events(Kind.FLAG_SEEN)} == {
        ("writes", 5000),
        ("reads", 5000),
    }
    assert not exposed.events(Kind.FLAG_FOREIGN)
    assert not exposed.service.writes


def test_a_healthy_world_is_told_as_ok(world: World) -> None:
    pilot = world.start()
    shot = pilot.until(lambda shot: shot.level is Level.OK)
    assert shot.reasons == ()


def test_an_advance_is_done_only_after_the_flag_was_read_again(world: World) -> None:
    pilot = world.start()
    pilot.ready("writes")
    world.service.read_gate.shut()
    world.bell.until(lambda: world.service.read_gate.held >= 1)
    command = advance("writes", 10)
    pilot.give(command, CommandState.RUNNING)
    pilot.until(lambda _: pilot.flag("writes").writing is WriteOutcome.DONE)
    assert world.service.exposure("writes") == 10
    assert seen_at(pilot.now, "writes") == 0
    status = pilot.status(command)
    assert status is not None and status.state is CommandState.RUNNING, "accepted is not seen"
    world.service.read_gate.open()
    assert "re-read at 10%" in pilot.ends(command, CommandState.DONE).text
    assert pilot.flag("writes").stage == 0
    kinds = [event.kind for event in world.events() if event.body.get("flag") == "writes"]
    assert kinds[-4:] == [Kind.FLAG_ASKED, Kind.WRITE_INTENT, Kind.WRITE_OUTCOME, Kind.FLAG_SEEN]


def test_the_record_of_a_move_names_the_gates_it_passed(world: World) -> None:
    pilot = world.start()
    pilot.fly_to("writes", 10)
    (asked_event,) = world.events(Kind.FLAG_ASKED)
    gates = asked_event.body["gates"]
    assert isinstance(gates, list) and "0% → 10%" in gates[0]
    assert any("journal writable" in str(text) for text in gates)


def test_a_flag_goes_up_stage_by_stage_and_its_dependant_behind_it(world: World) -> None:
    pilot = world.start()
    pilot.until(lambda _: pilot.flag("writes").configured.value is not None)
    for percent in (10.0, 50.0):
        pilot.fly_to("writes", percent)
        pilot.fly_to("reads", percent)
    assert [world.service.exposure(key) for key in ("writes", "reads")] == [50, 50]
    pilot.until(lambda _: pilot.flag("reads").agreement is Agreement.AGREE)
    assert not world.events(Kind.FLAG_FOREIGN), "our own writes are never called foreign"
    assert [moment for moment in world.cast.hook.moments] == ["stage"] * 4


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (advance("writes", 50), "the next stage is 10%, not 50%"),
        (advance("nothing", 10), "the plan has no flag nothing"),
        (advance("reads", 10), "writes is at 0%, 10% needed first"),
        (replace(advance("writes", 10), percent_hundredths=20_000), "between 0 and 100"),
    ],
)
def test_a_wrong_move_is_refused_with_the_reason(world: World, command: asked.Advance, words: str) -> None:
    pilot = world.start()
    pilot.ready("writes")
    assert words in pilot.refused(command)
    assert not world.service.writes


def test_an_unmet_gate_is_named_and_nothing_is_written(world: World) -> None:
    pilot = world.start()
    pilot.ready("writes")
    world.cast.legacy.says(Health.DEGRADED, "slow disk")
    pilot.until(lambda shot: shot.backends[0].health is Health.DEGRADED)
    text = pilot.refused(advance("writes", 10))
    assert "1 gates not met" in text and "slow disk" in text
    assert not world.service.writes


def test_a_held_flag_does_not_move_until_it_is_released(world: World) -> None:
    pilot = world.start()
    pilot.ready("writes")
    assert "needs a reason" in pilot.refused(asked.Hold(id=ident(), by="ana", flag="writes", reason=" "))
    pilot.done(asked.Hold(id=ident(), by="ben", flag="writes", reason="lunch"))
    assert "held by ben: lunch" in pilot.refused(advance("writes", 10))
    pilot.done(asked.Hold(id=ident(), by="ana", flag="writes", reason="", release=True))
    pilot.fly_to("writes", 10)


def test_a_refused_write_is_no_longer_asked_for(world: World) -> None:
    world.service.next_answers("writes", REFUSE)
    pilot = world.start()
    pilot.ready("writes")
    command = advance("writes", 10)
    pilot.engine.submit(command)
    assert "409" in pilot.ends(command, CommandState.REFUSED).text
    assert pilot.flag("writes").asked == Percent(0)
    pilot.fly_to("writes", 10)


def test_a_service_that_says_yes_and_does_nothing_is_found_out(world: World) -> None:
    world.service.next_answers("writes", LIE)
    pilot = world.start()
    pilot.ready("writes")
    assert "asked 10%, but it reads 0%" in pilot.refused(advance("writes", 10))
    assert pilot.flag("writes").asked == Percent(0)
    assert not world.cast.hook.told
    assert not world.events(Kind.FLAG_FOREIGN)


def test_an_unknown_write_is_settled_by_reading_back_and_never_repeated(world: World) -> None:
    world.service.next_answers("writes", LOST)
    pilot = world.start()
    pilot.ready("writes")
    world.service.read_gate.shut()
    world.bell.until(lambda: world.service.read_gate.held >= 1)
    command = advance("writes", 10)
    assert "reading back" in pilot.give(command, CommandState.UNKNOWN).text
    world.service.read_gate.open()
    pilot.until(lambda _: (s := pilot.status(command)) is not None and s.state is CommandState.DONE)
    assert len(world.service.writes) == 1


def test_an_unknown_write_that_never_landed_ends_as_not_done(world: World) -> None:
    world.service.next_answers("writes", LOST_UNDONE)
    pilot = world.start()
    pilot.ready("writes")
    command = advance("writes", 10)
    pilot.engine.submit(command)
    pilot.until(lambda _: (s := pilot.status(command)) is not None and s.state is CommandState.REFUSED)
    assert pilot.flag("writes").asked == Percent(0)
    assert len(world.service.writes) == 1


def test_an_adapter_that_breaks_leaves_an_unknown_write_and_not_a_dead_engine(world: World) -> None:
    world.service.next_answers("writes", Answer(raises=ZeroDivisionError(), lands=False))
    pilot = world.start()
    pilot.ready("writes")
    command = advance("writes", 10)
    pilot.engine.submit(command)
    pilot.until(lambda _: (s := pilot.status(command)) is not None and s.state is CommandState.REFUSED)
    (outcome,) = world.events(Kind.WRITE_OUTCOME)
    assert outcome.body["outcome"] == "unknown"
    assert "own fault: ZeroDivisionError" in str(outcome.body["detail"])
    pilot.fly_to("writes", 10)


def test_the_same_command_twice_is_done_once(world: World) -> None:
    pilot = world.start()
    pilot.ready("writes")
    command = advance("writes", 10)
    for _ in range(3):
        pilot.engine.submit(command)
    pilot.ends(command, CommandState.DONE)
    assert len(world.service.writes) == 1
    assert len(world.events(Kind.FLAG_ASKED)) == 1


def test_a_command_is_remembered_long_after_it_left_the_screen(world: World) -> None:
    pilot = world.start()
    first = note("once")
    pilot.done(first)
    for _ in range(30):
        pilot.done(note("between"))
    pilot.engine.submit(first)
    pilot.done(note("after the repeated one"))
    assert [event.body["text"] for event in world.events(Kind.NOTE_ADDED)].count("once") == 1


def test_two_moves_of_one_flag_do_not_overtake_each_other(world: World) -> None:
    pilot = world.start()
    pilot.ready("writes")
    first, second = advance("writes", 10), advance("writes", 10)
    pilot.engine.submit(first)
    pilot.engine.submit(second)
    pilot.ends(first, CommandState.DONE)
    pilot.ends(second, CommandState.REFUSED)
    assert len(world.service.writes) == 1


def test_notes_are_kept_and_empty_ones_are_not(world: World) -> None:
    pilot = world.start()
    assert "empty" in pilot.refused(note("  "))
    pilot.done(note("looks \x1b[2Jgood"))
    (event,) = world.events(Kind.NOTE_ADDED)
    assert event.actor == "ana" and "\x1b" not in str(event.body["text"])


def test_poll_now_asks_every_source_without_waiting_for_its_interval(world: World) -> None:
    pilot = world.start()
    world.bell.until(lambda: world.cast.new.asked > 0)
    before = world.cast.new.asked
    pilot.done(asked.PollNow(id=ident(), by="ana"))
    world.bell.until(lambda: world.cast.new.asked > before)


def overriding(percent: float, reason: str) -> asked.OverrideVerdict:
    stage = Percent.parse(percent).hundredths
    return asked.OverrideVerdict(
        id=ident(), by="ana", flag="writes", percent_hundredths=stage, signal="errors", reason=reason
    )


def test_an_override_is_for_one_stage_only(world: World) -> None:
    world.cast.monitor.bad_pct = {"legacy": 0.0, "new": 0.0}
    pilot = world.start()
    pilot.fly_to("writes", 10)
    pilot.until(lambda _: any("UNDECIDED" in gate.text for gate in pilot.flag("writes").gates))
    assert "needs a reason" in pilot.refused(overriding(50, ""))
    assert "its next stage is 50% now; look again" in pilot.refused(overriding(10, "quiet night"))
    done = pilot.done(overriding(50, "quiet night"))
    assert "50% only" in done.text
    pilot.fly_to("writes", 50)
    pilot.until(lambda _: pilot.flag("writes").agreement is Agreement.AGREE)
    pilot.until(lambda _: any("UNDECIDED" in gate.text for gate in pilot.flag("writes").gates))
    assert "UNDECIDED" in pilot.refused(advance("writes", 100))


def test_a_read_only_cockpit_has_no_writer_refuses_everything_and_writes_nothing(exposed: World) -> None:
    exposed.service.next_answers("writes", LIE)
    watcher = exposed.start(exposed.flying(read_only=True))
    watcher.until(lambda shot: seen_at(shot, "writes") == 50)
    assert watcher.now.read_only
    for command in (advance("writes", 100), declare(), note(), asked.PollNow(id=ident(), by="ana")):
        assert watcher.refused(command) == "this cockpit is read-only"
    watcher.leave()
    assert exposed.journal.last_seq() == 0
    assert exposed.journal.latest_published() is None
    assert not exposed.service.writes


def test_a_service_without_a_write_right_is_told_and_not_written(world: World) -> None:
    pilot = world.start(world.flying(writers=False))
    pilot.until(lambda _: pilot.flag("writes").configured.value is not None)
    assert not pilot.flag("writes").writable
    assert "gates not met" in pilot.refused(advance("writes", 10))


def test_a_source_that_cannot_be_read_says_why(world: World) -> None:
    world.service.failing = down("401 Unauthorized")
    pilot = world.start()
    shot = pilot.until(lambda shot: any("401" in reason.what for reason in shot.reasons))
    assert shot.level is Level.UNKNOWN
    assert any("never read: 401" in gate.text for gate in pilot.flag("writes").gates)
