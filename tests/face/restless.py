"""An app that changes every cell of its screen for every frame, and tells outside how its loop turns.

    python -m tests.face.restless BEATS [break]

BEATS gets a line per turn: the number of the frame, and how many frames were dropped. With `break` the
drawing of cells fails on the first frame after a key.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from textual.app import ComposeResult
from textual.widgets import Static

from cockpit.face import cells
from cockpit.face.cell_diff import CellDiffApp, CellDiffDriver

TURN_S: Final = 0.01
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def page(number: int, width: int, height: int) -> str:
    """Every cell differs from the page before."""
    letter = LETTERS[number % len(LETTERS)]
    return "\n".join([f"number {number:08}.", *[letter * width] * (height - 1)])


class Restless(CellDiffApp):
    def __init__(self, beats: Path, *, breaks: bool) -> None:
        super().__init__()
        self._beats = beats.open("a", buffering=1)
        self._breaks = breaks
        self._number = 0

    def compose(self) -> ComposeResult:
        yield Static("", id="page", markup=False)

    def on_mount(self) -> None:
        self.set_interval(TURN_S, self._turn)

    def _turn(self) -> None:
        self._number += 1
        self.query_one("#page", Static).update(page(self._number, *self.size))
        driver = self._driver
        dropped = driver.dropped if isinstance(driver, CellDiffDriver) else 0
        self._beats.write(f"{self._number} {dropped} {self.plain_because}\n")

    def on_key(self) -> None:
        if self._breaks:
            cells.move = None  # type: ignore[assignment]  # the next frame cannot be drawn

    def on_unmount(self) -> None:
        self._beats.close()


if __name__ == "__main__":
    Restless(Path(sys.argv[1]), breaks="break" in sys.argv[2:]).run(mouse=False)
