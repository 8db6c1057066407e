"""Every adapter by the name that a plan gives its kind. A new one is one file and one line here.

Importing this table loads the settings classes only; the adapter itself, and with it the network
library, is imported when the first one is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from cockpit.adapters.announce.settings import (
    CommandSettings,
    FileSettings,
    GrafanaSettings,
    PagerDutySettings,
    SilenceSettings,
    SlackSettings,
    WebhookSettings,
)
from cockpit.adapters.base import Announcer, FlagReader, FlagWriter, Monitor, Probe, Settings, Store
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.flags.command import CommandFlagSettings
from cockpit.adapters.flags.convex_settings import ConvexTableSettings
from cockpit.adapters.flags.file_settings import FlagFileSettings
from cockpit.adapters.flags.haproxy import HaproxySettings
from cockpit.adapters.flags.http_json_settings import HttpJsonSettings
from cockpit.adapters.flags.launchdarkly_access import LaunchDarklySettings
from cockpit.adapters.flags.nginx_settings import NginxSettings
from cockpit.adapters.flags.posthog_access import PostHogSettings
from cockpit.adapters.flags.unleash import UnleashSettings
from cockpit.adapters.flags.vercel_edge import VercelEdgeSettings
from cockpit.adapters.flags.vercel_env import VercelEnvSettings
from cockpit.adapters.parity.settings import ConvexStoreSettings
from cockpit.adapters.probes.alertmanager import AlertmanagerSettings
from cockpit.adapters.probes.convex_settings import (
    ConvexJobsSettings,
    ConvexLogsSettings,
    ConvexMetricsSettings,
    ConvexMonitorSettings,
)
from cockpit.adapters.probes.dns import DnsProbeSettings
from cockpit.adapters.probes.plugin import PluginSettings
from cockpit.adapters.probes.postgres_settings import PostgresProbeSettings, PostgresSettings
from cockpit.adapters.probes.process import ProcessProbeSettings
from cockpit.adapters.probes.prometheus_alerts import PrometheusAlertsSettings
from cockpit.adapters.probes.redis import RedisProbeSettings
from cockpit.adapters.probes.sentry import SentrySettings
from cockpit.adapters.probes.settings import ConvexProbeSettings, HttpProbeSettings
from cockpit.adapters.probes.supabase_settings import SupabaseProbeSettings
from cockpit.adapters.probes.tcp import TcpProbeSettings
from cockpit.adapters.probes.tls import TlsProbeSettings
from cockpit.adapters.probes.websocket import WebSocketProbeSettings
from cockpit.adapters.signals.http_json import JsonPageSettings
from cockpit.adapters.signals.ofrep import OfrepSettings
from cockpit.adapters.signals.prom_text import PromTextSettings
from cockpit.adapters.signals.settings import PrometheusSettings

if TYPE_CHECKING:
    from cockpit.adapters.http import Web

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FlagService:
    """A flag service: `module` has build_reader and build_writer."""

    settings: type[Settings]
    module: str

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
    """Any other adapter: `module` has build."""

    settings: type[Settings]
    module: str

    def build(self, settings: Settings, web: Web, secret: Secrets, timeout_s: float = 5.0) -> T:
        """Raises what `secret` raises, and RefusedByService for settings that cannot be used."""
        return cast(T, _module(self.module).build(settings, web, secret, timeout_s))


def _module(name: str) -> Any:
    return import_module(f"cockpit.adapters.{name}")


FLAG_SERVICES: Final[Mapping[str, FlagService]] = {
    "unleash": FlagService(UnleashSettings, "flags.unleash"),
    "http_json": FlagService(HttpJsonSettings, "flags.http_json"),
    "file": FlagService(FlagFileSettings, "flags.file"),
    "haproxy": FlagService(HaproxySettings, "flags.haproxy"),
    "command": FlagService(CommandFlagSettings, "flags.command"),
    "convex_table": FlagService(ConvexTableSettings, "flags.convex_table"),
    "launchdarkly": FlagService(LaunchDarklySettings, "flags.launchdarkly"),
    "posthog": FlagService(PostHogSettings, "flags.posthog"),
    "vercel_env": FlagService(VercelEnvSettings, "flags.vercel_env"),
    "vercel_edge": FlagService(VercelEdgeSettings, "flags.vercel_edge"),
    "nginx": FlagService(NginxSettings, "flags.nginx"),
}

PROBES: Final[Mapping[str, Kind[Probe]]] = {
    "http": Kind(HttpProbeSettings, "probes.http"),
    "convex": Kind(ConvexProbeSettings, "probes.convex"),
    "convex_metrics": Kind(ConvexMetricsSettings, "probes.convex_metrics"),
    "convex_jobs": Kind(ConvexJobsSettings, "probes.convex_jobs"),
    "convex_logs": Kind(ConvexLogsSettings, "probes.convex_logs"),
    "tcp": Kind(TcpProbeSettings, "probes.tcp"),
    "tls": Kind(TlsProbeSettings, "probes.tls"),
    "dns": Kind(DnsProbeSettings, "probes.dns"),
    "process": Kind(ProcessProbeSettings, "probes.process"),
    "postgres": Kind(PostgresProbeSettings, "probes.postgres"),
    "redis": Kind(RedisProbeSettings, "probes.redis"),
    "websocket": Kind(WebSocketProbeSettings, "probes.websocket"),
    "supabase": Kind(SupabaseProbeSettings, "probes.supabase"),
    "plugin": Kind(PluginSettings, "probes.plugin"),
    "prometheus_alerts": Kind(PrometheusAlertsSettings, "probes.prometheus_alerts"),
    "alertmanager": Kind(AlertmanagerSettings, "probes.alertmanager"),
    "sentry": Kind(SentrySettings, "probes.sentry"),
}

MONITORS: Final[Mapping[str, Kind[Monitor]]] = {
    "prometheus": Kind(PrometheusSettings, "signals.prometheus"),
    "prom_text": Kind(PromTextSettings, "signals.prom_text"),
    "http_json": Kind(JsonPageSettings, "signals.http_json"),
    "postgres": Kind(PostgresSettings, "signals.postgres"),
    "convex": Kind(ConvexMonitorSettings, "signals.convex"),
    "ofrep": Kind(OfrepSettings, "signals.ofrep"),
}

ANNOUNCERS: Final[Mapping[str, Kind[Announcer]]] = {
    "webhook": Kind(WebhookSettings, "announce.webhook"),
    "command": Kind(CommandSettings, "announce.command"),
    "file": Kind(FileSettings, "announce.file"),
    "slack": Kind(SlackSettings, "announce.slack"),
    "pagerduty": Kind(PagerDutySettings, "announce.pagerduty"),
    "grafana": Kind(GrafanaSettings, "announce.grafana"),
    "alertmanager_silence": Kind(SilenceSettings, "announce.silence"),
}

STORES: Final[Mapping[str, Kind[Store]]] = {
    "convex": Kind(ConvexStoreSettings, "parity.convex"),
    "postgres": Kind(PostgresSettings, "parity.postgres"),
}
