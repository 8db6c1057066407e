"""Who acts on the journal: the holder of the driver lock, or a cockpit that stands in for a silent one.

Standing in is for one rollback that was declared here and that the driver does not begin; the journal's
expected sequence numbers keep the two from both winning should the driver come back.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from cockpit.core.clock import Clock
from cockpit.core.rollback import Rollback
from cockpit.engine.driver_lock import DriverLock
from cockpit.engine.guard import Guard

TAKE_OVER_AFTER_S = 3.0


class Gained(StrEnum):
    THE_LOCK = "the lock"
    THE_ROLLBACK = "the rollback"


class Seat:
    """declared_here: the id of the rollback that was declared in this cockpit, if any."""

    def __init__(
        self,
        *,
        lock: DriverLock | None,
        read_only: bool,
        clock: Clock,
        guard: Guard,
        declared_here: Callable[[], str | None],
    ) -> None:
        self._lock = lock
        self._read_only = read_only
        self._clock = clock
        self._guard = guard
        self._declared_here = declared_here
        self.taken = False

    def take(self) -> bool:
        """Sit down if nobody else does; a lock that cannot even be tried is a fault, not a right."""
        if not self._read_only and self._lock is not None:
            self.taken = self._guard.run("driver lock", self._lock.take) is True
        elif not self._read_only:
            self.taken = True
        return self.taken

    def look(self, rollback: Rollback | None) -> Gained | None:
        """Take over from a driver that is gone, stand in for one that is silent; what was gained by it."""
        lock, stood_in = self._lock, self.taken
        if self._read_only or lock is None or lock.held:
            return None
        if self.take():
            return Gained.THE_LOCK
        self.taken = rollback is not None and (stood_in or self._silent(rollback))
        return Gained.THE_ROLLBACK if self.taken and not stood_in else None

    def waits_for_driver(self, rollback: Rollback) -> bool:
        """Declared here, where another cockpit drives, and that one has not begun it yet."""
        mine = rollback.id == self._declared_here()
        return mine and not self.taken and not rollback.flip_begun and not rollback.question

    def release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _silent(self, rollback: Rollback) -> bool:
        waited_s = (self._clock.now() - rollback.declared_at).total_seconds()
        return self.waits_for_driver(rollback) and waited_s > TAKE_OVER_AFTER_S
