"""The one widget that shows lines, and how lines look.

`Paper` holds lines of a fixed grid and repaints only the cells that changed: an unchanged line costs
nothing, a digit that moved costs one digit. It never lays out, never parses markup, and paints no
character that a terminal would act on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Protocol, runtime_checkable

from rich.cells import cell_len
from rich.segment import Segment as Ink
from textual.app import App
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from cockpit.core.clean import PLACEHOLDER, clean_text
from cockpit.face.themes import LAST_RESORT, Inks
from cockpit.face.view import Line, Role, merge

_PLAIN_INKS: Final = LAST_RESORT.inks()


@runtime_checkable
class Inked(Protocol):
    """An app that knows how roles look now."""

    inks: Inks


def inks_of(app: App[object]) -> Inks:
    return app.inks if isinstance(app, Inked) else _PLAIN_INKS


class Paper(Widget):
    """Lines from the top; what does not fit below is not shown, what is missing is blank."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        return self._lines

    def write(self, lines: Sequence[Line]) -> None:
        """Show these lines. Repaints only the cells that differ from what is shown."""
        new = tuple(painted(line) for line in lines)
        old, self._lines = self._lines, new
        if old == new:
            return
        regions = [
            Region(first, y, last - first, 1)
            for y in range(max(len(old), len(new)))
            for first, last in [_changed(_at(old, y), _at(new, y))]
            if last > first
        ]
        if regions:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        inks = inks_of(self.app)
        ground = inks[Role.TEXT]
        line = _at(self._lines, y)
        strip = Strip([Ink(text, inks[role]) for text, role in line])
        return strip.adjust_cell_length(self.size.width, ground).crop(0, self.size.width)


def _at(lines: tuple[Line, ...], y: int) -> Line:
    return lines[y] if y < len(lines) else ()


@lru_cache(maxsize=2048)
def painted(line: Line) -> Line:
    """The last guard: whatever a value was, no control byte leaves through a Paper."""
    return merge((text if text.isprintable() else _guarded(text), role) for text, role in line)


def _guarded(text: str) -> str:
    return "".join(char if char.isprintable() else clean_text(char) or PLACEHOLDER for char in text)


def _changed(old: Line, new: Line) -> tuple[int, int]:
    """The range of cells, first and one past the last, in which two lines differ; empty when they do not."""
    if old == new:
        return (0, 0)
    before, after = _cells(old), _cells(new)
    width = max(len(before), len(after))
    before += (_BLANK,) * (width - len(before))
    after += (_BLANK,) * (width - len(after))
    first = next((x for x in range(width) if before[x] != after[x]), width)
    last = next((x for x in range(width - 1, first - 1, -1) if before[x] != after[x]), first - 1)
    return (first, last + 1)


_BLANK: Final = (" ", Role.TEXT)


@lru_cache(maxsize=512)
def _cells(line: Line) -> tuple[tuple[str, Role], ...]:
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
    return tuple(grid)
