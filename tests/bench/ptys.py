"""A program on a terminal that is read at will: as fast as it writes, slowly, or not at all.

Every read is stamped with the kernel's monotonic clock before the screen model sees it, so that the model's
own slowness is in no figure.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import monotonic_ns
from types import TracebackType
from typing import Final, Self

import psutil
import pyte

from tests.e2e.terminal import in_a_pty

LIMIT_S: Final = 60.0
SLICE_S: Final = 0.02

Look = Callable[[str], bool]


class Pty:
    """Runs `command` in a pty of its own session. bytes_per_s: how fast it is read; None: at once."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        columns: int = 120,
        rows: int = 40,
        bytes_per_s: int | None = None,
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._slice = None if bytes_per_s is None else max(1, round(bytes_per_s * SLICE_S))
        self._reading, self._closing, self._pause = threading.Event(), threading.Event(), threading.Event()
        self._reading.set()
        self._look: Look | None = None
        self._looked = threading.Event()
        self._seen_ns = 0
        self.received = 0
        self.began_ns = monotonic_ns()
        self.process, self._master = in_a_pty(command, env, columns=columns, rows=rows)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._thread.join()
        os.close(self._master)

    def _read(self) -> None:
        while not self._closing.is_set():
            if not self._reading.wait(0.1):
                continue
            ready, _, _ = select.select([self._master], [], [], 0.1)
            if not ready or not self._reading.is_set():
                continue
            try:
                data = os.read(self._master, self._slice or 65536)
            except OSError:
                return
            self._take(data, monotonic_ns())
            if self._slice is not None:
                self._pause.wait(SLICE_S * len(data) / self._slice)

    def _take(self, data: bytes, at_ns: int) -> None:
        self.received += len(data)
        self._stream.feed(data)
        look = self._look
        if look is not None and look(self.text):
            self._seen_ns, self._look = at_ns, None
            self._looked.set()

    @property
    def text(self) -> str:
        """The screen as lines of text; whole while nothing arrives."""
        return "\n".join(self._screen.display)

    def press(self, keys: str) -> int:
        """The instant, in monotonic ns, just before the keys were written to the terminal."""
        at_ns = monotonic_ns()
        os.write(self._master, keys.encode())
        return at_ns

    def expecting(self, look: Look) -> None:
        """From now on every read is looked at; `seen_ns` waits for the first that fits."""
        self._looked.clear()
        self._look = look

    def seen_ns(self, what: str, limit_s: float = LIMIT_S) -> int:
        """When the read came in after which the screen fitted. Raises AssertionError when none does."""
        if not self._looked.wait(limit_s):
            raise AssertionError(f"the screen never showed {what}:\n{self.text}")
        return self._seen_ns

    def expect(self, *texts: str, limit_s: float = LIMIT_S) -> int:
        """Wait until the screen shows all of these; when that was."""
        self.expecting(lambda screen: all(text in screen for text in texts))
        self._recheck()
        return self.seen_ns(", ".join(texts), limit_s)

    def _recheck(self) -> None:
        """The screen may fit already, and nothing more may come."""
        look = self._look
        with suppress(RuntimeError):  # the model is being fed: that feed is looked at anyway
            if look is not None and look(self.text):
                self._seen_ns, self._look = monotonic_ns(), None
                self._looked.set()

    def stall(self) -> None:
        """Stop reading, as a hung link does."""
        self._reading.clear()

    def resume(self) -> None:
        self._reading.set()

    def cpu_s(self) -> float:
        """CPU seconds of the program so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system
