"""The face's whole world in tests: a clock that stands still and a port that shows what it is told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from cockpit.core.commands import Command, MakeReady
from cockpit.core.snapshot import (
    Snapshot,
)
from tests.face.parts import NOW


class FakeClock:
    """A clock that stands still until `advance`."""

    def __init__(self, at: datetime = NOW) -> None:
        self._at = at
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)
        self._monotonic += seconds


class ScriptedPort:
    """A port whose snapshots a test sets with `show`; what the face submits is kept in `commands`, and what
    it only asks to be made ready in `made_ready`."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._callbacks: list[Callable[[], None]] = []
        self.commands: list[Command] = []
        self.made_ready: list[MakeReady] = []
        self.stopped = False

    def latest(self) -> Snapshot:
        return self._snapshot

    def submit(self, command: Command) -> None:
        if isinstance(command, MakeReady):
            self.made_ready.append(command)
        else:
            self.commands.append(command)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def stop(self) -> None:
        self.stopped = True

    @property
    def subscribers(self) -> int:
        return len(self._callbacks)

    def show(self, snapshot: Snapshot) -> None:
        """Swap in a snapshot and wake the subscribers, from whatever thread calls."""
        self._snapshot = replace(snapshot, seq=self._snapshot.seq + 1)
        for callback in tuple(self._callbacks):
            callback()
