"""Two people for one stage: asked in one cockpit, approved in another, written by the first alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.core import commands as asked
from cockpit.core.approvals import LAPSES_AFTER_S
from cockpit.core.commands import CommandState
from cockpit.core.events import Kind
from cockpit.core.model import Health
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_memory import MemoryJournal
from tests.engine.conftest import Pilotage, World, advance, declare, ident, make_plan
from tests.engine.test_seat import drives, second


@pytest.fixture
def two(tmp_path: Path) -> Iterator[World]:
    """A plan that wants two people."""
    journal = SqliteJournal(tmp_path / "state" / "flight.journal")
    world = World(plan=replace(make_plan(), approvals=2), journal=journal)
    yield world
    world.end()


def ready_but_for_people(pilot: Pilotage) -> None:
    pilot.until(
        lambda _: all(gate.met or gate.name == "approvals" for gate in pilot.flag("writes").gates), "gates"
    )


def ask(pilot: Pilotage) -> asked.Advance:
    ready_but_for_people(pilot)
    move = advance("writes", 10)
    pilot.give(move, CommandState.RUNNING)
    return move


def request_id(pilot: Pilotage) -> str:
    request = pilot.until(lambda shot: shot.request is not None).request
    assert request is not None
    return request.id


def approve(pilot: Pilotage, by: str = "ben") -> asked.ApproveAdvance:
    return asked.ApproveAdvance(id=ident(), by=by, request=request_id(pilot))


def test_a_second_person_approves_and_the_driver_writes_it(two: World) -> None:
    driver = two.start()
    with second(two) as other:
        move = ask(driver)
        shot = other.until(lambda shot: shot.request is not None)
        assert any(reason.subject == "approval" and "1 of 2" in reason.value for reason in shot.reasons)
        assert not two.service.writes
        other.done(approve(other))
        driver.ends(move, CommandState.DONE)
    asked_for = two.events(Kind.FLAG_ASKED)[0]
    assert asked_for.actor == "ana"
    assert "2 of 2 people: ana@test-host, ben@test-host" in str(asked_for.body["gates"])
    assert len(two.service.written("writes", "set")) == 1
    assert two.service.exposure("writes") == 10


def test_the_driver_alone_gets_nowhere(two: World) -> None:
    driver = two.start()
    ask(driver)
    assert "this cockpit has said yes already" in driver.refused(approve(driver, by="ana"))
    again = driver.refused(advance("writes", 10))
    assert "open already: writes to 10%, asked for by ana@test-host; it lapses at " in again
    with second(two, operator="ana") as twin:
        assert "ana has said yes already" in twin.refused(approve(twin, by="ana"))
    assert not two.service.writes


def test_a_no_ends_it_with_its_reason(two: World) -> None:
    driver = two.start()
    with second(two) as other:
        move = ask(driver)
        wanted = request_id(other)
        assert "needs a reason" in other.refused(
            asked.DeclineAdvance(id=ident(), by="ben", request=wanted, reason=" ")
        )
        other.done(asked.DeclineAdvance(id=ident(), by="ben", request=wanted, reason="not before the backup"))
        assert "ben: declined what was asked for: not before the backup" in (
            driver.ends(move, CommandState.REFUSED).text
        )
        assert "no request is open" in other.refused(
            asked.ApproveAdvance(id=ident(), by="ben", request=wanted)
        )


def test_what_nobody_approves_lapses_and_can_be_withdrawn(two: World) -> None:
    driver = two.start()
    move = ask(driver)
    driver.done(asked.WithdrawAdvance(id=ident(), by="ana", request=request_id(driver)))
    assert "withdrawn by the driver" in driver.ends(move, CommandState.REFUSED).text
    late = ask(driver)
    two.clock.advance(LAPSES_AFTER_S)
    assert "lapsed: 1 of 2 people had approved" in driver.ends(late, CommandState.REFUSED).text


def test_a_gate_that_shut_meanwhile_is_named_and_nothing_is_written(two: World) -> None:
    driver = two.start()
    with second(two) as other:
        move = ask(driver)
        yes = approve(other)
        two.cast.new.says(Health.DOWN, "dead")
        driver.until(lambda shot: shot.backends[1].health is Health.DOWN)
        other.done(yes)
        said = driver.ends(move, CommandState.REFUSED).text
        assert "approved, but not done: " in said and "health is down" in said
        assert not two.service.writes


def test_a_rollback_asks_nobody_and_ends_the_request(two: World) -> None:
    driver = two.start()
    with second(two) as other:
        move = ask(driver)
        wanted = request_id(other)
        other.done(declare(by="ben"))
        other.until(drives(other))
        driver.ends(move, CommandState.REFUSED)
        assert "no request is open" in other.refused(
            asked.ApproveAdvance(id=ident(), by="ben", request=wanted)
        )
        other.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
        assert not two.service.written("writes", "set")


def test_what_has_lapsed_waits_for_nobody_even_where_no_driver_ends_it(two: World) -> None:
    """A look at the journal of a driver that died: its request stays open there for ever."""
    ask(two.start())
    died = MemoryJournal()
    for event in two.events():
        died.append(event.kind, event.body, actor=event.actor, at=event.at, expected_seq=died.last_seq())
    look = two.start(two.flying(read_only=True, journal=died))
    shot = look.until(lambda shot: shot.request is not None)
    assert any(reason.subject == "approval" for reason in shot.reasons)
    two.clock.advance(LAPSES_AFTER_S)
    shot = look.until(lambda shot: shot.request is None)
    assert not any(reason.subject == "approval" for reason in shot.reasons)
