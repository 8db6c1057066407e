"""Read-backs of one moment are one read of a service, and none of them proves more than it saw."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from cockpit.adapters.base import AdapterError, FlagReader, Preflight
from cockpit.core.events import Lever
from cockpit.core.model import Fault, FlagValue
from cockpit.engine.read_back import ReadBacks
from cockpit.engine.senses import Senses
from tests.adapters.flags.crew import until
from tests.engine.conftest import World, with_second_levers
from tests.engine.scripted import Gate, down


class Aloft:
    """Senses over a scripted service, without an engine. folded: the last event that the journal has."""

    def __init__(self, world: World, reader: FlagReader | None = None, *, timeout_s: float = 20.0) -> None:
        plan = with_second_levers(world.plan)
        services = tuple(replace(each, timeout_s=timeout_s) for each in plan.flag_services)
        self.plan = replace(plan, flag_services=services)
        sources = world.sources(self.plan)
        if reader is not None:
            sources = replace(sources, readers={**sources.readers, "flags": reader})
        self.folded = 1
        self.senses = Senses(self.plan, sources, world.clock, lambda source: None, lambda: self.folded)
        self.backs = ReadBacks(self.senses, lambda: self.plan)

    async def read(self, *flags: str, lever: Lever = Lever.FIRST) -> list[bool]:
        return await asyncio.gather(*(self.backs.read(flag, lever) for flag in flags))


async def test_flags_of_one_service_are_read_at_once(exposed: World) -> None:
    aloft = Aloft(exposed)
    assert await aloft.read("writes", "reads", "reads") == [True, True, True]
    assert exposed.service.reads == 1
    assert {flag.began_after for flag in aloft.senses.flags.values()} == {1}


async def test_services_are_read_beside_each_other(exposed: World) -> None:
    aloft = Aloft(exposed)
    both = await asyncio.gather(aloft.read("reads"), aloft.read("reads", lever=Lever.SECOND))
    assert [*both] == [[True], [True]]
    assert (exposed.service.reads, exposed.backup.reads) == (1, 1)
    assert await aloft.read("writes", lever=Lever.SECOND) == [False], "by hand: there is nothing to read"


async def test_one_flag_that_cannot_be_read_is_its_own_trouble(exposed: World) -> None:
    exposed.service.shown["reads"] = down("HTTP 500")
    aloft = Aloft(exposed)
    assert await aloft.read("writes", "reads") == [True, False]
    assert aloft.senses.flags["writes"].reading.failure is None
    assert aloft.senses.flags["reads"].reading.failure is not None


async def test_a_read_in_flight_proves_nothing_of_what_was_written_after_it_began(exposed: World) -> None:
    gate: Gate = exposed.service.read_gate
    gate.shut()
    aloft = Aloft(exposed)
    early = asyncio.create_task(aloft.read("writes"))
    await until(lambda: gate.held == 1)
    aloft.folded = 7
    late = asyncio.create_task(aloft.read("writes"))
    await until(lambda: gate.held == 2)
    gate.open()
    assert [await early, await late] == [[True], [True]]
    assert exposed.service.reads == 2
    assert aloft.senses.flags["writes"].began_after == 7


async def test_a_service_in_trouble_is_the_trouble_of_all(exposed: World) -> None:
    exposed.service.failing = down("connection refused")
    assert await Aloft(exposed).read("writes", "reads") == [False, False]
    exposed.service.failing = ZeroDivisionError()
    aloft = Aloft(exposed)
    assert await aloft.read("writes", "reads") == [False, False]
    failure = aloft.senses.flags["reads"].reading.failure
    assert failure is not None and failure.fault is Fault.COCKPIT


async def test_a_service_that_hangs_is_given_up_in_time(exposed: World) -> None:
    exposed.service.read_gate.shut()
    aloft = Aloft(exposed, timeout_s=0.02)
    assert await aloft.read("writes", "reads") == [False, False]
    failure = aloft.senses.flags["writes"].reading.failure
    assert failure is not None and failure.title == "no answer in 0.02 s"


async def test_who_waits_no_longer_spoils_nothing_for_the_others(exposed: World) -> None:
    exposed.service.read_gate.shut()
    aloft = Aloft(exposed)
    impatient, patient = (asyncio.create_task(aloft.read("writes")) for _ in range(2))
    await until(lambda: exposed.service.read_gate.held == 1)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    exposed.service.read_gate.open()
    assert await patient == [True]


class Brief:
    """A reader that has a short way of reading back."""

    def __init__(self, world: World) -> None:
        self._service = world.service
        self.asked: list[str] = []

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        self.asked.append("read")
        return await self._service.read(keys)

    async def read_back(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        self.asked.append("read back")
        return await self._service.read(keys)

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        return ()

    async def aclose(self) -> None:
        return None


async def test_a_reader_with_a_short_way_is_asked_that_way_by_read_backs_alone(exposed: World) -> None:
    brief = Brief(exposed)
    aloft = Aloft(exposed, brief)
    assert await aloft.read("writes") == [True]
    assert await aloft.senses.read_service(aloft.plan.flag_services[0], ("writes",)) is None
    assert brief.asked == ["read back", "read"]
