"""The connection of our own: what comes before, behind and instead of an answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from cockpit.adapters.http import NoAnswer, Web
from cockpit.adapters.http_connect import connected
from cockpit.adapters.no_answer import Cause

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@asynccontextmanager
async def saying(*turns: bytes, close: bool = False) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that says `turns` in order, one per request, on any connection; and the heads it was sent."""
    left, heads = list(turns), list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while left:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(left.pop(0))
                await writer.drain()
                if close:
                    break
            while not close and await reader.read(1000):
                continue
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


async def test_what_a_server_says_unasked_answers_nobody(web: Web) -> None:
    async with saying(OK + OK.replace(b"ok", b"no"), OK.replace(b"ok", b"hi")) as (url, _):
        host = web.host(url)
        assert [(await host.get("/")).body for _ in range(2)] == [b"ok", b"hi"]


async def test_a_body_much_larger_than_what_is_read_at_once(web: Web) -> None:
    body = bytes(range(256)) * 6000
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
    async with saying(head + body, OK) as (url, _):
        host = web.host(url)
        assert (await host.get("/")).body == body
        assert (await host.get("/")).body == b"ok"


async def test_a_body_that_ends_with_the_connection(web: Web) -> None:
    said = b"HTTP/1.0 200 OK\r\n\r\nall of it"
    async with saying(said, said, close=True) as (url, _):
        host = web.host(url)
        assert [(await host.get("/")).body for _ in range(2)] == [b"all of it"] * 2


async def test_what_comes_before_an_answer_is_none(web: Web) -> None:
    async with saying(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK) as (url, _):
        assert (await web.host(url).get("/")).status == 200


async def test_half_a_head_is_no_answer(web: Web) -> None:
    async with saying(b"HTTP/1.1 200 OK\r\ncontent-le", close=True) as (url, _):
        with pytest.raises(NoAnswer) as caught:
            await web.host(url).write("POST", "/")
    assert (caught.value.cause, caught.value.sent) == (Cause.RESET, True)


async def test_a_header_of_the_plan_takes_the_place_of_ours(web: Web) -> None:
    async with saying(OK) as (url, heads):
        await web.host(url, headers={"accept": "text/plain", "USER-AGENT": "mine"}).get("/")
    names = [line.partition(b":")[0].lower() for line in heads[0].split(b"\r\n")]
    assert (names.count(b"accept"), names.count(b"user-agent"), names.count(b"host")) == (1, 1, 1)
    assert b"accept: text/plain" in heads[0] and b"USER-AGENT: mine" in heads[0]


def resolving(monkeypatch: pytest.MonkeyPatch, addresses: Sequence[str]) -> None:
    async def found(host: str, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)


async def test_the_next_address_of_a_name_is_tried(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    async with saying(OK) as (url, _):
        resolving(monkeypatch, ["127.0.0.2", "127.0.0.3", "127.0.0.1"])
        assert (await web.host(url.replace("127.0.0.1", "some.test")).get("/")).status == 200


async def test_all_addresses_of_a_name_refuse(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        resolving(monkeypatch, ["127.0.0.1", "127.0.0.2"])
        with pytest.raises(NoAnswer) as caught:
            await web.host(f"http://some.test:{taken.getsockname()[1]}").write("POST", "/")
    assert (caught.value.cause, caught.value.sent) == (Cause.REFUSED, False)


async def test_an_address_that_does_not_answer_is_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, tried, hangs = asyncio.get_running_loop(), list[str](), asyncio.Event()
    connect = loop.create_connection

    async def connecting(protocol: Callable[[], asyncio.Protocol], host: str, port: int) -> object:
        tried.append(host)
        if host == "127.0.0.2":
            await hangs.wait()
        return await connect(protocol, host, port)

    async with saying(OK) as (url, _):
        resolving(monkeypatch, ["127.0.0.2", "127.0.0.1"])
        monkeypatch.setattr(loop, "create_connection", connecting)
        made = await connected("some.test", int(url.rpartition(":")[2]), Held)
        made.transport.abort()
    assert tried == ["127.0.0.2", "127.0.0.1"]


class Held(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
