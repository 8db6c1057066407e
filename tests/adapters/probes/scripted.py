"""A real socket server that answers whatever a test says, byte for byte, and can misbehave below HTTP."""

from __future__ import annotations

import asyncio
import inspect
import json
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from socket import SO_LINGER, SO_REUSEADDR, SOL_SOCKET, socket
from urllib.parse import parse_qs

REASONS = {200: "OK", 302: "Found", 404: "Not Found", 500: "Oops"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def form(self, name: str) -> str | None:
        """One field of a form body."""
        return parse_qs(self.body.decode()).get(name, [None])[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    """Content-Length to claim instead of the true one."""


class Hang:
    """Never answer."""


class Reset:
    """Close the connection with RST."""


class Drip:
    """Headers at once, then one byte now and then, for ever."""


Step = Reply | Hang | Reset | Drip
Handler = Callable[[Request], Step | Awaitable[Step]]


def as_json(body: object, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    text = json.dumps(body).encode()
    return Reply(status=status, body=text, headers={"content-type": "application/json", **named})


def as_text(body: str, status: int = 200, content_type: str = "text/plain") -> Reply:
    return Reply(status=status, body=body.encode(), headers={"content-type": content_type})


HTML = as_text("<html><body><h1>502 Bad Gateway</h1></body></html>", 502, "text/html")


@dataclass(slots=True)
class Scripted:
    """`requests` is everything that was asked so far; `handler` may be replaced while it runs."""

    handler: Handler
    port: int = 0
    tls: bool = False
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _context: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled by `leave` alone; the streams of Python 3.11 take that for a fault of theirs.
        with suppress(asyncio.CancelledError):
            await self._serve(reader, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while await self._exchange(reader, writer):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await _read_request(reader)
        self.requests.append(request)
        step = self.handler(request)
        if inspect.isawaitable(step):
            step = await step
        if isinstance(step, Reply):
            writer.write(_render(step))
            return "close" not in (request.headers.get("connection"), step.headers.get("connection"))
        if isinstance(step, Reset):
            writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if isinstance(step, Drip):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while not reader.at_eof():
            if isinstance(step, Drip):
                writer.write(b" ")
                await writer.drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.02)
        return False

    def close_connections(self) -> None:
        for writer in tuple(self._writers):
            writer.close()

    async def listen(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def leave(self) -> None:
        if self._server is not None:
            self._server.close()
            self.close_connections()
            for task in tuple(self._tasks):
                # What waits for a slow answer of its own would outlive the test.
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._server.wait_closed()

    @asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """Nobody listens on the port for as long as the block lasts."""
        await self.leave()
        try:
            with socket() as deaf:  # bound, so that nobody else is given the port meanwhile
                deaf.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
                deaf.bind(("127.0.0.1", self.port))
                yield
        finally:
            await self.listen(self._context)


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    pairs = (line.split(":", 1) for line in head[1:] if ":" in line)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method=method, path=path, headers=headers, body=body)


def _render(reply: Reply) -> bytes:
    length = len(reply.body) if reply.length is None else reply.length
    headers = {"content-length": str(length), **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + reply.body


@asynccontextmanager
async def scripted(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Scripted]:
    """A server on a free loopback port that answers as `handler` says, until the block ends."""
    rig = Scripted(handler=handler, tls=tls is not None)
    await rig.listen(tls)
    try:
        yield rig
    finally:
        await rig.leave()
