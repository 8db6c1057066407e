"""When the sources of a plan are polled: all soon after the start, and then spread over the interval."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace

import pytest

from cockpit.adapters.base import AdapterError
from cockpit.core.model import FlagValue, Side
from cockpit.core.spec import BackendSpec
from cockpit.engine.poller import Poller
from cockpit.engine.polls import Polls
from cockpit.engine.senses import Senses
from tests.engine.conftest import World, probe_spec
from tests.engine.scripted import ScriptedService


def pollers(count: int) -> list[Poller]:
    """Of a plan with one flag service, one monitor, and `count` probes of one host."""
    world = World()
    probes = tuple(replace(probe_spec(Side.NEW), name=f"probe {n}", interval_s=5.0) for n in range(count))
    backends = (BackendSpec(side=Side.NEW, title="new", probes=probes),)
    plan = replace(world.plan, backends=backends)
    senses = Senses(plan, world.sources(plan), world.clock, lambda source: None, lambda: 0)
    return Polls(senses, random.Random(1))._pollers(plan)


@pytest.mark.parametrize("count", [1, 10, 100, 1000])
def test_the_first_polls_come_within_a_second_and_few_of_them_at_once(count: int) -> None:
    first = [poller._first_s for poller in pollers(count)]
    assert first[0] == 0 and max(first) <= 1.0
    assert max(first) <= 0.005 * (count + 2)


@pytest.mark.parametrize("count", [4, 10, 50, 300])
def test_neighbours_in_the_plan_never_crowd(count: int) -> None:
    """No two moments are nearer than a third of what an even spread would give them."""
    phases = sorted(poller._phase for poller in pollers(count))
    gaps = [later - earlier for earlier, later in zip(phases, [*phases[1:], phases[0] + 1], strict=True)]
    assert min(gaps) >= 1 / len(phases) / 3


class Heard(ScriptedService):
    """A flag service whose changes are heard of."""

    def __init__(self, world: World) -> None:
        super().__init__(world.bell, world.percents)
        self.asked = asyncio.Queue[None]()
        self.news = asyncio.Event()
        self.closed = False

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        self.asked.put_nowait(None)
        return await super().read(keys)

    async def stirs(self) -> AsyncGenerator[None]:
        try:
            while True:
                await self.news.wait()
                self.news.clear()
                yield
        finally:
            self.closed = True


async def test_what_is_heard_of_is_asked_for_at_once_and_nobody_listens_after_the_end() -> None:
    world = World()
    services = tuple(replace(service, interval_s=3600.0) for service in world.plan.flag_services)
    plan = replace(world.plan, flag_services=services)
    service = Heard(world)
    sources = replace(world.sources(plan), readers={"flags": service})
    polls = Polls(Senses(plan, sources, world.clock, lambda source: None, lambda: 0), random.Random(1))
    polls.begin(plan)
    async with asyncio.timeout(10):
        await service.asked.get()
        service.news.set()
        await service.asked.get()
    await polls.end()
    assert service.closed
