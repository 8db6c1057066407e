"""When a cockpit that was told to stop may end: nobody needs it any more. Pure."""

from __future__ import annotations

from datetime import datetime

from cockpit.core.dataclass import dataclass
from cockpit.core.rollback import Rollback, StepState


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What this process has to do with the flight. at_once: asked to leave even an open rollback behind.
    writing: a write is in flight. idle: neither a write nor an announcement is. since_s: how long it runs.
    """

    drives: bool
    at_once: bool
    writing: bool
    idle: bool
    since_s: float


def may_leave(rollback: Rollback | None, here: Here, now: datetime) -> bool:
    """No rollback, or the machine's part of it is done or stuck, or its time is over.

    rollback: the open one. One that was found open gets its whole time once more, however late it is.
    """
    if here.at_once:
        return True
    if rollback is None or not here.drives:
        return not here.writing
    waiting = [step for step in rollback.steps if step.machine and not step.settled]
    stuck = all(step.state is StepState.FAILED for step in waiting) and rollback.flip_begun
    budget_s = (rollback.deadline_at - rollback.declared_at).total_seconds()
    over = here.since_s > budget_s and rollback.left(now).total_seconds() < 0
    return (over and not here.writing) or (here.idle and (not waiting or stuck))
