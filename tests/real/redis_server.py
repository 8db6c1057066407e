"""Private Redis servers on free loopback ports."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.real.servers import Server, free_port, program, running, scratch


@contextmanager
def redis(*options: str, port: int | None = None) -> Iterator[Server]:
    """A server that keeps nothing. `options` as on its command line, such as `--requirepass`, `x`."""
    chosen = port or free_port()
    server = program("redis-server")
    argv = [
        server,
        "--port",
        str(chosen),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        ".",
    ]
    with (
        scratch("redis") as folder,
        running("redis", [*argv, *options], port=chosen, folder=folder, ready=replies(chosen)) as started,
    ):
        yield started


def replies(port: int) -> Callable[[], bool]:
    """A condition for `ready`: something is said to a PING, be it that a password is needed."""

    def condition() -> bool:
        try:
            return bool(say(port, "PING"))
        except OSError:
            return False

    return condition


def say(port: int, *commands: str) -> bytes:
    """Inline commands, one after the other; the answer to the last."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plug:
        for command in commands:
            plug.sendall(command.encode() + b"\r\n")
            answer = plug.recv(65_536)
    return answer
