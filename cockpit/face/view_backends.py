"""The backends panel in words: legacy left, new right, one probe a row; never a healthy word for old news."""

from __future__ import annotations

from datetime import datetime
from itertools import zip_longest

from cockpit.core.model import Freshness, Side
from cockpit.core.snapshot import BackendStatus, ProbeStatus, Snapshot
from cockpit.face.view import (
    HEALTH_WORD,
    STALE_WORD,
    Cell,
    Line,
    Role,
    Row,
    Word,
    cell,
    cells,
    clip,
    fit,
    merge,
    milliseconds,
    reading_age,
    safe,
    sparkline,
)

GUTTER = 2
_SIDES = (Side.LEGACY, Side.NEW)


def probe_word(probe: ProbeStatus, now: datetime) -> Word:
    """What a probe says now; what it said long ago is STALE, then UNKNOWN, whatever it was."""
    freshness = probe.reading.freshness(now)
    if freshness is Freshness.STALE:
        return STALE_WORD
    value = probe.reading.fresh_value(now)
    return HEALTH_WORD[value.health] if value is not None else Word("?", "UNKNOWN", Role.UNKNOWN)


def by_side(snapshot: Snapshot, side: Side) -> BackendStatus | None:
    return next((backend for backend in snapshot.backends if backend.side is side), None)


def half_widths(width: int) -> tuple[int, int]:
    left = (width - GUTTER) // 2
    return (left, width - GUTTER - left)


def backend_titles(snapshot: Snapshot, width: int) -> Line:
    """Both sides' names with their health, over their halves."""
    halves = [
        _title(by_side(snapshot, side), side, each)
        for side, each in zip(_SIDES, half_widths(width), strict=True)
    ]
    return merge((*halves[0], (" " * GUTTER, Role.TEXT), *halves[1]))


def _title(backend: BackendStatus | None, side: Side, width: int) -> Line:
    if backend is None:
        return ((fit(f"{side.upper()} has no probes", width), Role.UNKNOWN),)
    word = HEALTH_WORD[backend.health]
    name = Cell(width - 11, ((f"{side.upper()} ", Role.STRONG), (safe(backend.title), Role.DIM)))
    return cells(name, Cell(10, (word.segment,), right=True))


def backend_rows(snapshot: Snapshot, now: datetime, width: int, *, full: bool) -> tuple[Row, ...]:
    """Every probe as a row of its half: column 0 legacy, column 1 new, in reading order."""
    rows: list[Row] = []
    sides = [by_side(snapshot, side) for side in _SIDES]
    widths = half_widths(width)
    for pair in zip_longest(*(backend.probes if backend else () for backend in sides)):
        for column, (probe, each) in enumerate(zip(pair, widths, strict=True)):
            if probe is not None:
                key = f"{_SIDES[column]}/{probe.name}"
                rows.append(Row(key=key, lines=probe_lines(probe, now, each - 1, full=full), column=column))
    return tuple(rows)


def probe_lines(probe: ProbeStatus, now: datetime, width: int, *, full: bool) -> tuple[Line, ...]:
    """Word, name, latency, the last latencies as blocks, age; then what the probe said."""
    word = probe_word(probe, now)
    value = probe.reading.value
    latency = milliseconds(None if value is None else value.latency_ms)
    spark_width = min(12, max(0, width - 45))
    age_width = 7 if spark_width else 6
    name_width = max(4, width - 11 - 8 - age_width - 1 - (spark_width + 1 if spark_width else 0))
    quiet = Role.TEXT if word.role is Role.OK else word.role
    first = cells(
        cell(10, word),
        cell(name_width, probe.name, Role.STRONG if word.role is not Role.OK else Role.TEXT),
        cell(8, latency, quiet, right=True),
        cell(spark_width, sparkline(probe.history, spark_width), Role.DIM),
        Cell(age_width, (reading_age(probe.reading, now),), right=True),
    )
    said = _said(probe, now, width)
    return (first, said) if full or word.role in (Role.BAD, Role.WARN) else (first,)


def _said(probe: ProbeStatus, now: datetime, width: int) -> Line:
    """Trouble first, else the probe's own words and facts."""
    failure = probe.reading.failure
    if failure is not None:
        return clip(((" " * 11, Role.TEXT), (f"cannot ask: {safe(failure.title)}", Role.UNKNOWN)), width)
    value = probe.reading.value
    if value is None:
        return ((" " * 11 + "not asked yet", Role.UNKNOWN),)
    facts = " · ".join(f"{safe(name)} {safe(text)}" for name, text in value.facts)
    words = " · ".join(part for part in (safe(value.detail), facts) if part)
    role = Role.DIM if probe_word(probe, now).role in (Role.OK, Role.UNKNOWN) else Role.TEXT
    return clip(((" " * 11, Role.TEXT), (words, role)), width)
