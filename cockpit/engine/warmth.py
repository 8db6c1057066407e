"""Connections kept open for a write that may come at any moment.

A write goes only through a connection that was busy a moment ago, and making a new one takes longer than all
else between the key and the write. So while a sheet is open whose next key rolls back, and while flags of an
open rollback are on their way to zero, their services are asked the cheapest thing that they have, as often
as that needs. Without such a sheet and such a rollback nothing is asked, nor ever where no writer is held.

Polls count: what they have just used is warm. A service that asked to wait is not asked for warmth again in
this flight; one that fails, only when a poll of it has been good since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from cockpit.adapters.base import AdapterError, Throttled, Warms
from cockpit.core.rollback import layers
from cockpit.engine.effects import Effects
from cockpit.engine.flying import Flying
from cockpit.engine.logbook import Logbook
from cockpit.engine.senses import FlagSense, Senses

SHEET_S: Final = 3.0
"""For how long a sheet that was open is taken to be open still: it says so every second."""
COOLS_S: Final = 1.25
"""After this a connection is used again. With the engine's beat and the answer's way it stays below the two
seconds after which the adapters' client does not write through it any more."""
MOST: Final = 16
"""Connections of one service that are kept, where it counts no requests: those of the writes that go first.
That asks it 13 times a second while a sheet is open. Who rolls back more flags waits little longer: each
answer opens the way for two more.
"""
LIMIT_S: Final = 5.0


class Warmth:
    """On the engine's loop only."""

    def __init__(self, senses: Senses, effects: Effects, logbook: Logbook, flying: Flying) -> None:
        self._senses = senses
        self._effects = effects
        self._logbook = logbook
        self._clock = flying.clock
        self._session = flying.identity.session
        self._sheet_flags: Sequence[str] = ()
        self._sheet_until_s = float("-inf")
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._warm_s: dict[str, float] = {}
        self._failed_s: dict[str, float] = {}
        self._throttled: set[str] = set()

    def wanted(self, flags: Sequence[str]) -> None:
        """A sheet that may roll these flags back (none: all) is open now."""
        self._sheet_flags = flags
        self._sheet_until_s = self._clock.monotonic() + SHEET_S
        self.look()

    def look(self) -> None:
        """On every beat: ask whoever has to be asked by now."""
        for service, keys in self._next_writes().items():
            writer = self._effects.warms(service)
            if writer is not None and self._due(service, keys):
                task = asyncio.get_running_loop().create_task(self._ask(service, writer, keys))
                self._asking[service] = task

    def _next_writes(self) -> Mapping[str, Sequence[str]]:
        """By service, the names of the flags there that may be written next, those that go first."""
        found: dict[str, list[str]] = {}
        for flag, second in (*self._of_the_sheet(), *self._of_the_rollback()):
            service, key = self._senses.plan.read_through(flag, second=second)
            if service is not None:
                keys = found.setdefault(service.name, [])
                if key not in keys and len(keys) < MOST:
                    keys.append(key)
        return found

    def _of_the_sheet(self) -> Sequence[tuple[str, bool]]:
        """The first layer of what it may roll back, all by their first levers."""
        if self._clock.monotonic() >= self._sheet_until_s:
            return ()
        needs = {flag.key: flag.depends_on for flag in self._senses.plan.flags}
        chosen = [key for key in self._sheet_flags or needs if key in needs]
        return [(key, False) for key, layer in layers(needs, chosen) if layer == 0]

    def _of_the_rollback(self) -> Sequence[tuple[str, bool]]:
        """What the machine is still to bring to zero, each by the lever that is at work. Who does not drive
        writes nothing, and neither does the machine where it has been refused or asked to wait."""
        rollback, now = self._logbook.flight.rollback, self._clock.now()
        if rollback is None or not self._logbook.flight.seat.held_by(self._session):
            return ()
        at_work = [(flip, flip.second or flip) for flip in rollback.flips if not flip.at_zero]
        return [
            (flip.flag, way is not flip)
            for flip, way in at_work
            if not (way.used_up or way.rare or way.pauses(now))
        ]

    def _due(self, service: str, keys: Sequence[str]) -> bool:
        if service in self._throttled or service in self._asking:
            return False
        senses = [sense for key in keys for sense in self._senses.read_as(service, key)]
        if any(sense.reading.failure and sense.reading.failure.retry_after_s is not None for sense in senses):
            self._throttled.add(service)
        if not senses or not all(_good(sense) for sense in senses):
            return False
        if min(sense.began_s for sense in senses) < self._failed_s.get(service, float("-inf")):
            return False
        polled_s = min(sense.began_s + (sense.reading.took_s or 0.0) for sense in senses)
        return self._clock.monotonic() - max(polled_s, self._warm_s.get(service, polled_s)) >= COOLS_S

    async def _ask(self, service: str, writer: Warms, keys: Sequence[str]) -> None:
        try:
            async with asyncio.timeout(LIMIT_S):
                await writer.warm(keys)
            self._warm_s[service] = self._clock.monotonic()
        except Throttled:
            self._throttled.add(service)
        except (AdapterError, TimeoutError):
            self._failed_s[service] = self._clock.monotonic()
        except Exception:  # the poll edge: a lever that cannot be kept warm is a lever all the same
            self._throttled.add(service)
        finally:
            del self._asking[service]


def _good(sense: FlagSense) -> bool:
    """Whether its last read gave a value: who is in trouble is asked by the poller alone, at its pace."""
    return sense.reading.value is not None and sense.reading.failure is None
