"""The recent past of a signal as a drawing: a line on the deck, a plot on its page.

Both sides stand on one scale from zero, so that they may be compared by eye; its top is told. The right edge
is now, whatever the age of the last answer: what did not arrive is a gap there. A gap is never bridged:
blank is a time of which nothing is known, `x` no usable answer, `·` an answer without any event, `▲` more
than the scale holds. What the monitor told of the time before this cockpit watched is set apart by `┊` or
by a broken axis.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from cockpit.core.history import Blank, Point, SideHistory, Window
from cockpit.core.snapshot import SignalStatus
from cockpit.face.view import Line, Role, Segment, age, clip, merge, rate, safe
from cockpit.face.view_page import LABEL, plain, section, stated

POINTS: Final = 90
_RECENT: Final = 15
_HEADROOM: Final = 2.0
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_GLYPHS: Final = {Blank.NOT_ASKED: " ", Blank.NO_ANSWER: "x", Blank.NO_EVENTS: "·"}
_TOPS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_TICK_S: Final = 300.0


def strip(history: SideHistory | None, now: datetime, count: int) -> Window:
    if history is None:
        return Window(points=(Blank.NOT_ASKED,) * count, known_from=count, watched_from=count)
    return history.until(now, count)


def scale_top(strips: Iterable[Window]) -> float:
    """The top of the scale in percent: the peak, unless that would flatten what happens now.

    The newest peak reaches a fifth of the height at least; what an old outage had above the scale is `▲`.
    Round numbers: a scale that moved with every point could not be read.
    """
    strips = tuple(strips)
    peak = max((value for each in strips for value in _values(each.points)), default=0.0)
    recent = max((value for each in strips for value in _values(each.points[-_RECENT:])), default=0.0)
    return min(_round_top(peak), _round_top(_HEADROOM * _round_top(recent)))


def _round_top(pct: float) -> float:
    return next((top for top in _TOPS if top >= pct), 100.0)


def _values(points: Sequence[Point]) -> Iterator[float]:
    yield from (point for point in points if not isinstance(point, Blank))


# --- on the deck -----------------------------------------------------------------------------------


def history_line(signal: SignalStatus, now: datetime, width: int, indent: int) -> Line | None:
    """Both sides beside each other: their last minutes, and what the full height means; None without any."""
    sides = (signal.legacy_history, signal.new_history)
    steps = {history.step_s for history in sides if history is not None}
    room = (width - indent - len("legacy   new   to 100%")) // 2
    if not steps or room < 6:
        return None
    count = min(POINTS, room)
    top = scale_top(strip(history, now, count) for history in sides)
    span = age(max(steps) * count) if len(steps) == 1 else ""
    line = (
        (f"{span:>{indent - 1}} ", Role.DIM),
        ("legacy ", Role.DIM),
        *_spark(signal.legacy_history, now, count, top, Role.TEXT),
        ("  new ", Role.DIM),
        *_spark(signal.new_history, now, count, top, Role.STRONG),
        (f"  to {top:g}%", Role.DIM),
    )
    return clip(merge(line), width)


def _spark(history: SideHistory | None, now: datetime, count: int, top: float, role: Role) -> Line:
    """Exactly `count` cells; where the view reaches back to what was told, one of them is the mark."""
    drawn = strip(history, now, count)
    if not drawn.known_from < drawn.watched_from < count:
        return merge(_painted(drawn, top, role))
    drawn = strip(history, now, count - 1)
    cells = list(_painted(drawn, top, role))
    cells.insert(drawn.watched_from, ("┊", Role.RULE))
    return merge(cells)


def _painted(drawn: Window, top: float, role: Role) -> Iterator[Segment]:
    for index, point in enumerate(drawn.points):
        yield (_glyph(point, top), _role(point, index < drawn.watched_from, role))


def _glyph(point: Point, top: float) -> str:
    if isinstance(point, Blank):
        return _GLYPHS[point]
    return "▲" if point > top else _BLOCKS[min(7, int(8 * point / top))]


def _role(point: Point, told: bool, role: Role) -> Role:
    if point is Blank.NO_ANSWER:
        return Role.UNKNOWN
    return Role.DIM if told or isinstance(point, Blank) else role


# --- on its page -----------------------------------------------------------------------------------


def history_page(
    signal: SignalStatus, now: datetime, width: int, moves: Sequence[datetime] = ()
) -> tuple[Line, ...]:
    """A plot of each side over one axis of ages, what its marks mean, and why there is no more.

    moves: when flags were last moved, marked on the axis.
    """
    known = [(name, history) for name, history, _ in _sides(signal) if history is not None]
    if not known:
        return (*section("History"), plain("", "nothing was asked yet", Role.DIM))
    columns = max(10, min(POINTS, width - LABEL))
    return (
        *section(f"History, one point every {known[0][1].step_s:g} s"),
        *plots(signal, now, columns, 3 if columns < POINTS else 4, moves),
        _legend(signal, now, columns, moves),
        *(
            plain(f"past of {name}", f"not told by {history.note}", Role.NOTE)
            for name, history in known
            if history.note
        ),
    )


def plots(
    signal: SignalStatus, now: datetime, columns: int, rows: int, moves: Sequence[datetime] = ()
) -> tuple[Line, ...]:
    """Legacy above new, so many rows high each, on one scale and one axis; empty where nothing is known.

    An axis each where the sides are told in other steps or were not watched for the same time.
    """
    sides = [(name, history, role) for name, history, role in _sides(signal) if history is not None]
    windows = {name: history.until(now, columns) for name, history, _ in sides}
    top = scale_top(windows.values())
    apart = len({(history.step_s, history.watched) for _, history, _ in sides}) > 1
    lines: list[Line] = []
    for number, (name, history, role) in enumerate(sides, start=1):
        lines.extend(_plot(name, windows[name], top, rows, role))
        if apart or number == len(sides):
            moved = {_column_of(each, now, history.step_s, columns) for each in moves}
            lines.extend(_axis(windows[name], history.step_s, moved))
    return tuple(lines)


def _sides(signal: SignalStatus) -> tuple[tuple[str, SideHistory | None, Role], ...]:
    return (("legacy", signal.legacy_history, Role.TEXT), ("new", signal.new_history, Role.STRONG))


def _plot(name: str, drawn: Window, top: float, rows: int, role: Role) -> Iterator[Line]:
    for row in range(rows):
        label = f"{top:g}%" if row == 0 else "0%" if row == rows - 1 else ""
        head: Segment = (f"{name if row == 0 else '':<8}{label:>{LABEL - 10}} ┤", Role.DIM)
        below = rows - 1 - row
        cells = (
            (_cell(point, top, below, rows), _role(point, index < drawn.watched_from, role))
            for index, point in enumerate(drawn.points)
        )
        yield merge((head, *cells))


def _cell(point: Point, top: float, below: int, rows: int) -> str:
    """The part of a point's column that falls into a row; `below` is how many rows are under it."""
    if isinstance(point, Blank):
        return _GLYPHS[point] if below == 0 else " "
    if point > top:
        return "▲" if below == rows - 1 else "█"
    filled = max(1, round(8 * rows * point / top)) - 8 * below
    return " " if filled <= 0 else _BLOCKS[min(8, filled) - 1]


def _column_of(moment: datetime, now: datetime, step_s: float, columns: int) -> int:
    """Below 0 for what lies further back than the axis."""
    return columns - 1 - max(0, round((now - moment).total_seconds() / max(1.0, step_s)))


def _axis(drawn: Window, step_s: float, moved: Collection[int]) -> Iterator[Line]:
    """The time line, broken where the monitor told and whole where this cockpit watched; and the ages."""
    columns = len(drawn.points)
    told, watched = drawn.watched_from - drawn.known_from, columns - drawn.watched_from
    rail = [*(" " * drawn.known_from), *("╌" * told), *("─" * watched)]
    ages = [" "] * columns
    _written(ages, columns, "now")
    tick_s = _TICK_S if columns * step_s < 6 * _TICK_S else 2 * _TICK_S
    for number in range(1, int(columns * step_s / tick_s) + 1):
        at = columns - 1 - round(number * tick_s / step_s)
        if at >= 0:
            rail[at] = "┴"
            _written(ages, at + 1, age(number * tick_s))
    marked = (("◆", Role.ACCENT) if at in moved else (cell, Role.RULE) for at, cell in enumerate(rail))
    yield stated("", *merge(marked))
    yield stated("", ("".join(ages), Role.DIM))


def _written(ages: list[str], end: int, text: str) -> None:
    """Put a label so that it ends at a column; one without room is left out."""
    start = end - len(text)
    if start >= 0 and all(cell == " " for cell in ages[max(0, start - 1) : end + 1]):
        ages[start:end] = text


def _legend(signal: SignalStatus, now: datetime, columns: int, moves: Sequence[datetime]) -> Line:
    known = [history for _, history, _ in _sides(signal) if history is not None]
    windows = [history.until(now, columns) for history in known]
    points = [point for each in windows for point in each.points]
    peak = max(_values(points), default=0.0)
    words = [f"bad events in the {age(max(history.window_s for history in known))} before"]
    if any(each.known_from < each.watched_from for each in windows):
        words.append("╌ told by the monitor")
    if any(_column_of(each, now, known[-1].step_s, columns) >= 0 for each in moves):
        words.append("◆ a flag was moved")
    if Blank.NO_ANSWER in points:
        words.append("x no answer")
    if Blank.NO_EVENTS in points:
        words.append("· no events")
    if peak > scale_top(windows):
        words.append(f"▲ higher, up to {rate(peak)}")
    return stated("", (safe("   ".join(words)), Role.DIM))
