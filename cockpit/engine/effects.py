"""What the engine does to the outside world: writes, read-backs, announcements. One write per flag at a time.

An effect starts after its intent is journalled and ends by reporting what is known: done, refused or
unknown. It never repeats a write by itself; what comes next is decided from the journalled outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from functools import partial

from cockpit.adapters.base import Announcement, FlagWriter, Warms
from cockpit.adapters.leaving import only_while_wanted
from cockpit.core.clean import Percent
from cockpit.core.clock import Clock
from cockpit.core.clocks import ClockPair, longest
from cockpit.core.dataclass import dataclass
from cockpit.core.events import Lever
from cockpit.core.model import Failure, FlagValue, WriteOutcome, WriteResult
from cockpit.engine.delivery import deliver
from cockpit.engine.sources import Sources

READ_BACK_PAUSES_S = (0.25, 0.5, 1.0, 2.0)
LEAVES_S = 0.03
"""How long a request may take from its beginning to its last byte before other work goes on beside it."""
STALE_INTENT_S = 2.0
"""A process that stood still for so long between an intent and its write may have lost the seat, and a kill
from before may meet a flag that people have moved on since. It is decided again, on what is known then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOrder:
    """One journalled intent. action: set, kill or zero; `expected` guards a set. key: the flag's name in the
    service, which the second lever may know by another one. intended: when, by both clocks."""

    write_id: str
    flag: str
    service: str
    key: str
    action: str
    percent: Percent | None
    expected: FlagValue | None
    rollback: str | None
    timeout_s: float
    intended: ClockPair
    lever: Lever = Lever.FIRST


class Effects:
    """Runs on the engine's loop. The callbacks are called on it, and must not raise.

    wrote: answers wait to be taken. Until they are, their flags are busy: what is not journalled yet must
    not be taken for a write that nobody answers. stands: why a write is not to be made any more, by what is
    journalled now; empty while it is.
    """

    def __init__(
        self,
        *,
        sources: Sources,
        clock: Clock,
        wrote: Callable[[], None],
        read: Callable[[str, Lever], Awaitable[bool]],
        announced: Callable[[str, Announcement, str, Failure | None], None],
        freed: Callable[[], None],
        stands: Callable[[WriteOrder], str],
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._wrote = wrote
        self._read = read
        self._announced = announced
        self._freed = freed
        self._stands = stands
        self._tasks: set[asyncio.Task[None]] = set()
        self._writes: dict[str, tuple[WriteOrder, asyncio.Task[None]]] = {}
        self._under_way: set[str] = set()
        self._answers: list[tuple[WriteOrder, WriteResult]] = []
        self._abandoned: dict[str, str] = {}
        self._read_backs: dict[tuple[str, Lever], int] = {}
        self._reading: set[tuple[str, Lever]] = set()
        self._announcements: dict[tuple[str, str], str] = {}
        self._in_order: dict[str, asyncio.Lock] = {}
        self._leaves: asyncio.TimerHandle | None = None

    def adopt(self, sources: Sources) -> None:
        """Act through these adapters from now on; nothing may be in flight."""
        self._sources = sources

    @property
    def writable(self) -> frozenset[str]:
        """The services that this process holds a writer for."""
        return frozenset(self._sources.writers)

    def warms(self, service: str) -> Warms | None:
        """The service's writer, where it can keep its connections open."""
        writer = self._sources.writers.get(service)
        return writer if isinstance(writer, Warms) else None

    @property
    def idle(self) -> bool:
        return not self._tasks

    @property
    def writing(self) -> bool:
        return bool(self._writes)

    @property
    def announcing(self) -> frozenset[tuple[str, str]]:
        """Hook and moment of every announcement in flight."""
        return frozenset((hook, moment) for (hook, _), moment in self._announcements.items())

    def busy(self, flag: str) -> bool:
        """Whether a write of this flag is in flight. A read in flight keeps nobody from writing."""
        return flag in self._writes

    def write(self, order: WriteOrder) -> None:
        """Start the write of a journalled intent. At most one per flag."""
        if order.flag in self._writes:
            raise RuntimeError(f"{order.flag} has a write in flight")
        self._read_backs.pop((order.flag, order.lever), None)
        self._writes[order.flag] = (order, self._spawn(self._write(order)))
        self._let_leave()

    def take_answers(self) -> Sequence[tuple[WriteOrder, WriteResult]]:
        """What came of writes since the last time, in order. Whoever takes it journals it at once."""
        answers, self._answers = self._answers, []
        for order, _ in answers:
            del self._writes[order.flag]
        return answers

    def abandon_forward_writes(self, why: str, flags: Collection[str] | None = None) -> None:
        """Nobody waits any longer for an unanswered forward write (None: of any flag): a rollback goes first,
        or another cockpit drives now. Its outcome becomes unknown."""
        for order, task in self._writes.values():
            if order.action == "set" and (flags is None or order.flag in flags):
                self._abandon(order, task, why)

    def abandon_first_lever(self, flag: str) -> None:
        """A person pulled the second lever: what the first one does not answer is not waited for."""
        order, task = self._writes.get(flag, (None, None))
        if order is not None and task is not None and order.lever is Lever.FIRST:
            self._abandon(order, task, "the second lever goes first")

    def _abandon(self, order: WriteOrder, task: asyncio.Task[None], why: str) -> None:
        """A write that has not begun yet begins no more. A task that is cancelled before its first step never
        runs at all, and would leave the flag busy for good: so the step is let come first."""
        if any(answered is order for answered, _ in self._answers):
            return
        self._abandoned[order.write_id] = why
        asyncio.get_running_loop().call_soon(task.cancel)

    def leaving(self) -> bool:
        """Whether a write was begun just now, and is on its way out. Everything else on the loop waits for so
        long: one flush to the disk or one picture takes longer than the request. `freed` comes after it."""
        return self._leaves is not None and self.writing

    def _let_leave(self) -> None:
        if self._leaves is not None:
            self._leaves.cancel()
        self._leaves = asyncio.get_running_loop().call_later(LEAVES_S, self._has_left)

    def _has_left(self) -> None:
        self._leaves = None
        self._freed()

    def read_back(self, flag: str, lever: Lever = Lever.FIRST) -> None:
        if (flag, lever) not in self._reading:
            self._reading.add((flag, lever))
            self._spawn(self._read_back(flag, lever))

    def announce(self, hook: str, announcement: Announcement, timeout_s: float) -> None:
        key = (hook, announcement.event_id)
        if key not in self._announcements:
            self._announcements[key] = announcement.moment
            self._spawn(self._announce(hook, announcement, timeout_s))

    async def finish(self, limit_s: float) -> None:
        """Let what is in flight end, at most `limit_s`, then cancel the rest and give that as long."""
        for _ in range(2):
            if self._tasks:
                await asyncio.wait(set(self._tasks), timeout=limit_s)
            for task in set(self._tasks):
                task.cancel()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _write(self, order: WriteOrder) -> None:
        began = self._clock.monotonic()
        self._under_way.add(order.write_id)
        try:
            async with asyncio.timeout(order.timeout_s):
                result = await self._ask_writer(self._sources.writers[order.service], order)
        except TimeoutError:
            result = _unknown(f"no answer in {order.timeout_s:g} s", self._clock.monotonic() - began)
        except asyncio.CancelledError:
            if order.write_id not in self._abandoned:
                raise
            why = self._abandoned[order.write_id]
            result = _unknown(f"given up unanswered, {why}", self._clock.monotonic() - began)
        except Exception as error:  # the command edge: whatever broke, the outcome is unknown, not lost
            text = f"the cockpit's own fault: {type(error).__name__}"
            result = _unknown(text, self._clock.monotonic() - began)
        finally:
            self._under_way.discard(order.write_id)
        self._abandoned.pop(order.write_id, None)
        self._answers.append((order, result))
        self._wrote()

    async def _ask_writer(self, writer: FlagWriter, order: WriteOrder) -> WriteResult:
        if order.write_id in self._abandoned:
            return _unsent(f"{self._abandoned[order.write_id]}: nothing was sent")
        if longest(order.intended, ClockPair.of(self._clock)) > STALE_INTENT_S:
            return _unsent("this cockpit stood still before it wrote: nothing was sent")
        with only_while_wanted(partial(self._why_not, order)):
            if order.action == "kill":
                return await writer.kill(order.key)
            if order.action == "zero":
                return await writer.zero(order.key)
            if order.percent is None or order.expected is None:
                return WriteResult(
                    outcome=WriteOutcome.REFUSED, detail="a forward write needs a reading first"
                )
            return await writer.set_percent(order.key, order.percent, expected=order.expected)

    def _why_not(self, order: WriteOrder) -> str:
        """Why nothing of this write may leave any more. A limit that the loop keeps may come behind what woke
        up with it; and whoever stood still for long reads first what others did meanwhile. A step forward
        always does."""
        passed_s = longest(order.intended, ClockPair.of(self._clock))
        if order.write_id in self._abandoned:
            return self._abandoned[order.write_id]
        if order.write_id not in self._under_way or passed_s > order.timeout_s:
            return f"nobody waits for it any more, {passed_s:.1f} s after it was decided"
        asks = (order.action == "set" or passed_s > STALE_INTENT_S) and _on_the_loop()
        return self._stands(order) if asks else ""

    async def _read_back(self, flag: str, lever: Lever) -> None:
        """Only the first good read after a write is without a pause: another one means that it proved
        nothing (the clock was set back), and a service must not be asked as fast as it can answer."""
        try:
            good = await self._read(flag, lever)
            asked = self._read_backs[flag, lever] = self._read_backs.get((flag, lever), 0) + 1
            if not good or asked > 1:
                await asyncio.sleep(READ_BACK_PAUSES_S[min(asked, len(READ_BACK_PAUSES_S)) - 1])
        finally:
            self._reading.discard((flag, lever))
        self._freed()

    async def _announce(self, hook: str, announcement: Announcement, timeout_s: float) -> None:
        """A hook is told in order: what is tried again must not arrive behind the news that ends it."""
        try:
            async with self._in_order.setdefault(hook, asyncio.Lock()):
                announcer = self._sources.announcers.get(hook)
                receipt, failure = await deliver(announcer, announcement, timeout_s=timeout_s)
        finally:
            self._announcements.pop((hook, announcement.event_id), None)
        self._announced(hook, announcement, receipt, failure)


def _unknown(detail: str, took_s: float) -> WriteResult:
    return WriteResult(outcome=WriteOutcome.UNKNOWN, detail=detail, took_s=took_s)


def _on_the_loop() -> bool:
    """Adapters ask from threads, too, and the journal is the loop's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _unsent(detail: str) -> WriteResult:
    return WriteResult(outcome=WriteOutcome.REFUSED, detail=detail, unsent=True)
