"""On which line of the TOML text a value stands.

The standard library's parser gives values without places. This scanner walks text that the parser
has already accepted, and notes the line of every key, every table header and every list item.
It judges nothing and never raises: what it does not understand ends the walk, and places after it
fall back to the nearest table that was seen.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import count
from typing import Final

TomlPath = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACES: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")
_STRINGS: Final = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)
_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPED: Final = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


class Lines:
    """The line of each place, counted from 1."""

    def __init__(self, lines: dict[TomlPath, int]) -> None:
        self._lines = lines

    def __contains__(self, path: TomlPath) -> bool:
        return path in self._lines

    def line(self, path: TomlPath) -> int:
        """The line of `path`, or of the nearest table around it; 1 when nothing is known."""
        for end in range(len(path), 0, -1):
            found = self._lines.get(path[:end])
            if found is not None:
                return found
        return 1


def locate(text: str) -> Lines:
    """Line numbers of everything in `text`, which tomllib has accepted."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    try:
        scanner.document()
    except _Lost:
        return Lines(scanner.lines)
    return Lines(scanner.lines)


class _Lost(Exception):
    """The text is not what the scanner knows."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[TomlPath, int] = {}
        self._arrays: dict[TomlPath, int] = {}
        self._breaks = [match.start() for match in re.finditer("\n", text)]

    def document(self) -> None:
        table: TomlPath = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            table = self._header() if self.text[self.at] == "[" else self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> TomlPath:
        start, double = self.at, self.text.startswith("[[", self.at)
        self.at += 2 if double else 1
        keys = self._keys()
        self._expect("]]" if double else "]")
        path = self._next_item(keys) if double else self._inside(keys)
        for end in range(1, len(path) + 1):
            self._note(path[:end], start)
        return path

    def _inside(self, keys: TomlPath) -> TomlPath:
        """The path of a header: a list of tables on the way means its latest item."""
        path: TomlPath = ()
        for key in keys:
            path = (*path, key)
            if path in self._arrays:
                path = (*path, self._arrays[path])
        return path

    def _next_item(self, keys: TomlPath) -> TomlPath:
        array = (*self._inside(keys[:-1]), keys[-1])
        self._arrays[array] = self._arrays.get(array, -1) + 1
        return (*array, self._arrays[array])

    def _pair(self, table: TomlPath) -> TomlPath:
        """`key = value`; returns the table it stands in, which goes on."""
        start, path = self.at, table
        for key in self._keys():
            path = (*path, key)
            self._note(path, start)
        self._expect("=")
        self._skip(_SPACES)
        self._value(path)
        return table

    def _value(self, path: TomlPath) -> None:
        opening = self.text[self.at : self.at + 1]
        if opening in ('"', "'"):
            self._string()
        elif opening == "[":
            self._list(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            self._take(_SCALAR)

    def _list(self, path: TomlPath) -> None:
        self.at += 1
        for index in count():
            self._skip(_BLANK)
            if self._closes("]"):
                return
            self._note((*path, index), self.at)
            self._value((*path, index))
            self._skip(_BLANK)
            self._closes(",")

    def _inline_table(self, path: TomlPath) -> None:
        self.at += 1
        while True:
            self._skip(_BLANK)
            if self._closes("}"):
                return
            self._pair(path)
            self._skip(_BLANK)
            self._closes(",")

    def _keys(self) -> TomlPath:
        keys: list[str] = []
        while True:
            self._skip(_SPACES)
            quoted = self.text[self.at : self.at + 1] in ('"', "'")
            keys.append(_unquote(self._string()) if quoted else self._take(_BARE_KEY))
            self._skip(_SPACES)
            if not self._closes("."):
                return tuple(keys)

    def _string(self) -> str:
        for pattern in _STRINGS:
            match = pattern.match(self.text, self.at)
            if match:
                self.at = match.end()
                return match[0]
        raise _Lost

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _Lost
        self.at = match.end()
        return match[0]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _closes(self, mark: str) -> bool:
        found = self.text.startswith(mark, self.at)
        self.at += len(mark) if found else 0
        return found

    def _expect(self, mark: str) -> None:
        if not self._closes(mark):
            raise _Lost

    def _note(self, path: TomlPath, at: int) -> None:
        self.lines.setdefault(path, bisect_right(self._breaks, at - 1) + 1)


def _unquote(quoted: str) -> str:
    """The text of a quoted key."""
    if quoted[0] == "'":
        return quoted[1:-1]
    return _ESCAPE.sub(_unescape, quoted[1:-1])


def _unescape(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _ESCAPED.get(match[3], match[3])
