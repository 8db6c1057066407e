"""A model's refusal in words for the author of the plan.

The validation library names its own types and unions in places and messages; none of that may reach
a reader. Places are cut down to what stands in the file, messages are our own, by kind of error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cockpit.core.clean import clean_text
from cockpit.plan.locate import TomlPath
from cockpit.plan.problems import Report, unknown
from cockpit.plan.shape import annotation_at, expected, known_keys
from cockpit.plan.values import shown, toml_type

_LIMITS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
    "multiple_of": ("multiple_of", "a multiple of"),
}
_LENGTHS: Final[Mapping[str, tuple[str, str, str]]] = {
    "string_too_short": ("min_length", "at least", "characters"),
    "string_too_long": ("max_length", "at most", "characters"),
    "bytes_too_short": ("min_length", "at least", "bytes"),
    "bytes_too_long": ("max_length", "at most", "bytes"),
    "too_short": ("min_length", "at least", "entries"),
    "too_long": ("max_length", "at most", "entries"),
}
_UNKNOWN_KEY: Final = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_MISSING: Final = frozenset({"missing", "missing_argument", "missing_keyword_only_argument"})
_WRONG_VALUE: Final = frozenset({"literal_error", "enum", "const_error"})


def explain(
    refused: ValidationError, model: type[BaseModel], table: object, base: TomlPath, report: Report
) -> None:
    """Report every error of `refused`; `table` is what stood in the file at `base`."""
    seen: set[TomlPath] = set()
    for error in refused.errors(include_url=False):
        path = _place(error, table)
        if path not in seen and not _only_refused_entries(error):
            seen.add(path)
            report.add((*base, *path), _words(error, model, path))


def _only_refused_entries(error: ErrorDetails) -> bool:
    """A list is also called too short when its entries were refused, each of which is reported itself."""
    least = error.get("ctx", {}).get("min_length")
    return error["type"] == "too_short" and isinstance(least, int) and _length(error["input"]) >= least


def _place(error: ErrorDetails, table: object) -> TomlPath:
    """The part of the error's place that stands in the file; a missing key counts as standing there."""
    path: TomlPath = ()
    here, loc = table, error["loc"]
    for index, part in enumerate(loc):
        within = _within(here, part)
        if within:
            (here,) = within
        elif not (error["type"] in _MISSING and index == len(loc) - 1):
            continue
        path = (*path, part)
    return path


def _within(here: object, part: str | int) -> tuple[object] | None:
    """What stands at `part` of a table or list, in a tuple of one; None when nothing does."""
    if isinstance(here, dict):
        return (here[part],) if part in here else None
    if isinstance(here, list | tuple) and isinstance(part, int):
        return (here[part],) if part < len(here) else None
    return None


def _words(error: ErrorDetails, model: type[BaseModel], path: TomlPath) -> str:
    kind, context, value = error["type"], error.get("ctx", {}), error.get("input")
    if kind in _UNKNOWN_KEY:
        return unknown("key", str(path[-1]), known_keys(annotation_at(model, path[:-1])))
    if kind in _MISSING:
        return f"is missing; expected {expected(annotation_at(model, path))}"
    if kind in ("value_error", "assertion_error"):
        return clean_text(context.get("error", ""), limit=500) or "is not accepted here"
    if kind in _LIMITS:
        limit, words = _LIMITS[kind]
        return f"{shown(value)} does not fit; expected {words} {_number(context.get(limit))}"
    if kind in _LENGTHS:
        limit, words, unit = _LENGTHS[kind]
        length = _length(value)
        found = f"has {length} {unit}" if length else "is empty"
        return f"{found}; expected {words} {_number(context.get(limit))}"
    if kind == "finite_number":
        return f"{shown(value)} is not finite; expected a finite number"
    if kind == "string_pattern_mismatch":
        return "the text does not have the form that is needed here"
    return _wrong_kind(kind, value, expected(annotation_at(model, path)))


def _wrong_kind(kind: str, value: object, words: str) -> str:
    """Everything else says that another type or another choice belongs here."""
    if kind in _WRONG_VALUE or words.startswith("one of"):
        return f"{shown(value)} is not known here; expected {words}"
    if words == "another value":
        return f"{toml_type(value)} is not accepted here"
    return f"expected {words}, not {toml_type(value)}"


def _length(value: object) -> int:
    return len(value) if isinstance(value, str | bytes | list | tuple | dict) else 0


def _number(limit: Any) -> str:
    return f"{limit:g}" if isinstance(limit, int | float) else clean_text(limit, limit=40)
