"""What PostHog's management API answers, as values. Pure: bodies in, flags out.

A flag is plain when it has one release condition without properties, whose `rollout_percentage` is a
number from 0 to 100; everything else is told as a complexity. From PostHog's own source.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.http_path import plan_fault
from cockpit.core.clean import ZERO, Percent, clean_text, finite_number, parse_instant
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, FlagValue

_PLAIN: Final = frozenset({"groups", "multivariate", "payloads", "aggregation_group_type_index"})
_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFlag:
    """A flag with what a writer needs. body: as it was read, because a guarded PATCH sends it back."""

    value: FlagValue
    id: int
    version: int | None
    body: Mapping[str, Any]

    def filters(self, percent: Percent) -> Mapping[str, Any]:
        """All filters with another percentage: a PATCH replaces them whole."""
        changed = copy.deepcopy(self.body["filters"])
        changed["groups"][0]["rollout_percentage"] = as_number(percent)
        return dict(changed)

    @property
    def guard(self) -> dict[str, Any]:
        """What makes a PATCH fail when somebody else wrote. A version alone guards nothing there."""
        version = {} if self.version is None else {"version": self.version}
        return {**version, "original_flag": self.body}


def as_number(percent: Percent) -> int | float:
    return percent.hundredths // 100 if percent.hundredths % 100 == 0 else percent.value


def find_id(body: object, key: str) -> int:
    """The id of the flag in an answer to a search. Raises BrokenAnswer, or RefusedByService without one."""
    results = _object(body, "a page of flags").get("results")
    if not isinstance(results, list):
        raise _broken("the answer has no results")
    for each in results:
        if isinstance(each, Mapping) and each.get("key") == key and each.get("deleted") is not True:
            return _whole(each.get("id"), "an id")
    raise plan_fault(f"the project has no flag {clean_text(key, limit=80)}")


def stored_flag(body: object, *, key: str) -> StoredFlag:
    """From `GET feature_flags/ID/`. Raises BrokenAnswer, or RefusedByService for a deleted flag."""
    flag = _object(body, "a flag")
    if flag.get("key") != key:
        raise _broken("the answer is about another flag")
    if flag.get("deleted") is True:
        raise plan_fault(f"{key} is deleted")
    active, version = flag.get("active"), flag.get("version")
    if not isinstance(active, bool):
        raise _broken("the answer does not say whether the flag is active")
    filters = _object(flag.get("filters"), "filters")
    groups = _groups(filters)
    percent, trouble = _percentage(groups)
    value = FlagValue(
        key=key,
        on=active,
        percent=percent,
        complexities=(*_about_filters(filters), *_about_groups(groups), *trouble),
        revision=_revision(active, filters),
    )
    return StoredFlag(
        value=value,
        id=_whole(flag.get("id"), "an id"),
        version=None if version is None else _whole(version, "a version"),
        body=flag,
    )


def newest_change(body: object) -> tuple[str | None, datetime | None]:
    """Who changed the flag last and when, from `GET activity/`; Nones where it is not told."""
    results = _object(body, "the activity").get("results")
    if not isinstance(results, list) or not results:
        return None, None
    entry = _object(results[0], "an activity")
    user = entry.get("user")
    named = user.get("email") or user.get("first_name") if isinstance(user, Mapping) else None
    try:
        moment = parse_instant(entry.get("created_at"))
    except ValueError:
        moment = None
    return (clean_text(named, limit=80) if isinstance(named, str) and named else None), moment


def _groups(filters: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    groups = filters.get("groups")
    if not isinstance(groups, list):
        raise _broken("the answer has no release conditions")
    return [_object(each, "a release condition") for each in groups]


def _percentage(groups: Sequence[Mapping[str, object]]) -> tuple[Percent | None, tuple[str, ...]]:
    if not groups:
        return None, ("it has no release condition",)
    stored = [group.get("rollout_percentage") for group in groups]
    if all(type(each) in (int, float) and each == 0 for each in stored):
        return ZERO, ()
    if len(groups) > 1:
        return None, ()
    try:
        if not isinstance(stored[0], int | float):
            raise ValueError
        return Percent.parse(finite_number(stored[0])), ()
    except ValueError:
        told = clean_text(stored[0], limit=40)
        return None, (f"its rollout is no percentage from 0 to 100 with two decimals: {told}",)


def _about_filters(filters: Mapping[str, object]) -> Iterator[str]:
    if filters.get("multivariate"):
        yield "has variants"
    others = [clean_text(name, limit=40) for name, value in filters.items() if name not in _PLAIN and value]
    if others:
        yield f"is also decided by {', '.join(others[:_NAMED])}"


def _about_groups(groups: Sequence[Mapping[str, object]]) -> Iterator[str]:
    if len(groups) > 1:
        yield f"{len(groups)} release conditions: whoever matches one of them is in"
    if any(group.get("properties") for group in groups):
        yield "only for users with matching properties"
    if any(group.get("variant") for group in groups):
        yield "a release condition names a variant"


def _revision(active: bool, filters: Mapping[str, object]) -> str:
    """A digest of what decides who is served: renaming a flag raises its version and changes nothing."""
    return hashlib.sha256(json.dumps([active, filters], sort_keys=True).encode()).hexdigest()[:16]


def _whole(raw: object, what: str) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or raw < 0:
        raise _broken(f"the answer has no {what.partition(' ')[2]}")
    return raw


def _object(raw: object, what: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise _broken(f"the answer is not {what}")
    return raw


def _broken(title: str) -> BrokenAnswer:
    return BrokenAnswer(Failure(title=title))
