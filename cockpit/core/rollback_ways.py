"""What an event does to one way to zero, whichever lever it is. Used by the folds of both levers."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, TypeVar

from cockpit.core.body import number, text
from cockpit.core.dataclass import replace
from cockpit.core.events import Event
from cockpit.core.rollback import (
    LONGEST_WAIT_S,
    PROVED_AT_ZERO,
    Flip,
    FlipState,
    IllegalEvent,
    Rollback,
    Step,
    StepState,
    Way,
    pause_s,
)
from cockpit.core.spec import StepKey

W = TypeVar("W", bound=Way)


def flip_of(rollback: Rollback, event: Event) -> Flip:
    key = text(event.body, "flag")
    try:
        return rollback.flips[rollback.flags.index(key)]
    except ValueError:
        raise IllegalEvent(f"{key} is not part of this rollback") from None


def changed(rollback: Rollback, way: W, event: Event) -> W:
    """From here on only what began after this event tells anything about the flag."""
    return replace(way, changed_at=event.at, changed_seq=event.seq, changed_jumped_s=rollback.clock_jumped_s)


def with_flip(rollback: Rollback, flip: Flip) -> Rollback:
    place, flips = rollback.flags.index(flip.flag), rollback.flips
    return replace(rollback, flips=(*flips[:place], flip, *flips[place + 1 :]))


def written(way: W, write_id: str, event: Event) -> W:
    """A write is on its way. What a try that never left said before it stays to be read."""
    return replace(
        way,
        state=FlipState.WRITING,
        attempts=way.attempts + 1,
        write_id=write_id,
        tried_seq=event.seq,
        detail=way.detail if way.unsent else "",
        began_at=way.began_at or event.at,
    )


_AFTER_WRITE: Final = {
    "done": FlipState.ACCEPTED,
    "refused": FlipState.REFUSED,
    "unknown": FlipState.UNKNOWN,
}


def answered(way: W, event: Event) -> W:
    """An attempt that nobody said no to takes none of the machine's tries."""
    body = event.body
    excused = any(body.get(why) not in (None, False) for why in ("lost", "unsent", "again_after_s"))
    return replace(
        paused(way, event),
        state=_AFTER_WRITE[text(body, "outcome")],
        write_id=None,
        lost=way.lost + excused,
        detail=text(body, "detail"),
    )


def paused(way: W, event: Event) -> W:
    """Growing pauses while nothing leaves this host; the service's own time where it named one."""
    body, wait_s = event.body, None
    unsent = way.unsent + 1 if body.get("unsent") is True else 0
    if unsent:
        wait_s = pause_s(unsent)
    elif body.get("again_after_s") is not None:
        wait_s = min(LONGEST_WAIT_S, max(0.0, number(body, "again_after_s")))
    return replace(
        way,
        unsent=unsent,
        retry_at=None if wait_s is None else event.at + timedelta(seconds=wait_s),
    )


def reopened(rollback: Rollback, why: str, *, also: StepKey | None = None) -> Rollback:
    """What was proved about flip, drain, legacy and writes no longer holds once a flag is not at zero."""
    keys = PROVED_AT_ZERO if also is None else PROVED_AT_ZERO | {also}
    return replace(
        rollback,
        steps=tuple(
            _open_again(step, why) if step.key in keys and step.settled else step for step in rollback.steps
        ),
    )


def _open_again(step: Step, evidence: str) -> Step:
    state = StepState.RUNNING if step.machine else StepState.ASKING
    return replace(step, state=state, done_at=None, done_seq=0, done_by="", evidence=evidence)
