"""A table of the plan, read as its class describes it: key by key, and whatever is wrong told at its place.

TOML knows text, numbers, lists and tables; classes want tuples, enum members, seconds and `SecretRef`. Types
are strict: `true` is no number and 1.0 no whole one, but a whole number may stand for any. An object is made
only when all of its keys are right, so that what keys say about each other is judged on whole values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, Literal, TypeVar, cast

from cockpit.core.clean import clean_text
from cockpit.core.secret import SecretRef
from cockpit.core.tables import After, Before, Json, Written
from cockpit.plan.locate import TomlPath
from cockpit.plan.problems import Report, unknown
from cockpit.plan.secrets import read_reference
from cockpit.plan.shape import Choice, choices, expected, fields_of, is_table, needed
from cockpit.plan.values import shown, toml_type
from cockpit.plan.words import misfit, wrong_kind, wrong_size

T = TypeVar("T", bound=Written)


class _Refused(Enum):
    REFUSED = "refused"


_REFUSED: Final = _Refused.REFUSED
"""Stands where a value would be that was refused, and reported."""


def read_table(table: Mapping[str, object], model: type[T], path: TomlPath, report: Report) -> T | None:
    """`table`, which stands at `path`, as a `model`; None when anything in it is wrong, and was reported."""
    found: dict[str, object] = {}
    known = fields_of(model)
    whole = True
    for key in table:
        if key not in known:
            report.add((*path, key), unknown("key", key, known))
            whole = False
    for key, annotation in known.items():
        if key in table:
            found[key] = _read(table[key], annotation, (*path, key), report)
        elif key in needed(model):
            report.add((*path, key), f"is missing; expected {expected(annotation)}")
            whole = False
    if not whole or _any_refused(found.values()):
        return None
    try:
        return model(**found)
    except ValueError as wrong:
        report.add(path, _said(wrong))
        return None


def _read(value: object, annotation: Any, path: TomlPath, report: Report) -> object:
    """A secret is read before anything else looks at it: no other words may repeat it."""
    possible = choices(annotation)
    if any(each.base is SecretRef for each in possible) and not (
        isinstance(value, str) and any(each.base is str for each in possible)
    ):
        return read_reference(value, path, report)
    for choice in possible:
        if _takes(choice, value):
            return _chosen(value, choice, path, report)
    report.add(path, wrong_kind(value, annotation))
    return _REFUSED


def _takes(choice: Choice, value: object) -> bool:
    """Whether a value is of the type that this choice is for."""
    if choice.marks and isinstance(choice.marks[0], Before | Json):
        return True
    if choice.origin in (Literal, Enum):
        return isinstance(value, str) and value in choice.inner
    if choice.is_list:
        return isinstance(value, list | tuple)
    if choice.is_mapping or is_table(choice.base):
        return isinstance(value, dict)
    if choice.base in (int, float):
        kinds = int if choice.base is int else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    return isinstance(choice.base, type) and isinstance(value, choice.base)


def _chosen(value: object, choice: Choice, path: TomlPath, report: Report) -> object:
    """A list of the wrong length has its entries read all the same: each of their problems counts."""
    length = wrong_size(value, choice)
    if length:
        report.add(path, length)
    read = _inside(value, choice, path, report)
    if length or read is _REFUSED:
        return _REFUSED
    try:
        for mark in choice.marks:
            if isinstance(mark, Before | After):
                read = mark.function(read)
            elif words := misfit(read, mark, value):
                raise ValueError(words)
    except ValueError as wrong:
        report.add(path, _said(wrong))
        return _REFUSED
    return read


def _inside(value: object, choice: Choice, path: TomlPath, report: Report) -> object:
    """The value in the type of its choice, with all that is in it; its marks come later."""
    if choice.marks and isinstance(choice.marks[0], Before):
        return value
    if choice.marks and isinstance(choice.marks[0], Json):
        return _json(value, path, report)
    if isinstance(value, list | tuple):
        return _entries(value, choice, path, report)
    if isinstance(value, dict):
        if choice.is_mapping:
            return _mapping(value, choice.inner, path, report)
        made = read_table(value, cast(type[Written], choice.base), path, report)
        return _REFUSED if made is None else made
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = _finite(value, path, report)
        return number if choice.base is float or number is _REFUSED else value
    return choice.base(value) if choice.origin is Enum else value


def _entries(value: Sequence[object], choice: Choice, path: TomlPath, report: Report) -> object:
    read = [_read(each, choice.inner[0], (*path, place), report) for place, each in enumerate(value)]
    return _REFUSED if _any_refused(read) else choice.origin(read)


def _mapping(table: Mapping[str, object], inner: Sequence[Any], path: TomlPath, report: Report) -> object:
    keys, values = inner
    read = {
        _read(key, keys, (*path, key), report): _read(value, values, (*path, key), report)
        for key, value in table.items()
    }
    return _REFUSED if _any_refused((*read, *read.values())) else read


def _finite(value: float, path: TomlPath, report: Report) -> object:
    """The number as a float; refused when it is none, or so large that nothing can be reckoned with it."""
    try:
        number = float(value)
    except OverflowError:
        report.add(path, f"{shown(value)} is too large; expected a finite number")
        return _REFUSED
    if math.isfinite(number):
        return number
    report.add(path, f"{shown(value)} is not finite; expected a finite number")
    return _REFUSED


def _json(value: object, path: TomlPath, report: Report) -> object:
    """The value as it is, when JSON can say it."""
    inner: Sequence[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        inner = tuple(value.items())
    elif isinstance(value, list):
        inner = tuple(enumerate(value))
    elif isinstance(value, int | float):
        return _REFUSED if _finite(value, path, report) is _REFUSED else value
    elif not isinstance(value, str):
        report.add(path, f"{toml_type(value)} is not accepted here")
        return _REFUSED
    read = [_json(each, (*path, place), report) for place, each in inner]
    return _REFUSED if _any_refused(read) else value


def _any_refused(found: Iterable[object]) -> bool:
    """By identity: values are not to be compared here, which a class is not ready for at a start."""
    return any(each is _REFUSED for each in found)


def _said(wrong: ValueError) -> str:
    return clean_text(wrong, limit=500) or "is not accepted here"
