"""A probe, monitoring source, hook or store that could not be built. It answers with the reason.

A missing token of a dashboard must not keep anybody from rolling back. What it would have shown is
unknown, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from cockpit.adapters.base import AdapterError, Announcement, Preflight
from cockpit.core.model import Failure, FlagValue, ProbeValue, Sample
from cockpit.core.parity import Count
from cockpit.core.parity_rows import Row


class Unavailable:
    """Stands in for a Probe, a Monitor, an Announcer, a Store, or the reader of a second lever."""

    def __init__(self, failure: Failure) -> None:
        self._failure = failure

    @property
    def reason(self) -> str:
        """Why it could not be built, in clean words."""
        return f"{self._failure.title} {self._failure.detail}".strip()

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        raise AdapterError(self._failure, sent=False)

    async def probe(self) -> ProbeValue:
        raise AdapterError(self._failure, sent=False)

    async def query(self, expressions: Sequence[str]) -> Mapping[str, Sample | AdapterError]:
        raise AdapterError(self._failure, sent=False)

    async def announce(self, announcement: Announcement) -> str:
        raise AdapterError(self._failure, sent=False)

    async def preflight(self, expressions: Sequence[str]) -> Sequence[Preflight]:
        raise AdapterError(self._failure, sent=False)

    async def count(self, expression: str) -> Count:
        raise AdapterError(self._failure, sent=False)

    async def newest(self, expression: str) -> datetime | None:
        raise AdapterError(self._failure, sent=False)

    async def sample(self, expression: str, size: int) -> Sequence[str]:
        raise AdapterError(self._failure, sent=False)

    async def rows(self, expression: str, keys: Sequence[str], *, key: str) -> Mapping[str, Row]:
        raise AdapterError(self._failure, sent=False)

    async def aclose(self) -> None:
        """Nothing is open."""
