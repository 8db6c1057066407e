"""Places that several clients of one host share: few at once, and one always free for a write."""

from __future__ import annotations

import asyncio

import pytest

from cockpit.adapters.base import Unreachable
from cockpit.adapters.http import Web
from cockpit.adapters.http_places import Places, SharedPlaces
from tests.adapters.flags.crew import until
from tests.adapters.probes.scripted import Hang, scripted


class Taken:
    """A task that holds a place until it is told to leave. `inside` says whether it has got it."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._leave = asyncio.Event()
        self.inside = False
        self.task = asyncio.create_task(self._hold())

    async def _hold(self) -> None:
        async with self._places:
            self.inside = True
            await self._leave.wait()

    async def leave(self) -> None:
        self._leave.set()
        await self.task


async def turns() -> None:
    """Everybody who can go on has gone on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_reads_leave_a_place_for_a_write() -> None:
    places = SharedPlaces(3)
    reads = [Taken(places.reads) for _ in range(5)]
    await turns()
    assert [each.inside for each in reads] == [True, True, False, False, False]
    write, late = Taken(places.writes), Taken(places.writes)
    await turns()
    assert (write.inside, late.inside) == (True, False)
    await write.leave()
    await turns()
    assert (late.inside, sum(each.inside for each in reads)) == (True, 2)
    for each in (late, *reads):
        await each.leave()


async def test_writes_may_take_them_all() -> None:
    places = SharedPlaces(3)
    writes = [Taken(places.writes) for _ in range(4)]
    read = Taken(places.reads)
    await turns()
    assert [each.inside for each in writes] == [True, True, True, False]
    assert not read.inside
    for each in (*writes, read):
        await each.leave()
    assert read.inside


async def test_who_gives_up_waiting_keeps_no_place() -> None:
    places = SharedPlaces(3)
    writes = [Taken(places.writes) for _ in range(3)]
    waiting = [Taken(places.reads) for _ in range(3)]
    await turns()
    for each in waiting:
        each.task.cancel()
    await asyncio.gather(*(each.task for each in waiting), return_exceptions=True)
    for each in writes:
        await each.leave()
    reads = [Taken(places.reads) for _ in range(2)]
    await turns()
    assert [each.inside for each in reads] == [True, True]
    for each in reads:
        await each.leave()


async def test_clients_of_one_host_share_and_those_of_another_do_not(web: Web) -> None:
    async with scripted(lambda request: Hang()) as one, scripted(lambda request: Hang()) as other:
        here = [web.host(one.url, timeout_s=1.0, shared=True) for _ in range(3)]
        there = web.host(other.url, timeout_s=1.0, shared=True)
        asked = [asyncio.create_task(host.get("/x")) for host in (*here, there)]
        await until(lambda: (len(one.requests), len(other.requests)) == (2, 1))
        with pytest.raises(Unreachable):
            await here[0].write("POST", "/y")
        await asyncio.gather(*asked, return_exceptions=True)
        assert [each.path for each in one.requests[:3]] == ["/x", "/x", "/y"]
