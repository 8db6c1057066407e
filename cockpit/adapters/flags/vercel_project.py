"""Build-time variables of one Vercel project: what a plan says about it, and reading them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from cockpit.adapters.base import AdapterError, Preflight
from cockpit.adapters.flags.lines import flag_lines, trouble_line
from cockpit.adapters.flags.vercel_answers import (
    RELOAD,
    Production,
    Sides,
    Variable,
    find_variable,
    last_build,
    read_flag,
    read_production,
    with_value,
)
from cockpit.adapters.flags.vercel_host import Name, VercelSettings
from cockpit.adapters.http_path import segment
from cockpit.core.dataclass import dataclass
from cockpit.core.model import FlagValue

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost


@dataclass(frozen=True, slots=True, kw_only=True)
class VercelEnvSettings(VercelSettings):
    """Variables of one project, as production has them. The key of a flag is the name of a variable.

    A poll asks three times or more: an `interval` of "10s" is in order.
    """

    in_pages: ClassVar[bool] = True

    project: Name
    """The project's id or name."""
    legacy: str = "false"
    """The variable's value for the legacy side."""
    new: str = "true"
    """The variable's value for the new side."""
    rollback_to: Name | None = None
    """A deployment (dpl_...) that is known to serve the legacy side: a rollback points production at it."""


class Project:
    """One project over one host."""

    def __init__(self, settings: VercelEnvSettings, host: HttpHost) -> None:
        self.settings = settings
        self.host = host
        self.sides = Sides(legacy=settings.legacy, new=settings.new, rollback_to=settings.rollback_to)
        self.name = segment(settings.project)

    async def listed(self) -> tuple[object, Production]:
        """All variables, without their values, and what serves production. Raises AdapterError."""
        listed, project = await asyncio.gather(
            self._get(f"/v10/projects/{self.name}/env"),
            self._get(f"/v9/projects/{self.name}"),
            return_exceptions=True,
        )
        for each in (listed, project):
            if isinstance(each, BaseException):
                raise each
        return listed, read_production(project)

    async def variable(self, listed: object, key: str) -> Variable:
        """Raises AdapterError."""
        found = find_variable(listed, key)
        return with_value(found, await self._get(f"/v1/projects/{self.name}/env/{segment(found.id)}"))

    async def look(self, key: str) -> tuple[Variable, Production, FlagValue]:
        """Raises AdapterError."""
        listed, production = await self.listed()
        variable = await self.variable(listed, key)
        return variable, production, read_flag(key, variable, production, self.sides)

    async def state(self, deployment: str) -> object:
        """Such as QUEUED, BUILDING, READY. Raises AdapterError."""
        body = await self._get(f"/v13/deployments/{segment(deployment)}")
        return body.get("readyState") if isinstance(body, dict) else None

    async def _get(self, path: str) -> object:
        answer = await self.host.get(path, params=self.settings.params)
        answer.raise_for_status()
        return answer.json()


class VercelEnvReader:
    def __init__(self, project: Project) -> None:
        self._project = project

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        listed, production = await self._project.listed()
        found = await asyncio.gather(*(self._read_one(key, listed, production) for key in keys))
        return dict(zip(keys, found, strict=True))

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        subject = f"Vercel project {self._project.settings.project}"
        try:
            listed, production = await self._project.listed()
        except AdapterError as error:
            return [trouble_line(subject, "it tells what serves production", error)]
        known = self._project.sides.rollback_to
        back = f"a rollback points production at {known}" if known else "a rollback needs a whole build, too"
        lines = [
            Preflight(subject=subject, question="it tells what serves production", ok=True, detail=""),
            Preflight(
                subject=subject,
                question="the way back is instant",
                ok=True if known else None,
                detail=f"{back}; {RELOAD}{last_build(production)}",
            ),
        ]
        for key in keys:
            lines += flag_lines(key, await self._read_one(key, listed, production))
        return lines

    async def aclose(self) -> None:
        await self._project.host.aclose()

    async def _read_one(self, key: str, listed: object, production: Production) -> FlagValue | AdapterError:
        try:
            variable = await self._project.variable(listed, key)
        except AdapterError as error:
            return error
        return read_flag(key, variable, production, self._project.sides)
