"""A real engine without its thread: a test turns its loop by hand, and its time passes only when told to.

`HandLoop` is asyncio's own loop with the hand clock for its time; it never waits for real. `Cockpit` is one
process on it: a `Pilot` with everything it owns, which can be crashed at any point. What it touches may
hang, lie and fail: `SteppedService` answers each write when the test says so, `SteppedJournal` fills up,
hangs (written or not) and takes the process down with it, before or behind an append.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from cockpit.adapters.base import AdapterError
from cockpit.core.clean import ZERO, Percent
from cockpit.core.clock import Clock
from cockpit.core.commands import Command
from cockpit.core.events import Event, Kind
from cockpit.core.flight import Flight
from cockpit.core.model import FlagValue, Mode, Side, WriteOutcome, WriteResult
from cockpit.core.snapshot import Snapshot
from cockpit.core.spec import Plan
from cockpit.engine.flying import Flying
from cockpit.engine.identity import Identity
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.journal_port import Draft, FailureKind, JournalFailure, SequenceConflict
from cockpit.engine.pilot import Pilot
from cockpit.engine.sources import Sources
from tests.engine.by_action import WritesByAction
from tests.engine.scripted import FULL, Bell, HandClock, ScriptedHook, ScriptedMonitor, ScriptedProbe, down

SLOW = JournalFailure(FailureKind.SLOW, "The journal's disk does not answer")
GONE = JournalFailure(FailureKind.CLOSED, "The process is gone")


class Timepiece(Clock, Protocol):
    """A clock that moves only when it is told to."""

    def advance(self, seconds: float) -> None: ...


class HandLoop(asyncio.SelectorEventLoop):
    """Time is the hand clock's. `turn` runs what is due now; nothing ever waits."""

    _ready: Any
    _scheduled: Any

    def __init__(self, clock: Timepiece) -> None:
        super().__init__()
        self._clock = clock

    def time(self) -> float:
        return self._clock.monotonic()

    def turn(self) -> None:
        """Until nothing is left to do without time passing."""
        while self._ready or self.next_s() <= self.time():
            self.call_soon(self.stop)
            self.run_forever()

    def pass_time(self, seconds: float) -> None:
        """Let time pass from one timer to the next."""
        end = self.time() + seconds
        self.turn()
        while (due := self.next_s()) <= end:
            self._clock.advance(max(0.0, due - self.time()) + 1e-6)
            self.turn()
        self._clock.advance(max(0.0, end - self.time()))
        self.turn()

    def next_s(self) -> float:
        """When its next timer is due."""
        return min((each._when for each in self._scheduled if not each._cancelled), default=float("inf"))


class SteppedJournal(MemoryJournal):
    """full: refuses. hang: the next append is overdue, and what became of it shows when it wakes."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self._hangs: bool | None = None
        self._overdue: Callable[[], object] | None = None

    @property
    def troubled(self) -> bool:
        return self.full or self._hangs is not None

    @property
    def overdue(self) -> bool:
        return self._overdue is not None

    def hang(self, *, written: bool) -> None:
        if self._hangs is None:
            self._hangs = written

    def heal(self) -> None:
        """The disk is there again; an overdue append is carried out or lost only now."""
        self.full, written, overdue = False, self._hangs, self._overdue
        self._hangs = self._overdue = None
        if overdue is not None and written:
            with suppress(SequenceConflict):  # others wrote meanwhile: refused when its turn comes
                overdue()

    def append_many(
        self, drafts: Sequence[Draft], *, actor: str, at: datetime, expected_seq: int
    ) -> tuple[Event, ...]:
        if self._hangs is not None:
            if self._overdue is None:
                kept = list(drafts)

                def late() -> object:
                    return MemoryJournal.append_many(
                        self, kept, actor=actor, at=at, expected_seq=expected_seq
                    )

                self._overdue = late
            raise SLOW
        if self.full:
            raise FULL
        return super().append_many(drafts, actor=actor, at=at, expected_seq=expected_seq)

    def read(self, after_seq: int = 0, limit: int | None = None) -> list[Event]:
        if self.overdue:
            raise SLOW
        return super().read(after_seq, limit)

    def everything(self) -> list[Event]:
        """What is on the disk, whether it answers or not."""
        return MemoryJournal.read(self)


class Lifeline(MemoryJournal):
    """One process's hand on the journal: nothing gets through once it is dead. It may die in an append."""

    def __init__(self, book: SteppedJournal) -> None:
        super().__init__()
        self._book = book
        self.dead = False
        self.dies: str = ""

    def append_many(
        self, drafts: Sequence[Draft], *, actor: str, at: datetime, expected_seq: int
    ) -> tuple[Event, ...]:
        if self.dies == "before":
            self.dead = True
        self._refuse_dead()
        done = self._book.append_many(drafts, actor=actor, at=at, expected_seq=expected_seq)
        if self.dies:
            self.dead = True
        self._refuse_dead()
        return done

    def append(
        self, kind: Kind, body: Mapping[str, object], *, actor: str, at: datetime, expected_seq: int
    ) -> Event:
        drafts = [Draft(kind=kind, body=body)]
        return self.append_many(drafts, actor=actor, at=at, expected_seq=expected_seq)[0]

    def read(self, after_seq: int = 0, limit: int | None = None) -> list[Event]:
        self._refuse_dead()
        return self._book.read(after_seq, limit)

    def _refuse_dead(self) -> None:
        if self.dead:
            raise GONE


@dataclass
class Out:
    """A write that arrived and was not answered yet."""

    action: str
    flag: str
    percent: Percent | None
    answer: asyncio.Future[WriteResult]


class SteppedService(WritesByAction):
    """truth: what users get. out: writes that wait for an answer; late: those nobody waits for any more."""

    def __init__(self, percents: Mapping[str, float]) -> None:
        self.truth = {
            key: FlagValue(key=key, on=percent > 0, percent=Percent.parse(percent))
            for key, percent in percents.items()
        }
        self.out: dict[str, Out] = {}
        self.late: list[Out] = []
        self.reads: list[Mapping[str, Percent | None]] = []
        self.reads_at_last_end: dict[str, int] = {}
        self.down = False
        self.arrived: Callable[[str, str], None] = lambda action, flag: None

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        if self.down:
            raise down()
        self.reads.append({key: self.truth[key].exposure for key in keys})
        return {key: self.truth[key] for key in keys}

    def read_since_last_write(self, key: str, exposure: Percent | None) -> bool:
        """Whether a read that began behind the end of the flag's last write gave this."""
        since = self.reads[self.reads_at_last_end.get(key, 0) :]
        return any(key in each and each[key] == exposure for each in since)

    async def write(self, action: str, key: str, percent: Percent | None) -> WriteResult:
        self.arrived(action, key)
        assert key not in self.out, f"two writes of {key} in flight"
        out = Out(action, key, percent, asyncio.get_running_loop().create_future())
        self.out[key] = out
        try:
            return await out.answer
        except asyncio.CancelledError:
            self.late.append(out)
            raise
        finally:
            self.out.pop(key, None)
            self.reads_at_last_end[key] = len(self.reads)

    def answers(self, key: str, outcome: WriteOutcome, *, lands: bool) -> None:
        out = self.out[key]
        if lands:
            self._land(out)
        if not out.answer.done():
            out.answer.set_result(WriteResult(outcome=outcome, detail="as told", took_s=0.01))

    def lands_late(self, number: int) -> None:
        self._land(self.late.pop(number))

    def _land(self, out: Out) -> None:
        old = self.truth[out.flag]
        if out.action == "kill":
            self.truth[out.flag] = replace(old, on=False)
        elif out.action == "zero":
            self.truth[out.flag] = replace(old, percent=ZERO)
        else:
            self.truth[out.flag] = replace(old, on=True, percent=out.percent)

    def exposure(self, key: str) -> float:
        exposure = self.truth[key].exposure
        return 0.0 if exposure is None else exposure.value


@dataclass
class Surroundings:
    """What outlives every cockpit: time, the disk, the services."""

    plan: Plan
    percents: Mapping[str, float]
    clock: HandClock = field(default_factory=HandClock)
    book: SteppedJournal = field(default_factory=SteppedJournal)

    def __post_init__(self) -> None:
        bell = Bell()
        self.service = SteppedService(self.percents)
        self.monitor = ScriptedMonitor(bell, self.service.exposure)
        self.legacy, self.new, self.hook = ScriptedProbe(bell), ScriptedProbe(bell), ScriptedHook(bell)

    def line(self) -> Lifeline:
        return Lifeline(self.book)

    def sources(self, plan: Plan) -> Sources:
        return Sources(
            readers={"flags": self.service},
            monitors={"metrics": self.monitor},
            probes={(Side.LEGACY, "health"): self.legacy, (Side.NEW, "health"): self.new},
            writers={"flags": self.service},
            announcers={"chat": self.hook},
        )


class Ground(Protocol):
    """What a cockpit is started in: a clock, and a hand of its own on journal and services."""

    @property
    def plan(self) -> Plan: ...
    @property
    def clock(self) -> Timepiece: ...
    def line(self) -> Lifeline: ...
    def sources(self, plan: Plan) -> Sources: ...


class Cockpit:
    """One process: alive from `take_off` to its crash."""

    def __init__(self, around: Ground, number: int, heard: Callable[[Event], None]) -> None:
        self.line = around.line()
        self.loop = HandLoop(around.clock)
        self.identity = Identity(operator=f"op{number}", host="host", mode=Mode.LIVE, version="0")
        flying = Flying(
            plan=around.plan,
            sources=around.sources,
            journal=self.line,
            clock=around.clock,
            identity=self.identity,
            journal_path="/state/stepped.journal",
            rng=random.Random(7),
        )
        self._shown: list[Snapshot] = []
        self._pilot = self.loop.run_until_complete(_made(flying, self._show))
        self._heard, self._pilot_heard = heard, self._pilot._heard
        self._pilot._heard = self._hear  # every event as it is folded
        self._task = self.loop.create_task(self._fly())

    def take_off(self) -> None:
        """The first turn; what is to be done writes in it already."""
        self.loop.turn()

    def _hear(self, event: Event) -> None:
        self._heard(event)
        self._pilot_heard(event)

    async def _fly(self) -> None:
        self._pilot.open()
        await self._pilot.fly()

    def _show(self, snapshot: Snapshot) -> None:
        self._shown[:] = [snapshot]

    @property
    def alive(self) -> bool:
        return not self.line.dead and not self._task.done()

    @property
    def flight(self) -> Flight:
        return self._pilot._logbook.flight

    @property
    def unsaved(self) -> Sequence[Event]:
        return [event for _, event in self._pilot._logbook.unsaved]

    @property
    def failing(self) -> bool:
        return self._pilot._logbook.failure is not None

    @property
    def snapshot(self) -> Snapshot:
        return self._shown[0]

    def on_loop(self, work: Callable[[], object]) -> None:
        self.loop.call_soon(work)
        self.loop.turn()

    def give(self, *commands: Command) -> None:
        self.on_loop(lambda: self._pilot.take(commands))

    def pass_time(self, seconds: float) -> None:
        self.loop.pass_time(seconds)

    def fault(self) -> BaseException | None:
        """What ended the flight, if it ended by itself."""
        return self._task.exception() if self._task.done() and not self._task.cancelled() else None

    def crash(self) -> None:
        """The process is gone: nothing it still does reaches anybody; its writes may land all the same."""
        self.line.dead = True
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        with suppress(asyncio.CancelledError):
            self.loop.run_until_complete(_ended(asyncio.all_tasks(self.loop)))
        self._pilot._journal.close()
        self.loop.close()


async def _made(flying: Flying, show: Callable[[Snapshot], None]) -> Pilot:
    """On the loop, as an engine does it."""
    return Pilot(flying, show=show)


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
