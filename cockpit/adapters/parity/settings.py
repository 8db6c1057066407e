"""What a plan may say about a store. Light on purpose: the plan is checked without a network library."""

from __future__ import annotations

from cockpit.adapters.base import Settings
from cockpit.adapters.convex_names import InstanceName
from cockpit.adapters.fields import BaseUrl, Reference


class ConvexStoreSettings(Settings):
    """Data of one Convex deployment, read through its own query functions.

    Expressions are `path/to/file:function` and, after a space, its arguments as one JSON object.
    """

    url: BaseUrl
    """The deployment's address, such as "https://happy-otter-123.convex.cloud"."""
    instance: InstanceName
    """The deployment name that must answer: rows of another one would prove nothing."""
    key: Reference | None = None
    """A deploy key that may run internal queries and view data; without it only public queries run."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""


class PostgresStoreSettings(Settings):
    """Data of one PostgreSQL database, read in read-only transactions.

    Expressions are SQL. `sample` may use %(size)s, `rows` uses %(keys)s, a list of text.
    """

    dsn: Reference
    """Where it is and who we are, such as "postgresql://cockpit@db.example.com/chat"."""
