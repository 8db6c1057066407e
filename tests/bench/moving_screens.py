"""Screens that change in a known way, for measuring what reaches the terminal.

    python -m tests.bench.moving_screens {deck,wall,cells,rows,spark}

deck: the real deck before a port whose picture is dated anew every five seconds: nothing moves but clocks and
ages. wall: the wall before the same port. cells: ten cells of a table a second. rows: three cells in each of
its fifty rows, once a second. spark: a line of bars and large digits, four times a second. `q` leaves.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.coordinate import Coordinate
from textual.widgets import DataTable, Digits, Sparkline

from cockpit.core.commands import Command
from cockpit.core.snapshot import Snapshot
from cockpit.engine.clock import SystemClock
from cockpit.face.app import CockpitApp
from cockpit.face.cell_diff import CellDiffApp
from cockpit.face.wall import WallApp
from tests.face import pictures
from tests.face.parts import NOW, shifted

DATED_S: Final = 5
ROWS: Final = 50
COLUMNS: Final = 5


class Still:
    """A port that shows one picture, never older than `DATED_S`."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._began = clock.now()
        self._dated: tuple[int, Snapshot] | None = None

    def latest(self) -> Snapshot:
        steps = int((self._clock.now() - self._began).total_seconds()) // DATED_S
        if self._dated is None or self._dated[0] != steps:
            at = self._began + timedelta(seconds=steps * DATED_S)
            self._dated = (steps, shifted(pictures.calm(), (NOW - at).total_seconds()))
        return self._dated[1]

    def submit(self, command: Command) -> None:
        raise AssertionError(f"nobody presses keys here: {command}")

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def stop(self) -> None:
        return None


class Moving(CellDiffApp):
    BINDINGS: ClassVar[list[BindingType]] = [("q", "quit", "quit")]

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind
        self._random = random.Random(7)

    def compose(self) -> ComposeResult:
        if self._kind == "spark":
            yield Digits("00.0%", id="digits")
            yield Sparkline([0.0, 1.0], id="spark")
        else:
            yield DataTable(id="table", show_cursor=False)

    def on_mount(self) -> None:
        if self._kind == "spark":
            self.set_interval(0.25, self._bars)
            return
        table = self.query_one(DataTable)
        table.add_columns(*(f"column {number}" for number in range(COLUMNS)))
        table.add_rows([[f"{row:03}.{column}" for column in range(COLUMNS)] for row in range(ROWS)])
        self.set_interval(
            0.1 if self._kind == "cells" else 1.0, self._one if self._kind == "cells" else self._all
        )

    def _one(self) -> None:
        table = self.query_one(DataTable)
        row = self._random.randrange(min(ROWS, max(1, self.size.height - 2)))
        self._write(table, row, self._random.randrange(COLUMNS))

    def _all(self) -> None:
        table = self.query_one(DataTable)
        for row in range(ROWS):
            for column in (1, 2, 4):
                self._write(table, row, column)

    def _write(self, table: DataTable[object], row: int, column: int) -> None:
        table.update_cell_at(Coordinate(row, column), f"{self._random.randrange(1000):03}.{column}")

    def _bars(self) -> None:
        self.query_one(Digits).update(f"{self._random.random() * 100:04.1f}%")
        self.query_one(Sparkline).data = [self._random.random() for _ in range(self.size.width)]


def main(kind: str) -> None:
    if kind == "deck":
        clock = SystemClock()
        CockpitApp(Still(clock), clock, "bench", theme="cockpit").fly()
    elif kind == "wall":
        clock = SystemClock()
        WallApp(Still(clock), clock, theme="cockpit").run(mouse=False)
    else:
        Moving(kind).run(mouse=False)


if __name__ == "__main__":
    main(sys.argv[1])
