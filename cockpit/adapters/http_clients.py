"""The clients of one host: each is one connection, kept open between requests.

A pool that many requests share costs the square of its connections: 200 writes at once took 1.8 s
through one, and a fifth of a second through one client each. Where HTTP/2 is spoken (`http2`) one connection
does for all, and these are what is left when it does not. Where the environment names a proxy, its clients
are another kind (`http_proxy`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from cockpit.adapters.http1 import Http1Client
from cockpit.adapters.http2 import Http2
from cockpit.adapters.http_body import ACCEPT_ENCODING
from cockpit.adapters.http_environment import proxies
from cockpit.adapters.http_message import Response
from cockpit.adapters.http_outgoing import Outgoing
from cockpit.adapters.http_trouble import Reached

IDLE_S: Final = 10.0
"""How long a connection is kept; who needs a fresher one says so."""

_PROXIES: Final = frozenset({"http", "https", "all"})


class Client(Protocol):
    """One connection, for one request at a time. send: the head of the answer; raises HttpError."""

    @property
    def is_closed(self) -> bool: ...

    async def send(self, request: Outgoing, reached: Reached) -> Response: ...

    async def aclose(self) -> None: ...


class Clients:
    """Hands out a client for one request at a time. Used by one host, or by the reader and the writer of one
    service: what the one has just used is open for the other. `users` of them have to close it.

    http2: to be asked first, where there is one.
    """

    def __init__(
        self, tls_context: Callable[[], ssl.SSLContext], *, agent: str, http2: Http2 | None = None
    ) -> None:
        self._tls_context = tls_context
        self.http2 = http2
        self._headers = {
            "User-Agent": agent,
            "Accept": "application/json, */*;q=0.5",
            "Accept-Encoding": ACCEPT_ENCODING,
        }
        self._idle: dict[str, list[tuple[float, Client]]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._all: set[Client] = set()
        self.users = 0

    def with_ours(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """These headers, and of what every request says what they do not say themselves."""
        said = {name.lower() for name in headers}
        return {
            **{name: value for name, value in self._headers.items() if name.lower() not in said},
            **headers,
        }

    def take(self, scheme: str, *, idle_s: float) -> Client:
        """The client that was used last, whose connection is most likely open still; a new one, with a new
        connection, where that is longer ago than `idle_s`. Where reads and writes have them in common, a read
        leaves the last free one to a write, and takes turns with the others: so none of them grows old.
        """
        idle, spares = self._idle.setdefault(scheme, []), self.users > 1 and idle_s >= IDLE_S
        if len(idle) <= spares:
            return self._made(scheme)
        freed_at, client = idle.pop(0 if spares else -1)
        loop = asyncio.get_running_loop()
        if idle_s >= IDLE_S or loop.time() - freed_at < idle_s:
            return client
        self._drop_beside(client)
        return self._made(scheme)

    async def put_back(self, scheme: str, client: Client, *, ended: bool) -> None:
        """A client whose request did not end is thrown away: after a cancellation at the wrong moment its
        one connection counts as taken for ever, and every later request waits for it in vain. What no other
        request has needed for so long that it is old goes, too: a burst would leave its connections for ever.
        """
        if not (ended and client in self._all):
            await self._drop(client)
            return
        freed_at = asyncio.get_running_loop().time()
        idle = self._idle.setdefault(scheme, [])
        idle.append((freed_at, client))
        while freed_at - idle[0][0] > IDLE_S:
            self._drop_beside(idle.pop(0)[1])

    async def aclose(self) -> None:
        """The last of the users closes it; whoever asks again all the same gets a new client."""
        self.users -= 1
        if self.users > 0:
            return
        if self.http2 is not None:
            await self.http2.aclose()
        await asyncio.gather(*self._closing)
        clients, self._all = self._all, set()
        self._idle.clear()
        for client in clients:
            await client.aclose()

    def _drop_beside(self, client: Client) -> None:
        """Beside the request, which it must not hold up."""
        closing = asyncio.get_running_loop().create_task(self._drop(client))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _drop(self, client: Client) -> None:
        """One whose closing is cancelled is closed at the end."""
        if client in self._all:
            await client.aclose()
            self._all.discard(client)

    def _made(self, scheme: str) -> Client:
        trust = self._tls_context() if scheme == "https" else None
        client: Client
        if proxies().keys().isdisjoint(_PROXIES):
            client = Http1Client(trust)
        else:
            from cockpit.adapters.http_proxy import ProxyClient

            client = ProxyClient(trust, idle_s=IDLE_S)
        self._all.add(client)
        return client
