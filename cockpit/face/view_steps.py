"""The steps of a rollback in words: state, who does it, budget, evidence, and when it can end. Pure.

A machine's step and a person's step never look alike: another glyph, and the word YOU. A budget is a
limit counted from declare, never a wait: its bar fills with the time since declare and turns amber full.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cockpit.core.dataclass import dataclass
from cockpit.core.rollback import Rollback, Step, StepState, open_lines
from cockpit.core.spec import StepKey
from cockpit.face.view import Line, Role, Segment, Word, clip
from cockpit.face.view_lines import bar, column, mmss, row, utc, wrapped

MACHINE: Final = "⚙    "
PERSON: Final = "☻ YOU"

_STEP: Final = {
    StepState.WAITING: Word("○", "waiting", Role.DIM),
    StepState.RUNNING: Word("→", "running", Role.NOTE),
    StepState.ASKING: Word("!", "ASKS YOU", Role.WARN),
    StepState.DONE: Word("✓", "done", Role.OK),
    StepState.OVERRIDDEN: Word("!", "overridden", Role.WARN),
    StepState.FAILED: Word("✗", "FAILED", Role.BAD),
}

_NOT_DONE: Final = Word("○", "not done", Role.DIM)


def step_word(step: Step, rollback: Rollback, now: datetime) -> Word:
    """The state of one step; running past its budget is amber. Closing settles the closing line; after the
    end nothing runs or waits any more."""
    if step.key is StepKey.CLOSE and rollback.closed_at is not None:
        return _STEP[StepState.DONE]
    if not rollback.open and not step.settled:
        return _NOT_DONE
    word = _STEP[step.state]
    if step.state is StepState.RUNNING and step.late(rollback.declared_at, rollback.end(now)):
        return Word(word.glyph, word.text, Role.WARN)
    return word


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much of a step's time (counted from declare) is gone; fraction is 1 at its limit."""

    fraction: float
    used_s: float
    late_s: float


def budget(step: Step, rollback: Rollback, now: datetime) -> Budget:
    end = rollback.end(now)
    if step.settled and step.done_at is not None:
        end = step.done_at
    used_s = max(0.0, (end - rollback.declared_at).total_seconds())
    fraction = used_s / step.budget_s if step.budget_s > 0 else 1.0
    return Budget(fraction=fraction, used_s=used_s, late_s=max(0.0, used_s - step.budget_s))


BAR_WIDTH: Final = 5
BUDGET_WIDTH: Final = 20


def budget_segments(step: Step, rollback: Rollback, now: datetime) -> tuple[Segment, Segment]:
    """Bar and words: `━━━── 01:10 of 03:00`, amber and `late +00:12` past the limit."""
    spent = budget(step, rollback, now)
    room = BUDGET_WIDTH - BAR_WIDTH
    if spent.late_s > 0:
        return (bar(1.0, BAR_WIDTH), Role.WARN), column(f" late +{mmss(spent.late_s)}", room, Role.WARN)
    if step.state is StepState.WAITING:
        return (" " * BAR_WIDTH, Role.DIM), column(f"    by {mmss(step.budget_s)}", room, Role.DIM)
    words = f" {mmss(spent.used_s)} of {mmss(step.budget_s)}"
    if step.settled:
        return (" " * BAR_WIDTH, Role.DIM), column(words, room, Role.DIM)
    return (bar(spent.fraction, BAR_WIDTH), Role.NOTE), column(words, room, Role.NOTE)


def step_row(step: Step, rollback: Rollback, now: datetime, width: int, *, focused: bool) -> Line:
    """One step in one line; evidence, or what is to do, where there is room for more than a crumb of it."""
    word = step_word(step, rollback, now)
    kind = (MACHINE, Role.DIM) if step.machine else (PERSON, Role.STRONG)
    title_width = max(16, min(30, width - 48))
    fixed = 44 + title_width
    more = step.evidence or ("" if step.machine or step.settled else step.text)
    return clip(
        row(
            ("▸" if focused else " ", Role.ACCENT),
            (f"{step.number:>2} ", Role.DIM),
            column(str(word), 13, word.role),
            kind,
            " ",
            column(step.title, title_width, Role.ACCENT if focused else Role.TEXT),
            " ",
            *budget_segments(step, rollback, now),
            (f" {more}" if width - fixed >= 20 or len(more) < width - fixed else "", Role.DIM),
        ),
        width,
    )


def step_details(step: Step, rollback: Rollback, now: datetime, width: int) -> tuple[Line, ...]:
    """What the focused step shows below itself: what to do, what was seen, who settled it and when."""
    room = max(10, width - 5)
    rows: list[Segment] = [(text, Role.TEXT) for text in wrapped(step.text, room, limit=3)]
    if step.evidence:
        seen = f"{'seen' if step.machine else 'note'}: {step.evidence}"
        rows.extend((text, Role.TEXT) for text in wrapped(seen, room, limit=3))
    rows.extend((text, Role.DIM) for text in wrapped(_footing(step, rollback, now), room, limit=2))
    return tuple(row("    ", segment) for segment in rows)


def _footing(step: Step, rollback: Rollback, now: datetime) -> str:
    if step.key is StepKey.CLOSE and rollback.closed_at is not None:
        return f"signed by {rollback.closed_by} at {utc(rollback.closed_at, now)}"
    if step.settled and step.done_at is not None:
        how = "overridden" if step.state is StepState.OVERRIDDEN else "done"
        return f"{how} by {step.done_by or 'nobody named'} at {utc(step.done_at, now)}"
    if step.key is StepKey.CLOSE:
        return "C signs and closes once every line above is done"
    how = "evidence settles this, o overrides with a reason" if step.machine else "enter says that it is done"
    started = "not started" if step.started_at is None else f"since {utc(step.started_at, now)}"
    return f"{started} · {how}"


def steps_block(
    rollback: Rollback, now: datetime, width: int, *, focus: str, details: bool = True
) -> tuple[tuple[str, Line], ...]:
    """Every step as (step id, line); the focused one is followed by its details under the same id."""
    rows: list[tuple[str, Line]] = []
    for step in rollback.steps:
        focused = step.id == focus
        rows.append((step.id, step_row(step, rollback, now, width, focused=focused)))
        if focused and details:
            rows.extend((step.id, extra) for extra in step_details(step, rollback, now, width))
    return tuple(rows)


def first_focus(steps: Sequence[Step]) -> str:
    """The step to look at first: one that asks, else one that failed, else the first open one."""
    for wanted in (StepState.ASKING, StepState.FAILED, StepState.RUNNING, StepState.WAITING):
        for step in steps:
            if step.state is wanted and step.key is not StepKey.CLOSE:
                return step.id
    return steps[-1].id if steps else ""


# --- when it can end -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """When the rollback can be closed if every open step needs its whole window.

    late: one step has outrun its window, so that `at` is a lower bound. ready: no line is open.
    """

    at: datetime
    late: bool
    ready: bool


def projected_finish(rollback: Rollback, now: datetime) -> Projection:
    """now + the longest of the open steps' remaining windows; closing itself takes no time.

    A step's window is the time that the plan gives it after the flip (its budget minus the flip's), or
    its whole budget for the steps up to the flip. A running step has used what passed since it
    started; one that has used up its window has nothing left and makes the projection a lower bound.
    """
    if not rollback.open:
        return Projection(at=rollback.end(now), late=False, ready=True)
    flip_s = next((step.budget_s for step in rollback.steps if step.key is StepKey.FLIP), 0.0)
    left_s, late = 0.0, False
    for step in open_lines(rollback):
        window_s = step.budget_s - flip_s if step.budget_s > flip_s else step.budget_s
        used_s = 0.0 if step.started_at is None else (now - step.started_at).total_seconds()
        left_s = max(left_s, window_s - used_s)
        late = late or used_s > window_s
    return Projection(at=now + timedelta(seconds=left_s), late=late, ready=not open_lines(rollback))


def finish_words(rollback: Rollback, now: datetime) -> Segment:
    """The projected finish as it stands beside the clocks."""
    finish = projected_finish(rollback, now)
    if not rollback.open:
        return utc(finish.at, now), Role.TEXT
    if finish.ready:
        return "now: C signs", Role.OK
    role = Role.BAD if finish.at - now > rollback.left(now) else Role.TEXT
    return f"{'after' if finish.late else 'about'} {utc(finish.at, now)}", role
