"""What a plan may say about a probe. Light on purpose: the plan is checked without a network library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from cockpit.adapters.base import Seconds, Settings
from cockpit.adapters.convex_names import FunctionPath, InstanceName
from cockpit.adapters.fields import BaseUrl, Headers, JsonScalar, Pointer, Reference, Url
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import Bound, JsonValue, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonCheck(Settings):
    """What the JSON body must say."""

    pointer: Pointer
    """RFC 6901, such as "/status" or "/checks/db/0/up"; "" is the whole body."""
    equals: JsonScalar
    """Compared without conversion: 1 equals 1.0, but neither equals true or "1"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProbeSettings(Settings):
    """One address that tells whether a service is healthy.

    The status decides, `json` refines. Redirects are not followed: a login page is no health proof.
    """

    url: Url
    """The whole address that is asked, with its query."""
    method: Literal["GET", "HEAD"] = "GET"
    """HEAD brings no body."""
    expect_status: Annotated[tuple[Annotated[int, Bound(ge=100, le=599)], ...], Size(1)] = (200,)
    """Statuses that mean healthy; any other means down, except those that mean "could not ask"."""
    json: JsonCheck | None = None
    """What the JSON body must say; another answer means down."""
    latency_limit: Annotated[Seconds, Bound(gt=0)] | None = None
    """Slower than this is degraded."""
    tls_days: Annotated[int, Bound(ge=1, le=3650)] | None = None
    """Fewer days than this until the certificate ends is degraded. Costs a new connection per poll."""
    headers: Headers = field(default_factory=dict)
    """Sent with every question; a secret value comes by reference."""
    token: Reference | None = None
    """Sent as Authorization: Bearer."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""

    def __post_init__(self) -> None:
        if self.method == "HEAD" and self.json is not None:
            raise ValueError("HEAD brings no body, so json has nothing to look into: use GET")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvexProbeSettings(Settings):
    """One Convex deployment, cloud or self-hosted."""

    url: BaseUrl
    """The deployment's address, such as "https://happy-otter-123.convex.cloud"."""
    instance: InstanceName | None = None
    """The deployment name that must answer; another one is down, whatever else it says."""
    health_query: FunctionPath | None = None
    """A public query such as "health:check" that throws when the backend does not work."""
    health_args: Mapping[str, JsonValue] = field(default_factory=dict)
    """Arguments of the health query."""
    admin_key: Reference | None = None
    """Only to read whether the deployment is paused or disabled; the right to view data is enough."""
    latency_limit: Annotated[Seconds, Bound(gt=0)] | None = None
    """A health query slower than this is degraded."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""
