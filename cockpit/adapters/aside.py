"""Calls that block (a resolver, a process table, a file), made beside the loop and with a deadline.

Each call gets a daemon thread of its own. A shared pool would be used up by calls that hang, and would
hold up the end of the process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class Aside:
    """One call at a time: whoever hangs costs one thread, however often he is asked."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._busy = False

    async def run(self, call: Callable[[], T], timeout_s: float) -> T:
        """What `call` gives or raises. Raises TimeoutError past the time, and at once while an earlier
        call still hangs."""
        if self._busy:
            raise TimeoutError(f"an earlier {self._name} still hangs")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                tell = partial(_tell, answer, call(), None)
            except Exception as error:  # whatever it is belongs to the one who asked
                tell = partial(_tell, answer, None, error)
            self._busy = False
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell)

        self._busy = True
        threading.Thread(target=work, name=self._name, daemon=True).start()
        async with asyncio.timeout(timeout_s):
            return await answer


def _tell(answer: asyncio.Future[Any], found: object, error: Exception | None) -> None:
    """Nobody waits any more for an answer that is cancelled."""
    if answer.done():
        return
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(found)
