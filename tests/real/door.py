"""A door before a real flag service: shut, nobody listens; it may also hang, or lie about writes."""

from __future__ import annotations

import threading
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from tests.real.servers import free_port

_HELD_S = 20.0
_HEADERS = ("authorization", "content-type", "accept")


class Mode(Enum):
    OPEN = "open"
    LIES = "lies"
    HANGS = "hangs"


class Door:
    """Hands every request on to `target`, one connection each, so that shutting it is noticed at once."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.port = free_port()
        self.mode = Mode.OPEN
        self.released = threading.Event()
        self.written = 0
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self.client = httpx.Client(base_url=target, timeout=10.0, trust_env=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                door.pass_on(self)

            do_POST = do_PATCH = do_PUT = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        self.mode = Mode.OPEN
        self.released.set()
        if self._server is None:
            self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
            self._server.daemon_threads = True
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
            self._thread.start()

    def shut(self) -> None:
        """Connections are refused from here on."""
        self.released.set()
        server, thread, self._server, self._thread = self._server, self._thread, None, None
        if server is not None and thread is not None:
            server.shutdown()
            thread.join()
            server.server_close()

    def hang(self) -> None:
        self.released.clear()
        self.mode = Mode.HANGS

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        if self.mode is Mode.HANGS:
            self.released.wait(_HELD_S)
            return
        if self.mode is Mode.LIES and request.command != "GET":
            self.written += 1
            self._answer(request, 200, b"{}")
            return
        headers = {name: request.headers[name] for name in _HEADERS if name in request.headers}
        told = self.client.request(request.command, request.path, content=body, headers=headers)
        self._answer(request, told.status_code, told.content)

    def _answer(self, request: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def __enter__(self) -> Door:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()
        self.client.close()
