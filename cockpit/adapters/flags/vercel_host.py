"""What both levers on Vercel share: an address, a team, tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

from cockpit.adapters.base import Settings
from cockpit.adapters.credentials import bearer
from cockpit.adapters.fields import BaseUrl, Reference
from cockpit.adapters.http_path import segment
from cockpit.core.dataclass import dataclass
from cockpit.core.secret import Secret
from cockpit.core.tables import After

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost, Web

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a name or id in Vercel is letters, digits and . _ -")
    return name


Name = Annotated[str, After(_name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class VercelSettings(Settings):
    """Vercel has no tokens that only read; give the two keys two tokens all the same, so that a cockpit
    that watches never holds the one that writes.
    """

    url: BaseUrl = "https://api.vercel.com"
    team: Name | None = None
    """The team's id (team_...), for projects that belong to one."""
    token: Reference
    write_token: Reference | None = None
    ca_file: str | None = None

    @property
    def params(self) -> Mapping[str, str]:
        return {} if self.team is None else {"teamId": self.team}

    def path(self, *parts: str) -> str:
        """For a write, whose address holds the team itself."""
        team = "" if self.team is None else f"?teamId={segment(self.team)}"
        return f"{''.join(parts)}{team}"


def open_host(settings: VercelSettings, web: Web, token: Secret, timeout_s: float) -> HttpHost:
    headers = {"Authorization": bearer(token)}
    return web.host(settings.url, headers=headers, timeout_s=timeout_s, ca_file=settings.ca_file, lever=True)
