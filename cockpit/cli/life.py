"""Life and death of a process with a screen: signals, a terminal that goes away, and who ends last.

The engine ends last. A hang-up, a SIGTERM or a terminal that is gone tells the engine to stop; with a
rollback open it first finishes what a machine can finish. Only then does the process end, whatever the
screen's own loop is stuck in.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType
from typing import Final, Protocol

from cockpit.cli.output import let_go, say, say_error
from cockpit.cli.thrift import set_start_aside
from cockpit.core.commands import Command
from cockpit.core.snapshot import Snapshot

TTY_LOOK_S: Final = 2.0
STANDING_LOOKS: Final = 2
"""By then the screen stands, and every source was asked once."""
FACE_GRACE_S: Final = 2.0
NARRATE_S: Final = 1.0
LEAVE_S: Final = 10.0
HUNG_UP: Final = 128 + signal.SIGHUP
KEYS_FD: Final = 0
SCREEN_FD: Final = 2
PLAIN_TERMINALS: Final = frozenset({"dumb", "unknown"})


class Backstage(Protocol):
    """What a screen stands before and is outlived by: an engine, or a follower of one."""

    @property
    def failed(self) -> BaseException | None:
        """What ended it, if it did not end by itself."""

    def latest(self) -> Snapshot:
        """The newest snapshot; there is always one."""

    def submit(self, command: Command) -> None:
        """Hand over a command and return at once."""

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after every new snapshot; returns the way to stop it."""

    def stop(self) -> None:
        """Ask it to stop; returns at once."""

    def stop_because(self, why: str) -> None:
        """The same, safe from a signal handler, with a reason for the record."""

    def leave_now(self, why: str) -> None:
        """The same, and leave an open rollback where it is."""

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until it has ended; whether it has."""

    def grounded(self) -> bool:
        """Wait until it works as a whole; True when it never will, and `failed` says why."""

    @property
    def last_words(self) -> tuple[str, ...]:
        """What has to be said once the screen is gone: events that no journal took, and where they are."""


def screen_refusal(environ: Mapping[str, str]) -> str:
    """Why no screen can be shown here, empty when it can.

    Keys come from standard input, and the screen goes to standard error, so that output may be redirected.
    """
    term = environ.get("TERM", "")
    if term in PLAIN_TERMINALS:
        return f"TERM={term} has no cursor to move"
    if not os.isatty(KEYS_FD):
        return "standard input is not a terminal"
    return "" if os.isatty(SCREEN_FD) else "standard error, where the screen is drawn, is not a terminal"


def attend(engine: Backstage, fly: Callable[[], int], leave: Callable[[], object]) -> int:
    """Run the screen (`fly`) beside a started engine; its exit code, once both have ended.

    leave: asks the screen to end; called from another thread. Raises what kept the engine on the ground.
    """
    life = _Life(engine, leave)
    life.begin()
    try:
        code = fly() if engine.failed is None else 1
    finally:
        life.face_ended.set()
        engine.stop()
        _see_it_out(engine)
        life.end()
        if life.code == HUNG_UP:
            let_go(*range(3))
    for words in engine.last_words:
        say_error(words)
    if engine.failed is not None and engine.grounded():
        raise engine.failed
    if engine.failed is not None:
        say_error(f"the engine failed: {type(engine.failed).__name__}: {engine.failed}")
        return 1
    return life.code if life.code is not None else code


def _see_it_out(engine: Backstage) -> None:
    """Tell on plain lines what still goes on after the screen is gone; ctrl+c leaves at once."""
    told = engine.latest().tail[-1].seq if engine.latest().tail else 0
    try:
        while not engine.join(NARRATE_S):
            snapshot = engine.latest()
            if snapshot.rollback is None:
                continue
            for line in snapshot.tail:
                if line.seq > told:
                    told = line.seq
                    say(f"{line.at:%H:%M:%S}  {line.text}")
    except KeyboardInterrupt:
        say_error("left while the rollback was open: start the cockpit on this plan again to go on")
        with suppress(KeyboardInterrupt):  # once more: at once
            engine.leave_now("left with ctrl+c while the rollback was open")
            engine.join(LEAVE_S)
            for words in engine.last_words:
                say_error(words)
        os._exit(1)
    except OSError:
        engine.join()


class _Life:
    """The watchers of one process: two signals and one thread."""

    def __init__(self, engine: Backstage, leave: Callable[[], object]) -> None:
        self._engine = engine
        self._leave = leave
        self._wanted = threading.Event()
        self._done = threading.Event()
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self.face_ended = threading.Event()
        self.code: int | None = None

    def begin(self) -> None:
        for number in (signal.SIGHUP, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        threading.Thread(target=self._watch, name="cockpit-life", daemon=True).start()

    def end(self) -> None:
        self._done.set()
        self._wanted.set()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """A plain handler: it runs even when the screen's loop is stuck in a terminal that is not read."""
        self.code = 128 + number
        self._engine.stop_because(f"signal {signal.Signals(number).name}")
        self._wanted.set()

    def _watch(self) -> None:
        looks = misses = 0
        grounded = self._engine.grounded()  # the screen stands by then, or nearly
        while not grounded and not self._wanted.wait(TTY_LOOK_S):
            looks += 1
            if looks == STANDING_LOOKS:
                set_start_aside()
            misses = 0 if os.isatty(KEYS_FD) else misses + 1
            if misses >= 2:
                self.code = HUNG_UP
                self._engine.stop_because("the terminal is gone")
                break
        if self._done.is_set():
            return
        self._leave()
        self._engine.join()
        if not self.face_ended.wait(FACE_GRACE_S):
            os._exit(self.code if self.code is not None else 1)
