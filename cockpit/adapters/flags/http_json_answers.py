"""A home-grown endpoint's JSON as a flag, and a body template filled with values.

Nothing is guessed: a percentage that is no number from 0 to 100 is a complexity, a switch that is no
truth value is a broken answer, and an answer about another flag or environment is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from cockpit.adapters.base import AdapterError, BrokenAnswer
from cockpit.adapters.flags.http_json_settings import KEY, ON, PERCENT, REVISION, HttpJsonSettings, ReadAll
from cockpit.adapters.http_path import plan_fault
from cockpit.adapters.pointer import find, same_scalar
from cockpit.core.clean import FULL, ZERO, Percent, clean_text, finite_number, parse_instant
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault, FlagValue

_MILLISECONDS_FROM: Final = 1e11
_LATEST_S: Final = 4e9
_MISSING: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A flag with its guards as the service gave them. etag: a strong one or None."""

    value: FlagValue
    version: str | int | None
    etag: str | None = None


def stored_flag(body: object, *, key: str, settings: HttpJsonSettings, etag: str | None = None) -> Stored:
    """The flag from its JSON. Raises BrokenAnswer, or RefusedByService for another flag or environment."""
    _must_be_about(body, key, settings)
    on, percent, trouble = _setting(body, settings)
    version = _version(body, settings.read.revision)
    strong = etag if etag and not etag.startswith("W/") else None
    revision = version if version is not None else strong
    value = FlagValue(
        key=key,
        on=on,
        percent=percent,
        complexities=trouble,
        revision=None if revision is None else clean_text(revision, limit=120),
        changed_by=_author(_at(body, settings.read.changed_by)),
        changed_at=_moment(_at(body, settings.read.changed_at)),
    )
    return Stored(value=value, version=version, etag=strong)


def listed_flags(body: object, where: ReadAll) -> Mapping[str, object]:
    """The flags of a list answer by key. Raises BrokenAnswer."""
    found = _at(body, where.flags)
    if where.key is None:
        if isinstance(found, dict):
            return found
        raise _broken(f"no object of flags at {_shown(where.flags)}")
    if not isinstance(found, list):
        raise _broken(f"no list of flags at {_shown(where.flags)}")
    flags: dict[str, object] = {}
    for each in found:
        name = _at(each, where.key)
        if isinstance(name, str):
            # Of two that claim one name neither is believed.
            flags[name] = None if name in flags else each
    return flags


def listed_flag(
    flags: Mapping[str, object], key: str, settings: HttpJsonSettings
) -> FlagValue | AdapterError:
    if key not in flags:
        return plan_fault(f"{clean_text(key, limit=80)} is not among the flags")
    try:
        return stored_flag(flags[key], key=key, settings=settings).value
    except AdapterError as error:
        return error


def filled(template: object, *, key: str, percent: object, on: bool, version: str | int | None) -> object:
    """The template with values in the places of its placeholders."""
    values = {KEY: key, PERCENT: percent, ON: on, REVISION: version}
    if isinstance(template, str):
        return values.get(template, template)
    if isinstance(template, Mapping):
        return {
            name: filled(each, key=key, percent=percent, on=on, version=version)
            for name, each in template.items()
        }
    if isinstance(template, list | tuple):
        return [filled(each, key=key, percent=percent, on=on, version=version) for each in template]
    return template


def in_unit(percent: Percent, everybody: int) -> int | float:
    """The percentage as the service counts: 25 % is 25, 0.25 or 2500."""
    scaled = percent.hundredths * everybody
    return scaled // 10_000 if scaled % 10_000 == 0 else scaled / 10_000


def _must_be_about(body: object, key: str, settings: HttpJsonSettings) -> None:
    named = settings.read.key
    if named is not None and _at(body, named) != key:
        raise plan_fault(f"the answer is about another flag than {clean_text(key, limit=80)}")
    for pointer, expected in settings.read.expect.items():
        found = _at(body, pointer)
        if not same_scalar(found, expected):
            said = "nothing" if found is _MISSING else clean_text(found, limit=60)
            raise plan_fault(
                f"{_shown(pointer)} is {said}, the plan expects {clean_text(expected, limit=60)}"
            )


def _setting(body: object, settings: HttpJsonSettings) -> tuple[bool, Percent | None, tuple[str, ...]]:
    """The switch, the percentage, and why it is not plain. A flag without a percentage serves all or none."""
    on: object = True if settings.read.on is None else _at(body, settings.read.on)
    if not isinstance(on, bool):
        raise _broken(f"{_shown(settings.read.on or '')} is neither true nor false")
    if settings.read.percent is None:
        return True, FULL if on else ZERO, ()
    raw = _at(body, settings.read.percent)
    if raw is _MISSING:
        raise _broken(f"nothing at {_shown(settings.read.percent)}")
    try:
        if isinstance(raw, str):
            raise ValueError("text")
        percent = Percent.parse(finite_number(raw) * 100 / settings.everybody)
    except ValueError:
        words = f"no percentage from 0 to {settings.everybody}: {clean_text(raw, limit=40)!r}"
        return on, None, (words,)
    return on, percent, ()


def _version(body: object, pointer: str | None) -> str | int | None:
    if pointer is None:
        return None
    found = _at(body, pointer)
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        raise _broken(f"no version at {_shown(pointer)}")
    return found


def _at(body: object, pointer: str | None) -> object:
    if pointer is None:
        return _MISSING
    try:
        return find(body, pointer)
    except LookupError:
        return _MISSING


def _author(raw: object) -> str | None:
    return clean_text(raw, limit=80) if isinstance(raw, str) and raw else None


def _moment(raw: object) -> datetime | None:
    """A time from text with a zone, or from seconds or milliseconds since 1970; else None."""
    try:
        if isinstance(raw, str):
            return parse_instant(raw)
        seconds = finite_number(raw)
    except ValueError:
        return None
    seconds = seconds / 1000 if seconds >= _MILLISECONDS_FROM else seconds
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < _LATEST_S else None


def _shown(pointer: str) -> str:
    return clean_text(pointer, limit=80) or "the top of the answer"


def _broken(title: str) -> BrokenAnswer:
    return BrokenAnswer(Failure(title=title, fault=Fault.PLAN))
