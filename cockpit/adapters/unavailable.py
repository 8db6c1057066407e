"""A probe, monitoring source or hook that could not be built: it answers every question with the reason.

A missing token of a dashboard must not keep anybody from rolling back. What it would have shown is
unknown, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cockpit.adapters.base import AdapterError, Announcement, Preflight
from cockpit.core.model import Failure, ProbeValue, Sample


class Unavailable:
    """Stands in for a Probe, a Monitor or an Announcer."""

    def __init__(self, failure: Failure) -> None:
        self._failure = failure

    async def probe(self) -> ProbeValue:
        raise AdapterError(self._failure, sent=False)

    async def query(self, expressions: Sequence[str]) -> Mapping[str, Sample | AdapterError]:
        raise AdapterError(self._failure, sent=False)

    async def announce(self, announcement: Announcement) -> str:
        raise AdapterError(self._failure, sent=False)

    async def preflight(self, expressions: Sequence[str]) -> Sequence[Preflight]:
        raise AdapterError(self._failure, sent=False)

    async def aclose(self) -> None:
        """Nothing is open."""
