"""Values of the core out of JSON, by the annotations of their classes.

Strict: text is no number, a number is no text, a whole number stands for a float and for nothing else. Keys
that a class does not know are passed over; a key that is missing takes the class's default or is an error.
How a class is read is found out when the first one comes, so that who reads one picture waits for no more.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from itertools import repeat
from typing import Any, Final, TypeVar

from cockpit.core.clean import parse_instant

V = TypeVar("V")
Reader = Callable[[Any], Any]
Bound = tuple[tuple[TypeVar, Any], ...]
"""What the parameters of a generic class stand for."""


class Misfit(ValueError):
    """A value that is not what its place wants. `place` is the way to it, outermost first."""

    def __init__(self, what: str, *place: str) -> None:
        super().__init__(what)
        self.what = what
        self.place = place

    def within(self, outer: str) -> Misfit:
        return Misfit(self.what, outer, *self.place)


def parsed(encoded: bytes) -> object:
    """JSON as UTF-8; NaN and infinities are read. Raises ValueError for everything else."""
    try:
        found: object = json.loads(encoded.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return found


def read(raw: object, wanted: type[V]) -> V:
    """`raw`, as JSON told it, as a value of a class of the core. Raises Misfit."""
    hint: Any = wanted
    value: V = _reader(hint)(raw)
    return value


@cache
def _reader(hint: Any, bound: Bound = ()) -> Reader:
    hint = dict(bound).get(hint, hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _one_of(tuple(_late(each, bound) for each in arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return _list_of(_late(arguments[0], bound))
    if origin is tuple:
        return _row_of(tuple(_late(each, bound) for each in arguments))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _member_of(hint)
    if origin is Mapping:
        return _table_of(_late(arguments[1], bound))
    return _object_of(*meant(hint, bound))


def meant(hint: Any, bound: Bound) -> tuple[Any, Bound]:
    """The dataclass that `hint` names, and what its own parameters stand for. Raises TypeError for others."""
    made, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if not is_dataclass(made):
        raise TypeError(f"{hint} has no place in JSON")
    stand_for = (dict(bound).get(each, each) for each in arguments)
    return made, tuple(zip(getattr(made, "__parameters__", ()), stand_for, strict=True))


def _late(hint: Any, bound: Bound) -> Reader:
    """A class is looked into when there is something of it to read."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    return lambda raw: _reader(hint, bound)(raw)


def _one_of(readers: tuple[Reader, ...]) -> Reader:
    *others, last = readers

    def read_one(raw: object) -> object:
        for reader in others:
            try:
                return reader(raw)
            except Misfit:
                continue
        return last(raw)

    if _none in readers:
        rest = tuple(reader for reader in readers if reader is not _none)
        read_it = rest[0] if len(rest) == 1 else _one_of(rest)
        return lambda raw: None if raw is None else read_it(raw)
    return read_one


def _list_of(reader: Reader) -> Reader:
    def read_list(raw: object) -> object:
        if not isinstance(raw, list):
            raise Misfit("not a list")
        return _in_turn(raw, repeat(reader))

    return read_list


def _row_of(readers: tuple[Reader, ...]) -> Reader:
    def read_row(raw: object) -> object:
        if not isinstance(raw, list) or len(raw) != len(readers):
            raise Misfit(f"not a list of {len(readers)}")
        return _in_turn(raw, readers)

    return read_row


def _in_turn(raw: list[Any], readers: Iterable[Reader]) -> tuple[Any, ...]:
    values: list[Any] = []
    try:
        for item, reader in zip(raw, readers, strict=False):
            values.append(reader(item))
    except Misfit as misfit:
        raise misfit.within(str(len(values))) from None
    return tuple(values)


def _table_of(reader: Reader) -> Reader:
    def read_table(raw: object) -> object:
        if not isinstance(raw, dict):
            raise Misfit("not an object")
        return dict(zip(map(_str, raw), _in_turn(list(raw.values()), repeat(reader)), strict=True))

    return read_table


def _member_of(kind: type[Enum]) -> Reader:
    members: Mapping[object, Enum] = {member.value: member for member in kind}

    def read_member(raw: object) -> object:
        try:
            return members[raw]
        except (KeyError, TypeError):
            raise Misfit(f"none of {', '.join(str(value) for value in members)}") from None

    return read_member


def _object_of(made: Any, bound: Bound) -> Reader:
    hints = typing.get_type_hints(made)
    readers = [(field.name, _late(hints[field.name], bound), _may_miss(field)) for field in fields(made)]

    def read_object(raw: object) -> object:
        if not isinstance(raw, dict):
            raise Misfit("not an object")
        values = {}
        for name, reader, may_miss in readers:
            if name in raw:
                try:
                    values[name] = reader(raw[name])
                except Misfit as misfit:
                    raise misfit.within(name) from None
            elif not may_miss:
                raise Misfit("is missing", name)
        try:
            return made(**values)
        except ValueError as refused:
            raise Misfit(str(refused)) from None

    return read_object


def _may_miss(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _none(raw: object) -> None:
    if raw is not None:
        raise Misfit("not null")


def _bool(raw: object) -> bool:
    if raw is True or raw is False:
        return raw
    raise Misfit("not true or false")


def _int(raw: object) -> int:
    if type(raw) is int:
        return raw
    raise Misfit("not a whole number")


def _float(raw: object) -> float:
    if type(raw) is float:
        return raw
    if type(raw) is int:
        try:
            return float(raw)
        except OverflowError:
            raise Misfit("a number too large") from None
    raise Misfit("not a number")


def _str(raw: object) -> str:
    """JSON can write half a character, which no terminal and no file takes."""
    if type(raw) is str:
        if raw.isascii():
            return raw
        try:
            raw.encode()
        except UnicodeEncodeError:
            raise Misfit("half a character") from None
        return raw
    raise Misfit("not text")


def _instant(raw: object) -> datetime:
    try:
        return parse_instant(raw)
    except (ValueError, OverflowError) as refused:
        raise Misfit(str(refused)) from None


_PLAIN: Final[Mapping[Any, Reader]] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    datetime: _instant,
    type(None): _none,
}
