"""What a plan may say about flags in a Convex table. Light on purpose: needs no network library."""

from __future__ import annotations

from typing import Annotated, ClassVar

from cockpit.adapters.base import Settings
from cockpit.adapters.convex_names import FunctionPath, InstanceName
from cockpit.adapters.fields import BaseUrl, Reference
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import Size


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvexTableSettings(Settings):
    """Flags in a table of one Convex deployment, read and written by functions of its own.

    sample_configs/convex holds such functions. They live inside the new backend: give every flag here a
    second lever that lives elsewhere.
    """

    in_new: ClassVar[bool] = True
    url: BaseUrl
    """The deployment's address, such as "https://happy-otter-123.convex.cloud"."""
    instance: InstanceName
    """The deployment name that must answer; from another one nothing is read and nothing is written there."""
    token: Reference
    """A deploy key that may run internal queries."""
    write_token: Reference | None = None
    """A deploy key that may run internal queries and internal mutations."""
    list_query: FunctionPath = "cutoverFlags:list"
    """Takes { keys }, answers rows of { key, enabled, percent, version, updatedBy, updatedAt }."""
    set_mutation: FunctionPath = "cutoverFlags:set"
    """Takes { key, percent, enabled, expectedVersion, updatedBy }; else throws VERSION_CONFLICT."""
    kill_mutation: FunctionPath = "cutoverFlags:kill"
    """Takes { key, updatedBy }; switches off and raises the version, whatever it was."""
    updated_by: Annotated[str, Size(1, 80)] = "cutover-cockpit"
    """The name that writes leave in the table."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""
