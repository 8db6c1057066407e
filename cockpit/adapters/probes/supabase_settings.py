"""What a plan may say about a Supabase project."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Final, Literal

from cockpit.adapters.base import Seconds, Settings
from cockpit.adapters.fields import BaseUrl, Reference
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import After, Bound

_COLUMN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,100}\Z")
_TABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")


def _column(name: str) -> str:
    if not _COLUMN.match(name):
        raise ValueError('a column is named like "is_deleted" or "author.name"')
    return name


def _table(name: str) -> str:
    if not _TABLE.match(name):
        raise ValueError('a table or schema is named like "messages"')
    return name


ColumnName = Annotated[str, After(_column)]
TableName = Annotated[str, After(_table)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCount(Settings):
    """How one table or view is counted."""

    kind: Literal["exact", "planned", "estimated"] = "exact"
    """"exact" reads the whole table; the others are never for comparing."""
    filter: Mapping[ColumnName, str] = field(default_factory=dict)
    """PostgREST conditions, such as { is_deleted = "eq.false" }."""
    never_empty: bool = False
    """0 rows are then not believed: row security hides rows without an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupabaseProbeSettings(Settings):
    """A Supabase project. Prefer a key that row security confines: a secret key can write everything."""

    url: BaseUrl
    """The project's address, such as "https://abcdefgh.supabase.co"."""
    key: Reference
    """Sent as apikey: a publishable or secret key, or a legacy anon or service_role key."""
    token: Reference | None = None
    """Sent as Authorization: Bearer; it decides whose rows are seen. A legacy key is sent there by itself."""
    profile: TableName | None = None
    """The database schema to read, when it is not the project's first one."""
    counts: Mapping[TableName, TableCount] = field(default_factory=dict)
    """Tables whose rows are counted: { messages = { filter = { is_deleted = "eq.false" } } }."""
    count_every: Annotated[Seconds, Bound(gt=0)] = 300.0
    """Time between two counts; the polls between show the last one with its age."""
    latency_limit: Annotated[Seconds, Bound(gt=0)] | None = None
    """An answer of the auth service slower than this is degraded."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""
