"""Every adapter by the name that a plan gives its kind. A new one is one file and one line here.

Importing this table loads none of them. The settings class of a kind is imported when a plan names the kind;
the adapter itself, and with it the network library, when the first one is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from cockpit.adapters.base import Announcer, FlagReader, FlagWriter, Monitor, Probe, Settings, Store
from cockpit.adapters.credentials import Secrets
from cockpit.core.dataclass import dataclass

if TYPE_CHECKING:
    from cockpit.adapters.http import Web

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FlagService:
    """A flag service: `module` has build_reader and build_writer. own: module and name of its settings."""

    own: str
    module: str

    @property
    def settings(self) -> type[Settings]:
        return _settings(self.own)

    def reader(self, settings: Settings, web: Web, secret: Secrets, timeout_s: float = 5.0) -> FlagReader:
        """Raises what `secret` raises, and RefusedByService for settings that cannot be used."""
        built = _module(self.module).build_reader(settings, web, secret, timeout_s)
        return cast(FlagReader, built)

    def writer(
        self, settings: Settings, web: Web, secret: Secrets, timeout_s: float = 5.0
    ) -> FlagWriter | None:
        """None when the plan names no secret to write with. Raises as `reader` does."""
        built = _module(self.module).build_writer(settings, web, secret, timeout_s)
        return cast("FlagWriter | None", built)


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """Any other adapter: `module` has build. own: module and name of its settings."""

    own: str
    module: str

    @property
    def settings(self) -> type[Settings]:
        return _settings(self.own)

    def build(self, settings: Settings, web: Web, secret: Secrets, timeout_s: float = 5.0) -> T:
        """Raises what `secret` raises, and RefusedByService for settings that cannot be used."""
        return cast(T, _module(self.module).build(settings, web, secret, timeout_s))


def _module(name: str) -> Any:
    return import_module(f"cockpit.adapters.{name}")


def _settings(place: str) -> type[Settings]:
    module, _, name = place.partition(":")
    return cast("type[Settings]", getattr(_module(module), name))


class SettingsByKind(Mapping[str, type[Settings]]):
    """The settings classes of one part of the table, each imported when it is asked for."""

    def __init__(self, rows: Mapping[str, FlagService] | Mapping[str, Kind[Any]]) -> None:
        self._rows = rows

    def __getitem__(self, kind: str) -> type[Settings]:
        return self._rows[kind].settings

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


FLAG_SERVICES: Final[Mapping[str, FlagService]] = {
    "unleash": FlagService("flags.unleash_settings:UnleashSettings", "flags.unleash"),
    "http_json": FlagService("flags.http_json_settings:HttpJsonSettings", "flags.http_json"),
    "file": FlagService("flags.file_settings:FlagFileSettings", "flags.file"),
    "haproxy": FlagService("flags.haproxy_settings:HaproxySettings", "flags.haproxy"),
    "command": FlagService("flags.command:CommandFlagSettings", "flags.command"),
    "convex_table": FlagService("flags.convex_settings:ConvexTableSettings", "flags.convex_table"),
    "launchdarkly": FlagService("flags.launchdarkly_access:LaunchDarklySettings", "flags.launchdarkly"),
    "posthog": FlagService("flags.posthog_access:PostHogSettings", "flags.posthog"),
    "vercel_env": FlagService("flags.vercel_project:VercelEnvSettings", "flags.vercel_env"),
    "vercel_edge": FlagService("flags.vercel_edge:VercelEdgeSettings", "flags.vercel_edge"),
    "nginx": FlagService("flags.nginx_settings:NginxSettings", "flags.nginx"),
}

PROBES: Final[Mapping[str, Kind[Probe]]] = {
    "http": Kind("probes.settings:HttpProbeSettings", "probes.http"),
    "convex": Kind("probes.settings:ConvexProbeSettings", "probes.convex"),
    "convex_metrics": Kind("probes.convex_settings:ConvexMetricsSettings", "probes.convex_metrics"),
    "convex_jobs": Kind("probes.convex_settings:ConvexJobsSettings", "probes.convex_jobs"),
    "convex_logs": Kind("probes.convex_settings:ConvexLogsSettings", "probes.convex_logs"),
    "tcp": Kind("probes.tcp:TcpProbeSettings", "probes.tcp"),
    "tls": Kind("probes.tls:TlsProbeSettings", "probes.tls"),
    "dns": Kind("probes.dns:DnsProbeSettings", "probes.dns"),
    "process": Kind("probes.process:ProcessProbeSettings", "probes.process"),
    "postgres": Kind("probes.postgres_settings:PostgresProbeSettings", "probes.postgres"),
    "redis": Kind("probes.redis:RedisProbeSettings", "probes.redis"),
    "websocket": Kind("probes.websocket:WebSocketProbeSettings", "probes.websocket"),
    "supabase": Kind("probes.supabase_settings:SupabaseProbeSettings", "probes.supabase"),
    "plugin": Kind("probes.plugin:PluginSettings", "probes.plugin"),
    "prometheus_alerts": Kind(
        "probes.prometheus_alerts:PrometheusAlertsSettings", "probes.prometheus_alerts"
    ),
    "alertmanager": Kind("probes.alertmanager:AlertmanagerSettings", "probes.alertmanager"),
    "sentry": Kind("probes.sentry:SentrySettings", "probes.sentry"),
}

MONITORS: Final[Mapping[str, Kind[Monitor]]] = {
    "prometheus": Kind("signals.settings:PrometheusSettings", "signals.prometheus"),
    "prom_text": Kind("signals.prom_text:PromTextSettings", "signals.prom_text"),
    "http_json": Kind("signals.http_json:JsonPageSettings", "signals.http_json"),
    "postgres": Kind("probes.postgres_settings:PostgresSettings", "signals.postgres"),
    "convex": Kind("probes.convex_settings:ConvexMonitorSettings", "signals.convex"),
    "ofrep": Kind("signals.ofrep:OfrepSettings", "signals.ofrep"),
}

ANNOUNCERS: Final[Mapping[str, Kind[Announcer]]] = {
    "webhook": Kind("announce.settings:WebhookSettings", "announce.webhook"),
    "command": Kind("announce.settings:CommandSettings", "announce.command"),
    "file": Kind("announce.settings:FileSettings", "announce.file"),
    "slack": Kind("announce.settings:SlackSettings", "announce.slack"),
    "pagerduty": Kind("announce.settings:PagerDutySettings", "announce.pagerduty"),
    "grafana": Kind("announce.settings:GrafanaSettings", "announce.grafana"),
    "alertmanager_silence": Kind("announce.settings:SilenceSettings", "announce.silence"),
}

STORES: Final[Mapping[str, Kind[Store]]] = {
    "convex": Kind("parity.settings:ConvexStoreSettings", "parity.convex"),
    "postgres": Kind("probes.postgres_settings:PostgresSettings", "parity.postgres"),
}
