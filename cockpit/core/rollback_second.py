"""How events change the second lever of a flag: pulled by a person, written, re-read, or done by hand.

Both levers share the rule of one write in flight per flag. What a person did by hand is never called
re-read: it is that person's word, and the drain is the evidence.
"""

from __future__ import annotations

from cockpit.core.body import number, percent, text
from cockpit.core.dataclass import replace
from cockpit.core.events import Event
from cockpit.core.rollback import (
    MACHINE_ATTEMPTS,
    Flip,
    FlipState,
    IllegalEvent,
    Rollback,
    SecondWay,
)
from cockpit.core.rollback_ways import answered, changed, flip_of, reopened, with_flip, written


def pulled(rollback: Rollback, event: Event) -> Rollback:
    flip = _free(rollback, event)
    body = event.body
    second = SecondWay(
        service=text(body, "service"),
        key=text(body, "key"),
        takes_s=number(body, "takes_s"),
        pulled_by=event.actor,
        pulled_at=event.at,
    )
    return with_flip(rollback, replace(flip, second=changed(rollback, second, event)))


def by_hand(rollback: Rollback, event: Event) -> Rollback:
    flip = _free(rollback, event)
    body = event.body
    second = SecondWay(
        manual=text(body, "manual"),
        takes_s=number(body, "takes_s"),
        pulled_by=event.actor,
        pulled_at=event.at,
        note=text(body, "note"),
        at_zero_at=event.at,
        at_zero_seq=event.seq,
    )
    return with_flip(rollback, replace(flip, second=changed(rollback, second, event)))


def _free(rollback: Rollback, event: Event) -> Flip:
    """The flag, while its second lever can be pulled."""
    flip = flip_of(rollback, event)
    if flip.at_zero:
        raise IllegalEvent(f"{flip.flag} is at zero: no second lever is needed")
    if flip.second is not None and not flip.second.used_up:
        raise IllegalEvent(f"the second lever of {flip.flag} is pulled already")
    return flip


def intent(rollback: Rollback, flip: Flip, event: Event) -> Rollback:
    second = _pulled(flip)
    if text(event.body, "action") != "kill":
        raise IllegalEvent(f"{flip.flag}: a second lever only ever goes to zero")
    if second.state not in (FlipState.WAITING, FlipState.REFUSED):
        raise IllegalEvent(f"the second lever of {flip.flag} is {second.state}: read it before writing again")
    return _with(
        rollback, flip, changed(rollback, written(second, text(event.body, "write_id"), event), event)
    )


def outcome(rollback: Rollback, flip: Flip, event: Event) -> Rollback:
    second = _pulled(flip)
    if second.write_id != text(event.body, "write_id"):
        raise IllegalEvent(f"the second lever of {flip.flag} has no such write in flight")
    return _with(rollback, flip, changed(rollback, answered(second, event), event))


def seen(rollback: Rollback, flip: Flip, event: Event) -> Rollback:
    """Zero, re-read through the second service, is done. Later something else: somebody raised it there."""
    second = _pulled(flip)
    if second.state is FlipState.WRITING:
        raise IllegalEvent(
            f"the second lever of {flip.flag} has a write in flight: a read now proves nothing"
        )
    exposure, read = percent(event.body, "exposure"), changed(rollback, second, event)
    if exposure is not None and exposure.hundredths == 0:
        if not second.works:
            read = replace(read, at_zero_at=event.at, at_zero_seq=event.seq)
        return _with(rollback, flip, replace(read, state=FlipState.AT_ZERO, detail=""))
    reads = "an exposure that cannot be told" if exposure is None else str(exposure)
    if not second.works:
        lied = second.lied or second.state is FlipState.ACCEPTED
        detail = f"reads {reads} after the write"
        return _with(rollback, flip, replace(read, state=FlipState.REFUSED, lied=lied, detail=detail))
    detail = f"raised to {reads} by someone else"
    raised = replace(
        read,
        state=FlipState.REFUSED,
        attempts=MACHINE_ATTEMPTS,
        lost=0,
        at_zero_at=None,
        at_zero_seq=0,
        detail=detail,
    )
    if flip.state is FlipState.AT_ZERO:
        return _with(rollback, flip, raised)
    open_flip = replace(flip, drained_at=None, share_pct=None)
    return reopened(
        _with(rollback, open_flip, raised), f"{flip.flag} back at {reads} through the second lever"
    )


def _pulled(flip: Flip) -> SecondWay:
    if flip.second is None or flip.second.by_hand:
        raise IllegalEvent(f"nobody pulled a second lever of {flip.flag} that can be written")
    return flip.second


def _with(rollback: Rollback, flip: Flip, second: SecondWay) -> Rollback:
    return with_flip(rollback, replace(flip, second=second))
