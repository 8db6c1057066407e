"""One rollback as the record tells it: from its own events to a value, step by step and flag by flag.

Unlike `rollback_fold` this never refuses an event: the record shows what was written down, also by an
older cockpit that left things out. What the journal does not say is None or empty here; nothing is
filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from cockpit.core.clean import clean_text
from cockpit.core.events import Event, Kind, Lever, second_lever
from cockpit.core.recorded import Recorded
from cockpit.core.report_left import open_items, settled, users_safe
from cockpit.core.report_values import (
    AnnouncementRecord,
    DeltaRecord,
    FlagRecord,
    RollbackRecord,
    RollbackResult,
    StepRecord,
    WideningRecord,
    WriteRecord,
)
from cockpit.core.rollback import PROVED_AT_ZERO, StepState
from cockpit.core.spec import StepKey


def rollback_record(declared: Event, own: Sequence[Event], made_at: datetime) -> RollbackRecord:
    """`own`: the events of this rollback after its declaration, in order. `made_at` ends what is open."""
    said, end = Recorded(declared.body), _last(own, Kind.ROLLBACK_CLOSED, Kind.ROLLBACK_CANCELLED)
    flags = _flags(said, own)
    steps = _steps(said, own, declared.at, end.at if end is not None else made_at)
    safe_at, safe_text = users_safe(flags, steps)
    explained = [Recorded(event.body) for event in own if event.kind is Kind.ROLLBACK_EXPLAINED]
    widened = [Recorded(event.body) for event in own if event.kind is Kind.ROLLBACK_WIDENED]
    cut, delta = _last(own, Kind.ROLLBACK_CUT), _last(own, Kind.ROLLBACK_DELTA)
    deadline_at, breach_at = said.instant("deadline_at"), said.instant("first_breach_at")
    record = RollbackRecord(
        id=said.said("rollback"),
        result=_result(end),
        whole=widened[-1].yes("whole") if widened else said.yes("whole"),
        reason=_newest(explained, "reason") or _oldest([said, *widened], "reason"),
        declared_by=clean_text(declared.actor),
        commander=_newest(explained, "commander"),
        data_owner=_newest(explained, "data_owner"),
        first_breach_at=breach_at,
        declared_at=declared.at,
        deadline_at=deadline_at,
        escalated_at=_at(_first(own, Kind.ROLLBACK_ESCALATED)),
        question=_question(own),
        answer=_answer(own),
        users_safe_at=safe_at,
        users_safe_text=safe_text,
        ended_at=_at(end),
        ended_by=clean_text(end.actor) if end is not None else "",
        ended_note=_end_note(end),
        budget_s=_between(declared.at, deadline_at),
        detection_s=_between(breach_at, declared.at),
        safe_s=_between(declared.at, safe_at),
        close_s=_between(declared.at, _at(end)),
        overrun_s=_overrun(end, deadline_at, made_at),
        steps=steps,
        flags=flags,
        cut_at=_at(cut),
        counters=Recorded(cut.body).counters("counters") if cut is not None else (),
        deltas=_deltas(delta),
        announcements=_announcements(own),
        widened=tuple(_widening(event) for event in own if event.kind is Kind.ROLLBACK_WIDENED),
        open_items=(),
    )
    return replace(record, open_items=open_items(record))


def _result(end: Event | None) -> RollbackResult:
    if end is None:
        return RollbackResult.OPEN
    return RollbackResult.CLOSED if end.kind is Kind.ROLLBACK_CLOSED else RollbackResult.CANCELLED


def _first(own: Sequence[Event], *kinds: Kind) -> Event | None:
    return next((event for event in own if event.kind in kinds), None)


def _last(own: Sequence[Event], *kinds: Kind) -> Event | None:
    return _first(own[::-1], *kinds)


def _at(event: Event | None) -> datetime | None:
    return None if event is None else event.at


def _newest(explained: Sequence[Recorded], name: str) -> str:
    return next((one.said(name) for one in reversed(explained) if one.said(name)), "")


def _oldest(said: Sequence[Recorded], name: str) -> str:
    return _newest([*reversed(said)], name)


def _question(own: Sequence[Event]) -> str:
    asked = _last(own, Kind.ROLLBACK_ASKED)
    return "" if asked is None else Recorded(asked.body).text("question")


def _answer(own: Sequence[Event]) -> str:
    answered = _last(own, Kind.ROLLBACK_ANSWERED)
    if answered is None:
        return ""
    go = Recorded(answered.body).yes("go")
    word = "unclear" if go is None else "go" if go else "hold"
    return f"{word}, by {clean_text(answered.actor)}"


def _end_note(end: Event | None) -> str:
    if end is None:
        return ""
    return Recorded(end.body).said("note" if end.kind is Kind.ROLLBACK_CLOSED else "reason")


def _between(start: datetime | None, stop: datetime | None) -> float | None:
    return None if start is None or stop is None else (stop - start).total_seconds()


def _overrun(end: Event | None, deadline_at: datetime | None, made_at: datetime) -> float | None:
    """Seconds past the deadline; as recorded at close, else counted; None for a cancelled rollback."""
    if end is not None and end.kind is Kind.ROLLBACK_CANCELLED:
        return None
    recorded_s = Recorded(end.body).number("overrun_s") if end is not None else None
    if recorded_s is not None:
        return recorded_s
    past_s = _between(deadline_at, end.at if end is not None else made_at)
    return None if past_s is None else max(0.0, past_s)


def _deltas(event: Event | None) -> tuple[DeltaRecord, ...]:
    if event is None:
        return ()
    return tuple(
        DeltaRecord(name=one.text("name"), count=one.number("count"), note=one.said("note"))
        for one in Recorded(event.body).objects("deltas")
    )


def _widening(event: Event) -> WideningRecord:
    flags = tuple(row.text("flag") for row in Recorded(event.body).objects("flags"))
    return WideningRecord(at=event.at, by=clean_text(event.actor), flags=flags)


def _announcements(own: Sequence[Event]) -> tuple[AnnouncementRecord, ...]:
    told = [event for event in own if event.kind in (Kind.ANNOUNCE_SENT, Kind.ANNOUNCE_FAILED)]
    return tuple(_announcement(event, Recorded(event.body)) for event in told)


def _announcement(event: Event, said: Recorded) -> AnnouncementRecord:
    sent = event.kind is Kind.ANNOUNCE_SENT
    return AnnouncementRecord(
        at=event.at,
        hook=said.text("hook"),
        moment=said.text("moment"),
        sent=sent,
        detail=said.said("receipt" if sent else "detail"),
    )


def _flags(declared: Recorded, own: Sequence[Event]) -> tuple[FlagRecord, ...]:
    flags = _named(declared)
    for event in own:
        change, said = _FLAG_CHANGES.get(event.kind), Recorded(event.body)
        if event.kind is Kind.ROLLBACK_WIDENED:
            flags |= _named(said)
        elif change is not None:
            key = said.text("flag")
            flags[key] = change(flags.get(key) or FlagRecord(flag=key), event, said)
    return tuple(_gone_by(flag) for flag in flags.values())


def _named(said: Recorded) -> dict[str, FlagRecord]:
    """The flags of a declaration or a widening, with the percent they had."""
    flags: dict[str, FlagRecord] = {}
    for row in said.objects("flags"):
        before, key = row.percent("before"), row.text("flag")
        flags[key] = FlagRecord(flag=key, before_pct=None if before is None else before.value)
    return flags


def _write_begun(flag: FlagRecord, event: Event, said: Recorded) -> FlagRecord:
    write = WriteRecord(
        write_id=said.said("write_id"),
        action=said.text("action"),
        at=event.at,
        lever=said.said("lever") or Lever.FIRST.value,
        service=said.said("service"),
    )
    return replace(flag, writes=(*flag.writes, write))


def _write_ended(flag: FlagRecord, event: Event, said: Recorded) -> FlagRecord:
    """The answer belongs to the write of the same id; without an intent it stands alone."""
    write_id = said.said("write_id")
    known = [write for write in flag.writes if write.write_id == write_id and not write.outcome]
    begun = known[-1] if known else WriteRecord(write_id=write_id, action=said.text("action"), at=None)
    outcome, took_s = said.text("outcome"), said.number("took_s")
    ended = replace(begun, outcome=outcome, detail=said.said("detail"), took_s=took_s)
    others = tuple(write for write in flag.writes if write is not begun)
    return replace(flag, writes=(*others, ended))


def _flag_seen(flag: FlagRecord, event: Event, said: Recorded) -> FlagRecord:
    """Zero through either lever; of two at zero, losing one leaves the flag where it is."""
    second = second_lever(event)
    before = flag.second_at if second else flag.at_zero_at
    if at_zero(said):
        at = before or event.at
        return replace(flag, second_at=at) if second else replace(flag, at_zero_at=at)
    if before is None:
        return flag
    left = replace(flag, second_at=None) if second else replace(flag, at_zero_at=None)
    left = replace(left, raised_again=flag.raised_again + 1)
    if left.zero_at is not None:
        return left
    return replace(left, drained_at=None, share_pct=None, drain_note="")


def _lever_pulled(flag: FlagRecord, event: Event, said: Recorded) -> FlagRecord:
    return replace(flag, second_service=said.said("service"), pulled_by=clean_text(event.actor))


def _by_hand(flag: FlagRecord, event: Event, said: Recorded) -> FlagRecord:
    return replace(flag, hand_at=event.at, hand_by=clean_text(event.actor), hand_note=said.said("note"))


def _gone_by(flag: FlagRecord) -> FlagRecord:
    """By which lever it went, and how long that one took from its first intent to the read."""
    at = flag.zero_at
    if at is None:
        return flag
    if at == flag.hand_at:
        return replace(flag, lever="by hand")
    lever = Lever.FIRST if at == flag.at_zero_at else Lever.SECOND
    intents = [write.at for write in flag.writes if write.lever == lever and write.action == "kill"]
    began = [begun for begun in intents if begun is not None and begun <= at]
    return replace(flag, lever=lever.value, took_s=_between(min(began, default=None), at))


def _flag_drained(flag: FlagRecord, event: Event, said: Recorded) -> FlagRecord:
    share_pct, note = said.number("share_pct"), said.said("note")
    return replace(flag, drained_at=event.at, share_pct=share_pct, drain_note=note)


def at_zero(said: Recorded) -> bool:
    exposure = said.percent("exposure")
    return exposure is not None and exposure.hundredths == 0


_FLAG_CHANGES: Final[Mapping[Kind, Callable[[FlagRecord, Event, Recorded], FlagRecord]]] = {
    Kind.WRITE_INTENT: _write_begun,
    Kind.WRITE_OUTCOME: _write_ended,
    Kind.FLAG_SEEN: _flag_seen,
    Kind.LEVER_PULLED: _lever_pulled,
    Kind.LEVER_BY_HAND: _by_hand,
    Kind.ROLLBACK_DRAINED: _flag_drained,
}


def _steps(
    declared: Recorded, own: Sequence[Event], declared_at: datetime, end_at: datetime
) -> tuple[StepRecord, ...]:
    steps: dict[str, StepRecord] = {}
    for row in declared.objects("steps"):
        key = row.text("step") if not row.said("id") else row.said("id")
        steps[key] = StepRecord(
            step=key, key=row.said("key"), title=row.said("title") or key, budget_s=row.number("budget_s")
        )
    zero: set[tuple[str, str]] = set()
    for event in own:
        _step_change(steps, event, zero)
    return tuple(_timed(step, declared_at, end_at) for step in steps.values())


def _step_change(steps: dict[str, StepRecord], event: Event, zero: set[tuple[str, str]]) -> None:
    said = Recorded(event.body)
    if event.kind in _STEP_CHANGES:
        key = said.text("step")
        step = steps.get(key) or StepRecord(step=key, key="", title=key, budget_s=None)
        steps[key] = _STEP_CHANGES[event.kind](step, event, said)
    elif event.kind is Kind.ROLLBACK_CLOSED:
        for key, step in steps.items():
            if step.key == StepKey.CLOSE:
                steps[key] = _settled(step, event, StepState.DONE, said.said("note"))
    elif event.kind is Kind.FLAG_SEEN:
        _seen(steps, said, zero)
    elif event.kind is Kind.LEVER_BY_HAND:
        zero.add((said.text("flag"), "by hand"))
    elif event.kind is Kind.ROLLBACK_WIDENED:
        _reopen(steps, PROVED_AT_ZERO | {StepKey.ANNOUNCE})


def _seen(steps: dict[str, StepRecord], said: Recorded, zero: set[tuple[str, str]]) -> None:
    """A flag that left zero by its last lever takes back what had been proved while it was there."""
    flag = said.text("flag")
    place = (flag, said.said("lever") or Lever.FIRST.value)
    if at_zero(said):
        zero.add(place)
    elif place in zero:
        zero.discard(place)
        if not any(name == flag for name, _ in zero):
            _reopen(steps, PROVED_AT_ZERO)


def _reopen(steps: dict[str, StepRecord], keys: frozenset[StepKey]) -> None:
    for name, step in steps.items():
        if step.key in keys and settled(step):
            steps[name] = replace(
                step,
                state=StepState.RUNNING,
                done_at=None,
                done_by="",
                evidence="",
                reopened=step.reopened + 1,
            )


def _started(step: StepRecord, event: Event, said: Recorded) -> StepRecord:
    return replace(step, state=StepState.RUNNING, started_at=step.started_at or event.at)


def _settled(step: StepRecord, event: Event, state: StepState, evidence: str) -> StepRecord:
    started_at, by = step.started_at or event.at, clean_text(event.actor)
    return replace(step, state=state, evidence=evidence, started_at=started_at, done_at=event.at, done_by=by)


def _done(step: StepRecord, event: Event, said: Recorded) -> StepRecord:
    return _settled(step, event, StepState.DONE, said.said("evidence"))


def _overridden(step: StepRecord, event: Event, said: Recorded) -> StepRecord:
    return _settled(step, event, StepState.OVERRIDDEN, said.said("reason"))


def _failed(step: StepRecord, event: Event, said: Recorded) -> StepRecord:
    started_at = step.started_at or event.at
    return replace(step, state=StepState.FAILED, evidence=said.said("evidence"), started_at=started_at)


_STEP_CHANGES: Final[Mapping[Kind, Callable[[StepRecord, Event, Recorded], StepRecord]]] = {
    Kind.STEP_STARTED: _started,
    Kind.STEP_DONE: _done,
    Kind.STEP_FAILED: _failed,
    Kind.STEP_OVERRIDDEN: _overridden,
}


def _timed(step: StepRecord, declared_at: datetime, end_at: datetime) -> StepRecord:
    actual_s = _between(declared_at, step.done_at)
    counted_s = (end_at - declared_at).total_seconds() if actual_s is None else actual_s
    late = None if step.budget_s is None else counted_s > step.budget_s
    return replace(step, actual_s=actual_s, late=late)
