"""Words for values: the vocabulary of every screen, as pure functions over core values and `now`.

A `Line` is a tuple of (text, role). Roles say what a piece of text means; themes say how that looks.
Nothing here imports Textual, reads a clock or knows a widget.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from rich.cells import cell_len, chop_cells

from cockpit.core.clean import Percent, clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Freshness, Health, Reading, Verdict
from cockpit.core.snapshot import Agreement, Level

T = TypeVar("T")
NOTHING: Final = "—"


class Role(StrEnum):
    """What a piece of text means. UNKNOWN looks like neither OK nor BAD in every theme.

    ALARM, CAUTION and DOUBT are BAD, WARN and UNKNOWN on filled ground: the loudest. CURSOR marks where
    a person is. The BIG ones are for letters drawn of blocks, which reverse or underline would spoil.
    The last four are the grounds of the mode banner.
    """

    TEXT = "text"
    DIM = "dim"
    STRONG = "strong"
    RULE = "rule"
    ACCENT = "accent"
    KEY = "key"
    OK = "ok"
    NOTE = "note"
    UNKNOWN = "unknown"
    WARN = "warn"
    BAD = "bad"
    ALARM = "alarm"
    CAUTION = "caution"
    DOUBT = "doubt"
    CURSOR = "cursor"
    BIG_UNKNOWN = "big-unknown"
    BIG_WARN = "big-warn"
    BIG_BAD = "big-bad"
    LIVE = "live"
    DEMO = "demo"
    DRILL = "drill"
    WATCH = "watch"


Segment = tuple[str, Role]
Line = tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing a person can move to: its key, its place in the panel's grid, and its lines."""

    key: str
    lines: tuple[Line, ...]
    column: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """A state in three ways at once: glyph, word, and the role that colours both."""

    glyph: str
    text: str
    role: Role

    def __str__(self) -> str:
        return f"{self.glyph} {self.text}"

    @property
    def segment(self) -> Segment:
        return (str(self), self.role)


LEVEL_ROLE: Final = {
    Level.OK: Role.OK,
    Level.NOTE: Role.NOTE,
    Level.UNKNOWN: Role.UNKNOWN,
    Level.WARN: Role.WARN,
    Level.BAD: Role.BAD,
}
LEVEL_WORD: Final = {
    Level.OK: Word("✓", "OK", Role.OK),
    Level.NOTE: Word("·", "NOTE", Role.NOTE),
    Level.UNKNOWN: Word("?", "UNKNOWN", Role.UNKNOWN),
    Level.WARN: Word("!", "WARNING", Role.WARN),
    Level.BAD: Word("✗", "BAD", Role.BAD),
}
LEVEL_ORDER: Final = (Level.OK, Level.NOTE, Level.UNKNOWN, Level.WARN, Level.BAD)
HEALTH_WORD: Final = {
    Health.OK: Word("✓", "OK", Role.OK),
    Health.DEGRADED: Word("!", "DEGRADED", Role.WARN),
    Health.DOWN: Word("✗", "DOWN", Role.BAD),
    Health.UNKNOWN: Word("?", "UNKNOWN", Role.UNKNOWN),
}
VERDICT_WORD: Final = {
    Verdict.REGRESSED: Word("✗", "REGRESSED", Role.BAD),
    Verdict.NOT_WORSE: Word("✓", "NOT WORSE", Role.OK),
    Verdict.UNDECIDED: Word("○", "UNDECIDED", Role.NOTE),
    Verdict.UNKNOWN: Word("?", "UNKNOWN", Role.UNKNOWN),
}
AGREEMENT_WORD: Final = {
    Agreement.AGREE: Word("✓", "AGREE", Role.OK),
    Agreement.PROPAGATING: Word("→", "MOVING", Role.NOTE),
    Agreement.DIFFER: Word("✗", "DIFFER", Role.BAD),
    Agreement.UNKNOWN: Word("?", "UNKNOWN", Role.UNKNOWN),
}
STALE_WORD: Final = Word("~", "STALE", Role.UNKNOWN)
FRESHNESS_WORD: Final = {
    Freshness.FRESH: Word("✓", "FRESH", Role.OK),
    Freshness.STALE: STALE_WORD,
    Freshness.UNKNOWN: Word("?", "UNKNOWN", Role.UNKNOWN),
}


def worst(levels: Iterable[Level]) -> Level:
    return max(levels, key=LEVEL_ORDER.index, default=Level.OK)


# --- numbers and times -------------------------------------------------------------------------


def age(seconds: float) -> str:
    """How long ago or how long since: `94 s`, `2 min`, `1 h 20 min`, `3 d`. Never negative."""
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86_400:
        hours, minutes = whole // 3600, whole % 3600 // 60
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    return f"{whole // 86_400} d"


def since(moment: datetime | None, now: datetime) -> str:
    return NOTHING if moment is None else age((now - moment).total_seconds())


def time_left(seconds: float) -> str:
    """A wait that is still ahead: whole minutes while far, seconds in the last two minutes."""
    return age(int(seconds + 0.999))


def countdown(seconds: float) -> str:
    """`14:59` before the deadline, `+1:15` after it: overrun is never hidden."""
    whole = int(abs(seconds)) if seconds < 0 else int(seconds + 0.999)
    hours, rest = divmod(whole, 3600)
    clock = f"{rest // 60:02d}:{rest % 60:02d}"
    text = f"{hours}:{clock}" if hours else clock
    return f"+{text}" if seconds < 0 and whole else text


def percent(share: Percent | None) -> str:
    return NOTHING if share is None else str(share)


def rate(rate_pct: float | None) -> str:
    """A rate in percent with the digits that matter: `0.78%`, `12.4%`, `100%`."""
    if rate_pct is None:
        return NOTHING
    if rate_pct >= 99.95:
        return "100%"
    return f"{rate_pct:.1f}%" if rate_pct >= 10 else f"{rate_pct:.2f}%"


def ratio(legacy_pct: float | None, new_pct: float | None) -> str:
    """New against legacy: `0.8x`, `9.9x`; `only new` when legacy has none at all."""
    if legacy_pct is None or new_pct is None:
        return NOTHING
    if legacy_pct == 0:
        return "only new" if new_pct > 0 else "0 / 0"
    value = new_pct / legacy_pct
    return f"{value:.0f}x" if value >= 100 else f"{value:.1f}x"


def milliseconds(latency_ms: float | None) -> str:
    if latency_ms is None:
        return NOTHING
    return f"{latency_ms / 1000:.1f} s" if latency_ms >= 1000 else f"{latency_ms:.0f} ms"


def count(number: float) -> str:
    """`842`, `5 400`, `1.2 M`."""
    if number >= 10_000_000:
        return f"{number / 1_000_000:.0f} M"
    if number >= 1_000_000:
        return f"{number / 1_000_000:.1f} M"
    return f"{number:,.0f}".replace(",", " ")


def clock_text(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}"


def reading_age(reading: Reading[T], now: datetime) -> Segment:
    """The age of a reading: one quiet bound while fresh, the exact ticking age when it is not."""
    seconds = reading.age_s(now)
    if seconds is None:
        return ("never", Role.UNKNOWN)
    if reading.freshness(now) is Freshness.FRESH:
        bound_s = 2 * reading.interval_s
        return (f"<{bound_s:g} s" if bound_s < 120 else f"<{age(bound_s)}", Role.DIM)
    return (age(seconds) if seconds < 3600 else age(seconds // 3600 * 3600), Role.UNKNOWN)


# --- small pictures made of text ------------------------------------------------------------------

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
SPARK_FLOOR_MS: Final = 20.0


def sparkline(history: Sequence[float | None], width: int, floor: float = SPARK_FLOOR_MS) -> str:
    """The last values as blocks on a scale from zero to `floor` at least, so that small wobbles stay small;
    `x` is no answer."""
    shown = history[-width:] if width > 0 else ()
    top = max([floor, *(value for value in shown if value is not None)])
    blocks = "".join(
        "x" if value is None else _BLOCKS[min(7, int(8 * max(0.0, value) / top))] for value in shown
    )
    return blocks.rjust(width)


def stage_bar(
    marks: Sequence[Percent], filled: Percent | None, observed: Percent | None, width: int
) -> tuple[Segment, ...]:
    """0 to 100 % on one line: heavy up to `filled`, crosses at the stages, a diamond where traffic is."""
    if filled is None:
        return (("╌" * width, Role.UNKNOWN),)
    solid = _cells_of(filled, width)
    crosses = {max(0, _cells_of(mark, width) - 1) for mark in marks}
    seen = None if observed is None else max(0, _cells_of(observed, width) - 1)
    cells: list[Segment] = []
    for index in range(width):
        inside = index < solid
        if index == seen and (observed is None or observed.hundredths):
            cells.append(("◆", Role.STRONG))
        elif index in crosses:
            cells.append(("╋" if inside else "┼", Role.ACCENT if inside else Role.DIM))
        else:
            cells.append(("━" if inside else "─", Role.ACCENT if inside else Role.RULE))
    return merge(cells)


def _cells_of(share: Percent, width: int) -> int:
    """Any share above zero shows; only a full one fills the bar."""
    if share.hundredths in (0, 10_000):
        return width if share.hundredths else 0
    return min(width - 1, max(1, round(width * share.hundredths / 10_000)))


def evidence_bar(regressed: float, not_worse: float, width: int) -> tuple[Segment, ...]:
    """A tug of war: evidence pulls left toward REGRESSED and right toward NOT WORSE; full is a verdict."""
    half = max(1, (width - 1) // 2)
    left, right = _fill(regressed, half), _fill(not_worse, half)
    return merge(
        (
            ("─" * (half - left), Role.RULE),
            ("━" * left, Role.BAD),
            ("┃", Role.DIM),
            ("━" * right, Role.OK),
            ("─" * (half - right), Role.RULE),
        )
    )


def _fill(share: float, width: int) -> int:
    """Full only at a verdict, empty only at nothing worth a cell."""
    if share >= 1:
        return width
    return min(width - 1, max(0, round(share * width)))


# --- fitting lines into widths ---------------------------------------------------------------------


def safe(text: str) -> str:
    """Text as it may be painted, cleaned once more where something slipped through."""
    return text if text.isprintable() else clean_text(text)


def merge(segments: Iterable[Segment]) -> Line:
    """Neighbours of one role become one segment; empty ones vanish."""
    merged: list[Segment] = []
    for text, role in segments:
        if not text:
            continue
        if merged and merged[-1][1] is role:
            merged[-1] = (merged[-1][0] + text, role)
        else:
            merged.append((text, role))
    return tuple(merged)


def width_of(line: Line) -> int:
    """In cells. Most text is ASCII, and asking for its width is what words cost the most."""
    width = 0
    for text, _ in line:
        width += len(text) if text.isascii() and text.isprintable() else cell_len(text)
    return width


def text_of(line: Line) -> str:
    return "".join(text for text, _ in line)


def cut(text: str, width: int) -> str:
    """At most `width` cells; an ellipsis says that something is missing."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    return chop_cells(text, width - 1)[0].rstrip() + "…"


def fit(text: str, width: int) -> str:
    """Exactly `width` cells."""
    short = cut(text, width)
    return short + " " * (width - cell_len(short))


def clip(line: Line, width: int) -> Line:
    """A line of at most `width` cells, cut with an ellipsis."""
    if width_of(line) <= width:
        return line
    kept: list[Segment] = []
    room = width
    for text, role in line:
        if cell_len(text) >= room:
            kept.append((cut(text + "  ", room), role))
            break
        kept.append((text, role))
        room -= cell_len(text)
    return tuple(kept)


def pad(row: Line, width: int) -> Line:
    """Exactly `width` cells."""
    fitted = clip(row, width)
    return merge((*fitted, (" " * (width - width_of(fitted)), Role.TEXT)))


def split_end(line: Line, width: int) -> tuple[Line, Line]:
    """A line and its last `width` characters apart; meant for ends made of narrow characters."""
    head: list[Segment] = list(line)
    tail: list[Segment] = []
    room = width
    while head and room > 0:
        text, role = head.pop()
        if len(text) > room:
            head.append((text[:-room], role))
            text = text[-room:]
        tail.insert(0, (text, role))
        room -= len(text)
    return tuple(head), tuple(tail)


@dataclass(frozen=True, slots=True)
class Cell:
    """One column of a row: what stands in it and how wide. Width 0 leaves the column out."""

    width: int
    line: Line
    right: bool = False


def cell(width: int, text: str | Word, role: Role = Role.TEXT, *, right: bool = False) -> Cell:
    """A column of one piece; a `Word` brings its own tone. Text is made safe here."""
    piece = text.segment if isinstance(text, Word) else (safe(text), role)
    return Cell(width, (piece,), right)


def cells(*columns: Cell, gap: int = 1) -> Line:
    """Columns side by side, each exactly its width."""
    parts: list[Segment] = []
    for column in columns:
        if column.width <= 0:
            continue
        if parts:
            parts.append((" " * gap, Role.TEXT))
        body = clip(column.line, column.width)
        space = (" " * (column.width - width_of(body)), Role.TEXT)
        parts.extend((space, *body) if column.right else (*body, space))
    return merge(parts)


def heading(number: str, title: str, notes: Line, width: int, *, focused: bool) -> Line:
    """A panel's first line: its number and name, a thin rule, and what matters about it at the end."""
    name: Line = (
        (f"{number} ", Role.KEY),
        (f"{title} ", Role.ACCENT if focused else Role.STRONG),
    )
    tail: Line = ((" ", Role.TEXT), *notes) if notes else ()
    kept = clip(tail, max(0, width - width_of(name) - 1))
    ruled = max(0, width - width_of(name) - width_of(kept))
    return clip((*name, ("─" * ruled, Role.RULE), *kept), width)
