"""Several cockpits on one journal: who drives, how the seat changes hands, what a former driver may do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.core import commands as asked
from cockpit.core.commands import CommandState
from cockpit.core.driver import DriverSeat, How, taken_body
from cockpit.core.events import Event, Kind
from cockpit.core.snapshot import Snapshot
from cockpit.engine.engine import STOOD_STILL_S
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.journal_port import Beat, FailureKind, JournalFailure
from cockpit.engine.journal_port import Draft as Written
from tests.engine.conftest import Pilotage, World, advance, declare, ident, note, seen_at
from tests.engine.scripted import Answer


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[World]:
    world = World(
        percents={"writes": 50.0, "reads": 50.0}, journal=SqliteJournal(tmp_path / "state" / "flight.journal")
    )
    yield world
    world.end()


@contextmanager
def second(world: World, operator: str = "ben") -> Iterator[Pilotage]:
    """Another cockpit on the same file, with a journal object of its own."""
    assert isinstance(world.journal, SqliteJournal)
    journal = SqliteJournal(world.journal.path)
    pilot = world.start(world.flying(operator=operator, journal=journal))
    try:
        yield pilot
    finally:
        world.cast.open_all()
        pilot.engine.leave_now("the test is over")
        assert pilot.engine.join(20)
        journal.close()


def drives(pilot: Pilotage) -> Callable[[Snapshot], bool]:
    return lambda _: pilot.now.seat is not None and pilot.now.seat.drives


def driver_of(shot: Snapshot) -> str:
    assert shot.seat is not None
    return "" if shot.seat.holder is None else shot.seat.holder.name


def gained(event: Event) -> tuple[str, object]:
    return event.actor, event.body["how"]


@contextmanager
def standing_still(pilot: Pilotage) -> Iterator[None]:
    """Its engine hangs as a stopped process does: it neither beats nor looks nor writes."""
    still, hangs = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        still.wait(60)

    pilot.engine._call(hang)
    assert hangs.wait(20)
    try:
        yield
    finally:
        still.set()


def falls_silent(pilot: Pilotage, condition: Callable[[Snapshot], bool]) -> Snapshot:
    """A second of steady time with every look of this cockpit."""

    def ticking(shot: Snapshot) -> bool:
        pilot.world.clock.advance(1.0)
        return condition(shot)

    return pilot.until(ticking, "silence")


def test_of_two_cockpits_exactly_one_drives_and_both_show_the_same_flight(shared: World) -> None:
    driver = shared.start()
    with second(shared) as beside:
        shot = beside.until(lambda shot: any(reason.subject == "driver" for reason in shot.reasons))
        assert driver_of(shot) == driver_of(driver.now) == "ana@test-host"
        assert shot.seat is not None and not shot.seat.drives
        driver.fly_to("writes", 100)
        beside.until(lambda shot: seen_at(shot, "writes") == 100 and shot.flags[0].asked is not None)
        assert "ana@test-host drives since" in beside.refused(advance("reads", 100))
        beside.done(note("seen from the other desk", by="ben"))
        driver.until(lambda shot: any(line.text.endswith("other desk") for line in shot.tail))
        driver.until(
            lambda shot: (
                shot.seat is not None
                and {each.name for each in shot.seat.present} == {"ana@test-host", "ben@test-host"}
            )
        )
    assert [gained(event) for event in shared.events(Kind.DRIVER_TAKEN)] == [("ana", "free")]


def test_a_rollback_declared_beside_the_driver_takes_the_seat_and_carries_it_out(shared: World) -> None:
    driver = shared.start()
    driver.ready("writes")
    with second(shared) as other:
        other.until(lambda shot: seen_at(shot, "writes") == 50)
        other.done(declare(by="ben"))
        other.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
        shot = driver.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
        assert driver_of(shot) == "ben@test-host"
        (told,) = [reason.what for reason in shot.reasons if reason.subject == "driver"]
        assert told == "ben@test-host took the seat from this cockpit (rollback)"
        events = shared.events()
        taken = next(event for event in events if event.body.get("how") == "rollback")
        assert events[taken.seq].kind is Kind.ROLLBACK_DECLARED and events[taken.seq].at == taken.at
        assert taken.body["from_name"] == "ana@test-host"
        assert len(shared.service.written("reads", "kill")) == 1
        assert all(each.others_in_flight == 0 for each in shared.service.writes)
    driver.until(drives(driver), "who lost it to a rollback takes it back once it is free")


def test_a_forward_write_of_the_driver_in_flight_is_given_up_and_settled_by_reading(shared: World) -> None:
    gate = shared.gate()
    shared.service.next_answers("writes", Answer(gate=gate))
    driver = shared.start()
    driver.ready("writes")
    move = advance("writes", 100)
    driver.give(move, CommandState.RUNNING)
    shared.bell.until(lambda: gate.held == 1)
    with second(shared) as other:
        other.until(lambda shot: shot.flags[0].asked is not None)
        other.done(declare("writes", by="ben"))
        other.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
        forward = [each.body for each in shared.events(Kind.WRITE_OUTCOME) if each.body["action"] == "set"]
        assert {body["outcome"] for body in forward} == {"unknown"}, "whoever says so first"
        assert driver.ends(move, CommandState.REFUSED)
        sessions = {event.body["session"] for event in shared.events(Kind.WRITE_INTENT)}
        assert len(sessions) == 2, "each intent carries the session that held the seat then"


def test_a_driver_that_left_makes_room_and_the_other_goes_on(shared: World) -> None:
    gate = shared.gate()
    shared.service.next_answers("reads", Answer(gate=gate))
    driver = shared.start()
    driver.ready("writes")
    with second(shared) as other:
        driver.done(declare())
        shared.bell.until(lambda: gate.held == 1)
        driver.engine.leave_now("gone")
        assert driver.engine.join(20)
        other.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
        assert [event.actor for event in shared.events(Kind.FLIGHT_RESUMED)] == ["ben"]
        assert [gained(event) for event in shared.events(Kind.DRIVER_TAKEN)][1] == ("ben", "free")
        shared.clock.advance(1000)


@pytest.mark.parametrize(("lives", "how"), [(False, How.GONE), (True, How.SILENCE)], ids=["gone", "silent"])
def test_a_dead_driver_is_followed_at_once_and_a_silent_one_after_a_while(
    shared: World, lives: bool, how: How
) -> None:
    seated(shared, "ana", lives=lives)
    with second(shared) as waiting:
        if lives:
            assert driver_of(waiting.now) == "ana@ops-1"
            falls_silent(waiting, drives(waiting))
        assert drives(waiting)(waiting.now)
        taken = shared.events(Kind.DRIVER_TAKEN)[-1]
        assert gained(taken) == ("ben", how.value)
        assert taken.body["from_name"] == "ana@ops-1"


def test_a_silent_driver_of_an_open_rollback_is_not_waited_for_so_long(shared: World) -> None:
    """The frozen one holds the seat, and a forward write of its own is not answered."""
    session = seated(shared, "ana", lives=True)
    intent = {"flag": "writes", "write_id": "w1", "action": "set", "percent": 10_000, "session": session}
    add(shared, "ana", Written(kind=Kind.WRITE_INTENT, body=intent))
    with second(shared) as waiting:
        waiting.until(lambda shot: seen_at(shot, "writes") == 50)
        waiting.done(declare(by="ben"))
        waiting.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
        waiting.settled("drain", "verify", "reconcile", "announce")
        waiting.done(asked.DoStep(id=ident(), by="ben", rollback=waiting.rollback.id, step="jobs"))
        waiting.done(asked.CloseRollback(id=ident(), by="ben", rollback=waiting.rollback.id))
        assert drives(waiting)(waiting.now), "it has the seat and keeps it"
        shared.clock.advance(10_000)


def test_a_driver_that_wakes_up_finds_out_before_it_writes_and_says_so(shared: World) -> None:
    driver = shared.start()
    driver.ready("writes")
    with second(shared) as other:
        other.until(lambda shot: seen_at(shot, "writes") == 50)
        late = advance("writes", 100)
        with standing_still(driver):
            driver.engine.submit(late)
            falls_silent(other, drives(other))
            written = list(shared.service.writes)
            shared.clock.advance(STOOD_STILL_S)
        assert "stood still since that key" in driver.ends(late, CommandState.REFUSED).text
        assert "ben@test-host drives since" in driver.refused(advance("writes", 100))
        shot = driver.until(lambda shot: driver_of(shot) == "ben@test-host")
        (told,) = [reason.what for reason in shot.reasons if reason.subject == "driver"]
        assert told == "ben@test-host took the seat from this cockpit (silence)"
        driver.done(note("awake"))
        assert shared.service.writes == written
        assert not drives(driver)(driver.now), "the other lives: nothing is taken back"


def test_the_journal_on_which_nobody_can_sit_down_still_carries_a_rollback(exposed: World) -> None:
    class Deaf(MemoryJournal):
        def beat(self, beat: Beat) -> None:
            raise JournalFailure(FailureKind.UNSAFE, "The heartbeat cannot be given", "no place")

    pilot = exposed.start(exposed.flying(journal=Deaf()))
    shot = pilot.until(lambda shot: seen_at(shot, "writes") == 50)
    assert any("heartbeat" in reason.what for reason in shot.reasons)
    pilot.done(declare())
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)


def test_a_cockpit_that_can_write_nothing_leaves_the_rollback_to_the_driver_that_can(shared: World) -> None:
    driver = shared.start()
    driver.ready("writes")
    assert isinstance(shared.journal, SqliteJournal)
    journal = SqliteJournal(shared.journal.path)
    blind = shared.start(shared.flying(operator="ben", writers=False, journal=journal))
    blind.done(declare(by="ben"))
    driver.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    assert driver_of(driver.now) == "ana@test-host" and driver.rollback.declared_by == "ben"
    blind.leave()
    journal.close()


def take(pilot: Pilotage, *, confirmed: bool = False, by: str = "ben") -> asked.TakeSeat:
    """As the sheet would send it for the holder that this cockpit shows now."""
    assert pilot.now.seat is not None
    holder = pilot.now.seat.holder
    return asked.TakeSeat(
        id=ident(), by=by, seen="" if holder is None else holder.session, confirmed=confirmed
    )


def test_the_seat_is_taken_from_a_living_driver_by_a_confirmed_act_only(shared: World) -> None:
    driver = shared.start()
    driver.ready("writes")
    with second(shared) as other:
        other.until(lambda shot: driver_of(shot) == "ana@test-host")
        assert "by a confirmed act only" in other.refused(take(other))
        stale = take(other, confirmed=True)
        other.done(stale)
        assert drives(other)(other.now)
        shot = driver.until(lambda shot: driver_of(shot) == "ben@test-host")
        assert shot.seat is not None and shot.seat.lost_to is not None
        assert "ben@test-host drives since" in driver.refused(advance("writes", 100))
        assert "look again" in driver.refused(replace(stale, id=ident()))
        other.ready("writes")
        other.done(advance("writes", 100, by="ben"))
        assert gained(shared.events(Kind.DRIVER_TAKEN)[-1]) == ("ben", "confirmed")


def test_the_seat_is_handed_over_when_the_other_one_takes_it(shared: World) -> None:
    driver = shared.start()
    with second(shared) as other:
        assert other.now.seat is not None
        to = other.now.seat.session
        driver.until(lambda shot: shot.seat is not None and len(shot.seat.present) == 2)
        driver.done(asked.OfferSeat(id=ident(), by="ana", to=to))
        assert drives(driver)(driver.now), "until it is taken"
        other.until(lambda shot: shot.seat is not None and shot.seat.offered_here)
        other.done(asked.DeclineSeat(id=ident(), by="ben"))
        driver.until(lambda shot: shot.seat is not None and shot.seat.offer is None)
        driver.done(asked.OfferSeat(id=ident(), by="ana", to=to))
        other.until(lambda shot: shot.seat is not None and shot.seat.offered_here)
        other.done(take(other))
        assert gained(shared.events(Kind.DRIVER_TAKEN)[-1]) == ("ben", "handed over")
        driver.until(lambda shot: driver_of(shot) == "ben@test-host")
        assert "gone" in other.refused(asked.OfferSeat(id=ident(), by="ben", to="nobody-here"))


def test_who_released_the_seat_does_not_take_it_back_by_itself(shared: World) -> None:
    driver = shared.start()
    driver.ready("writes")
    driver.done(asked.ReleaseSeat(id=ident(), by="ana"))
    shot = driver.until(lambda shot: any("nobody drives" in reason.what for reason in shot.reasons))
    assert shot.seat is not None and shot.seat.holder is None
    assert "nobody drives" in driver.refused(advance("writes", 100))
    driver.done(note("several looks later"))
    driver.done(take(driver, by="ana"))
    assert drives(driver)(driver.now)
    driver.done(asked.ReleaseSeat(id=ident(), by="ana"))
    with second(shared) as other:
        other.until(drives(other), "who comes finds it free")
    taken = [gained(event) for event in shared.events(Kind.DRIVER_TAKEN)]
    assert taken[:3] == [("ana", "free"), ("ana", "free"), ("ben", "free")]


def test_in_a_rollback_the_seat_is_not_left_to_nobody(shared: World) -> None:
    gate = shared.gate()
    shared.service.always["reads"] = Answer(gate=gate)
    driver = shared.start()
    driver.ready("writes")
    driver.done(declare())
    shared.bell.until(lambda: gate.held == 1)
    assert "a write is in flight" in driver.refused(asked.ReleaseSeat(id=ident(), by="ana"))
    gate.open()
    driver.settled("flip")
    driver.until(lambda _: not driver.engine._pilot._effects.writing)  # type: ignore[union-attr]  # started
    assert "no other cockpit is here" in driver.refused(asked.ReleaseSeat(id=ident(), by="ana"))


def seated(world: World, operator: str, *, lives: bool) -> str:
    """A cockpit that took the seat and then did nothing any more; its session."""
    session = f"{operator}-session"
    if lives:
        world.journal.beat(Beat(session=session, operator=operator, host="ops-1", count=3))
    body = taken_body(DriverSeat(), session, "ops-1", How.FREE)
    opened = {"plan_digest": "d" * 64, "environment": world.plan.environment}
    add(
        world,
        operator,
        Written(kind=Kind.DRIVER_TAKEN, body=body),
        Written(kind=Kind.FLIGHT_OPENED, body=opened),
    )
    return session


def add(world: World, operator: str, *drafts: Written) -> None:
    seq = world.journal.last_seq()
    world.journal.append_many(drafts, actor=operator, at=world.clock.now(), expected_seq=seq)
