"""The floor of terminal output: the smallest byte string that makes one screen of the next.

Only cells that differ, the shortest of all cursor moves, the style parameters that changed, erase-to-end and
repeats wherever they are shorter, line feeds, and everything carried over from frame to frame: more than a
program may use that does not know its terminal. It is a practical floor and no proof. Colours cost what the
program's own cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import pyte
import pyte.graphics
from pyte.screens import Char

Cell = tuple[str, tuple[object, ...]]
NAMES: Final = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")
FLAGS: Final = ((1, 22), (3, 23), (4, 24), (9, 29), (7, 27), (5, 25))
"""SGR on and off of pyte's flags, in the order of its cells."""
PLAIN: Final[tuple[object, ...]] = ("default", "default", *[False] * len(FLAGS))
FINEST: Final = 20.0


class Floor:
    """Feed it what a program wrote, frame by frame; `bytes` is what the floor would have written."""

    def __init__(self, columns: int, rows: int) -> None:
        # Palette colours stay apart from rgb ones, so that each is priced as the program's own.
        pyte.graphics.FG_BG_256 = [f"@{number}" for number in range(256)]
        self.screen = pyte.Screen(columns, rows)
        self.bytes = 0
        self._stream = pyte.ByteStream(self.screen)
        self._columns, self._rows = columns, rows
        self._shown = self._now(range(rows))
        self._at: tuple[int, int] | None = (0, 0)
        self._style = PLAIN

    def frame(self, data: bytes) -> None:
        """One frame of the program."""
        self.screen.dirty.clear()
        self._stream.feed(data)
        for y, row in sorted(self._now(y for y in self.screen.dirty if y < self._rows).items()):
            if row != self._shown[y]:
                self._row(y, self._shown[y], row)
                self._shown[y] = row

    def _now(self, rows: Iterable[int]) -> dict[int, list[Cell]]:
        return {
            y: [
                (self.screen.buffer[y][x].data, _style(self.screen.buffer[y][x]))
                for x in range(self._columns)
            ]
            for y in rows
        }

    def _row(self, y: int, old: Sequence[Cell], new: Sequence[Cell]) -> None:
        due = [x for x, cell in enumerate(new) if cell != old[x] and cell[0]]
        skip = -1
        for x in due:
            if x < skip:
                continue
            self._reach(y, x, new)
            run = next((end for end in range(x, self._columns) if new[end] != new[x]), self._columns) - x
            text, style = new[x]
            self.bytes += len(styled(self._style, style))
            self._style = style
            size = len(text.encode())
            wanted = sum(1 for each in due if x <= each < x + run)
            erases = text == " " and x + run == self._columns and wanted > 3 and not style[4] and not style[6]
            if erases:
                self.bytes += 3
                self._at, skip = (y, x), x + run
            elif wanted == run and size * run > size + len(f"\x1b[{run - 1}b"):
                self.bytes += size + len(f"\x1b[{run - 1}b")
                self._at, skip = (y, x + run), x + run
            else:
                self.bytes += size
                wide = x + 1 < self._columns and new[x + 1][0] == ""
                self._at, skip = (y, x + 1 + wide), x + 1
            if self._at[1] >= self._columns:
                self._at = None

    def _reach(self, y: int, x: int, new: Sequence[Cell]) -> None:
        """By a move, or by writing again what lies between where that is shorter."""
        cost = moved(self._at, (y, x))
        if self._at is not None and self._at[0] == y and 0 < x - self._at[1] <= cost + 2:
            style, again = self._style, 0
            for text, each in new[self._at[1] : x]:
                again += len(styled(style, each)) + len(text.encode())
                style = each
            again += len(styled(style, new[x][1])) - len(styled(self._style, new[x][1]))
            if again <= cost:
                cost, self._style = again, style
        self.bytes += cost
        self._at = (y, x)


def _style(cell: Char) -> tuple[object, ...]:
    return (
        cell.fg,
        cell.bg,
        cell.bold,
        cell.italics,
        cell.underscore,
        cell.strikethrough,
        cell.reverse,
        cell.blink,
    )


def _colour(name: str, base: int) -> str:
    if name == "default":
        return str(base + 9)
    if name.startswith("@"):
        return f"{base + 8};5;{name[1:]}"
    plain = name.removeprefix("bright").replace("yellow", "brown")
    if plain in NAMES:
        return str(base + NAMES.index(plain) + (60 if name.startswith("bright") else 0))
    return f"{base + 8};2;{int(name[:2], 16)};{int(name[2:4], 16)};{int(name[4:6], 16)}"


@lru_cache(maxsize=8192)
def styled(old: tuple[object, ...], new: tuple[object, ...]) -> str:
    """The shortest change of style."""
    if old == new:
        return ""
    steps = [_colour(str(new[at]), base) for at, base in ((0, 30), (1, 40)) if old[at] != new[at]]
    whole = [_colour(str(new[at]), base) for at, base in ((0, 30), (1, 40)) if new[at] != "default"]
    for at, (on, off) in enumerate(FLAGS, 2):
        steps += [str(on if new[at] else off)] if old[at] != new[at] else []
        whole += [str(on)] if new[at] else []
    ways = (f"\x1b[{';'.join(steps)}m", f"\x1b[{'0;' if whole else ''}{';'.join(whole)}m")
    return min(ways, key=len)


@lru_cache(maxsize=8192)
def moved(start: tuple[int, int] | None, end: tuple[int, int]) -> int:
    """Bytes of the shortest move; a line feed keeps the column."""
    y, x = end
    if start == end:
        return 0
    ways = [len(f"\x1b[{y + 1};{x + 1}H") if x else len(f"\x1b[{y + 1}H") if y else 3]
    if start is not None:
        down, right = y - start[0], x - start[1]
        vertical = min(down, _step(down)) if down >= 0 else _step(-down)
        level = [_step(abs(right)), 1 + _step(x)] + ([-right] if right < 0 else [])
        ways.append(vertical + min(level))
    return min(ways)


def _step(count: int) -> int:
    return 0 if not count else 3 if count == 1 else 3 + len(str(count))


def floor_of(recording: Mapping[float, bytes], columns: int, rows: int, since_s: float) -> int:
    """Bytes of the floor for what a program wrote from an instant on; `recording` by seconds."""
    floor = Floor(columns, rows)
    begun = 0
    for at_s, data in frames(recording):
        if at_s < since_s:
            floor.frame(data)
            begun = floor.bytes
        else:
            floor.frame(data)
    return floor.bytes - begun


def frames(recording: Mapping[float, bytes], apart_ms: float = FINEST) -> list[tuple[float, bytes]]:
    """Reads that follow each other at once are one frame; an unfinished sequence waits for its end."""
    whole: list[tuple[float, bytes]] = []
    last_s = float("-inf")
    for at_s, data in recording.items():
        if whole and (at_s - last_s) * 1000 < apart_ms:
            whole[-1] = (whole[-1][0], whole[-1][1] + data)
        else:
            whole.append((at_s, data))
        last_s = at_s
    return whole
