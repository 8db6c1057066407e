"""JSON Patch as Unleash applies it to one strategy, and the way it refuses.

Operations: test, replace, add, remove. A number where text belongs is a 400; a failed `test` or a path
that does not exist is a 500, as recorded from the real service.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Final

BAD_DATA: Final = (
    "Request validation failed: your request body or params contain invalid data. "
    "Refer to the `details` list for more information."
)

Json = Any
"""A JSON value; the shapes are those of the real service."""


class Refusal(Exception):
    """A write that the service answers with an error; `status` and the rest shape that answer."""

    def __init__(self, status: int, name: str, message: str, *, detail: str = "", path: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.name = name
        self.message = message
        self.detail = detail or message
        self.path = path


def patched(before: dict[str, Json], operations: Sequence[Json]) -> dict[str, Json]:
    """The strategy after all operations. Raises `Refusal` and changes nothing when one of them fails."""
    tree = deepcopy(before)
    for index, operation in enumerate(operations):
        if not isinstance(operation, dict):
            raise _invalid(f"/body/{index}", "object", operation)
        _apply(tree, operation, index, before)
    for key in before.keys() - tree.keys():
        raise _invalid(f"/{key}", "present", None)
    if not isinstance(tree["parameters"], dict):
        raise _invalid("/parameters", "object", tree["parameters"])
    for key, value in tree["parameters"].items():
        if not isinstance(value, str):
            raise _invalid(f"/parameters/{key}", "string", value)
    return tree


def _invalid(path: str, wanted: str, sent: Json) -> Refusal:
    detail = f"The `{path}` property must be {wanted}. You sent {json.dumps(sent)}."
    return Refusal(400, "BadDataError", BAD_DATA, detail=detail, path=path)


def _apply(tree: dict[str, Json], operation: Json, index: int, before: dict[str, Json]) -> None:
    """One JSON Patch operation on objects; a missing parent fails the way JavaScript fails."""
    *parents, last = str(operation.get("path", "")).lstrip("/").split("/")
    holder: Json = tree
    for parent in parents:
        holder = holder.get(parent) if isinstance(holder, dict) else None
    if not isinstance(holder, dict):
        message = f"Cannot read properties of undefined (reading '{last}')"
        raise Refusal(500, "UnknownError", message)
    kind = operation.get("op")
    if kind == "test":
        if last not in holder or holder[last] != operation.get("value"):
            raise Refusal(500, "UnknownError", _test_failed(index, operation, before))
    elif kind in ("replace", "add"):
        holder[last] = operation.get("value")
    elif kind == "remove":
        holder.pop(last, None)
    else:
        detail = f"The `/body/{index}/op` property must be equal to one of the allowed values."
        raise Refusal(400, "BadDataError", BAD_DATA, detail=detail, path=f"/body/{index}/op")


def _test_failed(index: int, operation: Json, tree: dict[str, Json]) -> str:
    return (
        f"Test operation failed\nname: TEST_OPERATION_FAILED\nindex: {index}\n"
        f"operation: {json.dumps(operation, indent=2)}\ntree: {json.dumps(tree, indent=2)}"
    )
