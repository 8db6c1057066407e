"""Which flag is written next, and how: the part of the rollback that brings flags to zero. Pure.

- a flag is written as soon as nothing that depends on it is still being brought to zero;
- an accepted or unknown write is followed by a read, never by another write;
- a read that began before the write ended proves nothing;
- 0% is stored in a flag that is off once no other one is still being switched off, or after a while;
- a write that never left is no refusal: it is tried again, with growing pauses, without an end, and at once
  when its service answers a poll again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from cockpit.core.events import Kind, Lever
from cockpit.core.rollback import LOST, Flip, FlipState, Rollback, SecondWay, Way
from cockpit.core.spec import StepKey

UNSEEN_LIMIT_S: Final = 15.0
"""How long flags wait for one that was written and cannot be read again."""

BACKGROUND_PAUSE_S: Final = 15.0

STORES_AFTER_S: Final = 15.0
"""How long after it was declared flags that are off give way to flags that are not."""

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
    by_flag, stores = {flip.flag: flip for flip in rollback.flips}, _may_store(rollback, facts, now)
    for flip in rollback.flips:
        fact = facts.flags.get(flip.flag) or FlagFact()
        before = [by_flag[flag] for flag in flip.waits_for if flag in by_flag]
        free = not (flip.in_flight or fact.busy or _must_wait(rollback, before, facts, now))
        if flip.second is not None:
            by_second = tuple(_by_second(rollback, flip, facts.seconds.get(flip.flag), now, may_write=free))
            yield from by_second
            free = free and not any(isinstance(act, Write) for act in by_second)
        if free:
            yield from _bring_to_zero(rollback, flip, fact, now, stores=stores)
    if step is not None and not step.settled and rollback.flipped:
        yield done(rollback, step, _flip_words(rollback))


def _must_wait(rollback: Rollback, before: Sequence[Flip], facts: Facts, now: datetime) -> bool:
    """Wait for what depends on this flag, but only while the machine is still trying that."""
    return bool(before) and any(not other.at_zero and _tries(rollback, other, facts, now) for other in before)


def _tries(rollback: Rollback, flip: Flip, facts: Facts, now: datetime) -> bool:
    """Not when it has given up, when the plan does not know the flag, when no read tells of its write, or
    when one try after the other never left this host."""
    if flip.exhausted or flip.unsent >= UNSENT_LIMIT or flip.flag not in facts.flags:
        return False
    if flip.state not in (FlipState.ACCEPTED, FlipState.UNKNOWN) or flip.changed_at is None:
        return True
    jumped_s = rollback.clock_jumped_s - flip.changed_jumped_s
    return (now - flip.changed_at).total_seconds() - jumped_s <= UNSEEN_LIMIT_S


def _by_second(
    rollback: Rollback, flip: Flip, fact: FlagFact | None, now: datetime, *, may_write: bool
) -> Iterator[Act]:
    """What a pulled second lever needs: written at least once, and then seen through its own service.

    Reading it waits for nothing that the first lever has in flight.
    """
    second = flip.second
    if second is None or second.by_hand or second.write_id is not None or fact is None:
        return
    proof = fact.known and fact.read_after is not None and fact.read_after >= second.changed_seq
    seen = record(
        rollback, Kind.FLAG_SEEN, flag=flip.flag, exposure=_exposure(fact), lever=Lever.SECOND.value
    )
    if second.works:
        if proof and not _at_zero(fact):
            yield seen
    elif second.state in (FlipState.ACCEPTED, FlipState.UNKNOWN):
        yield seen if proof else ReadBack(flag=flip.flag, lever=Lever.SECOND)
    elif second.attempts and proof and _at_zero(fact):
        yield seen
    elif may_write and flip.state is not FlipState.AT_ZERO and _has_a_try(second, fact, now):
        yield Write(flag=flip.flag, action=Action.KILL, lever=Lever.SECOND)


def _may_store(rollback: Rollback, facts: Facts, now: datetime) -> bool:
    """0% is stored in flags that are off already: first come those that are not, for a while."""
    if rollback.elapsed(now).total_seconds() > STORES_AFTER_S:
        return True
    return not any(not flip.at_zero and _tries(rollback, flip, facts, now) for flip in rollback.flips)


def _bring_to_zero(
    rollback: Rollback, flip: Flip, fact: FlagFact, now: datetime, *, stores: bool
) -> Iterator[Act]:
    proof = _proof(rollback, flip, fact)
    if flip.state is FlipState.AT_ZERO:
        if proof and not _at_zero(fact):
            yield _seen(rollback, flip, fact)
        elif stores and flip.stored in ("", LOST) and not flip.pauses(now):
            yield Write(flag=flip.flag, action=Action.ZERO)
        return
    if proof and _at_zero(fact) and not (fact.forward_unsettled and not flip.attempts):
        yield _seen(rollback, flip, fact)
    elif flip.state in (FlipState.ACCEPTED, FlipState.UNKNOWN):
        yield _seen(rollback, flip, fact) if proof else ReadBack(flag=flip.flag)
    elif not flip.exhausted and not _pauses(flip, fact, now) and not _rests(flip, now):
        yield Write(flag=flip.flag, action=Action.KILL)


def _pauses(way: Way, fact: FlagFact, now: datetime) -> bool:
    """Not once its service has answered a poll again since the last try began: that ends the pause once."""
    back = way.unsent > 0 and fact.back_after is not None and fact.back_after >= way.tried_seq
    return not back and way.pauses(now)


def _has_a_try(second: SecondWay, fact: FlagFact, now: datetime) -> bool:
    return not second.used_up and not _pauses(second, fact, now)


def _rests(flip: Flip, now: datetime) -> bool:
    """A service that said no is asked again in the background, now and then, while the second lever holds."""
    if not flip.used_up or flip.changed_at is None:
        return False
    return 0 <= (now - flip.changed_at).total_seconds() < BACKGROUND_PAUSE_S


def _proof(rollback: Rollback, flip: Flip, fact: FlagFact) -> bool:
    """Whether the last read began after everything this rollback did to the flag."""
    after = flip.changed_seq or rollback.declared_seq
    return fact.known and fact.read_after is not None and fact.read_after >= after


def _at_zero(fact: FlagFact) -> bool:
    return fact.exposure is not None and fact.exposure.hundredths == 0


def _seen(rollback: Rollback, flip: Flip, fact: FlagFact) -> Record:
    return record(rollback, Kind.FLAG_SEEN, flag=flip.flag, exposure=_exposure(fact))


def _exposure(fact: FlagFact) -> int | None:
    return None if fact.exposure is None else fact.exposure.hundredths


def _flip_words(rollback: Rollback) -> str:
    """By which lever each flag went; a person's word is not called re-read."""
    count = len(rollback.flips)
    hands = [flip for flip in rollback.flips if flip.by_hand]
    second = sum(flip.lever is Lever.SECOND for flip in rollback.flips) - len(hands)
    words = f"{count - len(hands)} of {count} flags re-read at 0%"
    if second:
        words += f", {second} of them through the second lever"
    return words + "".join(
        f", {flip.flag} by hand on {flip.second.pulled_by if flip.second else '?'}'s word" for flip in hands
    )
