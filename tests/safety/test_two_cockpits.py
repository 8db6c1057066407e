"""Two cockpits on one journal, under every order of what people and worlds do.

They have two wall clocks, and what one does may come in the middle of an append of the other. What must hold
after every step, and in the end, is in `two_cockpits`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from cockpit.core import commands as asked
from cockpit.core.approvals import CARRIED_OUT_WITHIN_S, AdvanceRequest
from cockpit.core.clean import Percent
from cockpit.core.events import Kind
from cockpit.core.model import WriteOutcome
from cockpit.core.rollout import next_stage
from cockpit.engine import patient_journal
from tests.safety.two_cockpits import KEYS, WHO, Flown


class TwoCockpits(Flown):
    @initialize(
        approvals=st.integers(1, 2),
        begins=st.sampled_from(["quiet", "advance", "declare"]),
        who=WHO,
        seconds=st.sampled_from([0.0, 0.3, 3.0]),
    )
    def begin(self, approvals: int, begins: str, who: int, seconds: float) -> None:
        """Often something is on its way already."""
        self.take_off(approvals)
        if begins == "advance":
            self.ask_and_have_it_approved("jobs", False)
        elif begins == "declare":
            self.declare_or_widen(who, set())
        self.pair.pass_time(seconds)

    # --- what people do

    @rule(who=WHO, flag=KEYS)
    def ask_for_the_next_stage(self, who: int, flag: str) -> None:
        spec = self.pair.plan.flag(flag)
        stage = next_stage(spec, Percent.parse(self.pair.service.exposure(flag)))
        if stage is not None:
            hundredths = stage.percent.hundredths
            self.give(who, asked.Advance, flag=flag, percent_hundredths=hundredths)

    @property
    def request(self) -> AdvanceRequest | None:
        return self.record.flight.request

    @rule(who=WHO, what=st.sampled_from(["yes", "yes", "yes", "no", "withdraw"]))
    @precondition(lambda self: self.request is not None)
    def answer_the_request(self, who: int, what: str) -> None:
        assert self.request is not None
        if what == "yes":
            self.give(who, asked.ApproveAdvance, request=self.request.id)
        elif what == "no":
            self.give(who, asked.DeclineAdvance, request=self.request.id, reason="not now")
        else:
            self.give(who, asked.WithdrawAdvance, request=self.request.id)

    @rule(flag=KEYS, settles=st.booleans())
    def ask_and_have_it_approved(self, flag: str, settles: bool) -> None:
        """By whoever drives; then it is answered, so that the next move may come."""
        driver = self.driver()
        self.ask_for_the_next_stage(driver, flag)
        self.pair.pass_time(0.3)
        self.record.read_on()
        if self.request is not None:
            self.answer_the_request(1 - driver, "yes")
            self.pair.pass_time(0.3)
        if settles:
            self.pair.pass_time(1.1)
            self.answer_well_until_none_is_out()

    @rule(who=WHO, flag=KEYS, release=st.booleans())
    def hold(self, who: int, flag: str, release: bool) -> None:
        self.give(who, asked.Hold, flag=flag, reason="lunch", release=release)

    @rule(who=WHO, flags=st.sets(KEYS, max_size=2))
    def declare_or_widen(self, who: int, flags: set[str]) -> None:
        self.give(who, asked.DeclareRollback, flags=tuple(sorted(flags)), reason="errors")

    @rule(flags=st.sets(KEYS, max_size=2), first=WHO)
    def both_declare_at_once(self, flags: set[str], first: int) -> None:
        """The second one's comes in the middle of the first one's append."""
        self.meanwhile(1 - first, "before", 0, partial(self.declare_or_widen, first, flags))
        self.declare_or_widen(1 - first, flags)

    @rule(who=WHO, closes=st.booleans())
    def close_or_cancel(self, who: int, closes: bool) -> None:
        if closes:
            self.give(who, asked.CloseRollback, note="signed")
        else:
            self.give(who, asked.CancelRollback, reason="a mistake")

    @rule(who=WHO, flag=KEYS, what=st.sampled_from(["retry", "go", "do", "override"]))
    @precondition(lambda self: self.record.flight.rollback is not None)
    def help_the_rollback(self, who: int, flag: str, what: str) -> None:
        if what == "retry":
            self.give(who, asked.RetryFlag, flag=flag)
        elif what == "go":
            self.give(who, asked.AnswerSickLegacy, go=True)
        elif what == "do":
            self.give(who, asked.DoStep, step="jobs", note="done")
        else:
            for step in ("prove", "drain", "verify", "reconcile", "announce"):
                self.give(who, asked.OverrideStep, step=step, reason="seen by eye")

    @rule(who=WHO, how=st.sampled_from(["take", "take", "offer", "offered and taken", "decline", "release"]))
    def move_the_seat(self, who: int, how: str) -> None:
        other = self.pair.berths[1 - who].cockpit
        if how == "take":
            self.take_the_seat(who)
        elif how == "decline":
            self.give(who, asked.DeclineSeat, reason="busy")
        elif how == "release":
            self.give(who, asked.ReleaseSeat)
        elif other is not None:
            self.give(who, asked.OfferSeat, to=other.identity.session)
            self.pair.pass_time(0.3)
            if how == "offered and taken":
                self.take_the_seat(1 - who)

    def take_the_seat(self, who: int) -> None:
        cockpit = self.awake(who)
        if cockpit is not None:
            holder = cockpit.flight.seat.holder
            seen = "" if holder is None else holder.session
            self.give(who, asked.TakeSeat, seen=seen, confirmed=True)

    # --- what happens at an unhappy moment

    def meanwhile(self, who: int, moment: str, skips: int, work: Callable[[], None]) -> None:
        """In the middle of an append of this one; an error there is ours and not the journal's."""
        berth = self.pair.berths[who]
        if berth.awake is None:
            return

        def done() -> None:
            try:
                work()
            except AssertionError as wrong:
                self.broken.append(f"in the middle of an append: {wrong!r}")

        berth.hand.meanwhile(moment, skips, done)

    @rule(
        who=WHO,
        moment=st.sampled_from(["before", "behind"]),
        what=st.sampled_from(["declare", "take", "advance", "time", "crash"]),
        flag=KEYS,
        skips=st.integers(0, 2),
        pressed=st.sampled_from(["", "declare", "advance"]),
    )
    def the_other_acts_in_an_append(
        self, who: int, moment: str, what: str, flag: str, skips: int, pressed: str
    ) -> None:
        """Often in one of those that follow upon a key that is pressed now."""
        other = 1 - who
        works: dict[str, Callable[[], None]] = {
            "declare": partial(self.declare_or_widen, other, {flag}),
            "take": partial(self.take_the_seat, other),
            "advance": partial(self.ask_for_the_next_stage, other, flag),
            "time": partial(self._the_other_goes_on, other, 1.1),
            "crash": partial(self._dies_now, other),
        }
        self.meanwhile(who, moment, skips, works[what])
        if pressed == "declare":
            self.declare_or_widen(who, {flag})
        elif pressed == "advance":
            self.ask_for_the_next_stage(who, flag)

    def _the_other_goes_on(self, who: int, seconds: float) -> None:
        """This one stands still in its append for so long."""
        cockpit = self.awake(who)
        if cockpit is not None:
            cockpit.pass_time(seconds)
            self.pair.berths[who].bury()

    def _dies_now(self, who: int) -> None:
        self.pair.berths[who].crash()

    @rule(who=WHO, when=st.sampled_from(["before", "behind"]))
    def will_die_in_its_next_append(self, who: int, when: str) -> None:
        if self.awake(who) is not None:
            self.pair.berths[who].hand.dies = when

    @rule(who=WHO, what=st.sampled_from(["crashes", "freezes or thaws", "cannot write or can again"]))
    def comes_to_harm(self, who: int, what: str) -> None:
        """One that is frozen stands still and goes on where it stood; its beats say nothing meanwhile."""
        berth = self.pair.berths[who]
        if berth.cockpit is None:
            self.start(berth)
        elif what == "crashes":
            self._dies_now(who)
        elif what == "freezes or thaws":
            berth.frozen = not berth.frozen
        else:
            berth.hand.full = not berth.hand.full
            self.has_been_full = True
        self.pair.turn()

    @rule(who=WHO, seconds=st.sampled_from([-600.0, -5.0, 5.0, 600.0]))
    def a_clock_is_set(self, who: int, seconds: float) -> None:
        self.settings_of_clocks += 1
        self.pair.berths[who].clock.set_ahead(seconds + 13e-6 * self.settings_of_clocks)

    @rule(who=WHO, seconds=st.sampled_from([0.0, 0.2, 1.2]))
    def its_way_to_the_service_is_slow_or_quick(self, who: int, seconds: float) -> None:
        """Others act between the look of a lever and its write."""
        self.pair.berths[who].looks_s = seconds

    # --- what the world does

    @rule(
        outcomes=st.lists(st.tuples(st.sampled_from(WriteOutcome), st.booleans()), min_size=1, max_size=3),
        seconds=st.sampled_from([0.0, 0.3, 1.1]),
    )
    @precondition(lambda self: self.pair.service.out)
    def answer(self, outcomes: list[tuple[WriteOutcome, bool]], seconds: float) -> None:
        """One after the other. Done and did nothing is a lie; refused and landed is one, too."""
        for outcome, lands in outcomes:
            if self.pair.service.out:
                self.pair.answer(self.pair.service.out[0], outcome, lands=lands)
                self.pair.pass_time(seconds)

    @rule()
    @precondition(lambda self: self.pair.service.out)
    def answer_well_until_none_is_out(self) -> None:
        for _ in range(6):
            if self.pair.service.out:
                self.answer([(WriteOutcome.DONE, True)], 0.3)

    @rule()
    @precondition(lambda self: self.pair.service.late)
    def a_late_write_lands(self) -> None:
        self.pair.service.land(self.pair.service.late.pop(0))

    @rule(flag=KEYS, percent=st.sampled_from([0.0, 25.0, 50.0]))
    def somebody_else_changes_a_flag(self, flag: str, percent: float) -> None:
        self.pair.service.change(flag, percent)

    @rule(down=st.booleans())
    def flag_service_goes_or_comes(self, down: bool) -> None:
        self.pair.service.down = down

    @rule(first=WHO, seconds=st.sampled_from([0.1, 0.3, 1.1, 2.5, 6.0, 12.0]))
    def time_passes(self, first: int, seconds: float) -> None:
        self.pair.first = first
        self.pair.pass_time(seconds)


TwoCockpits.TestCase.settings = settings(
    deadline=None,
    max_examples=25,
    stateful_step_count=30,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy test machine is no hung disk."""
    monkeypatch.setattr(patient_journal, "ANSWER_S", 60.0)


TestTwoCockpits = pytest.mark.timeout(300)(TwoCockpits.TestCase)


@pytest.mark.parametrize("what", ["declare", "take"])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_step_forward_does_not_leave_once_the_other_one_declared_or_drives(what: str, frozen: bool) -> None:
    """Between look and write. A cockpit that was stopped there knows nothing of it when it goes on."""
    flown = TwoCockpits()
    flown.begin(approvals=1, begins="quiet", who=0, seconds=0.0)
    try:
        driver = flown.driver()
        flown.its_way_to_the_service_is_slow_or_quick(driver, 0.2)
        flown.ask_for_the_next_stage(driver, "jobs")
        flown.pair.berths[driver].frozen = frozen
        if what == "declare":
            flown.declare_or_widen(1 - driver, {"jobs"})
        else:
            flown.take_the_seat(1 - driver)
        if frozen:
            flown.pair.pass_time(0.2)
            flown.pair.berths[driver].frozen = False
        flown.pair.pass_time(0.2)
        flown.nothing_was_wrong()
        assert not [sent for sent in flown.pair.service.out if sent.action == "set"]
    finally:
        flown.teardown()


@pytest.mark.parametrize("what", ["declare", "take", "crash", "time"])
@pytest.mark.parametrize("moment", ["before", "behind"])
@pytest.mark.parametrize("pressed", ["declare", "advance"])
def test_whatever_the_other_one_does_in_each_single_append_of_a_move(
    pressed: str, moment: str, what: str
) -> None:
    for skips in range(5):
        flown = TwoCockpits()
        flown.begin(approvals=1, begins="quiet", who=0, seconds=0.0)
        try:
            flown.the_other_acts_in_an_append(
                who=flown.driver(), moment=moment, what=what, flag="jobs", skips=skips, pressed=pressed
            )
            flown.pair.pass_time(0.3)
            flown.nothing_was_wrong()
            flown.answer_well_until_none_is_out()
            flown.nothing_was_wrong()
        finally:
            flown.teardown()


@pytest.mark.parametrize("seconds", [20.0, 300.0])
def test_what_was_approved_while_the_driver_could_not_write_is_not_carried_out_long_after(
    seconds: float,
) -> None:
    """Its disk was full when the second person said yes, and is not any more when nobody thinks of it."""
    flown = TwoCockpits()
    flown.begin(approvals=2, begins="quiet", who=0, seconds=0.0)
    try:
        driver = flown.driver()
        flown.ask_for_the_next_stage(driver, "jobs")
        flown.pair.pass_time(0.3)
        flown.record.read_on()
        flown.pair.berths[driver].hand.full = flown.has_been_full = True
        flown.answer_the_request(1 - driver, "yes")
        flown.pair.pass_time(seconds)
        flown.pair.berths[driver].hand.full = False
        flown.pair.pass_time(1.5)
        assert bool(flown.pair.service.out) is (seconds < CARRIED_OUT_WITHIN_S)
        flown.nothing_was_wrong()
    finally:
        flown.teardown()


@pytest.mark.parametrize("seconds", [-600.0, 600.0])
def test_a_jump_of_their_hosts_clock_is_counted_once_though_the_seat_moves_while_it_is_told(
    seconds: float,
) -> None:
    """Counted twice it would take as much again from the countdown."""
    flown = TwoCockpits()
    flown.begin(approvals=1, begins="declare", who=0, seconds=0.3)
    try:
        driver = flown.driver()
        flown.meanwhile(driver, "before", 0, partial(flown.take_the_seat, 1 - driver))
        flown.pair.first = driver
        for berth in flown.pair.berths:
            berth.clock.set_ahead(seconds)
        flown.pair.pass_time(1.1)
        flown.record.read_on()
        told = [event for event in flown.record.events if event.kind is Kind.CLOCK_JUMPED]
        assert flown.driver() != driver
        assert len(told) == 1
    finally:
        flown.teardown()


@pytest.mark.parametrize("answered", [False, True])
def test_what_was_done_unwritten_goes_behind_a_new_driver_as_a_note_and_not_as_a_drivers_act(
    answered: bool,
) -> None:
    """The driver's journal was full; it went ahead with its rollback, and another cockpit took the seat."""
    flown = TwoCockpits()
    flown.begin(approvals=1, begins="quiet", who=0, seconds=0.0)
    try:
        driver = flown.driver()
        flown.pair.berths[driver].hand.full = flown.has_been_full = True
        flown.declare_or_widen(driver, {"reads"})
        assert [sent.action for sent in flown.pair.service.out] == ["kill"]
        flown.take_the_seat(1 - driver)
        if answered:
            flown.answer([(WriteOutcome.DONE, True)], 0.0)
        flown.pair.berths[driver].hand.full = False
        flown.pair.pass_time(2.5)
        flown.nothing_was_wrong()
        assert flown.driver() == 1 - driver
        notes = [event for event in flown.record.events if event.kind is Kind.NOTE_ADDED]
        unwritten = [note for note in notes if Kind.WRITE_INTENT.value in str(note.body["text"])]
        assert unwritten, "it happened, and is told"
    finally:
        flown.teardown()


def test_a_change_by_somebody_else_is_told_once_though_the_seat_moves_while_it_is_told() -> None:
    """The other one read it, too, and tells it as soon as it drives; whoever was to tell it decides again."""
    flown = TwoCockpits()
    flown.begin(approvals=1, begins="quiet", who=0, seconds=0.0)
    try:
        driver = flown.driver()
        flown.pair.first = 1 - driver
        flown.somebody_else_changes_a_flag("jobs", 25.0)
        flown.meanwhile(driver, "before", 0, partial(flown.take_the_seat, 1 - driver))
        flown.pair.pass_time(2.5)
        flown.record.read_on()
        told = [event for event in flown.record.events if event.kind is Kind.FLAG_FOREIGN]
        assert flown.driver() != driver and len(told) == 1
    finally:
        flown.teardown()
