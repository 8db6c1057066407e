"""One connection that speaks HTTP/2: many requests at once, each of which ends by itself.

The rules of the protocol are kept by the package h2; bytes come and go here. httpx can speak HTTP/2 too, but
not so that a write's outcome stays true: one request's time-out ends all others on the connection, a server
that closes in an orderly way costs answers that were on their way, what GOAWAY left out is sent again
unasked, and a request that is given up goes on at the server (httpcore 1.0.9).

Once the head of a request was handed to the connection only an answer says what became of it. A server may
say that it has not begun (GOAWAY, REFUSED_STREAM): nobody relies on that, reading back costs little.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import field
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from cockpit.adapters.http2_frames import Farewell, Frames
from cockpit.adapters.http_connect import cut_off
from cockpit.adapters.http_message import Broken, BrokenOff, HttpError, NotHttp, Response, Unsendable
from cockpit.adapters.http_outgoing import Outgoing
from cockpit.adapters.http_trouble import Phase, Reached
from cockpit.core.dataclass import dataclass

_OFFERED: Final = {
    SettingCodes.ENABLE_PUSH: 0,
    SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20,
    SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 16,
}
_WINDOW: Final = 1 << 24
"""Bytes that a server may send before they were read: of one answer (above), of all of them."""
_MOST_UNREAD: Final = 1 << 22
"""Bytes for a server that does not read; past it there is no use in writing more."""
_MOST_AT_ONCE: Final = 100
_GOODBYE_S: Final = 0.1
# RFC 9113, section 8.2.2: what belongs to a connection is no header of a request.
_NOT_SENT: Final = frozenset({b"host", b"connection", b"keep-alive", b"transfer-encoding", b"upgrade"})
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_COMPLAINTS: Final = frozenset({ErrorCodes.HTTP_1_1_REQUIRED, ErrorCodes.ENHANCE_YOUR_CALM})
_STATUS: Final = re.compile(rb"[1-5][0-9][0-9]")


@dataclass(slots=True, kw_only=True, eq=False)
class _Stream:
    """One request and what came of its answer. said: the request is out to its end; ended: the answer is
    here to its end; gone: the server has closed it."""

    number: int
    sent_at: float
    status: int | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    chunks: deque[tuple[bytes, int]] = field(default_factory=deque)
    said: bool = False
    ended: bool = False
    gone: bool = False
    trouble: HttpError | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self) -> None:
        """Return at the next news. Raises what went wrong."""
        if self.trouble is not None:
            raise self.trouble
        self.news.clear()
        await self.news.wait()

    def fail(self, trouble: HttpError) -> None:
        if not self.ended:
            self.trouble = self.trouble or trouble
        self.news.set()


class Http2Connection(asyncio.Protocol):
    """Made by `loop.create_connection`; usable once `settled` has returned.

    heard_at: when the server said anything last, in the loop's time. leaving: what was begun is ended, and
    nothing else is. faulty: the server breaks the rules of HTTP/2, or says that we do.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._h2 = H2Connection(
            H2Configuration(client_side=True, header_encoding=None, validate_inbound_headers=False)
        )
        self._frames = Frames()
        self._streams: dict[int, _Stream] = {}
        self._transport: asyncio.Transport | None = None
        self._news = asyncio.Event()
        self._lost = asyncio.Event()
        self._mute = False
        self.leaving = False
        self.heard_at = self._loop.time()
        self.faulty = False

    @property
    def lost(self) -> bool:
        return self._lost.is_set()

    @property
    def takes_more(self) -> bool:
        """Whether one more request may be sent right now."""
        allowed = min(self._h2.remote_settings.max_concurrent_streams, _MOST_AT_ONCE)
        return not (self.leaving or self.lost) and self._h2.open_outbound_streams < allowed

    async def settled(self) -> None:
        """Wait for the server's settings: before them nobody knows how many requests it takes at once.

        Raises BrokenOff where it sends none.
        """
        await self._news.wait()
        if self.lost or self.leaving:
            raise BrokenOff("no settings")

    async def exchange(self, request: Outgoing, reached: Reached) -> Response:
        """Send it and wait for the head of the answer. Only while `takes_more`; raises HttpError.

        reached: told SENT before the first byte leaves, and ANSWERING when the body begins.
        """
        stream = self._open(request, reached)
        try:
            await self._send(stream, request.content)
            while stream.status is None:
                await stream.hear()
        except ProtocolError:  # closed by us in the meantime
            self.release(stream)
            raise BrokenOff("closed") from None
        except BaseException:  # a cancellation above all: the server need not go on
            self.release(stream)
            raise
        return Response(
            stream.status,
            stream.headers,
            _Body(self, stream, reached),
            spoken="HTTP/2",
            tls=None if self._transport is None else self._transport.get_extra_info("ssl_object"),
        )

    def retire(self) -> None:
        """No more requests; closed once the last answer is here."""
        self.leaving = True
        if not self._streams:
            self._close()

    async def aclose(self) -> None:
        self._close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await self._lost.wait()
        self.abort()
        await self._lost.wait()

    def abort(self) -> None:
        """Let go of it without a goodbye."""
        self.leaving = True
        self._news.set()
        if self._transport is not None:
            cut_off(self._transport)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            self.abort()
            return
        offered = Settings(client=True, initial_values=dict(_OFFERED))
        # Of an extension that we do not use; some servers stumble over it.
        del offered[SettingCodes.ENABLE_CONNECT_PROTOCOL]
        self._h2.local_settings = offered
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        try:
            frames, farewell = self._frames.take(data)
            events = self._h2.receive_data(frames)
        except ProtocolError:
            self._give_up()
            return
        for event in events:
            self._take(event)
        if farewell is not None:
            self._heed(farewell)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        self._news.set()
        for stream in self._streams.values():
            stream.gone = True
            stream.fail(Broken("connection lost"))

    def _open(self, request: Outgoing, reached: Reached) -> _Stream:
        headers = [
            (b":method", request.method.encode()),
            (b":authority", request.host),
            (b":scheme", request.address.scheme.encode()),
            (b":path", request.address.target),
        ]
        headers += [(name.lower(), value) for name, value in request.headers if name.lower() not in _NOT_SENT]
        reached(Phase.SENT)
        stream = _Stream(number=self._h2.get_next_available_stream_id(), sent_at=self._loop.time())
        try:
            self._h2.send_headers(stream.number, headers, end_stream=not request.content)
        except ProtocolError:
            self.retire()  # what the next request would be told is anybody's guess
            raise Unsendable("no head of a request") from None
        stream.said = not request.content
        self._streams[stream.number] = stream
        return stream

    async def _send(self, stream: _Stream, body: bytes) -> None:
        """Head and body, as much at once as the server lets us; it may have answered before all is out."""
        at = 0
        while at < len(body) and not (stream.ended or stream.gone):
            room = self._h2.local_flow_control_window(stream.number)
            part = body[at : at + min(max(room, 0), self._h2.max_outbound_frame_size)]
            if not part:
                self._flush()
                await stream.hear()
                continue
            at += len(part)
            stream.said = at == len(body)
            self._h2.send_data(stream.number, part, end_stream=stream.said)
        self._flush()

    def read(self, amount: int, number: int) -> None:
        """So many bytes of an answer were read: the server may send as many more."""
        if amount and not self.lost:
            self._h2.acknowledge_received_data(amount, number)
            self._flush()

    def release(self, stream: _Stream) -> None:
        """The request is over. What the server still does for it, it need not do.

        Where nothing at all was heard since it left, the next request had better not go the same way.
        """
        if self._streams.pop(stream.number, None) is None or self.lost:
            return
        for _, amount in stream.chunks:
            self.read(amount, stream.number)
        if not stream.gone and not (stream.said and stream.ended):
            with suppress(ProtocolError):  # closed in the meantime
                self._h2.reset_stream(stream.number, ErrorCodes.CANCEL)
            self._flush()
            self._mute |= self.heard_at <= stream.sent_at
            self.leaving |= self._mute
        if self.leaving and not self._streams:
            self._close()

    def _take(self, event: Event) -> None:
        if isinstance(event, RemoteSettingsChanged):
            self._news.set()
            self._wake()
        elif isinstance(event, WindowUpdated):
            self._wake()
        elif isinstance(event, ResponseReceived | DataReceived | StreamEnded | StreamReset):
            stream = self._streams.get(event.stream_id or 0)
            if stream is not None:
                _tell(stream, event)
            elif isinstance(event, DataReceived):
                self.read(event.flow_controlled_length or 0, event.stream_id or 0)
            if isinstance(event, StreamReset) and event.error_code in _COMPLAINTS:
                self._complained()

    def _heed(self, farewell: Farewell) -> None:
        if farewell.error != ErrorCodes.NO_ERROR:
            self._complained()
        for number, stream in self._streams.items():
            if number > farewell.last:
                stream.gone = True
                stream.fail(BrokenOff("not begun"))
        self.retire()

    def _complained(self) -> None:
        self.faulty = self.leaving = True

    def _wake(self) -> None:
        for stream in self._streams.values():
            stream.news.set()

    def _flush(self) -> None:
        waiting = self._h2.data_to_send()
        if self._transport is None or self.lost or not waiting:
            return
        self._transport.write(waiting)
        if self._transport.get_write_buffer_size() > _MOST_UNREAD:
            self._give_up()

    def _give_up(self) -> None:
        """The server breaks the rules: nothing more of it is believed."""
        self._complained()
        for stream in self._streams.values():
            stream.gone = True
            stream.fail(BrokenOff("against the rules"))
        self.abort()

    def _close(self) -> None:
        self.leaving = True
        if self._transport is None or self._transport.is_closing():
            return
        if self._mute:  # what was given up is on its way yet
            self.abort()
            return
        self._h2.close_connection()
        self._flush()
        self._transport.close()


class _Body:
    """The body of one answer, as it arrives."""

    def __init__(self, connection: Http2Connection, stream: _Stream, reached: Reached) -> None:
        self._connection = connection
        self._stream = stream
        self._reached = reached

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._reached(Phase.ANSWERING)
        stream = self._stream
        while stream.chunks or not stream.ended:
            if not stream.chunks:
                await stream.hear()
                continue
            data, amount = stream.chunks.popleft()
            self._connection.read(amount, stream.number)
            yield data

    async def aclose(self) -> None:
        self._connection.release(self._stream)


def _tell(stream: _Stream, event: ResponseReceived | DataReceived | StreamEnded | StreamReset) -> None:
    if isinstance(event, ResponseReceived):
        _read_head(stream, event)
    elif isinstance(event, DataReceived):
        stream.chunks.append((event.data or b"", event.flow_controlled_length or 0))
    elif isinstance(event, StreamEnded):
        stream.ended = True
    else:
        stream.gone = True
        stream.fail(BrokenOff("reset"))
    stream.news.set()


def _read_head(stream: _Stream, event: ResponseReceived) -> None:
    """h2 was asked to let every head pass: it would end the whole connection over one that is no head."""
    status = b""
    for name, value in event.headers or ():
        if name == b":status":
            status = bytes(value)
        elif _NAME.fullmatch(name):
            stream.headers.append((bytes(name), bytes(value)))
    if _STATUS.fullmatch(status):
        stream.status = int(status)
    else:
        stream.fail(NotHttp("no status"))
