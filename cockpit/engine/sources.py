"""Every adapter of one flight, by the names the plan gives them. Built by `cli`, closed by the engine.

A read-only cockpit has no `writers`: not switched off, absent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from typing import Final, Protocol

from cockpit.adapters.base import (
    Announcer,
    FlagReader,
    FlagWriter,
    Monitor,
    Preflight,
    Probe,
    Store,
)
from cockpit.core.clean import Percent
from cockpit.core.dataclass import dataclass
from cockpit.core.model import FlagValue, Side, WriteOutcome, WriteResult
from cockpit.core.spec import Plan


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


async def release(retired: Sequence[Sources], *, limit_s: float) -> None:
    """Close them all, whatever breaks; one that hangs keeps nobody for longer than `limit_s`."""
    for sources in retired:
        with suppress(Exception):  # the process ends: nobody is left to be told
            async with asyncio.timeout(limit_s):
                await sources.aclose()


def unbuilt(plan: Plan) -> Sources:
    """What stands in the adapters' place while they are not built yet: nothing asks or writes through it.

    Every flag service has a writer in it, because the first picture must not call a flag one that cannot be
    written; whether it can is known when the adapters are built, before anything is done.
    """
    writers = {service.name: _Unbuilt() for service in plan.flag_services}
    return Sources(readers={}, monitors={}, probes={}, writers=writers)


_NOT_SENT: Final = WriteResult(
    outcome=WriteOutcome.REFUSED, detail="the adapters are not built yet: nothing was sent", unsent=True
)


class _Unbuilt:
    """A writer that sends nothing and says so."""

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        return _NOT_SENT

    async def kill(self, key: str) -> WriteResult:
        return _NOT_SENT

    async def zero(self, key: str) -> WriteResult:
        return _NOT_SENT

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        return ()

    async def aclose(self) -> None:
        """Nothing is open."""
