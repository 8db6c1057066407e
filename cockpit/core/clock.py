"""The clock that engine and face are handed. The protocol lives here; a real one lives in the engine."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC wall-clock time, for the journal and the screen."""

    def monotonic(self) -> float:
        """Seconds that never jump, for waiting and for checking the wall clock."""
