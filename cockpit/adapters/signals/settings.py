"""What a plan may say about a monitoring source."""

from __future__ import annotations

import re
from dataclasses import field
from typing import Annotated, Final

from cockpit.adapters.base import Settings
from cockpit.adapters.fields import BaseUrl, Headers, Reference, Url
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import After

_TENANT: Final = re.compile(r"[A-Za-z0-9!._*'()|-]{1,150}\Z")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*\Z")


def _tenant(name: str) -> str:
    if not _TENANT.match(name):
        raise ValueError("a tenant id is letters, digits and !-_.*'()|")
    return name


def _base_path(path: str) -> str:
    if not _PATH.match(path):
        raise ValueError('a base path looks like "/prometheus" or "/api/prom"')
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSettings(Settings):
    """A server that speaks the Prometheus HTTP API: Prometheus, Thanos, Mimir, VictoriaMetrics."""

    url: BaseUrl
    """The server's address, without /api/v1."""
    base_path: Annotated[str, After(_base_path)] = ""
    """What stands in front of /api/v1, such as "/prometheus" for Mimir and Grafana Cloud."""
    token: Reference | None = None
    """Sent as Authorization: Bearer."""
    tenant: Annotated[str, After(_tenant)] | None = None
    """Sent as X-Scope-OrgID."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings(Settings):
    """A page that is fetched whole and holds every number at once."""

    url: Url
    """The whole address of the page, with its query."""
    headers: Headers = field(default_factory=dict)
    """Sent with every question; a secret value comes by reference."""
    token: Reference | None = None
    """Sent as Authorization: Bearer."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""
