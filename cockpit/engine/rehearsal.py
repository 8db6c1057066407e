"""The way from a declared rollback to its first write, walked through once before it is meant.

What a process does for the first time takes it two or three times as long as the second. So when the sheet
opens, everything is done that its second key sets off: checking, folding, deciding, the journal's bytes. It
is done on the flight as it is, which nothing changes, with a journal that keeps nothing, and with nothing in
the writers' place that could write.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from cockpit.adapters.base import Announcement
from cockpit.core import commands as asked
from cockpit.core.clock import Clock
from cockpit.core.dataclass import compile_used
from cockpit.core.events import Event, Lever
from cockpit.core.model import Mode
from cockpit.core.snapshot import FlagStatus
from cockpit.engine.drive import Drive
from cockpit.engine.effects import Effects, WriteOrder
from cockpit.engine.journal_chain import GENESIS, events, rows
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.journal_port import Draft
from cockpit.engine.logbook import Logbook
from cockpit.engine.rollback_orders import RollbackOrders
from cockpit.engine.seat import Seat
from cockpit.engine.senses import Senses
from cockpit.engine.sources import Sources

NOBODY: Final = "rehearsal"


class Rehearsal:
    """Used from the engine's thread only. What it is given is looked at and not changed."""

    def __init__(
        self, *, logbook: Logbook, senses: Senses, drive: Drive, clock: Clock, seat: Seat, mode: Mode
    ) -> None:
        self._logbook = logbook
        self._senses = senses
        self._drive = drive
        self._clock = clock
        self._seat = seat
        self._mode = mode

    @property
    def _services(self) -> Sequence[str]:
        return [service.name for service in self._senses.plan.flag_services]

    def walk(self, flags: Sequence[str]) -> bool:
        """A rollback of these flags (none: all), up to where its first writes would be begun; whether it came
        so far."""
        book = Logbook(_Nowhere())
        book.flight = self._logbook.flight
        unarmed = _Unarmed(frozenset(filter(self._drive.writable, self._services)), self._clock)
        drive = Drive(
            logbook=book,
            senses=self._senses,
            effects=unarmed,
            clock=self._clock,
            mode=self._mode,
            session=self._drive.session,
        )
        orders = RollbackOrders(
            logbook=book,
            senses=self._senses,
            drive=drive,
            clock=self._clock,
            seat=self._seat,
            status_of=_no_status,
        )
        declare = asked.DeclareRollback(id=NOBODY, by=NOBODY, flags=tuple(flags))
        with suppress(Exception):  # whatever is wrong with it, it is told when it is meant
            orders.handlers[asked.DeclareRollback](declare)
            drive.run()
        compile_used()
        return unarmed.leaving()


class _Nowhere(MemoryJournal):
    """Makes the bytes of events and forgets them."""

    def append_many(
        self, drafts: Sequence[Draft], *, actor: str, at: datetime, expected_seq: int
    ) -> tuple[Event, ...]:
        return tuple(events(rows(drafts, actor=actor, at=at, last_seq=expected_seq, last_hash=GENESIS)))


class _Unarmed(Effects):
    """Stands where effects stand and has none: it holds no adapter of any kind. writable: names alone."""

    def __init__(self, writable: frozenset[str], clock: Clock) -> None:
        super().__init__(
            sources=Sources(readers={}, monitors={}, probes={}),
            clock=clock,
            wrote=lambda: None,
            read=_never_read,
            announced=lambda *told: None,
            freed=lambda: None,
            stands=lambda order: NOBODY,
        )
        self._writable = writable
        self._begun = False

    @property
    def writable(self) -> frozenset[str]:
        return self._writable

    def write(self, order: WriteOrder) -> None:
        self._begun = True

    def leaving(self) -> bool:
        return self._begun

    def read_back(self, flag: str, lever: Lever = Lever.FIRST) -> None:
        return

    def announce(self, hook: str, announcement: Announcement, timeout_s: float) -> None:
        return


async def _never_read(flag: str, lever: Lever) -> bool:
    return False


def _no_status(key: str) -> FlagStatus:
    raise KeyError(key)
