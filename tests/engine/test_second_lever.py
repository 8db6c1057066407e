"""The second lever on the real engine: slow, refusing, lying, dead and half-recovered first services."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cockpit.core import commands as asked
from cockpit.core.clean import Percent
from cockpit.core.events import Kind, Lever
from cockpit.core.rollback import FlipState
from cockpit.core.snapshot import SecondLeverStatus
from cockpit.core.spec import Plan
from cockpit.engine.sources import Sources
from tests.engine.conftest import (
    Pilotage,
    World,
    declare,
    ident,
    make_plan,
    note,
    seen_at,
    with_second_levers,
)
from tests.engine.scripted import CLOSED, LIE, OBEY, REFUSE, Answer, down


@pytest.fixture
def exposed() -> Iterator[World]:
    made = World(plan=with_second_levers(make_plan()), percents={"writes": 50.0, "reads": 50.0})
    yield made
    made.end()


def pull(pilot: Pilotage, flag: str, note: str = "") -> asked.PullSecondLever:
    shown = pilot.now.rollback
    of = "" if shown is None else shown.id
    return asked.PullSecondLever(id=ident(), by="ana", rollback=of, flag=flag, note=note)


def second(pilot: Pilotage, flag: str) -> SecondLeverStatus:
    status = pilot.flag(flag).second
    assert status is not None
    return status


def offered(pilot: Pilotage, flag: str, words: str) -> None:
    pilot.until(lambda _: words in second(pilot, flag).offer, f"an offer: {words}")


def flown(exposed: World) -> Pilotage:
    pilot = exposed.start()
    pilot.until(lambda shot: shot.level.value == "ok")
    return pilot


def test_the_second_service_is_polled_like_any_other(exposed: World) -> None:
    pilot = flown(exposed)
    value = second(pilot, "reads").reading.value
    assert value is not None and value.exposure == Percent(5000)
    exposed.backup.failing = down("balancer is gone")
    pilot.until(lambda shot: any("second lever cannot be read" in reason.what for reason in shot.reasons))
    assert not second(pilot, "reads").offer, "nothing is offered without a rollback"


def test_a_service_that_is_down_offers_the_second_lever_at_once_and_it_brings_users_back(
    exposed: World,
) -> None:
    pilot = flown(exposed)
    exposed.service.failing = down()
    exposed.service.always["reads"] = exposed.service.always["writes"] = CLOSED
    pilot.done(declare())
    offered(pilot, "reads", "not reached")
    pilot.done(pull(pilot, "reads"))
    pilot.until(lambda _: pilot.flip("reads").lever is Lever.SECOND)
    assert exposed.backup.exposure("pool-reads") == 0
    assert exposed.service.exposure("reads") == 50
    pilot.until(lambda _: pilot.flip("reads").drained_at is not None)
    kinds = [event.kind for event in exposed.events() if event.body.get("lever") == "second"]
    assert kinds[:3] == [Kind.WRITE_INTENT, Kind.WRITE_OUTCOME, Kind.FLAG_SEEN]


def test_a_service_that_comes_back_halfway_is_put_to_zero_too(exposed: World) -> None:
    pilot = flown(exposed)
    exposed.service.failing = down()
    exposed.service.always["reads"] = CLOSED
    pilot.done(declare("reads"))
    offered(pilot, "reads", "not reached")
    pilot.done(pull(pilot, "reads"))
    pilot.until(lambda _: pilot.flip("reads").lever is Lever.SECOND)
    exposed.service.failing = None
    pilot.until(lambda _: pilot.flag("reads").configured.failure is None)
    assert seen_at(pilot.now, "reads") == 50, "the picture keeps both: zero by the second, 50 % by the first"
    exposed.service.always["reads"] = OBEY
    exposed.clock.advance(5)
    pilot.until(lambda _: pilot.flip("reads").state is FlipState.AT_ZERO)
    assert exposed.service.exposure("reads") == 0
    assert pilot.flip("reads").lever is Lever.SECOND


def test_a_service_that_refuses_is_followed_by_the_second_lever(exposed: World) -> None:
    exposed.service.always["reads"] = REFUSE
    pilot = flown(exposed)
    assert "no rollback is open" in pilot.refused(pull(pilot, "reads"))
    pilot.done(declare("reads"))
    offered(pilot, "reads", "gave up: 409")
    assert len(exposed.service.written("reads", "kill")) == 2
    pilot.done(pull(pilot, "reads"))
    pilot.until(lambda _: pilot.flip("reads").lever is Lever.SECOND)
    exposed.service.always["reads"] = OBEY
    exposed.clock.advance(15)
    pilot.until(lambda _: pilot.flip("reads").state is FlipState.AT_ZERO)


def test_a_service_that_lies_is_found_out_and_the_second_lever_offered(exposed: World) -> None:
    exposed.service.always["reads"] = LIE
    pilot = flown(exposed)
    pilot.done(declare("reads"))
    offered(pilot, "reads", "the first lever")
    pilot.done(pull(pilot, "reads"))
    pilot.until(lambda _: pilot.flip("reads").lever is Lever.SECOND)
    pilot.until(lambda _: pilot.flip("reads").drained_at is not None)


def test_a_service_that_answers_slowly_is_not_waited_for_once_the_second_is_pulled(exposed: World) -> None:
    pilot = flown(exposed)
    gate = exposed.gate()
    exposed.service.always["reads"] = Answer(gate=gate)
    pilot.done(declare("reads"))
    exposed.bell.until(lambda: gate.held == 1)
    assert "not offered now" in pilot.refused(pull(pilot, "reads"))
    exposed.clock.advance(16)
    offered(pilot, "reads", "takes longer than 15 s")
    pilot.done(pull(pilot, "reads"))
    pilot.until(lambda _: pilot.flip("reads").lever is Lever.SECOND)
    outcomes = [event.body for event in exposed.events(Kind.WRITE_OUTCOME)]
    assert "the second lever goes first" in str(outcomes[0]["detail"])


def test_a_lever_that_is_pulled_beside_the_driver_waits_for_no_answer_of_the_first_either(
    exposed: World,
) -> None:
    driver = flown(exposed)
    gate = exposed.gate()
    exposed.service.always["reads"] = Answer(gate=gate)
    driver.done(declare("reads"))
    exposed.bell.until(lambda: gate.held == 1)
    beside = exposed.start(exposed.flying(operator="ben"))
    exposed.clock.advance(16)
    offered(beside, "reads", "takes longer than 15 s")
    beside.done(pull(beside, "reads"))
    driver.until(lambda _: driver.flip("reads").lever is Lever.SECOND)
    first, *_ = exposed.events(Kind.WRITE_OUTCOME)
    assert "the second lever goes first" in str(first.body["detail"]), "it was not waited for"


def test_a_second_lever_that_is_at_work_is_not_pulled_beside_itself_by_the_next_driver(
    exposed: World,
) -> None:
    exposed.service.always["reads"] = REFUSE
    driver = flown(exposed)
    driver.done(declare("reads"))
    offered(driver, "reads", "gave up")
    gate = exposed.gate()
    exposed.backup.next_answers("pool-reads", Answer(gate=gate))
    driver.done(pull(driver, "reads"))
    exposed.bell.until(lambda: gate.held == 1)
    beside = exposed.start(exposed.flying(operator="ben"))
    holder = driver.now.seat.holder if driver.now.seat is not None else None
    assert holder is not None
    beside.done(asked.TakeSeat(id=ident(), by="ben", seen=holder.session, confirmed=True))
    beside.engine._call(beside.engine._pilot._give_up_orphans)  # type: ignore[union-attr]  # started
    beside.done(note("the moment that a living one gets is over", by="ben"))
    assert not [event for event in exposed.events(Kind.WRITE_OUTCOME) if event.body["lever"] == "second"]
    gate.open()
    beside.until(lambda _: beside.flip("reads").lever is Lever.SECOND)
    assert len(exposed.backup.written("pool-reads")) == 1


def test_what_was_done_by_hand_needs_a_note_and_stays_somebodys_word(exposed: World) -> None:
    exposed.service.always["writes"] = REFUSE
    pilot = flown(exposed)
    pilot.done(declare("writes"))
    offered(pilot, "writes", "gave up")
    assert "say what was done" in pilot.refused(pull(pilot, "writes"))
    exposed.backup.change("pool-writes", 0)
    pilot.done(pull(pilot, "writes", "weight is 0, seen in the balancer"))
    flip = pilot.flip("writes")
    assert flip.by_hand and flip.second is not None
    assert (flip.second.pulled_by, flip.second.note) == ("ana", "weight is 0, seen in the balancer")
    pilot.until(lambda _: pilot.flip("writes").drained_at is not None)
    assert not exposed.backup.writes, "no machine wrote it"


def test_a_cockpit_without_the_writer_offers_nothing_and_says_why(exposed: World) -> None:
    exposed.service.always["reads"] = CLOSED

    def without_backup(plan: Plan) -> Sources:
        return replace(exposed.sources(plan), writers={"flags": exposed.service})

    pilot = exposed.start(exposed.flying(sources=without_backup))
    pilot.until(lambda shot: shot.level.value == "ok")
    pilot.done(declare("reads"))
    pilot.until(lambda _: pilot.flip("reads").unsent > 0)
    assert second(pilot, "reads").offer == ""
    assert second(pilot, "reads").barred == "this cockpit has no right to write to backup"
    assert "no right to write to backup" in pilot.refused(pull(pilot, "reads"))


def test_a_lever_that_the_driver_had_no_right_to_write_is_pulled_again_once_the_seat_is_taken(
    exposed: World,
) -> None:
    exposed.service.always["reads"] = CLOSED

    def without_backup(plan: Plan) -> Sources:
        return replace(exposed.sources(plan), writers={"flags": exposed.service})

    driver = exposed.start(exposed.flying(sources=without_backup))
    driver.until(lambda shot: shot.level.value == "ok")
    driver.done(declare("reads"))
    beside = exposed.start(exposed.flying(operator="ben"))
    offered(beside, "reads", "not reached")
    beside.done(pull(beside, "reads"))
    beside.until(lambda _: "D takes the seat" in second(beside, "reads").barred)
    assert driver.now.seat is not None and driver.now.seat.holder is not None
    holder = driver.now.seat.holder
    why = f"{holder.name} has no right to write to backup"
    assert second(beside, "reads").barred == f"D takes the seat, then L pulls it: the driver {why}"
    assert second(beside, "reads").offer == "", "the driver would refuse it again"
    assert why in beside.refused(pull(beside, "reads"))
    assert "in one that has it" in second(driver, "reads").barred
    assert not exposed.backup.writes
    beside.done(asked.TakeSeat(id=ident(), by="ben", seen=holder.session, confirmed=True))
    offered(beside, "reads", "not reached")
    beside.done(pull(beside, "reads"))
    beside.until(lambda _: beside.flip("reads").lever is Lever.SECOND)
    assert exposed.backup.exposure("pool-reads") == 0


def test_a_second_lever_that_dies_with_its_cockpit_is_read_and_written_by_the_next(exposed: World) -> None:
    exposed.service.always["reads"] = CLOSED
    exposed.service.failing = down()
    pilot = exposed.start()
    pilot.done(declare("reads"))
    offered(pilot, "reads", "not reached")
    gate = exposed.gate()
    exposed.backup.next_answers("pool-reads", Answer(gate=gate, lands=False))
    pilot.done(pull(pilot, "reads"))
    exposed.bell.until(lambda: gate.held == 1)
    pilot.engine.leave_now("killed")
    assert pilot.engine.join(20)
    again = exposed.start()
    again.until(lambda _: again.flip("reads").lever is Lever.SECOND)
    assert exposed.backup.exposure("pool-reads") == 0
