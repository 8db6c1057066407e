"""How a rollback went: the block below the steps, the result after its end, the text to hand on. Pure."""

from __future__ import annotations

from datetime import datetime

from cockpit.core.model import Mode
from cockpit.core.rollback import Delta, Rollback, StepState
from cockpit.core.snapshot import Snapshot
from cockpit.face.view import Line, Role, age, clip, count, text_of
from cockpit.face.view_levers import second_words
from cockpit.face.view_lines import column, joined, mmss, row, rule, share, unfolded, utc
from cockpit.face.view_needs import needs
from cockpit.face.view_rollback import before_words, countdown, flip_word, scope_words
from cockpit.face.view_steps import budget, step_word


def late_steps(rollback: Rollback, now: datetime) -> tuple[str, ...]:
    """The steps that went past their budget, with by how much."""
    rows = ((step.title, budget(step, rollback, now)) for step in rollback.steps)
    return tuple(f"{title} +{mmss(spent.late_s)}" for title, spent in rows if spent.late_s > 0)


def delta_words(delta: Delta) -> str:
    """`1 204 courses written`, or why nobody counted."""
    if delta.count is None:
        return f"{delta.name}: not counted" + (f" ({delta.note})" if delta.note else "")
    return f"{count(delta.count)} {delta.name}" + (f" ({delta.note})" if delta.note else "")


def result_block(rollback: Rollback, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
    """What was counted since the cut mark; after the end also time, overrun, late steps."""
    rows: list[Line] = []
    if rollback.cut_mark is not None or rollback.deltas:
        mark = rollback.cut_mark
        rows.append(rule("writes on the new side", width, f"since {utc(mark.at, now)}" if mark else ""))
        counted = [row(f"  {delta_words(delta)}") for delta in rollback.deltas]
        rows.extend(counted or [row(("  not counted yet: captured once the new side is drained", Role.DIM))])
    if not rollback.open:
        rows.append(rule("result", width))
        rows.extend(_result(rollback, snapshot, now))
    return tuple(clip(each, width) for each in rows)


def _fact(name: str, value: str, role: Role = Role.TEXT) -> Line:
    return row(column(f"  {name}", 20, Role.DIM), (value, role))


def _result(rollback: Rollback, snapshot: Snapshot, now: datetime) -> list[Line]:
    ended = rollback.closed_at or rollback.cancelled_at or now
    how = "cancelled before any flag was written" if rollback.cancelled_at else "closed"
    by = f" by {rollback.closed_by}" if rollback.closed_by else ""
    over_s = -rollback.left(now).total_seconds()
    late = late_steps(rollback, now)
    overridden = [step.title for step in rollback.steps if step.state is StepState.OVERRIDDEN]
    practice = snapshot.mode in (Mode.DEMO, Mode.DRILL)
    record = "told when you leave" if practice else f"cockpit report {snapshot.plan_source}"
    budget_s = (rollback.deadline_at - rollback.declared_at).total_seconds()
    return [
        _fact("ended", f"{utc(ended, now)}, {how}{by}", Role.STRONG),
        _fact("time", f"{mmss(rollback.elapsed(now).total_seconds())} of {mmss(round(budget_s))}"),
        _fact("overrun", f"+{mmss(over_s)}" if over_s > 0 else "none", Role.BAD if over_s > 0 else Role.OK),
        _fact("late steps", joined(late, ", ") or "none", Role.WARN if late else Role.OK),
        _fact("overridden", joined(overridden, ", ") or "none", Role.WARN if overridden else Role.OK),
        _fact(
            "follow-up", f"data owner {rollback.data_owner}" if rollback.data_owner else "no data owner named"
        ),
        _fact("record", record, Role.ACCENT),
    ]


def incident_text(rollback: Rollback, snapshot: Snapshot, now: datetime) -> str:
    """The state of the rollback as plain lines, to paste into the incident channel."""
    time = countdown(rollback, now)
    breach = rollback.first_breach_at
    rows = [
        f"ROLLBACK {scope_words(rollback)} · {snapshot.environment} · {snapshot.plan_title}",
        f"{time.digits} {time.word} · deadline {utc(rollback.deadline_at, now)} · as of {utc(now, now)}",
        f"declared by {rollback.declared_by} at {utc(rollback.declared_at, now)}: "
        f"{rollback.reason or 'reason not given'}",
        f"first breach {utc(breach, now)}, {age((rollback.declared_at - breach).total_seconds())} before"
        if breach
        else "",
        joined(
            (
                f"commander {rollback.commander}" if rollback.commander else "",
                f"data owner {rollback.data_owner}" if rollback.data_owner else "",
            )
        ),
        *(
            f"  {flip_word(flip)}  {flip.flag}  {before_words(flip)}"
            + (f"  traffic {share(flip.share_pct)}" if flip.share_pct is not None else "")
            + (f"  {second_words(flip.second)}" if flip.second is not None else "")
            for flip in rollback.flips
        ),
        *(
            f"  {step.number}. {step_word(step, rollback, now).text}  {step.title}"
            + (f": {step.evidence}" if step.evidence else "")
            for step in rollback.steps
        ),
        *(f"  new side: {delta_words(delta)}" for delta in rollback.deltas),
        *(f"needs a person: {need.text}" for need in needs(rollback, now, snapshot.flags, snapshot.gauges)),
    ]
    return "\n".join(text_of(row(each)) for each in rows if each)


def incident_lines(rollback: Rollback, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
    """The same, to look at and to mark: nothing of it is cut."""
    told = incident_text(rollback, snapshot, now).split("\n")
    return tuple(row(part) for each in told for part in unfolded(each, width))
