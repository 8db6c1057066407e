"""One poller for every source of a plan: flag services, probes, monitoring sources, parity checks.

Their moments are spread over the interval, any few neighbours as evenly as all together; only the very
first ones come close behind each other, because a screen without data helps nobody.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any, Final

from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure
from cockpit.core.spec import Plan, ServiceSpec
from cockpit.engine.in_step import in_step
from cockpit.engine.poller import Poller, Tick
from cockpit.engine.questions import expressions
from cockpit.engine.senses import Senses

GOLDEN: Final = 0.6180339887498949
"""The turn whose multiples never crowd: the sources of one host stand beside each other in a plan."""
FIRST_SPACING_S: Final = 0.005
FIRST_WITHIN_S: Final = 1.0


class Polls:
    """Starts and ends pollers on the running loop. `senses` has to know the plan's sources already."""

    def __init__(self, senses: Senses, rng: random.Random, *, recalls: bool = True) -> None:
        self._senses = senses
        self._recalls = recalls
        self._rng = rng
        self._running: list[tuple[Poller, asyncio.Task[None]]] = []
        self._ended: list[asyncio.Task[None]] = []
        self._recalled: set[str] = set()
        self._others: set[asyncio.Task[None]] = set()

    def begin(self, plan: Plan) -> None:
        self._recalled.clear()
        for poller in self._pollers(plan):
            self._running.append((poller, asyncio.create_task(poller.run(), name=f"poll {poller.name}")))
        services = {service.name for service in plan.flag_services}
        for poller, _ in self._running:
            stirs = self._senses.stirs(poller.name) if poller.name in services else None
            if stirs is not None:
                self._beside(_listen(stirs, poller), f"listen to {poller.name}")

    def _beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    def renew(self, plan: Plan) -> None:
        """Fly by another plan: the old pollers end, the new ones begin."""
        for task in (*self._others, *(task for _, task in self._running)):
            task.cancel()
            self._ended.append(task)
        self._running.clear()
        self.begin(plan)

    def poke(self) -> None:
        for poller, _ in self._running:
            poller.poke()

    async def end(self) -> None:
        tasks = [*self._ended, *self._others, *(task for _, task in self._running)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()
        self._ended.clear()
        self._others.clear()

    async def _query(self, monitor: ServiceSpec) -> Failure | None:
        """One poll; after the first good one the monitor is asked, beside all else, what it remembers."""
        failure = await self._senses.query(monitor)
        if failure is None and self._recalls and monitor.name not in self._recalled:
            self._recalled.add(monitor.name)
            self._beside(self._senses.recall(monitor), f"past of {monitor.name}")
        return failure

    def _pollers(self, plan: Plan) -> list[Poller]:
        senses = self._senses
        polled = [*_flags(senses, plan), *_monitors(senses, plan, self._query), *_probes(senses, plan)]
        polled += _parity(senses, plan)
        moments = {each.name: number * GOLDEN % 1 * each.interval_s for number, each in enumerate(polled)}
        spacing_s = min(FIRST_SPACING_S, FIRST_WITHIN_S / max(1, len(polled)))
        return [
            Poller(
                name=each.name,
                interval_s=each.interval_s,
                timeout_s=each.timeout_s,
                tick=each.tick,
                failed=each.failed,
                rng=self._rng,
                phase=moments[each.moments_of or each.name] / each.interval_s % 1,
                first_s=min(number * spacing_s, each.interval_s),
            )
            for number, each in enumerate(polled)
        ]


async def _listen(stirs: AsyncGenerator[None], poller: Poller) -> None:
    """Nothing but the next poll comes of it, and nobody waits for it: what it cannot hear, that poll sees."""
    async with aclosing(stirs):
        async for _ in stirs:
            poller.poke()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Polled:
    """moments_of: the other source whose moments it keeps, empty for its own."""

    name: str
    interval_s: float
    timeout_s: float
    tick: Tick
    failed: Callable[[Failure], None]
    moments_of: str = ""


def _flags(senses: Senses, plan: Plan) -> Iterator[_Polled]:
    for service in plan.flag_services:
        keys = plan.keys_in(service.name)
        if keys:
            yield _Polled(
                name=service.name,
                interval_s=service.interval_s,
                timeout_s=service.timeout_s,
                tick=partial(senses.read_service, service, keys),
                failed=partial(senses.service_failed, service.name, keys),
            )


def _monitors(
    senses: Senses, plan: Plan, query: Callable[[ServiceSpec], Awaitable[Failure | None]]
) -> Iterator[_Polled]:
    step = in_step(plan)
    for monitor in plan.monitors:
        if expressions(plan, monitor.name):
            yield _Polled(
                name=monitor.name,
                interval_s=monitor.interval_s,
                timeout_s=monitor.timeout_s,
                tick=partial(query, monitor),
                failed=partial(senses.monitor_failed, monitor),
                moments_of=step[monitor.name],
            )


def _probes(senses: Senses, plan: Plan) -> Iterator[_Polled]:
    for probe in (probe for backend in plan.backends for probe in backend.probes):
        yield _Polled(
            name=f"{probe.side}/{probe.name}",
            interval_s=probe.interval_s,
            timeout_s=probe.timeout_s,
            tick=partial(senses.probe, probe),
            failed=partial(senses.probe_failed, probe),
        )


def _parity(senses: Senses, plan: Plan) -> Iterator[_Polled]:
    for check in plan.parity:
        yield _Polled(
            name=f"parity/{check.name}",
            interval_s=check.interval_s,
            timeout_s=check.timeout_s,
            tick=partial(senses.parity.look, check),
            failed=partial(senses.parity.failed, check),
        )
