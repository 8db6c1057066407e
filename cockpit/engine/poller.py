"""One source, polled for ever: its own moments, one request in flight, deadline, back-off.

A tick is the owner's: it asks, stores what it learned and says what went wrong. The poller decides only
when the next one is. Its moments are those of a grid, one per interval, that begins where `phase` says, so
that the sources of a plan do not fall together, not even after all were poked at once. The next one is
skipped where the source fails, or would have next to no rest: an answer that takes longer than the
interval stretches it. A source that says "not before" (Retry-After) is obeyed even when
poked, but for a minute at most: nobody may blind a cockpit with one header.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable

from cockpit.core.model import Failure, Fault

Tick = Callable[[], Awaitable[Failure | None]]

BACKOFF_LIMIT = 4.0
JITTER = 0.1
POKE_SPACING_S = 0.5
RETRY_AFTER_LIMIT_S = 60.0
SPACING = 0.5
"""Of an interval, between the beginnings of two ticks; a poke may come sooner."""
REST = 0.1
"""Of an interval, between the end of a tick and the next one. Small, so that a source that needs most of its
interval to answer is still heard in each of them, and its values do not grow stale between."""


class Poller:
    """`tick` gets `timeout_s` in all; a tick that overruns is cancelled and reported to `failed`.

    phase: where in the interval this source has its moments, from 0 to 1. first_s: when the first tick comes.
    late_s: how long after its moment the last tick began, which is how late the loop woke this poller.
    """

    def __init__(
        self,
        *,
        name: str,
        interval_s: float,
        timeout_s: float,
        tick: Tick,
        failed: Callable[[Failure], None],
        rng: random.Random,
        phase: float = 0.0,
        first_s: float = 0.0,
    ) -> None:
        self.name = name
        self.late_s = 0.0
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._tick = tick
        self._failed = failed
        self._rng = rng
        self._phase = phase
        self._first_s = first_s
        self._poked = False
        self._waits: asyncio.Future[bool] | None = None
        self._failures = 0
        self._not_before = 0.0
        self._began_at = 0.0

    def poke(self) -> None:
        """Poll as soon as the request in flight, a poke just before and the source itself allow."""
        self._poked = True
        self._wake(on_time=False)

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        await self._wait_until(started_at + self._first_s)
        while True:
            self._began_at = loop.time()
            failure = await self._ask()
            self._failures = self._failures + 1 if failure is not None else 0
            if failure is not None and failure.retry_after_s is not None:
                self._not_before = loop.time() + min(failure.retry_after_s, RETRY_AFTER_LIMIT_S)
            await self._wait_until(self._next(started_at, loop.time()))
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

    def _next(self, started_at: float, ended_at: float) -> float:
        """The first moment of the grid that is far enough from the tick that just ended."""
        interval_s = self._interval_s
        stretch = min(2.0 ** max(0, self._failures - 1), BACKOFF_LIMIT)
        soonest = max(self._began_at + (stretch - SPACING) * interval_s, ended_at + REST * interval_s)
        origin = started_at + self._phase * interval_s
        moment = origin + math.ceil((soonest - origin) / interval_s) * interval_s
        jitter_s = self._rng.uniform(-JITTER / 2, JITTER / 2) * interval_s
        return max(moment + jitter_s, self._not_before)

    async def _wait_until(self, moment: float) -> None:
        """For the moment, or for a poke. Hundreds wait at any time: one future each, and one timer."""
        loop, self.late_s = asyncio.get_running_loop(), 0.0
        self._waits = loop.create_future()
        alarm = loop.call_at(moment, self._wake)
        try:
            if not self._poked and await self._waits:
                self.late_s = loop.time() - moment
        finally:
            alarm.cancel()
            self._waits, self._poked = None, False

    def _wake(self, *, on_time: bool = True) -> None:
        if self._waits is not None and not self._waits.done():
            self._waits.set_result(on_time)
