"""A patient start: the first picture stands before adapters are built, and nothing that matters waits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cockpit.core.commands import CommandState
from cockpit.core.events import Kind
from cockpit.core.spec import Plan
from cockpit.engine import engine as engines
from cockpit.engine.engine import Engine
from cockpit.engine.published import decode
from cockpit.engine.sources import Sources, unbuilt
from tests.engine.conftest import DEADLINE_S, Pilotage, World, advance, declare, make_plan, note
from tests.engine.scripted import Answer


@pytest.fixture(autouse=True)
def nobody_looks_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "SEEN_LIMIT_S", 3600.0)


def start(world: World, sources: Callable[[Plan], Sources] | None = None) -> Pilotage:
    engine = Engine(world.flying(sources=sources))
    engine.subscribe(world.bell.tell)
    engine.start(patiently=True)
    world.engines.append(engine)
    return Pilotage(world, engine)


def test_nothing_is_built_before_the_first_picture_is_seen_and_everything_after(world: World) -> None:
    pilot = start(world)
    first = pilot.now
    assert world.cast.sources_built == 0
    assert first.seat is not None and first.seat.drives
    assert all(flag.configured.attempted_at is None for flag in first.flags)
    assert all(flag.writable for flag in first.flags), "nobody knows yet that it cannot be written"
    pilot.engine.seen()
    pilot.ready("writes")
    assert world.cast.sources_built == 1
    assert not pilot.engine.grounded()


def test_who_looks_on_has_the_first_picture_while_the_driver_waits_for_eyes(world: World) -> None:
    start(world)
    world.bell.until(lambda: world.journal.latest_published() is not None)
    published = world.journal.latest_published()
    assert published is not None
    seat = decode(published[0]).seat
    assert seat is not None and seat.drives
    assert world.cast.sources_built == 0


def test_without_a_writer_the_second_picture_says_so(world: World) -> None:
    pilot = start(world, lambda plan: world.sources(plan, writers=False))
    pilot.engine.seen()
    pilot.until(lambda shot: not any(flag.writable for flag in shot.flags))


def test_a_command_waits_for_no_eyes(world: World) -> None:
    pilot = start(world)
    pilot.give(note("somebody types ahead"), CommandState.DONE)
    assert world.cast.sources_built == 1


def test_a_rollback_that_is_declared_before_anybody_looked_is_written(exposed: World) -> None:
    pilot = start(exposed)
    pilot.done(declare())
    pilot.until(lambda _: pilot.rollback.flipped)
    assert exposed.service.exposure("writes") == 0


def test_an_open_rollback_goes_on_before_anybody_looked(exposed: World) -> None:
    gate = exposed.gate()
    exposed.service.next_answers("reads", Answer(gate=gate))
    before = exposed.start()
    before.done(declare())
    exposed.bell.until(lambda: gate.held == 1)
    before.engine.leave_now("the terminal died")
    assert before.engine.join(DEADLINE_S)
    again = start(exposed)
    assert again.rollback.open, "on the first picture"
    again.until(lambda _: again.rollback.flipped)


def test_an_end_before_anybody_looked_signs_out(world: World) -> None:
    pilot = start(world)
    pilot.leave("no terminal")
    assert world.events()[-1].kind is Kind.FLIGHT_ENDED
    assert world.cast.released == 1


def test_adapters_that_cannot_be_built_keep_it_on_the_ground(world: World) -> None:
    def broken(plan: Plan) -> Sources:
        raise RuntimeError("no library")

    pilot = start(world, broken)
    pilot.engine.seen()
    assert pilot.engine.grounded()
    assert pilot.engine.join(DEADLINE_S)
    assert isinstance(pilot.engine.failed, RuntimeError)
    assert world.events()[-1].kind is Kind.FLIGHT_ENDED, "the seat is free"


def test_an_impatient_start_builds_first_and_touches_no_journal_when_that_fails(world: World) -> None:
    def broken(plan: Plan) -> Sources:
        raise RuntimeError("no token")

    engine = Engine(world.flying(sources=broken))
    with pytest.raises(RuntimeError, match="no token"):
        engine.start()
    assert engine.grounded()
    assert not world.events()


async def test_what_is_not_built_yet_sends_nothing(world: World) -> None:
    writer = unbuilt(make_plan()).writers["flags"]
    for result in (await writer.kill("writes"), await writer.zero("writes")):
        assert result.unsent
    assert not await writer.preflight(["writes"])
    await writer.aclose()


def test_a_forward_move_before_anybody_looked_needs_its_gates(world: World) -> None:
    pilot = start(world)
    assert pilot.refused(advance("writes", 10))
    assert not world.service.writes
