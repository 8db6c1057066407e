"""What a flag looks like in each format, and which values a percentage or a switch means there.

A share of weights is a percentage only where it has at most two decimals; nothing is rounded. What is
not one plain split between the two variants of the plan is a complexity: it may be switched off, but
not promoted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.flags.file_edit import Changes, Path, number
from cockpit.adapters.flags.file_settings import KEY, UPPER_KEY, FileFormat, FlagFileSettings
from cockpit.adapters.flags.outcome import refused
from cockpit.adapters.http_path import plan_fault
from cockpit.adapters.pointer import split_pointer
from cockpit.core.clean import FULL, ZERO, Percent, clean_text, finite_number
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault

_MISSING: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A flag as its file has it. part: everything about the flag, for its revision."""

    on: bool
    percent: Percent | None
    complexities: tuple[str, ...]
    part: object

    @property
    def revision(self) -> str:
        text = json.dumps(self.part, sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Shape(Protocol):
    def tell(self, document: object, key: str) -> Told:
        """Raises RefusedByService for a flag that is not there, BrokenAnswer for one that makes no sense."""

    def changes(self, document: object, key: str, percent: Percent | None, on: bool | None) -> Changes:
        """The values to change, None for what stays. Raises what `tell` raises, and Stop (refused)."""


class FlagdShape:
    """flagd: `state`, and `fractional` with two variants, or `defaultVariant` without any targeting."""

    def __init__(self, new: str, legacy: str) -> None:
        self._new, self._legacy = new, legacy

    def tell(self, document: object, key: str) -> Told:
        flag = _object_at(document, ("flags", key), key)
        state = flag.get("state")
        if state not in ("ENABLED", "DISABLED"):
            raise _broken(f"{key}: state is neither ENABLED nor DISABLED")
        percent, trouble = self._split(flag)
        missing = [name for name in (self._new, self._legacy) if name not in _object(flag, "variants")]
        trouble += tuple(f"there is no variant {name}" for name in missing)
        return Told(on=state == "ENABLED", percent=percent, complexities=trouble, part=flag)

    def changes(self, document: object, key: str, percent: Percent | None, on: bool | None) -> Changes:
        flag = _object_at(document, ("flags", key), key)
        found: dict[Path, object] = {}
        if on is not None:
            found["flags", key, "state"] = "ENABLED" if on else "DISABLED"
        if percent is not None and flag.get("targeting"):
            places = self._weights(flag)
            if places is None or set(places) != {self._new, self._legacy}:
                raise refused(f"{key} has no split between {self._new} and {self._legacy} alone", Fault.PLAN)
            for name, weight in _weights(percent, self._new, self._legacy).items():
                found["flags", key, "targeting", "fractional", places[name], 1] = weight
        elif percent is not None:
            variant = _whole_side(key, percent, self._new, self._legacy)
            found["flags", key, "defaultVariant"] = variant
        return found

    def _split(self, flag: Mapping[str, Any]) -> tuple[Percent | None, tuple[str, ...]]:
        if not flag.get("targeting"):
            return _one_side(flag.get("defaultVariant"), self._new, self._legacy)
        places = self._weights(flag)
        if places is None:
            return None, ("its targeting is more than one fractional split",)
        split = flag["targeting"]["fractional"]
        weights = {name: split[place][1] if len(split[place]) > 1 else 1 for name, place in places.items()}
        return _share(weights, self._new, self._legacy)

    def _weights(self, flag: Mapping[str, Any]) -> dict[str, int] | None:
        """The place of every variant in a plain fractional split; None where it is not one."""
        targeting = flag.get("targeting")
        split = targeting.get("fractional") if isinstance(targeting, dict) and len(targeting) == 1 else None
        if not isinstance(split, list):
            return None
        # The first entry may be an expression that says whom to hash.
        first = 1 if split and isinstance(split[0], dict) else 0
        places: dict[str, int] = {}
        for place, entry in enumerate(split[first:], start=first):
            if not isinstance(entry, list) or not 1 <= len(entry) <= 2 or not isinstance(entry[0], str):
                return None
            if entry[0] in places:
                return None
            places[entry[0]] = place
        return places


class GoffShape:
    """GO Feature Flag: `disable`, and a `defaultRule` with a percentage of two variations, or with one."""

    def __init__(self, new: str, legacy: str) -> None:
        self._new, self._legacy = new, legacy

    def tell(self, document: object, key: str) -> Told:
        flag = _object_at(document, (key,), key)
        disabled = flag.get("disable", False)
        if not isinstance(disabled, bool):
            raise _broken(f"{key}: disable is neither true nor false")
        percent, trouble = self._split(_object(flag, "defaultRule"))
        more = ("targeting", "scheduledRollout", "experimentation")
        trouble += tuple(f"has {name}" for name in more if flag.get(name))
        missing = [name for name in (self._new, self._legacy) if name not in _object(flag, "variations")]
        trouble += tuple(f"there is no variation {name}" for name in missing)
        return Told(on=not disabled, percent=percent, complexities=trouble, part=flag)

    def changes(self, document: object, key: str, percent: Percent | None, on: bool | None) -> Changes:
        flag = _object_at(document, (key,), key)
        rule = _object(flag, "defaultRule")
        found: dict[Path, object] = {}
        if on is not None and (flag.get("disable", False) is on or not on):
            found[key, "disable"] = not on
        if percent is None:
            return found
        if isinstance(rule.get("percentage"), dict):
            shares = rule["percentage"]
            if set(shares) != {self._new, self._legacy}:
                raise refused(f"{key} has no share of {self._new} and {self._legacy} alone", Fault.PLAN)
            left = FULL.hundredths - percent.hundredths
            found[key, "defaultRule", "percentage", self._new] = percent.value
            found[key, "defaultRule", "percentage", self._legacy] = left / 100
        else:
            variation = _whole_side(key, percent, self._new, self._legacy)
            found[key, "defaultRule", "variation"] = variation
        return found

    def _split(self, rule: Mapping[str, Any]) -> tuple[Percent | None, tuple[str, ...]]:
        if rule.get("progressiveRollout"):
            return None, ("under a progressive rollout",)
        if isinstance(rule.get("percentage"), dict):
            return _share(rule["percentage"], self._new, self._legacy)
        return _one_side(rule.get("variation"), self._new, self._legacy)


class PointedShape:
    """A percentage of the user's own, at a pointer, and a switch where the plan names one."""

    def __init__(self, percent: str, on: str | None, everybody: int) -> None:
        self._percent, self._on, self._everybody = percent, on, everybody

    def tell(self, document: object, key: str) -> Told:
        raw = _at(document, _path(self._percent, key))
        if raw is _MISSING:
            raise plan_fault(f"{clean_text(key, limit=80)} is not in the file")
        on: object = True if self._on is None else _at(document, _path(self._on, key))
        if not isinstance(on, bool):
            raise _broken(f"{key}: the switch is neither true nor false")
        percent, trouble = _number(raw, self._everybody)
        return Told(on=on, percent=percent, complexities=trouble, part=[on, raw])

    def changes(self, document: object, key: str, percent: Percent | None, on: bool | None) -> Changes:
        self.tell(document, key)
        found: dict[Path, object] = {}
        if percent is not None:
            found[_path(self._percent, key)] = _in_unit(percent, self._everybody)
        if on is not None and self._on is not None:
            found[_path(self._on, key)] = on
        return found


class VariableShape:
    """A variable that holds a percentage, or one of two words."""

    def __init__(self, variable: str, words: tuple[str, str] | None, everybody: int) -> None:
        self._variable, self._words, self._everybody = variable, words, everybody

    def tell(self, document: object, key: str) -> Told:
        raw = _at(document, (self._name(key),))
        if raw is _MISSING:
            raise plan_fault(f"{self._name(key)} is not in the file")
        if not isinstance(raw, str):
            raise _broken(f"{self._name(key)} is set twice")
        if self._words is not None:
            sides = {self._words[0]: ZERO, self._words[1]: FULL}
            percent = sides.get(raw)
            words = f"neither {self._words[0]} nor {self._words[1]}: {clean_text(raw, limit=40)!r}"
            trouble: tuple[str, ...] = () if percent is not None else (words,)
        else:
            percent, trouble = _number(raw, self._everybody, text=True)
        return Told(on=True, percent=percent, complexities=trouble, part=raw)

    def changes(self, document: object, key: str, percent: Percent | None, on: bool | None) -> Changes:
        self.tell(document, key)
        if percent is None:
            return {}
        if self._words is not None:
            return {(self._name(key),): self._words[percent == FULL]}
        return {(self._name(key),): number(_in_unit(percent, self._everybody))}

    def _name(self, key: str) -> str:
        return self._variable.replace(KEY, key).replace(UPPER_KEY, key.upper().replace("-", "_"))


def shape_of(settings: FlagFileSettings) -> Shape:
    if settings.format is FileFormat.FLAGD:
        return FlagdShape(settings.new or "", settings.legacy or "")
    if settings.format is FileFormat.GOFF:
        return GoffShape(settings.new or "", settings.legacy or "")
    if settings.format is FileFormat.ENV:
        words = None if settings.on_value is None else (settings.off_value or "", settings.on_value)
        return VariableShape(settings.variable or "", words, settings.everybody)
    return PointedShape(settings.percent or "", settings.on, settings.everybody)


def _share(weights: Mapping[str, Any], new: str, legacy: str) -> tuple[Percent | None, tuple[str, ...]]:
    """The share of `new` in weights of any sum, exact or not at all."""
    numbers = [each for each in weights.values() if isinstance(each, int | float)]
    if len(numbers) != len(weights) or any(isinstance(each, bool) or not each >= 0 for each in numbers):
        return None, ("a weight is no number from 0 on",)
    others = [name for name in weights if name not in (new, legacy) and weights[name]]
    if others:
        return None, (f"serves {', '.join(clean_text(name, limit=40) for name in others[:3])} as well",)
    whole = sum(numbers)
    if not 0 < whole < 1e12:
        return None, ("the weights add up to nothing",)
    exact = 10_000 * weights.get(new, 0) / whole
    if abs(exact - round(exact)) > 1e-6:
        return None, (f"{weights.get(new, 0)} of {whole} is no percentage with two decimals",)
    return Percent(round(exact)), ()


def _one_side(variant: object, new: str, legacy: str) -> tuple[Percent | None, tuple[str, ...]]:
    if variant in (new, legacy):
        return (FULL if variant == new else ZERO), ()
    return None, (f"serves {clean_text(variant, limit=40)!r}, neither {new} nor {legacy}",)


def _whole_side(key: str, percent: Percent, new: str, legacy: str) -> str:
    if percent in (ZERO, FULL):
        return new if percent == FULL else legacy
    raise refused(f"{key} has no split in the file: write one between {new} and {legacy} first", Fault.PLAN)


def _weights(percent: Percent, new: str, legacy: str) -> dict[str, int]:
    """Whole weights; older flagd wants them to add up to 100, which they do for whole percents."""
    whole = 100 if percent.hundredths % 100 == 0 else 10_000
    share = percent.hundredths * whole // 10_000
    return {new: share, legacy: whole - share}


def _number(raw: object, everybody: int, *, text: bool = False) -> tuple[Percent | None, tuple[str, ...]]:
    try:
        if isinstance(raw, str) and not text:
            raise ValueError("text")
        return Percent.parse(finite_number(raw) * 100 / everybody), ()
    except ValueError:
        return None, (f"no percentage from 0 to {everybody}: {clean_text(raw, limit=40)!r}",)


def _in_unit(percent: Percent, everybody: int) -> int | float:
    scaled = percent.hundredths * everybody
    return scaled // 10_000 if scaled % 10_000 == 0 else scaled / 10_000


def _path(pointer: str, key: str) -> Path:
    return tuple(key if part == KEY else part for part in split_pointer(pointer))


def _at(document: object, path: Path) -> object:
    value = document
    for part in path:
        if not isinstance(value, dict) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _object_at(document: object, path: Path, key: str) -> Mapping[str, Any]:
    found = _at(document, path)
    if found is _MISSING:
        raise plan_fault(f"{clean_text(key, limit=80)} is not in the file")
    if not isinstance(found, dict):
        raise _broken(f"{key} is no flag")
    return found


def _object(flag: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = flag.get(name)
    return found if isinstance(found, dict) else {}


def _broken(title: str) -> BrokenAnswer:
    return BrokenAnswer(Failure(title=clean_text(title, limit=160), fault=Fault.PLAN), sent=False)
