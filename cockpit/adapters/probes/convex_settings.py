"""What a plan may say about the inside of a Convex deployment. Light: needs no network library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from cockpit.adapters.base import Seconds, Settings
from cockpit.adapters.convex_names import FunctionPath, InstanceName
from cockpit.adapters.fields import BaseUrl, Reference
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import Bound, Size

Window = Annotated[Seconds, Bound(ge=60, le=3600)]
MigrationName = Annotated[str, Size(1, 200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inside(Settings):
    """What every view into a deployment needs."""

    url: BaseUrl
    """The deployment's address, such as "https://happy-otter-123.convex.cloud"."""
    instance: InstanceName
    """The deployment name that must answer: numbers of another one would prove nothing."""
    key: Reference
    """A deploy key that may only look: view data, view metrics, view logs, run internal queries."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvexMetricsSettings(_Inside):
    """What a deployment remembers of its functions' last hour, in memory; nothing after a restart.

    None of these functions called, or nothing remembered, is UNKNOWN: set required = false while nobody
    is on the new side.
    """

    functions: Annotated[tuple[FunctionPath, ...], Size(1, 8)]
    """Functions that are looked at, such as "chats:list"."""
    window: Window = 300.0
    """The time that is looked back; the deployment counts in whole minutes."""
    failure_limit_pct: Annotated[float, Bound(gt=0, le=100)] | None = None
    """A function that fails more often is degraded. Errors that it throws on purpose count, too."""
    latency_limit: Annotated[Seconds, Bound(gt=0)] | None = None
    """A function whose 95th percentile is above this is degraded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvexJobsSettings(_Inside):
    """Crons, scheduled functions and migrations of a deployment."""

    overdue_limit: Annotated[Seconds, Bound(gt=0)] = 120.0
    """A cron or scheduled function that should have run so long ago is overdue: degraded."""
    migrations: Annotated[tuple[MigrationName, ...], Size(0, 20)] = ()
    """Migrations of the migrations component, such as "migrations:importChats"; failed ones are degraded."""
    component: str = "migrations"
    """The component that runs the migrations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvexLogsSettings(_Inside):
    """Failed function runs as the deployment logs them. Read by one request that waits for news.

    No run within the window is UNKNOWN, as it is for `convex_metrics`: set required = false while nobody is
    on the new side.
    """

    window: Window = 300.0
    """The time that is counted."""
    failure_limit_pct: Annotated[float, Bound(gt=0, le=100)] = 5.0
    """A larger share of the runs that failed is degraded. Errors that are thrown on purpose count, too."""
    error_limit: Annotated[int, Bound(ge=1)] | None = None
    """So many failed runs within the window are degraded, too, whatever their share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvexMonitorSettings(_Inside):
    """Counts of documents, all at one moment. Expressions: table_size:TABLE and count:FUNCTION {arguments}.

    Rates and percentages of functions are no counters: the probe convex_metrics shows them.
    """

    counts: Mapping[str, FunctionPath] = field(default_factory=dict)
    """Per table a query that answers its size, for where the deployment does not tell it by itself."""
