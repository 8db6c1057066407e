"""Two terminals beside each other: what plain Textual shows, and what comparing cells shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pyte
from pyte.screens import Char
from rich.console import RenderableType
from textual.screen import Screen
from textual.widget import Widget

from cockpit.face.cell_diff import CellDiffApp
from cockpit.face.cells import PLAIN, Canvas, Encoder, Frame, change

NO_WRAP = "\x1b[?7l"
Shown = list[list[Char]]


class Glass(pyte.Screen):
    """A terminal. As real ones and unlike pyte's, it leaves no half of a wide character standing."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__(columns, lines)
        self._stream = pyte.Stream(self)
        self.write(NO_WRAP)

    def write(self, text: str) -> None:
        self._stream.feed(text)

    def draw(self, data: str) -> None:
        for char in data:
            before = list(self.shown_row(self.cursor.y))
            super().draw(char)
            self._mend(before)

    def _mend(self, before: list[Char]) -> None:
        row = self.buffer[self.cursor.y]
        for x in range(self.columns):
            if before[x] is row[x]:
                continue
            if before[x].data == "" and x and row[x].data != "" and row[x - 1] is before[x - 1]:
                row[x - 1] = before[x - 1]._replace(data=" ")
            behind = x + 1
            if behind < self.columns and row[behind].data == "" and row[behind] is before[behind]:
                row[behind] = before[behind]._replace(data=" ")

    def shown_row(self, y: int) -> Iterable[Char]:
        row = self.buffer[y]
        return [row[x] for x in range(self.columns)]

    @property
    def shown(self) -> Shown:
        return [list(self.shown_row(y)) for y in range(self.lines)]


def drawn_slowly(frame: Frame) -> Shown:
    """A frame cell by cell, each with its place and its whole style: no state, nothing to get wrong."""
    width, height = frame.size
    glass = Glass(width, height)
    for y, row in enumerate(frame.rows):
        for x, (text, pen) in enumerate(row):
            if text:
                glass.write(f"\x1b[{y + 1};{x + 1}H\x1b[0m{change(PLAIN, pen)}{text}")
    return glass.shown


def assert_same(left: Shown, right: Shown) -> None:
    for y, (one, other) in enumerate(zip(left, right, strict=True)):
        for x, (cell, twin) in enumerate(zip(one, other, strict=True)):
            assert cell == twin, f"row {y}, column {x}: {cell} and {twin}"


class Twin:
    """Feeds every update of an app to both terminals. `held` frames are dropped, as by a slow link."""

    def __init__(self, width: int, height: int) -> None:
        self.plain = Glass(width, height)
        self.compared = Glass(width, height)
        self.held = False
        self.frames = 0
        self.at_once = 0
        self.bytes_plain = 0
        self.bytes_compared = 0
        self._canvas = Canvas(width, height)
        self._encoder = Encoder()
        self._newest: Frame | None = None

    def canvas(self, width: int, height: int) -> Canvas:
        if self._canvas.size != (width, height):
            self._canvas = Canvas(width, height)
        return self._canvas

    def show(self, frame: Frame) -> None:
        self.frames += 1
        self._newest = frame
        if not self.held:
            self.catch_up()

    def catch_up(self) -> None:
        if self._newest is not None:
            text = self._encoder.draw(self._newest)
            self.bytes_compared += len(text.encode())
            self.compared.write(text)
            self._newest = None

    def resize(self, width: int, height: int) -> None:
        """The terminal's content is worth nothing after this."""
        self.plain, self.compared = Glass(width, height), Glass(width, height)
        self.compared.write("left over from before " * 9)
        self._encoder.forget()
        self._newest = None

    def plainly(self, app: CellDiffApp, renderable: Any) -> None:
        place = app.screen.outer_size.clamp_offset(app.cursor_position)
        text = renderable.render_segments(app.console) + f"\x1b[{place.y + 1};{place.x + 1}H"
        self.bytes_plain += len(text.encode())
        self.plain.write(text)

    def assert_alike(self) -> None:
        self.catch_up()
        assert_same(self.compared.shown, self.plain.shown)


def watched(app: CellDiffApp, twin: Twin) -> None:
    """Let `twin` see every update that the app, without a terminal of its own, would display."""
    display: Callable[..., None] = app._display

    def both(screen: Screen[Any], renderable: RenderableType | None) -> None:
        if renderable is not None and not app._batch_count and app._running and not app._closed:
            twin.plainly(app, renderable)
            app._display_cells(twin, screen, renderable)
        display(screen, renderable)

    paint: Callable[..., None] = app.paint_now

    def at_once(*widgets: Widget) -> None:
        """What is painted past Textual must be what Textual would paint if it painted everything."""
        frames = twin.frames
        paint(*widgets)
        if twin.frames > frames:
            twin.at_once += 1
            twin.plainly(app, app.screen._compositor.render_full_update())

    app._display = both  # type: ignore[method-assign]  # the seam that the tested override uses
    app.paint_now = at_once  # type: ignore[method-assign]  # the same
    app.easel = lambda: twin  # type: ignore[method-assign]  # the same
