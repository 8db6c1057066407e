"""The rollout panel in words: per flag asked, configured and observed, the bar, the hold, who changed it.

A wide panel shows columns under a heading and a second line per flag; a narrow one shows one line.
An alarm (changed by somebody else, a write under way, a hold by hand) always gets its own line.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypeVar

from cockpit.core.clean import Percent
from cockpit.core.model import Freshness, Reading, WriteOutcome
from cockpit.core.snapshot import Agreement, FlagStatus, Level, Snapshot
from cockpit.face.view import (
    AGREEMENT_WORD,
    NOTHING,
    STALE_WORD,
    Line,
    Role,
    Row,
    Segment,
    Word,
    age,
    cell,
    cells,
    clip,
    percent,
    safe,
    since,
    stage_bar,
    time_left,
)
from cockpit.face.view import Cell as Column
from cockpit.face.view_lines import named

T = TypeVar("T")
WIDE: Final = 100
_NAME: Final = 24
_STATE: Final = 14
_NUMBERS: Final = {"asked": 6, "configured": 10, "observed": 8}
"""The columns of a narrow line; the words above the three numbers are the same at every width."""
_HELD: Final = Word("=", "HELD", Role.WARN)


def flag_word(flag: FlagStatus, now: datetime) -> Word:
    """The worst that can be said of a flag, in one word."""
    if flag.foreign is not None:
        return Word("✗", "CHANGED", Role.BAD)
    if flag.agreement is Agreement.DIFFER:
        return AGREEMENT_WORD[Agreement.DIFFER]
    freshness = flag.configured.freshness(now)
    if freshness is Freshness.UNKNOWN:
        return AGREEMENT_WORD[Agreement.UNKNOWN]
    if freshness is Freshness.STALE:
        return STALE_WORD
    if flag.held_by is not None:
        return _HELD
    return AGREEMENT_WORD[flag.agreement]


def rollout_notes(snapshot: Snapshot) -> Line:
    """What the heading says at its end: how to get back."""
    if snapshot.read_only or not snapshot.flags:
        return ()
    if snapshot.rollback is not None and snapshot.rollback.open:
        return (("R", Role.KEY), (" shows the rollback", Role.DIM))
    shut = next((line for line in snapshot.way_back if line.level in (Level.BAD, Level.UNKNOWN)), None)
    if shut is not None:
        word = "✗ WAY BACK" if shut.level is Level.BAD else "? WAY BACK"
        role = Role.BAD if shut.level is Level.BAD else Role.UNKNOWN
        return ((f"{word}: {safe(shut.title)}  ", role), ("R", Role.KEY), (" rolls back", Role.DIM))
    return (("R", Role.KEY), (" rolls back", Role.DIM))


def rollout_rows(snapshot: Snapshot, now: datetime, width: int, *, full: bool) -> tuple[Row, ...]:
    return tuple(Row(key=flag.key, lines=flag_lines(flag, now, width, full=full)) for flag in snapshot.flags)


def column_titles(width: int) -> Line:
    """The header above the flags; its columns are those of `flag_lines`."""
    if width < WIDE:
        bar_width = _narrow_bar(width)
        numbers = (cell(each, title, right=True) for title, each in _NUMBERS.items())
        narrow = (cell(_narrow_key(width), ""), cell(bar_width, "0 to 100%"), *numbers, cell(_STATE, "state"))
        return tuple((text, Role.DIM) for text, _ in cells(*narrow))
    titles = (
        cell(_key_width(width), ""),
        cell(_wide_bar(width), "0 to 100%"),
        cell(7, "asked", right=True),
        cell(10, "configured", right=True),
        cell(9, "observed", right=True),
        cell(10, "state"),
        cell(12, "hold"),
    )
    return tuple((text, Role.DIM) for text, _ in cells(*titles, gap=2))


def flag_lines(flag: FlagStatus, now: datetime, width: int, *, full: bool) -> tuple[Line, ...]:
    first = _wide_line(flag, now, width) if width >= WIDE else _narrow_line(flag, now, width)
    second = (_second_line(flag, now, width),) if full else ()
    return (clip(first, width), *(clip(line, width) for line in alarm_lines(flag, now)), *second)


def _key_width(width: int) -> int:
    return max(22, min(34, width // 4))


def _wide_bar(width: int) -> int:
    """What the other columns of a wide line leave."""
    return max(12, width - 1 - _key_width(width) - 7 - 10 - 9 - 10 - 12 - 2 * 6)


def _narrow_bar(width: int) -> int:
    """What the other columns of a narrow line leave; no bar where that is too little to read."""
    room = width - 1 - _NAME - sum(_NUMBERS.values()) - _STATE - 5
    return room if room >= 6 else 0


def _narrow_key(width: int) -> int:
    """Without a bar the name takes what the numbers leave."""
    return _NAME if _narrow_bar(width) else max(6, width - 1 - sum(_NUMBERS.values()) - _STATE - 4)


def _wide_line(flag: FlagStatus, now: datetime, width: int) -> Line:
    word = flag_word(flag, now)
    return cells(
        Column(_key_width(width), _name(flag, word, _key_width(width))),
        Column(_wide_bar(width), _bar(flag, now, _wide_bar(width))),
        cell(7, percent(flag.asked), Role.TEXT, right=True),
        Column(10, (configured(flag, now),), right=True),
        Column(9, (observed(flag, now),), right=True),
        cell(10, word),
        Column(12, (hold(flag, now),)),
        gap=2,
    )


def _narrow_line(flag: FlagStatus, now: datetime, width: int) -> Line:
    word = flag_word(flag, now)
    state: Segment = word.segment
    held = hold(flag, now)
    if word.role is Role.OK and held[0]:
        state = held
    elif word.text == "DIFFER":
        state = (f"{word} {since(flag.differs_since, now)}", word.role)
    bar = _narrow_bar(width)
    asked: Segment = (percent(flag.asked), Role.TEXT)
    numbers = (asked, configured(flag, now), observed(flag, now))
    return cells(
        Column(_narrow_key(width), _name(flag, word, _narrow_key(width))),
        Column(bar, _bar(flag, now, bar)),
        *(Column(each, (said,), right=True) for said, each in zip(numbers, _NUMBERS.values(), strict=True)),
        Column(_STATE, (state,)),
    )


def _name(flag: FlagStatus, word: Word, width: int) -> Line:
    return ((f"{word.glyph} ", word.role), (named(flag.key, width - 2), Role.STRONG))


def _bar(flag: FlagStatus, now: datetime, width: int) -> tuple[Segment, ...]:
    value = None if flag.configured.freshness(now) is Freshness.UNKNOWN else flag.configured.value
    share = None if flag.observed.freshness(now) is Freshness.UNKNOWN else flag.observed.value
    return stage_bar(
        tuple(stage.percent for stage in flag.stages),
        None if value is None else value.exposure,
        None if share is None else share.percent,
        width,
    )


def configured(flag: FlagStatus, now: datetime) -> Segment:
    """What the flag service says. A complex flag has no single number."""
    value = flag.configured.value
    if value is not None and value.exposure is None:
        return ("complex", Role.WARN)
    return _share(flag.configured, None if value is None else value.exposure, now)


def observed(flag: FlagStatus, now: datetime) -> Segment:
    if not flag.observable:
        return ("unseen", Role.DIM)
    share = flag.observed.value
    return _share(flag.observed, None if share is None else share.percent, now)


def _share(reading: Reading[T], value: Percent | None, now: datetime) -> Segment:
    """The number while fresh, the number with a doubt mark while stale, a dash when unknown."""
    freshness = reading.freshness(now)
    if freshness is Freshness.UNKNOWN or value is None:
        return (NOTHING, Role.UNKNOWN)
    text = f"{value.value:.1f}%" if value.hundredths % 100 else str(value)
    return (text, Role.TEXT) if freshness is Freshness.FRESH else (f"~{text}", Role.UNKNOWN)


def hold(flag: FlagStatus, now: datetime) -> Segment:
    """How long this stage still has to be held, or that it has been held long enough."""
    if flag.held_by is not None:
        return ("held", Role.WARN)
    if flag.hold_until is None:
        return ("", Role.DIM)
    left_s = (flag.hold_until - now).total_seconds()
    return (f"hold {time_left(left_s)}", Role.NOTE) if left_s > 0 else ("hold over", Role.OK)


def alarm_lines(flag: FlagStatus, now: datetime) -> tuple[Line, ...]:
    """Lines that may not be missed, indented under their flag."""
    lines: list[Line] = []
    change = flag.foreign
    if change is not None:
        who = safe(change.who) if change.who is not None else "somebody"
        verb = "RAISED" if change.raised else "changed"
        words = f"{verb} {safe(change.before)} to {safe(change.after)} by {who}, not by this cockpit"
        lines.append(_under(f"{words}, {since(change.at, now)} ago", Role.BAD))
    if flag.writing is not None or flag.writing_text:
        role = Role.UNKNOWN if flag.writing is WriteOutcome.UNKNOWN else Role.NOTE
        lines.append(_under(safe(flag.writing_text) or "write under way", role))
    if flag.held_by is not None:
        reason = f": {safe(flag.held_reason)}" if flag.held_reason else ""
        lines.append(_under(f"held by {safe(flag.held_by)}{reason}", Role.WARN))
    trouble = flag.configured.failure
    if trouble is not None and flag.configured.freshness(now) is not Freshness.FRESH:
        seen = flag.configured.age_s(now)
        last = "never read" if seen is None else f"last read {age(seen)} ago"
        lines.append(_under(f"cannot see: {safe(trouble.title)}, {last}", Role.NOTE))
    return tuple(lines)


def _under(text: str, role: Role) -> Line:
    return (("  ", Role.TEXT), (text, role))


def _second_line(flag: FlagStatus, now: datetime, width: int) -> Line:
    """Title, stage and cohort, what the next stage waits for, and who changed it last: cut from the right."""
    parts = [safe(flag.title), stage_words(flag)]
    unmet = [gate for gate in flag.gates if not gate.met]
    at_end = flag.stage is not None and flag.stage == len(flag.stages) - 1
    if unmet and not at_end:
        more = f" +{len(unmet) - 1} more" if len(unmet) > 1 else ""
        parts.append(f"waits: {safe(unmet[0].text)}{more}")
    if flag.depends_on:
        parts.append(f"after {', '.join(safe(key) for key in flag.depends_on)}")
    value = flag.configured.value
    if value is not None and value.changed_by is not None:
        parts.append(f"last change by {safe(value.changed_by)} {since(value.changed_at, now)} ago")
    return clip((("  ", Role.TEXT), (" · ".join(part for part in parts if part), Role.DIM)), width)


def stage_words(flag: FlagStatus) -> str:
    """`stage 2 of 3 (beta)`; says so when the setting is no stage of the plan."""
    if flag.configured.value is None:
        return "stage unknown"
    if flag.stage is None:
        return "at no stage of the plan"
    if flag.stage < 0:
        return "not begun" if flag.asked is None else "back at 0%"
    cohort = flag.stages[flag.stage].cohort if flag.stage < len(flag.stages) else ""
    named = f" ({safe(cohort)})" if cohort else ""
    return f"stage {flag.stage + 1} of {len(flag.stages)}{named}"
