"""A real terminal for a real process: a pty, a screen model, and ways to stall it or to cut it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import pyte

LIMIT_S = 60.0


def wait_until(condition: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
    """Poll a condition of another process until it holds; fails with `what` after `limit_s`."""
    deadline = time.monotonic() + limit_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"never happened: {what}")
        pause.wait(0.05)


def in_a_pty(
    command: Sequence[str], env: Mapping[str, str], *, columns: int, rows: int
) -> tuple[subprocess.Popen[bytes], int]:
    """A program with a pty of its own session for its terminal, and the other end of it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={"TERM": "xterm-256color", **env},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    return process, master


class Terminal:
    """Runs `command` in a pty of its own session. `raw` is every byte the terminal got."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], columns: int = 120, rows: int = 40
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.raw = bytearray()
        self._stream = pyte.ByteStream(self.screen)
        self._lock = threading.Lock()
        self._reading = threading.Event()
        self._reading.set()
        self._closing = threading.Event()
        self.process, self._master = in_a_pty(command, env, columns=columns, rows=rows)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.cut()

    def _read(self) -> None:
        while not self._closing.is_set():
            if not self._reading.wait(0.1):
                continue
            ready, _, _ = select.select([self._master], [], [], 0.1)
            if not ready or not self._reading.is_set():
                continue
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            with self._lock:
                self.raw += data
                self._stream.feed(data)

    @property
    def text(self) -> str:
        """The screen as lines of text."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self.screen.display)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def expect(self, text: str, limit_s: float = LIMIT_S) -> None:
        """Wait until the screen has said this, be it for a moment."""
        seen: list[str] = []

        def look() -> bool:
            ended = self.process.poll()
            seen.append(self.text)
            return text in seen[-1] or ended is not None

        try:
            wait_until(look, text, limit_s)
        except AssertionError:
            raise AssertionError(f"the screen never said {text!r}:\n{seen[-1]}") from None
        assert text in seen[-1], f"ended ({self.process.poll()}) without {text!r}:\n{seen[-1]}"

    def resize(self, columns: int, rows: int) -> None:
        with self._lock:
            self.screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def scribble(self, text: str) -> None:
        """Something else writes to the terminal, in the middle of the screen."""
        with self._lock:
            self._stream.feed(f"\x1b[5;5H\x1b[4m{text}".encode())

    def stall(self) -> None:
        """Stop reading, as a hung link does."""
        self._reading.clear()

    def resume(self) -> None:
        self._reading.set()

    def cut(self) -> None:
        """The terminal goes away: the line is closed and the kernel hangs up."""
        if not self._closing.is_set():
            self._closing.set()
            self._thread.join()
            os.close(self._master)
