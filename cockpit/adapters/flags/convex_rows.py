"""Rows of a flag table in Convex, as values. Pure: what the plan's list query answered in, flags out.

A row is {key, enabled, percent, version} and, if the table keeps them, updatedBy and updatedAt (ms).
Fields that are not known here are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService
from cockpit.adapters.convex import number
from cockpit.core.clean import Percent, clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault, FlagValue

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_000.0
_NO_VERSION: Final = "has no version, so that no change of it can be guarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A flag with what a writer needs. `version` is as the table holds it, for the guard of a write."""

    value: FlagValue
    version: object


def rows(body: object, keys: Sequence[str]) -> Mapping[str, Row | AdapterError]:
    """Every key with its row or what is wrong with it. Raises BrokenAnswer for an answer that is no list."""
    if not isinstance(body, list):
        raise _broken("the list query does not answer a list of flags")
    found: dict[str, list[Mapping[str, object]]] = {key: [] for key in keys}
    for each in body:
        if not isinstance(each, Mapping) or not isinstance(each.get("key"), str):
            raise _broken("the list query answers rows without a key")
        if each["key"] in found:
            found[each["key"]].append(each)
    return {key: _only(key, of_key) for key, of_key in found.items()}


def _only(key: str, found: Sequence[Mapping[str, object]]) -> Row | AdapterError:
    if not found:
        title = f"{clean_text(key, limit=80)} is not in the table"
        return RefusedByService(Failure(title=title, retryable=False, fault=Fault.PLAN))
    if len(found) > 1:
        return _broken(f"{len(found)} rows of the table have this key")
    try:
        return _row(key, found[0])
    except BrokenAnswer as broken:
        return broken


def _row(key: str, row: Mapping[str, object]) -> Row:
    enabled, version = row.get("enabled"), row.get("version")
    if not isinstance(enabled, bool):
        raise _broken("the row does not say whether the flag is enabled")
    percent, trouble = _percent(row.get("percent"))
    if version is None:
        trouble = (*trouble, _NO_VERSION)
    value = FlagValue(
        key=key,
        on=enabled,
        percent=percent,
        complexities=trouble,
        revision=None if version is None else _revision(version),
        changed_by=_author(row.get("updatedBy")),
        changed_at=_moment(row.get("updatedAt")),
    )
    return Row(value=value, version=version)


def _percent(stored: object) -> tuple[Percent | None, tuple[str, ...]]:
    try:
        return Percent.parse(number(stored)), ()
    except ValueError:
        shown = clean_text(json.dumps(stored), limit=40)
        return None, (f"the stored percentage is no number from 0 to 100 with two decimals: {shown}",)


def _revision(version: object) -> str:
    """The version as text: whole numbers plainly, anything else as it came."""
    try:
        return f"{number(version):.0f}" if number(version).is_integer() else clean_text(json.dumps(version))
    except ValueError:
        return clean_text(json.dumps(version), limit=80)


def _author(raw: object) -> str | None:
    return clean_text(raw, limit=80) if isinstance(raw, str) and raw else None


def _moment(raw: object) -> datetime | None:
    try:
        ms = number(raw)
    except ValueError:
        return None
    return _EPOCH + timedelta(milliseconds=ms) if 0 < ms <= _LAST_MS else None


def _broken(title: str) -> BrokenAnswer:
    return BrokenAnswer(Failure(title=title))
