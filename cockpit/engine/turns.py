"""When a turn comes, and what waits for it: many readings and answers of one moment make one turn.

A turn costs the same for one reading as for twenty, and a transaction for one answer as for twenty. Where
something presses (a rollback is open, a write is answered) it comes at once, which still takes in what the
loop has for it by then; else a moment later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

SPACING_S: Final = 0.05


class Turns:
    """On the engine's loop only. deliver: journals the answers that wait; the turn does it, too."""

    def __init__(
        self, *, turn: Callable[[], None], deliver: Callable[[], object], pressing: Callable[[], bool]
    ) -> None:
        self._turn = turn
        self.deliver = deliver
        self._pressing = pressing
        self._next: asyncio.TimerHandle | None = None
        self._took_at = float("-inf")
        self._ended = False

    def soon(self) -> None:
        """A reading has come."""
        now_s = asyncio.get_running_loop().time()
        self._by(now_s if self._pressing() else max(now_s, self._took_at + SPACING_S))

    def answered(self) -> None:
        """A write has its outcome."""
        self._by(asyncio.get_running_loop().time())

    def catch_up(self) -> None:
        """The turn that waits, now: what is about to be shown holds readings that it has to look at first."""
        if self._next is not None:
            self._next.cancel()
            self._take()

    def end(self) -> None:
        """No turn comes any more; an outcome that still does is journalled at once."""
        self._ended = True
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self.deliver()

    def _by(self, moment: float) -> None:
        if self._ended:
            self.deliver()
            return
        if self._next is not None:
            if self._next.when() <= moment:
                return
            self._next.cancel()
        self._next = asyncio.get_running_loop().call_at(moment, self._take)

    def _take(self) -> None:
        self._next, self._took_at = None, asyncio.get_running_loop().time()
        self._turn()
