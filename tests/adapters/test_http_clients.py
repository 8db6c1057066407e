"""Connections that a flag service's reader and writer have in common: warm, never old, never used twice."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from cockpit.adapters.http import HttpHost, NoAnswer, Web
from cockpit.adapters.http_clients import IDLE_S, Clients
from cockpit.adapters.no_answer import Cause
from cockpit.core.secret import Secret
from tests.adapters.flags.crew import until
from tests.adapters.probes.scripted import Request, Reset, Scripted, Step, as_json, scripted

READS, WRITES = "token-that-only-reads", "token-that-may-write"


def lever(web: Web, server: Scripted, token: str, *, timeout_s: float = 5.0) -> HttpHost:
    return web.host(server.url, headers={"Authorization": Secret(token)}, timeout_s=timeout_s, lever=True)


def answer(request: Request) -> Step:
    return as_json({})


async def ask(host: HttpHost, count: int) -> None:
    await asyncio.gather(*(host.get(f"/{n}") for n in range(count)))


async def test_writes_go_through_what_the_polls_have_just_used(web: Web) -> None:
    async with scripted(answer) as server:
        reader, writer = lever(web, server, READS), lever(web, server, WRITES)
        await ask(reader, 5)
        before = server.connections
        await asyncio.gather(*(writer.write("POST", f"/{n}/off") for n in range(5)))
        assert server.connections == before <= 5
    tokens = {(each.method, each.headers["authorization"]) for each in server.requests}
    assert tokens == {("GET", READS), ("POST", WRITES)}


async def test_other_hosts_keep_theirs_to_themselves(web: Web) -> None:
    async with scripted(answer) as server:
        probe, writer = web.host(server.url), lever(web, server, WRITES)
        await ask(probe, 1)
        await writer.write("POST", "/off")
        assert server.connections == 2


async def test_another_authority_is_another_connection(web: Web) -> None:
    async with scripted(answer) as server:
        reader = lever(web, server, READS)
        writer = web.host(server.url, ca_file="/other.pem", lever=True)
        await ask(reader, 1)
        await writer.write("POST", "/off")
        assert server.connections == 2


async def test_a_flag_service_is_read_as_widely_as_it_is_written(web: Web) -> None:
    waiting = asyncio.Event()

    async def when_all_are_there(request: Request) -> Step:
        await waiting.wait()
        return as_json({})

    async with scripted(when_all_are_there) as server:
        reading = asyncio.create_task(ask(lever(web, server, READS), 20))
        await until(lambda: len(server.requests) == 20)
        waiting.set()
        await reading


async def test_a_poll_that_is_on_its_way_leaves_a_connection_for_a_write(web: Web) -> None:
    answering = asyncio.Event()
    answering.set()

    async def in_time(request: Request) -> Step:
        if request.method == "GET":
            await answering.wait()
        return as_json({})

    async with scripted(in_time) as server:
        reader, writer = lever(web, server, READS), lever(web, server, WRITES)
        await ask(reader, 3)
        answering.clear()
        poll = asyncio.create_task(ask(reader, 3))
        await until(lambda: len(server.requests) == 6)
        before = server.connections
        await writer.write("POST", "/off")
        assert server.connections == before
        answering.set()
        await poll
        for _ in range(4):
            await ask(reader, 3)
        assert server.connections == before == 4


async def test_a_connection_that_the_server_closed_meanwhile_is_not_written_to(web: Web) -> None:
    async with scripted(answer) as server:
        reader, writer = lever(web, server, READS), lever(web, server, WRITES)
        await ask(reader, 1)
        server.close_connections()
        await until(lambda: not server._writers)
        assert (await writer.write("POST", "/off")).status == 200
    assert [each.method for each in server.requests] == ["GET", "POST"]


async def test_a_write_that_meets_the_closing_is_unknown_and_never_sent_again(web: Web) -> None:
    def closing(request: Request) -> Step:
        return Reset() if request.method == "POST" else as_json({})

    async with scripted(closing) as server:
        reader, writer = lever(web, server, READS), lever(web, server, WRITES)
        await ask(reader, 2)
        with pytest.raises(NoAnswer) as caught:
            await writer.write("POST", "/off")
        assert (caught.value.cause, caught.value.sent) == (Cause.RESET, True)
    assert [each.method for each in server.requests] == ["GET", "GET", "POST"]


async def test_the_last_user_closes_them(web: Web) -> None:
    async with scripted(answer) as server:
        reader, writer = lever(web, server, READS), lever(web, server, WRITES)
        await ask(reader, 1)
        await reader.aclose()
        await reader.aclose()
        assert (await writer.write("POST", "/off")).status == 200
        assert server.connections == 1
        await writer.aclose()
        await until(lambda: not server._writers)


async def test_what_was_idle_for_too_long_is_closed_and_not_used() -> None:
    clients = Clients(ssl.create_default_context, agent="test")
    old = clients.take("http", idle_s=IDLE_S)
    await clients.put_back("http", old, ended=True)
    assert clients.take("http", idle_s=60.0) is old
    await clients.put_back("http", old, ended=True)
    fresh = clients.take("http", idle_s=0.0)
    closed = [old.is_closed]
    await clients.put_back("http", fresh, ended=True)
    await asyncio.gather(*clients._closing)
    closed.append(old.is_closed)
    assert closed == [False, True], "closing does not hold up the request"
    assert fresh is not old and clients.take("http", idle_s=IDLE_S) is fresh
    await clients.aclose()


async def test_a_burst_leaves_no_connections_behind_that_nobody_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clients, loop = Clients(ssl.create_default_context, agent="test"), asyncio.get_running_loop()
    burst = [clients.take("http", idle_s=IDLE_S) for _ in range(5)]
    for each in burst:
        await clients.put_back("http", each, ended=True)
    later_s = loop.time() + 2 * IDLE_S
    monkeypatch.setattr(loop, "time", lambda: later_s)
    kept = clients.take("http", idle_s=IDLE_S)
    await clients.put_back("http", kept, ended=True)
    await asyncio.gather(*clients._closing)
    assert [each.is_closed for each in burst] == [each is not kept for each in burst]
    assert clients.take("http", idle_s=IDLE_S) is kept
    await clients.aclose()


async def test_one_that_comes_back_after_the_end_is_not_handed_out_again() -> None:
    clients = Clients(ssl.create_default_context, agent="test")
    out = clients.take("http", idle_s=IDLE_S)
    await clients.aclose()
    await clients.put_back("http", out, ended=True)
    assert clients.take("http", idle_s=IDLE_S) is not out
    await clients.aclose()
