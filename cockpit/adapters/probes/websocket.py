"""A WebSocket service: can one connect, how long does a ping take, and what does it tell of itself.

DOWN: the connection is refused, the upgrade is answered with another status (a redirect too), it speaks
none of the plan's subprotocols, or it closes with "going away", "failed" or "restart". DEGRADED: a slow
pong. 401, 403 and 429, policy closes (1008, 4401, 4403), a pong or message that does not come in time, a
broken connection and names that do not resolve raise, and so become UNKNOWN.

A probe is a client: each poll is one connection, closed with 1000.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

from cockpit.adapters.base import Seconds, Settings
from cockpit.adapters.credentials import Secrets, bearer
from cockpit.adapters.fields import Headers, Pointer, Reference, needs_extra, split_url
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.pointer import find
from cockpit.adapters.stream import Dialer, tls_context
from cockpit.core.clean import clean_text, finite_number
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Health, ProbeValue
from cockpit.core.secret import Secret
from cockpit.core.tables import After, Bound, Form, Size

if TYPE_CHECKING:
    from cockpit.adapters.http import Web
    from cockpit.adapters.websocket import WebSocket

_DEADLINE_SHARE: Final = 0.95
_MESSAGES: Final = 20
_PORTS: Final = {"ws": 80, "wss": 443}
_Subprotocol = Annotated[str, Form(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]


def _websocket_url(url: str) -> str:
    scheme, colon, rest = url.partition("://")
    if scheme not in _PORTS or not colon:
        raise ValueError("an address starts with ws:// or wss:// and names a host")
    if split_url(f"http://{rest}").fragment:
        raise ValueError("no #fragment in an address")
    return url


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketProbeSettings(Settings):
    """A WebSocket service. Needs the extra: pip install 'cutover-cockpit[websocket]'."""

    url: Annotated[str, After(_websocket_url)]
    """The whole address, such as "wss://api.example.com/socket"."""
    subprotocols: tuple[_Subprotocol, ...] = ()
    """Of these it must speak one."""
    headers: Headers = field(default_factory=dict)
    """Sent with the upgrade; a secret value comes by reference."""
    token: Reference | None = None
    """Sent with the upgrade as Authorization: Bearer."""
    send: Annotated[str, Size(1, 10_000)] | None = None
    """Text that is sent first, such as a subscription."""
    gauge: Pointer | None = None
    """Where a message holds a number worth showing, such as "/online"; the first that has it counts."""
    latency_limit: Annotated[Seconds, Bound(gt=0)] | None = None
    """A pong slower than this is degraded."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""

    def __post_init__(self) -> None:
        needs_extra("websockets", "websocket")


def build(settings: WebSocketProbeSettings, web: Web, secret: Secrets, timeout_s: float) -> WebSocketProbe:
    """Raises what `secret` raises, and RefusedByService for a CA file that cannot be used."""
    headers = {
        name: value if isinstance(value, str) else secret(value) for name, value in settings.headers.items()
    }
    if settings.token is not None:
        headers["Authorization"] = bearer(secret(settings.token))
    parts = urlsplit(settings.url)
    tls = tls_context(settings.ca_file) if parts.scheme == "wss" else None
    dialer = Dialer(parts.hostname or "", parts.port or _PORTS[parts.scheme], tls=tls)
    return WebSocketProbe(settings, dialer, headers, timeout_s=timeout_s)


class WebSocketProbe:
    """Connects, says what the plan says, pings and leaves; keeps nothing between polls."""

    def __init__(
        self,
        settings: WebSocketProbeSettings,
        dialer: Dialer,
        headers: Mapping[str, Secret | str],
        *,
        timeout_s: float,
    ) -> None:
        self._settings = settings
        self._dialer = dialer
        self._headers = headers
        self._timeout_s = timeout_s * _DEADLINE_SHARE

    async def probe(self) -> ProbeValue:
        from cockpit.adapters.websocket import SaysDown

        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._ask()
        except TimeoutError:
            failure = Failure(title=f"no answer from {self._dialer.address} within {self._timeout_s:.2g} s")
            raise NoAnswer(failure, cause=Cause.TIMEOUT, sent=True) from None
        except SaysDown as said:
            return ProbeValue(health=Health.DOWN, detail=said.failure.title)
        except NoAnswer as trouble:
            if trouble.cause is Cause.REFUSED:
                return ProbeValue(health=Health.DOWN, detail=trouble.failure.title)
            raise

    async def aclose(self) -> None:
        """Nothing is kept open between polls."""

    async def _ask(self) -> ProbeValue:
        from cockpit.adapters.websocket import WebSocket

        given = {
            name: value if isinstance(value, str) else value.reveal() for name, value in self._headers.items()
        }
        socket = await WebSocket.open(
            self._dialer, self._settings.url, given, self._settings.subprotocols, self._timeout_s
        )
        try:
            value = await self._talk(socket)
            await socket.close()
        finally:
            socket.drop()
        return value

    async def _talk(self, socket: WebSocket) -> ProbeValue:
        facts = [("connected in", f"{socket.took_s * 1000:.0f} ms")]
        wanted, spoken = self._settings.subprotocols, socket.subprotocol
        if wanted and spoken is None:
            detail = f"speaks none of the plan's subprotocols: {clean_text(', '.join(wanted), limit=80)}"
            return ProbeValue(health=Health.DOWN, detail=detail, facts=tuple(facts))
        if spoken is not None:
            facts.append(("subprotocol", clean_text(spoken, limit=40)))
        latency_s = await socket.ping_s()
        if self._settings.send is not None:
            await socket.send(self._settings.send)
        if self._settings.gauge is not None:
            facts.append((clean_text(self._settings.gauge, limit=40), await self._gauge(socket)))
        return self._judge(latency_s, facts)

    async def _gauge(self, socket: WebSocket) -> str:
        """The number in the first message that has it; messages before may be greetings."""
        pointer = self._settings.gauge or ""
        for _ in range(_MESSAGES):
            number = read_gauge(await socket.receive(), pointer)
            if number is not None:
                return f"{number:g}"
        return f"not in its first {_MESSAGES} messages"

    def _judge(self, latency_s: float, facts: list[tuple[str, str]]) -> ProbeValue:
        limit_s = self._settings.latency_limit
        slow = limit_s is not None and latency_s > limit_s
        took = f"slow: {latency_s * 1000:.0f} ms, the limit is {(limit_s or 0) * 1000:.0f} ms"
        return ProbeValue(
            health=Health.DEGRADED if slow else Health.OK,
            detail=took if slow else "answers pings",
            latency_ms=latency_s * 1000,
            facts=tuple(facts),
        )


def read_gauge(message: str | bytes, pointer: str) -> float | None:
    """The number at `pointer` of a JSON message, None when there is none."""
    try:
        found = find(json.loads(message), pointer)
        if isinstance(found, bool) or not isinstance(found, int | float):
            return None
        return finite_number(found)
    except (ValueError, LookupError, RecursionError):
        return None
