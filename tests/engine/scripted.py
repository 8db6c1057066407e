"""Adapters whose truth, answers, silence and lies a test chooses; all in memory, all used from any thread.

`Bell` is where everything that happens is announced, so that a test waits on conditions and never on
time. A `Gate` holds a call until the test lets it go. `HandClock` moves by hand; it also moves by a
microsecond with every look, so that "before" and "after" are never the same instant.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cockpit.adapters.base import AdapterError, Announcement, Preflight
from cockpit.core.clean import ZERO, Percent
from cockpit.core.events import Event, Kind
from cockpit.core.model import (
    Failure,
    FlagValue,
    Health,
    ProbeValue,
    Quality,
    Sample,
    WriteOutcome,
    WriteResult,
)
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.journal_port import Draft, FailureKind, JournalFailure
from tests.engine.by_action import WritesByAction

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
DEADLINE_S = 20.0


class HandClock:
    def __init__(self, start: datetime = START) -> None:
        self._lock = threading.Lock()
        self._start = start
        self._passed = timedelta()
        self._set = timedelta()

    def now(self) -> datetime:
        with self._lock:
            self._passed += timedelta(microseconds=1)
            return self._start + self._set + self._passed

    def monotonic(self) -> float:
        with self._lock:
            return self._passed.total_seconds()

    def set_ahead(self, seconds: float) -> None:
        """Somebody sets the wall clock; the steady one knows nothing of it. Negative: set back."""
        with self._lock:
            self._set += timedelta(seconds=seconds)

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._passed += timedelta(seconds=seconds)


class Bell:
    """Tells waiting tests that something happened."""

    def __init__(self) -> None:
        self._happened = threading.Condition()

    def tell(self) -> None:
        with self._happened:
            self._happened.notify_all()

    def until(self, condition: Callable[[], bool], what: str = "") -> None:
        """Wait for a condition; fails the test after a deadline that no healthy machine reaches."""
        with self._happened:
            met = self._happened.wait_for(condition, DEADLINE_S)
        assert met, f"never happened: {what or condition}"


class Gate:
    """Open by default. Shut, it holds every call that comes until it opens again."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._lock = threading.Lock()
        self._open = True
        self._held: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self.arrived = 0

    @property
    def held(self) -> int:
        """Calls that wait at the gate now."""
        return len(self._held)

    def shut(self) -> None:
        self._open = False

    def open(self) -> None:
        with self._lock:
            self._open = True
            held, self._held = self._held, {}
        for event, loop in held.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def passed(self) -> None:
        event = asyncio.Event()
        with self._lock:
            self.arrived += 1
            if not self._open:
                self._held[event] = asyncio.get_running_loop()
        self._bell.tell()
        if event not in self._held:
            return
        try:
            await event.wait()
        finally:
            with self._lock:
                self._held.pop(event, None)
            self._bell.tell()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a service takes one write: what it says, and whether the write does what it should.

    late: it lands although nobody hears the answer any more.
    """

    outcome: WriteOutcome = WriteOutcome.DONE
    lands: bool = True
    detail: str = ""
    gate: Gate | None = None
    raises: Exception | None = None
    unsent: bool = False
    again_after_s: float | None = None


OBEY = Answer()
REFUSE = Answer(outcome=WriteOutcome.REFUSED, lands=False, detail="409: not as expected")
CLOSED = Answer(
    outcome=WriteOutcome.REFUSED, lands=False, detail="connection refused by flags:4242", unsent=True
)
LIE = Answer(lands=False)
LOST = Answer(outcome=WriteOutcome.UNKNOWN, lands=True, detail="no answer")
LOST_UNDONE = Answer(outcome=WriteOutcome.UNKNOWN, lands=False, detail="no answer")


def down(title: str = "connection refused", *, retry_after_s: float | None = None) -> AdapterError:
    return AdapterError(Failure(title=title, retry_after_s=retry_after_s))


@dataclass
class Written:
    """A write as it arrived, and how many answers to earlier ones of the same flag were still out."""

    action: str
    flag: str
    percent: Percent | None
    others_in_flight: int


class ScriptedService(WritesByAction):
    """Reader and writer of one flag service."""

    def __init__(self, bell: Bell, percents: Mapping[str, float]) -> None:
        self._bell = bell
        self.truth = {
            key: FlagValue(key=key, on=percent > 0, percent=Percent.parse(percent))
            for key, percent in percents.items()
        }
        self.shown: dict[str, FlagValue | AdapterError] = {}
        self.failing: Exception | None = None
        self.read_gate = Gate(bell)
        self.answers: dict[str, deque[Answer]] = {}
        self.always: dict[str, Answer] = {}
        self.writes: list[Written] = []
        self.reads = 0
        self.closed = 0
        self._out: dict[str, int] = {}

    def exposure(self, key: str) -> float:
        exposure = self.truth[key].exposure
        return -1.0 if exposure is None else exposure.value

    def next_answers(self, key: str, *answers: Answer) -> None:
        self.answers.setdefault(key, deque()).extend(answers)

    def change(self, key: str, percent: float, who: str | None = "mallory") -> None:
        """Somebody else sets the flag."""
        value = replace(self.truth[key], on=percent > 0, percent=Percent.parse(percent), changed_by=who)
        self.truth[key] = value

    def written(self, key: str, action: str | None = None) -> list[Written]:
        return [each for each in self.writes if each.flag == key and action in (None, each.action)]

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        self.reads += 1
        seen = {key: self.shown.get(key, self.truth[key]) for key in keys}
        await self.read_gate.passed()
        if self.failing is not None:
            raise self.failing
        return seen

    async def aclose(self) -> None:
        self.closed += 1

    async def write(self, action: str, key: str, percent: Percent | None) -> WriteResult:
        out = self._out.get(key, 0)
        self.writes.append(Written(action=action, flag=key, percent=percent, others_in_flight=out))
        script = self.answers.get(key)
        answer = script.popleft() if script else self.always.get(key, OBEY)
        self._out[key] = out + 1
        self._bell.tell()
        try:
            if answer.gate is not None:
                await answer.gate.passed()
            if answer.raises is not None:
                raise answer.raises
        finally:
            self._out[key] -= 1
        if answer.lands:
            self._land(action, key, percent)
        return WriteResult(
            outcome=answer.outcome,
            detail=answer.detail,
            took_s=0.01,
            unsent=answer.unsent,
            again_after_s=answer.again_after_s,
        )

    def _land(self, action: str, key: str, percent: Percent | None) -> None:
        old = self.truth[key]
        if action == "kill":
            self.truth[key] = replace(old, on=False, changed_by="the cockpit's token")
        elif action == "zero":
            self.truth[key] = replace(old, percent=ZERO, changed_by="the cockpit's token")
        else:
            self.truth[key] = replace(old, on=True, percent=percent, changed_by="the cockpit's token")


class ScriptedProbe:
    def __init__(self, bell: Bell, health: Health = Health.OK) -> None:
        self.value = ProbeValue(health=health, latency_ms=12.0)
        self.failing: Exception | None = None
        self.gate = Gate(bell)
        self.asked = 0
        self.closed = 0

    def says(self, health: Health, detail: str = "") -> None:
        self.value = ProbeValue(health=health, detail=detail, latency_ms=12.0)

    async def probe(self) -> ProbeValue:
        self.asked += 1
        await self.gate.passed()
        if self.failing is not None:
            raise self.failing
        return self.value

    async def aclose(self) -> None:
        self.closed += 1


class ScriptedMonitor:
    """Counters that grow with every query: `traffic` events, split by what the flags truly say.

    An expression is `<what>/<side>` for the signal (bad, total), `<flag>/<side>` for a flag's traffic, or
    `orders` for the writes on the new side. A side is never quite silent: one event in a thousand.
    """

    def __init__(self, bell: Bell, share_of: Callable[[str], float]) -> None:
        self._share_of = share_of
        self.gate = Gate(bell)
        self.failing: Exception | None = None
        self.silent: set[str] = set()
        self.gauges: dict[str, float] = {}
        self.traffic = 1000.0
        self.bad_pct = {"legacy": 1.0, "new": 1.0}
        self.counters: dict[str, float] = {}
        self.source_time: Callable[[], datetime | None] = lambda: None
        self.asked = 0
        self.closed = 0

    async def query(self, expressions: Sequence[str]) -> Mapping[str, Sample | AdapterError]:
        self.asked += 1
        await self.gate.passed()
        if self.failing is not None:
            raise self.failing
        return {expression: self._sample(expression) for expression in expressions}

    async def preflight(self, expressions: Sequence[str]) -> Sequence[Preflight]:
        return ()

    async def aclose(self) -> None:
        self.closed += 1

    def _sample(self, expression: str) -> Sample:
        if expression in self.silent:
            return Sample(value=None, quality=Quality.NO_DATA)
        if expression in self.gauges:
            return Sample(value=self.gauges[expression], quality=Quality.GOOD)
        grown = self.counters.get(expression, 0.0) + self._growth(expression)
        self.counters[expression] = grown
        return Sample(value=grown, quality=Quality.GOOD, source_time=self.source_time())

    def _growth(self, expression: str) -> float:
        what, _, side = expression.partition("/")
        if what == "orders":
            return 7.0
        if what == "total":
            return self.traffic
        if what == "bad":
            return self.traffic * self.bad_pct[side] / 100
        new = max(self.traffic * self._share_of(what) / 100, self.traffic / 1000)
        return new if side == "new" else max(self.traffic - new, self.traffic / 1000)


class RememberingMonitor(ScriptedMonitor):
    """One that tells a past: `past` of each expression, or what it says instead. The gate of the past is its
    own, for the live polls must not wait for it."""

    def __init__(self, bell: Bell, share_of: Callable[[str], float]) -> None:
        super().__init__(bell, share_of)
        self.past: Callable[[str, datetime], Sequence[Sample] | AdapterError] = lambda _, __: ()
        self.past_gate = Gate(bell)
        self.past_failing: Exception | None = None
        self.past_asked: list[tuple[tuple[str, ...], datetime, datetime, float]] = []

    async def history(
        self, expressions: Sequence[str], *, start: datetime, end: datetime, step_s: float
    ) -> Mapping[str, Sequence[Sample] | AdapterError]:
        self.past_asked.append((tuple(expressions), start, end, step_s))
        await self.past_gate.passed()
        if self.past_failing is not None:
            raise self.past_failing
        return {expression: self.past(expression, end) for expression in expressions}


class ScriptedHook:
    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self.gate = Gate(bell)
        self.failing: Exception | None = None
        self.told: list[Announcement] = []
        self.closed = 0

    @property
    def moments(self) -> list[str]:
        return [announcement.moment for announcement in self.told]

    async def announce(self, announcement: Announcement) -> str:
        self.told.append(announcement)
        self._bell.tell()
        await self.gate.passed()
        if self.failing is not None:
            raise self.failing
        return "delivered"

    async def aclose(self) -> None:
        self.closed += 1


class FickleJournal(MemoryJournal):
    """A journal that fails when told to; `refusing` is asked before every append.

    meanwhile: what happens when an append has been asked for and nothing is written yet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refusing: JournalFailure | None = None
        self.unreadable: JournalFailure | None = None
        self.unpublishable: JournalFailure | None = None
        self.meanwhile: Callable[[Sequence[Draft]], None] = lambda drafts: None
        self.attempts = 0

    def append(
        self, kind: Kind, body: Mapping[str, object], *, actor: str, at: datetime, expected_seq: int
    ) -> Event:
        (event,) = self.append_many(
            [Draft(kind=kind, body=body)], actor=actor, at=at, expected_seq=expected_seq
        )
        return event

    def append_many(
        self, drafts: Sequence[Draft], *, actor: str, at: datetime, expected_seq: int
    ) -> tuple[Event, ...]:
        self.attempts += 1
        if self.refusing is not None:
            raise self.refusing
        self.meanwhile(drafts)
        return super().append_many(drafts, actor=actor, at=at, expected_seq=expected_seq)

    def read(self, after_seq: int = 0, limit: int | None = None) -> list[Event]:
        if self.unreadable is not None:
            raise self.unreadable
        return super().read(after_seq, limit)

    def publish(self, snapshot: bytes, at: datetime) -> None:
        if self.unpublishable is not None:
            raise self.unpublishable
        super().publish(snapshot, at)


FULL = JournalFailure(FailureKind.FULL, "The journal's disk is full", "/state/test.journal")
BUSY = JournalFailure(FailureKind.BUSY, "Another process keeps the journal busy")


@dataclass
class Cast:
    """Every adapter of one scripted flight."""

    service: ScriptedService
    monitor: ScriptedMonitor
    legacy: ScriptedProbe
    new: ScriptedProbe
    hook: ScriptedHook
    backup: ScriptedService
    sources_built: int = 0
    released: int = 0
    gates: list[Gate] = field(default_factory=list)

    def all_gates(self) -> tuple[Gate, ...]:
        return (
            self.service.read_gate,
            self.monitor.gate,
            self.legacy.gate,
            self.new.gate,
            self.hook.gate,
            self.backup.read_gate,
            *self.gates,
        )

    def shut_polls(self) -> None:
        for gate in (self.service.read_gate, self.monitor.gate, self.legacy.gate, self.new.gate):
            gate.shut()

    def open_all(self) -> None:
        for gate in self.all_gates():
            gate.open()
