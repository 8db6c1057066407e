"""What a plan may say about the people (and programs) to be told."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from cockpit.adapters.alertmanager import Matcher
from cockpit.adapters.base import Seconds, Settings
from cockpit.adapters.fields import Argument, BaseUrl, Reference, Variable
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import After, Bound, Size

_DASHBOARD: Final = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
_LONGEST_SILENCE_S: Final = 86_400.0


def _path(path: str) -> str:
    if not path.startswith(("/", "~/")) or path.endswith("/") or not path.isprintable():
        raise ValueError('the whole path of a file, such as "/var/log/cutover.jsonl" or "~/cutover.jsonl"')
    return path


def _dashboard(uid: str) -> str:
    if not _DASHBOARD.match(uid):
        raise ValueError("a dashboard uid is letters, digits, - and _, as in its address")
    return uid


def _tag(tag: str) -> str:
    if not tag.strip() or len(tag) > 100 or not tag.isprintable():
        raise ValueError("a tag is a short printable text")
    return tag


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings(Settings):
    """A web address that takes JSON by POST."""

    url: Reference
    """The address itself is a secret, so it comes by reference."""
    secret: Reference | None = None
    """Shared with the receiver; with it every post is signed (HMAC-SHA256 in X-Cutover-Signature)."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings(Settings):
    """A program that takes the announcement as JSON on standard input. Never a shell."""

    command: Annotated[tuple[Argument, ...], Size(1)]
    """The program and its arguments; exit code 0 means delivered."""
    pass_env: tuple[Variable, ...] = ()
    """Variables that the program gets beside a plain environment (PATH, HOME, LANG and their like)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings(Settings):
    """A file that gets one line of JSON per announcement."""

    path: Annotated[str, After(_path)]
    """Where it lies; made for its owner alone if it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackSettings(Settings):
    """A Slack channel, by incoming webhook."""

    url: Reference
    """The webhook's address. It is the credential, so it comes by reference."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDutySettings(Settings):
    """A PagerDuty service, by Events API v2. Only a declared rollback pages anybody."""

    routing_key: Reference
    """The integration key of the service."""
    region: Literal["us", "eu"] = "us"
    """Where the account lives."""
    url: BaseUrl | None = None
    """Another address than the region's, such as a relay of your own."""
    severity: Literal["critical", "error", "warning", "info"] = "critical"
    """How severe the alert of a declared rollback is."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrafanaSettings(Settings):
    """Annotations in Grafana's charts."""

    url: BaseUrl
    """Grafana's address, with the sub-path it is served under, without /api."""
    token: Reference
    """A service account's token with the right to create annotations."""
    tags: Annotated[tuple[Annotated[str, After(_tag)], ...], Size(1)] = ("cutover",)
    """A dashboard shows the annotation when it asks for one of these tags."""
    dashboard_uid: Annotated[str, After(_dashboard)] | None = None
    """Only on this dashboard, instead of wherever the tags are asked for."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceSettings(Settings):
    """A silence in Alertmanager for the alerts that the cutover itself sets off."""

    url: BaseUrl
    """Alertmanager's address, with the sub-path it is served under, without /api."""
    matchers: Annotated[tuple[Matcher, ...], Size(1)]
    """Which alerts: all of these must hold. Silence only what the cutover itself provokes."""
    length: Annotated[Seconds, Bound(ge=60, le=_LONGEST_SILENCE_S)] = 3600.0
    """How long it lasts after the last announced moment when nobody ends it; a day at most."""
    token: Reference | None = None
    """Sent as Authorization: Bearer."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""

    def __post_init__(self) -> None:
        """What every alert fulfils would make the cutover blind."""
        if not any(each.narrows for each in self.matchers):
            raise ValueError("at least one matcher must name a value; this would silence every alert")
