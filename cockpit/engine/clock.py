"""The clock that `cli` hands to engine and face: two readings, wall and monotonic, and nothing else."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC wall-clock time, for the journal and the screen."""

    def monotonic(self) -> float:
        """Seconds that never jump, for waiting and for checking the wall clock."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
