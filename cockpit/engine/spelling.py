"""Values of the core into JSON, by the annotations of their classes: what `parsing` reads again.

msgspec writes them, but it would write null for a number that is not finite. So a value is looked through for
those first, and nothing else in it is touched. How a class is looked through is found out when the first of
it comes.

Pictures follow each other, and most of one is the very objects of the one before: what was written of those
is kept and written again.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from enum import Enum
from math import isfinite
from operator import is_
from sys import maxsize
from typing import Any, Final

from msgspec import Raw
from msgspec.json import Encoder

from cockpit.engine.parsing import Bound, meant

Look = Callable[[Any], Any]
"""Gives the value itself, or what is to be written in its place."""

_write: Final = Encoder().encode
_BARE: Final = frozenset({bool, int, str, datetime, type(None)})


class Speller:
    """Writes values of one class, from one thread. parts: classes of which each object is written by itself.

    What was written of a part is kept until a value is written that does not hold it. Parts never change; a
    part that is kept is held, so that no other object can come by its identity.
    """

    def __init__(self, kind: type, *, parts: Collection[type] = ()) -> None:
        self._parts = frozenset(parts)
        self._known: dict[tuple[Any, Bound], Look | None] = {}
        self._kept: dict[int, tuple[object, Raw]] = {}
        self._seen: dict[int, tuple[object, Raw]] = {}
        self._left = 0
        self._look = self._late(kind, ())

    def spell(self, value: object) -> bytes:
        """`value` as JSON; numbers that are not finite are NaN, Infinity and -Infinity."""
        return self._spelled(value, maxsize)

    def spell_some(self, value: object, most: int) -> bytes | None:
        """The same, or None after about `most` new parts: ask again, with the same value, to go on."""
        try:
            return self._spelled(value, most)
        except _Enough:
            self._kept |= self._seen
            return None

    def _spelled(self, value: object, most: int) -> bytes:
        self._left, self._seen = most, {}
        spelled = _write(self._look(value))
        self._kept = self._seen
        return spelled

    def _part(self, look: Look) -> Look:
        def look_at_part(part: object) -> Raw:
            known = self._kept.get(id(part)) or self._seen.get(id(part))
            if known is None:
                if self._left <= 0:
                    raise _Enough
                known = part, Raw(_write(look(part)))
                self._left -= 1
            self._seen[id(part)] = known
            return known[1]

        return look_at_part

    # --- how a value is looked through: None where there is nothing to look for ---------------------------

    def _look_for(self, hint: Any, bound: Bound) -> Look | None:
        if (hint, bound) not in self._known:
            self._known[hint, bound] = self._found_out(dict(bound).get(hint, hint), bound)
        return self._known[hint, bound]

    def _found_out(self, hint: Any, bound: Bound) -> Look | None:
        if hint is float:
            return _number
        if hint in _BARE or (isinstance(hint, type) and issubclass(hint, Enum)):
            return None
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            return self._one_of([dict(bound).get(each, each) for each in arguments], bound)
        if origin is tuple and arguments[-1] is Ellipsis:
            return _list_of(self._look_for(arguments[0], bound))
        if origin is tuple:
            return _row_of([self._look_for(each, bound) for each in arguments])
        if origin is Mapping:
            return _table_of(self._look_for(arguments[1], bound))
        return self._late(*meant(hint, bound))

    def _one_of(self, hints: Sequence[Any], bound: Bound) -> Look | None:
        looks = {typing.get_origin(hint) or hint: self._look_for(hint, bound) for hint in hints}
        found = {kind: look for kind, look in looks.items() if look is not None}
        if found.keys() <= {float}:
            return found.get(float)

        def look_at_one(value: object) -> object:
            look = found.get(type(value))
            return value if look is None else look(value)

        return look_at_one

    def _late(self, made: Any, bound: Bound) -> Look:
        """A class is looked into when there is something of it to write."""
        known: list[Look] = []

        def look_late(value: object) -> object:
            if not known:
                look = self._object_of(made, bound)
                known.append(self._part(look) if made in self._parts else look)
            return known[0](value)

        return look_late

    def _object_of(self, made: Any, bound: Bound) -> Look:
        hints = typing.get_type_hints(made)
        names = [field.name for field in fields(made)]
        looks = [(name, look) for name in names if (look := self._look_for(hints[name], bound)) is not None]

        def look_at_object(value: object) -> object:
            instead: dict[str, object] = {}
            for name, look in looks:
                field = getattr(value, name)
                looked = look(field)
                if looked is not field:
                    instead[name] = looked
            if not instead:
                return value
            return {name: instead[name] if name in instead else getattr(value, name) for name in names}

        return look_at_object


class _Enough(Exception):
    """So many parts were written that others may want the time."""


def _number(value: object) -> object:
    """Whatever else may stand in the place of a number is as it should be."""
    return Raw(json.dumps(value)) if type(value) is float and not isfinite(value) else value


def _list_of(look: Look | None) -> Look | None:
    if look is None:
        return None

    def look_at_each(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return _same(values, tuple(map(look, values)))

    def look_at_numbers(values: tuple[Any, ...]) -> tuple[Any, ...]:
        """A sum says in a tenth of the time that all are finite; there may be words between them."""
        try:
            if isfinite(sum(filter(None, values))):
                return values
        except TypeError:
            pass
        return look_at_each(values)

    return look_at_numbers if look is _number else look_at_each


def _row_of(looks: Sequence[Look | None]) -> Look | None:
    if not any(looks):
        return None

    def look_at_row(values: tuple[Any, ...]) -> tuple[Any, ...]:
        pairs = zip(looks, values, strict=True)
        return _same(values, tuple(value if look is None else look(value) for look, value in pairs))

    return look_at_row


def _same(values: tuple[Any, ...], looked: tuple[Any, ...]) -> tuple[Any, ...]:
    return values if all(map(is_, values, looked)) else looked


def _table_of(look: Look | None) -> Look | None:
    if look is None:
        return None
    return lambda table: {key: look(value) for key, value in table.items()}
