"""What the pages of the detail screen are made of: labelled lines, sections, what is known of a reading."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypeVar

from cockpit.core.model import Reading
from cockpit.face.view import (
    FRESHNESS_WORD,
    NOTHING,
    Line,
    Role,
    Segment,
    age,
    milliseconds,
    safe,
    since,
)

T = TypeVar("T")
LABEL: Final = 18


def stated(label: str, *value: Segment) -> Line:
    return ((f"{label:<{LABEL}}", Role.DIM), *value)


def plain(label: str, value: str, role: Role = Role.TEXT) -> Line:
    return stated(label, (safe(value) or NOTHING, role))


def section(title: str) -> tuple[Line, Line]:
    return ((), ((title, Role.ACCENT),))


def reading_lines(reading: Reading[T], now: datetime) -> tuple[Line, ...]:
    """Freshness, age, how long it took, and the present trouble with its remedy's address."""
    word = FRESHNESS_WORD[reading.freshness(now)]
    seconds = reading.age_s(now)
    when = "never read" if seconds is None else f"{age(seconds)} old"
    lines = [
        stated("freshness", word.segment, (f"  {when}, polled every {reading.interval_s:g} s", Role.TEXT))
    ]
    if reading.took_s is not None:
        lines.append(plain("answer took", milliseconds(1000 * reading.took_s)))
    failure = reading.failure
    if failure is None:
        lines.append(plain("last error", "none now", Role.DIM))
        return tuple(lines)
    lasting = since(reading.failing_since, now)
    lines.append(stated("last error", (safe(failure.title), Role.UNKNOWN), (f"  for {lasting}", Role.DIM)))
    lines.append(plain("", failure.detail, Role.DIM))
    lines.append(plain("whose fault", failure.fault))
    return tuple(lines)
