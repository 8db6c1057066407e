"""What a class says about its table: which keys there are, and what may stand at each.

The annotations of a class are looked at once and kept; the plan's own tables and every adapter's settings
are treated alike.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from enum import Enum
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin, get_type_hints

from cockpit.core.clean import parse_duration
from cockpit.core.dataclass import dataclass
from cockpit.core.secret import SecretRef
from cockpit.core.tables import Before, Written
from cockpit.plan import values
from cockpit.plan.secrets import SECRET
from cockpit.plan.values import Expected

_SCALARS: Final[Mapping[object, str]] = {
    str: "text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}
_LISTS: Final = (tuple, list, frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the types that may stand at a place, with its marks in the order in which they are asked.

    inner: the annotations of what is inside a list (one) or a table of any keys (of keys and values); the
    choices of a Literal or an enum, as they are written.
    """

    base: Any
    origin: Any
    inner: tuple[Any, ...]
    marks: tuple[object, ...]

    @property
    def is_list(self) -> bool:
        return self.origin in _LISTS

    @property
    def is_mapping(self) -> bool:
        return self.origin is Mapping


def fields_of(model: type[Written]) -> Mapping[str, Any]:
    """The annotations of a table's keys with their marks, in the order of the class."""
    return _look(cast(Any, model))[0]


def needed(model: type[Written]) -> frozenset[str]:
    """The keys that a table cannot do without."""
    return _look(cast(Any, model))[1]


@cache
def _look(model: Any) -> tuple[Mapping[str, Any], frozenset[str]]:
    hints = get_type_hints(model, include_extras=True)
    known = {field.name: hints[field.name] for field in fields(model)}
    without = (each for each in fields(model) if each.default is MISSING and each.default_factory is MISSING)
    return known, frozenset(field.name for field in without)


def default(model: type[Written], key: str) -> Any:
    """What counts where the plan does not say; None for a table, and for a key that must be there."""
    found = next(field.default for field in fields(model) if field.name == key)
    return None if found is MISSING else found


def is_table(base: object) -> bool:
    return isinstance(base, type) and issubclass(base, Written)


@cache
def choices(annotation: Any) -> tuple[Choice, ...]:
    """The types that may stand where `annotation` says; None is left out, because TOML has none."""
    return tuple(_choices(annotation, ()))


def _choices(annotation: Any, marks: tuple[object, ...]) -> Iterator[Choice]:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *own = get_args(annotation)
        yield from _choices(inner, (*own, *marks))
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _choices(member, marks)
    elif annotation is not None and annotation is not type(None):
        yield _choice(annotation, origin, marks)


def _choice(base: Any, origin: Any, marks: tuple[object, ...]) -> Choice:
    inner = get_args(base)
    if isinstance(base, type) and issubclass(base, Enum):
        origin, inner = Enum, tuple(str(member.value) for member in base)
    elif origin in _LISTS:
        inner = inner[:1]
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        origin = Mapping
    return Choice(base=base, origin=origin, inner=inner, marks=marks)


def known_keys(annotation: Any) -> tuple[str, ...]:
    """The keys of the table that `annotation` describes."""
    return tuple(key for each in choices(annotation) if is_table(each.base) for key in fields_of(each.base))


def expected(annotation: Any) -> str:
    """What belongs at a place, in words: `a duration such as "30s"`, `one of: a, b`."""
    found = dict.fromkeys(_expected(choice) for choice in choices(annotation))
    *others, last = found or ("another value",)
    return f"{', '.join(others)} or {last}" if others else last


def _expected(choice: Choice) -> str:
    for mark in choice.marks:
        if isinstance(mark, Expected):
            return mark.words
        if isinstance(mark, Before) and mark.function is parse_duration:
            return values.DURATION.words
    if choice.base is SecretRef:
        return SECRET.words
    if choice.origin in (Literal, Enum):
        return f"one of: {', '.join(choice.inner)}"
    if choice.is_list:
        return "a list of tables" if known_keys(choice.inner[0]) else "a list"
    if choice.is_mapping or is_table(choice.base):
        return "a table"
    return _SCALARS.get(choice.base, "another value")
