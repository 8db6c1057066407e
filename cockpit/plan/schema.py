"""The JSON Schema of a plan (draft 2020-12), for editors that complete and check TOML.

Made from the same classes that a plan is read by: field docstrings become descriptions, durations are text
with a pattern, and every table that names a kind is one of as many tables as there are kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cockpit.plan.fields import Announce, Document, Probe, Source
from cockpit.plan.kinds import Family, Kinds, settings_class
from cockpit.plan.parity_fields import Store
from cockpit.plan.schema_parts import Definitions, Schema, table_schema
from cockpit.plan.written import Table

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kinds: Kinds) -> dict[str, Any]:
    """The schema of a plan that may name these kinds."""
    definitions = Definitions()
    document = table_schema(Document, definitions)
    properties = document["properties"]
    properties["flag_service"]["additionalProperties"] = _one_of(Source, kinds.flag_services, definitions)
    properties["monitor"]["additionalProperties"] = _one_of(Source, kinds.monitors, definitions)
    properties["store"]["additionalProperties"] = _one_of(Store, kinds.stores, definitions)
    properties["announce"]["items"] = _one_of(Announce, kinds.announcers, definitions)
    probes = _one_of(Probe, kinds.probes, definitions)
    definitions.made["Backend"]["properties"]["probe"]["items"] = probes
    document["title"] = "Cutover plan"
    return {"$schema": DRAFT, **document, "$defs": _used(definitions.made, document)}


def _one_of(own: type[Table], family: Family, definitions: Definitions) -> Schema:
    """One closed table per kind, with the plan's own keys and those of the kind."""
    choices = []
    for kind in family:
        ours = table_schema(own, definitions)
        theirs = table_schema(settings_class(kind, family, own), definitions)
        properties = {**ours["properties"], **theirs["properties"]}
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


def _used(definitions: Mapping[str, Any], document: Schema) -> dict[str, Any]:
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
