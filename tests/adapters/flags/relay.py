"""A way to a flag service that speaks HTTP, with a hand on it: the trouble of the suite, over real sockets.

Everything passes through unchanged until a test says otherwise. What breaks an answer breaks it after
the service has acted on the request, so that a lever that takes a broken answer for a no is found out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import httpx

from tests.adapters.flags.suite import EVIL, Act, LeverRig, Trouble
from tests.adapters.probes.scripted import (
    Hang,
    Reply,
    Request,
    Reset,
    Scripted,
    Step,
    as_json,
    as_text,
    scripted,
)

_HOP: Final = frozenset({"connection", "host", "content-length", "transfer-encoding", "content-encoding"})
_LONG: Final = "120"
_REFUSALS: Final = {
    Trouble.UNWELCOME: as_json({"message": f"who are you? {EVIL}"}, 401),
    Trouble.FORBIDDEN: as_json({"message": f"you may not {EVIL}"}, 403),
    Trouble.THROTTLED: as_json({"message": f"slowly {EVIL}"}, 429, retry_after=_LONG),
}
_BROKEN: Final = {
    Trouble.FAILING: as_text(f"<html>502 Bad Gateway {EVIL}</html>", 502, "text/html"),
    Trouble.HTML: as_text(f"<!doctype html><html>Log in {EVIL}</html>", 200, "text/html"),
    Trouble.HUGE: Reply(body=b"x", length=3_000_000_000),
    Trouble.CUT: Reply(body=b'{"cut":', length=500, headers={"connection": "close"}),
    Trouble.NOT_A_NUMBER: Reply(body=b'{"value": NaN}'),
    Trouble.NONSENSE: as_json([EVIL, 7, None]),
}
RELAYED: Final = frozenset(Trouble)
"""Every trouble can be made on the way."""


def by_method(request: Request) -> bool:
    return request.method not in ("GET", "HEAD")


class Relay:
    """`url` leads to the service. `seen` are the requests that were let through, oldest first."""

    def __init__(
        self, target: str, door: Scripted, client: httpx.AsyncClient, is_write: Callable[[Request], bool]
    ) -> None:
        self._target = target
        self.door = door
        self._client = client
        self._is_write = is_write
        self._act: Act | None = None
        self._kind: Trouble | None = None
        self.seen: list[Request] = []

    @property
    def url(self) -> str:
        return self.door.url

    @property
    def writes(self) -> list[Request]:
        return [request for request in self.seen if self._is_write(request)]

    def just_before_a_write(self, act: Act) -> None:
        self._act = act

    @asynccontextmanager
    async def trouble(self, kind: Trouble) -> AsyncIterator[None]:
        self._kind = kind
        try:
            if kind is Trouble.GONE:
                async with self.door.closed():
                    yield
            else:
                yield
        finally:
            self._kind = None

    async def answer(self, request: Request) -> Step:
        kind, writes = self._kind, self._is_write(request)
        if writes and self._act is not None:
            act, self._act = self._act, None
            await act()
        if kind is Trouble.SILENT:
            return Hang()
        if kind in _REFUSALS:
            return _REFUSALS[kind]
        reply = await self._forward(request)
        if kind is Trouble.ANSWER_LOST and writes:
            return Reset()
        return _BROKEN.get(kind, reply) if kind is not None else reply

    async def _forward(self, request: Request) -> Reply:
        self.seen.append(request)
        answer = await self._client.request(
            request.method,
            self._target + request.path,
            content=request.body,
            headers={name: value for name, value in request.headers.items() if name not in _HOP},
        )
        headers = {name: value for name, value in answer.headers.items() if name not in _HOP}
        return Reply(status=answer.status_code, body=answer.content, headers=headers)


@asynccontextmanager
async def relay(target: str, *, is_write: Callable[[Request], bool] = by_method) -> AsyncIterator[Relay]:
    """A relay in front of the service at `target`. `is_write` tells writes from reads."""
    async with (
        httpx.AsyncClient(trust_env=False, timeout=20) as client,
        scripted(lambda request: Hang()) as door,
    ):
        made = Relay(target, door, client, is_write)
        door.handler = made.answer
        yield made


class RelayedRig(LeverRig):
    """A rig whose lever speaks HTTP to `way.url`."""

    def __init__(self, way: Relay) -> None:
        self.way = way

    def just_before_a_write(self, act: Act) -> None:
        self.way.just_before_a_write(act)

    def trouble(self, kind: Trouble) -> AbstractAsyncContextManager[None]:
        return self.way.trouble(kind)
