"""A write that is given up does not arrive minutes later, when a network or a server comes back to life."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest

from cockpit.adapters import http2
from cockpit.adapters.http import Web
from cockpit.adapters.no_answer import Cause, NoAnswer
from tests.adapters.http2_rig import identity

BODY = {"percent": 25, "padding": "x" * 50_000}
"""More than the server's host takes in while nobody reads there; the rest waits on ours."""


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(20.0)
        yield listener


def read_to_the_end(connection: socket.socket) -> bytes:
    """What arrives, now that somebody reads; what its sender took back may be gone from here, too."""
    said = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            said += part
    return said


async def test_over_http1(web: Web) -> None:
    with listening() as listener:
        host = web.host(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=1.0)
        writing = asyncio.create_task(host.write("POST", "/on", json=BODY))
        connection, _ = await asyncio.to_thread(listener.accept)
        with connection:
            with pytest.raises(NoAnswer) as caught:
                await writing
            assert (caught.value.cause, caught.value.sent) == (Cause.TIMEOUT, True)
            said = await asyncio.to_thread(read_to_the_end, connection)
    assert not said.endswith(b"}"), "the whole of it arrived, and would have been carried out"


async def test_over_http2(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2, "LONGEST_WAIT_S", 60.0)
    monkeypatch.setattr(http2, "SHARE_OF_WAIT", 1.0)
    mine = identity(tmp_path)
    speaker = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    with listening() as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        patient = web.host(url, ca_file=mine.ca_file, timeout_s=30.0, lever=True)
        hasty = web.host(url, ca_file=mine.ca_file, timeout_s=1.0, lever=True)

        def greeted() -> socket.socket:
            plain, _ = listener.accept()
            found = mine.context("h2").wrap_socket(plain, server_side=True)
            found.settimeout(20.0)
            speaker.initiate_connection()
            while True:
                found.sendall(speaker.data_to_send())
                for event in speaker.receive_data(found.recv(65_536)):
                    if isinstance(event, h2.events.StreamEnded):
                        speaker.send_headers(event.stream_id or 0, [(":status", "204")], end_stream=True)
                        found.sendall(speaker.data_to_send())
                        return found

        reading = asyncio.create_task(patient.get("/first"))
        connection = await asyncio.to_thread(greeted)
        with connection:
            assert (await reading).spoken == "HTTP/2"
            with pytest.raises(NoAnswer) as caught:
                await hasty.write("POST", "/on", json=BODY)
            assert (caught.value.cause, caught.value.sent) == (Cause.TIMEOUT, True)
            said = await asyncio.to_thread(read_to_the_end, connection)
    events = speaker.receive_data(said)
    ended = [event for event in events if isinstance(event, h2.events.StreamEnded)]
    assert not ended, "the whole of it arrived, and would have been carried out"
