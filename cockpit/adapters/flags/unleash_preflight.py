"""What can be found out about Unleash, its flags and a token before flight, without writing.

/health is not asked: it says GOOD without a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer, Preflight, RefusedByService
from cockpit.adapters.flags.outcome import words
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost
    from cockpit.core.clock import Clock

_CLOCK_LIMIT_S: Final = 5.0
_NAMED: Final = 8
_NEEDED: Final = ("UPDATE_FEATURE_ENVIRONMENT", "UPDATE_FEATURE_STRATEGY", "CREATE_FEATURE_STRATEGY")


async def environment_line(host: HttpHost, environment: str) -> Preflight:
    """Whether the reading token is accepted and the environment exists."""
    question = f"it answers, and the environment {environment} exists"
    try:
        return await _listed_line(host, question, "environments", "name", environment)
    except AdapterError as error:
        return _trouble(host, question, error)


async def project_line(host: HttpHost, project: str) -> Preflight:
    """Whether the project is one of those that the reading token is shown (`GET /api/admin/projects`)."""
    question = f"the project {project} exists"
    try:
        return await _listed_line(host, question, "projects", "id", project)
    except AdapterError as error:
        # A token of one project may be shown no list and read its flags all the same.
        return _line(host, question, None, words(error))


async def _listed_line(host: HttpHost, question: str, kind: str, field: str, wanted: str) -> Preflight:
    """Where it is not, those that are there are named. Raises AdapterError."""
    listed = (await _read(host, f"/api/admin/{kind}")).get(kind)
    found = [each.get(field) for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    names = [clean_text(name, limit=40) for name in found if isinstance(name, str) and name]
    if wanted in found:
        return _line(host, question, True, "it does")
    there = f"there are {', '.join(names[:_NAMED])}" if names else "none was named"
    return _line(host, question, False, f"there is no {kind.removesuffix('s')} of that name; {there}")


async def clock_line(host: HttpHost, clock: Clock | None) -> Preflight:
    """Whether its clock, by which the audit log is dated, agrees with ours."""
    question = "its clock agrees with ours"
    try:
        answer = await host.get("/health")
    except AdapterError as error:
        return _line(host, question, None, words(error))
    if clock is None or answer.server_time is None:
        return _line(host, question, None, "there are no two clocks to compare")
    skew_s = (answer.server_time - clock.now()).total_seconds()
    detail = f"it is {abs(skew_s):.0f} s {'ahead' if skew_s > 0 else 'behind'}"
    return _line(host, question, abs(skew_s) <= _CLOCK_LIMIT_S, detail)


async def rights_line(host: HttpHost, project: str, environment: str) -> Preflight:
    """Whether the write token is accepted and may write here."""
    question = "the write token may write"
    try:
        missing = missing_rights(await _read(host, "/api/admin/user"), project, environment)
    except AdapterError as error:
        if error.status == 404:
            return _line(host, question, None, "this Unleash does not tell what a token may do")
        return _trouble(host, question, error)
    return _line(host, question, not missing, f"it lacks {', '.join(missing)}" if missing else "it may")


async def maintenance_line(host: HttpHost) -> Preflight:
    """Whether writes are open."""
    question = "writes are open"
    try:
        closed = (await _read(host, "/api/admin/ui-config")).get("maintenanceMode")
    except AdapterError as error:
        return _line(host, question, None, words(error))
    if not isinstance(closed, bool):
        return _line(host, question, None, "this Unleash does not tell")
    return _line(
        host, question, not closed, "maintenance mode: switching off is refused" if closed else "they are"
    )


def missing_rights(body: Mapping[str, object], project: str, environment: str) -> tuple[str, ...]:
    """The needed rights that a token lacks here, from `GET /api/admin/user`. Raises BrokenAnswer.

    A right without a project or environment counts everywhere.
    """
    listed = body.get("permissions")
    if not isinstance(listed, list):
        raise BrokenAnswer(Failure(title="the answer does not tell what the token may do"))
    held = {
        right.get("permission")
        for right in listed
        if isinstance(right, Mapping)
        and right.get("project") in (None, "", "*", project)
        and right.get("environment") in (None, "", "*", environment)
    }
    return () if "ADMIN" in held else tuple(right for right in _NEEDED if right not in held)


async def _read(host: HttpHost, path: str) -> Mapping[str, object]:
    answer = await host.get(path)
    answer.raise_for_status()
    body = answer.json()
    if not isinstance(body, dict):
        raise BrokenAnswer(Failure(title="the answer is not an object"))
    return body


def _trouble(host: HttpHost, question: str, error: AdapterError) -> Preflight:
    """A no is a no; anything else means that nobody could find out."""
    return _line(host, question, False if isinstance(error, RefusedByService) else None, words(error))


def _line(host: HttpHost, question: str, ok: bool | None, detail: str) -> Preflight:
    return Preflight(subject=f"Unleash at {host.address}", question=question, ok=ok, detail=detail)
