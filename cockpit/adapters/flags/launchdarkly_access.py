"""One environment of LaunchDarkly over its REST API: what a plan says about it, and reading one flag."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

from cockpit.adapters.again import once_more_after_reset
from cockpit.adapters.base import Settings, Throttled
from cockpit.adapters.fields import BaseUrl, Reference
from cockpit.adapters.flags.launchdarkly_answers import Sides, StoredFlag, newest_change, stored_flag
from cockpit.adapters.http_path import segment
from cockpit.core.dataclass import dataclass
from cockpit.core.secret import Secret
from cockpit.core.tables import After

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost, Web

_API: Final = "/api/v2"
_VERSION: Final = "20240415"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,255}")


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a key in LaunchDarkly is letters, digits and . _ -")
    return name


Name = Annotated[str, After(_name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchDarklySettings(Settings):
    """One project and environment.

    token reads: the role reader is enough. write_token writes: the role writer, or a custom one that may
    updateOn and updateFallthrough in this environment. Keys of SDKs cannot be used.
    """

    url: BaseUrl = "https://app.launchdarkly.com"
    project: Name
    environment: Name
    token: Reference
    write_token: Reference | None = None
    legacy: bool | str = False
    """The value of the variation that is the legacy side."""
    new: bool | str = True
    """The value of the variation that is the new side."""
    context_kind: Name = "user"
    """Who is dealt to the sides when a flag has no rollout yet; one that is there keeps its own."""
    ca_file: str | None = None


class Flags:
    """The flags of one environment over one host."""

    def __init__(self, settings: LaunchDarklySettings, host: HttpHost) -> None:
        self._settings = settings
        self._sides = Sides(legacy=settings.legacy, new=settings.new)
        self.host = host

    def path(self, key: str) -> str:
        return f"{_API}/flags/{segment(self._settings.project)}/{segment(key)}"

    async def look(self, key: str) -> StoredFlag:
        """Raises AdapterError."""
        answer = await self._get(self.path(key), {"env": self._settings.environment})
        return self.parsed(key, answer)

    def parsed(self, key: str, answer: Answer) -> StoredFlag:
        return stored_flag(answer.json(), key=key, environment=self._settings.environment, sides=self._sides)

    async def author(self, key: str) -> str | None:
        """Raises AdapterError."""
        place = f"proj/{self._settings.project}:env/{self._settings.environment}:flag/{key}"
        answer = await self._get(f"{_API}/auditlog", {"spec": place, "limit": "1"})
        return newest_change(answer.json())

    async def _get(self, path: str, params: Mapping[str, str]) -> Answer:
        """Once: the common second try would not know how long LaunchDarkly wants to be left alone."""
        answer = await once_more_after_reset(lambda: self.host.get(path, params=params, retry=False))
        raise_for(answer)
        return answer


def raise_for(answer: Answer) -> None:
    """As `raise_for_status`, with the wait that LaunchDarkly asks for in its own way."""
    if answer.status == 429 and answer.retry_after_s() is None:
        error = answer.as_error()
        reset = answer.headers.get("x-ratelimit-reset", "")
        if reset.isascii() and reset.isdigit() and len(reset) < 16 and answer.server_time is not None:
            wait_s = max(0.0, int(reset) / 1000 - answer.server_time.timestamp())
            raise Throttled(replace(error.failure, retry_after_s=wait_s), status=429)
    answer.raise_for_status()


def open_host(settings: LaunchDarklySettings, web: Web, token: Secret, timeout_s: float) -> HttpHost:
    headers: dict[str, Secret | str] = {"Authorization": token, "LD-API-Version": _VERSION}
    return web.host(settings.url, headers=headers, timeout_s=timeout_s, ca_file=settings.ca_file, lever=True)
