"""A practice world whose flag service is listened to: when does the first byte of a switch-off arrive?

World and recorder run in processes of their own; all ends read the kernel's one monotonic clock.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic_ns
from typing import Final

from cockpit.cli.plans import load_plan
from cockpit.engine.clock import SystemClock
from cockpit.practice.server import PracticeServer
from cockpit.practice.staging import start_percents

ANSWER_LIMIT_S: Final = 30.0
START_PCT: Final = 25.0
PROBE: Final = """
[[backend.{side}.probe]]
name = "extra {number}"
kind = "http"
url = "{url}/health"
interval = "500ms"
required = false
"""


def busier(text: str, urls: Mapping[str, str], probes: int) -> str:
    """The plan with so many more probes, each of which polls twice a second."""
    sides = ("legacy", "new")
    more = (
        PROBE.format(side=sides[number % 2], number=number, url=urls[sides[number % 2]])
        for number in range(probes)
    )
    return text + "".join(more)


class Recorder(asyncio.Protocol):
    """Passes bytes on to the flag service and tells when a switch-off begins to arrive."""

    def __init__(self, told: Connection, upstream_port: int) -> None:
        self._told = told
        self._port = upstream_port
        self._held: list[bytes] = []
        self._upstream: asyncio.WriteTransport | None = None
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = transport
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: _Back(self._client), "127.0.0.1", self._port)
        self._upstream = transport
        transport.writelines(self._held)
        if self._client.is_closing():
            transport.close()

    def data_received(self, data: bytes) -> None:
        arrived_ns = monotonic_ns()
        if data.startswith(b"POST ") and b"/off " in data.partition(b"\r\n")[0]:
            self._told.send(arrived_ns)
        if self._upstream is None:
            self._held.append(data)
        else:
            self._upstream.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._upstream is not None:
            self._upstream.close()


class _Back(asyncio.Protocol):
    """The flag service's answers on their way to the client."""

    def __init__(self, client: asyncio.BaseTransport) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        assert isinstance(self._client, asyncio.WriteTransport)
        self._client.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.close()


def record(pipe: Connection, upstream_port: int) -> None:
    """A process: tells its port, then an instant per switch-off, until the other end of `pipe` closes."""

    async def serve() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        server = await loop.create_server(lambda: Recorder(pipe, upstream_port), "127.0.0.1", 0)
        loop.add_reader(pipe.fileno(), over.set)
        pipe.send(server.sockets[0].getsockname()[1])
        await over.wait()
        server.close()

    asyncio.run(serve())


def simulate(pipe: Connection, plan_path: Path) -> None:
    """A process: a practice world that tells its addresses, and puts all flags back whenever told to."""
    plan = load_plan(plan_path)
    with PracticeServer(plan, seed=7, clock=SystemClock()) as practice:
        pipe.send(dict(practice.urls))
        while pipe.recv() == "start":
            practice.world.start_at(start_percents(plan, START_PCT))
            pipe.send("ready")


@dataclass(frozen=True, slots=True)
class Rig:
    """A running world, the recorder in front of its flag service, and both their ends of a pipe."""

    urls: Mapping[str, str]
    recorder_port: int
    world: Connection
    recorder: Connection

    def reset(self) -> None:
        """All flags to where they start; whatever was recorded before is forgotten."""
        self.world.send("start")
        self.world.recv()
        while self.recorder.poll():
            self.recorder.recv()

    def switched_off_ns(self) -> int:
        """When the next switch-off arrived. Raises AssertionError when none does."""
        assert self.recorder.poll(ANSWER_LIMIT_S), "no switch-off arrived"
        arrived_ns: int = self.recorder.recv()
        return arrived_ns


@contextmanager
def rig(plan_path: Path) -> Iterator[Rig]:
    context = multiprocessing.get_context("spawn")
    world, world_end = context.Pipe()
    recorder, recorder_end = context.Pipe()
    simulation = context.Process(target=simulate, args=(world_end, plan_path))
    simulation.start()
    urls: dict[str, str] = world.recv()
    upstream_port = int(urls["unleash"].rpartition(":")[2])
    recording = context.Process(target=record, args=(recorder_end, upstream_port))
    recording.start()
    port: int = recorder.recv()
    try:
        yield Rig({**urls, "unleash": f"http://127.0.0.1:{port}"}, port, world, recorder)
    finally:
        world.send("over")
        recorder.send("over")
        simulation.join()
        recording.join()
