"""How journalled events change a rollback. Everything that changes one is in this file.

`declared` makes a rollback from its first event, `apply` folds each further one and raises
`IllegalEvent`, changing nothing, for an event that cannot happen in that state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cockpit.core import rollback_second
from cockpit.core.body import instant, number, objects, optional_instant, percent, text, texts
from cockpit.core.dataclass import replace
from cockpit.core.events import Event, Kind, second_lever
from cockpit.core.rollback import (
    LOST,
    MACHINE_ATTEMPTS,
    TOLD_OF_ITS_FLAGS,
    CutMark,
    Delta,
    Flip,
    FlipState,
    IllegalEvent,
    Rollback,
    Step,
    StepState,
    announcement_id,
    open_lines,
)
from cockpit.core.rollback_ways import answered, changed, flip_of, paused, reopened, with_flip, written
from cockpit.core.spec import StepKey


def declared(event: Event) -> Rollback:
    """The rollback that a ROLLBACK_DECLARED event starts. Raises ValueError for a broken body."""
    body = event.body
    flips = _flips(body)
    steps = tuple(_step(position, row) for position, row in enumerate(objects(body, "steps"), start=1))
    return Rollback(
        id=text(body, "rollback"),
        flags=tuple(flip.flag for flip in flips),
        whole=bool(body.get("whole")),
        declared_at=event.at,
        deadline_at=instant(body, "deadline_at"),
        escalate_at=instant(body, "escalate_at"),
        declared_by=event.actor,
        declared_seq=event.seq,
        reason=text(body, "reason"),
        first_breach_at=optional_instant(body, "first_breach_at"),
        flips=flips,
        steps=steps,
    )


def _flips(body: Mapping[str, object]) -> tuple[Flip, ...]:
    return tuple(
        Flip(
            flag=text(row, "flag"),
            layer=int(number(row, "layer")),
            waits_for=texts(row, "waits_for"),
            before=percent(row, "before"),
        )
        for row in objects(body, "flags")
    )


def _step(position: int, row: Mapping[str, object]) -> Step:
    key = StepKey(text(row, "key"))
    return Step(
        id=text(row, "id"),
        key=key,
        number=position,
        title=text(row, "title"),
        budget_s=number(row, "budget_s"),
        machine=bool(row.get("machine")),
        text=text(row, "text"),
    )


def apply(rollback: Rollback, event: Event) -> Rollback:
    """Fold one event of this rollback. Raises IllegalEvent; events of other kinds are not its own."""
    if not rollback.open:
        raise IllegalEvent(f"{event.kind} after the rollback ended")
    fold = _FOLDS.get(event.kind)
    if fold is None:
        raise IllegalEvent(f"{event.kind} does not belong to a rollback")
    return fold(rollback, event)


def concerns(rollback: Rollback, event: Event) -> bool:
    """Whether `event` is to be folded into this rollback."""
    return event.kind in _FOLDS and event.body.get("rollback") == rollback.id


def _with_step(rollback: Rollback, step: Step) -> Rollback:
    return replace(rollback, steps=tuple(step if old.id == step.id else old for old in rollback.steps))


def _intent(rollback: Rollback, event: Event) -> Rollback:
    flip = flip_of(rollback, event)
    if flip.in_flight:
        raise IllegalEvent(f"{flip.flag} has a write in flight")
    if second_lever(event):
        return rollback_second.intent(rollback, flip, event)
    write_id, action = text(event.body, "write_id"), text(event.body, "action")
    if action == "zero":
        return with_flip(rollback, replace(flip, write_id=write_id))
    if action != "kill":
        raise IllegalEvent(f"{flip.flag}: a rollback never writes {action}")
    if flip.state in (FlipState.AT_ZERO, FlipState.ACCEPTED, FlipState.UNKNOWN):
        raise IllegalEvent(f"{flip.flag} is {flip.state}: read it before writing again")
    return with_flip(rollback, changed(rollback, written(flip, write_id, event), event))


def _outcome(rollback: Rollback, event: Event) -> Rollback:
    flip = flip_of(rollback, event)
    if second_lever(event):
        return rollback_second.outcome(rollback, flip, event)
    if flip.write_id != text(event.body, "write_id"):
        raise IllegalEvent(f"{flip.flag} has no such write in flight")
    outcome, detail = text(event.body, "outcome"), text(event.body, "detail")
    if text(event.body, "action") == "zero":
        again = event.body.get("lost") is True or event.body.get("unsent") is True
        stored = LOST if again else outcome if outcome == "done" else f"{outcome}: {detail}"
        told = replace(paused(flip, event), write_id=None, stored=stored)
        return with_flip(rollback, changed(rollback, told, event))
    return with_flip(rollback, changed(rollback, answered(flip, event), event))


def _seen(rollback: Rollback, event: Event) -> Rollback:
    flip = flip_of(rollback, event)
    if second_lever(event):
        return rollback_second.seen(rollback, flip, event)
    if flip.state is FlipState.WRITING:
        raise IllegalEvent(f"{flip.flag} has a write in flight: a read now proves nothing")
    exposure, was_at_zero = percent(event.body, "exposure"), flip.state is FlipState.AT_ZERO
    read = changed(rollback, flip, event)
    if exposure is not None and exposure.hundredths == 0:
        if not was_at_zero:
            read = replace(read, at_zero_at=event.at, at_zero_seq=event.seq)
        return with_flip(rollback, replace(read, state=FlipState.AT_ZERO, detail=""))
    reads = "an exposure that cannot be told" if exposure is None else str(exposure)
    if not was_at_zero:
        detail = f"reads {reads} after the write"
        lied = flip.lied or flip.state is FlipState.ACCEPTED
        return with_flip(rollback, replace(read, state=FlipState.REFUSED, lied=lied, detail=detail))
    moved = with_flip(rollback, _raised(read, reads))
    return moved if flip.second_works else reopened(moved, f"{flip.flag} back at {reads}")


def _raised(flip: Flip, reads: str) -> Flip:
    """A flag that was at zero is not any more: somebody else raised it. Fought once, then shown."""
    drained_at = flip.drained_at if flip.second_works else None
    undone = replace(
        flip,
        at_zero_at=None,
        at_zero_seq=0,
        drained_at=drained_at,
        share_pct=flip.share_pct if drained_at is not None else None,
        stored="",
        unsent=0,
        retry_at=None,
        began_at=None,
    )
    if flip.fought:
        detail = f"raised again to {reads} by someone else; not fought a second time"
        return replace(undone, state=FlipState.REFUSED, attempts=MACHINE_ATTEMPTS, lost=0, detail=detail)
    detail = f"raised to {reads} by someone else"
    return replace(undone, state=FlipState.WAITING, fought=True, attempts=1, lost=0, detail=detail)


def _widened(rollback: Rollback, event: Event) -> Rollback:
    """More flags go to zero too. The deadline stays; what was proved and told of fewer is open again."""
    added = _flips(event.body)
    if not added or {flip.flag for flip in added} & set(rollback.flags):
        raise IllegalEvent("a rollback is widened by flags that it does not have yet")
    known = replace(
        rollback,
        flags=(*rollback.flags, *(flip.flag for flip in added)),
        flips=(*rollback.flips, *(replace(flip, changed_seq=event.seq) for flip in added)),
        whole=bool(event.body.get("whole")),
        widened=(*rollback.widened, (event.at, event.actor)),
        reason=rollback.reason or text(event.body, "reason"),
        announced=tuple(row for row in rollback.announced if row[1] not in TOLD_OF_ITS_FLAGS),
    )
    return reopened(known, f"widened by {', '.join(flip.flag for flip in added)}", also=StepKey.ANNOUNCE)


def _retried(rollback: Rollback, event: Event) -> Rollback:
    flip = flip_of(rollback, event)
    if not flip.retryable:
        raise IllegalEvent(f"{flip.flag} is {flip.state}: nothing to retry")
    if flip.exhausted:
        again = replace(flip, attempts=MACHINE_ATTEMPTS - 1, lost=0)
        return with_flip(rollback, changed(rollback, again, event))
    second = None if flip.second is None else replace(flip.second, retry_at=None)
    return with_flip(rollback, replace(flip, retry_at=None, second=second))


def _drained(rollback: Rollback, event: Event) -> Rollback:
    flip = flip_of(rollback, event)
    if not flip.at_zero:
        raise IllegalEvent(f"{flip.flag} is not at zero, so it cannot have drained")
    raw = event.body.get("share_pct")
    share = float(raw) if isinstance(raw, int | float) else None
    return with_flip(rollback, replace(flip, drained_at=event.at, share_pct=share))


def _started(rollback: Rollback, event: Event) -> Rollback:
    step = _open_step(rollback, event)
    state = StepState.RUNNING if step.machine else StepState.ASKING
    return _with_step(rollback, replace(step, state=state, started_at=step.started_at or event.at))


def _settle(state: StepState, evidence_field: str) -> Callable[[Rollback, Event], Rollback]:
    def fold(rollback: Rollback, event: Event) -> Rollback:
        step = _open_step(rollback, event)
        settled = state is not StepState.FAILED
        return _with_step(
            rollback,
            replace(
                step,
                state=state,
                evidence=text(event.body, evidence_field),
                started_at=step.started_at or event.at,
                done_at=event.at if settled else None,
                done_seq=event.seq if settled else 0,
                done_by=event.actor if settled else "",
            ),
        )

    return fold


def _open_step(rollback: Rollback, event: Event) -> Step:
    try:
        step = rollback.step(text(event.body, "step"))
    except KeyError as error:
        raise IllegalEvent(f"no step {error}") from None
    if step.settled:
        raise IllegalEvent(f"step {step.id} is settled")
    return step


def _asked(rollback: Rollback, event: Event) -> Rollback:
    if rollback.flip_begun:
        raise IllegalEvent("a question that could hold the flip after the flip began")
    return replace(rollback, question=text(event.body, "question"), answered_go=None)


def _answered(rollback: Rollback, event: Event) -> Rollback:
    if not rollback.question:
        raise IllegalEvent("an answer without a question")
    return replace(rollback, answered_go=bool(event.body.get("go")), answered_by=event.actor)


def _cut(rollback: Rollback, event: Event) -> Rollback:
    if rollback.cut_mark is not None:
        raise IllegalEvent("the cut mark is set once")
    pairs = tuple((name, value) for name, value in _counters(event.body))
    return replace(rollback, cut_mark=CutMark(at=event.at, counters=pairs))


def _counted(rollback: Rollback, event: Event) -> Rollback:
    """A value that the cut mark has is never replaced by a later one."""
    mark, later = rollback.cut_mark, dict(_counters(event.body))
    if mark is None or any(value is not None for name, value in mark.counters if name in later):
        raise IllegalEvent("only what the cut mark could not count is counted later")
    counters = tuple((name, later.get(name, value)) for name, value in mark.counters)
    late = (*mark.late, *((name, event.at) for name in later))
    return replace(rollback, cut_mark=replace(mark, counters=counters, late=late))


def _counters(body: Mapping[str, object]) -> Sequence[tuple[str, float | None]]:
    rows = body.get("counters")
    out: list[tuple[str, float | None]] = []
    for row in rows if isinstance(rows, list | tuple) else ():
        name, value = row
        out.append((str(name), float(value) if value is not None else None))
    return out


def _delta(rollback: Rollback, event: Event) -> Rollback:
    rows = objects(event.body, "deltas")
    deltas = tuple(
        Delta(
            name=text(row, "name"),
            count=number(row, "count") if row.get("count") is not None else None,
            note=text(row, "note"),
        )
        for row in rows
    )
    return replace(rollback, deltas=deltas)


def _explained(rollback: Rollback, event: Event) -> Rollback:
    body = event.body
    return replace(
        rollback,
        reason=text(body, "reason") or rollback.reason,
        commander=text(body, "commander") or rollback.commander,
        data_owner=text(body, "data_owner") or rollback.data_owner,
    )


def _announced(ok: bool) -> Callable[[Rollback, Event], Rollback]:
    def fold(rollback: Rollback, event: Event) -> Rollback:
        row = (text(event.body, "hook"), text(event.body, "moment"), ok)
        if rollback.widened and text(event.body, "event_id") != announcement_id(rollback, row[1], row[0]):
            return rollback  # that one was on its way when more flags were added: it told of fewer
        kept = tuple(old for old in rollback.announced if old[:2] != row[:2])
        return replace(rollback, announced=(*kept, row))

    return fold


def _clock_jumped(rollback: Rollback, event: Event) -> Rollback:
    by_s = number(event.body, "by_s")
    return replace(rollback, clock_jumped_s=rollback.clock_jumped_s + by_s)


def _escalated(rollback: Rollback, event: Event) -> Rollback:
    return replace(rollback, escalated_at=rollback.escalated_at or event.at)


def _cancelled(rollback: Rollback, event: Event) -> Rollback:
    if rollback.flip_begun:
        raise IllegalEvent("the first flag write may have left: going on is a new forward change, with gates")
    return replace(rollback, cancelled_at=event.at, closed_by=event.actor)


def _closed(rollback: Rollback, event: Event) -> Rollback:
    if open_lines(rollback):
        raise IllegalEvent("close is refused while a line above is open")
    note = text(event.body, "note") or "signed off"
    steps = tuple(
        replace(step, state=StepState.DONE, evidence=note, done_at=event.at, done_by=event.actor)
        if step.key is StepKey.CLOSE
        else step
        for step in rollback.steps
    )
    return replace(rollback, steps=steps, closed_at=event.at, closed_by=event.actor)


_FOLDS: Final[Mapping[Kind, Callable[[Rollback, Event], Rollback]]] = {
    Kind.ROLLBACK_WIDENED: _widened,
    Kind.WRITE_INTENT: _intent,
    Kind.WRITE_OUTCOME: _outcome,
    Kind.FLAG_SEEN: _seen,
    Kind.FLAG_RETRIED: _retried,
    Kind.LEVER_PULLED: rollback_second.pulled,
    Kind.LEVER_BY_HAND: rollback_second.by_hand,
    Kind.ROLLBACK_DRAINED: _drained,
    Kind.STEP_STARTED: _started,
    Kind.STEP_DONE: _settle(StepState.DONE, "evidence"),
    Kind.STEP_FAILED: _settle(StepState.FAILED, "evidence"),
    Kind.STEP_OVERRIDDEN: _settle(StepState.OVERRIDDEN, "reason"),
    Kind.ROLLBACK_ASKED: _asked,
    Kind.ROLLBACK_ANSWERED: _answered,
    Kind.ROLLBACK_CUT: _cut,
    Kind.ROLLBACK_COUNTED: _counted,
    Kind.ROLLBACK_DELTA: _delta,
    Kind.ROLLBACK_EXPLAINED: _explained,
    Kind.ANNOUNCE_SENT: _announced(True),
    Kind.ANNOUNCE_FAILED: _announced(False),
    Kind.ROLLBACK_ESCALATED: _escalated,
    Kind.CLOCK_JUMPED: _clock_jumped,
    Kind.ROLLBACK_CANCELLED: _cancelled,
    Kind.ROLLBACK_CLOSED: _closed,
}
