"""The backends panel in words: legacy left, new right, one probe a row; never a healthy word for old news."""

from __future__ import annotations

from datetime import datetime
from itertools import zip_longest
from typing import Final

from cockpit.core.model import Freshness, Health, Side
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
from cockpit.face.view_lines import named

GUTTER: Final = 2
_AGE: Final = 6
_NAME: Final = 12
_LATENCY: Final = 6
_FIXED: Final = 10 + _LATENCY + 1 + _AGE + 3
_LEAST_NAME: Final = 8
"""Where a name would have less, it stands in the place of the last latencies."""
_BOTH_FROM: Final = _FIXED + _NAME + 4
_SIDES = (Side.LEGACY, Side.NEW)


def probe_word(probe: ProbeStatus, now: datetime) -> Word:
    """What a probe says now; what it said long ago is STALE, then UNKNOWN, whatever it was."""
    freshness = probe.reading.freshness(now)
    if freshness is Freshness.STALE:
        return STALE_WORD
    value = probe.reading.fresh_value(now)
    return HEALTH_WORD[value.health] if value is not None else HEALTH_WORD[Health.UNKNOWN]


def backend_word(backend: BackendStatus, now: datetime) -> Word:
    """The side's health as its required probes still say it: what none of them knows any more is UNKNOWN,
    be it good or bad, and a healthy word needs all of them fresh."""
    required = [probe.reading for probe in backend.probes if probe.required]
    known = [reading.fresh_value(now) for reading in required]
    if any(value is not None and value.health is Health.DOWN for value in known):
        return HEALTH_WORD[Health.DOWN]
    freshness = [reading.freshness(now) for reading in required]
    if Freshness.UNKNOWN in freshness:
        return HEALTH_WORD[Health.UNKNOWN]
    word = HEALTH_WORD[backend.health]
    return STALE_WORD if word.role is Role.OK and Freshness.STALE in freshness else word


def by_side(snapshot: Snapshot, side: Side) -> BackendStatus | None:
    return next((backend for backend in snapshot.backends if backend.side is side), None)


def half_widths(width: int) -> tuple[int, int]:
    left = (width - GUTTER) // 2
    return (left, width - GUTTER - left)


def backend_titles(snapshot: Snapshot, now: datetime, width: int) -> Line:
    """Both sides' names with their health, over their halves."""
    halves = [
        _title(by_side(snapshot, side), side, now, each)
        for side, each in zip(_SIDES, half_widths(width), strict=True)
    ]
    return merge((*halves[0], (" " * GUTTER, Role.TEXT), *halves[1]))


def _title(backend: BackendStatus | None, side: Side, now: datetime, width: int) -> Line:
    if backend is None:
        return ((fit(f"{side.upper()} has no probes", width), Role.UNKNOWN),)
    word = backend_word(backend, now)
    name = Cell(width - 11, ((f"{side.upper()} ", Role.STRONG), (safe(backend.title), Role.DIM)))
    return cells(name, Cell(10, (word.segment,), right=True))


class KnownProbes:
    """The words of the last picture, for one width and form: a plan may have hundreds of probes, and between
    two pictures few of them say anything new. What else their words depend on is compared, too.
    """

    def __init__(self) -> None:
        self._words: dict[str, tuple[ProbeStatus, object, tuple[Line, ...]]] = {}
        self._next: dict[str, tuple[ProbeStatus, object, tuple[Line, ...]]] = {}

    def lines(
        self, key: str, probe: ProbeStatus, now: datetime, width: int, *, full: bool
    ) -> tuple[Line, ...]:
        by_clock = (probe.reading.freshness(now), reading_age(probe.reading, now), width)
        known = self._words.get(key)
        if known is None or known[1] != by_clock or known[0] != probe:
            known = (probe, by_clock, probe_lines(probe, now, width, full=full))
        self._next[key] = known
        return known[2]

    def turn(self) -> None:
        """The picture is complete: probes that were not in it are forgotten."""
        self._words, self._next = self._next, {}


def backend_rows(
    snapshot: Snapshot, now: datetime, width: int, *, full: bool, known: KnownProbes | None = None
) -> tuple[Row, ...]:
    """Every probe as a row of its half: column 0 legacy, column 1 new, in reading order."""
    known = KnownProbes() if known is None else known
    rows: list[Row] = []
    sides = [by_side(snapshot, side) for side in _SIDES]
    widths = half_widths(width)
    for pair in zip_longest(*(backend.probes if backend else () for backend in sides)):
        for column, (probe, each) in enumerate(zip(pair, widths, strict=True)):
            if probe is not None:
                key = f"{_SIDES[column]}/{probe.name}"
                lines = known.lines(key, probe, now, each - 1, full=full)
                rows.append(Row(key=key, lines=lines, column=column))
    known.turn()
    return tuple(rows)


def probe_lines(probe: ProbeStatus, now: datetime, width: int, *, full: bool) -> tuple[Line, ...]:
    """Word, name, latency, the last latencies as blocks, age; then what the probe said."""
    word = probe_word(probe, now)
    value = probe.reading.value
    latency = milliseconds(None if value is None else value.latency_ms)
    fresh = probe.reading.freshness(now) is Freshness.FRESH
    spark_width = min(12, width - _FIXED - _NAME) if width >= _BOTH_FROM else 0
    last_width = spark_width + 1 + _AGE if spark_width else _AGE
    trend: Line = ((sparkline(probe.history, spark_width or _AGE), Role.DIM),)
    told = reading_age(probe.reading, now)
    if spark_width:
        trend = (*trend, (told[0].rjust(_AGE + 1), told[1]))
    elif not fresh:
        trend = (told,)
    elif width < _FIXED + _LEAST_NAME:
        last_width = 0
    quiet = Role.TEXT if word.role is Role.OK else word.role
    name_width = width - 10 - _LATENCY - last_width - (3 if last_width else 2)
    first = cells(
        cell(10, word),
        cell(name_width, named(probe.name, name_width), Role.TEXT if quiet is Role.TEXT else Role.STRONG),
        cell(_LATENCY, latency, quiet, right=True),
        Cell(last_width, trend, right=True),
    )
    said = _said(probe, now, width)
    return (first, said) if full or word.role in (Role.BAD, Role.WARN) else (first,)


def _said(probe: ProbeStatus, now: datetime, width: int) -> Line:
    """Trouble first, else the probe's own words and facts."""
    failure = probe.reading.failure
    if failure is not None:
        return clip(((" " * 11, Role.TEXT), (f"cannot ask: {safe(failure.title)}", Role.NOTE)), width)
    value = probe.reading.value
    if value is None:
        return ((" " * 11 + "not asked yet", Role.NOTE),)
    facts = " · ".join(f"{safe(name)} {safe(text)}" for name, text in value.facts)
    words = " · ".join(part for part in (safe(value.detail), facts) if part)
    role = Role.DIM if probe_word(probe, now).role in (Role.OK, Role.UNKNOWN) else Role.TEXT
    return clip(((" " * 11, Role.TEXT), (words, role)), width)
