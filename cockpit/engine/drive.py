"""Carries out what the core decides: journal first, then act, then journal what came of it.

Called after every event and every reading. Only the driving cockpit's `Drive` acts; another one on the
same journal folds and shows. A conflict on the journal means that somebody was first: decide again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from cockpit.adapters.base import Announcement
from cockpit.core.acts import Act, Announce, ReadBack, Record, Write
from cockpit.core.clean import clean_text
from cockpit.core.clock import Clock
from cockpit.core.clocks import ClockPair
from cockpit.core.dataclass import dataclass, replace
from cockpit.core.events import MACHINE, Event, Kind, Lever
from cockpit.core.flight import Flight, PendingWrite
from cockpit.core.levers import no_right
from cockpit.core.model import Failure, Mode, WriteOutcome, WriteResult
from cockpit.core.rollback import IllegalEvent, Rollback
from cockpit.core.rollback_steps import decide
from cockpit.core.settle import set_out, settle
from cockpit.core.snapshot import Level, Reason
from cockpit.core.spec import WRITE_LIMIT_S, HookMoment, Plan
from cockpit.engine.announcing import TOLD_AS_IT_HAPPENS, compose, compose_event, compose_stage
from cockpit.engine.effects import Effects, WriteOrder
from cockpit.engine.facts import flag_facts, rollback_facts
from cockpit.engine.journal_port import Draft, JournalFailure, SequenceConflict
from cockpit.engine.logbook import Logbook
from cockpit.engine.senses import Senses
from cockpit.engine.write_orders import intent, outcome, zeroing

LOST_AFTER_S = 2 * WRITE_LIMIT_S
ROUNDS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is to be done, and what the journal is told of it before that."""

    acts: Sequence[Act] = ()
    drafts: Sequence[Draft] = ()
    orders: Sequence[WriteOrder] = ()


class Drive:
    """Used from the engine's thread only."""

    def __init__(
        self,
        *,
        logbook: Logbook,
        senses: Senses,
        effects: Effects,
        clock: Clock,
        mode: Mode,
        session: str,
    ) -> None:
        self._logbook = logbook
        self._senses = senses
        self._effects = effects
        self._clock = clock
        self._mode = mode
        self.session = session
        self.trouble: str = ""
        self._unanswered: dict[str, float] = {}

    @property
    def writing(self) -> bool:
        """Whether a write of this process is in flight."""
        return self._effects.writing

    def writable(self, service: str) -> bool:
        """Whether this process holds a writer for the service."""
        return service in self._effects.writable

    @property
    def plan(self) -> Plan:
        return self._senses.plan

    def reasons(self) -> Iterator[Reason]:
        if self.trouble:
            yield Reason(level=Level.WARN, subject="cockpit", what=self.trouble)

    def run(self) -> None:
        """Decide and act until only answers, readings or people are waited for, or a write has been begun."""
        self.trouble = ""
        self.give_up_orphans(after_s=LOST_AFTER_S)
        for _ in range(ROUNDS):
            if not self._logbook.flight.seat.held_by(self.session):
                return  # it was lost in the middle: what is known here proves nothing to who drives now
            acts = self._acts(self._logbook.flight)
            if not acts:
                return
            try:
                self._carry_out(acts)
            except SequenceConflict:
                continue
            except IllegalEvent:
                self._one_by_one(acts)
            except JournalFailure as error:
                self.trouble = str(error)
                return
            if self._effects.leaving() or not any(isinstance(act, Record | Write) for act in acts):
                return

    def _one_by_one(self, acts: Sequence[Act]) -> None:
        """One act that cannot be must not keep the others from happening."""
        for act in acts:
            try:
                self._carry_out([act])
            except (SequenceConflict, IllegalEvent, JournalFailure) as error:
                self.trouble = str(error)

    def declare(self, drafts: Sequence[Draft], *, actor: str) -> None:
        """Journal what opens or widens a rollback; who drives then begins its first writes, whose intents are
        in the same transaction: they wait for the disk once.

        Raises SequenceConflict and IllegalEvent as `Logbook.append` does, and nothing was begun then.
        """
        work = _Work()

        def first_writes(flight: Flight) -> Sequence[Draft]:
            nonlocal work
            if flight.seat.held_by(self.session):
                with suppress(Exception):  # the turn behind it meets it, too, and tells it
                    work = self._drafted(self._acts(flight), flight.rollback)
            return [replace(draft, actor=MACHINE) for draft in work.drafts]

        at = self._clock.now()
        try:
            self._logbook.append(drafts, actor=actor, at=at, must=True, then=first_writes)
        except IllegalEvent:
            work = _Work()
            self._logbook.append(drafts, actor=actor, at=at, must=True)
        self._begin(work, self._logbook.flight.rollback)

    def _acts(self, flight: Flight) -> Sequence[Act]:
        """First what settles earlier reads and writes: a read must not stand behind the write it preceded."""
        now = self._clock.now()
        acts: list[Act] = []
        scope = frozenset(flight.rollback.flags) if flight.rollback is not None else frozenset()
        facts = flag_facts(self._senses, self._effects, flight)
        for key, fact in facts.items():
            state = flight.flag(key)
            act = set_out(state, fact) or (settle(state, fact) if key not in scope else None)
            if act is not None:
                acts.append(act)
        if flight.rollback is not None:
            known = rollback_facts(self._senses, self._effects, flight, facts, now)
            acts.extend(decide(flight.rollback, known, self.plan.rollback, now))
        return acts

    def _carry_out(self, acts: Sequence[Act]) -> None:
        """Records and write intents go to the journal in one transaction; only then do effects start."""
        rollback = self._logbook.flight.rollback
        work = self._drafted(acts, rollback)
        if work.drafts:
            must = rollback is not None
            self._logbook.append(work.drafts, actor=MACHINE, at=self._clock.now(), must=must)
        self._begin(work, rollback)

    def _drafted(self, acts: Sequence[Act], rollback: Rollback | None) -> _Work:
        """Raises IllegalEvent for a write that cannot be."""
        drafts: list[Draft] = []
        orders: list[WriteOrder] = []
        for act in acts:
            if isinstance(act, Record):
                drafts.append(Draft(kind=act.kind, body=act.body))
            elif isinstance(act, Write) and rollback is not None:
                order = zeroing(act, rollback, self.plan, ClockPair.of(self._clock))
                orders.append(order)
                drafts.append(intent(order, self.session))
        return _Work(acts=acts, drafts=drafts, orders=orders)

    def _begin(self, work: _Work, rollback: Rollback | None) -> None:
        """What is drafted there is in the journal now."""
        for order in work.orders:
            self.start(order)
        for act in work.acts:
            if isinstance(act, ReadBack):
                self._effects.read_back(act.flag, act.lever)
            elif isinstance(act, Announce) and rollback is not None:
                self.announce(act.hook, act.moment, rollback)

    def start(self, order: WriteOrder) -> None:
        """Start a write whose intent is journalled; without a writer it is refused on the spot."""
        if self._effects.busy(order.flag):
            detail = f"another write to {order.flag} is still in flight"
            self.wrote(order, WriteResult(outcome=WriteOutcome.REFUSED, detail=detail))
        elif order.service in self._effects.writable:
            self._effects.write(order)
        else:
            holder = self._logbook.flight.seat.holder
            detail = no_right("this cockpit" if holder is None else holder.name, order.service)
            self.wrote(order, WriteResult(outcome=WriteOutcome.REFUSED, detail=detail))

    def wrote(self, order: WriteOrder, result: WriteResult) -> None:
        """Journal what came of a write. The outcome must not be lost, whatever the journal does."""
        self.record(Kind.WRITE_OUTCOME, outcome(order, result), must=True)

    def take_answers(self) -> None:
        """Journal what came of writes since the last time, in one transaction; each by itself where one of
        them came too late."""
        answers = self._effects.take_answers()
        drafts = [Draft(kind=Kind.WRITE_OUTCOME, body=outcome(*answer)) for answer in answers]
        if answers and not self.record_all(drafts, must=True):
            for answer in answers:
                self.wrote(*answer)

    def record(
        self,
        kind: Kind,
        body: dict[str, object],
        *,
        actor: str = MACHINE,
        must: bool = False,
        still: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Append one event, deciding again after a conflict; False when it could not be appended.

        still: whether it is true yet, on what others appended first. While a rollback is open everything
        happens, written or not. What must not be lost and cannot follow the state any more (an answer that
        another cockpit gave up) is kept as a note.
        """
        for _ in range(ROUNDS):
            if not still():
                return False
            needed = must or self._logbook.flight.rollback is not None
            try:
                self._logbook.append(
                    [Draft(kind=kind, body=body)], actor=actor, at=self._clock.now(), must=needed
                )
                return True
            except SequenceConflict:
                continue
            except IllegalEvent as error:
                self.trouble = str(error)
                if not must:
                    return False
                text = clean_text(f"came too late ({error}): {body.get('action')} {body.get('outcome')}")
                kind, body, must = Kind.NOTE_ADDED, {"text": f"{body.get('flag')}: {text}"}, False
            except JournalFailure as error:
                self.trouble = str(error)
                return False
        return False

    def record_all(self, drafts: Sequence[Draft], *, must: bool = False) -> bool:
        """Append events together, deciding nothing; False when they could not be appended."""
        for _ in range(ROUNDS):
            try:
                self._logbook.append(drafts, actor=MACHINE, at=self._clock.now(), must=must)
                return True
            except SequenceConflict:
                continue
            except (IllegalEvent, JournalFailure) as error:
                self.trouble = str(error)
                return False
        return False

    def announce(self, hook: str, moment: HookMoment, rollback: Rollback) -> None:
        spec = next((spec for spec in self.plan.announce if spec.name == hook), None)
        if spec is not None:
            message = compose(rollback, moment, hook, plan=self.plan, mode=self._mode, now=self._clock.now())
            self._effects.announce(hook, message, spec.timeout_s)

    def announced(self, hook: str, message: Announcement, receipt: str, failure: Failure | None) -> None:
        body: dict[str, object] = {
            "rollback": message.facts.get("rollback"),
            "hook": hook,
            "moment": message.moment,
            "event_id": message.event_id,
        }
        if failure is None:
            self.record(Kind.ANNOUNCE_SENT, {**body, "receipt": receipt})
        else:
            self.record(Kind.ANNOUNCE_FAILED, {**body, "detail": failure.title})

    def give_up_orphans(self, after_s: float = 0.0, *, living: bool = False) -> None:
        """A write whose answer another process never journalled is unknown.

        At once at take-off and take-over. While flying, a cockpit that stood in may have died with a write
        in flight: no living one takes longer than `after_s` to journal an answer, counted on the steady
        clock from when the intent was first seen here. A write that is given up
        at once is lost and takes none of the machine's tries: a cockpit that dies twice is no refusal.
        living: the driver before lives. A second lever may take minutes there: not pulled twice at once.
        """
        now_s, waited = self._clock.monotonic(), self._unanswered
        self._unanswered = {}
        for key, flag in self._logbook.flight.flags.items():
            for lever, pending in ((Lever.FIRST, flag.pending), (Lever.SECOND, flag.second)):
                if pending is None or pending.answered or self._effects.busy(key):
                    continue
                if living and lever is Lever.SECOND:
                    continue
                since_s = waited.get(pending.write_id, now_s)
                if not after_s or now_s - since_s >= max(after_s, 2 * pending.limit_s):
                    self._orphan(key, pending, lever, lost=not after_s)
                else:
                    self._unanswered[pending.write_id] = since_s

    def _orphan(self, key: str, pending: PendingWrite, lever: Lever, *, lost: bool) -> None:
        rollback = self._logbook.flight.rollback
        flips = rollback.flips if rollback is not None else ()
        ids = {way.write_id for flip in flips for way in (flip, flip.second) if way is not None}
        mine = pending.write_id in ids
        body: dict[str, object] = {
            "write_id": pending.write_id,
            "flag": key,
            "action": pending.action,
            "outcome": WriteOutcome.UNKNOWN.value,
            "detail": "the cockpit that wrote it ended before the answer came",
            "took_s": 0.0,
            "lost": lost,
            "lever": lever.value,
            "rollback": rollback.id if mine and rollback is not None else None,
        }
        self.record(Kind.WRITE_OUTCOME, body, must=True, still=partial(self._no_answer, key, lever, pending))

    def _no_answer(self, key: str, lever: Lever, pending: PendingWrite) -> bool:
        """Its answer may have come just now, from the one who wrote it: what is known is not made unknown."""
        flag = self._logbook.flight.flag(key)
        now = flag.second if lever is Lever.SECOND else flag.pending
        return now is not None and now.write_id == pending.write_id and not now.answered

    def pulled(self, flag: str) -> None:
        """The second lever waits for no answer of the first."""
        self._effects.abandon_first_lever(flag)

    def declared(self) -> None:
        """A forward write that is still unanswered gets the side limit, then the rollback goes first."""
        rollback = self._logbook.flight.rollback
        if rollback is not None:
            limit_s = self.plan.rollback.side_limit_s
            asyncio.get_running_loop().call_later(limit_s, self._go_first, rollback)

    def _go_first(self, declared: Rollback) -> None:
        """Not for a rollback that was cancelled meanwhile: it needs no way free any more. A write that the
        driver before left in flight is given up as well, if this cockpit drives now."""
        flight = self._logbook.flight
        if flight.rollback is None or flight.rollback.id != declared.id:
            return
        self._effects.abandon_forward_writes("the rollback goes first", declared.flags)
        if flight.seat.held_by(self.session):
            self.give_up_orphans(living=True)

    def announce_all(self, moment: HookMoment, rollback: Rollback) -> None:
        for hook in self.plan.announce:
            if moment in hook.moments:
                self.announce(hook.name, moment, rollback)

    def announce_event(self, event: Event) -> None:
        """Tell the hooks that want to know of what just happened; nothing waits for them."""
        moment = TOLD_AS_IT_HAPPENS.get(event.kind)
        if moment is None:
            return
        message = compose_event(event, moment, plan=self.plan, mode=self._mode)
        for hook in self.plan.announce:
            if moment in hook.moments:
                self._effects.announce(hook.name, message, hook.timeout_s)

    def announce_stage(self, flag: str, before: str, after: str, actor: str, event_id: str) -> None:
        message = compose_stage(
            flag,
            before,
            after,
            plan=self.plan,
            mode=self._mode,
            actor=actor,
            event_id=event_id,
            now=self._clock.now(),
        )
        for hook in self.plan.announce:
            if HookMoment.STAGE in hook.moments:
                self._effects.announce(hook.name, message, hook.timeout_s)
