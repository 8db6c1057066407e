"""The signals panel in words: is the new side worse than the legacy side, how sure, and when will we know."""

from __future__ import annotations

from datetime import datetime

from cockpit.core.figures import length
from cockpit.core.model import Freshness, Quality, Verdict
from cockpit.core.snapshot import SideRate, SignalStatus, Snapshot
from cockpit.face.view import (
    NOTHING,
    STALE_WORD,
    VERDICT_WORD,
    Cell,
    Line,
    Role,
    Row,
    Segment,
    Word,
    cell,
    cells,
    clip,
    evidence_bar,
    rate,
    ratio,
    safe,
)
from cockpit.face.view_history import POINTS, history_line, plots
from cockpit.face.view_page import LABEL

WIDE = 76
LEFT_POLE = Verdict.REGRESSED.words.lower()
RIGHT_POLE = Verdict.NOT_WORSE.words.lower()
_POLE = len(LEFT_POLE)
_INDENT = 13
_NARROW_INDENT = 9
_LOWEST_PLOT = 2
_HIGHEST_PLOT = 6
_BESIDE_PLOTS = 5
"""Two lines of words, two of the axis and a gap."""


def signal_word(signal: SignalStatus, now: datetime) -> Word:
    """The verdict. A verdict of old readings is STALE; REGRESSED stays, because it asks for an act."""
    verdict = signal.evidence.verdict
    if signal.limit_breached and verdict is not Verdict.REGRESSED:
        return Word("✗", "OVER LIMIT", Role.BAD)
    if verdict is not Verdict.REGRESSED and signal.reading.freshness(now) is Freshness.STALE:
        return STALE_WORD
    if verdict is not Verdict.REGRESSED and signal.reading.freshness(now) is Freshness.UNKNOWN:
        return VERDICT_WORD[Verdict.UNKNOWN]
    if verdict is Verdict.UNDECIDED and signal.evidence.warning:
        return Word("!", "SUSPECT", Role.WARN)
    return VERDICT_WORD[verdict]


def signal_rows(
    snapshot: Snapshot, now: datetime, width: int, *, full: bool, rich: bool = False, height: int = 0
) -> tuple[Row, ...]:
    """rich: with a line of its own for the history, where there is one. height: lines that the rows may fill:
    the histories are plotted then, if that is enough for all of them.
    """
    plotted = min(_HIGHEST_PLOT, (height // max(1, len(snapshot.signals)) - _BESIDE_PLOTS) // 2)
    if plotted < _LOWEST_PLOT:
        return tuple(
            Row(key=signal.name, lines=signal_lines(signal, now, width, full=full, rich=rich))
            for signal in snapshot.signals
        )
    columns = max(10, min(POINTS, width - LABEL))
    return tuple(
        Row(
            key=signal.name,
            lines=(
                *signal_lines(signal, now, width, full=True),
                *(clip(line, width) for line in plots(signal, now, columns, plotted)),
                (),
            ),
        )
        for signal in snapshot.signals
    )


def column_titles(width: int) -> Line:
    """The header above the signals; its columns are those of `signal_lines`."""
    bar = bar_width(width)
    reach = max(0, _POLE - bar // 2) if bar else 0
    titles = (
        cell(12, "verdict"),
        cell(_name_width(width), "signal"),
        cell(6, "legacy", right=True),
        cell(6, "new", right=True),
        cell(8 - reach, "ratio", right=True),
        cell(bar + 2 * reach, _poles(bar, reach)),
        cell(8 - reach, "due", right=True),
    )
    return tuple((text, Role.DIM) for text, _ in cells(*titles))


def _poles(bar: int, reach: int) -> str:
    """What the two ends of the bar mean, around its middle; reach: how far they stand out over the bar."""
    half = bar // 2
    left, right = (LEFT_POLE, RIGHT_POLE) if half < _POLE + 2 else (f"◂ {LEFT_POLE}", f"{RIGHT_POLE} ▸")
    return f"{left:>{half + reach}}┃{right}"


def bar_width(width: int) -> int:
    """The evidence bar in the first line, where there is room for it."""
    return 0 if width < WIDE else min(31, (width - 64) // 2 * 2 + 1)


def _name_width(width: int) -> int:
    bar = bar_width(width)
    return max(4, width - 12 - 6 - 6 - 8 - 8 - 5 - (bar + 1 if bar else 0))


def signal_lines(
    signal: SignalStatus, now: datetime, width: int, *, full: bool, rich: bool = False
) -> tuple[Line, ...]:
    word = signal_word(signal, now)
    bar = bar_width(width)
    loud = word.role if word.role in (Role.BAD, Role.WARN, Role.UNKNOWN) else Role.TEXT
    legacy, new = side_rates(signal, now, loud)
    first = cells(
        cell(12, word),
        cell(_name_width(width), signal.title, Role.STRONG),
        Cell(6, (legacy,), right=True),
        Cell(6, (new,), right=True),
        cell(8, sides_ratio(signal, now), loud, right=True),
        Cell(bar, _bar(signal, word, bar)),
        Cell(8, (to_verdict(signal),), right=True),
    )
    second = clip(_second(signal, word, with_bar=not bar), width)
    if not full:
        return (clip(first, width),)
    past = history_line(signal, now, width, _INDENT if bar else _NARROW_INDENT) if rich else None
    return (clip(first, width), second) if past is None else (clip(first, width), second, past)


def _bar(signal: SignalStatus, word: Word, width: int) -> tuple[Segment, ...]:
    """The evidence so far. Where it says nothing of now, it has no colour that a verdict has; beside a
    REGRESSED, which stands, it has none of the other one."""
    drawn = evidence_bar(signal.evidence.fill_regressed, signal.evidence.fill_not_worse, width)
    muted = {Role.UNKNOWN: (Role.BAD, Role.OK), Role.BAD: (Role.OK,)}.get(word.role, ())
    return tuple((text, Role.DIM if role in muted else role) for text, role in drawn)


def sides_ratio(signal: SignalStatus, now: datetime) -> str:
    """New against legacy, where both sides are known: never a ratio of two numbers that nobody shows."""
    if any(shown == NOTHING for shown, _ in side_rates(signal, now, Role.TEXT)):
        return NOTHING
    return ratio(signal.legacy.rate_pct, signal.new.rate_pct)


def side_rates(signal: SignalStatus, now: datetime, loud: Role) -> tuple[Segment, Segment]:
    """The rates of both sides, `loud` for the new one; a dash, never a zero, without good data and where
    what was read is too old to be known."""
    freshness = signal.reading.freshness(now)
    if freshness is Freshness.UNKNOWN:
        return ((NOTHING, Role.UNKNOWN), (NOTHING, Role.UNKNOWN))
    stale = freshness is not Freshness.FRESH
    roles = (Role.UNKNOWN, Role.UNKNOWN) if stale else (Role.TEXT, loud)
    return (_side_rate(signal.legacy, roles[0]), _side_rate(signal.new, roles[1]))


def _side_rate(side: SideRate, role: Role) -> Segment:
    if side.quality is not Quality.GOOD or side.rate_pct is None:
        return (NOTHING, Role.UNKNOWN)
    return (rate(side.rate_pct), role)


def to_verdict(signal: SignalStatus) -> Segment:
    """How long until the judge can say something, at present traffic."""
    evidence = signal.evidence
    if evidence.verdict in (Verdict.REGRESSED, Verdict.NOT_WORSE):
        return ("", Role.DIM)
    if evidence.forecast_s is None:
        return (NOTHING, Role.UNKNOWN)
    return (f"~{length(max(1.0, evidence.forecast_s))}", Role.NOTE)


def _second(signal: SignalStatus, word: Word, *, with_bar: bool) -> Line:
    parts: list[str] = []
    if signal.limit_pct is not None:
        said = safe(signal.limit_text)
        head = "OVER LIMIT " if signal.limit_breached else "" if "limit" in said else "limit "
        parts.append(head + said)
    failure = signal.reading.failure
    if failure is not None:
        parts.insert(0, f"cannot see: {safe(failure.title)}")
    if not with_bar and signal.evidence.text:
        parts.append(safe(signal.evidence.text))
    role = Role.BAD if signal.limit_breached else Role.NOTE if failure is not None else Role.DIM
    words = " · ".join(part for part in parts if part)
    indent: Line = ((" " * _INDENT, Role.TEXT),)
    pull: Line = ((f"  {LEFT_POLE} ", Role.DIM), *_bar(signal, word, 11), (f" {RIGHT_POLE}  ", Role.DIM))
    bar = pull if with_bar else indent
    return (*bar, (words, role))
