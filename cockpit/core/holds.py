"""How long a flag stays at a stage: the hold is over when both clocks say so. Pure.

The hold of a stage stands before what builds on it: before the flag's own next stage, and, at its last one,
before the next stage of every flag that depends on it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cockpit.core.clean import Percent
from cockpit.core.figures import length
from cockpit.core.flight import Flight
from cockpit.core.spec import FlagSpec, Stage


def reached_stage(spec: FlagSpec, percent: Percent) -> Stage | None:
    """The highest stage at or below this percentage; its hold time is the one that counts."""
    return max(
        (stage for stage in spec.stages if stage.percent <= percent),
        key=lambda stage: stage.percent,
        default=None,
    )


def hold_until(
    spec: FlagSpec, percent: Percent, stage_since: datetime | None, wall_ahead_s: float
) -> datetime | None:
    """When the present stage's hold time ends, by the wall clock as it is now; None where none is asked or
    its begin is unknown.

    wall_ahead_s: by how much the wall clock has jumped since the stage began. Set ahead, it would make a hold
    shorter than it is, so the steady clock counts; set back, it makes the hold longer, and then it counts.
    """
    stage = reached_stage(spec, percent)
    if stage is None or not stage.hold_s or stage_since is None:
        return None
    return stage_since + timedelta(seconds=stage.hold_s + max(0.0, wall_ahead_s))


def hold_left(
    spec: FlagSpec, percent: Percent, stage_since: datetime | None, wall_ahead_s: float, now: datetime
) -> tuple[str, datetime | None]:
    """`hold: 6 min left of 10 min`, and until when; empty when it is over or none is asked."""
    stage = reached_stage(spec, percent)
    if stage is None or not stage.hold_s:
        return "", None
    until = hold_until(spec, percent, stage_since, wall_ahead_s)
    if until is None:
        return f"not known since when, hold of {length(stage.hold_s)} asked", None
    if now >= until:
        return "", None
    left = length((until - now).total_seconds())
    return f"hold: {left} left of {length(stage.hold_s)}{set_ahead_words(wall_ahead_s)}", until


def set_ahead_words(wall_ahead_s: float) -> str:
    """Why a hold lasts longer than the clock on the wall says."""
    return (
        f"; the clock was set {length(wall_ahead_s)} ahead, that does not count" if wall_ahead_s > 0 else ""
    )


def watch_until(flight: Flight, window_s: float) -> datetime | None:
    """When the watch window after the last rollback ends, by the same rule; None where there was none."""
    closed = flight.last_closed
    if closed is None or closed.closed_at is None:
        return None
    return closed.closed_at + timedelta(seconds=window_s + max(0.0, flight.ahead_since_closed_s))
