"""The gate in front of every practice server: here the faults meet HTTP.

An ASGI wrapper that lets a request hang, wait, be refused, and that spoils or poisons answers. It sets
the Date header from the world's clock. What a fault means for the data behind it is the world's matter.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cockpit.core.model import Side
from cockpit.practice.faults import FLAG_SERVICES, REFUSED, Fault, FaultName, Garbage, Service
from cockpit.practice.hostile import Reply, garble, poison
from cockpit.practice.world import World

SIDES: Final[Mapping[Service, Side]] = {
    Service.LEGACY: Side.LEGACY,
    Service.NEW: Side.NEW,
    Service.CONVEX: Side.NEW,
}
WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_QUERY: Final = "/api/query"
_FUNCTION_CALLS: Final = (_QUERY, "/api/mutation")
_LOOK_AGAIN_S: Final = 0.02
_LONGEST_WORK_S: Final = 2.0
_LYING_HEALTH: Final = ("/health", "/ready")


class Gate:
    """flag_functions: functions in Convex that read and write flags; they are a flag service, too."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        world: World,
        service: Service,
        closing: asyncio.Event,
        flag_functions: Collection[str] = (),
    ) -> None:
        self._app = app
        self._flag_functions = tuple(flag_functions)
        self._world = world
        self._service = service
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        # Read before anything hangs: a caller that gives up has sent its request all the same.
        body = await _body(receive)
        about_flags = self._about_flags(scope["path"], body)
        await self._hold(scope["path"], about_flags)
        reply = self._refusal(scope["path"])
        if reply is None:
            reply = await self._ask(scope, body)
            if about_flags:
                await self._withhold(scope, reply)
        await _deliver(self._dated(self._spoiled(reply)), scope["method"], send)

    def _fault(self, name: FaultName) -> Fault | None:
        return self._world.active(name, side=SIDES.get(self._service), service=self._service)

    def _untouched(self, path: str) -> bool:
        """Unleash with its database gone still says on these paths that all is well."""
        return self._service is Service.UNLEASH and path in _LYING_HEALTH

    def _about_flags(self, path: str, body: bytes) -> bool:
        if self._service in FLAG_SERVICES:
            return not self._untouched(path)
        if self._service is not Service.CONVEX or path not in _FUNCTION_CALLS:
            return False
        try:
            asked = json.loads(body)
        except ValueError:
            return False
        return isinstance(asked, dict) and asked.get("path") in self._flag_functions

    async def _hold(self, path: str, about_flags: bool) -> None:
        """Hang while told to; then go on, as a server that thaws does. Then take as long as the side or
        the flag service takes now, in real time whatever the world's clock does.
        """
        while self._fault(FaultName.HANG) and not self._untouched(path) and not self._closing.is_set():
            await self._pause(_LOOK_AGAIN_S)
        slow = self._world.active(FaultName.FLAG_SERVICE_SLOW)
        if about_flags and slow is not None:
            await self._pause(slow.seconds)
        if self._service in SIDES:
            await self._pause(min(self._world.latency_s(SIDES[self._service]), _LONGEST_WORK_S))

    async def _withhold(self, scope: Scope, reply: Reply) -> None:
        """A write that was done, whose answer does not come while the fault lasts."""
        if scope["method"] not in WRITES or scope["path"] == _QUERY or reply.status >= 400:
            return
        while self._world.active(FaultName.FLAG_SERVICE_WRITE_TIMEOUT) and not self._closing.is_set():
            await self._pause(_LOOK_AGAIN_S)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    def _refusal(self, path: str) -> Reply | None:
        if self._fault(FaultName.OUTAGE) and self._service in SIDES:
            return _text(503, "Service Unavailable\n")
        down = self._service in FLAG_SERVICES and self._world.active(FaultName.FLAG_SERVICE_DOWN)
        if down and not self._untouched(path):
            return _text(503, "upstream connect error or disconnect/reset before headers\n")
        if self._service is Service.PROMETHEUS and self._world.active(FaultName.METRICS_DOWN):
            return _text(503, "Service Unavailable")
        limit = self._fault(FaultName.RATE_LIMIT)
        return None if limit is None else self._throttled(limit)

    def _throttled(self, limit: Fault) -> Reply:
        if self._service is Service.CONVEX:
            body = {"code": "TooManyConcurrentRequests", "message": "Too many concurrent requests."}
            return Reply(
                status=429, headers={"content-type": "application/json"}, body=json.dumps(body).encode()
            )
        reply = _text(429, "Too many requests, please try again later.", "text/html; charset=utf-8")
        headers = dict(reply.headers) | {"retry-after": f"{max(1, round(limit.seconds))}"}
        return Reply(status=429, headers=headers, body=reply.body)

    async def _ask(self, scope: Scope, body: bytes) -> Reply:
        start: Message = {}
        chunks: list[bytes] = []

        async def repeat() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                chunks.append(message.get("body", b""))

        await self._app(scope, repeat, keep)
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in start["headers"]}
        return Reply(status=start["status"], headers=headers, body=b"".join(chunks))

    def _spoiled(self, reply: Reply) -> Reply:
        if self._fault(FaultName.HOSTILE_TEXT):
            reply = poison(reply)
        garbage = self._fault(FaultName.GARBAGE)
        return reply if garbage is None else garble(reply, Garbage(garbage.kind))

    def _dated(self, reply: Reply) -> Reply:
        skew = self._fault(FaultName.CLOCK_SKEW)
        at = self._world.now() + timedelta(seconds=0.0 if skew is None else skew.seconds)
        headers = dict(reply.headers) | {"date": format_datetime(at, usegmt=True)}
        return Reply(status=reply.status, headers=headers, body=reply.body)


def refused(world: World, service: Service) -> bool:
    """Whether this server's port should be closed now, so that connections are refused."""
    faults = (
        world.active(FaultName.OUTAGE, side=SIDES[service]) if service in SIDES else None,
        world.active(FaultName.FLAG_SERVICE_DOWN) if service in FLAG_SERVICES else None,
        world.active(FaultName.METRICS_DOWN) if service is Service.PROMETHEUS else None,
    )
    return any(fault is not None and fault.kind == REFUSED for fault in faults)


async def _body(receive: Receive) -> bytes:
    chunks, more = [], True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


def _text(status: int, text: str, content_type: str = "text/plain; charset=utf-8") -> Reply:
    return Reply(status=status, headers={"content-type": content_type}, body=text.encode())


async def _deliver(reply: Reply, method: str, send: Send) -> None:
    headers = {key: value for key, value in reply.headers.items() if key != "content-length"}
    empty = method == "HEAD" or reply.status in (204, 304)
    if reply.status not in (204, 304):
        headers["content-length"] = str(len(reply.body))
    raw = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if empty else reply.body})
