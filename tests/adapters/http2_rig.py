"""A server that speaks HTTP/2 over TLS frame by frame, as a test tells it to, and not always well."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.settings

from tests.adapters.flags.crew import until
from tests.real.servers import program


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server shows, and the file that makes it trusted."""

    certificate: Path
    key: Path

    @property
    def ca_file(self) -> str:
        return str(self.certificate)

    def context(self, *protocols: str) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.certificate, self.key)
        made.set_alpn_protocols(protocols)
        return made


def identity(folder: Path) -> Identity:
    """Self-signed, for 127.0.0.1."""
    openssl = program("openssl")
    made = Identity(folder / "certificate.pem", folder / "key.pem")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "3650"]
    files = ["-out", str(made.certificate), "-keyout", str(made.key)]
    subprocess.run([openssl, "req", "-x509", *curve, *names, *files], check=True, capture_output=True)
    return made


@dataclass(slots=True, kw_only=True)
class Asked:
    """One request, and the means to answer it."""

    speaker: Speaker
    number: int
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    whole: bool = False
    given_up: bool = False

    @property
    def method(self) -> str:
        return self.headers[":method"]

    @property
    def path(self) -> str:
        return self.headers[":path"]

    def head(self, *more: tuple[str, str], status: str = "200", end: bool = False) -> None:
        self.speaker.h2.send_headers(self.number, [(":status", status), *more], end_stream=end)
        self.speaker.flush()

    def say(self, body: bytes, *, end: bool = True) -> None:
        self.speaker.h2.send_data(self.number, body, end_stream=end)
        self.speaker.flush()

    def answer(self, body: bytes = b"{}", **named: str) -> None:
        self.head(*named.items())
        self.say(body)

    def reset(self, code: int) -> None:
        self.speaker.h2.reset_stream(self.number, code)
        self.speaker.flush()


Handler = Callable[[Asked], None]
"""Called once the request is here to its end (or its head, for servers of `early`)."""


class Speaker(asyncio.Protocol):
    """One connection of the server."""

    transport: asyncio.Transport

    def __init__(self, server: Http2Server) -> None:
        self._server = server
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        self.asked: dict[int, Asked] = {}
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.speakers.append(self)
        if self._server.mute:
            return
        self.h2.local_settings = h2.settings.Settings(
            client=False, initial_values=dict(self._server.settings)
        )
        self.h2.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        if self._server.mute:
            return
        for event in self.h2.receive_data(data):
            self._take(event)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True

    def raw(self, kind: int, payload: bytes, *, flags: int = 0, stream: int = 0) -> None:
        """One frame that h2 would not send."""
        self.transport.write(frame(kind, payload, flags=flags, stream=stream))

    def goaway(self, last: int, *, error: int = 0) -> None:
        self.raw(7, last.to_bytes(4, "big") + error.to_bytes(4, "big") + b"bye")

    def flush(self) -> None:
        self.transport.write(self.h2.data_to_send())

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            named = {str(name): str(value) for name, value in event.headers or ()}
            asked = Asked(speaker=self, number=event.stream_id or 0, headers=named)
            self.asked[asked.number] = asked
            self._server.requests.append(asked)
            if self._server.early:
                self._server.handler(asked)
        elif isinstance(event, h2.events.DataReceived):
            self.asked[event.stream_id or 0].body += event.data or b""
        elif isinstance(event, h2.events.StreamEnded):
            asked = self.asked[event.stream_id or 0]
            asked.whole = True
            if not self._server.early:
                self._server.handler(asked)
        elif isinstance(event, h2.events.StreamReset):
            self.asked[event.stream_id or 0].given_up = True


@dataclass(slots=True, kw_only=True)
class Http2Server:
    """`handler` may be replaced while it runs. mute: TLS is all that it says. early: the handler gets a
    request before its body."""

    handler: Handler
    settings: dict[h2.settings.SettingCodes, int] = field(default_factory=dict)
    early: bool = False
    mute: bool = False
    port: int = 0
    requests: list[Asked] = field(default_factory=list)
    speakers: list[Speaker] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def seen(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.requests]


def frame(kind: int, payload: bytes, *, flags: int = 0, stream: int = 0) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


@asynccontextmanager
async def http2_server(mine: Identity, server: Http2Server) -> AsyncIterator[Http2Server]:
    """Runs until the end of the block, and then until its clients have gone."""
    listening = await asyncio.get_running_loop().create_server(
        lambda: Speaker(server), "127.0.0.1", 0, ssl=mine.context("h2"), ssl_shutdown_timeout=1.0
    )
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server
        for speaker in server.speakers:
            speaker.transport.close()
        await until(lambda: all(speaker.gone for speaker in server.speakers))
