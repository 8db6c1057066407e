"""The JSON Schema of a plan (draft 2020-12), for editors that complete and check TOML.

Made from the same models that judge a plan: field docstrings become descriptions, durations are text
with a pattern, and every table that names a kind is one of as many tables as there are kinds.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from cockpit.core.clean import parse_duration
from cockpit.core.secret import SecretRef
from cockpit.plan import values
from cockpit.plan.fields import Announce, Document, Probe, Source
from cockpit.plan.kinds import Family, Kinds, settings_class
from cockpit.plan.parity_fields import Store
from cockpit.plan.secrets import SECRET
from cockpit.plan.written import Table

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"

_DURATION: Final[JsonSchemaValue] = {
    "type": "string",
    "pattern": values.DURATION.pattern,
    "examples": ["30s", "15m", "2h"],
}
_BY_READER: Final[Mapping[Any, JsonSchemaValue]] = {
    parse_duration: _DURATION,
    values.duration: _DURATION,
    values.positive_duration: _DURATION,
    values.interval: _DURATION,
    values.budget: _DURATION,
    values.percent: {"type": "number", "minimum": 0, "maximum": 100},
    values.instant: {"type": "string", "format": "date-time"},
}


def _reference(**properties: JsonSchemaValue) -> JsonSchemaValue:
    required = [name for name in properties if name != "timeout"]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_SECRET: Final[JsonSchemaValue] = {
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


def json_schema(kinds: Kinds) -> dict[str, Any]:
    """The schema of a plan that may name these kinds."""
    families = (kinds.flag_services, kinds.probes, kinds.monitors, kinds.announcers, kinds.stores)
    models: list[type[BaseModel]] = [Document, Source, Probe, Announce, Store]
    models += (settings for family in families for settings in family.values())
    refs, made = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)], schema_generator=_PlanSchema
    )
    definitions: dict[str, Any] = made["$defs"]
    tables = {model: definitions[refs[model, "validation"]["$ref"].rpartition("/")[2]] for model in models}
    document = tables[Document]
    properties = document["properties"]
    properties["flag_service"]["additionalProperties"] = _one_of(Source, kinds.flag_services, tables)
    properties["monitor"]["additionalProperties"] = _one_of(Source, kinds.monitors, tables)
    properties["store"]["additionalProperties"] = _one_of(Store, kinds.stores, tables)
    properties["announce"]["items"] = _one_of(Announce, kinds.announcers, tables)
    definitions["Backend"]["properties"]["probe"]["items"] = _one_of(Probe, kinds.probes, tables)
    document["title"] = "Cutover plan"
    schema = {"$schema": DRAFT, **document, "$defs": _used(definitions, document)}
    _strip_duration_bounds(schema)
    return schema


def _strip_duration_bounds(part: object) -> None:
    """A bound on seconds says nothing about the text that stands in the plan."""
    if isinstance(part, dict):
        if part.get("pattern") == values.DURATION.pattern:
            for bound in ("gt", "ge", "lt", "le"):
                part.pop(bound, None)
        part = list(part.values())
    for inner in part if isinstance(part, list) else ():
        _strip_duration_bounds(inner)


def _one_of(
    own: type[Table], family: Family, tables: Mapping[type[BaseModel], JsonSchemaValue]
) -> JsonSchemaValue:
    """One closed table per kind, with the plan's own keys and those of the kind."""
    choices = []
    for kind in family:
        ours, theirs = tables[own], tables[settings_class(kind, family, own)]
        properties = {**ours["properties"], **theirs.get("properties", {})}
        choices.append(
            {
                "title": kind,
                "description": theirs.get("description", f"Settings of {kind}."),
                "type": "object",
                "properties": {**properties, "kind": {**ours["properties"]["kind"], "const": kind}},
                "required": sorted({*ours["required"], *theirs.get("required", ())}),
                "additionalProperties": False,
            }
        )
    return {"oneOf": choices} if choices else {"not": {}}


def _used(definitions: Mapping[str, Any], document: JsonSchemaValue) -> dict[str, Any]:
    """The definitions that the document reaches."""
    used: dict[str, Any] = {}
    waiting: list[object] = [document]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name in definitions and name not in used:
                used[name] = definitions[name]
                waiting.append(used[name])
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return dict(sorted(used.items()))


class _PlanSchema(GenerateJsonSchema):
    """TOML's view of the models: text where we read text, no null, descriptions from docstrings."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        known = _BY_READER.get(schema["function"]["function"])
        return deepcopy(known) if known else super().function_before_schema(schema)

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return deepcopy(_SECRET) if schema["cls"] is SecretRef else super().dataclass_schema(schema)

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """TOML has no null; a key is left out instead."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        default = made.get("default")
        if default is None:
            made.pop("default", None)
        elif made.get("pattern") == values.DURATION.pattern and isinstance(default, int | float):
            made["default"] = values.duration_text(default)
        return made

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        for name, words in _field_docstrings(schema["cls"]).items():
            if name in made.get("properties", {}):
                made["properties"][name].setdefault("description", words)
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:
        """The key is the title; another one beside it is noise in an editor."""
        return False


def _field_docstrings(model: type) -> dict[str, str]:
    """The text under each field, also of those that a base class has."""
    bases = (
        each for each in reversed(model.__mro__) if issubclass(each, BaseModel) and each is not BaseModel
    )
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
