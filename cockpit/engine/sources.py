"""Every adapter of one flight, by the names the plan gives them. Built by `cli`, closed by the engine.

A read-only cockpit has no `writers`: not switched off, absent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Protocol

from cockpit.adapters.base import Announcer, FlagReader, FlagWriter, Monitor, Probe, Store
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Side


class _Closable(Protocol):
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """close: what else to release at the end (the shared HTTP client)."""

    readers: Mapping[str, FlagReader]
    monitors: Mapping[str, Monitor]
    probes: Mapping[tuple[Side, str], Probe]
    writers: Mapping[str, FlagWriter] = field(default_factory=dict)
    announcers: Mapping[str, Announcer] = field(default_factory=dict)
    stores: Mapping[str, Store] = field(default_factory=dict)
    close: Callable[[], Awaitable[None]] | None = None

    async def aclose(self) -> None:
        adapters: tuple[_Closable, ...] = (
            *self.readers.values(),
            *self.writers.values(),
            *self.monitors.values(),
            *self.probes.values(),
            *self.announcers.values(),
            *self.stores.values(),
        )
        await asyncio.gather(*(adapter.aclose() for adapter in adapters), return_exceptions=True)
        if self.close is not None:
            await self.close()
