"""Places for simultaneous requests.

Some services have few places for everybody, users included. Everything that the cockpit does there (a
lever, probes, monitoring) then takes turns in the same few places, which several clients share; one of them
is kept free of reads, so that a write never waits for a read that hangs.

Others take whatever comes. There only what nobody has answered yet is kept small: each request may need a
new connection, and a server that is slow to take them in has a queue for so many and drops the next one,
which is then tried again after a second.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Final

Places = AbstractAsyncContextManager[None, None]

FORGOTTEN_S: Final = 10.0


class SharedPlaces:
    """`total` places, at least two; reads hold all but one of them at most."""

    def __init__(self, total: int) -> None:
        self.writes = asyncio.Semaphore(total)
        self.reads = _Both(asyncio.Semaphore(total - 1), self.writes)


class OpeningPlaces:
    """`first` places, and with every answer one more, up to `most`; one less again for a request that got
    none. Who has asked nothing for `FORGOTTEN_S` begins anew: its connections are gone.
    """

    def __init__(self, first: int, most: int) -> None:
        self._first = first
        self._most = most
        self._taken = 0
        self._left_at = float("-inf")
        self._begin()

    def _begin(self) -> None:
        self._open = self._first
        self._free = asyncio.Semaphore(self._first)

    async def __aenter__(self) -> None:
        if not self._taken and asyncio.get_running_loop().time() - self._left_at > FORGOTTEN_S:
            self._begin()
        self._taken += 1
        try:
            await self._free.acquire()
        except BaseException:  # a cancellation above all: who waited holds nothing
            self._taken -= 1
            raise

    async def __aexit__(self, error: type[BaseException] | None, *ending: object) -> None:
        self._taken -= 1
        self._left_at = asyncio.get_running_loop().time()
        if error is not None and self._open > self._first:
            self._open -= 1
            return
        self._free.release()
        if error is None and self._open < self._most:
            self._open += 1
            self._free.release()


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
