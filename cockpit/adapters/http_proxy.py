"""Requests by way of a proxy: httpx knows proxies of every kind, and picks the hosts that need none.

Loaded where the environment names a proxy, and nowhere else: with what it brings along it is 3 MiB.
"""

from __future__ import annotations

import logging
import ssl
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.util import find_spec
from typing import Final

from cockpit.adapters.http_message import (
    BadRedirect,
    Broken,
    Disconnected,
    HttpError,
    NotConnected,
    NotHttp,
    ProxyTrouble,
    Response,
    TimedOut,
    Unsendable,
)
from cockpit.adapters.http_outgoing import Outgoing
from cockpit.adapters.http_path import plan_fault
from cockpit.adapters.http_trouble import Phase, Reached

# httpx brings a command line along, and with it rich's progress bars and the list of all lexers of Pygments,
# which are installed for the screen: 2 MiB and a third of its start. None is how the import system is told
# that there is no such module, and httpx does without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # documented: the import then fails

import httpx  # noqa: E402 - after the line above

# The library's own timeouts end a little before the deadline does: a handshake that is cancelled from outside
# would leave its socket open.
_EARLIER: Final = 0.95
_PHASE_OF_EVENT: Final = {
    "connection.connect_tcp.started": Phase.CONNECTING,
    "connection.start_tls.started": Phase.TLS,
    "http11.send_request_headers.started": Phase.SENT,
    "http11.receive_response_body.started": Phase.ANSWERING,
}

# httpcore looks for this package anew with every request. Where it is not installed, each look searches the
# whole path, a quarter of what the request costs; None is how the import system is told that there is none.
if find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # documented: the import then fails at once

# These libraries log whole addresses and header values, and an address may be a secret.
for _library in ("httpx", "httpcore"):
    logging.getLogger(_library).setLevel(logging.WARNING)


class ProxyClient:
    """A client of httpx with one connection, kept open for `idle_s`.

    trust: None for plain http. Raises RefusedByService (fault PLAN) for settings that cannot be used.
    """

    def __init__(self, trust: ssl.SSLContext | None, *, idle_s: float) -> None:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=idle_s)
        try:
            self._client = httpx.AsyncClient(
                verify=trust or _plain(),
                limits=limits,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            )
        except (ValueError, ImportError, httpx.InvalidURL):
            raise plan_fault("the proxy settings of the environment cannot be used") from None

    @property
    def is_closed(self) -> bool:
        return self._client.is_closed

    async def send(self, request: Outgoing, reached: Reached) -> Response:
        way = _Way(request, reached)
        with way.in_our_words():
            answer = await self._client.send(_as_httpx(request, way), stream=True)
        connection = answer.extensions.get("network_stream")
        return Response(
            answer.status_code,
            answer.headers.raw,
            _Body(answer, way),
            spoken=answer.http_version,
            tls=None if connection is None else connection.get_extra_info("ssl_object"),
        )

    async def aclose(self) -> None:
        await self._client.aclose()


def _as_httpx(request: Outgoing, way: _Way) -> httpx.Request:
    return httpx.Request(
        request.method,
        str(request.address.url),
        headers=request.headers,
        content=request.content or None,
        extensions={"trace": way.trace, "timeout": httpx.Timeout(request.left_s * _EARLIER).as_dict()},
    )


class _Way:
    """How far one request came, and what it was connected to last: the host it is for, or a proxy."""

    def __init__(self, request: Outgoing, reached: Reached) -> None:
        self._host = request.address.host
        self._reached = reached
        self._peer: str | None = None
        self._sent = False

    async def trace(self, event: str, details: Mapping[str, object]) -> None:
        """Told by httpcore. A CONNECT to a proxy carries nothing of the request."""
        if event == "connection.connect_tcp.started":
            self._peer = str(details.get("host"))
        phase = _PHASE_OF_EVENT.get(event)
        if phase is None or getattr(details.get("request"), "method", b"") == b"CONNECT":
            return
        self._reached(phase)
        self._sent = self._sent or phase >= Phase.SENT

    @contextmanager
    def in_our_words(self) -> Iterator[None]:
        """Its exceptions become ours, with what they come of as the cause."""
        try:
            yield
        except httpx.HTTPError as error:
            raise self._meant(error) from error
        except (ValueError, httpx.InvalidURL) as error:
            # The library reads a Location before we can decline to follow it.
            raise BadRedirect("no address") from error

    def _meant(self, error: httpx.HTTPError) -> HttpError:
        if isinstance(error, httpx.TimeoutException):
            return TimedOut("too late")
        if isinstance(error, httpx.RemoteProtocolError):
            if "location header" in str(error):
                return BadRedirect("no address")
            if "disconnected" not in str(error):
                return NotHttp("no HTTP/1.1")
        if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
            return Unsendable("no request")
        through = self._peer is not None and self._peer != self._host
        if not self._sent and (through or isinstance(error, httpx.ProxyError)):
            return ProxyTrouble("not let through")
        if isinstance(error, httpx.RemoteProtocolError):
            return Disconnected("no answer")
        return NotConnected("no connection") if isinstance(error, httpx.ConnectError) else Broken("broken")


class _Body:
    def __init__(self, answer: httpx.Response, way: _Way) -> None:
        self._answer = answer
        self._way = way

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._way.in_our_words():
            async for part in self._answer.aiter_raw():
                yield part

    async def aclose(self) -> None:
        with self._way.in_our_words():
            await self._answer.aclose()


@cache
def _plain() -> ssl.SSLContext:
    """Plain http needs no list of authorities: a context that trusts nobody, made once."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
