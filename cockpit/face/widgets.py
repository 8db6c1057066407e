"""The one widget that shows lines, and how lines look.

`Paper` holds lines of a fixed grid and repaints only the cells that changed: an unchanged line costs
nothing, a digit that moved costs one digit. It never lays out, never parses markup, and paints no
character that a terminal would act on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment as Ink
from textual.app import App
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from cockpit.core.clean import PLACEHOLDER, clean_text
from cockpit.face.themes import LAST_RESORT, Inks
from cockpit.face.view import Line, Role, merge, width_of

_PLAIN_INKS: Final = LAST_RESORT.inks()


def inks_of(app: App[object]) -> Inks:
    """How roles look in this app now; in an app that does not know, without colours."""
    inks: Inks = getattr(app, "inks", _PLAIN_INKS)
    return inks


class Paper(Widget):
    """Lines from the top; what does not fit below is not shown, what is missing is blank."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._told: tuple[Line, ...] = ()
        self._lines: tuple[Line, ...] = ()
        self._drawn: dict[int, tuple[Line, Strip]] = {}
        self._drawn_with: tuple[Inks, int] | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        return self._lines

    def write(self, lines: Sequence[Line]) -> None:
        """Show these lines. Repaints only the cells that differ from what is shown."""
        regions = self._take(lines)
        if regions:
            self.refresh(*regions)

    def _take(self, lines: Sequence[Line]) -> list[Region]:
        """The lines to show from now on; where they differ from those that were shown."""
        told, self._told = self._told, tuple(lines)
        if told == self._told:
            return []
        old = self._lines
        new = self._lines = tuple(
            old[y] if y < len(told) and line == told[y] else painted(line)
            for y, line in enumerate(self._told)
        )
        return [
            Region(first, y, last - first, 1)
            for y in range(max(len(old), len(new)))
            for first, last in [_changed(_at(old, y), _at(new, y))]
            if last > first
        ]

    def render_lines(self, crop: Region) -> list[Strip]:
        """Lines are all that there is to paint: without a border or padding Textual has nothing to add."""
        if self.gutter:
            return super().render_lines(crop)
        width = self.size.width
        strips = [self._strip(y, width) for y in crop.line_range]
        filters = self.get_line_filters()
        if filters:
            ground = self.background_colors[1]
            for each in filters:
                strips = [strip.apply_filter(each, ground) for strip in strips]
        if crop.column_span != (0, width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        return self._strip(y, self.size.width)

    def _strip(self, y: int, width: int) -> Strip:
        """A line as cells; the same object for as long as nothing about it changes."""
        inks, line = inks_of(self.app), _at(self._lines, y)
        if self._drawn_with is None or self._drawn_with[0] is not inks or self._drawn_with[1] != width:
            self._drawn, self._drawn_with = {}, (inks, width)
        known = self._drawn.get(y)
        if known is not None and known[0] is line:
            return known[1]
        cells = Strip([Ink(text, inks[role]) for text, role in line])
        strip = cells.adjust_cell_length(width, inks[Role.TEXT]).crop(0, width)
        self._drawn[y] = (line, strip)
        return strip


def _at(lines: tuple[Line, ...], y: int) -> Line:
    return lines[y] if y < len(lines) else ()


def painted(line: Line) -> Line:
    """The last guard: whatever a value was, no control byte leaves through a Paper."""
    return merge((text if text.isprintable() else _guarded(text), role) for text, role in line)


def _guarded(text: str) -> str:
    return "".join(char if char.isprintable() else clean_text(char) or PLACEHOLDER for char in text)


def _changed(old: Line, new: Line) -> tuple[int, int]:
    """The range of cells, first and one past the last, in which two lines differ; empty when they do not."""
    if old == new:
        return (0, 0)
    shared = min(len(old), len(new))
    head = next((at for at in range(shared) if old[at] != new[at]), shared)
    head = max(0, head - 1)  # a mark without a width belongs to the piece before it
    tail = 0
    if width_of(old) == width_of(new):
        while tail < shared - head and old[-1 - tail] == new[-1 - tail]:
            tail += 1
    before, after = _cells(old[head : len(old) - tail]), _cells(new[head : len(new) - tail])
    width = max(len(before), len(after))
    before += [_BLANK] * (width - len(before))
    after += [_BLANK] * (width - len(after))
    first = next((x for x in range(width) if before[x] != after[x]), width)
    last = next((x for x in range(width - 1, first - 1, -1) if before[x] != after[x]), first - 1)
    start = width_of(old[:head])
    return (start + first, start + last + 1)


_BLANK: Final = (" ", Role.TEXT)


def _cells(line: Line) -> list[tuple[str, Role]]:
    """One entry per cell; the second cell of a wide character is an empty text of the same role."""
    grid: list[tuple[str, Role]] = []
    for text, role in line:
        if text.isascii():
            grid.extend((char, role) for char in text)
            continue
        for char in text:
            size = cell_len(char)
            if size == 0 and grid:
                grid[-1] = (grid[-1][0] + char, grid[-1][1])
                continue
            grid.append((char, role))
            grid.extend([("", role)] * (size - 1))
    return grid
