"""What a plan may say about a PostgreSQL database. Light: plans are checked without the library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cockpit.adapters.base import Seconds, Settings
from cockpit.adapters.fields import Reference, needs_extra

_TABLE: Final = re.compile(r"[^\W\d][\w$]{0,62}(\.[^\W\d][\w$]{0,62})?\Z")


def _table(name: str) -> str:
    if not _TABLE.match(name):
        raise ValueError('a table is named like "messages" or "public.messages"')
    return name


TableName = Annotated[str, AfterValidator(_table)]


class PostgresSettings(Settings):
    """A PostgreSQL database. Needs the extra: pip install 'cutover-cockpit[postgres]'."""

    dsn: Reference
    """The connection string, such as "postgresql://cockpit@db.example.com/chat"; reading is all it needs."""

    @model_validator(mode="after")
    def _library(self) -> Self:
        needs_extra("psycopg", "postgres")
        return self


class PostgresProbeSettings(PostgresSettings):
    """The health of a PostgreSQL database. Needs the extra: pip install 'cutover-cockpit[postgres]'.

    Membership in pg_monitor shows more; without it the probe works, and says what it cannot see.
    """

    role: Literal["primary", "replica"] | None = None
    """What it must be; another role is down."""
    lag_limit: Annotated[Seconds, Field(gt=0)] | None = None
    """A replica further behind than this is degraded."""
    latency_limit: Annotated[Seconds, Field(gt=0)] | None = None
    """An answer slower than this is degraded."""
    counts: Mapping[TableName, Literal["exact", "estimate"]] = Field(default_factory=dict)
    """Rows per table: "exact" reads the whole table, "estimate" costs nothing and is never for comparing."""
    count_every: Annotated[Seconds, Field(gt=0)] = 300.0
    """Time between two counts; the polls between show the last one with its age."""
