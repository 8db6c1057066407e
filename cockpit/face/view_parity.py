"""The parity panel in words: do the data agree, how far apart are they, and when was that seen."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cockpit.core.model import Freshness
from cockpit.core.parity import Match, ParityValue
from cockpit.core.parity_spec import Question
from cockpit.core.snapshot import ParityStatus, Snapshot
from cockpit.face.view import (
    NOTHING,
    STALE_WORD,
    Cell,
    Line,
    Role,
    Row,
    Word,
    age,
    cell,
    cells,
    clip,
    count,
    reading_age,
    safe,
)

MATCH_WORD: Final = {
    Match.EQUAL: Word("✓", "EQUAL", Role.OK),
    Match.NOISE: Word("✓", "IN NOISE", Role.OK),
    Match.TOLERATED: Word("·", "ALLOWED", Role.NOTE),
    Match.DIFFERENT: Word("✗", "DIFFER", Role.BAD),
    Match.UNKNOWN: Word("?", "UNKNOWN", Role.UNKNOWN),
}
_FIGURES_FROM: Final = 66


def parity_word(check: ParityStatus, now: datetime) -> Word:
    """What was found. An old finding is STALE, but a difference stays one: it asks for an act."""
    value, freshness = check.reading.value, check.reading.freshness(now)
    if value is None or freshness is Freshness.UNKNOWN:
        return MATCH_WORD[Match.UNKNOWN]
    if freshness is Freshness.STALE and value.match is not Match.DIFFERENT:
        return STALE_WORD
    return MATCH_WORD[value.match]


def parity_rows(snapshot: Snapshot, now: datetime, width: int, *, full: bool) -> tuple[Row, ...]:
    return tuple(
        Row(key=check.name, lines=parity_lines(check, now, width, full=full)) for check in snapshot.parity
    )


def column_titles(width: int) -> Line:
    """The header above the checks; its columns are those of `parity_lines`."""
    figures = _figures(width)
    titles = (
        cell(10, "parity"),
        cell(_name_width(width), "data"),
        cell(figures, "legacy", right=True),
        cell(figures, "new", right=True),
        cell(10, "apart", right=True),
        cell(8, "seen", right=True),
    )
    return tuple((text, Role.DIM) for text, _ in cells(*titles))


def _figures(width: int) -> int:
    return 14 if width >= _FIGURES_FROM else 0


def _name_width(width: int) -> int:
    figures = _figures(width)
    return max(4, width - 10 - 10 - 8 - 3 - (2 * (figures + 1) if figures else 0))


def parity_lines(check: ParityStatus, now: datetime, width: int, *, full: bool) -> tuple[Line, ...]:
    word, value, figures = parity_word(check, now), seen(check, now), _figures(width)
    loud = word.role if word.role in (Role.BAD, Role.UNKNOWN) else Role.TEXT
    first = cells(
        cell(10, word),
        cell(_name_width(width), check.title, Role.STRONG),
        cell(figures, value.legacy if value else NOTHING, right=True),
        cell(figures, value.new if value else NOTHING, loud, right=True),
        cell(10, apart(check, value), loud, right=True),
        Cell(8, (reading_age(check.reading, now),), right=True),
    )
    second: Line = ((" " * 11, Role.TEXT), (says(check, now), Role.DIM if loud is Role.TEXT else loud))
    return (clip(first, width), clip(second, width)) if full else (clip(first, width),)


def apart(check: ParityStatus, value: ParityValue | None) -> str:
    """`-12 rows`, `40 ‰`, `30 s`; a dash where it cannot be told."""
    if value is None or value.apart is None:
        return NOTHING
    if check.question is Question.ROWS:
        return f"{value.apart:.0f} ‰"
    if check.question is Question.NEWEST:
        return age(value.apart)
    sign = "+" if value.apart > 0 else "-" if value.apart < 0 else ""
    return f"{sign}{count(abs(value.apart))}"


def seen(check: ParityStatus, now: datetime) -> ParityValue | None:
    """What was found, while anybody can still know; figures that are too old are none."""
    return None if check.reading.freshness(now) is Freshness.UNKNOWN else check.reading.value


def says(check: ParityStatus, now: datetime) -> str:
    """The sentence of the last look, behind the trouble of the present one; an old one says that it is."""
    value, failure, old_s = check.reading.value, check.reading.failure, check.reading.age_s(now)
    found = safe(value.text) if value is not None else "has not looked yet" if failure is None else ""
    if value is not None and old_s is not None and check.reading.freshness(now) is not Freshness.FRESH:
        found = f"{age(old_s)} ago: {found}"
    trouble = f"cannot look: {safe(failure.title)}" if failure is not None else ""
    return " · ".join(part for part in (trouble, found) if part)
