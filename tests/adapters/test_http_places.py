"""Places that several clients of one host share: few at once, and one always free for a write."""

from __future__ import annotations

import asyncio

import pytest

from cockpit.adapters import http_places
from cockpit.adapters.base import Unreachable
from cockpit.adapters.http import Web
from cockpit.adapters.http_places import OpeningPlaces, Places, SharedPlaces
from tests.adapters.flags.crew import until
from tests.adapters.probes.scripted import Hang, Reply, Request, scripted


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


def inside(asked: list[Taken]) -> int:
    return sum(each.inside and not each.task.done() for each in asked)


async def end(asked: list[Taken]) -> None:
    for each in asked:
        each.task.cancel()
    await asyncio.gather(*(each.task for each in asked), return_exceptions=True)


async def test_each_answer_opens_one_place_more_up_to_a_bound() -> None:
    places = OpeningPlaces(2, 4)
    asked = [Taken(places) for _ in range(12)]
    found = []
    for answered in asked[:5]:
        await turns()
        found.append(inside(asked))
        await answered.leave()
    assert found == [2, 3, 4, 4, 4]
    await end(asked)


async def test_a_request_without_an_answer_takes_one_back_and_who_waited_holds_none() -> None:
    places = OpeningPlaces(2, 9)
    asked = [Taken(places) for _ in range(12)]
    await turns()
    await asked[0].leave()
    await asked[1].leave()
    await turns()
    assert inside(asked) == 4
    found = []
    for gone in (*asked[2:6], asked[11]):
        await end([gone])
        await turns()
        found.append(inside(asked))
    assert found == [3, 2, 2, 2, 2], "never fewer than at first"
    await end(asked)


async def test_who_has_asked_nothing_for_long_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    places = OpeningPlaces(1, 9)
    for _ in range(3):
        async with places:
            pass
    asked = [Taken(places) for _ in range(9)]
    await turns()
    assert inside(asked) == 4
    await end(asked)
    monkeypatch.setattr(http_places, "FORGOTTEN_S", -1.0)
    asked = [Taken(places) for _ in range(9)]
    await turns()
    assert inside(asked) == 1
    await end(asked)


async def test_what_belongs_to_a_write_waits_for_no_poll_that_hangs(web: Web) -> None:
    def answer(request: Request) -> Reply | Hang:
        return Hang() if request.path == "/poll" else Reply()

    async with scripted(answer) as server:
        host = web.host(server.url, timeout_s=5.0, lever=True, wide=True)
        polls = [asyncio.create_task(host.get("/poll")) for _ in range(40)]
        await until(lambda: len(server.requests) == 32)
        assert (await host.get("/proof", proves=True)).status == 200
        assert (await host.write("POST", "/write")).status == 200
        for each in polls:
            each.cancel()
        await asyncio.gather(*polls, return_exceptions=True)


async def test_a_lever_without_a_limit_is_written_to_in_one_go(web: Web) -> None:
    """With few new connections at first: a server that takes them in slowly drops what is too much."""
    held = asyncio.Event()

    async def answer(request: Request) -> Reply:
        await held.wait()
        return Reply()

    async with scripted(answer) as server:
        host = web.host(server.url, timeout_s=5.0, lever=True, wide=True)
        writes = [asyncio.create_task(host.write("POST", f"/{number}")) for number in range(100)]
        await until(lambda: len(server.requests) == 64)
        await turns()
        assert len(server.requests) == 64
        held.set()
        assert [answer.status for answer in await asyncio.gather(*writes)] == [200] * 100


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
