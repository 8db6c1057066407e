"""Two cockpits at once, on one journal and one flag service, stepped by one hand.

Each has its own pilot, loop, wall clock and hand on the journal; the steady clock is everybody's. `Pair`
turns whoever has something to do; a frozen cockpit is not turned, and its beats stand still. What one does
in the middle of the other's append happens on the thread that carries out that append: the other's loop
waits for it, so that nothing depends on which thread is quicker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cockpit.adapters.base import AdapterError, Unreachable
from cockpit.adapters.leaving import must_be_wanted
from cockpit.core.clean import ZERO, Percent
from cockpit.core.events import Event
from cockpit.core.model import FlagValue, Side, WriteOutcome, WriteResult
from cockpit.core.spec import Plan
from cockpit.engine.journal_port import Beat, Draft
from cockpit.engine.sources import Sources
from tests.engine.by_action import WritesByAction
from tests.engine.scripted import FULL, Bell, HandClock, ScriptedHook, ScriptedMonitor, ScriptedProbe, down
from tests.engine.stepping import Cockpit, Lifeline, SteppedJournal


class OwnClock:
    """The wall clock of one host beside the steady one of all."""

    def __init__(self, shared: HandClock) -> None:
        self._shared = shared
        self._set = timedelta()

    def now(self) -> datetime:
        return self._shared.now() + self._set

    def monotonic(self) -> float:
        return self._shared.monotonic()

    def advance(self, seconds: float) -> None:
        self._shared.advance(seconds)

    def set_ahead(self, seconds: float) -> None:
        self._set += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Meanwhile:
    """What happens in the middle of an append, once, when so many others have gone by."""

    skips: int
    work: Callable[[], None]


def _come(meanwhile: Meanwhile | None) -> Meanwhile | None:
    if meanwhile is not None and not meanwhile.skips:
        meanwhile.work()
        return None
    return meanwhile and replace(meanwhile, skips=meanwhile.skips - 1)


class Hand(Lifeline):
    """One cockpit's hand on the common journal, beats included.

    kept: what an append returned, which nobody may lose. full: this one cannot append. In the middle of one
    something may happen: before anything is on the disk, or when it is and this cockpit does not know yet.
    """

    def __init__(self, book: SteppedJournal) -> None:
        super().__init__(book)
        self.kept: list[Event] = []
        self.full = False
        self._before: Meanwhile | None = None
        self._behind: Meanwhile | None = None

    def append_many(
        self, drafts: Sequence[Draft], *, actor: str, at: datetime, expected_seq: int
    ) -> tuple[Event, ...]:
        if self.full and not self.dead:
            raise FULL
        self._before = _come(self._before)
        done = super().append_many(drafts, actor=actor, at=at, expected_seq=expected_seq)
        self.kept.extend(done)
        self._behind = _come(self._behind)
        return done

    def meanwhile(self, moment: str, skips: int, work: Callable[[], None]) -> None:
        """Do this in the middle of an append, but let so many others go by."""
        if moment == "before":
            self._before = Meanwhile(skips, work)
        else:
            self._behind = Meanwhile(skips, work)

    def in_peace(self) -> None:
        self._before = self._behind = None

    def last_seq(self) -> int:
        self._refuse_dead()
        return self._book.last_seq()

    def beat(self, beat: Beat) -> None:
        self._refuse_dead()
        self._book.beat(beat)

    def beats(self) -> tuple[Beat, ...]:
        self._refuse_dead()
        return self._book.beats()

    def leave(self, session: str) -> None:
        self._book.leave(session)


@dataclass
class Sent:
    """A write that arrived and that its cockpit still waits for."""

    who: int
    write_id: str
    action: str
    flag: str
    percent: Percent | None
    answer: asyncio.Future[WriteResult]
    loop: asyncio.AbstractEventLoop


@dataclass(frozen=True)
class Read:
    """What one read gave, and how long the journal was by then."""

    behind: int
    values: Mapping[str, Percent | None]


class CommonService:
    """truth: what users get. out: writes that wait for an answer; late: those nobody waits for any more."""

    def __init__(self, percents: Mapping[str, float], book: SteppedJournal) -> None:
        self.truth = {
            key: FlagValue(key=key, on=percent > 0, percent=Percent.parse(percent))
            for key, percent in percents.items()
        }
        self._book = book
        self.out: list[Sent] = []
        self.late: list[Sent] = []
        self.reads: list[Read] = []
        self.down = False

    def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        if self.down:
            raise down()
        values = {key: self.truth[key] for key in keys}
        exposures = {key: value.exposure for key, value in values.items()}
        self.reads.append(Read(len(self._book.everything()), exposures))
        return values

    def was_read(self, key: str, exposure: Percent | None, *, behind: int) -> bool:
        """Whether a read that began behind that event gave this."""
        return any(
            each.behind >= behind and key in each.values and each.values[key] == exposure
            for each in self.reads
        )

    async def write(self, sent: Sent) -> WriteResult:
        self.out.append(sent)
        try:
            return await sent.answer
        except asyncio.CancelledError:
            self.late.append(sent)
            raise
        finally:
            self.out.remove(sent)

    def answers(self, sent: Sent, outcome: WriteOutcome, *, lands: bool) -> None:
        """To be called on the loop of the cockpit that waits."""
        if lands:
            self.land(sent)
        if not sent.answer.done():
            sent.answer.set_result(WriteResult(outcome=outcome, detail="as told", took_s=0.01))

    def change(self, key: str, percent: float) -> None:
        """Somebody else sets the flag."""
        self.truth[key] = replace(self.truth[key], on=percent > 0, percent=Percent.parse(percent))

    def land(self, sent: Sent) -> None:
        old = self.truth[sent.flag]
        if sent.action == "kill":
            self.truth[sent.flag] = replace(old, on=False)
        elif sent.action == "zero":
            self.truth[sent.flag] = replace(old, percent=ZERO)
        else:
            self.truth[sent.flag] = replace(old, on=True, percent=sent.percent)

    def exposure(self, key: str) -> float:
        exposure = self.truth[key].exposure
        return 0.0 if exposure is None else exposure.value


class Token(WritesByAction):
    """One cockpit's access to the service: what it writes is known to be its own. It looks before it writes,
    which may take a while."""

    def __init__(self, berth: Berth) -> None:
        self._berth = berth

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        return self._berth.service.read(keys)

    async def write(self, action: str, key: str, percent: Percent | None) -> WriteResult:
        if self._berth.looks_s:
            await asyncio.sleep(self._berth.looks_s)
        try:
            must_be_wanted()
        except Unreachable as held:
            return WriteResult(outcome=WriteOutcome.REFUSED, detail=held.failure.title, unsent=True)
        loop = asyncio.get_running_loop()
        sent = Sent(self._berth.slot, "", action, key, percent, loop.create_future(), loop)
        self._berth.arrived(sent)
        return await self._berth.service.write(sent)


class Berth:
    """One of the two places a cockpit can be started in, again and again.

    arrived: told of every write before it is carried out; it names the write, and may raise. looks_s: how
    long the look before a write takes.
    """

    def __init__(
        self,
        slot: int,
        plan: Plan,
        shared: HandClock,
        book: SteppedJournal,
        service: CommonService,
        arrived: Callable[[Sent], None],
    ) -> None:
        self.slot = slot
        self.plan = plan
        self.clock = OwnClock(shared)
        self.service = service
        self.arrived = arrived
        self.hands: list[Hand] = []
        self.cockpit: Cockpit | None = None
        self.frozen = False
        self.looks_s = 0.0
        self._book = book
        bell = Bell()
        self._monitor = ScriptedMonitor(bell, service.exposure)
        self._probes = {side: ScriptedProbe(bell) for side in Side}
        self._hook = ScriptedHook(bell)

    @property
    def awake(self) -> Cockpit | None:
        return None if self.frozen else self.cockpit

    def line(self) -> Hand:
        self.hands.append(Hand(self._book))
        return self.hands[-1]

    @property
    def hand(self) -> Hand:
        """Of the cockpit that was started last."""
        return self.hands[-1]

    def sources(self, plan: Plan) -> Sources:
        token = Token(self)
        return Sources(
            readers={"flags": token},
            monitors={"metrics": self._monitor},
            probes={(side, "health"): probe for side, probe in self._probes.items()},
            writers={"flags": token},
            announcers={"chat": self._hook},
        )

    def start(self, number: int, heard: Callable[[Event], None]) -> None:
        self.frozen = False
        self.cockpit = Cockpit(self, number, heard)
        self.cockpit.take_off()
        self.bury()

    def bury(self) -> None:
        """A cockpit that died in an append is gone, with all it had in memory."""
        if self.cockpit is not None and self.hand.dead:
            self.crash()

    def crash(self) -> None:
        if self.cockpit is not None:
            self.cockpit.crash()
            self._book.leave(self.cockpit.identity.session)
            self.cockpit, self.frozen = None, False


class Pair:
    """Both places, and time, which passes for both at once."""

    def __init__(self, plan: Plan, percents: Mapping[str, float], arrived: Callable[[Sent], None]) -> None:
        self.clock = HandClock()
        self.book = SteppedJournal()
        self.service = CommonService(percents, self.book)
        self.plan = plan
        self.berths = tuple(
            Berth(slot, plan, self.clock, self.book, self.service, arrived) for slot in range(2)
        )
        self.first = 0

    @property
    def awake(self) -> list[Cockpit]:
        """In the order in which they get their turns."""
        berths = self.berths if self.first == 0 else self.berths[::-1]
        return [each.awake for each in berths if each.awake is not None]

    def pass_time(self, seconds: float) -> None:
        """From one timer to the next, whoever's it is."""
        end = self.clock.monotonic() + seconds
        self.turn()
        while (due := min((each.loop.next_s() for each in self.awake), default=end + 1)) <= end:
            self.clock.advance(max(0.0, due - self.clock.monotonic()) + 1e-6)
            self.turn()
        self.clock.advance(max(0.0, end - self.clock.monotonic()))
        self.turn()

    def turn(self) -> None:
        for each in self.awake:
            if each in self.awake:  # the one before may have been its end
                each.loop.turn()
        for berth in self.berths:
            berth.bury()

    def answer(self, sent: Sent, outcome: WriteOutcome, *, lands: bool) -> None:
        """Nobody hears it while its cockpit is frozen; it lands all the same."""
        cockpit = self.berths[sent.who].cockpit
        if cockpit is None or cockpit.loop is not sent.loop:
            return
        if self.berths[sent.who].frozen:
            cockpit.loop.call_soon(lambda: self.service.answers(sent, outcome, lands=False))
            if lands:
                self.service.land(sent)
            return
        cockpit.on_loop(lambda: self.service.answers(sent, outcome, lands=lands))
        self.berths[sent.who].bury()
