"""A build-time variable on Vercel as a lever: 0 or 100 %, and nothing in between.

What it is built around, from the vendor's SDK and documentation (never run against the service): a
changed variable does nothing to a deployment that exists, a NEXT_PUBLIC_ one is frozen into the pages
that browsers have open; so going forward is the variable and a redeployment, and takes a build. Going
back is instant where the plan knows a deployment of the legacy side: production is pointed at it, with
everything else in it, and then the variable is put right, or the next build would bring it back. After
an instant rollback Vercel leaves new deployments alone until somebody promotes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer, Preflight
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.flags.lines import trouble_line
from cockpit.adapters.flags.outcome import (
    Stop,
    answered,
    not_read_back,
    not_written,
    refused,
    reported,
    unanswered,
    unknown,
)
from cockpit.adapters.flags.turns import Turn, Turns, must_be_as_expected
from cockpit.adapters.flags.vercel_answers import (
    RELOAD,
    Production,
    Variable,
    last_build,
)
from cockpit.adapters.flags.vercel_host import open_host
from cockpit.adapters.flags.vercel_project import Project, VercelEnvReader, VercelEnvSettings
from cockpit.adapters.http_path import segment
from cockpit.core.clean import FULL, ZERO, Percent
from cockpit.core.model import Fault, FlagValue, WriteResult

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, Web


_UNDER_WAY: Final = frozenset({"QUEUED", "INITIALIZING", "BUILDING"})


class VercelEnvWriter:
    def __init__(self, project: Project) -> None:
        self._project = project
        self._turns = Turns()
        self._builds: dict[str, tuple[str, str]] = {}

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        async with self._turns.forward(key) as turn:
            return await reported(self._set_percent(turn, key, percent, expected))

    async def kill(self, key: str) -> WriteResult:
        return await reported(self._turns.kill(key, lambda: self._kill(key)))

    async def zero(self, key: str) -> WriteResult:
        return await reported(self._zero(key))

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        subject, question = f"Vercel project {self._project.settings.project}", "the write token may write"
        try:
            await self._project.listed()
        except AdapterError as error:
            return [trouble_line(subject, question, error)]
        detail = "Vercel tells it only when something is written"
        return [Preflight(subject=subject, question=question, ok=None, detail=detail)]

    async def aclose(self) -> None:
        await self._project.host.aclose()

    async def _set_percent(self, turn: Turn, key: str, percent: Percent, expected: FlagValue) -> str:
        if percent not in (ZERO, FULL):
            raise refused(f"a build-time variable is 0% or 100%, never {percent}", Fault.PLAN)
        variable, production, value = await self._look_first(key)
        must_be_as_expected(value, expected)
        if value.percent == percent:
            return f"it reads {percent} already"
        wanted = self._project.sides.new if percent == FULL else self._project.sides.legacy
        turn.check()
        await self._store(variable, wanted)
        try:
            turn.check()
            await self._redeploy(key, wanted, production)
        except Stop as stop:
            await self._put_back(variable, stop)
            raise
        return f"the variable is set and a build has begun; {RELOAD}{last_build(production)}"

    async def _kill(self, key: str) -> str:
        known = self._project.sides.rollback_to
        if known is None:
            variable, production, value = await self._look_first(key)
            if value.exposure == ZERO:
                return "it reads 0% already"
            if variable.value != self._project.sides.legacy:
                await self._store(variable, self._project.sides.legacy)
            await self._redeploy(key, self._project.sides.legacy, production)
            return f"the variable says legacy and a build has begun; {RELOAD}{last_build(production)}"
        await self._write("POST", f"/v1/projects/{self._project.name}/rollback/{segment(known)}")
        try:
            corrected = await self._zero(key)
        except (Stop, AdapterError) as trouble:
            corrected = f"BUT THE NEXT BUILD BRINGS IT BACK: {trouble}"
        _, production, _ = await self._look_back(key)
        if production.deployment != known:
            raise unknown(f"the rollback was accepted, but production is still {production.deployment}")
        return f"production is {known}; {corrected}; open pages keep the new side until they are reloaded"

    async def _zero(self, key: str) -> str:
        variable, _, _ = await self._look_first(key)
        if variable.value != self._project.sides.legacy:
            await self._store(variable, self._project.sides.legacy)
            after, _, _ = await self._look_back(key)
            if after.value != self._project.sides.legacy:
                raise unknown("the variable was accepted, but it reads something else")
        return "the variable says legacy for the next build"

    async def _store(self, variable: Variable, value: str) -> None:
        path = f"/v9/projects/{self._project.name}/env/{segment(variable.id)}"
        await self._write("PATCH", path, {"value": value})

    async def _put_back(self, variable: Variable, stop: Stop) -> None:
        """A variable that waits for the next build of anybody is no state to leave a flag in."""
        if variable.value is None:
            return
        try:
            await self._store(variable, variable.value)
        except Stop as worse:
            raise unknown(f"{stop.detail}, and the variable could not be put back: {worse.detail}") from None

    async def _redeploy(self, key: str, value: str, production: Production) -> None:
        """Build what serves production once more, unless that is being done: a rollback that is repeated
        must not queue builds."""
        asked_for, deployment = self._builds.get(key, (None, ""))
        if asked_for == value and await self._builds_on(deployment):
            return
        wish = {"name": production.project, "deploymentId": production.deployment, "target": "production"}
        answer = await self._write("POST", "/v13/deployments", wish)
        try:
            body = answer.json()
        except BrokenAnswer:
            return
        if isinstance(body, dict) and isinstance(body.get("id"), str):
            self._builds[key] = value, body["id"]

    async def _builds_on(self, deployment: str) -> bool:
        try:
            return await self._project.state(deployment) in _UNDER_WAY
        except AdapterError:
            return False

    async def _write(self, method: str, path: str, body: object = None) -> Answer:
        """One write. Stops with what is known for anything but a yes."""
        host, settings = self._project.host, self._project.settings
        try:
            answer = await host.write(method, settings.path(path), json=body)
        except AdapterError as error:
            raise unanswered(error) from None
        if not 200 <= answer.status < 300:
            raise answered(answer.as_error())
        if answer.body.lstrip()[:1] == b"<":
            raise unknown(f"HTML instead of an answer from {host.address} (proxy or login page?)")
        return answer

    async def _look_first(self, key: str) -> tuple[Variable, Production, FlagValue]:
        try:
            return await self._project.look(key)
        except AdapterError as error:
            raise not_written(error) from None

    async def _look_back(self, key: str) -> tuple[Variable, Production, FlagValue]:
        try:
            return await self._project.look(key)
        except AdapterError as error:
            raise not_read_back(error) from None


def build_reader(settings: VercelEnvSettings, web: Web, secret: Secrets, timeout_s: float) -> VercelEnvReader:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    return VercelEnvReader(Project(settings, open_host(settings, web, secret(settings.token), timeout_s)))


def build_writer(
    settings: VercelEnvSettings, web: Web, secret: Secrets, timeout_s: float
) -> VercelEnvWriter | None:
    """None without a write token in the plan. Raises as `build_reader` does."""
    if settings.write_token is None:
        return None
    host = open_host(settings, web, secret(settings.write_token), timeout_s)
    return VercelEnvWriter(Project(settings, host))
