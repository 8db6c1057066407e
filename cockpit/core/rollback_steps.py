"""What to do next in a rollback: state and facts in, acts out. Nothing is done here.

`decide` is asked again after every event and every reading. It is idempotent: an act that was journalled
or is in flight is not asked for twice. Who may write what, and when:
  - a flag is written as soon as nothing that depends on it is still being brought to zero;
  - an accepted or unknown write is followed by a read, never by another write;
  - a read that began before the write ended proves nothing;
  - one thing alone holds the flip: legacy's own probes say that legacy is down, until a person answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from cockpit.core.clean import Percent
from cockpit.core.events import Kind
from cockpit.core.model import Health
from cockpit.core.rollback import LOST, Flip, FlipState, Rollback, Step, StepState, open_lines
from cockpit.core.spec import HookMoment, RollbackSpec, StepKey


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagFact:
    """What is known of one flag now.

    exposure: of the last good read. read_after: the last event that was folded when that read began; it
    proves what was true after that event. shares: observed share in percent per poll, oldest first, each
    with the same. These are places in the journal, not times: a clock may be set back.
    busy: a write of this process is in flight. trouble: why it cannot be read, if so.
    forward_unsettled: a forward write of it was given up unanswered and may still land.
    """

    exposure: Percent | None = None
    known: bool = False
    read_after: int | None = None
    shares: tuple[tuple[int, float], ...] = ()
    observable: bool = False
    busy: bool = False
    trouble: str = ""
    forward_unsettled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyFact:
    """Required legacy probes: their worst health, and per probe how many good answers in a row are needed.

    passes: (probe, needed, the good answers in a row, oldest first: the last event folded when each began).
    """

    health: Health
    text: str
    passes: tuple[tuple[str, int, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """hooks: (name, moments). announcing: hooks in flight. counters: write counters of the new side now,
    and counted_after the last event folded when the reading of each began (without that it is taken as it
    is). awaited: counters whose first answer may still come: nobody can say yet that they cannot be read.
    """

    flags: Mapping[str, FlagFact]
    legacy: LegacyFact
    counters: Mapping[str, float | None] = field(default_factory=dict)
    counted_after: Mapping[str, int] = field(default_factory=dict)
    awaited: frozenset[str] = frozenset()
    hooks: tuple[tuple[str, tuple[HookMoment, ...]], ...] = ()
    announcing: frozenset[tuple[str, str]] = frozenset()


class Action(StrEnum):
    KILL = "kill"
    ZERO = "zero"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Append this event."""

    kind: Kind
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Journal the intent, then write."""

    flag: str
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """Read this flag now; its reading will be the proof."""

    flag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    hook: str
    moment: HookMoment


Act = Record | Write | ReadBack | Announce

UNSEEN_LIMIT_S: Final = 15.0
"""How long flags wait for one that was written and cannot be read again."""

_MACHINE_KEYS: Final = frozenset(StepKey) - {StepKey.MANUAL, StepKey.CLOSE}


def is_machine(key: StepKey, spec: RollbackSpec, *, hooks: bool) -> bool:
    """Whether evidence does the step, given what the plan configures. The others are named people's."""
    if key is StepKey.RECONCILE:
        return bool(spec.write_counters)
    if key is StepKey.ANNOUNCE:
        return hooks
    return key in _MACHINE_KEYS


def decide(rollback: Rollback, facts: Facts, spec: RollbackSpec, now: datetime) -> tuple[Act, ...]:
    """Everything to do at this moment, in order. Empty: wait for an answer, a reading or a person."""
    if not rollback.open:
        return ()
    acts: list[Act] = []
    acts.extend(_opening(rollback))
    question = _question(rollback, facts)
    acts.extend(question)
    if not question and not held(rollback, facts):
        acts.extend(_flip(rollback, facts, now))
    acts.extend(_observe(rollback, facts, spec))
    acts.extend(_prove(rollback, facts, spec, now))
    acts.extend(_verify(rollback, facts))
    acts.extend(_reconcile(rollback, facts))
    acts.extend(_announce(rollback, facts))
    acts.extend(_people(rollback))
    acts.extend(_escalate(rollback, now))
    return tuple(acts)


def _step(rollback: Rollback, key: StepKey) -> Step | None:
    return next((step for step in rollback.steps if step.key is key), None)


def _record(rollback: Rollback, kind: Kind, **body: object) -> Record:
    return Record(kind=kind, body={"rollback": rollback.id, **body})


def _start(rollback: Rollback, step: Step) -> Iterator[Act]:
    if step.state is StepState.WAITING:
        yield _record(rollback, Kind.STEP_STARTED, step=step.id)


def _done(rollback: Rollback, step: Step, evidence: str) -> Record:
    return _record(rollback, Kind.STEP_DONE, step=step.id, evidence=evidence)


def _opening(rollback: Rollback) -> Iterator[Act]:
    """Declare and freeze are true the moment the rollback is journalled: the engine refuses forward moves."""
    evidence = {
        StepKey.DECLARE: f"declared by {rollback.declared_by}",
        StepKey.FREEZE: "forward moves refused, plan frozen, gauges noted",
    }
    for key, words in evidence.items():
        step = _step(rollback, key)
        if step is not None and not step.settled:
            yield _done(rollback, step, words)


def held(rollback: Rollback, facts: Facts) -> bool:
    """Whether the flip waits for a person: legacy is down and nobody said "go".

    A legacy that was down and cannot be seen any more is not well again: the question stays.
    """
    if rollback.flip_begun or not rollback.question or rollback.answered_go:
        return False
    return rollback.answered_go is False or facts.legacy.health in (Health.DOWN, Health.UNKNOWN)


def _question(rollback: Rollback, facts: Facts) -> tuple[Act, ...]:
    if rollback.flip_begun or rollback.question or facts.legacy.health is not Health.DOWN:
        return ()
    question = f"Legacy is down by its own probes ({facts.legacy.text}). Roll back onto it anyway?"
    return (_record(rollback, Kind.ROLLBACK_ASKED, question=question),)


def _flip(rollback: Rollback, facts: Facts, now: datetime) -> Iterator[Act]:
    if rollback.cut_mark is None:
        counters = [[name, value] for name, value in facts.counters.items()]
        yield _record(rollback, Kind.ROLLBACK_CUT, counters=counters)
    step = _step(rollback, StepKey.FLIP)
    if step is not None:
        yield from _start(rollback, step)
    for flip in rollback.flips:
        fact = facts.flags.get(flip.flag, FlagFact())
        if flip.write_id is None and not fact.busy and not _must_wait(rollback, flip, facts, now):
            yield from _bring_to_zero(rollback, flip, fact)
    if step is not None and not step.settled and rollback.flipped:
        yield _done(rollback, step, _flip_words(rollback))


def _must_wait(rollback: Rollback, flip: Flip, facts: Facts, now: datetime) -> bool:
    """Wait for what depends on this flag, but only while the machine is still trying that."""
    return any(
        other.flag in flip.waits_for
        and other.state is not FlipState.AT_ZERO
        and _tries(rollback, other, facts, now)
        for other in rollback.flips
    )


def _tries(rollback: Rollback, flip: Flip, facts: Facts, now: datetime) -> bool:
    """Not when it has given up, when the plan does not know the flag, or when no read tells of its write."""
    if flip.exhausted or flip.flag not in facts.flags:
        return False
    if flip.state not in (FlipState.ACCEPTED, FlipState.UNKNOWN) or flip.changed_at is None:
        return True
    jumped_s = rollback.clock_jumped_s - flip.changed_jumped_s
    return (now - flip.changed_at).total_seconds() - jumped_s <= UNSEEN_LIMIT_S


def _bring_to_zero(rollback: Rollback, flip: Flip, fact: FlagFact) -> Iterator[Act]:
    proof = _proof(rollback, flip, fact)
    if flip.state is FlipState.AT_ZERO:
        if proof and not _at_zero(fact):
            yield _seen(rollback, flip, fact)
        elif flip.stored in ("", LOST):
            yield Write(flag=flip.flag, action=Action.ZERO)
        return
    if proof and _at_zero(fact) and not (fact.forward_unsettled and not flip.attempts):
        yield _seen(rollback, flip, fact)
    elif flip.state in (FlipState.ACCEPTED, FlipState.UNKNOWN):
        yield _seen(rollback, flip, fact) if proof else ReadBack(flag=flip.flag)
    elif not flip.exhausted:
        yield Write(flag=flip.flag, action=Action.KILL)


def _proof(rollback: Rollback, flip: Flip, fact: FlagFact) -> bool:
    """Whether the last read began after everything this rollback did to the flag."""
    after = flip.changed_seq or rollback.declared_seq
    return fact.known and fact.read_after is not None and fact.read_after >= after


def _at_zero(fact: FlagFact) -> bool:
    return fact.exposure is not None and fact.exposure.hundredths == 0


def _seen(rollback: Rollback, flip: Flip, fact: FlagFact) -> Record:
    exposure = None if fact.exposure is None else fact.exposure.hundredths
    return _record(rollback, Kind.FLAG_SEEN, flag=flip.flag, exposure=exposure)


def _flip_words(rollback: Rollback) -> str:
    count = len(rollback.flips)
    return f"{count} of {count} flags re-read at 0%"


def _observe(rollback: Rollback, facts: Facts, spec: RollbackSpec) -> Iterator[Act]:
    step = _step(rollback, StepKey.DRAIN)
    if step is None or not any(flip.state is FlipState.AT_ZERO for flip in rollback.flips):
        return
    yield from _start(rollback, step)
    for flip in rollback.flips:
        if flip.state is FlipState.AT_ZERO and flip.drained_at is None:
            yield from _drained(rollback, flip, facts.flags.get(flip.flag, FlagFact()), spec)
    if not step.settled and all(flip.drained_at is not None for flip in rollback.flips):
        yield _done(rollback, step, _drain_words(rollback, spec))


def _drained(rollback: Rollback, flip: Flip, fact: FlagFact, spec: RollbackSpec) -> Iterator[Act]:
    if flip.before is not None and flip.before.hundredths == 0 and not fact.observable:
        note = "was at 0% before the rollback"
        yield _record(rollback, Kind.ROLLBACK_DRAINED, flag=flip.flag, share_pct=None, note=note)
        return
    since = [share for after, share in fact.shares if after >= flip.at_zero_seq]
    last = since[-spec.drain_polls :]
    if len(last) == spec.drain_polls and all(share < spec.drain_below_pct for share in last):
        yield _record(rollback, Kind.ROLLBACK_DRAINED, flag=flip.flag, share_pct=last[-1], note="")


def _drain_words(rollback: Rollback, spec: RollbackSpec) -> str:
    seen = [flip.share_pct for flip in rollback.flips if flip.share_pct is not None]
    never = len(rollback.flips) - len(seen)
    words = f"{len(seen)} observed below {spec.drain_below_pct:g}%"
    return words + (f", {never} never exposed" if never else "")


def _prove(rollback: Rollback, facts: Facts, spec: RollbackSpec, now: datetime) -> Iterator[Act]:
    step = _step(rollback, StepKey.PROVE)
    if step is None or step.settled:
        return
    health, words = facts.legacy.health, facts.legacy.text
    if health in (Health.OK, Health.DEGRADED):
        yield _done(rollback, step, f"legacy {health}: {words}")
    elif rollback.answered_go and health is Health.DOWN:
        reason = f"{rollback.answered_by} went on although legacy was down: {words}"
        yield _record(rollback, Kind.STEP_OVERRIDDEN, step=step.id, reason=reason)
    elif step.state is StepState.WAITING:
        yield _record(rollback, Kind.STEP_STARTED, step=step.id)
    elif step.state is StepState.RUNNING and rollback.elapsed(now).total_seconds() > spec.side_limit_s:
        evidence = f"could not be proved in {spec.side_limit_s:g} s: {words}; the flip was not held"
        yield _record(rollback, Kind.STEP_FAILED, step=step.id, evidence=evidence)


def _verify(rollback: Rollback, facts: Facts) -> Iterator[Act]:
    step = _step(rollback, StepKey.VERIFY)
    if step is None or step.settled or not rollback.flipped:
        return
    yield from _start(rollback, step)
    since = max((flip.at_zero_seq for flip in rollback.flips), default=rollback.declared_seq)
    counts = [
        (name, min(needed, sum(after >= since for after in good)), needed)
        for name, needed, good in facts.legacy.passes
    ]
    if counts and all(got >= needed for _, got, needed in counts):
        words = ", ".join(f"{name} {got} of {needed} in a row" for name, got, needed in counts)
        yield _done(rollback, step, words)


def _reconcile(rollback: Rollback, facts: Facts) -> Iterator[Act]:
    step = _step(rollback, StepKey.RECONCILE)
    if step is None or step.settled or rollback.cut_mark is None:
        return
    yield from _start(rollback, step)
    if not step.machine or not _drain_settled(rollback) or not _counted_since_drain(rollback, facts):
        return
    deltas = [_delta(name, mark, facts.counters.get(name)) for name, mark in rollback.cut_mark.counters]
    lost = [f"{name}: {note}" for name, count, note in deltas if count is None]
    if lost:
        if step.state is not StepState.FAILED:
            evidence = f"{'; '.join(lost)}; count by hand"
            yield _record(rollback, Kind.STEP_FAILED, step=step.id, evidence=evidence)
        return
    rows = [{"name": name, "count": count, "note": note} for name, count, note in deltas]
    yield _record(rollback, Kind.ROLLBACK_DELTA, deltas=rows)
    counted = ", ".join(f"{count:g} {name}" for name, count, _ in deltas)
    yield _done(
        rollback, step, f"since the cut mark on the new side: {counted}; captured, replay needs an owner"
    )


def _drain_settled(rollback: Rollback) -> bool:
    step = _step(rollback, StepKey.DRAIN)
    return rollback.flipped and (step is None or step.settled)


def _counted_since_drain(rollback: Rollback, facts: Facts) -> bool:
    """Whether every counter was read after the drain; one that cannot be read now is not waited for."""
    step = _step(rollback, StepKey.DRAIN)
    drained_seq = step.done_seq if step is not None else 0
    names = [name for name, _ in rollback.cut_mark.counters] if rollback.cut_mark is not None else []
    if not facts.awaited.isdisjoint(names):
        return False
    return all(
        facts.counters.get(name) is None or facts.counted_after.get(name, drained_seq) >= drained_seq
        for name in names
    )


def _delta(name: str, mark: float | None, value: float | None) -> tuple[str, float | None, str]:
    if mark is None or value is None:
        return name, None, "the counter could not be read"
    if value < mark:
        return name, None, "the counter was reset since the cut mark"
    return name, value - mark, ""


def due_moments(rollback: Rollback) -> tuple[HookMoment, ...]:
    """What there is to announce by now."""
    moments = [HookMoment.DECLARED]
    if rollback.flipped:
        moments.append(HookMoment.FLIPPED)
    return tuple(moments)


def _announce(rollback: Rollback, facts: Facts) -> Iterator[Act]:
    told = {(hook, moment): ok for hook, moment, ok in rollback.announced}
    due = [
        (hook, moment)
        for hook, moments in facts.hooks
        for moment in due_moments(rollback)
        if moment in moments
    ]
    for hook, moment in due:
        if (hook, moment) not in told and (hook, moment) not in facts.announcing:
            yield Announce(hook=hook, moment=moment)
    step = _step(rollback, StepKey.ANNOUNCE)
    if step is None or step.settled or not step.machine:
        return
    yield from _start(rollback, step)
    failed = sorted({hook for (hook, _), ok in told.items() if not ok})
    if failed and step.state is not StepState.FAILED:
        evidence = f"not delivered by {', '.join(failed)}: tell people yourself"
        yield _record(rollback, Kind.STEP_FAILED, step=step.id, evidence=evidence)
    elif not failed and rollback.flipped and all(row in told for row in due):
        yield _done(rollback, step, f"{len(told)} delivered" if told else "no hook asked for these moments")


def _people(rollback: Rollback) -> Iterator[Act]:
    """Manual lines ask as soon as the flip is on its way; close asks when nothing above is open."""
    for step in rollback.steps:
        if step.machine or step.state is not StepState.WAITING:
            continue
        if step.key is StepKey.CLOSE:
            ready = not open_lines(rollback)
        else:
            ready = rollback.flip_begun and step.key is not StepKey.RECONCILE
        if ready:
            yield _record(rollback, Kind.STEP_STARTED, step=step.id)


def _escalate(rollback: Rollback, now: datetime) -> Iterator[Act]:
    if rollback.escalated_at is not None or not rollback.escalates(now):
        return
    late = [s.title for s in rollback.steps if s.key in (StepKey.DRAIN, StepKey.VERIFY) and not s.settled]
    if late:
        why = f"{' and '.join(late)} not done: page a second person, look at plan B"
        yield _record(rollback, Kind.ROLLBACK_ESCALATED, why=why)
