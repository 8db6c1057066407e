"""Two whole cockpits that are flown by hand on one journal and one flag service, and what must hold of them.

It is told from the journal's own lines and from what arrived at the service, and not by what either engine
believes: nobody but the seat's holder writes, and only what somebody asked for; every write has its intent in
the journal before it; of two writes of a flag in flight the first was given up there; no forward intent
stands behind a declaration; what an append returned is in the journal for good; no deadline moves. In the
end, when the world is honest again, both know the same, and every flag is where it was to go, or both show
that it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from cockpit.core import commands as asked
from cockpit.core.clean import Percent
from cockpit.core.commands import Command
from cockpit.core.events import Event, Kind
from cockpit.core.flight import Flight
from cockpit.core.model import WriteOutcome
from cockpit.core.rollback import Rollback
from cockpit.core.snapshot import Agreement
from tests.engine.stepping import Cockpit
from tests.safety.pair import Berth, Pair, Sent
from tests.safety.record import Record
from tests.safety.test_engine_machine import plan

FLAGS = ("writes", "reads", "jobs")
KEYS = st.sampled_from(FLAGS)
WHO = st.integers(0, 1)
NAMES = ("ana", "ben")


class Flown(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.commands = 0
        self.settings_of_clocks = 0
        self.broken: list[str] = []
        self.deadlines: dict[str, datetime] = {}
        self.has_been_full = False

    def take_off(self, approvals: int) -> None:
        """Both are there, and every gate is met."""
        flown = plan(approvals=approvals)
        self.pair = Pair(flown, {"writes": 50.0, "reads": 50.0, "jobs": 0.0}, self._arrived)
        self.record = Record(self.pair.book, flown)
        for berth in self.pair.berths:
            self.start(berth)
        self.pair.pass_time(20.0)

    # --- the hand that steps them

    def start(self, berth: Berth) -> None:
        self.number += 1
        berth.start(self.number, self._heard)

    def awake(self, who: int) -> Cockpit | None:
        return self.pair.berths[who].awake

    def give(self, who: int, make: Callable[..., Command], **words: object) -> None:
        """To a cockpit that is there and not frozen."""
        cockpit = self.awake(who)
        if cockpit is not None:
            self.commands += 1
            shown = cockpit.snapshot.rollback
            if isinstance(make, type) and issubclass(make, asked.OnRollback):
                words["rollback"] = "" if shown is None else shown.id
            command = make(id=f"c{self.commands}", by=NAMES[who], **words)
            self.record.given(command)
            cockpit.give(command)
            self.pair.berths[who].bury()

    def driver(self) -> int:
        """As the journal says; the first where nobody drives."""
        self.record.read_on()
        return next((berth.slot for berth in self.pair.berths if self._drives(berth)), 0)

    def _arrived(self, sent: Sent) -> None:
        """What is wrong with a write is kept: the engine takes an error here for its adapter's fault."""
        berth = self.pair.berths[sent.who]
        if berth.hand.dead or berth.cockpit is None:
            raise ConnectionError("the process is gone")
        try:
            self.record.must_be_allowed(sent, berth.cockpit, self.pair.service.out)
        except AssertionError as wrong:
            self.broken.append(f"{sent.action} {sent.flag} by {NAMES[sent.who]}: {wrong}")
            raise

    def _heard(self, event: Event) -> None:
        """A read that settles a rollback's write began behind everything the journal says of the flag."""
        if event.kind is not Kind.FLAG_SEEN or event.body.get("rollback") is None:
            return
        if self.has_been_full:
            return  # what is written late says nothing about when it was read
        flag, raw = str(event.body["flag"]), event.body["exposure"]
        exposure = Percent(raw) if isinstance(raw, int) else None
        behind = self.record.last_write_event(flag, event.seq)
        if not self.pair.service.was_read(flag, exposure, behind=behind):
            self.broken.append(f"{flag} is said to read {exposure}, and no read behind its last write did")

    # --- what must hold

    @invariant()
    def nothing_was_wrong(self) -> None:
        if not self.number:
            return
        self.record.read_on()
        assert not self.broken, self.broken
        for berth in self.pair.berths:
            if berth.cockpit is None:
                continue
            fault = berth.cockpit.fault()
            assert fault is None, f"{NAMES[berth.slot]}'s engine ended: {fault!r}"
            own = [each.what for each in berth.cockpit.snapshot.reasons if "own fault" in each.what]
            assert not own

    @invariant()
    def no_deadline_moves(self) -> None:
        if not self.number:
            return
        for flight in self._flights():
            for rollback in _rollbacks(flight):
                assert self.deadlines.setdefault(rollback.id, rollback.deadline_at) == rollback.deadline_at

    @invariant()
    def what_each_believes_is_what_the_journal_says_up_to_there(self) -> None:
        if self.number:
            for cockpit in (berth.cockpit for berth in self.pair.berths):
                if cockpit is not None and not cockpit.unsaved:
                    assert cockpit.flight == self.record.folded[cockpit.flight.last_seq]

    @invariant()
    def what_an_append_returned_is_there(self) -> None:
        if not self.number:
            return
        kept = [event for berth in self.pair.berths for hand in berth.hands for event in hand.kept]
        assert len({event.seq for event in kept}) == len(kept), "two won one number"
        assert all(self.record.events[event.seq - 1] == event for event in kept)

    def _flights(self) -> list[Flight]:
        cockpits = [berth.cockpit for berth in self.pair.berths if berth.cockpit is not None]
        return [self.record.flight, *(each.flight for each in cockpits)]

    # --- the end

    def teardown(self) -> None:
        """The world is honest from here on, and somebody is there to retry what the machine gave up."""
        if not self.number:
            return
        try:
            self._come_to_rest()
            self._both_know_the_same()
            self._every_flag_is_where_it_was_to_go()
        finally:
            for berth in self.pair.berths:
                berth.crash()

    def _come_to_rest(self) -> None:
        self.pair.service.down = False
        while self.pair.service.late:
            self.pair.service.land(self.pair.service.late.pop(0))
        for berth in self.pair.berths:
            berth.frozen = False
            if berth.cockpit is not None:
                berth.hand.in_peace()
                berth.hand.full = False
                if berth.hand.dies:
                    berth.crash()
            if berth.cockpit is None:
                self.start(berth)
        for _ in range(60):
            if self._settled():
                break
        self.nothing_was_wrong()
        self.no_deadline_moves()
        self.what_an_append_returned_is_there()

    def _settled(self) -> bool:
        for sent in list(self.pair.service.out):
            self.pair.answer(sent, WriteOutcome.DONE, lands=True)
        self.pair.pass_time(1.5)
        self.record.read_on()
        flight, service = self.record.flight, self.pair.service
        driver = self.driver()
        if flight.seat.holder is None:
            self.give(driver, asked.TakeSeat, seen="")
        if service.out:
            return False
        rollback = flight.rollback
        if rollback is None:
            return not any(flag.writing for flag in flight.flags.values())
        for flip in rollback.flips:
            if flip.exhausted:
                self.give(driver, asked.RetryFlag, flag=flip.flag)
        return rollback.flipped and not [flag for flag in rollback.flags if service.exposure(flag)]

    def _drives(self, berth: Berth) -> bool:
        cockpit = berth.cockpit
        return cockpit is not None and self.record.flight.seat.held_by(cockpit.identity.session)

    def _both_know_the_same(self) -> None:
        """A last look: both fold to the end, and show the same."""
        self.pair.pass_time(8.0)
        self.record.read_on()
        drivers = [berth.slot for berth in self.pair.berths if self._drives(berth)]
        assert len(drivers) == 1, "one of them drives"
        for berth in self.pair.berths:
            assert berth.cockpit is not None
            assert berth.cockpit.flight == self.record.flight
            shown = berth.cockpit.snapshot
            assert shown.rollback == self.record.flight.rollback
            assert shown.seat is not None
            assert shown.seat.holder == self.record.flight.seat.holder

    def _every_flag_is_where_it_was_to_go(self) -> None:
        rollback = self.record.flight.rollback
        for flag in rollback.flags if rollback is not None else ():
            assert self.pair.service.exposure(flag) == 0.0
        assert rollback is None or rollback.flipped
        for berth in self.pair.berths:
            assert berth.cockpit is not None
            for status in berth.cockpit.snapshot.flags:
                value, truth = status.configured.value, self.pair.service.truth[status.key].exposure
                assert value is not None and value.exposure == truth
                shown = status.agreement in (Agreement.DIFFER, Agreement.PROPAGATING)
                assert status.asked in (None, truth) or shown, f"{status.key} is not shown open"


def _rollbacks(flight: Flight) -> list[Rollback]:
    return [*flight.closed, *([flight.rollback] if flight.rollback is not None else [])]
