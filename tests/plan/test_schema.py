"""The schema that editors use: holds for the samples, complains about the broken one, explains every key."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from cockpit.core.dataclass import dataclass
from cockpit.core.secret import SecretRef
from cockpit.core.tables import Written
from cockpit.plan.kinds import Kinds
from cockpit.plan.schema import json_schema
from tests.plan.json_check import faults
from tests.plan.plans import KINDS, SAMPLES, SMALL, WHOLE

SCHEMA = json_schema(KINDS)


def _schemas(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        for inner in part.values():
            yield from _schemas(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _schemas(inner)


@pytest.mark.parametrize("name", WHOLE)
def test_a_sample_keeps_the_schema(name: str) -> None:
    document = tomllib.loads((SAMPLES / name).read_text(encoding="utf-8"))
    assert list(faults(document, SCHEMA, SCHEMA)) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('title = "Chat"', "titel = 1", ".titel: not allowed"),
        ('title = "Chat"', "", ": title is missing"),
        ('hold = "1m"', 'hold = "1 minute"', ".flag[0].stages[0].hold: pattern"),
        ("percent = 50", "percent = 150", ".flag[1].stages[0].percent: maximum 100"),
        ('kind = "prometheus"', 'kind = "prom"', ".monitor.prom: 0 of "),
        ('token = { env = "READ_TOKEN" }', 'token = "plain"', ".flag_service.main: 0 of "),
        ('token = { env = "READ_TOKEN" }', 'token = { env = "A", file = "b" }', ".flag_service.main: 0 of "),
    ],
)
def test_the_schema_sees_mistakes(old: str, new: str, expected: str) -> None:
    found = list(faults(tomllib.loads(SMALL.replace(old, new)), SCHEMA, SCHEMA))
    assert any(fault.startswith(expected) for fault in found), found


def test_every_key_of_the_plan_is_explained() -> None:
    own = [SCHEMA, *(table for name, table in SCHEMA["$defs"].items() if name in _OWN_TABLES)]
    assert len(own) == len(_OWN_TABLES) + 1
    for table in own:
        for key, value in table["properties"].items():
            assert value.get("description"), (table.get("title"), key)


_OWN_TABLES = {
    "Backend",
    "Backends",
    "Flag",
    "Judge",
    "Limit",
    "Pair",
    "Poll",
    "Rollback",
    "Signal",
    "Stage",
    "Step",
    "Traffic",
    "WriteCounter",
}


def test_the_schema_is_json_and_points_at_what_it_has() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    pointed = {schema["$ref"] for schema in _schemas(SCHEMA) if isinstance(schema.get("$ref"), str)}
    assert pointed == {f"#/$defs/{name}" for name in SCHEMA["$defs"]}


def test_defaults_keep_their_own_schema() -> None:
    for schema in _schemas(SCHEMA):
        if "default" in schema and not isinstance(schema["default"], dict):
            assert list(faults(schema["default"], schema, SCHEMA)) == [], schema


def test_patterns_and_names_are_sound() -> None:
    for schema in _schemas(SCHEMA):
        if isinstance(schema.get("pattern"), str):
            re.compile(schema["pattern"])
        if isinstance(schema.get("required"), list):
            a_choice_of_keys = SCHEMA["$defs"]["Second"]["properties"]
            known = schema.get("properties", a_choice_of_keys)
            assert set(schema["required"]) <= known.keys()


def _class(name: str, module: str, field: str, annotation: object) -> type[Written]:
    plain = type(name, (Written,), {"__annotations__": {field: annotation}, "__module__": module})
    return dataclass(frozen=True, slots=True, kw_only=True)(plain)


def test_kinds_may_bring_tables_of_the_same_name() -> None:
    """Two adapters that each call an inner table `Auth` must not be given one another's."""

    def settings(field: str) -> type[Written]:
        return _class("Settings", field, "auth", _class("Auth", field, field, SecretRef))

    kinds = Kinds(
        flag_services={"a": settings("one"), "b": settings("two")}, probes={}, monitors={}, announcers={}
    )
    schema = json_schema(kinds)
    choices = schema["properties"]["flag_service"]["additionalProperties"]["oneOf"]
    names = [choice["properties"]["auth"]["$ref"].removeprefix("#/$defs/") for choice in choices]
    assert [list(schema["$defs"][name]["properties"]) for name in names] == [["one"], ["two"]]


def test_a_kind_may_not_take_a_key_of_the_plan() -> None:
    greedy = _class("Greedy", "greedy", "interval", int)
    with pytest.raises(ValueError, match="settings of x take the plan's own keys: interval"):
        json_schema(Kinds(flag_services={"x": greedy}, probes={}, monitors={}, announcers={}))
