"""One source, polled for ever: interval and jitter, one request in flight, deadline, back-off.

A tick is the owner's: it asks, stores what it learned and says what went wrong. The poller decides only
when the next one is. A source that says "not before" (Retry-After) is obeyed even when poked, but for a
minute at most: nobody may blind a cockpit with one header.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from cockpit.core.model import Failure, Fault

Tick = Callable[[], Awaitable[Failure | None]]

BACKOFF_LIMIT = 4.0
JITTER = 0.1
POKE_SPACING_S = 0.5
RETRY_AFTER_LIMIT_S = 60.0


class Poller:
    """`tick` gets `timeout_s` in all; a tick that overruns is cancelled and reported to `failed`."""

    def __init__(
        self,
        *,
        name: str,
        interval_s: float,
        timeout_s: float,
        tick: Tick,
        failed: Callable[[Failure], None],
        rng: random.Random,
    ) -> None:
        self.name = name
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._tick = tick
        self._failed = failed
        self._rng = rng
        self._poked = asyncio.Event()
        self._failures = 0
        self._not_before = 0.0
        self._began_at = 0.0

    def poke(self) -> None:
        """Poll as soon as the request in flight, a poke just before and the source itself allow."""
        self._poked.set()

    async def run(self) -> None:
        """Until cancelled. The first tick comes at once, spread by jitter over a tenth of the interval."""
        loop = asyncio.get_running_loop()
        await self._wait(self._rng.uniform(0, JITTER * self._interval_s))
        while True:
            self._began_at = loop.time()
            failure = await self._ask()
            self._failures = self._failures + 1 if failure is not None else 0
            if failure is not None and failure.retry_after_s is not None:
                self._not_before = loop.time() + min(failure.retry_after_s, RETRY_AFTER_LIMIT_S)
            await self._wait(self._delay_s(loop.time()))
            spacing_s = min(POKE_SPACING_S, self._interval_s)
            floor_s = max(self._not_before, self._began_at + spacing_s) - loop.time()
            if floor_s > 0:
                await asyncio.sleep(floor_s)

    async def _ask(self) -> Failure | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._tick()
        except TimeoutError:
            failure = Failure(title=f"no answer in {self._timeout_s:g} s", fault=Fault.NETWORK)
        except Exception as error:  # the poll edge: one broken source must not stop the others
            title = f"the cockpit's own fault while polling: {type(error).__name__}"
            failure = Failure(title=title, fault=Fault.COCKPIT)
        self._failed(failure)
        return failure

    def _delay_s(self, now_s: float) -> float:
        stretch = min(2.0 ** max(0, self._failures - 1), BACKOFF_LIMIT)
        due = self._began_at + self._interval_s * stretch * self._rng.uniform(1 - JITTER, 1 + JITTER)
        return max(0.0, max(due, self._not_before) - now_s)

    async def _wait(self, delay_s: float) -> None:
        try:
            async with asyncio.timeout(delay_s):
                await self._poked.wait()
        except TimeoutError:
            return
        finally:
            self._poked.clear()
