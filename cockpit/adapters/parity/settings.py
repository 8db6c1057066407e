"""What a plan may say about a store. Light on purpose: the plan is checked without a network library."""

from __future__ import annotations

from cockpit.adapters.base import Settings
from cockpit.adapters.convex_names import InstanceName
from cockpit.adapters.fields import BaseUrl, Reference
from cockpit.core.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvexStoreSettings(Settings):
    """Data of one Convex deployment, read through its own query functions.

    Expressions are `path/to/file:function` and, after a space, its arguments as one JSON object.
    """

    url: BaseUrl
    """The deployment's address, such as "https://happy-otter-123.convex.cloud"."""
    instance: InstanceName
    """The deployment name that must answer: rows of another one would prove nothing."""
    key: Reference
    """A deploy key that may run internal queries; nothing more is needed."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""
