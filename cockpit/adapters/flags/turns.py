"""Who may write a flag now: a kill waits for nobody, and no forward move outlives it.

Every service here takes a write in several steps (look, write, look again), so a kill may come in
between. It acts at once, and once more when the forward move that was on its way has ended.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from cockpit.adapters.flags.outcome import refused
from cockpit.core.agreement import setting_words
from cockpit.core.model import FlagValue


class Turns:
    """One per writer."""

    def __init__(self) -> None:
        self._forward: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._kills: Counter[str] = Counter()

    @asynccontextmanager
    async def forward(self, key: str) -> AsyncIterator[Turn]:
        """The only forward move of this flag, until the block ends."""
        turn = Turn(self._kills, key)
        async with self._forward[key]:
            yield turn

    async def kill(self, key: str, act: Callable[[], Awaitable[str]]) -> str:
        """What `act` returns; after a forward move that it could not stop, what it returns then."""
        self._kills[key] += 1
        detail = await act()
        if self._forward[key].locked():
            async with self._forward[key]:
                detail = await act()
        return detail


class Turn:
    def __init__(self, kills: Counter[str], key: str) -> None:
        self.key = key
        self._kills = kills
        self._before = kills[key]

    def check(self) -> None:
        """Called right before every write. Raises Stop (refused) once a kill came in between."""
        if self._kills[self.key] != self._before:
            raise refused("a rollback of the same flag came in between")


def must_be_as_expected(now: FlagValue, expected: FlagValue) -> None:
    """Raises Stop (refused) when the flag is not plain or not what the operator saw."""
    if now.complexities or now.percent is None:
        why = "; ".join(now.complexities) or "it is none"
        raise refused(f"not a plain percentage: {why}")
    same_revision = expected.revision is None or now.revision == expected.revision
    if not (same_revision and now.same_setting(expected)):
        raise refused(f"somebody else changed it: it reads {setting_words(now)}")
