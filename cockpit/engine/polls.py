"""One poller for every source of a plan: flag services, probes, monitoring sources, parity checks."""

from __future__ import annotations

import asyncio
import random
from functools import partial

from cockpit.core.spec import Plan
from cockpit.engine.poller import Poller
from cockpit.engine.questions import expressions
from cockpit.engine.senses import Senses


class Polls:
    """Starts and ends pollers on the running loop. `senses` has to know the plan's sources already."""

    def __init__(self, senses: Senses, rng: random.Random) -> None:
        self._senses = senses
        self._rng = rng
        self._running: list[tuple[Poller, asyncio.Task[None]]] = []
        self._ended: list[asyncio.Task[None]] = []

    def begin(self, plan: Plan) -> None:
        for poller in self._pollers(plan):
            self._running.append((poller, asyncio.create_task(poller.run(), name=f"poll {poller.name}")))

    def renew(self, plan: Plan) -> None:
        """Fly by another plan: the old pollers end, the new ones begin."""
        for _, task in self._running:
            task.cancel()
            self._ended.append(task)
        self._running.clear()
        self.begin(plan)

    def poke(self) -> None:
        for poller, _ in self._running:
            poller.poke()

    async def end(self) -> None:
        tasks = [*self._ended, *(task for _, task in self._running)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()
        self._ended.clear()

    def _pollers(self, plan: Plan) -> list[Poller]:
        senses, pollers = self._senses, list[Poller]()
        for service in plan.flag_services:
            keys = plan.keys_in(service.name)
            if keys:
                pollers.append(
                    Poller(
                        name=service.name,
                        interval_s=service.interval_s,
                        timeout_s=service.timeout_s,
                        tick=partial(senses.read_service, service, keys),
                        failed=partial(senses.service_failed, service.name, keys),
                        rng=self._rng,
                    )
                )
        for monitor in plan.monitors:
            if expressions(plan, monitor.name):
                pollers.append(
                    Poller(
                        name=monitor.name,
                        interval_s=monitor.interval_s,
                        timeout_s=monitor.timeout_s,
                        tick=partial(senses.query, monitor),
                        failed=partial(senses.monitor_failed, monitor),
                        rng=self._rng,
                    )
                )
        for probe in (probe for backend in plan.backends for probe in backend.probes):
            pollers.append(
                Poller(
                    name=f"{probe.side}/{probe.name}",
                    interval_s=probe.interval_s,
                    timeout_s=probe.timeout_s,
                    tick=partial(senses.probe, probe),
                    failed=partial(senses.probe_failed, probe),
                    rng=self._rng,
                )
            )
        for check in plan.parity:
            pollers.append(
                Poller(
                    name=f"parity/{check.name}",
                    interval_s=check.interval_s,
                    timeout_s=check.timeout_s,
                    tick=partial(senses.parity.look, check),
                    failed=partial(senses.parity.failed, check),
                    rng=self._rng,
                )
            )
        return pollers
