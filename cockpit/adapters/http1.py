"""HTTP/1.1 over a connection of our own: one request at a time, as few steps as it takes.

The rules of the protocol are kept by h11; bytes come and go here. A client of httpx
takes five times as much CPU for a small answer, most of it for what nobody here asks for: pools of
connections, cookies, redirects, hooks, a timer for every step. One deadline for all of it is set outside.
Nothing is sent twice, and a connection that the server has closed, or spoke up on unasked, is not used again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from select import POLLIN, poll
from typing import Final

import h11

from cockpit.adapters.http_connect import connected, cut_off
from cockpit.adapters.http_message import Broken, Disconnected, NotConnected, NotHttp, Response, Unsendable
from cockpit.adapters.http_outgoing import Outgoing
from cockpit.adapters.http_trouble import Phase, Reached

_LONGEST_HEAD: Final = 100 * 1024
_MOST_UNREAD: Final = 1 << 18
_ALPN: Final = ("http/1.1",)


class Http1Connection(asyncio.Protocol):
    """Made by `loop.create_connection`; usable while the server has neither closed it nor said anything
    unasked."""

    def __init__(self) -> None:
        self._h11 = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        self._transport: asyncio.Transport | None = None
        self._news: asyncio.Future[None] | None = None
        self._gone = asyncio.Event()
        self._why: Exception | None = None
        self._ended = False
        self._busy = False
        self._answered = False
        self._stray = False
        self._unread = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._stray = self._stray or not self._busy
        self._unread += len(data)
        if self._unread > _MOST_UNREAD and self._transport is not None:
            self._transport.pause_reading()
        self._h11.receive_data(data)
        self._tell()

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._why = exc
        self._gone.set()
        self._end()

    @property
    def usable(self) -> bool:
        """Whether another request may be sent: looked up at the socket, which may know more than the loop."""
        transport = self._transport
        if transport is None or self._busy or self._stray or self._ended or transport.is_closing():
            return False
        look = poll()
        look.register(transport.get_extra_info("socket"), POLLIN)
        return not look.poll(0)

    async def secure(self, tls: ssl.SSLContext, name: str) -> None:
        """Raises ssl.SSLError, OSError."""
        loop, transport = asyncio.get_running_loop(), self._transport
        assert transport is not None
        try:
            self._transport = await loop.start_tls(transport, self, tls, server_hostname=name)
        except BaseException:  # a cancellation above all: the socket must not stay open
            transport.abort()
            raise
        if self._transport is None:
            raise ConnectionResetError("closed during the handshake")

    async def exchange(self, request: Outgoing, reached: Reached) -> Response:
        """Send it and wait for the head of the answer. Only while `usable`; raises HttpError.

        reached: told SENT before the first byte leaves, and ANSWERING when the body begins.
        """
        transport = self._transport
        assert transport is not None
        said = self._said(request)
        self._busy, self._answered = True, False
        reached(Phase.SENT)
        transport.write(said)
        while True:
            event = await self._event()
            if isinstance(event, h11.Response):
                break
        self._answered = True
        return Response(
            event.status_code,
            event.headers.raw_items(),
            _Body(self, reached),
            spoken=f"HTTP/{event.http_version.decode('ascii', 'replace')}",
            tls=transport.get_extra_info("ssl_object"),
        )

    def _said(self, request: Outgoing) -> bytes:
        try:
            head = h11.Request(method=request.method, target=request.address.target, headers=request.headers)
            parts = [head, h11.EndOfMessage()]
            if request.content:
                parts.insert(1, h11.Data(data=request.content))
            return b"".join(self._h11.send(part) or b"" for part in parts)
        except h11.LocalProtocolError as error:
            raise Unsendable("no request that HTTP/1.1 can carry") from error

    async def body(self) -> AsyncIterator[bytes]:
        while not isinstance(event := await self._event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    def release(self) -> None:
        """The answer was read, or is not wanted any more: then the connection is of no use either."""
        self._busy = False
        over = self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE
        if over and self._h11.trailing_data == (b"", False):
            self._h11.start_next_cycle()
        else:
            self.abort()

    def abort(self) -> None:
        """What was not answered is given up."""
        if self._transport is None:
            return
        if self._busy:
            cut_off(self._transport)
        else:
            self._transport.abort()

    async def aclose(self) -> None:
        self.abort()
        await self._gone.wait()

    async def _event(self) -> h11.Event:
        """The next thing that the server says. Raises HttpError."""
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                if self._ended and not self._answered:
                    raise Disconnected("without an answer") from (self._why or error)
                raise NotHttp("no HTTP/1.1") from (self._why or error)
            if isinstance(event, h11.Event):
                return event
            if event is h11.PAUSED:
                raise NotHttp("more than one answer")
            if self._why is not None:
                raise Broken("the connection broke") from self._why
            await self._more()

    async def _more(self) -> None:
        if self._unread > _MOST_UNREAD and self._transport is not None:
            self._transport.resume_reading()
        self._unread = 0
        self._news = asyncio.get_running_loop().create_future()
        try:
            await self._news
        finally:
            self._news = None

    def _end(self) -> None:
        """The server says nothing more: what h11 makes of that depends on how far its answer came."""
        if not self._ended and self._why is None:
            self._h11.receive_data(b"")
        self._ended = True
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class _Body:
    def __init__(self, connection: Http1Connection, reached: Reached) -> None:
        self._connection = connection
        self._reached = reached

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._reached(Phase.ANSWERING)
        async for part in self._connection.body():
            yield part

    async def aclose(self) -> None:
        self._connection.release()


class Http1Client:
    """One connection at a time to whoever is asked, opened when the first request needs it.

    tls: None for plain http.
    """

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._connection: Http1Connection | None = None
        self._to: tuple[str, int] | None = None
        self.is_closed = False
        if tls is not None:
            tls.set_alpn_protocols(_ALPN)

    async def send(self, request: Outgoing, reached: Reached) -> Response:
        """The head of the answer; its body is read from it, and closing it frees the connection.

        Raises HttpError. Not to be used again after anything was raised.
        """
        to = (request.address.host, request.address.port)
        connection = self._connection
        if connection is None or self._to != to or not connection.usable:
            if connection is not None:
                connection.abort()
            self._connection, self._to = None, to
            connection = self._connection = await self._opened(*to, reached)
        return await connection.exchange(request, reached)

    async def aclose(self) -> None:
        self.is_closed = True
        if self._connection is not None:
            await self._connection.aclose()

    async def _opened(self, host: str, port: int, reached: Reached) -> Http1Connection:
        reached(Phase.CONNECTING)
        try:
            connection = await connected(host, port, Http1Connection)
            if self._tls is not None:
                reached(Phase.TLS)
                await connection.secure(self._tls, host)
        except (OSError, BaseExceptionGroup) as error:
            raise NotConnected("no connection") from error
        return connection
