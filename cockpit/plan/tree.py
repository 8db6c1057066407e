"""Walking the document as TOML gave it, where any value may be of any type.

Each walker passes over what is not of the type it looks for; the models report that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from cockpit.plan.locate import TomlPath

T = TypeVar("T")
Document = Mapping[str, Any]
Placed = tuple[TomlPath, dict[str, Any]]


def at(document: object, *path: str) -> object:
    """The value at `path`, None where there is none."""
    for part in path:
        document = document.get(part) if isinstance(document, dict) else None
    return document


def subtables(document: Document, section: str) -> Iterator[Placed]:
    """The tables `[section.NAME]`."""
    tables = document.get(section)
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if isinstance(table, dict):
            yield (section, name), table


def items(document: Document, *path: str) -> Iterator[Placed]:
    """The tables of the list at `path`."""
    return _items(path, at(document, *path))


def inner_items(tables: Iterable[Placed], key: str) -> Iterator[Placed]:
    """The tables of the lists under `key` of `tables`."""
    for path, table in tables:
        yield from _items((*path, key), table.get(key))


def inner(tables: Iterable[Placed], key: str) -> Iterator[Placed]:
    """The tables under `key` of `tables`."""
    for path, table in tables:
        if isinstance(table.get(key), dict):
            yield (*path, key), table[key]


def texts(tables: Iterable[Placed], key: str) -> Iterator[tuple[TomlPath, str]]:
    """The texts under `key` of `tables`."""
    for path, table in tables:
        if isinstance(table.get(key), str):
            yield (*path, key), table[key]


def read(reader: Callable[[object], T], value: object) -> T | None:
    """The value as `reader` reads it, None when it is absent or refused."""
    if value is None:
        return None
    try:
        return reader(value)
    except ValueError:
        return None


def number(value: object) -> float | None:
    """A number that can be counted with: not those that are no number, or too large for one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) <= sys.float_info.max else None


def _items(path: TomlPath, value: object) -> Iterator[Placed]:
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, dict):
            yield (*path, index), item
