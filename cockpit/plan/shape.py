"""TOML values in the shape that strict models want, and models asked about their fields.

TOML knows lists and text; strict models want tuples, enum members and `SecretRef` values. The walk
follows the annotations, so that the plan's own tables and every adapter's settings are treated alike.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from cockpit.core.clean import parse_duration
from cockpit.core.secret import SecretRef
from cockpit.plan import values
from cockpit.plan.locate import TomlPath
from cockpit.plan.problems import Report
from cockpit.plan.secrets import SECRET, read_reference
from cockpit.plan.values import Expected

_SCALARS: Final[Mapping[object, str]] = {
    str: "text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


def shaped(value: object, annotation: Any, path: TomlPath, report: Report) -> object:
    """`value` with tuples, enum members and secret references where `annotation` wants them.

    What does not fit is left as it is, for the model to refuse. Secrets are judged here, because a
    model would repeat the text that it refuses.
    """
    members = tuple(alternatives(annotation))
    if SecretRef in members and not (isinstance(value, str) and str in members):
        return read_reference(value, path, report)
    if isinstance(value, dict):
        return _shaped_table(value, members, path, report)
    if isinstance(value, list):
        return _shaped_list(value, members, path, report)
    for member in members:
        if isinstance(member, type) and issubclass(member, Enum) and value in _enum_values(member):
            return member(value)
    return value


def _shaped_table(
    value: dict[str, object], members: tuple[Any, ...], path: TomlPath, report: Report
) -> object:
    for member in members:
        if isinstance(member, type) and issubclass(member, BaseModel):
            fields = fields_of(member)
            return {
                key: shaped(item, fields[key], (*path, key), report) if key in fields else item
                for key, item in value.items()
            }
        if get_origin(member) in (dict, Mapping):
            inner = get_args(member)[1]
            return {key: shaped(item, inner, (*path, key), report) for key, item in value.items()}
    return value


def _shaped_list(value: list[object], members: tuple[Any, ...], path: TomlPath, report: Report) -> object:
    for member in members:
        origin = get_origin(member)
        if origin in (tuple, list, frozenset):
            inner = get_args(member)[0]
            items = [shaped(item, inner, (*path, place), report) for place, item in enumerate(value)]
            return items if origin is list else tuple(items)
    return value


def fields_of(model: type[BaseModel]) -> dict[str, Any]:
    """The annotations of a model's fields with their marks, by the key that stands in the file."""
    return {field.alias or name: _marked(field) for name, field in model.model_fields.items()}


def _marked(field: FieldInfo) -> Any:
    if not field.metadata:
        return field.annotation
    return Annotated[(field.annotation, *field.metadata)]


def annotation_at(annotation: Any, path: TomlPath) -> Any:
    """The annotation of the value at `path` inside `annotation`; None where the models name none."""
    for part in path:
        annotation = _step_into(annotation, part)
        if annotation is None:
            return None
    return annotation


def _step_into(annotation: Any, part: str | int) -> Any:
    for member in alternatives(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            if isinstance(part, str) and part in (fields := fields_of(member)):
                return fields[part]
        elif get_origin(member) in (dict, Mapping) and isinstance(part, str):
            return get_args(member)[1]
        elif get_origin(member) in (tuple, list, frozenset) and isinstance(part, int):
            return get_args(member)[0]
    return None


def known_keys(annotation: Any) -> tuple[str, ...]:
    """The keys of the table that `annotation` describes."""
    models = (m for m in alternatives(annotation) if isinstance(m, type) and issubclass(m, BaseModel))
    return tuple(key for model in models for key in fields_of(model))


def expected(annotation: Any) -> str:
    """What belongs at a place, in words: `a duration such as "30s"`, `one of: a, b`."""
    for mark in _marks(annotation):
        if isinstance(mark, Expected):
            return mark.words
        if isinstance(mark, BeforeValidator) and mark.func is parse_duration:
            return values.DURATION.words
    words = dict.fromkeys(_expected_member(member) for member in alternatives(annotation))
    *others, last = words or ("another value",)
    return f"{', '.join(others)} or {last}" if others else last


def _expected_member(member: Any) -> str:
    if member is SecretRef:
        return SECRET.words
    if get_origin(member) is Literal:
        return f"one of: {', '.join(str(choice) for choice in get_args(member))}"
    if get_origin(member) in (tuple, list, frozenset):
        return "a list of tables" if known_keys(get_args(member)[0]) else "a list"
    if isinstance(member, type) and issubclass(member, Enum):
        return f"one of: {', '.join(_enum_values(member))}"
    if get_origin(member) in (dict, Mapping) or (isinstance(member, type) and issubclass(member, BaseModel)):
        return "a table"
    return _SCALARS.get(member, "another value")


def alternatives(annotation: Any) -> Iterator[Any]:
    """The alternatives of an annotation, without marks and without None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from alternatives(member)
    elif annotation is not None and annotation is not type(None):
        yield annotation


def _marks(annotation: Any) -> Iterator[object]:
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        yield from marks
        yield from _marks(inner)
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _marks(member)


def _enum_values(member: type[Enum]) -> tuple[str, ...]:
    return tuple(str(item.value) for item in member)
