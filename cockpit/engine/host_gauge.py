"""The newest figures of this machine, for the picture. What takes them is loaded with the first look."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cockpit.core.clock import Clock
from cockpit.core.snapshot import HostStatus

if TYPE_CHECKING:
    from cockpit.engine.host import HostSampler

SPACING_S: Final = 2.0


class HostGauge:
    """The newest figures, taken now and then. clock_skew_s: how far apart the clocks are, where known."""

    def __init__(self, clock: Clock, clock_skew_s: Callable[[], float | None]) -> None:
        self._clock = clock
        self._clock_skew_s = clock_skew_s
        self._sampler: HostSampler | None = None
        self._sampled_s = float("-inf")
        self._lag_s = 0.0
        self.status: HostStatus | None = None

    def late(self, by_s: float) -> None:
        """The loop came so much later than it meant to; the worst since the last sample is what is told."""
        self._lag_s = max(self._lag_s, by_s)

    def look(self) -> None:
        now_s = self._clock.monotonic()
        if now_s - self._sampled_s < SPACING_S:
            return
        self._sampled_s = now_s
        if self._sampler is None:
            from cockpit.engine.host import HostSampler

            self._sampler = HostSampler()
        self.status = self._sampler.sample(
            self._clock.now(), loop_lag_ms=self._lag_s * 1000, clock_skew_s=self._clock_skew_s()
        )
        self._lag_s = 0.0
