"""Which flag is written next, and how: the part of the rollback that brings flags to zero. Pure.

- a flag is written as soon as nothing that depends on it is still being brought to zero;
- an accepted or unknown write is followed by a read, never by another write;
- a read that began before the write ended proves nothing;
- a write that never left is no refusal: it is tried again, with growing pauses, without an end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cockpit.core.acts import (
    Act,
    Action,
    Facts,
    FlagFact,
    ReadBack,
    Record,
    Write,
    done,
    record,
    start,
    step_of,
)
from cockpit.core.events import Kind
from cockpit.core.rollback import LOST, Flip, FlipState, Rollback
from cockpit.core.spec import StepKey

UNSEEN_LIMIT_S: Final = 15.0
"""How long flags wait for one that was written and cannot be read again."""

UNSENT_LIMIT: Final = 6
"""For how many tries flags wait for one whose writes do not leave: some eight seconds of pauses."""


def bring_flags_to_zero(rollback: Rollback, facts: Facts, now: datetime) -> Iterator[Act]:
    """The cut mark, then every write, read-back and record that a flag needs now."""
    if rollback.cut_mark is None:
        counters = [[name, value] for name, value in facts.counters.items()]
        yield record(rollback, Kind.ROLLBACK_CUT, counters=counters)
    step = step_of(rollback, StepKey.FLIP)
    if step is not None:
        yield from start(rollback, step)
    for flip in rollback.flips:
        fact = facts.flags.get(flip.flag, FlagFact())
        if flip.write_id is None and not fact.busy and not _must_wait(rollback, flip, facts, now):
            yield from _bring_to_zero(rollback, flip, fact, now)
    if step is not None and not step.settled and rollback.flipped:
        yield done(rollback, step, _flip_words(rollback))


def _must_wait(rollback: Rollback, flip: Flip, facts: Facts, now: datetime) -> bool:
    """Wait for what depends on this flag, but only while the machine is still trying that."""
    return any(
        other.flag in flip.waits_for
        and other.state is not FlipState.AT_ZERO
        and _tries(rollback, other, facts, now)
        for other in rollback.flips
    )


def _tries(rollback: Rollback, flip: Flip, facts: Facts, now: datetime) -> bool:
    """Not when it has given up, when the plan does not know the flag, when no read tells of its write, or
    when one try after the other never left this host."""
    if flip.exhausted or flip.unsent >= UNSENT_LIMIT or flip.flag not in facts.flags:
        return False
    if flip.state not in (FlipState.ACCEPTED, FlipState.UNKNOWN) or flip.changed_at is None:
        return True
    jumped_s = rollback.clock_jumped_s - flip.changed_jumped_s
    return (now - flip.changed_at).total_seconds() - jumped_s <= UNSEEN_LIMIT_S


def _bring_to_zero(rollback: Rollback, flip: Flip, fact: FlagFact, now: datetime) -> Iterator[Act]:
    proof = _proof(rollback, flip, fact)
    if flip.state is FlipState.AT_ZERO:
        if proof and not _at_zero(fact):
            yield _seen(rollback, flip, fact)
        elif flip.stored in ("", LOST) and not flip.pauses(now):
            yield Write(flag=flip.flag, action=Action.ZERO)
        return
    if proof and _at_zero(fact) and not (fact.forward_unsettled and not flip.attempts):
        yield _seen(rollback, flip, fact)
    elif flip.state in (FlipState.ACCEPTED, FlipState.UNKNOWN):
        yield _seen(rollback, flip, fact) if proof else ReadBack(flag=flip.flag)
    elif not flip.exhausted and not flip.pauses(now):
        yield Write(flag=flip.flag, action=Action.KILL)


def _proof(rollback: Rollback, flip: Flip, fact: FlagFact) -> bool:
    """Whether the last read began after everything this rollback did to the flag."""
    after = flip.changed_seq or rollback.declared_seq
    return fact.known and fact.read_after is not None and fact.read_after >= after


def _at_zero(fact: FlagFact) -> bool:
    return fact.exposure is not None and fact.exposure.hundredths == 0


def _seen(rollback: Rollback, flip: Flip, fact: FlagFact) -> Record:
    exposure = None if fact.exposure is None else fact.exposure.hundredths
    return record(rollback, Kind.FLAG_SEEN, flag=flip.flag, exposure=exposure)


def _flip_words(rollback: Rollback) -> str:
    count = len(rollback.flips)
    return f"{count} of {count} flags re-read at 0%"
