"""What is left besides traffic: the drain gauges of a plan as lines of the countdown. Pure, no Textual."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cockpit.core.acts import step_of
from cockpit.core.drain import DrainGauge, concerned, is_drained, low_in_a_row, proved_from, undrained
from cockpit.core.figures import amount
from cockpit.core.model import Side
from cockpit.core.rollback import Rollback
from cockpit.core.snapshot import Snapshot
from cockpit.core.spec import StepKey
from cockpit.face import view
from cockpit.face.view import Line, Role, Segment, Word, clip
from cockpit.face.view_lines import column, row, rule

SPARK_CELLS: Final = 8
UNCOUNTED: Final = "not counted: the plan names no old_bundle"
_UNKNOWN: Final = Word("?", "UNKNOWN", Role.UNKNOWN)


def gauges_block(rollback: Rollback, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
    """Every gauge in one line, in the order of the plan, and flags whose old pages nobody counts."""
    gauges, since = concerned(snapshot.gauges, rollback), proved_from(rollback)
    uncounted = [flip.flag for flip in rollback.flips if flip.flag in uncounted_pages(snapshot)]
    if not gauges and not uncounted:
        return ()
    heading = rule("left to drain", width, _left_words(rollback, snapshot, now))
    rows = [_gauge_row(gauge, since, now, width) for gauge in gauges]
    return (heading, *rows, *(_uncounted_row(flag, width) for flag in uncounted))


def uncounted_pages(snapshot: Snapshot) -> frozenset[str]:
    """Flags whose clients get a change when they reload, and no gauge counts who has not."""
    counted = {gauge.flag for gauge in snapshot.gauges}
    return frozenset(flag.key for flag in snapshot.flags if flag.in_pages and flag.key not in counted)


def _uncounted_row(flag: str, width: int) -> Line:
    name = column(f"{flag} (old pages)", max(12, min(32, width - 58)), Role.STRONG)
    state = column(str(_UNKNOWN), 23, _UNKNOWN.role)
    return clip(row(state, " ", name, " ", column("?", 11), " ", (UNCOUNTED, Role.UNKNOWN)), width)


def _left_words(rollback: Rollback, snapshot: Snapshot, now: datetime) -> str:
    """A step that was done or overridden waits for nothing; what is left then is still told."""
    left = len(undrained(snapshot.gauges, rollback, now))
    step = step_of(rollback, StepKey.DRAIN)
    if not left:
        return ""
    waits = step is not None and not step.settled
    return f"the step drain waits for {left}" if waits else f"{left} not drained"


def gauge_word(gauge: DrainGauge, since: int | None, now: datetime) -> Word:
    """Green is only what a fresh reading proves; before the flip a low number proves nothing."""
    value = gauge.reading.fresh_value(now)
    if value is None:
        return _UNKNOWN
    if gauge.side is Side.LEGACY:
        return Word("✓", "low", Role.OK) if value < gauge.below else Word("→", "not low", Role.WARN)
    if is_drained(gauge, since, now):
        return Word("✓", "drained", Role.OK)
    if not value < gauge.below:
        return Word("→", "not drained", Role.WARN if since is not None else Role.NOTE)
    if since is None:
        return Word("○", "low, not flipped yet", Role.NOTE)
    return Word("→", f"low {low_in_a_row(gauge, since)} of {gauge.needed}", Role.NOTE)


def why_blind(gauge: DrainGauge) -> str:
    """Why there is no fresh number of it."""
    failure = gauge.reading.failure
    return failure.title if failure is not None else "no fresh answer"


def gauges_line(rollback: Rollback, gauges: Sequence[DrainGauge], now: datetime, width: int) -> Line:
    """Every gauge in a few words on one line, what is not drained first; nothing where the plan has none."""
    gauges, since = concerned(gauges, rollback), proved_from(rollback)
    if not gauges:
        return ()
    waiting = {each.name for each in undrained(gauges, rollback, now)}
    shown: list[Segment] = [(f"{'LEFT':<13}", Role.DIM)]
    for gauge in sorted(gauges, key=lambda each: each.name not in waiting):
        word, value = gauge_word(gauge, since, now), gauge.reading.fresh_value(now)
        number = "" if value is None else f" {amount(value)} {direction(gauge).strip()}".rstrip()
        side = "" if gauge.side is Side.NEW else " (legacy)"
        shown += [(" · ", Role.DIM)] if len(shown) > 1 else []
        shown += [(f"{gauge.name}{side}", Role.STRONG), (number, Role.TEXT), (f" {word}", word.role)]
    return clip(row(*shown), width)


def direction(gauge: DrainGauge) -> str:
    """Whether it falls, rises or stands still between the last two numbers; nothing before there are two."""
    numbers = [value for _, value in gauge.polls if value is not None][-2:]
    if len(numbers) < 2:
        return " "
    before, now = numbers
    return "↓" if now < before else "↑" if now > before else "="


def _gauge_row(gauge: DrainGauge, since: int | None, now: datetime, width: int) -> Line:
    word = gauge_word(gauge, since, now)
    value = gauge.reading.fresh_value(now)
    number = "?" if value is None else f"{amount(value)} {direction(gauge)}"
    side = "" if gauge.side is Side.NEW else " (legacy)"
    return clip(
        row(
            column(str(word), 23, word.role),
            " ",
            column(f"{gauge.name}{side}", max(12, min(32, width - 58)), Role.STRONG),
            " ",
            column(number, 11),
            " ",
            *_since_when(gauge, now),
            *((f" {_spark(gauge)}", Role.DIM) for _ in range(width >= 100 and value is not None)),
            (f" ask {gauge.owner}" if gauge.owner else "", Role.DIM),
        ),
        width,
    )


def _since_when(gauge: DrainGauge, now: datetime) -> tuple[Segment, ...]:
    """The limit and the age of the number, or why there is none."""
    reading, age_s = gauge.reading, gauge.reading.age_s(now)
    if reading.fresh_value(now) is None:
        seen = "never read" if age_s is None else f"last read {view.age(age_s)} ago"
        return ((f"{seen}: {why_blind(gauge)}", Role.UNKNOWN), (f", below {amount(gauge.below)}", Role.DIM))
    failing: tuple[Segment, ...] = ()
    if reading.failure is not None:
        failing = ((f", now failing: {reading.failure.title}", Role.WARN),)
    return ((f"below {amount(gauge.below)}, {view.age(age_s or 0.0)} ago", Role.DIM), *failing)


def _spark(gauge: DrainGauge) -> str:
    return view.sparkline([value for _, value in gauge.polls], SPARK_CELLS, floor=gauge.below).strip()
