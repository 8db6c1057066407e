"""What a plan may say about a PostgreSQL database. Light: plans are checked without the library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Final, Literal

from cockpit.adapters.base import Seconds, Settings
from cockpit.adapters.fields import Reference, needs_extra
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import After, Bound

_TABLE: Final = re.compile(r"[^\W\d][\w$]{0,62}(\.[^\W\d][\w$]{0,62})?\Z")


def _table(name: str) -> str:
    if not _TABLE.match(name):
        raise ValueError('a table is named like "messages" or "public.messages"')
    return name


TableName = Annotated[str, After(_table)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresSettings(Settings):
    """A PostgreSQL database. Needs the extra: pip install 'cutover-cockpit[postgres]'."""

    dsn: Reference
    """The connection string, such as "postgresql://cockpit@db.example.com/chat"; reading is all it needs."""

    def __post_init__(self) -> None:
        needs_extra("psycopg", "postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresProbeSettings(PostgresSettings):
    """The health of a PostgreSQL database. Needs the extra: pip install 'cutover-cockpit[postgres]'.

    Membership in pg_monitor shows more; without it the probe works, and says what it cannot see.
    """

    role: Literal["primary", "replica"] | None = None
    """What it must be; another role is down."""
    lag_limit: Annotated[Seconds, Bound(gt=0)] | None = None
    """A replica further behind than this is degraded."""
    latency_limit: Annotated[Seconds, Bound(gt=0)] | None = None
    """An answer slower than this is degraded."""
    counts: Mapping[TableName, Literal["exact", "estimate"]] = field(default_factory=dict)
    """Rows per table: "exact" reads the whole table, "estimate" costs nothing and is never for comparing."""
    count_every: Annotated[Seconds, Bound(gt=0)] = 300.0
    """Time between two counts; the polls between show the last one with its age."""
