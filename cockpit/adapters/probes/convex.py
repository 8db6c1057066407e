"""Health of one Convex deployment: is it the right one, does it run, does its health function answer.

First the deployment says its name and version, then the health function and (with an admin key) the
deployment's state are read: two calls at once, in places shared with everything else that we ask of
this deployment, because the small class has 16 for everybody. The health function is called without the
key, as users call it.

DOWN: it refuses the connection, is another deployment than the plan says, is stopped, is overloaded
or fails, or the health function throws. Warming up, rate limits and refused keys are UNKNOWN.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from cockpit.adapters.again import once_more_after_reset
from cockpit.adapters.base import AdapterError, BrokenAnswer
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.probes.convex_answer import (
    Called,
    outage,
    read_call,
    read_word,
    rights_of,
    stopped_by,
)
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Health, ProbeValue
from cockpit.core.secret import Secret

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost, Web
    from cockpit.adapters.probes.settings import ConvexProbeSettings

T = TypeVar("T")

STATE_QUERY: Final = "_system/frontend/backendState"
_VERSION_PATHS: Final = ("/version", "/instance_version")
_REFUSED_FOR_GOOD: Final = frozenset({400, 401, 403, 404})


def build(settings: ConvexProbeSettings, web: Web, secret: Secrets, timeout_s: float) -> ConvexProbe:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    key = None if settings.admin_key is None else secret(settings.admin_key)
    host = web.host(settings.url, timeout_s=timeout_s, ca_file=settings.ca_file, shared=True)
    return ConvexProbe(host, settings, admin_key=key)


@dataclass(slots=True, kw_only=True)
class _Finding:
    """What one poll has found so far; `wrong` is what makes it DOWN."""

    good: str
    took_s: float
    server_time: datetime | None
    wrong: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)

    def note(self, name: str, text: str) -> None:
        if text:
            self.facts.append((name, text))

    def value(self, latency_limit_s: float | None) -> ProbeValue:
        slow = latency_limit_s is not None and self.took_s > latency_limit_s
        took = f"{self.took_s * 1000:.0f} ms, the limit is {(latency_limit_s or 0) * 1000:.0f} ms"
        health = Health.DOWN if self.wrong else Health.DEGRADED if slow else Health.OK
        return ProbeValue(
            health=health,
            detail=self.wrong or (f"slow: {took}" if slow else self.good),
            latency_ms=self.took_s * 1000,
            facts=tuple(self.facts),
            server_time=self.server_time,
        )


class ConvexProbe:
    """Remembers between polls which version path this deployment knows, why its state cannot be read and
    what the key may do, so that nothing is asked in vain again.
    """

    def __init__(self, host: HttpHost, settings: ConvexProbeSettings, *, admin_key: Secret | None) -> None:
        self._host = host
        self._settings = settings
        self._admin = {} if admin_key is None else {"Authorization": Secret(f"Convex {admin_key.reveal()}")}
        self._version_path = _VERSION_PATHS[0]
        self._no_state = "no admin key in the plan" if admin_key is None else ""
        self._rights = "" if admin_key is None else None

    async def probe(self) -> ProbeValue:
        try:
            finding = await self._look()
        except NoAnswer as trouble:
            if trouble.cause is Cause.REFUSED:
                return ProbeValue(health=Health.DOWN, detail=trouble.failure.title)
            raise
        return finding.value(self._settings.latency_limit)

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _look(self) -> _Finding:
        named, versioned = await asyncio.gather(
            _caught(partial(self._get, "/instance_name")), _caught(self._ask_version)
        )
        if isinstance(named, AdapterError):
            raise named
        if isinstance(versioned, AdapterError):
            raise versioned
        finding = _Finding(good="answers", took_s=versioned.took_s, server_time=versioned.server_time)
        finding.note("version", _word_or_nothing(versioned, "its version"))
        self._compare_name(named, finding)
        if not finding.wrong and self._settings.health_query is None:
            _take_liveness(versioned, named, finding)
        if not finding.wrong:
            await self._ask_inside(finding)
        return finding

    async def _ask_version(self) -> Answer:
        answer = await self._get(self._version_path)
        if answer.status == 404 and self._version_path == _VERSION_PATHS[0]:
            self._version_path = _VERSION_PATHS[1]
            answer = await self._get(self._version_path)
        return answer

    def _compare_name(self, named: Answer, finding: _Finding) -> None:
        """Whether this is the deployment that the plan means. If not, nothing else it says counts."""
        expected = self._settings.instance
        if expected is None:
            finding.note("instance", _word_or_nothing(named, "its name"))
        elif named.status >= 500:
            finding.wrong = outage(named)
        else:
            name = read_word(named, "its name")
            finding.note("instance", name)
            if name != expected:
                finding.wrong = f"answers as {name}, the plan says {expected}"

    async def _ask_inside(self, finding: _Finding) -> None:
        """The health function and the deployment's state, side by side."""
        function = self._settings.health_query
        health, state = await asyncio.gather(
            _caught(partial(self._call, function, self._settings.health_args, admin=False)),
            _caught(partial(self._call, None if self._no_state else STATE_QUERY, {}, admin=True)),
        )
        await self._take_rights(finding)
        functions_run = isinstance(health, Called) and not health.trouble
        stopped = self._take_state(state, finding, functions_run=functions_run)
        if stopped:
            finding.wrong = stopped
        elif isinstance(health, AdapterError):
            raise health
        elif health is not None:
            finding.good = f"{function} answers"
            finding.wrong = health.trouble
            finding.took_s, finding.server_time = health.took_s, health.server_time
            finding.note("request", health.request_id)

    async def _take_rights(self, finding: _Finding) -> None:
        """Note what the key may do; asked once, and no promised API."""
        if self._rights is None:
            answer = await _caught(partial(self._get, "/api/check_admin_key", self._admin))
            if isinstance(answer, AdapterError):
                return
            self._rights = rights_of(answer)
        finding.note("the key may", self._rights)

    def _take_state(
        self, state: Called | AdapterError | None, finding: _Finding, *, functions_run: bool
    ) -> str:
        """Note the deployment's state; returns why no function runs, or nothing.

        The state query is what the dashboard uses, not a promise: where it is refused or unknown while
        functions run, it is not asked again.
        """
        if state is None:
            finding.note("state", f"not known: {self._no_state}")
            return ""
        if isinstance(state, AdapterError):
            why = state.failure.title
            for_good = state.status in _REFUSED_FOR_GOOD
        elif not state.trouble and (stopped := stopped_by(state.value)) is not None:
            finding.note("state", stopped or "running")
            return f"the deployment is {stopped}" if stopped else ""
        else:
            why = state.trouble or "an answer of an unknown shape"
            for_good = functions_run
        finding.note("state", f"not known: {why}")
        if for_good:
            self._no_state = why
        return ""

    async def _get(self, path: str, headers: Mapping[str, Secret] | None = None) -> Answer:
        return await once_more_after_reset(
            lambda: self._host.get(path, headers=headers, retry=False, redirects=False)
        )

    async def _call(self, function: str | None, args: Mapping[str, object], *, admin: bool) -> Called | None:
        """Call a query; None when there is none to call."""
        if function is None:
            return None
        question = {"path": function, "args": dict(args), "format": "json"}
        headers = self._admin if admin else {}
        answer = await once_more_after_reset(
            lambda: self._host.read_post("/api/query", json=question, headers=headers, retry=False)
        )
        return read_call(answer, function)


async def _caught(ask: Callable[[], Awaitable[T]]) -> T | AdapterError:
    """An adapter's error as a value, so that one of two calls can fail beside the other.

    Takes the question, not its coroutine: cancelled before it began, there is none left unawaited.
    """
    try:
        return await ask()
    except AdapterError as error:
        return error


def _word_or_nothing(answer: Answer, what: str) -> str:
    try:
        return read_word(answer, what)
    except BrokenAnswer:
        return ""


def _take_liveness(versioned: Answer, named: Answer, finding: _Finding) -> None:
    """Without a health query, a well-formed word about itself is all there is to go by."""
    best = versioned if versioned.status == 200 else named
    if best.status == 200:
        read_word(best, "its version or name")
        finding.good = "answers (the plan names no health query)"
    else:
        finding.wrong = outage(best)
