"""Two clocks held against each other: the wall clock, which may jump, and the steady one, which never does.

An NTP step, a set clock or a suspended laptop moves one and not the other. The countdown is made of
wall-clock instants, so such a jump would shorten or stretch it silently; it is told instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

JUMP_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPair:
    """Both clocks, read at one moment."""

    wall: datetime
    steady_s: float


def jump(before: ClockPair, now: ClockPair) -> float | None:
    """Seconds by which the wall clock moved more than the steady one; None for less than JUMP_S."""
    passed_s = (now.wall - before.wall).total_seconds()
    by_s = passed_s - (now.steady_s - before.steady_s)
    return by_s if abs(by_s) > JUMP_S else None
