"""A driver whose process has no right to write the first lever: every screen says what helps."""

from __future__ import annotations

from dataclasses import replace

from cockpit.core import commands as asked
from cockpit.core.spec import Plan
from cockpit.engine.sources import Sources
from tests.engine.conftest import Pilotage, World, declare, ident
from tests.engine.scripted import OBEY


def retry(pilot: Pilotage, flag: str) -> asked.RetryFlag:
    return asked.RetryFlag(id=ident(), by="ana", rollback=pilot.rollback.id, flag=flag)


def barred(pilot: Pilotage) -> str:
    return pilot.flag("reads").barred


def test_the_seat_has_to_go_to_a_cockpit_that_has_the_right(exposed: World) -> None:
    def without_flags(plan: Plan) -> Sources:
        return replace(exposed.sources(plan), writers={})

    driver = exposed.start(exposed.flying(sources=without_flags))
    driver.until(lambda shot: all(flag.configured.value for flag in shot.flags))
    gate = next(gate for gate in driver.flag("reads").gates if gate.name == "writer")
    assert not gate.met and "D takes the seat in one that has it" in gate.text
    driver.done(declare("reads"))
    driver.until(lambda _: driver.flip("reads").needs_person)
    beside = exposed.start(exposed.flying(operator="ben"))
    beside.until(lambda _: bool(barred(beside)))
    assert "has no right to write to flags" in driver.flip("reads").detail
    assert barred(driver) == "D takes the seat in one that has it, F then retries there"
    assert barred(beside) == "D takes the seat, F then retries"
    for pilot in (driver, beside):
        assert "D takes the seat" in pilot.refused(retry(pilot, "reads")), "it would be refused again"
    assert not exposed.service.writes
    holder = driver.now.seat.holder if driver.now.seat is not None else None
    assert holder is not None
    beside.done(asked.TakeSeat(id=ident(), by="ben", seen=holder.session, confirmed=True))
    beside.until(lambda _: not barred(beside))
    exposed.service.always["reads"] = OBEY
    beside.done(retry(beside, "reads"))
    beside.until(lambda _: beside.flip("reads").at_zero)
