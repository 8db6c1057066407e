"""A slow link between two sockets: late in both directions, narrow towards the client, and able to stop.

It runs in a process of its own, and tells when it handed each piece from the client to the server.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import monotonic_ns
from typing import Final

SLICE_S: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """bytes_per_s: towards the client; None is as fast as loopback. round_trip_s: half of it each way."""

    bytes_per_s: int | None = None
    round_trip_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Relay:
    """Listens on `port`; `_told` carries instants from the relay and orders to it."""

    port: int
    _told: Connection

    def forget(self) -> None:
        while self._told.poll():
            self._told.recv()

    def handed_over_ns(self, limit_s: float = 30.0) -> int:
        """When the next piece from the client was given to the server. Raises AssertionError when none is."""
        assert self._told.poll(limit_s), "nothing came from the client"
        at_ns: int = self._told.recv()
        return at_ns

    def stall(self) -> None:
        """From now on nothing reaches the client; what the client says still arrives."""
        self._told.send("stall")


@contextmanager
def relay(link: Link, server_port: int) -> Iterator[Relay]:
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there, link, server_port))
    process.start()
    try:
        yield Relay(here.recv(), here)
    finally:
        here.send("over")
        process.join()


def serve(pipe: Connection, link: Link, server_port: int) -> None:
    asyncio.run(_serve(pipe, link, server_port))


async def _serve(pipe: Connection, link: Link, server_port: int) -> None:
    over, flowing = asyncio.Event(), asyncio.Event()
    flowing.set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", server_port, limit=_room(link))
        try:
            await asyncio.gather(
                _late(reader, far_writer, link, pipe), _narrow(far_reader, writer, link, flowing)
            )
        finally:
            for each in (writer, far_writer):
                each.close()

    def heard() -> None:
        if pipe.recv() == "stall":
            flowing.clear()
        else:
            over.set()

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):  # either end may go away at any time
            await carry(reader, writer)

    server = await asyncio.start_server(welcome, "127.0.0.1", 0)
    asyncio.get_running_loop().add_reader(pipe.fileno(), heard)
    pipe.send(server.sockets[0].getsockname()[1])
    await over.wait()
    server.close()


def _room(link: Link) -> int:
    """A narrow link has no room for much that waits: about a quarter of a second."""
    return 65536 if link.bytes_per_s is None else max(256, link.bytes_per_s // 4)


async def _late(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link, pipe: Connection
) -> None:
    """From the client: whole, and half a round trip late."""
    while data := await reader.read(65536):
        await asyncio.sleep(link.round_trip_s / 2)
        writer.write(data)
        pipe.send(monotonic_ns())


async def _narrow(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link, flowing: asyncio.Event
) -> None:
    """To the client: a slice at a time. Whoever writes more than fits has to wait."""
    size = 65536 if link.bytes_per_s is None else max(1, round(link.bytes_per_s * SLICE_S))
    await asyncio.sleep(link.round_trip_s / 2)
    while True:
        await flowing.wait()
        data = await reader.read(size)
        if not data:
            return
        if link.bytes_per_s is not None:
            await asyncio.sleep(len(data) / link.bytes_per_s)
        writer.write(data)
        await writer.drain()
