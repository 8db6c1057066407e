"""HTTP/2 where a service speaks it: one connection for all simultaneous requests of one client.

Needs the extra `http2` and https, and no proxy in between. Which protocol is spoken the two sides agree on
while TLS is set up (ALPN). It is never in the way: whatever is wrong with it, and wherever it takes longer
than a moment, the request goes over HTTP/1.1 on a connection of its own, as it would without the extra.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError
from cockpit.adapters.http_environment import by_proxy
from cockpit.adapters.http_message import BrokenOff, Response
from cockpit.adapters.http_outgoing import Outgoing
from cockpit.adapters.http_trouble import Phase
from cockpit.adapters.url import Url

if TYPE_CHECKING:
    from cockpit.adapters.http2_connection import Http2Connection

Place = tuple[str, int]
"""Host and port."""

ALPN: Final = ("h2", "http/1.1")
LONGEST_WAIT_S: Final = 1.0
SHARE_OF_WAIT: Final = 0.25
_CONNECT_S: Final = 10.0
_ASK_AGAIN_S: Final = 600.0
_IN_TROUBLE_S: Final = 5.0
# Addresses are tried a quarter of a second after each other, as over HTTP/1.1 (RFC 8305).
_NEXT_ADDRESS_S: Final = 0.25
_TLS_GOODBYE_S: Final = 1.0


def installed() -> bool:
    """Whether the extra is there."""
    return find_spec("h2") is not None


class Http2:
    """The connections to one origin: one, and for a moment a second while an old one ends.

    tls: makes a context that offers `ALPN`. plain: by origin, until when it is known to want HTTP/1.1 (in the
    loop's time); all clients of one process share it.
    """

    def __init__(self, origin: Url, tls: Callable[[], ssl.SSLContext], *, plain: dict[Place, float]) -> None:
        self._place = _place(origin)
        self._tls = tls
        self._plain = plain
        self._connections: list[Http2Connection] = []
        self._connecting: asyncio.Task[None] | None = None
        self._spoken = False
        self._in_tls = False
        self._ended = False

    @property
    def spoken(self) -> bool:
        """Whether the service has agreed to it, and nothing has gone wrong with it since."""
        return self._spoken and self._place not in self._plain

    async def send(
        self,
        request: Outgoing,
        *,
        idle_s: float,
        left_s: float,
        asks: bool,
        reached: Callable[[Phase], None],
    ) -> Response | None:
        """The head of the answer. None: nothing was sent, and HTTP/1.1 has to do.

        idle_s: a connection on which nothing was heard for longer is not used. left_s: until the deadline.
        asks: this request may wait until it is known what is spoken; a write has no time for that.
        Raises HttpError.
        """
        if (request.address.host, request.address.port) != self._place or request.address.scheme != "https":
            return None
        if self._connections and not asks:
            # A goodbye that has arrived is read before a write leaves: one turn of the loop to see that there
            # is something, and one to read it.
            for _ in range(2):
                await asyncio.sleep(0)
        if not self._fresh(idle_s) and (asks or self._spoken):
            await self._connects(left_s)
            if self._in_tls:
                reached(Phase.TLS)
        # Nothing may be awaited from here to the request's head: its place on the connection is not kept.
        connection = next((each for each in self._fresh(idle_s) if each.takes_more), None)
        return None if connection is None else await connection.exchange(request, reached)

    async def aclose(self) -> None:
        self._ended = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait((self._connecting,))
        connections, self._connections = self._connections, []
        await asyncio.gather(*(connection.aclose() for connection in connections))

    def _fresh(self, idle_s: float) -> list[Http2Connection]:
        """Those that may be used, even if they have no room right now: what is too much for a service's one
        connection is no reason for a second one, it goes over HTTP/1.1."""
        if any(connection.faulty for connection in self._connections):
            self._wants_http1(_ASK_AGAIN_S)
        self._connections = [each for each in self._connections if not each.lost]
        heard_since = asyncio.get_running_loop().time() - idle_s
        return [each for each in self._connections if not each.leaving and each.heard_at > heard_since]

    async def _connects(self, left_s: float) -> None:
        """Wait a moment for a new connection; it goes on being made for whoever comes later."""
        loop = asyncio.get_running_loop()
        if self._ended or self._plain.get(self._place, 0.0) > loop.time():
            return
        if self._connecting is None or self._connecting.done():
            self._connecting = loop.create_task(self._connect())
        await asyncio.wait((self._connecting,), timeout=min(LONGEST_WAIT_S, left_s * SHARE_OF_WAIT))

    async def _connect(self) -> None:
        """A new connection, unless the other side wants HTTP/1.1. What else is wrong, HTTP/1.1 will tell."""
        if by_proxy(self._place[0]):
            self._wants_http1(_ASK_AGAIN_S)
            return
        made: Http2Connection | None = None
        try:
            async with asyncio.timeout(_CONNECT_S):
                made = await self._opened()
                await made.settled()
        except BrokenOff:
            self._wants_http1(_ASK_AGAIN_S)
        except (ssl.SSLError, TimeoutError, ImportError, AdapterError):
            self._wants_http1(_IN_TROUBLE_S)
        except OSError:
            return
        else:
            for older in self._connections:
                older.retire()
            self._connections.append(made)
            self._spoken = True
            made = None
        finally:
            self._in_tls = False
            if made is not None:
                made.abort()

    def _wants_http1(self, for_s: float) -> None:
        self._plain[self._place] = asyncio.get_running_loop().time() + for_s

    async def _opened(self) -> Http2Connection:
        # Both cost some 30 ms, once: a context reads the list of authorities, and h2 its tables.
        context = await asyncio.to_thread(self._tls)
        speaker = await asyncio.to_thread(_speaker)
        host, port = self._place

        def connected() -> Http2Connection:
            self._in_tls = True
            return speaker()

        _, connection = await asyncio.get_running_loop().create_connection(
            connected,
            host,
            port,
            ssl=context,
            server_hostname=host,
            happy_eyeballs_delay=_NEXT_ADDRESS_S,
            ssl_shutdown_timeout=_TLS_GOODBYE_S,
        )
        return connection


def _speaker() -> type[Http2Connection]:
    from cockpit.adapters.http2_connection import Http2Connection

    return Http2Connection


def _place(url: Url) -> Place:
    return url.host, url.port or 443
