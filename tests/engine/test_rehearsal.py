"""The rehearsal of a rollback goes as far as the first write, and leaves nothing behind anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cockpit.core import commands as asked
from tests.engine.conftest import ident, make_plan
from tests.engine.scripted import START
from tests.engine.stepping import Cockpit, Surroundings


def flown(around: Surroundings) -> Cockpit:
    cockpit = Cockpit(around, 1, lambda event: None)
    cockpit.take_off()
    cockpit.pass_time(1.0)
    return cockpit


@pytest.fixture
def around() -> Surroundings:
    return Surroundings(make_plan(), {"writes": 50.0, "reads": 50.0})


@pytest.fixture
def cockpit(around: Surroundings) -> Iterator[Cockpit]:
    made = flown(around)
    yield made
    made.crash()


def rehearsed(cockpit: Cockpit, *flags: str) -> bool:
    found: list[bool] = []
    cockpit.on_loop(lambda: found.append(cockpit._pilot._orders._rehearsal.walk(flags)))
    return found[0]


def test_it_comes_as_far_as_the_first_write_and_nothing_is_written(
    cockpit: Cockpit, around: Surroundings
) -> None:
    before, flight = around.book.everything(), cockpit.flight
    assert rehearsed(cockpit)
    assert rehearsed(cockpit, "reads")
    assert cockpit.flight is flight and cockpit.flight.rollback is None
    cockpit.pass_time(1.0)
    assert around.book.everything() == before
    assert not around.service.out and not around.hook.told
    assert cockpit.snapshot.commands == ()


def test_a_sheet_rehearses_once_and_what_is_meant_comes_after_it(
    cockpit: Cockpit, around: Surroundings
) -> None:
    for _ in range(3):
        cockpit.give(asked.MakeReady(id="sheet", by="ana"))
    assert not around.service.out
    cockpit.give(asked.DeclareRollback(id="sheet", by="ana"))
    assert cockpit.flight.rollback is not None
    assert set(around.service.out) == {"reads"}


def test_with_a_rollback_open_only_what_widens_it_is_rehearsed(
    cockpit: Cockpit, around: Surroundings
) -> None:
    cockpit.give(asked.DeclareRollback(id=ident(), by="ana", flags=("reads",)))
    out, flight = dict(around.service.out), cockpit.flight
    rehearsed(cockpit)
    assert cockpit.flight is flight
    assert around.service.out == out


def test_behind_the_point_of_no_return_it_ends_before_anything(around: Surroundings) -> None:
    around.plan = replace(around.plan, rollback=replace(around.plan.rollback, point_of_no_return_at=START))
    cockpit = flown(around)
    assert not rehearsed(cockpit)
    cockpit.crash()
