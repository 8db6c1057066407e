"""An Unleash that needs a set time for every answer, in a process of its own, as cheap as it can be.

It knows flags by any name, each at 25 % until it is switched off; the audit log is empty. Health pages too.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final

FEATURES: Final = "/api/admin/projects/default/features/"


class SlowUnleash(asyncio.Protocol):
    """One connection. `off`: the flags that were switched off, shared by all."""

    def __init__(self, answer_s: float, off: set[str]) -> None:
        self._answer_s = answer_s
        self._off = off
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head, rest = self._unread[:end], self._unread[end + 4 :]
            length = _length(head)
            if len(rest) < length:
                return
            self._unread = rest[length:]
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            loop = asyncio.get_running_loop()
            loop.call_later(self._answer_s, self._answer, method, target.split("?")[0])

    def _answer(self, method: str, path: str) -> None:
        if method == "POST" and path.endswith("/off"):
            self._off.add(path.removeprefix(FEATURES).split("/")[0])
        body = json.dumps(self._body(path)).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)

    def _body(self, path: str) -> object:
        if not path.startswith(FEATURES):
            return {"status": "ok", "events": []}
        key = path.removeprefix(FEATURES).split("/")[0]
        strategy = {
            "id": f"strategy-of-{key}",
            "name": "flexibleRollout",
            "disabled": False,
            "constraints": [],
            "segments": [],
            "variants": [],
            "parameters": {"rollout": "25", "stickiness": "default", "groupId": key},
        }
        production = {"name": "production", "enabled": key not in self._off, "strategies": [strategy]}
        return {"name": key, "project": "default", "archived": False, "environments": [production]}


def _length(head: bytes) -> int:
    _, found, after = head.lower().partition(b"content-length:")
    return int(after.split(b"\r\n", 1)[0]) if found else 0


def _serve(pipe: Connection, answer_s: float) -> None:
    async def serve() -> None:
        loop, over, off = asyncio.get_running_loop(), asyncio.Event(), set[str]()
        server = await loop.create_server(lambda: SlowUnleash(answer_s, off), "127.0.0.1", 0, backlog=1000)

        def told() -> None:
            if pipe.recv() == "reset":
                off.clear()
                pipe.send("ready")
            else:
                over.set()

        loop.add_reader(pipe.fileno(), told)
        pipe.send(server.sockets[0].getsockname()[1])
        await over.wait()
        server.close()

    asyncio.run(serve())


class Running:
    def __init__(self, port: int, pipe: Connection) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._pipe = pipe

    def reset(self) -> None:
        """All flags back to where they start."""
        self._pipe.send("reset")
        self._pipe.recv()


@contextmanager
def slow_unleash(answer_s: float) -> Iterator[Running]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, answer_s))
    process.start()
    try:
        yield Running(ours.recv(), ours)
    finally:
        ours.send("over")
        process.join()
