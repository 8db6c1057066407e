"""How this machine and this process are doing.

Every figure comes from the kernel's own tables, so sampling does not block the engine's loop. Where the
system keeps no load average, the number of CPUs that were busy since the last sample stands in for it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import datetime
from typing import Final

import psutil

from cockpit.core.clean import clean_text
from cockpit.core.snapshot import HostStatus

_MIB: Final = 1024 * 1024

LoadAverages = Callable[[], tuple[float, float, float]]


class HostSampler:
    """Called by the engine, from one thread."""

    def __init__(self, *, load_averages: LoadAverages = psutil.getloadavg) -> None:
        self._load_averages = load_averages
        self._host = clean_text(socket.gethostname(), limit=64)
        self._process = psutil.Process()
        self._cpus = psutil.cpu_count() or 1
        psutil.cpu_percent(interval=None)

    def sample(self, now: datetime, *, loop_lag_ms: float, clock_skew_s: float | None) -> HostStatus | None:
        """The figures at `now`; None when the system does not let this process see them."""
        try:
            return HostStatus(
                host=self._host,
                load_1m=self._load(),
                cpus=self._cpus,
                memory_used_pct=psutil.virtual_memory().percent,
                own_rss_mib=self._process.memory_info().rss / _MIB,
                loop_lag_ms=loop_lag_ms,
                clock_skew_s=clock_skew_s,
                sampled_at=now,
            )
        except (psutil.Error, OSError):
            return None

    def _load(self) -> float:
        try:
            return self._load_averages()[0]
        except (AttributeError, OSError):
            return psutil.cpu_percent(interval=None) / 100 * self._cpus
