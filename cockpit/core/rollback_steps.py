"""What to do next in a rollback: state and facts in, acts out. Nothing is done here.

`decide` is asked again after every event and every reading. It is idempotent: an act that was journalled
or is in flight is not asked for twice. Who may write what, and when, is in `rollback_flip`; one thing alone
holds the flip: legacy's own probes say that legacy is down, until a person answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cockpit.core.acts import Act, Announce, Facts, FlagFact, done, record, start, step_of
from cockpit.core.drain import drained_words, undrained
from cockpit.core.events import Kind
from cockpit.core.figures import amount
from cockpit.core.model import Health
from cockpit.core.rollback import Flip, Rollback, StepState, open_lines
from cockpit.core.rollback_flip import bring_flags_to_zero
from cockpit.core.spec import HookMoment, RollbackSpec, StepKey

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
        acts.extend(bring_flags_to_zero(rollback, facts, now))
    acts.extend(_observe(rollback, facts, spec, now))
    acts.extend(_prove(rollback, facts, spec, now))
    acts.extend(_verify(rollback, facts))
    acts.extend(_count_late(rollback, facts))
    acts.extend(_reconcile(rollback, facts))
    acts.extend(_announce(rollback, facts))
    acts.extend(_people(rollback))
    acts.extend(_escalate(rollback, now))
    return tuple(acts)


def _opening(rollback: Rollback) -> Iterator[Act]:
    """Declare and freeze are true the moment the rollback is journalled: the engine refuses forward moves."""
    evidence = {
        StepKey.DECLARE: f"declared by {rollback.declared_by}",
        StepKey.FREEZE: "forward moves refused, plan frozen, gauges noted",
    }
    for key, words in evidence.items():
        step = step_of(rollback, key)
        if step is not None and not step.settled:
            yield done(rollback, step, words)


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
    return (record(rollback, Kind.ROLLBACK_ASKED, question=question),)


def _observe(rollback: Rollback, facts: Facts, spec: RollbackSpec, now: datetime) -> Iterator[Act]:
    step = step_of(rollback, StepKey.DRAIN)
    if step is None or not any(flip.at_zero for flip in rollback.flips):
        return
    yield from start(rollback, step)
    for flip in rollback.flips:
        if flip.at_zero and flip.drained_at is None:
            yield from _drained(rollback, flip, facts.flags.get(flip.flag, FlagFact()), spec)
    if step.settled or any(flip.drained_at is None for flip in rollback.flips):
        return
    if not undrained(facts.gauges, rollback, now):
        yield done(rollback, step, _drain_words(rollback, facts, spec))


def _drained(rollback: Rollback, flip: Flip, fact: FlagFact, spec: RollbackSpec) -> Iterator[Act]:
    if flip.before is not None and flip.before.hundredths == 0 and not fact.observable:
        note = "was at 0% before the rollback"
        yield record(rollback, Kind.ROLLBACK_DRAINED, flag=flip.flag, share_pct=None, note=note)
        return
    since = [share for after, share in fact.shares if after >= flip.way.at_zero_seq]
    last = since[-spec.drain_polls :]
    if len(last) == spec.drain_polls and all(share < spec.drain_below_pct for share in last):
        yield record(rollback, Kind.ROLLBACK_DRAINED, flag=flip.flag, share_pct=last[-1], note="")


def _drain_words(rollback: Rollback, facts: Facts, spec: RollbackSpec) -> str:
    seen = [flip.share_pct for flip in rollback.flips if flip.share_pct is not None]
    never = len(rollback.flips) - len(seen)
    words = f"{len(seen)} observed below {spec.drain_below_pct:g}%"
    words += f", {never} never exposed" if never else ""
    gauges = drained_words(facts.gauges, rollback)
    return f"{words}; {gauges}" if gauges else words


def _prove(rollback: Rollback, facts: Facts, spec: RollbackSpec, now: datetime) -> Iterator[Act]:
    step = step_of(rollback, StepKey.PROVE)
    if step is None or step.settled:
        return
    health, words = facts.legacy.health, facts.legacy.text
    if health in (Health.OK, Health.DEGRADED):
        yield done(rollback, step, f"legacy {health}: {words}")
    elif rollback.answered_go and health is Health.DOWN:
        reason = f"{rollback.answered_by} went on although legacy was down: {words}"
        yield record(rollback, Kind.STEP_OVERRIDDEN, step=step.id, reason=reason)
    elif step.state is StepState.WAITING:
        yield record(rollback, Kind.STEP_STARTED, step=step.id)
    elif step.state is StepState.RUNNING and rollback.elapsed(now).total_seconds() > spec.side_limit_s:
        evidence = f"could not be proved in {spec.side_limit_s:g} s: {words}; the flip was not held"
        yield record(rollback, Kind.STEP_FAILED, step=step.id, evidence=evidence)


def _verify(rollback: Rollback, facts: Facts) -> Iterator[Act]:
    step = step_of(rollback, StepKey.VERIFY)
    if step is None or step.settled or not rollback.flipped:
        return
    yield from start(rollback, step)
    since = max((flip.way.at_zero_seq for flip in rollback.flips), default=rollback.declared_seq)
    counts = [
        (name, min(needed, sum(after >= since for after in good)), needed)
        for name, needed, good in facts.legacy.passes
    ]
    if counts and all(got >= needed for _, got, needed in counts):
        words = ", ".join(f"{name} {got} of {needed} in a row" for name, got, needed in counts)
        yield done(rollback, step, words)


def _reconcile(rollback: Rollback, facts: Facts) -> Iterator[Act]:
    step = step_of(rollback, StepKey.RECONCILE)
    if step is None or step.settled or rollback.cut_mark is None:
        return
    yield from start(rollback, step)
    if not step.machine or not _drain_settled(rollback) or not _counted_since_drain(rollback, facts):
        return
    late = dict(rollback.cut_mark.late)
    deltas = [
        _delta(name, mark, facts.counters.get(name), late.get(name))
        for name, mark in rollback.cut_mark.counters
    ]
    lost = [f"{name}: {note}" for name, count, note in deltas if count is None]
    if lost:
        if step.state is not StepState.FAILED:
            evidence = f"{'; '.join(lost)}; count by hand"
            yield record(rollback, Kind.STEP_FAILED, step=step.id, evidence=evidence)
        return
    rows = [{"name": name, "count": count, "note": note} for name, count, note in deltas]
    yield record(rollback, Kind.ROLLBACK_DELTA, deltas=rows)
    counted = ", ".join(
        f"{amount(count)} {name}{f' ({note})' if note else ''}"
        for name, count, note in deltas
        if count is not None
    )
    yield done(
        rollback, step, f"since the cut mark on the new side: {counted}; captured, replay needs an owner"
    )


def _count_late(rollback: Rollback, facts: Facts) -> Iterator[Act]:
    """What no monitor had told at the cut mark is counted from its first answer on: fewer writes than there
    were, but not none. Behind the drain there are none left, and such a count would be a false zero."""
    mark = rollback.cut_mark
    if mark is None or _drain_settled(rollback):
        return
    missing = [name for name, value in mark.counters if value is None]
    found = [[name, facts.counters[name]] for name in missing if facts.counters.get(name) is not None]
    if found:
        yield record(rollback, Kind.ROLLBACK_COUNTED, counters=found)


def _drain_settled(rollback: Rollback) -> bool:
    step = step_of(rollback, StepKey.DRAIN)
    return rollback.flipped and (step is None or step.settled)


def _counted_since_drain(rollback: Rollback, facts: Facts) -> bool:
    """Whether every counter was read after the drain; one that cannot be read now is not waited for."""
    step = step_of(rollback, StepKey.DRAIN)
    drained_seq = step.done_seq if step is not None else 0
    names = [name for name, _ in rollback.cut_mark.counters] if rollback.cut_mark is not None else []
    if not facts.awaited.isdisjoint(names):
        return False
    return all(
        facts.counters.get(name) is None or facts.counted_after.get(name, drained_seq) >= drained_seq
        for name in names
    )


def _delta(
    name: str, mark: float | None, value: float | None, late: datetime | None
) -> tuple[str, float | None, str]:
    if mark is None or value is None:
        return name, None, "the counter could not be read"
    if value < mark:
        return name, None, "the counter was reset since the cut mark"
    return name, value - mark, "" if late is None else f"at least: counted from {late:%H:%M:%S} UTC only"


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
    step = step_of(rollback, StepKey.ANNOUNCE)
    if step is None or step.settled or not step.machine:
        return
    yield from start(rollback, step)
    failed = sorted({hook for (hook, _), ok in told.items() if not ok})
    if failed and step.state is not StepState.FAILED:
        evidence = f"not delivered by {', '.join(failed)}: tell people yourself"
        yield record(rollback, Kind.STEP_FAILED, step=step.id, evidence=evidence)
    elif not failed and rollback.flipped and all(row in told for row in due):
        yield done(rollback, step, f"{len(told)} delivered" if told else "no hook asked for these moments")


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
            yield record(rollback, Kind.STEP_STARTED, step=step.id)


def _escalate(rollback: Rollback, now: datetime) -> Iterator[Act]:
    if rollback.escalated_at is not None or not rollback.escalates(now):
        return
    late = [s.title for s in rollback.steps if s.key in (StepKey.DRAIN, StepKey.VERIFY) and not s.settled]
    if late:
        why = f"{' and '.join(late)} not done: page a second person, look at plan B"
        yield record(rollback, Kind.ROLLBACK_ESCALATED, why=why)
