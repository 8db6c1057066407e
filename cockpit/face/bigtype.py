"""Block letters for the one thing that must be read across a room: the time left, the worst word.

Pure: text in, rows of full and half blocks out. A glyph is five pixels high and one to five wide.
Small sets two pixels in one cell (three rows), every larger size draws a pixel as a block of cells
that looks square on a terminal. Unknown characters are drawn as a blank of three pixels, so that no
text can break the picture.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

_PIXELS: Final = 5
_UNKNOWN: Final = ("...",) * _PIXELS

_FONT: Final[dict[str, str]] = {
    "0": ".##. #..# #..# #..# .##.",
    "1": "..#. .##. ..#. ..#. .###",
    "2": "###. ...# .##. #... ####",
    "3": "###. ...# .##. ...# ###.",
    "4": "#..# #..# #### ...# ...#",
    "5": "#### #... ###. ...# ###.",
    "6": ".##. #... ###. #..# .##.",
    "7": "#### ...# ..#. .#.. .#..",
    "8": ".##. #..# .##. #..# .##.",
    "9": ".##. #..# .### ...# .##.",
    "A": ".##. #..# #### #..# #..#",
    "B": "###. #..# ###. #..# ###.",
    "C": ".### #... #... #... .###",
    "D": "###. #..# #..# #..# ###.",
    "E": "#### #... ###. #... ####",
    "F": "#### #... ###. #... #...",
    "G": ".### #... #.## #..# .###",
    "H": "#..# #..# #### #..# #..#",
    "I": "### .#. .#. .#. ###",
    "J": "...# ...# ...# #..# .##.",
    "K": "#..# #.#. ##.. #.#. #..#",
    "L": "#... #... #... #... ####",
    "M": "#...# ##.## #.#.# #...# #...#",
    "N": "#...# ##..# #.#.# #..## #...#",
    "O": ".##. #..# #..# #..# .##.",
    "P": "###. #..# ###. #... #...",
    "Q": ".##. #..# #..# #.#. .#.#",
    "R": "###. #..# ###. #.#. #..#",
    "S": ".### #... .##. ...# ###.",
    "T": "##### ..#.. ..#.. ..#.. ..#..",
    "U": "#..# #..# #..# #..# .##.",
    "V": "#...# #...# .#.#. .#.#. ..#..",
    "W": "#...# #...# #.#.# ##.## #...#",
    "X": "#...# .#.#. ..#.. .#.#. #...#",
    "Y": "#...# .#.#. ..#.. ..#.. ..#..",
    "Z": "#### ..#. .#.. #... ####",
    ":": ". # . # .",
    ".": ". . . . #",
    "+": "... .#. ### .#. ...",
    "-": "... ... ### ... ...",
    "%": "#..# ...# .##. #... #..#",
    "?": "###. ...# .##. .... .#..",
    " ": "... ... ... ... ...",
}


class Size(IntEnum):
    """SMALL is three rows of half blocks. For the others the value is the rows of one pixel."""

    SMALL = 0
    LARGE = 1
    HUGE = 2
    GIANT = 3


def big(text: str, size: Size = Size.SMALL) -> tuple[str, ...]:
    """The rows of `text` in block letters, all of one length; lower case is drawn as upper case."""
    pixels = _pixel_rows(text.upper())
    if size is Size.SMALL:
        return _halves((*pixels, "." * len(pixels[0])))
    wide = tuple("".join("█" * 2 * size if dot == "#" else " " * 2 * size for dot in row) for row in pixels)
    return tuple(row for row in wide for _ in range(size))


def fitting(text: str, *, width: int, height: int) -> tuple[str, ...]:
    """`text` at the largest size that fits; the plain text on one row where none does."""
    for size in reversed(Size):
        rows = big(text, size)
        if len(rows) <= height and len(rows[0]) <= width:
            return rows
    return (text,)


def _pixel_rows(text: str) -> tuple[str, ...]:
    glyphs = [_FONT[char].split(" ") if char in _FONT else list(_UNKNOWN) for char in text or " "]
    return tuple(".".join(glyph[row] for glyph in glyphs) for row in range(_PIXELS))


_HALF: Final = {"..": " ", "#.": "▀", ".#": "▄", "##": "█"}


def _halves(pixels: tuple[str, ...]) -> tuple[str, ...]:
    """Two pixel rows per text row; `pixels` has an even number of rows."""
    pairs = zip(pixels[::2], pixels[1::2], strict=True)
    return tuple(
        "".join(_HALF[top + bottom] for top, bottom in zip(upper, lower, strict=True))
        for upper, lower in pairs
    )
