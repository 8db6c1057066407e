"""What every panel shares: a heading, rows a person can move through, and a window over them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import ClassVar

from textual.geometry import Region, Size
from textual.strip import Strip

from cockpit.core.dataclass import dataclass
from cockpit.core.snapshot import Snapshot
from cockpit.face.subject import Topic
from cockpit.face.view import Line, Role, Row, heading, merge
from cockpit.face.view_deck import HEAD_LINES, Want, band_height, band_lines, bands, hidden_note, window
from cockpit.face.widgets import Paper


@dataclass(frozen=True, slots=True)
class Picture:
    """What is shown and by which clock: frozen together while the picture is paused."""

    snapshot: Snapshot
    now: datetime


class Panel(Paper, can_focus=True):
    """A panel paints a `Picture`; subclasses say their words. It never asks for layout.

    coming: the newest picture, whose turn may be still to come; a panel of a new size shows it at once, in
    the very painting in which it gets that size.
    """

    number: ClassVar[str]
    title: ClassVar[str]
    topic: ClassVar[Topic]
    titled: ClassVar[bool] = True
    empty: ClassVar[str] = ""
    loud: ClassVar[bool] = True

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.full = False
        self.chosen = 0
        self._top = 0
        self._picture: Picture | None = None
        self.coming: Picture | None = None
        self._rows: tuple[Row, ...] = ()
        self._made_of: Picture | None = None
        self._made: dict[tuple[object, ...], tuple[Row, ...]] = {}
        self._drawn_for: Size | None = None
        self._rendering = False

    # --- what a subclass says ---

    def rows(self, picture: Picture, width: int, *, full: bool) -> tuple[Row, ...]:
        """The panel's lines. Not abstract: the metaclass of widgets lets nobody be held to that."""
        raise NotImplementedError

    @property
    def form(self) -> tuple[object, ...]:
        """What rows depend on besides picture, width and fullness."""
        return ()

    def notes(self, picture: Picture) -> Line:
        return ()

    def titles(self, picture: Picture, width: int) -> Line:
        return ()

    def widths(self, width: int) -> tuple[int, ...]:
        """Widths of the side-by-side columns, a mark's cell included."""
        return (width,)

    # --- what it does with that ---

    @property
    def chosen_key(self) -> str | None:
        return self._rows[self.chosen].key if self.chosen < len(self._rows) else None

    def want(self, picture: Picture, width: int) -> Want:
        """How many lines the panel would like at this width."""
        dense, full = (self._height(self._rows_of(picture, width - 1, full=each)) for each in (False, True))
        return Want(dense=dense, full=full)

    def _rows_of(self, picture: Picture, width: int, *, full: bool) -> tuple[Row, ...]:
        """The rows, made once per picture: what was measured is what is shown."""
        if self._made_of is not picture:
            self._made_of, self._made = picture, {}
        key = (width, full, *self.form)
        rows = self._made.get(key)
        if rows is None:
            rows = self._made[key] = self.rows(picture, width, full=full)
        return rows

    def _height(self, rows: Sequence[Row]) -> int:
        return self._head_lines + sum(band_height(rows, band) for band in bands(rows))

    @property
    def _head_lines(self) -> int:
        return HEAD_LINES if self.titled else 1

    def paint(self, picture: Picture) -> None:
        """Show the picture at the present size. Writes only what changed."""
        self._picture = picture
        if not self.has_room:
            return
        width = self.size.width
        self._rows = self._rows_of(picture, width - 1, full=self.full)
        self.chosen = max(0, min(self.chosen, len(self._rows) - 1))
        self._draw(picture)

    def _draw(self, picture: Picture) -> None:
        """Lay out the rows that there are: all that a moved mark or a moved focus needs."""
        width, height = self.size
        if width < 4 or height < 1:
            return
        body, notes = self._body(width, height - self._head_lines)
        own = self.notes(picture)
        marked = (*own, ("  ", Role.TEXT), *notes) if own and notes else own or notes
        lines = [heading(self.number, self.title, marked, width, focused=self.has_focus)]
        if self.titled:
            lines.append(merge(((" ", Role.TEXT), *self.titles(picture, width - 1))))
        if not self._rows and self.empty:
            body = [((f" {self.empty}", Role.UNKNOWN),)]
        self.write([*lines, *body][:height])

    def _body(self, width: int, room: int) -> tuple[list[Line], Line]:
        """The lines of the visible rows, and a note when some are not visible."""
        chosen = self.chosen if self.has_focus else None
        grouped = bands(self._rows)
        heights = [band_height(self._rows, band) for band in grouped]
        at = next((index for index, band in enumerate(grouped) if self.chosen in band), None)
        first, last = window(heights, room, self._top, at)
        self._top = first
        widths = self.widths(width)
        lines = [
            line
            for band in grouped[first:last]
            for line in band_lines(self._rows, band, chosen, widths, gutter=2)
        ]
        hidden = [
            [line for index in band for line in self._rows[index].lines]
            for band in (*grouped[:first], *grouped[last:])
        ]
        return lines, hidden_note(hidden, loud=self.loud)

    def move(self, step: str) -> None:
        """up, down, left, right, first, last."""
        if self._rows:
            self.chosen = _moved(self._rows, self.chosen, step)
        self._redraw()

    def choose(self, key: str) -> None:
        """Choose the row of this key, where there is one."""
        for index, row in enumerate(self._rows):
            if row.key == key:
                self.chosen = index
        self._redraw()

    @property
    def drawn(self) -> bool:
        """Whether its lines are those of the size that it has."""
        return self._drawn_for == self.size

    @property
    def has_room(self) -> bool:
        return self.size.width >= 4 and self.size.height >= 1

    def write(self, lines: Sequence[Line]) -> None:
        self._drawn_for = self.size
        if self._rendering:
            self._take(lines)
        else:
            super().write(lines)

    def render_lines(self, crop: Region) -> list[Strip]:
        if not self.drawn:
            self._rendering = True
            with suppress(Exception):  # the deck paints it soon, and says in its place what is wrong with it
                self.repaint()
            self._rendering = False
        return super().render_lines(crop)

    def repaint(self) -> None:
        newest = self.coming or self._picture
        if newest is not None:
            self.paint(newest)

    def _redraw(self) -> None:
        if self._picture is not None and self._rows:
            self._draw(self._picture)
        else:
            self.repaint()

    def on_focus(self) -> None:
        self._redraw()

    def on_blur(self) -> None:
        self._redraw()


def _moved(rows: Sequence[Row], chosen: int, step: str) -> int:
    if step in ("first", "last"):
        return 0 if step == "first" else len(rows) - 1
    if step in ("left", "right"):
        band = next(band for band in bands(rows) if chosen in band)
        place = band.index(chosen) + (1 if step == "right" else -1)
        return band[max(0, min(place, len(band) - 1))]
    same = [index for index, row in enumerate(rows) if row.column == rows[chosen].column]
    place = same.index(chosen) + (1 if step == "down" else -1)
    return same[max(0, min(place, len(same) - 1))]
