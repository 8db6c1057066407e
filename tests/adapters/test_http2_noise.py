"""Whatever bytes a server sends over HTTP/2: every request ends, and with an error of ours or an answer."""

from __future__ import annotations

import asyncio
import random

import pytest
from hpack import Encoder

from cockpit.adapters.http2_connection import Http2Connection
from cockpit.adapters.http_address import Address
from cockpit.adapters.http_headers import Headers
from cockpit.adapters.http_message import HttpError, Response
from cockpit.adapters.http_outgoing import Outgoing
from cockpit.adapters.url import Url
from tests.adapters.http2_rig import frame

SETTINGS = frame(4, b"")
HEADS = [
    [(":status", "200")],
    [(":status", "200"), ("content-length", "3")],
    [(":status", "200"), ("content-length", "x")],
    [(":status", "200"), (":status", "201")],
    [(":status", "103")],
    [(":status", "soon")],
    [("", "")],
    [(":path", "/")],
    [("set-cookie", "a\r\nb"), (":status", "200")],
]


class Wire(asyncio.Transport):
    """Keeps nothing of what is sent; `closed` once the connection was let go of."""

    closed = False

    def write(self, data: object) -> None:
        """Nobody reads it."""

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self if name == "ssl_object" else default

    def selected_alpn_protocol(self) -> str:
        return "h2"


def noise(chance: random.Random, encoder: Encoder) -> bytes:
    """A frame that is almost right, or hardly."""
    kind = chance.choice([0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 33])
    payload = chance.randbytes(chance.choice([0, 1, 4, 5, 6, 8, 9, 20, 200]))
    flags = chance.choice([0, 1, 4, 5, 8, 0x20, 0x2D, 0xFF])
    if kind == 1 and chance.random() < 0.8:
        payload, flags = encoder.encode(chance.choice(HEADS)), chance.choice([4, 5])
    elif kind in (3, 8) and chance.random() < 0.7:
        payload = chance.choice([0, 1, 7, 11, 13, 100_000]).to_bytes(4, "big")
    return frame(kind, payload, flags=flags, stream=chance.choice([0, 1, 1, 3, 5, 7, 2]))


async def read(response: Response) -> bytes:
    return b"".join([part async for part in response.body])


async def outcome(connection: Http2Connection, size: int) -> object:
    request = Outgoing(
        "POST",
        Address(Url.parse("https://h/x")),
        Headers({}).wire(lambda said: said),
        bytes(size),
        left_s=9.0,
    )
    try:
        return await read(await connection.exchange(request, lambda phase: None))
    except HttpError as error:
        return error


@pytest.mark.parametrize("seed", range(8))
async def test_noise_ends_every_request_and_raises_nothing_else(seed: int) -> None:
    for number in range(60):
        chance = random.Random(1000 * seed + number)
        connection, wire, encoder = Http2Connection(), Wire(), Encoder()
        connection.connection_made(wire)
        connection.data_received(SETTINGS)
        await connection.settled()
        asking = [asyncio.create_task(outcome(connection, chance.randrange(70_000))) for _ in range(3)]
        await asyncio.sleep(0)
        for _ in range(chance.randrange(1, 14)):
            if not wire.closed:
                connection.data_received(noise(chance, encoder))
                await asyncio.sleep(0)
        connection.connection_lost(None)
        for result in await asyncio.gather(*asking):
            assert isinstance(result, bytes | HttpError)
        assert connection.lost and not connection.takes_more
