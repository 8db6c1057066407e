"""What a plan says about a project on an Unleash server."""

from __future__ import annotations

import re
from typing import Annotated, Final

from cockpit.adapters.base import Settings
from cockpit.adapters.fields import BaseUrl, Reference
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import After

_NAME: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,99}")


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a name in Unleash is letters, digits and . _ ~ -")
    return name


def _server(url: str) -> str:
    return url.removesuffix("/").removesuffix("/admin").removesuffix("/api")


Name = Annotated[str, After(_name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnleashSettings(Settings):
    """One project and environment of one Unleash server.

    token reads: an account's token with the Viewer role is enough. write_token writes: it needs
    UPDATE_FEATURE_ENVIRONMENT, UPDATE_FEATURE_STRATEGY and CREATE_FEATURE_STRATEGY. Tokens of SDKs
    (client, frontend) cannot be used.
    """

    url: Annotated[BaseUrl, After(_server)]
    project: Name = "default"
    environment: Name
    token: Reference
    write_token: Reference | None = None
    ca_file: str | None = None
