"""The recent past of one side of a signal, as the screens draw it. For the eye alone: no judge reads it.

A point is the rate of bad events in the time before it, once per step, oldest first. What is not known is
no number: a `Blank` says why there is none, and it is never drawn as zero.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cockpit.core.dataclass import dataclass


class Blank(StrEnum):
    """NOT_ASKED: nothing is known of that time. NO_ANSWER: asked, and no usable answer came, or the counter
    was reset. NO_EVENTS: answered, and nothing had happened, so that there is no rate."""

    NOT_ASKED = ""
    NO_ANSWER = "x"
    NO_EVENTS = "-"


Point = float | Blank
_NONE: Final = Blank.NO_ANSWER


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Points up to now. Before `known_from` nothing is known; until `watched_from` the monitor told."""

    points: tuple[Point, ...]
    known_from: int
    watched_from: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SideHistory:
    """points: percent of bad events over the `window_s` before each. last_at: the end of the last one's step.

    watched: how many of the last points are of a time in which this cockpit polled; what lies before them
    the monitor told at the start. note: why it told nothing, empty when it did or has not been asked yet.
    """

    last_at: datetime
    step_s: float
    window_s: float
    points: tuple[Point, ...]
    watched: int
    note: str = ""

    def until(self, now: datetime, count: int) -> Window:
        """The `count` points that lead up to `now`: steps that have passed since the last one are blank.

        What is no percentage is no answer, whoever published it.
        """
        passed = min(count, max(0, int((now - self.last_at) / timedelta(seconds=max(1.0, self.step_s)))))
        known = (each if isinstance(each, Blank) or 0 <= each <= 100 else _NONE for each in self.points)
        points = (*known, *((Blank.NOT_ASKED,) * passed))[-count:]
        ahead = count - len(points)
        return Window(
            points=(Blank.NOT_ASKED,) * ahead + points,
            known_from=ahead,
            watched_from=max(ahead, count - passed - self.watched),
        )
