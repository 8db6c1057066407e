"""A request that is cancelled, at whatever moment, must not keep its place: the next one gets through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from cockpit.adapters.http import Answer, HttpHost, Web

MOMENTS = 80
Request = Callable[[HttpHost], Awaitable[Answer]]


@asynccontextmanager
async def slow_speller() -> AsyncIterator[str]:
    """A server whose answers come in two pieces; yields its address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                for piece in (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhe", b"re"):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def cancel_after(request: Awaitable[Answer], turns: int) -> None:
    """Start it, let the loop turn so often, cancel it."""
    task = asyncio.ensure_future(request)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    "request_",
    [lambda host: host.get("/read"), lambda host: host.write("POST", "/off")],
    ids=["read", "write"],
)
@pytest.mark.parametrize("warm", [False, True], ids=["new connection", "open connection"])
async def test_a_place_survives_a_cancellation_at_any_moment(request_: Request, warm: bool) -> None:
    async with slow_speller() as address:
        for turns in range(MOMENTS):
            web = Web()
            host = web.host(address, max_concurrent=1, timeout_s=2.0)
            if warm:
                await request_(host)
            await cancel_after(request_(host), turns)
            assert (await request_(host)).status == 200, f"stuck when cancelled after {turns} turns"
            await web.aclose()
