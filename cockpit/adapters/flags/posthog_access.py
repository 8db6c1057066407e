"""One project of PostHog over its management API: what a plan says about it, and reading one flag."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

from cockpit.adapters.base import RefusedByService, Settings
from cockpit.adapters.credentials import bearer
from cockpit.adapters.fields import BaseUrl, Reference
from cockpit.adapters.flags.posthog_answers import StoredFlag, find_id, newest_change, stored_flag
from cockpit.adapters.once import asked_once
from cockpit.core.dataclass import dataclass
from cockpit.core.secret import Secret
from cockpit.core.tables import Bound

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost, Web

_MOST: Final = "100"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostHogSettings(Settings):
    """One project: PostHog knows no environments, so production is a project of its own.

    token reads and write_token writes: personal API keys with the scopes feature_flag:read and
    feature_flag:write. One key may ask 80 times a minute in the long run: with three flags or more an
    `interval` of "10s" is in order.
    """

    url: BaseUrl = "https://us.posthog.com"
    """Not the host that takes events (us.i.posthog.com)."""
    project: Annotated[int, Bound(ge=1)]
    """The number of the project."""
    token: Reference
    write_token: Reference | None = None
    ca_file: str | None = None


class Flags:
    """The flags of one project over one host. Their numbers are looked up once."""

    def __init__(self, settings: PostHogSettings, host: HttpHost) -> None:
        self.host = host
        self._all = f"/api/projects/{settings.project}/feature_flags/"
        self._ids: dict[str, int] = {}

    def path(self, flag: StoredFlag, act: str = "") -> str:
        return f"{self._all}{flag.id}/{act}"

    async def look(self, key: str) -> StoredFlag:
        """Raises AdapterError."""
        if key not in self._ids:
            with asked_once():
                answer = await self.host.get(self._all, params={"search": key, "limit": _MOST})
            answer.raise_for_status()
            self._ids[key] = find_id(answer.json(), key)
        answer = await self.host.get(f"{self._all}{self._ids[key]}/")
        try:
            answer.raise_for_status()
            return stored_flag(answer.json(), key=key)
        except RefusedByService:
            self._ids.pop(key, None)
            raise

    async def author(self, key: str) -> tuple[str | None, datetime | None]:
        """Raises AdapterError."""
        answer = await self.host.get(f"{self._all}{self._ids[key]}/activity/")
        answer.raise_for_status()
        return newest_change(answer.json())


def open_host(settings: PostHogSettings, web: Web, token: Secret, timeout_s: float) -> HttpHost:
    headers = {"Authorization": bearer(token)}
    return web.host(settings.url, headers=headers, timeout_s=timeout_s, ca_file=settings.ca_file, lever=True)
