"""A small JSON Schema validator: exactly the words that our schema uses, and no others.

A word that it does not know is an error, so that a schema cannot pass by not being understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

Schema = Mapping[str, Any]

_NOTES: Final = frozenset({"title", "description", "default", "examples", "$schema", "$defs", "format"})
_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(
        value, str | datetime
    ),  # JSON has no times: editors see TOML's as text
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}
_BOUNDS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "minimum": lambda value, bound: value >= bound,
    "exclusiveMinimum": lambda value, bound: value > bound,
    "maximum": lambda value, bound: value <= bound,
    "exclusiveMaximum": lambda value, bound: value < bound,
    "minItems": lambda value, bound: len(value) >= bound,
    "maxItems": lambda value, bound: len(value) <= bound,
    "minProperties": lambda value, bound: len(value) >= bound,
    "minLength": lambda value, bound: len(value) >= bound,
    "maxLength": lambda value, bound: len(value) <= bound,
    "pattern": lambda value, pattern: re.search(pattern, value) is not None,
    "enum": lambda value, choices: value in choices,
    "const": lambda value, constant: value == constant,
}
_STRUCTURE: Final = frozenset(
    {
        "$ref",
        "type",
        "oneOf",
        "anyOf",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "propertyNames",
    }
)


def faults(value: Any, schema: Schema | bool, root: Schema, at: str = "") -> Iterator[str]:
    """What `value` does not keep of `schema`."""
    if isinstance(schema, bool):
        if not schema:
            yield f"{at}: not allowed"
        return
    unknown = schema.keys() - _NOTES - _STRUCTURE - _BOUNDS.keys()
    assert not unknown, f"the schema uses words that are not checked: {unknown}"
    if "$ref" in schema:
        yield from faults(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)
    if "type" in schema and not _TYPES[schema["type"]](value):
        yield f"{at}: not of type {schema['type']}"
        return
    yield from (
        f"{at}: {word} {schema[word]}"
        for word in _BOUNDS.keys() & schema
        if not _BOUNDS[word](value, schema[word])
    )
    yield from _choices(value, schema, root, at)
    if isinstance(value, dict):
        yield from _members(value, schema, root, at)
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            yield from faults(item, schema["items"], root, f"{at}[{place}]")


def _choices(value: Any, schema: Schema, root: Schema, at: str) -> Iterator[str]:
    for word in ("oneOf", "anyOf"):
        if word in schema:
            kept = [choice for choice in schema[word] if not list(faults(value, choice, root, at))]
            if not kept or (word == "oneOf" and len(kept) > 1):
                yield f"{at}: {len(kept)} of {len(schema[word])} alternatives hold"


def _members(value: Mapping[str, Any], schema: Schema, root: Schema, at: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    yield from (f"{at}: {key} is missing" for key in schema.get("required", ()) if key not in value)
    for key, item in value.items():
        if "propertyNames" in schema:
            yield from faults(key, schema["propertyNames"], root, f"{at}.{key}")
        if key in properties:
            yield from faults(item, properties[key], root, f"{at}.{key}")
        else:
            yield from faults(item, schema.get("additionalProperties", True), root, f"{at}.{key}")
