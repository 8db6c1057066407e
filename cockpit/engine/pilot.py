"""What happens on the engine's loop: polls, turns, and the picture.

A turn is short and never waits: it journals what changed, lets `Drive` carry out what the core decides,
settles commands, and draws a new snapshot. It follows every reading, answer and command. A part of it that
breaks is shown and journalled and keeps no other part from happening: nothing ends the engine but `stop`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from cockpit.core import commands as asked
from cockpit.core.commands import Command
from cockpit.core.driver import How
from cockpit.core.events import Kind
from cockpit.core.flight import elsewhere
from cockpit.core.leaving import Here, may_leave
from cockpit.core.rollback import IllegalEvent
from cockpit.core.snapshot import Snapshot
from cockpit.core.spec import Plan
from cockpit.engine.clock_watch import ClockWatch
from cockpit.engine.drive import Drive
from cockpit.engine.effects import Effects
from cockpit.engine.flying import Flying
from cockpit.engine.guard import Guard, told_by
from cockpit.engine.hearing import hearing
from cockpit.engine.host_gauge import HostGauge
from cockpit.engine.identity import signing_in
from cockpit.engine.journal_failures import of_elsewhere
from cockpit.engine.journal_port import Draft, JournalFailure, SequenceConflict
from cockpit.engine.logbook import Logbook
from cockpit.engine.orders import Orders
from cockpit.engine.patient_journal import PatientJournal
from cockpit.engine.picture import Agreements, Frame, agree, draw, flag_status
from cockpit.engine.polls import Polls
from cockpit.engine.read_back import ReadBacks
from cockpit.engine.replan import PlanOffer, Replan
from cockpit.engine.salvage import Salvage
from cockpit.engine.seat import Seat
from cockpit.engine.senses import Senses
from cockpit.engine.sources import Sources, release, unbuilt
from cockpit.engine.standing import Standing
from cockpit.engine.studio import Studio
from cockpit.engine.teller import Teller
from cockpit.engine.turns import Turns
from cockpit.engine.veto import VetoTime
from cockpit.engine.warmth import Warmth

BEAT_S = 0.25
MEND_SPACING_S = 0.5
LEAVE_LIMIT_S = 2.0


class Pilot:
    """Used from the engine's thread only. `show` is called with every new snapshot and must not block.
    later: the adapters are not there before `build`, which comes after `open` and before all else."""

    def __init__(self, flying: Flying, *, show: Callable[[Snapshot], None], later: bool = False) -> None:
        self._flying = flying
        self._show = show
        self._clock = flying.clock
        self._plan = flying.plan
        self._sources = unbuilt(flying.plan) if later else flying.sources(flying.plan)
        self._journal = PatientJournal(flying.journal)
        self._logbook = Logbook(self._journal, path=flying.journal_path)
        self._salvage = Salvage(flying.rescue, self._logbook, lambda: self._plan.environment)
        self._senses = Senses(
            self._plan,
            self._sources,
            self._clock,
            lambda source: self._turns.soon(),
            lambda: self._logbook.flight.last_seq,
        )
        self._logbook.on_renumbered = self._senses.prove_nothing
        self._effects = Effects(
            sources=self._sources,
            clock=self._clock,
            wrote=lambda: self._turns.answered(),
            read=ReadBacks(self._senses, lambda: self._plan).read,
            announced=lambda *told: self._then(self._drive.announced, *told),
            freed=lambda: self._turns.soon(),
            stands=Standing(self._logbook, flying.identity.session).why_not,
        )
        self._drive = Drive(
            logbook=self._logbook,
            senses=self._senses,
            effects=self._effects,
            clock=self._clock,
            mode=flying.identity.mode,
            session=flying.identity.session,
        )
        self._warmth = Warmth(self._senses, self._effects, self._logbook, flying)
        self._guard = Guard(self._tell_fault)
        self._turns = Turns(
            turn=self._turn,
            deliver=lambda: self._guard.run("answer", self._drive.take_answers),
            pressing=lambda: self._logbook.flight.rollback is not None,
        )
        self._seat = Seat(
            journal=self._journal,
            logbook=self._logbook,
            identity=flying.identity,
            clock=self._clock,
            guard=self._guard,
            sign_in=self._sign_in,
            gained=self._gained,
            lost=partial(self._effects.abandon_forward_writes, "another cockpit drives now"),
        )
        self._orders = Orders(
            logbook=self._logbook,
            senses=self._senses,
            drive=self._drive,
            clock=self._clock,
            status_of=lambda key: flag_status(self._frame(), key),
            seat=self._seat,
            identity=flying.identity,
            poll_now=lambda: self._polls.poke(),
            make_ready=lambda flags: self._guard.run("warmth", partial(self._warmth.wanted, flags)),
            take_plan=lambda *asked_for: self._replan.take(*asked_for),
        )
        self._veto_time = VetoTime(
            logbook=self._logbook, senses=self._senses, clock=self._clock, carry_out=self._orders.carry_out
        )
        self._replan = Replan(
            offers=flying.plan_offers,
            sources=flying.sources,
            flown=lambda: self._plan,
            refusal=self._keeps_plan,
            adopt=self._adopt,
            draw=lambda: self._studio.draw(),
        )
        self._teller = Teller(
            senses=self._senses,
            effects=self._effects,
            logbook=self._logbook,
            drive=self._drive,
            clock=self._clock,
        )
        self._polls = Polls(self._senses, flying.rng, recalls=flying.recalls)
        self._host = HostGauge(self._clock, self._senses.clock_skew_s)
        self._heard = hearing(seat=self._seat, drive=self._drive, senses=self._senses, logbook=self._logbook)
        self._agreements: Agreements = {}
        self._clock_watch = ClockWatch(
            clock=self._clock,
            logbook=self._logbook,
            senses=self._senses,
            drive=self._drive,
            drives=lambda: self._seat.taken,
        )
        self._started_at, self._started_s = self._clock.now(), self._clock.monotonic()
        self._stop_why: str | None = None
        self._leave_open = False
        self._signed_off = False
        self._stop = asyncio.Event()
        self._mended_at = float("-inf")
        self._studio = Studio(
            paint=self._picture,
            show=self._show,
            journal=self._journal,
            publishes=lambda: self._seat.taken or self._signed_off,
            guard=self._guard,
            ready=self._ready_to_draw,
        )

    def open(self) -> None:
        """Fold the journal, say that this process is here, show the first picture.

        Raises JournalFailure when the journal cannot be read at all, or is of another environment.
        """
        self._logbook.catch_up()
        if self._logbook.failure is not None:
            raise self._logbook.failure
        self._journal.hurry()
        self._clock_watch.take_off()
        self._logbook.on_event = self._heard
        if not self._flying.identity.read_only:
            self._salvage.take_in()
        flight, environment = self._logbook.flight, self._plan.environment
        away = elsewhere(flight, environment)
        if away and flight.rollback is not None:
            raise of_elsewhere(f"a rollback is open in {flight.environment}", environment)
        self._seat.look()
        if away and not self._seat.taken:
            raise of_elsewhere(f"it was flown in {flight.environment} last", environment)
        self._studio.draw()

    def build(self, seen: Callable[[], object]) -> None:
        """The adapters, once the first picture was `seen`, for which an open rollback does not wait."""
        self._studio.hand_out_now()
        if self._logbook.flight.rollback is None:
            seen()
        self._sources = self._flying.sources(self._plan)
        self._senses.ask_through(self._sources)
        self._effects.adopt(self._sources)

    async def fly(self) -> None:
        """Until told to stop; with a rollback open, until the machine has done what it can."""
        self._polls.begin(self._plan)
        watching = self._guard.see_through("plan file, not watched any more", self._replan.watch(self._stop))
        offers = asyncio.create_task(watching)
        try:
            await self._beat()
        finally:
            self._stop.set()
            await self._polls.end()
            offers.cancel()
            await asyncio.gather(offers, return_exceptions=True)

    async def leave(self) -> None:
        """Let what is in flight end, sign out, release everything; whatever hangs or breaks meanwhile."""
        try:
            await self._effects.finish(limit_s=LEAVE_LIMIT_S)
            self._turns.end()
            if self._seat.taken:
                self._logbook.flush()
                self._sign_off(self._stop_why or "the engine failed")
                self._studio.draw_last()
        finally:
            self._salvage.put()
            await release((*self._replan.retired, self._sources), limit_s=LEAVE_LIMIT_S)
            with suppress(JournalFailure):  # the end of the process tells the others, too
                self._seat.leave()
            self._journal.close()

    def _sign_off(self, why: str) -> None:
        """The seat is free as soon as this flight has ended, and not before."""
        self._signed_off = True
        ended = Draft(kind=Kind.FLIGHT_ENDED, body={"why": why})
        self._drive.record_all([self._seat.released("the cockpit was left"), ended])

    def take(self, batch: Sequence[Command], late: Sequence[Command] = ()) -> None:
        """Carry out commands in order, but a rollback first; forward moves behind it are then refused. Those
        that come too late are refused all.

        What others journalled comes before all: a cockpit that stood still may have lost the seat. A declare
        finds that out when it is journalled, and is then decided again.
        """
        declares = [command for command in batch if isinstance(command, asked.DeclareRollback)]
        if not declares:
            self._logbook.catch_up()
        self._turns.deliver()
        if self._flying.identity.read_only:
            self._orders.refuse(batch, "this cockpit is read-only")
            self._studio.draw()
            return
        for declare in declares:
            self._orders.carry_out(declare)
            self._turn(declared=True)
        others = [command for command in batch if command not in declares]
        for command in others:
            self._orders.carry_out(command)
        self._orders.refuse(late, "this cockpit stood still since that key: look, and press it again")
        if others or late:
            self._turn()

    def stop(self, why: str, *, leave_open: bool = False) -> None:
        """leave_open: do not wait for the machine's part of an open rollback."""
        self._leave_open = self._leave_open or leave_open
        if self._stop_why is None:
            self._stop_why = why
            rollback = self._logbook.flight.rollback
            if rollback is not None and self._seat.taken:
                self._drive.record(Kind.OPERATOR_LOST, {"why": why, "rollback": rollback.id})
        self._stop.set()

    @property
    def last_words(self) -> tuple[str, ...]:
        """What has to be said where people still read once the screen is gone."""
        return self._salvage.last_words

    def _sign_in(self) -> Draft:
        return signing_in(self._flying.identity, self._plan, first=self._logbook.flight.opened_at is None)

    def _gained(self, how: How) -> None:
        """Nobody answers any more for what one that is gone has written; a living one gets a moment."""
        if how in (How.FREE, How.GONE, How.SILENCE):
            self._drive.give_up_orphans()
        else:
            asyncio.get_running_loop().call_later(self._plan.rollback.side_limit_s, self._give_up_orphans)

    def _give_up_orphans(self) -> None:
        if self._seat.taken:
            self._guard.run("orphans", partial(self._drive.give_up_orphans, living=True))

    async def _beat(self) -> None:
        """Four times a second: what others journalled, what time alone changes, the host, the stop."""
        loop = asyncio.get_running_loop()
        due = loop.time() + BEAT_S
        while not (self._stop.is_set() and self._may_leave()):
            await asyncio.sleep(max(0.0, due - loop.time()))
            self._host.late(loop.time() - due)
            due = max(due + BEAT_S, loop.time())
            self._guard.run("journal", self._tend_journal)
            self._turns.deliver()
            self._guard.run("driver's seat", self._seat.look)
            self._guard.run("host", self._host.look)
            self._guard.run("warmth", self._warmth.look)
            self._turn()

    def _tend_journal(self) -> None:
        """Write what could not be written, now and then; fold what others wrote; spare the next the fold."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._mended_at >= MEND_SPACING_S:
            self._mended_at = now_s
            self._logbook.mend(self._clock.now())
        self._logbook.catch_up()
        if self._seat.taken:
            self._logbook.keep_resume_point()
            for words in self._salvage.news():
                self._drive.record(Kind.NOTE_ADDED, {"text": words})

    def _may_leave(self) -> bool:
        here = Here(
            drives=self._seat.taken,
            at_once=self._leave_open,
            writing=self._effects.writing,
            idle=self._effects.idle,
            since_s=self._clock.monotonic() - self._started_s,
        )
        return may_leave(self._logbook.flight.rollback, here, self._clock.now())

    def _then(self, function: Callable[..., None], *values: object) -> None:
        self._guard.run("answer", partial(function, *values))
        self._turn()

    def _turn(self, *, declared: bool = False) -> None:
        """Journal what changed, act on it, settle commands, draw; never waits or raises upwards. A write that
        leaves goes before all that. declared: and before what is only told come a rollback's first writes.
        """
        if self._effects.leaving():
            return
        self._turns.deliver()
        self._guard.run("clock", self._clock_watch.look)
        if declared and self._seat.taken:
            self._guard.run("drive", self._drive.run)
        if self._seat.taken and not self._effects.leaving():
            self._guard.run("lookout", self._teller.look)
            if not self._stop.is_set():  # who leaves can veto nothing any more
                self._guard.run("veto time", self._veto_time.look)
            self._guard.run("drive", self._drive.run)
            if not self._stop.is_set():
                self._guard.run("approvals", self._orders.look)
        if self._effects.leaving():
            self._studio.hold()
            return
        self._guard.run("commands", self._orders.settle)
        self._studio.draw_soon()

    def _ready_to_draw(self) -> bool:
        """No picture shows a reading that nobody has looked at yet, and none holds up a write that leaves."""
        self._turns.catch_up()
        return not self._effects.leaving()

    def _tell_fault(self, words: str) -> None:
        if not self._flying.identity.read_only:
            self._drive.record(Kind.NOTE_ADDED, {"text": words})

    def _compare(self) -> None:
        self._agreements = agree(self._senses, self._logbook.flight, self._agreements, self._clock.now())

    def _keeps_plan(self) -> str:
        """Why no changed plan may be flown from this moment on; empty when it may."""
        if self._logbook.flight.rollback is not None:
            return "nothing reloads while a rollback is open"
        if not self._seat.taken or self._stop.is_set():
            return "this cockpit does not drive"
        return "" if self._effects.idle else "a write or an announcement is in flight; try again"

    def _adopt(self, offer: PlanOffer, plan: Plan, fresh: Sources) -> bool:
        """Everything that is true of the new plan is true from here on, and journalled before. Whoever
        journalled something else first may have declared a rollback or taken the seat: not taken then."""
        taken = Draft(kind=Kind.PLAN_TAKEN, body={"digest": plan.digest, "diff": list(offer.change.diff)})
        while not self._keeps_plan():
            try:
                self._logbook.append(
                    [taken], actor=self._flying.identity.operator, at=self._clock.now(), must=False
                )
            except SequenceConflict:
                continue
            except (IllegalEvent, JournalFailure):
                return False
            self._replan.retired.append(self._sources)
            self._plan, self._sources = plan, fresh
            self._senses.adopt(plan, fresh)
            self._effects.adopt(fresh)
            self._polls.renew(plan)
            return True
        return False

    def _frame(self) -> Frame:
        """Of this moment. Who decides looks at the readings: numbers are compared for those who are shown."""
        self._guard.run("numbers", self._compare)
        return Frame(
            identity=self._flying.identity,
            plan=self._plan,
            flight=self._logbook.flight,
            senses=self._senses,
            effects=self._effects,
            logbook=self._logbook,
            agreements=self._agreements,
            seat=self._seat.status(),
            now=self._clock.now(),
            troubles=told_by(self._guard, self._salvage, self._veto_time, self._drive),
            last_drill_at=self._flying.last_drill_at,
        )

    def _picture(self, seq: int) -> Snapshot:
        return draw(
            self._frame(),
            seq=seq,
            started_at=self._started_at,
            commands=self._orders.statuses,
            host=self._host.status,
            plan_change=self._replan.change,
            hint=self._flying.hint(self._logbook.flight, self._clock.now()),
        )
