"""The cells of a screen, and the fewest bytes that turn one screen into the next.

Pure: frames in, text out. A `Canvas` holds what the screen should show and is painted bit by bit; its
`frame()` never changes afterwards. An `Encoder` remembers what the terminal shows and draws only the cells in
which a frame differs. It uses what every terminal knows: CUP, CUU, CUD, CUF, CUB, IND, RI, CR, SGR, BS behind
another sequence, and EL where the background is the terminal's own. Line feeds, repeats, and erasing with a
colour are not the same everywhere.

Terminals disagree about the width of some characters. After each of those the cursor is placed anew and the
cell behind it is drawn again, so that a disagreement costs one cell and never shifts a line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import ne
from typing import Final, NamedTuple

from rich.cells import cell_len

from cockpit.core.dataclass import dataclass


class Pen(NamedTuple):
    """How a cell is drawn: parameters of SGR, empty for the terminal's own colours, and a link.

    attributes: numbers that switch something on, ascending. link: parameters and address of OSC 8.
    """

    foreground: str = ""
    background: str = ""
    attributes: tuple[int, ...] = ()
    link: str = ""


Cell = tuple[str, Pen]
"""What stands in a cell. The second cell of a wide character holds an empty text and the same pen."""
Row = Sequence[Cell]

PLAIN: Final = Pen()
BLANK: Final[Cell] = (" ", PLAIN)
CLEAR: Final = "\x1b[m\x1b[2J"
NO_LINK: Final = "\x1b]8;;\x1b\\"
ERASE: Final = "\x1b[K"
SWITCHES: Final = (((1, 2), 22), ((3,), 23), ((4, 21), 24), ((5, 6), 25), ((7,), 27), ((8,), 28), ((9,), 29))
"""SGR numbers that switch on, and the one that switches all of them off again."""
SWITCHED: Final = frozenset(number for numbers, _ in SWITCHES for number in numbers)
JOINER: Final = "\u200d"
UNSEEN: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
DRAWN_NARROW: Final = ((0xA0, 0x100), (0x2010, 0x2028), (0x2190, 0x2194), (0x2500, 0x2600))
PICTURES: Final = frozenset("\xa9\xae\u25aa\u25ab\u25b6\u25c0\u25fb\u25fc\u25fd\u25fe")
"""Of those, what may be drawn as an emoji."""
BRIDGE: Final = 8
KNOWN_INKS: Final = 512


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole screen. cursor: column and row where the cursor must stand, None where nobody cares."""

    rows: tuple[Row, ...]
    cursor: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        return (len(self.rows[0]) if self.rows else 0, len(self.rows))


class _Ink(dict[str, Cell]):
    """The cells of one pen: equal cells are one object, which makes comparing two screens cheap."""

    def __init__(self, pen: Pen) -> None:
        super().__init__()
        self.pen = pen

    def __missing__(self, text: str) -> Cell:
        if len(self) >= KNOWN_INKS:
            self.clear()
        cell = self[text] = (text, self.pen)
        return cell


_ink = lru_cache(maxsize=256)(_Ink)


@lru_cache(maxsize=512)
def cells(text: str, pen: Pen) -> tuple[Cell, ...]:
    """One entry per cell of the screen, as many as Textual reckons with.

    Text without a width joins the character before it. What a terminal would act on, and what turns the
    direction of text, is left out.
    """
    ink = _ink(pen)
    if text.isascii() and text.isprintable():
        return tuple([ink[char] for char in text])
    found: list[Cell] = []
    for cluster in _clusters(text):
        width = cell_len(cluster)
        if width:
            found.append(ink[cluster])
            found.extend([ink[""]] * (width - 1))
    found.extend([ink[" "]] * (cell_len(text) - len(found)))
    return tuple(found)


def _clusters(text: str) -> Iterator[str]:
    """Characters, each with the marks that follow it, and with what a joiner ties to it."""
    cluster = ""
    for char in text:
        if char != JOINER and unicodedata.category(char) in UNSEEN:
            continue
        if cluster and cell_len(char) and cluster[-1] != JOINER:
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster


class Canvas:
    """What the screen should show. Rows are replaced and never changed: frames share them."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.painted = False
        self._rows: list[Row] = [[BLANK] * width] * height
        self._origins: list[dict[int, tuple[object, int]]] = [{} for _ in range(height)]

    def paint(
        self, x: int, y: int, pieces: Iterable[tuple[str, Pen]], *, origin: object | None = None
    ) -> None:
        """Put text at a place; what does not fit is cut. Half a wide character becomes a blank.

        origin: an object that always looks the same; where it stands already its pieces are not asked for.
        """
        width, height = self.size
        if not (0 <= y < height and 0 <= x < width):
            return
        origins = self._origins[y]
        if origin is not None and x in origins and origins[x][0] is origin:
            return
        whole = [cell for text, pen in pieces for cell in cells(text, pen)]
        new = whole[: width - x]
        if not new:
            return
        if len(whole) > len(new) and not whole[len(new)][0]:
            new[-1] = _blanked(new[-1])
        old = self._rows[y]
        end = x + len(new)
        row = [*old[:x], *new, *old[end:]]
        broken = False
        if x and not old[x][0]:
            row[x - 1], broken = _blanked(old[x - 1]), True
        if end < width and not old[end][0]:
            row[end], broken = _blanked(old[end]), True
        if row != old:
            self._rows[y] = row
        for start in [each for each in origins if broken or (each < end and origins[each][1] > x)]:
            del origins[start]
        if origin is not None:
            origins[x] = (origin, end)

    def frame(self, cursor: tuple[int, int] | None = None) -> Frame:
        return Frame(tuple(self._rows), cursor)


def _blanked(cell: Cell) -> Cell:
    return _ink(cell[1])[" "]


class Encoder:
    """Turns frames into what a terminal must be sent, and remembers what it shows since then.

    The first frame, one of another size, and the first after `forget` are drawn whole.
    """

    def __init__(self) -> None:
        self._shown: tuple[Row, ...] | None = None
        self._pen = PLAIN
        self._at: tuple[int, int] | None = None
        self._out: list[str] = []

    def forget(self) -> str:
        """Somebody else has the terminal now: what it must be sent before, and nothing is known after."""
        given = "" if self._pen == PLAIN else (NO_LINK if self._pen.link else "") + "\x1b[m"
        self._shown, self._pen, self._at = None, PLAIN, None
        return given

    def draw(self, frame: Frame) -> str:
        """What turns the screen as it is into `frame`."""
        self._out = []
        shown = self._shown
        if shown is None or Frame(shown).size != frame.size:
            self._out.append(self.forget() + CLEAR)
            shown = ([BLANK] * frame.size[0],) * frame.size[1]
        for y, (old, new) in enumerate(zip(shown, frame.rows, strict=True)):
            if old is not new and old != new:
                self._draw_row(y, old, new)
        if frame.cursor is not None:
            self._go(frame.cursor[1], frame.cursor[0])
        self._shown = frame.rows
        return "".join(self._out)

    def _draw_row(self, y: int, old: Row, new: Row) -> None:
        width = len(new)
        tail = _blank_tail(new)
        for x in _due(old, new):
            self._reach(y, x, new)
            if x >= tail and sum(map(ne, old[x:], new[x:])) > len(ERASE):
                self._take(new[x][1])
                self._out.append(ERASE)
                return
            self._put(y, x, new[x], width)

    def _put(self, y: int, x: int, cell: Cell, width: int) -> None:
        text, pen = cell
        self._take(pen)
        cell_width = cell_len(text)
        if settled(text):
            self._out.append(text)
            after = x + cell_width
            self._at = (y, after) if after < width else None
            return
        if cell_width > 1:
            self._out.append(" " * cell_width)
            self._at = None
            self._go(y, x)
        self._out.append(text)
        self._at = None

    def _reach(self, y: int, x: int, new: Row) -> None:
        """To a place by the cheapest way, which for a short one is to write again what stands there."""
        if self._at is not None and self._at[0] == y and 0 < x - self._at[1] <= BRIDGE:
            between = new[self._at[1] : x]
            text = "".join(each for each, _ in between)
            cheap = len(text.encode()) <= len(move(self._at, (y, x)))
            if cheap and all(pen == self._pen and settled(each) for each, pen in between):
                self._out.append(text)
                self._at = (y, x)
                return
        self._go(y, x)

    def _go(self, y: int, x: int) -> None:
        self._out.append(move(self._at, (y, x)))
        self._at = (y, x)

    def _take(self, pen: Pen) -> None:
        if pen is not self._pen and pen != self._pen:
            self._out.append(change(self._pen, pen))
            self._pen = pen


def _due(old: Row, new: Row) -> Iterator[int]:
    """The cells to draw, from left to right: each that differs, and each that another may have covered."""
    covered = 0
    for x, (before, after) in enumerate(zip(old, new, strict=True)):
        text = after[0]
        if text and (x < covered or (before is not after and before != after)):
            if not settled(text):
                covered = max(covered, x + _widest(text))
            yield x


@lru_cache(maxsize=1024)
def _widest(text: str) -> int:
    """How many cells a character, or a cluster that a terminal takes apart, covers at the most."""
    return sum(1 if settled(char) and cell_len(char) == 1 else 2 for char in text)


def _blank_tail(row: Row) -> int:
    """Where the blanks begin that reach to the end of a row, on the terminal's own background."""
    last = row[-1]
    if last[0] != " " or last[1].background or last[1].attributes or last[1].link:
        return len(row)
    first = len(row)
    while first and row[first - 1] == last:
        first -= 1
    return first


@lru_cache(maxsize=4096)
def settled(text: str) -> bool:
    """Whether all terminals agree on the width of a character.

    They do not on clusters and joiners, on emoji, on what Unicode calls ambiguous (one cell in the west, two
    in the east), and on characters that were assigned lately. Lines, blocks, shapes and dashes are ambiguous
    by the letter and settled in practice: whoever draws them wide has no use for any screen.
    """
    if text.isascii():
        return True
    if len(text) != 1 or unicodedata.category(text)[0] in "MC":
        return False
    code = ord(text)
    if any(first <= code < last for first, last in DRAWN_NARROW):
        return text not in PICTURES
    kind = unicodedata.east_asian_width(text)
    if kind in "WF":
        return 0x2E80 <= code < 0xFFE7
    return kind != "A" and code < 0x1F000


@lru_cache(maxsize=1024)
def move(start: tuple[int, int] | None, end: tuple[int, int]) -> str:
    """The shortest way of the cursor between two places (row, column from 0); from None it is unknown."""
    y, x = end
    straight = f"\x1b[{y + 1};{x + 1}H" if x else "\x1b[H" if not y else f"\x1b[{y + 1}H"
    if start is None:
        return straight
    down, right = y - start[0], x - start[1]
    vertical = {0: "", 1: "\x1bD", -1: "\x1bM"}.get(down) or _step(down, "B", "A")
    level = min(_step(right, "C", "D"), "\r" + _step(x, "C", "D"), key=len) if right else ""
    if vertical and right < 0:
        level = min(level, "\b" * -right, key=len)
    return min(vertical + level, straight, key=len)


def _step(count: int, ahead: str, back: str) -> str:
    if not count:
        return ""
    number = abs(count)
    return f"\x1b[{number if number > 1 else ''}{ahead if count > 0 else back}"


@lru_cache(maxsize=4096)
def change(old: Pen, new: Pen) -> str:
    """The shortest SGR from one pen to another, and the change of link."""
    whole = [*map(str, new.attributes), *filter(None, new[:2])]
    ways = [f"\x1b[{'0;' if whole else ''}{';'.join(whole)}m"]
    steps = _switched(old, new)
    if steps is not None:
        ways.append(f"\x1b[{';'.join(steps)}m" if steps else "")
    link = f"\x1b]8;{new.link}\x1b\\" if new.link else NO_LINK
    return min(ways, key=len) + (link if new.link != old.link else "")


def _switched(old: Pen, new: Pen) -> list[str] | None:
    """The parameters that change one pen into another; None where only a reset does."""
    if not SWITCHED.issuperset(old.attributes):
        return None if old.attributes != new.attributes else _coloured(old, new)
    steps = []
    for numbers, off in SWITCHES:
        before = [number for number in numbers if number in old.attributes]
        after = [number for number in numbers if number in new.attributes]
        if not set(before) <= set(after):
            steps.append(str(off))
            before = []
        steps += [str(number) for number in after if number not in before]
    steps += [str(number) for number in new.attributes if number not in SWITCHED]
    return steps + _coloured(old, new)


def _coloured(old: Pen, new: Pen) -> list[str]:
    steps = []
    if old.foreground != new.foreground:
        steps.append(new.foreground or "39")
    if old.background != new.background:
        steps.append(new.background or "49")
    return steps
