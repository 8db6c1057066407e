"""The four methods through which the face sees the engine. The face knows nothing else of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cockpit.core.commands import Command
from cockpit.core.snapshot import Snapshot


class Port(Protocol):
    """Thread-safe. No method blocks on the engine's work."""

    def latest(self) -> Snapshot:
        """The newest snapshot; there is always one."""

    def submit(self, command: Command) -> None:
        """Hand over a command and return at once; what becomes of it shows in `Snapshot.commands`."""

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` from the engine's thread after every new snapshot; returns the way to stop it.

        The callback must return at once and never wait for the engine or the terminal.
        """

    def stop(self) -> None:
        """Ask the engine to stop; returns at once. It first finishes the machine's part of a rollback."""
