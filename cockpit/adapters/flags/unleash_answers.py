"""What Unleash answers, as values. Pure: bodies in, flags and audit entries out.

A flag is plain when it has exactly one strategy, an enabled flexibleRollout without conditions, whose
stored percentage is a number from 0 to 100; everything else is told as a complexity. Protocol facts
were recorded from Unleash 8.2.0.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.http_path import plan_fault
from cockpit.core.clean import ZERO, Percent, clean_text, parse_instant
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, FlagValue

_PLAIN_NUMBER: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?")
_SETTING_EVENTS: Final = frozenset(
    {
        "feature-environment-enabled",
        "feature-environment-disabled",
        "feature-strategy-add",
        "feature-strategy-update",
        "feature-strategy-remove",
    }
)
_NAMED: Final = 3
_ROLLOUT: Final = "flexibleRollout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The one strategy that carries the percentage. `stored` is the raw value, for the guard of a PATCH."""

    id: str
    stored: object


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFlag:
    """A flag with what a writer needs. rollout: the strategy to change, None unless it is the only one
    and an enabled flexibleRollout. strategies: how many there are, disabled ones included.
    """

    value: FlagValue
    rollout: Rollout | None
    strategies: int


def stored_flag(body: object, *, key: str, environment: str) -> StoredFlag:
    """The flag from `GET features/{key}`. Raises BrokenAnswer, or RefusedByService for a missing environment.

    The answer for one environment is not enough: it leaves out segments and parent flags, and it
    still shows flags that were archived.
    """
    feature = _object(body, "a flag")
    if feature.get("name") != key:
        raise _broken("the answer is about another flag")
    here = [each for each in _objects(feature, "environments") if each.get("name") == environment]
    if not here:
        raise plan_fault(f"{key} does not exist in the Unleash environment {environment}")
    on = here[0].get("enabled")
    if not isinstance(on, bool):
        raise _broken("the answer does not say whether the flag is on")
    strategies = _objects(here[0], "strategies")
    percent, about_strategies = _percentage(strategies, on=on)
    value = FlagValue(
        key=key,
        on=on,
        percent=percent,
        complexities=(*_about_flag(feature, here[0]), *about_strategies),
        revision=_revision(feature, here[0], strategies),
    )
    return StoredFlag(value=value, rollout=_the_rollout(strategies), strategies=len(strategies))


def newest_change(body: object) -> tuple[str | None, datetime | None]:
    """Who changed the setting last and when, from `GET search/events`, newest first; Nones if not told."""
    for event in _objects(_object(body, "the audit log"), "events"):
        if event.get("type") in _SETTING_EVENTS:
            return _author(event.get("createdBy")), _moment(event.get("createdAt"))
    return None, None


def reads(value: FlagValue) -> str:
    """What the flag says, in a few words."""
    stored = str(value.percent) if value.percent is not None else "; ".join(value.complexities)
    return stored if value.on else f"off ({stored} stored)"


def _percentage(
    strategies: Sequence[Mapping[str, object]], *, on: bool
) -> tuple[Percent | None, tuple[str, ...]]:
    enabled = [each for each in strategies if each.get("disabled") is not True]
    if not strategies:
        return (None, ("on without any strategy: everybody is served",)) if on else (ZERO, ())
    if not enabled:
        return (None if on else ZERO), ("every strategy is disabled: switching on would serve everybody",)
    notes = (
        [] if len(enabled) == len(strategies) else [f"{len(strategies) - len(enabled)} disabled strategies"]
    )
    if all(_serves_nobody(each) for each in enabled):
        return ZERO, tuple(notes + _conditions(enabled))
    if len(enabled) > 1:
        return None, (*notes, f"{len(enabled)} strategies: whoever matches one of them is served")
    conditions = _conditions(enabled)
    percent, trouble = _stored_percent(enabled[0])
    return (percent if not conditions else None), tuple(notes + conditions + trouble)


def _stored_percent(strategy: Mapping[str, object]) -> tuple[Percent | None, list[str]]:
    """The percentage of one strategy and what is wrong with it. Unleash stores whatever it is sent."""
    if strategy.get("name") != _ROLLOUT:
        return None, [f"strategy {clean_text(strategy.get('name'), limit=40)!r} has no percentage"]
    stored = _stored(strategy)
    text = str(stored) if isinstance(stored, str | int) and not isinstance(stored, bool) else ""
    if not _PLAIN_NUMBER.fullmatch(text) or float(text) > 100:
        return None, [f"the stored percentage is no number from 0 to 100: {clean_text(stored, limit=40)!r}"]
    percent = Percent.parse(text)
    if percent.hundredths % 100:
        served = percent.hundredths // 100
        return percent, [f"the stored percentage is {text}, of which Unleash serves {served}"]
    return percent, []


def _serves_nobody(strategy: Mapping[str, object]) -> bool:
    stored = _stored(strategy)
    return strategy.get("name") == _ROLLOUT and stored in ("0", 0) and stored is not False


def _conditions(strategies: Sequence[Mapping[str, object]]) -> list[str]:
    notes = [] if len(strategies) == 1 else [f"{len(strategies)} strategies"]
    for strategy in strategies:
        constraints = _objects(strategy, "constraints")
        if constraints:
            named = [clean_text(each.get("contextName"), limit=40) for each in constraints[:_NAMED]]
            notes.append(f"only for users with a matching {', '.join(named)}")
        if strategy.get("segments"):
            notes.append("only for users in a segment")
        if strategy.get("variants"):
            notes.append("splits its users into variants")
    return notes


def _about_flag(feature: Mapping[str, object], environment: Mapping[str, object]) -> list[str]:
    parents = [clean_text(each.get("feature"), limit=60) for each in _objects(feature, "dependencies")]
    found = {
        "archived": feature.get("archived") is True,
        f"depends on the flag {', '.join(parents[:_NAMED])}": bool(parents),
        "splits its users into variants": bool(environment.get("variants")),
        "under a release plan": bool(environment.get("releasePlans") or environment.get("milestoneName")),
        "under a safeguard": bool(environment.get("safeguards")),
        "has an open change request": bool(environment.get("changeRequestIds")),
    }
    return [note for note, true in found.items() if true]


def _the_rollout(strategies: Sequence[Mapping[str, object]]) -> Rollout | None:
    if len(strategies) != 1 or strategies[0].get("name") != _ROLLOUT or strategies[0].get("disabled") is True:
        return None
    found = strategies[0].get("id")
    if not isinstance(found, str) or not found:
        raise _broken("a strategy without an id")
    return Rollout(id=found, stored=_stored(strategies[0]))


def _stored(strategy: Mapping[str, object]) -> object:
    parameters = strategy.get("parameters")
    return parameters.get("rollout") if isinstance(parameters, Mapping) else None


def _revision(
    feature: Mapping[str, object],
    environment: Mapping[str, object],
    strategies: Sequence[Mapping[str, object]],
) -> str:
    """A digest of everything that decides who is served; titles and order of keys do not count."""
    deciding = ("id", "name", "parameters", "constraints", "segments", "variants", "disabled")
    setting = [
        environment.get("enabled"),
        [{name: each.get(name) or None for name in deciding} for each in strategies],
        feature.get("dependencies"),
        environment.get("variants") or None,
    ]
    return hashlib.sha256(json.dumps(setting, sort_keys=True).encode()).hexdigest()[:16]


def _author(raw: object) -> str | None:
    return clean_text(raw, limit=80) if isinstance(raw, str) and raw else None


def _moment(raw: object) -> datetime | None:
    try:
        return parse_instant(raw)
    except ValueError:
        return None


def _object(raw: object, what: str) -> Mapping[str, object]:
    if not isinstance(raw, Mapping):
        raise _broken(f"the answer is not {what}")
    return raw


def _objects(parent: Mapping[str, object], name: str) -> Sequence[Mapping[str, object]]:
    """The list of objects under `name`. Where strategies are missing nobody may conclude there are none."""
    found = parent.get(name)
    if found is None and name not in ("environments", "strategies", "events"):
        return ()
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise _broken(f"the answer has no usable list of {name}")
    return found


def _broken(title: str) -> BrokenAnswer:
    return BrokenAnswer(Failure(title=title))
