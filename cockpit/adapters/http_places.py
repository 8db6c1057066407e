"""Places for simultaneous requests that several clients of one host share.

Some services have few places for everybody, users included. Everything that the cockpit does there (a
lever, probes, monitoring) then takes turns in the same few places; one of them is kept free of reads,
so that a write never waits for a read that hangs.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

Places = AbstractAsyncContextManager[None, None]


class SharedPlaces:
    """`total` places, at least two; reads hold all but one of them at most."""

    def __init__(self, total: int) -> None:
        self.writes = asyncio.Semaphore(total)
        self.reads = _Both(asyncio.Semaphore(total - 1), self.writes)


class _Both:
    """One place of each; given up in the middle of waiting, none is kept."""

    def __init__(self, first: asyncio.Semaphore, second: asyncio.Semaphore) -> None:
        self._first = first
        self._second = second

    async def __aenter__(self) -> None:
        await self._first.acquire()
        try:
            await self._second.acquire()
        except BaseException:  # a cancellation above all: the place must not be lost
            self._first.release()
            raise

    async def __aexit__(self, *ending: object) -> None:
        self._second.release()
        self._first.release()
