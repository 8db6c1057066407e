"""What LaunchDarkly's REST API (v2, 20240415) answers, as values. Pure: bodies in, flags out.

A flag is plain when nothing but its default rule decides: `fallthrough` names one variation, or a rollout
between the two variations that are the legacy and the new side. Weights are thousandths of a percent and
add up to 100000. While a flag is off it serves `offVariation`, which may be anything: a flag whose off
variation is the new side is told as on for everybody. From the vendor's Python client and documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.http_path import plan_fault
from cockpit.core.clean import FULL, ZERO, Percent, clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, FlagValue

WHOLE: Final = 100_000
_PER_HUNDREDTH: Final = 10
_KNOWN: Final = frozenset({"contextKind", "bucketBy", "variations", "seed"})
_LAST_MS: Final = 253_402_300_799_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The values of the two variations."""

    legacy: bool | str
    new: bool | str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFlag:
    """A flag with what a writer needs. legacy, new: indexes of variations. version: of this environment."""

    value: FlagValue
    legacy: int
    new: int
    version: int
    rollout: Mapping[str, object] | None
    off_is_legacy: bool

    def fallthrough(self, percent: Percent, *, context_kind: str) -> dict[str, object]:
        """The default rule with this share. A rollout that is there keeps its context kind, attribute and
        seed, because another one would deal all users anew."""
        if self.rollout is None and percent in (ZERO, FULL):
            return {"variation": self.new if percent == FULL else self.legacy}
        weight = percent.hundredths * _PER_HUNDREDTH
        shares = [
            {"variation": self.new, "weight": weight},
            {"variation": self.legacy, "weight": WHOLE - weight},
        ]
        return {"rollout": {**(self.rollout or {"contextKind": context_kind}), "variations": shares}}


def stored_flag(body: object, *, key: str, environment: str, sides: Sides) -> StoredFlag:
    """From `GET /flags/PROJECT/KEY?env=ENVIRONMENT`. Raises BrokenAnswer, RefusedByService (the plan)."""
    flag = _object(body, "a flag")
    if flag.get("key") != key:
        raise _broken("the answer is about another flag")
    here = _object(flag.get("environments"), "environments").get(environment)
    if here is None:
        raise plan_fault(f"{key} does not exist in the LaunchDarkly environment {environment}")
    place = _object(here, "an environment")
    on, version = place.get("on"), place.get("version")
    if not isinstance(on, bool):
        raise _broken("the answer does not say whether the flag is on")
    if not isinstance(version, int) or isinstance(version, bool):
        raise _broken("the answer has no version")
    legacy, new = _indexes(flag, sides)
    percent, rollout, notes = _default_rule(place, legacy=legacy, new=new)
    off = place.get("offVariation")
    serves_new = not on and off == new
    value = FlagValue(
        key=key,
        on=on or serves_new,
        percent=FULL if serves_new else percent,
        complexities=(*_off_notes(on, off, legacy=legacy, new=new), *_complexities(flag, place), *notes),
        revision=str(version),
        changed_at=_moment(place.get("lastModified")),
    )
    return StoredFlag(
        value=value, legacy=legacy, new=new, version=version, rollout=rollout, off_is_legacy=off == legacy
    )


def newest_change(body: object) -> str | None:
    """Who is named by the newest entry of `GET /auditlog`; None when nobody is."""
    items = _object(body, "the audit log").get("items")
    if not isinstance(items, list) or not items:
        return None
    entry = _object(items[0], "an entry of the audit log")
    for person, name in (("member", "email"), ("token", "name")):
        found = entry.get(person)
        if isinstance(found, Mapping) and isinstance(found.get(name), str) and found[name]:
            return clean_text(found[name], limit=80)
    return None


def _indexes(flag: Mapping[str, object], sides: Sides) -> tuple[int, int]:
    variations = flag.get("variations")
    if not isinstance(variations, list):
        raise _broken("the answer has no variations")
    values = [_object(each, "a variation").get("value") for each in variations]
    # True equals 1 in Python, and not in LaunchDarkly.
    found = [
        [index for index, value in enumerate(values) if type(value) is type(wanted) and value == wanted]
        for wanted in (sides.legacy, sides.new)
    ]
    for wanted, places in zip((sides.legacy, sides.new), found, strict=True):
        if len(places) != 1:
            named = clean_text(wanted, limit=40)
            raise plan_fault(f"{len(places)} variations of the flag have the value {named}, not one")
    return found[0][0], found[1][0]


def _default_rule(
    place: Mapping[str, object], *, legacy: int, new: int
) -> tuple[Percent | None, Mapping[str, object] | None, list[str]]:
    rule = _object(place.get("fallthrough"), "a default rule")
    if "rollout" not in rule:
        variation = rule.get("variation")
        if variation not in (legacy, new) or isinstance(variation, bool):
            return None, None, ["the default rule serves a third variation"]
        return (FULL if variation == new else ZERO), None, []
    rollout = _object(rule["rollout"], "a rollout")
    notes = [] if set(rollout) <= _KNOWN else ["the default rule is an experiment or a guarded rollout"]
    weights = dict(_weights(rollout))
    if sum(weights.values()) != WHOLE:
        raise _broken(f"the weights do not add up to {WHOLE}")
    if any(weight for index, weight in weights.items() if index not in (legacy, new)):
        return None, rollout, [*notes, "the default rule serves a third variation"]
    weight = weights.get(new, 0)
    if weight % _PER_HUNDREDTH:
        notes.append(f"the weight {weight} is no percentage with two decimals")
    return Percent.of(weight, WHOLE), rollout, notes


def _weights(rollout: Mapping[str, object]) -> Iterator[tuple[int, int]]:
    variations = rollout.get("variations")
    if not isinstance(variations, list):
        raise _broken("a rollout without variations")
    for each in variations:
        share = _object(each, "a share")
        index, weight = share.get("variation"), share.get("weight")
        if not all(isinstance(part, int) and not isinstance(part, bool) for part in (index, weight)):
            raise _broken("a share without variation and weight")
        assert isinstance(index, int) and isinstance(weight, int)
        if not 0 <= weight <= WHOLE:
            raise _broken("a weight that is none")
        yield index, weight


def _off_notes(on: bool, off: object, *, legacy: int, new: int) -> Iterator[str]:
    if off == legacy and not isinstance(off, bool):
        return
    served = "the new side" if off == new else "neither side"
    yield f"switched off it serves {served}" if on else f"it is off and serves {served}"


def _complexities(flag: Mapping[str, object], place: Mapping[str, object]) -> Iterator[str]:
    if flag.get("archived") is True or place.get("archived") is True:
        yield "archived"
    if _some(place, "rules"):
        yield "has targeting rules"
    if any(_some(each, "values") for name in ("targets", "contextTargets") for each in _some(place, name)):
        yield "serves named users something of their own"
    if _some(place, "prerequisites"):
        yield "depends on another flag"


def _some(holder: object, name: str) -> Sequence[object]:
    """A list of the answer. Where rules could not be read nobody may conclude that there are none."""
    found = holder.get(name) if isinstance(holder, Mapping) else None
    if found is None and name in ("contextTargets", "values"):
        return ()
    if not isinstance(found, list):
        raise _broken(f"the answer has no usable list of {name}")
    return found


def _moment(raw: object) -> datetime | None:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 < raw < _LAST_MS:
        return None
    return datetime.fromtimestamp(raw / 1000, UTC)


def _object(raw: object, what: str) -> Mapping[str, object]:
    if not isinstance(raw, Mapping):
        raise _broken(f"the answer is not {what}")
    return raw


def _broken(title: str) -> BrokenAnswer:
    return BrokenAnswer(Failure(title=title))
