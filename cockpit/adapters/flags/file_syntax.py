"""Where values stand in JSON, TOML and files of variables. Strict readers; the YAML one has its own file."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any, Final

from cockpit.adapters.flags.file_edit import Patch, Path, number

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_PROBE: Final = 9_876_543_210
_HEADER: Final = re.compile(r"[ \t]*\[(?P<name>[^\[\]]+)\][ \t]*(?:#.*)?\r?$")
_TABLES: Final = re.compile(r"[ \t]*\[\[")
_ENTRY: Final = re.compile(
    r"[ \t]*(?P<name>[A-Za-z0-9_.\-\"' \t]+?)[ \t]*=[ \t]*"
    r"(?P<value>true|false|[+-]?[0-9][0-9_]*(?:\.[0-9_]+)?)[ \t]*(?:#.*)?\r?$"
)
_PART: Final = re.compile(r"""[ \t]*(?:"([^"\\]*)"|'([^']*)'|([A-Za-z0-9_-]+))[ \t]*(?:\.|\Z)""")
_VARIABLE: Final = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*"
    r"(?P<quote>[\"']?)(?P<value>[^\"'#\s]*)(?P=quote)[ \t]*(?:#.*)?\r?$",
    re.MULTILINE,
)
_ASSIGNED: Final = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=(?P<rest>.*)$", re.MULTILINE
)


class JsonSyntax:
    def __init__(self) -> None:
        self._decoder = json.JSONDecoder()

    def parse(self, text: str) -> object:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)

    def patch(self, text: str, path: Path, value: object) -> Patch | None:
        """Only a value that is there can be changed."""
        found = self._span(text, _skip(text, 0), path)
        return None if found is None else Patch(*found, _json(value))

    def _span(self, text: str, at: int, path: Path) -> tuple[int, int] | None:
        if not path:
            return at, self._decoder.raw_decode(text, at)[1]
        opening = text[at]
        if opening not in "{[" or (opening == "[") != isinstance(path[0], int):
            return None
        at, place = _skip(text, at + 1), 0
        while text[at] not in "]}":
            name: str | int = place
            if opening == "{":
                name, at = self._decoder.raw_decode(text, at)
                at = _skip(text, _skip(text, at) + 1)
            if name == path[0]:
                return self._span(text, at, path[1:])
            at = _skip(text, self._decoder.raw_decode(text, at)[1])
            at = _skip(text, at + 1) if text[at] == "," else at
            place += 1
        return None


class TomlSyntax:
    """Values that stand alone on a line, under a header or with dots; not those of inline tables."""

    def parse(self, text: str) -> object:
        return tomllib.loads(text)

    def patch(self, text: str, path: Path, value: object) -> Patch | None:
        found: list[Patch] = []
        table: tuple[str, ...] | None = ()
        at = 0
        for line in text.splitlines(keepends=True):
            bare = line.rstrip("\n")
            header, entry = _HEADER.match(bare), _ENTRY.match(bare)
            if header:
                table = _parts(header["name"])
            elif _TABLES.match(bare):
                table = None
            elif entry and table is not None and (*table, *(_parts(entry["name"]) or ("",))) == path:
                found.append(Patch(at + entry.start("value"), at + entry.end("value"), _json(value)))
            at += len(line)
        meant = [each for each in found if self._reaches(text, each, path)]
        return meant[0] if len(meant) == 1 else None

    def _reaches(self, text: str, patch: Patch, path: Path) -> bool:
        """Whether the place is the value and not, say, a line of a text that looks like it."""
        try:
            value: Any = self.parse(f"{text[: patch.start]}{_PROBE}{text[patch.end :]}")
            for part in path:
                value = value[part]
        except (ValueError, LookupError, TypeError):
            return False
        return bool(value == _PROBE)


class EnvSyntax:
    """A file of NAME=value lines. A variable that is set twice counts as none: shells take the last."""

    def parse(self, text: str) -> object:
        values: dict[str, object] = {}
        for match in _ASSIGNED.finditer(text):
            plain = _VARIABLE.match(text, match.start())
            value = match["rest"] if plain is None else plain["value"]
            values[match["name"]] = None if match["name"] in values else value
        return values

    def patch(self, text: str, path: Path, value: object) -> Patch | None:
        found = [match for match in _VARIABLE.finditer(text) if (match["name"],) == path]
        if len(found) != 1:
            return None
        return Patch(found[0].start("value"), found[0].end("value"), str(value))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one place")
    return found


def _no_number(literal: str) -> float:
    raise ValueError(f"{literal} is not JSON")


def _json(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return json.dumps(value)
    return number(value)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _parts(name: str) -> tuple[str, ...] | None:
    """The parts of a dotted TOML key; None for one that is not plain."""
    parts: list[str] = []
    at = 0
    while at < len(name):
        match = _PART.match(name, at)
        if match is None:
            return None
        parts.append(next(group for group in match.groups() if group is not None))
        at = match.end()
    return tuple(parts)
