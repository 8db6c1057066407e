"""What the JSON Schema of a plan says about one table, one key, one type: TOML's view of our classes.

Text where we read text, no null (a key is left out instead), descriptions from docstrings.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from copy import deepcopy
from enum import Enum
from itertools import pairwise
from typing import Any, Final, Literal

from cockpit.core.clean import parse_duration
from cockpit.core.secret import SecretRef
from cockpit.core.tables import Before, Bound, Form, Json, Size, Written
from cockpit.plan import values
from cockpit.plan.secrets import SECRET
from cockpit.plan.shape import Choice, choices, default, fields_of, is_table, needed

Schema = dict[str, Any]

_DURATION: Final[Schema] = {
    "type": "string",
    "pattern": values.DURATION.pattern,
    "examples": ["30s", "15m", "2h"],
}
_BY_READER: Final[Mapping[Callable[[Any], object], Schema]] = {
    parse_duration: _DURATION,
    values.duration: _DURATION,
    values.positive_duration: _DURATION,
    values.interval: _DURATION,
    values.budget: _DURATION,
    values.percent: {"type": "number", "minimum": 0, "maximum": 100},
    values.instant: {"type": "string", "format": "date-time"},
}
_SCALARS: Final[Mapping[Any, str]] = {str: "string", bool: "boolean", int: "integer", float: "number"}
_LENGTHS: Final = {"string": "Length", "array": "Items", "object": "Properties"}


def _reference(**properties: Schema) -> Schema:
    required = [name for name in properties if name != "timeout"]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_SECRET: Final[Schema] = {
    "description": f"Expected {SECRET.words}.",
    "oneOf": [
        _reference(env={"type": "string", "description": "Name of an environment variable."}),
        _reference(file={"type": "string", "description": "Path of a file that only its owner can read."}),
        _reference(
            command={
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "description": "Program and arguments; its standard output is the secret.",
            },
            timeout={**_DURATION, "description": "How long it may run."},
        ),
    ],
}


class Definitions:
    """What other parts of the schema point at, each under a name of its own."""

    def __init__(self) -> None:
        self.made: dict[str, Schema] = {}
        self._names: dict[object, str] = {}

    def pointer(self, what: type, make: Callable[[], Schema]) -> Schema:
        """A reference to what `make` makes, which is made once. Two classes of one name get two names."""
        if what not in self._names:
            name = what.__name__
            if name in self.made:
                name = f"{what.__module__}.{name}".replace(".", "_")
            self._names[what] = name
            self.made[name] = {}
            self.made[name] = make()
        return {"$ref": f"#/$defs/{self._names[what]}"}


def table_schema(model: type[Written], definitions: Definitions) -> Schema:
    """A closed table with its keys, their defaults and what their docstrings say."""
    words, known = _field_docstrings(model), fields_of(model)
    made: Schema = {"title": model.__name__, "type": "object", "additionalProperties": False}
    if model.__doc__ and model.__doc__ != model.__name__:
        made["description"] = inspect.cleandoc(model.__doc__)
    made["properties"] = {
        key: _property(model, key, annotation, words, definitions) for key, annotation in known.items()
    }
    required = [key for key in known if key in needed(model)]
    if required:
        made["required"] = required
    if model.either:
        made["oneOf"] = [{"required": [key]} for key in model.either]
    return made


def _property(
    model: type[Written], key: str, annotation: Any, words: Mapping[str, str], definitions: Definitions
) -> Schema:
    made = _value(annotation, definitions)
    usual = default(model, key)
    if usual is not None:
        made["default"] = _written(usual, made)
    if key in words:
        made["description"] = words[key]
    return made


def _written(usual: object, made: Schema) -> object:
    """A default as a plan would write it."""
    if made.get("pattern") == values.DURATION.pattern and isinstance(usual, int | float):
        return values.duration_text(usual)
    if isinstance(usual, Enum):
        return usual.value
    return [_written(each, {}) for each in usual] if isinstance(usual, tuple) else usual


def _value(annotation: Any, definitions: Definitions) -> Schema:
    possible = [_choice(choice, definitions) for choice in choices(annotation)]
    return possible[0] if len(possible) == 1 else {"anyOf": possible}


def _choice(choice: Choice, definitions: Definitions) -> Schema:
    """A limit of seconds says nothing about the text that stands in the plan."""
    for mark in choice.marks:
        if isinstance(mark, Before) and mark.function in _BY_READER:
            return deepcopy(_BY_READER[mark.function])
        if isinstance(mark, Json):
            return {}
    made = _type(choice, definitions)
    for mark in choice.marks:
        made.update(_limits(mark, str(made.get("type"))))
    return made


def _type(choice: Choice, definitions: Definitions) -> Schema:
    base = choice.base
    if base is SecretRef:
        return definitions.pointer(base, lambda: deepcopy(_SECRET))
    if choice.origin is Enum:
        return definitions.pointer(base, lambda: _enum(base))
    if choice.origin is Literal:
        return {"type": "string", "enum": list(choice.inner)}
    if is_table(base):
        return definitions.pointer(base, lambda: table_schema(base, definitions))
    if choice.is_list:
        return {"type": "array", "items": _value(choice.inner[0], definitions)}
    if choice.is_mapping:
        keys, inner = choice.inner
        return _mapping(keys, inner, definitions)
    return {"type": _SCALARS[base]}


def _mapping(keys: Any, inner: Any, definitions: Definitions) -> Schema:
    made: Schema = {"type": "object", "additionalProperties": _value(inner, definitions)}
    limits = {word: limit for word, limit in _value(keys, definitions).items() if word != "type"}
    return {**made, "propertyNames": limits} if limits else made


def _enum(base: type[Enum]) -> Schema:
    made: Schema = {"title": base.__name__, "type": "string", "enum": [member.value for member in base]}
    return {**made, "description": inspect.cleandoc(base.__doc__)} if base.__doc__ else made


def _limits(mark: object, kind: str) -> Schema:
    found: Schema = {}
    if isinstance(mark, Bound):
        found = {
            "exclusiveMinimum": mark.gt,
            "minimum": mark.ge,
            "exclusiveMaximum": mark.lt,
            "maximum": mark.le,
        }
    elif isinstance(mark, Size):
        found = {f"min{_LENGTHS[kind]}": mark.least or None, f"max{_LENGTHS[kind]}": mark.most}
    elif isinstance(mark, Form):
        found = {"pattern": mark.pattern}
    return {key: limit for key, limit in found.items() if limit is not None}


def _field_docstrings(model: type) -> dict[str, str]:
    """The text under each field, also of those that a base class has."""
    bases = (each for each in reversed(model.__mro__) if issubclass(each, Written) and each is not Written)
    return {name: words for each in bases for name, words in _own_docstrings(each).items()}


def _own_docstrings(model: type) -> dict[str, str]:
    """Read from the source; nothing where there is no source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = tree.body[0].body if tree.body and isinstance(tree.body[0], ast.ClassDef) else []
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
