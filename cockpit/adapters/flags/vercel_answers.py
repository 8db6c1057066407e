"""What Vercel answers about variables, projects and deployments, as values. Pure.

Which deployment serves production stands in the project (`targets.production`); whether it was built with
the variable as it is now is told by two times in milliseconds: it was created after the variable was
last changed. From the vendor's SDK and documentation; `targets` and the times are common knowledge.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.http_path import plan_fault
from cockpit.core.clean import FULL, ZERO, Percent, clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, FlagValue

_LAST_MS: Final = 253_402_300_799_000
RELOAD: Final = "clients get it with a rebuild and after a reload of their page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """value: None where it is withheld. also: what else than production reads it."""

    id: str
    value: str | None
    updated_ms: int
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """The deployment that serves production. build_s: how long its build took, None where not told."""

    deployment: str
    project: str
    created_ms: int
    build_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The values of the two sides, and the deployment that is known to be the legacy one."""

    legacy: str
    new: str
    rollback_to: str | None


def find_variable(body: object, key: str) -> Variable:
    """The variable as production has it, without its value. Raises BrokenAnswer or RefusedByService."""
    listed = _object(body, "a list of variables").get("envs")
    if not isinstance(listed, list):
        raise _broken("the answer has no variables")
    entries = [_object(each, "a variable") for each in listed]
    found = [each for each in entries if each.get("key") == key and "production" in _targets(each)]
    if len(found) != 1:
        shown = clean_text(key, limit=80)
        many = "no variable" if not found else f"{len(found)} variables"
        raise plan_fault(f"the project has {many} {shown} for production")
    also = tuple(clean_text(each, limit=20) for each in _targets(found[0]) if each != "production")
    return Variable(
        id=_text(found[0], "id"), value=None, updated_ms=_moment_ms(found[0], "updatedAt"), also=also
    )


def with_value(variable: Variable, body: object) -> Variable:
    """From `GET env/ID`; the time is of this answer, so that value and time belong together."""
    entry = _object(body, "a variable")
    if entry.get("id") != variable.id:
        raise _broken("the answer is about another variable")
    value = entry.get("value")
    withheld = entry.get("type") == "sensitive" or not isinstance(value, str)
    return Variable(
        id=variable.id,
        value=None if withheld else str(value),
        updated_ms=_moment_ms(entry, "updatedAt"),
        also=variable.also,
    )


def read_production(body: object) -> Production:
    """From the project. Raises BrokenAnswer when it does not tell what serves production."""
    project = _object(body, "a project")
    targets = _object(project.get("targets"), "targets")
    serving = _object(targets.get("production"), "a production deployment")
    began, ready = serving.get("buildingAt"), serving.get("readyAt", serving.get("ready"))
    told = _is_ms(began) and _is_ms(ready) and ready >= began
    return Production(
        deployment=_text(serving, "id"),
        project=_text(project, "name"),
        created_ms=_moment_ms(serving, "createdAt"),
        build_s=(ready - began) / 1000 if told else None,
    )


def read_flag(key: str, variable: Variable, production: Production, sides: Sides) -> FlagValue:
    """Plain only when the variable and what serves production say the same."""
    said = {sides.legacy: ZERO, sides.new: FULL}.get(variable.value) if variable.value is not None else None
    percent: Percent | None = None
    notes: list[str] = []
    if said is None:
        told = "is withheld" if variable.value is None else "is neither that of legacy nor that of new"
        notes.append(f"the variable's value {told}")
    if sides.rollback_to is not None and production.deployment == sides.rollback_to:
        percent = ZERO
        if said == FULL:
            notes.append("rolled back, but the variable still says new: the next build brings it back")
    elif production.created_ms < variable.updated_ms:
        notes.append("production was built before the variable was changed: it needs a rebuild")
    else:
        percent = said
    return FlagValue(
        key=key,
        on=True,
        percent=percent,
        complexities=tuple(notes),
        revision=f"{variable.updated_ms} {clean_text(production.deployment, limit=60)}",
        changed_at=datetime.fromtimestamp(variable.updated_ms / 1000, UTC),
    )


def last_build(production: Production) -> str:
    return "" if production.build_s is None else f"; the last build took {production.build_s:.0f} s"


def _targets(entry: Mapping[str, Any]) -> list[str]:
    """A list, or one word in older answers."""
    found = entry.get("target")
    listed = [found] if isinstance(found, str) else found
    return [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []


def _text(holder: Mapping[str, Any], name: str) -> str:
    found = holder.get(name)
    if not isinstance(found, str) or not found:
        raise _broken(f"the answer has no {name}")
    return found


def _moment_ms(holder: Mapping[str, Any], name: str) -> int:
    found = holder.get(name)
    if not _is_ms(found):
        raise _broken(f"the answer has no {name}")
    assert isinstance(found, int)
    return found


def _is_ms(raw: object) -> bool:
    return isinstance(raw, int) and not isinstance(raw, bool) and 0 < raw < _LAST_MS


def _object(raw: object, what: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise _broken(f"the answer is not {what}")
    return raw


def _broken(title: str) -> BrokenAnswer:
    return BrokenAnswer(Failure(title=title))
