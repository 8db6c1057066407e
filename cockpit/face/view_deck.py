"""How the deck shares its rows: pure arithmetic over heights, so that every size is decided the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from cockpit.core.dataclass import dataclass
from cockpit.face.view import Line, Role, Row, Segment, merge, pad

MEDIUM_FROM: Final = 110
WIDE_FROM: Final = 170
HEAD_LINES: Final = 2
JOURNAL_MIN: Final = 3


class Shape(StrEnum):
    """NARROW: one column. MEDIUM: signals beside journal. WIDE: two columns throughout."""

    NARROW = "narrow"
    MEDIUM = "medium"
    WIDE = "wide"


def shape_of(width: int) -> Shape:
    if width >= WIDE_FROM:
        return Shape.WIDE
    return Shape.MEDIUM if width >= MEDIUM_FROM else Shape.NARROW


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Lines a panel would like in its dense and in its full form, heading included.

    rich: in its full form with what it shows only where there is room to spare; 0 where it has no such form.
    """

    dense: int
    full: int
    rich: int = 0

    def of(self, full: bool) -> int:
        return self.full if full else self.dense


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Heights of the grid's rows in order, which panels show their full form, whether signals are rich."""

    rows: tuple[int, ...]
    full: tuple[bool, bool, bool, bool]
    rich: bool = False


_FORMS: Final = (
    (True, True, True, True),
    (True, False, True, True),
    (True, False, False, False),
    (False, False, False, False),
)


def arrange(
    shape: Shape, height: int, rollout: Want, backends: Want, signals: Want, parity: Want | None = None
) -> Plot:
    """Share `height` lines. Full forms where everything fits with a gap, then rollout first, else dense.

    The rich form of the signals costs nobody else a line.
    """
    best = Plot(rows=(), full=_FORMS[-1])
    richer = ((_FORMS[0], True),) if signals.rich > signals.full else ()
    for full, rich in (*richer, *((form, False) for form in _FORMS)):
        verdicts = replace(signals, full=signals.rich) if rich else signals
        wants = (rollout, backends, verdicts, parity)
        lines = tuple(0 if want is None else want.of(each) for want, each in zip(wants, full, strict=True))
        wanted = _needed(shape, lines, gap=any(full), parity=parity is not None)
        best = Plot(rows=allot(wanted, height), full=full, rich=rich)
        if sum(wanted) <= height:
            break
    return best


def _needed(shape: Shape, lines: Sequence[int], *, gap: bool, parity: bool) -> tuple[int, ...]:
    """Parity stands beside the signals, and the journal under both, where there are two columns."""
    flags, probes, verdicts, checks = lines
    space = 1 if gap else 0
    if shape is Shape.NARROW:
        compared = (checks + space,) if parity else ()
        return (flags + space, probes + space, verdicts + space, *compared, JOURNAL_MIN)
    upper = (max(flags, probes) + space,) if shape is Shape.WIDE else (flags + space, probes + space)
    if parity:
        return (*upper, max(verdicts, checks) + space, JOURNAL_MIN)
    return (*upper, max(verdicts, JOURNAL_MIN))


def allot(wanted: Sequence[int], height: int) -> tuple[int, ...]:
    """Heights that sum to `height`: the last row takes what is left, a shortage is taken from the tallest."""
    heights = list(wanted)
    while sum(heights) > height and max(heights) > 1:
        heights[max(range(len(heights)), key=lambda index: (heights[index], index))] -= 1
    heights[-1] += max(0, height - sum(heights))
    return tuple(heights)


def window(heights: Sequence[int], room: int, top: int, chosen: int | None) -> tuple[int, int]:
    """The first and one past the last row to show, near `top`, with the chosen one among them."""
    count = len(heights)
    top = max(0, min(top, count - 1)) if count else 0
    if chosen is not None and chosen < top:
        top = chosen
    while True:
        end, used = top, 0
        while end < count and (used + heights[end] <= room or end == top):
            used += heights[end]
            end += 1
        if chosen is None or chosen < end or top >= chosen:
            break
        top += 1
    while top > 0 and sum(heights[top - 1 : end]) <= room and end == count:
        top -= 1
    return top, end


def bands(rows: Sequence[Row]) -> tuple[tuple[int, ...], ...]:
    """Indexes of rows that stand side by side: a row of column 0 begins a new band."""
    found: list[list[int]] = []
    for index, row in enumerate(rows):
        if row.column == 0 or not found or any(rows[other].column == row.column for other in found[-1]):
            found.append([])
        found[-1].append(index)
    return tuple(tuple(band) for band in found)


def band_height(rows: Sequence[Row], band: Sequence[int]) -> int:
    return max((len(rows[index].lines) for index in band), default=0)


def band_lines(
    rows: Sequence[Row], band: Sequence[int], chosen: int | None, widths: Sequence[int], gutter: int
) -> tuple[Line, ...]:
    """The lines of one band: each row in its column behind a one-cell mark, the chosen one marked."""
    lines: list[Line] = []
    for y in range(band_height(rows, band)):
        parts: list[Segment] = []
        for column, width in enumerate(widths):
            if column:
                parts.append((" " * gutter, Role.TEXT))
            index = next((index for index in band if rows[index].column == column), None)
            parts.extend(_marked(rows, index, y, chosen, width))
        lines.append(merge(parts))
    return tuple(lines)


def _marked(rows: Sequence[Row], index: int | None, y: int, chosen: int | None, width: int) -> Line:
    if index is None:
        return ((" " * width, Role.TEXT),)
    body = rows[index].lines[y] if y < len(rows[index].lines) else ()
    mark: Segment = ("▌", Role.KEY) if index == chosen and y < len(rows[index].lines) else (" ", Role.TEXT)
    return (mark, *pad(body, width - 1))


def hidden_note(blocks: Sequence[Sequence[Line]], *, loud: bool) -> Line:
    """How many rows are out of sight, and for a loud panel, how bad the worst of them is."""
    if not blocks:
        return ()
    roles = {role for block in blocks for line in block for _, role in line}
    count = f"{len(blocks)} more"
    for role, word in (
        () if not loud else ((Role.BAD, "BAD"), (Role.WARN, "WARNING"), (Role.UNKNOWN, "UNKNOWN"))
    ):
        if role in roles:
            return ((f"{count}, {word} among them ", role), ("↑↓", Role.KEY))
    return ((f"{count} ", Role.DIM), ("↑↓", Role.DIM))
