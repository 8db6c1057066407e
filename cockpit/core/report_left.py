"""What a rollback came to: whether users are safe, and what is left to do, for whom. By evidence only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cockpit.core.model import WriteOutcome
from cockpit.core.report_values import FlagRecord, OpenItem, RollbackRecord, RollbackResult, StepRecord
from cockpit.core.rollback import StepState
from cockpit.core.spec import StepKey


def settled(step: StepRecord) -> bool:
    return step.state in (StepState.DONE, StepState.OVERRIDDEN)


def users_safe(flags: Sequence[FlagRecord], steps: Sequence[StepRecord]) -> tuple[datetime | None, str]:
    """When the new side was drained and legacy verified, by evidence; and what is to be said about it.

    Where gauges have to run out too, the step drain is done later than the traffic of the last flag.
    """
    overridden = [
        f"step {step.title} was overridden by {step.done_by}"
        for step in steps
        if step.key in (StepKey.DRAIN, StepKey.VERIFY) and step.state is StepState.OVERRIDDEN
    ]
    waiting = [f"{flag.flag} was not seen drained" for flag in flags if flag.drained_at is None]
    verify = [step for step in steps if step.key == StepKey.VERIFY]
    proofs = [*(step for step in steps if step.key == StepKey.DRAIN), *verify]
    waiting += [f"step {step.title} was not done" for step in proofs if not settled(step)]
    if overridden or waiting or not flags:
        return None, "; ".join(overridden + waiting)
    moments = [flag.drained_at for flag in flags if flag.drained_at is not None]
    moments += [step.done_at for step in proofs if step.done_at is not None]
    said = [f"{flag.flag}: share not observed" for flag in flags if flag.share_pct is None]
    if not verify:
        said.append("the plan has no step that verifies legacy")
    return max(moments), "; ".join(said)


def open_items(record: RollbackRecord) -> tuple[OpenItem, ...]:
    if record.result is RollbackResult.CANCELLED:
        return ()
    commander = [*_unproved(record), *_untold(record)]
    return (
        *(OpenItem(what=what, role="commander", owner=record.commander) for what in commander),
        *(OpenItem(what=what, role="data owner", owner=record.data_owner) for what in _unreconciled(record)),
    )


def _unproved(record: RollbackRecord) -> list[str]:
    unread = [flag for flag in record.flags if flag.at_zero_at is None]
    items = [f"{flag.flag} was never re-read at zero{_held_by(flag)}" for flag in unread]
    for flag in record.flags:
        if flag.second_at is not None or flag.hand_at is not None:
            name = flag.second_service if flag.second_at is not None else "what was done by hand"
            items.append(f"{flag.flag}: put its second lever ({name}) back before the next try")
        stored = [write.outcome for write in flag.writes if write.action == "zero"]
        if stored and stored[-1] != WriteOutcome.DONE:
            items.append(f"{flag.flag} is off, but its stored percentage is not known to be zero")
    if record.question and not record.answer:
        items.append(f"unanswered: {record.question}")
    for step in record.steps:
        if step.state is StepState.OVERRIDDEN:
            items.append(f"step {step.title} was overridden: its evidence is still missing")
        elif not settled(step) and step.key != StepKey.RECONCILE:
            items.append(f"step {step.title} is not done ({step.state})")
    return items


def _held_by(flag: FlagRecord) -> str:
    """What keeps users off the new side while the first lever does not."""
    if flag.second_at is not None:
        return f" by its first lever; its second one ({flag.second_service}) holds it"
    return f"; it was done by hand on {flag.hand_by}'s word" if flag.hand_at is not None else ""


def _untold(record: RollbackRecord) -> list[str]:
    sent = {(told.hook, told.moment) for told in record.announcements if told.sent}
    failed = dict.fromkeys((told.hook, told.moment) for told in record.announcements if not told.sent)
    lost = [told for told in failed if told not in sent]
    return [f"announcement {moment} through {hook} was not delivered" for hook, moment in lost]


def _unreconciled(record: RollbackRecord) -> list[str]:
    """A zero ends it, unless it is a zero at least."""
    counts = {delta.name: (delta.count, delta.note) for delta in record.deltas}
    names = dict.fromkeys([*counts, *(name for name, _ in record.counters)])
    items = [_reconcile(name, *counts.get(name, (None, ""))) for name in names if counts.get(name) != (0, "")]
    waiting = [step for step in record.steps if step.key == StepKey.RECONCILE and not settled(step)]
    return items + [f"step {step.title} is not done ({step.state})" for step in waiting]


def _reconcile(name: str, count: float | None, note: str) -> str:
    if count is None:
        return f"count {name} written on the new side since the cut mark"
    words = f"settle what becomes of {count:.10g} {name} written on the new side since the cut mark"
    return f"{words} ({note})" if note else words
