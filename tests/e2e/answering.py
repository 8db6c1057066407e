"""One raw server that gives the same answer to every question: a status, bytes, or a body without end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECE = b"10000\r\n" + b"[" + b" " * 0xFFFF + b"\r\n"


class Answering:
    """`asked` counts questions, `streamed` the bytes of bodies without end."""

    def __init__(self) -> None:
        self.asked = 0
        self.streamed = 0
        self._raw = b""
        self._endless = False
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def say(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.send(head.encode() + b"Connection: close\r\n\r\n" + body)

    def send(self, raw: bytes) -> None:
        """These bytes, then the end of the connection."""
        self._raw, self._endless = raw, False

    def stream(self) -> None:
        self._endless = True

    def close(self) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _listen(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._answer, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(2.0)
            if not connection.recv(65536):
                return
            self.asked += 1
            if not self._endless:
                connection.sendall(self._raw)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    continue
                return
            connection.sendall(ENDLESS)
            while not self._closing.is_set():
                connection.sendall(PIECE)
                self.streamed += len(PIECE)


@contextmanager
def answering() -> Iterator[Answering]:
    server = Answering()
    try:
        yield server
    finally:
        server.close()
