"""Python's collector of cycles rests while a rollback goes out.

It looks through what lives once so many objects have been made, and for so long no thread runs. A rollback of
many flags makes them all at once, and nearly everything that it makes is in use: an eighth of its time went
into looking, and nothing was found. One second is longer than most rollbacks need and too short for memory to
grow by more than a few MiB.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Final

REST_S: Final = 1.0


class Rest:
    """On the engine's loop only."""

    def __init__(self) -> None:
        self._ends: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """For one second; not again before that is over, and not where somebody else has stopped it."""
        if self._ends is None and gc.isenabled():
            gc.disable()
            self._ends = asyncio.get_running_loop().call_later(REST_S, self.end)

    def end(self) -> None:
        """Nothing happens where it does not rest."""
        if self._ends is not None:
            self._ends.cancel()
            self._ends = None
            gc.enable()
