"""Read-backs: flags through their levers, now, beside the poller.

What is wanted of one service in one moment is one read of it; a read in flight is waited for by nobody,
because it proves nothing of a write that was answered after it began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cockpit.core.events import Lever
from cockpit.core.model import Failure, Fault
from cockpit.core.spec import Plan, ServiceSpec
from cockpit.engine.senses import Senses


class ReadBacks:
    """On the engine's loop only. plan: the one that is flown now."""

    def __init__(self, senses: Senses, plan: Callable[[], Plan]) -> None:
        self._senses = senses
        self._plan = plan
        self._wanted: dict[str, tuple[ServiceSpec, dict[str, asyncio.Future[bool]]]] = {}
        self._reading: set[asyncio.Task[None]] = set()

    async def read(self, flag: str, lever: Lever) -> bool:
        """True when it gave a value; why it gave none stands at the flag. Raises nothing."""
        service, key = self._plan().read_through(flag, second=lever is Lever.SECOND)
        if service is None:
            return False
        loop = asyncio.get_running_loop()
        if not self._wanted:
            loop.call_soon(self._begin)
        _, waiting = self._wanted.setdefault(service.name, (service, {}))
        return await asyncio.shield(waiting.setdefault(key, loop.create_future()))

    def _begin(self) -> None:
        wanted, self._wanted = self._wanted, {}
        for service, waiting in wanted.values():
            task = asyncio.get_running_loop().create_task(self._read(service, waiting))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

    async def _read(self, service: ServiceSpec, waiting: dict[str, asyncio.Future[bool]]) -> None:
        keys, good = tuple(waiting), frozenset[str]()
        try:
            async with asyncio.timeout(service.timeout_s):
                good = frozenset(keys) - (await self._senses.read_keys(service, keys, back=True)).keys()
        except TimeoutError:
            failure = Failure(title=f"no answer in {service.timeout_s:g} s", fault=Fault.NETWORK)
            self._senses.service_failed(service.name, keys, failure)
        except Exception as error:  # the poll edge: a broken reader is one more way of not knowing
            title = f"the cockpit's own fault while reading: {type(error).__name__}"
            self._senses.service_failed(service.name, keys, Failure(title=title, fault=Fault.COCKPIT))
        finally:
            for key, told in waiting.items():
                if not told.done():
                    told.set_result(key in good)
