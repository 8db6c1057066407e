"""The whole engine under every order of commands, answers, lies, jumps, failures, crashes and resumes.

Real `Pilot`s on a loop and a clock that the test turns; nothing waits. After every step must hold:
no forward write leaves behind a declaration; one write of a flag is in flight at most; every write has its
intent in the journal before it, or the journal fails loudly at that moment; no old read proves anything; no
deadline moves; what the journal holds folds to what the engine believes, and nothing is in it twice. And in
the end, when the world is honest again and a person retries what the machine gave up, every flag of the
rollback is at zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cockpit.core import commands as asked
from cockpit.core.clean import Percent
from cockpit.core.commands import Command
from cockpit.core.events import Event, Kind
from cockpit.core.flight import Flight, fold
from cockpit.core.model import Health, WriteOutcome
from cockpit.core.rollback import FlipState, Rollback
from cockpit.core.spec import Plan
from cockpit.engine import patient_journal
from tests.engine.conftest import flag_spec, make_plan
from tests.engine.stepping import Cockpit, Surroundings

POLL_S = 1.0
ANSWER_S = 2.0
FLAGS = ("writes", "reads", "jobs")
KEYS = st.sampled_from(FLAGS)
STEPS = st.sampled_from(["flip", "drain", "verify", "reconcile", "jobs", "announce", "prove"])


def plan(*, approvals: int = 1) -> Plan:
    """approvals: how many people a forward move needs."""
    made = make_plan()
    backends = tuple(
        replace(
            each,
            probes=tuple(replace(probe, interval_s=POLL_S, timeout_s=ANSWER_S) for probe in each.probes),
        )
        for each in made.backends
    )
    services, monitors = (
        tuple(replace(each, interval_s=POLL_S, timeout_s=ANSWER_S) for each in sources)
        for sources in (made.flag_services, made.monitors)
    )
    return replace(
        made,
        approvals=approvals,
        signals=(),
        flags=(flag_spec("writes"), flag_spec("reads", needs=("writes",)), flag_spec("jobs")),
        flag_services=services,
        monitors=monitors,
        backends=backends,
    )


class EngineMachine(RuleBasedStateMachine):
    """approvals: how many people a forward move needs."""

    approvals = 1

    def __init__(self) -> None:
        super().__init__()
        flown = plan(approvals=self.approvals)
        self.around = Surroundings(flown, {"writes": 50.0, "reads": 50.0, "jobs": 0.0})
        self.around.service.arrived = self._arrived
        self.number = 0
        self.commands = 0
        self.settings_of_clock = 0
        self.deadlines: dict[str, datetime] = {}
        self.cockpit: Cockpit | None = None
        self.broken: list[str] = []

    @initialize(flags=st.none() | st.sets(KEYS, max_size=1), seconds=st.sampled_from([0.0, 0.3, 3.0]))
    def begin(self, flags: set[str] | None, seconds: float) -> None:
        """Flown until every gate is met, and often in the middle of a rollback already."""
        self.start()
        self.flying.pass_time(20.0)
        if flags is not None:
            self.declare_or_widen(flags)
            self.flying.pass_time(seconds)

    @property
    def flying(self) -> Cockpit:
        assert self.cockpit is not None
        return self.cockpit

    def start(self) -> None:
        self.number += 1
        self.cockpit = Cockpit(self.around, self.number, self._heard)
        self.cockpit.take_off()
        self.bury()

    def bury(self) -> None:
        """A cockpit that died in an append is gone, with all it had in memory."""
        if self.cockpit is not None and self.cockpit.line.dead:
            self.cockpit.crash()
            self.cockpit = None

    def ident(self) -> str:
        self.commands += 1
        return f"c{self.commands}"

    def give(self, make: Callable[..., Command], **words: object) -> None:
        shown = self.flying.snapshot.rollback
        if isinstance(make, type) and issubclass(make, asked.OnRollback):
            words["rollback"] = "" if shown is None else shown.id
        self.flying.give(make(id=self.ident(), by="ana", **words))
        self.bury()

    def _arrived(self, action: str, flag: str) -> None:
        """A write reaches the service; from a process that died in its append a moment ago none does.

        What is wrong with it is kept: the engine takes an error here for its adapter's fault, and flies on.
        """
        if self.flying.line.dead:
            raise ConnectionError("the process is gone")
        try:
            self.must_be_allowed(action, flag)
        except AssertionError as wrong:
            self.broken.append(f"{action} {flag}: {wrong}")
            raise

    def must_be_allowed(self, action: str, flag: str) -> None:
        cockpit = self.flying
        flight = cockpit.flight
        assert action != "set" or flight.rollback is None, "a forward write behind a declaration"
        pending = flight.flag(flag).pending
        assert pending is not None and pending.action == action and not pending.answered
        events = self.around.book.everything()
        written = {event.body["write_id"] for event in events if event.kind is Kind.WRITE_INTENT}
        if pending.write_id not in written:
            assert cockpit.failing, "a write without an intent on the disk, and nobody is told"
            assert action != "set", "a forward write without an intent on the disk"

    def _heard(self, event: Event) -> None:
        """A read that settles a rollback's write began behind the end of that write."""
        if event.kind is not Kind.FLAG_SEEN or event.body.get("rollback") is None:
            return
        flag, raw = str(event.body["flag"]), event.body["exposure"]
        exposure = Percent(raw) if isinstance(raw, int) else None
        if not self.around.service.read_since_last_write(flag, exposure):
            self.broken.append(f"{flag} is said to read {exposure}, and no read behind its last write did")

    # --- what people do

    alive = precondition(lambda self: self.cockpit is not None)

    @alive
    @rule(flags=st.sets(KEYS, max_size=2))
    def declare_or_widen(self, flags: set[str]) -> None:
        self.give(asked.DeclareRollback, flags=tuple(sorted(flags)), reason="errors")

    @alive
    @rule(flag=KEYS, percent=st.sampled_from([10, 50, 100]))
    def advance(self, flag: str, percent: float) -> None:
        self.give(asked.Advance, flag=flag, percent_hundredths=Percent.parse(percent).hundredths)

    @alive
    @rule(flag=KEYS, release=st.booleans())
    def hold(self, flag: str, release: bool) -> None:
        self.give(asked.Hold, flag=flag, reason="lunch", release=release)

    @alive
    @rule(flag=KEYS)
    def retry(self, flag: str) -> None:
        self.give(asked.RetryFlag, flag=flag)

    @alive
    @rule(step=STEPS, does=st.booleans())
    def override_or_do(self, step: str, does: bool) -> None:
        if does:
            self.give(asked.DoStep, step=step, note="done")
        else:
            self.give(asked.OverrideStep, step=step, reason="seen by eye")

    @alive
    @rule(go=st.booleans())
    def answer_the_question(self, go: bool) -> None:
        self.give(asked.AnswerSickLegacy, go=go)

    @alive
    @rule(closes=st.booleans())
    def close_or_cancel(self, closes: bool) -> None:
        if closes:
            self.give(asked.CloseRollback, note="signed")
        else:
            self.give(asked.CancelRollback, reason="a mistake")

    # --- what the world does

    @alive
    @rule(
        outcomes=st.lists(st.tuples(st.sampled_from(WriteOutcome), st.booleans()), min_size=1, max_size=3),
        seconds=st.sampled_from([0.0, 0.3, 1.1]),
    )
    @precondition(lambda self: self.around.service.out)
    def answer(self, outcomes: list[tuple[WriteOutcome, bool]], seconds: float) -> None:
        """One after the other. Done and did nothing is a lie; refused and landed is one, too."""
        for outcome, lands in outcomes:
            if self.cockpit is not None and self.around.service.out:
                flag = min(self.around.service.out)
                tell = partial(self.around.service.answers, flag, outcome, lands=lands)
                self.flying.on_loop(tell)
                self.flying.pass_time(seconds)
                self.bury()

    @alive
    @rule(outcome=st.sampled_from(WriteOutcome))
    @precondition(lambda self: self.around.service.out)
    def answer_well_until_none_is_out(self, outcome: WriteOutcome) -> None:
        lands = outcome is not WriteOutcome.REFUSED
        for _ in range(6):
            if self.cockpit is not None and self.around.service.out:
                self.answer([(outcome, lands)], 0.3)

    @rule()
    @precondition(lambda self: self.around.service.late)
    def a_late_write_lands(self) -> None:
        self.around.service.lands_late(0)

    @rule(flag=KEYS, percent=st.sampled_from([0.0, 25.0, 50.0]))
    def somebody_else_changes_a_flag(self, flag: str, percent: float) -> None:
        truth = self.around.service.truth
        truth[flag] = replace(truth[flag], on=percent > 0, percent=Percent.parse(percent))

    @rule(down=st.booleans())
    def flag_service_goes_or_comes(self, down: bool) -> None:
        self.around.service.down = down

    @rule(health=st.sampled_from(Health))
    def legacy_says(self, health: Health) -> None:
        self.around.legacy.says(health)

    @alive
    @rule(seconds=st.sampled_from([0.1, 0.3, 1.1, 2.5, 6.0]))
    def time_passes(self, seconds: float) -> None:
        if self.cockpit is not None:
            self.flying.pass_time(seconds)
            self.bury()

    @rule(seconds=st.sampled_from([-600.0, -5.0, 5.0, 600.0]))
    def the_clock_is_set(self, seconds: float) -> None:
        self.set_ahead(seconds)

    def set_ahead(self, seconds: float) -> None:
        """Never back to instants that were looked at before, so that no two events are alike."""
        self.settings_of_clock += 1
        self.around.clock.set_ahead(seconds + 13e-6 * self.settings_of_clock)

    @rule(how=st.sampled_from(["full", "hangs, written", "hangs, lost"]))
    @precondition(lambda self: not self.around.book.troubled)
    def the_journal_fails(self, how: str) -> None:
        if how == "full":
            self.around.book.full = True
        else:
            self.around.book.hang(written=how == "hangs, written")

    @alive
    @rule(
        written=st.booleans(),
        flags=st.none() | st.sets(KEYS, max_size=1),
        seconds=st.sampled_from([0.3, 2.0]),
    )
    @precondition(lambda self: not self.around.book.troubled)
    def the_journal_hangs_for_a_while(self, written: bool, flags: set[str] | None, seconds: float) -> None:
        """Often just when somebody declares."""
        self.around.book.hang(written=written)
        if flags is not None:
            self.declare_or_widen(flags)
        self.time_passes(seconds)
        self.around.book.heal()
        if self.cockpit is not None:
            self.time_passes(2.5)

    @rule()
    @precondition(lambda self: self.around.book.troubled)
    def the_journal_heals(self) -> None:
        self.around.book.heal()

    @alive
    @rule()
    def crash(self) -> None:
        self.flying.crash()
        self.cockpit = None

    @alive
    @rule(when=st.sampled_from(["before", "behind"]))
    def will_die_in_its_next_append(self, when: str) -> None:
        """Between decision and intent, or between intent and effect."""
        self.flying.line.dies = when

    @rule()
    @precondition(lambda self: self.cockpit is None and not self.around.book.overdue)
    def resume(self) -> None:
        self.start()

    # --- what must hold

    @invariant()
    def the_flight_goes_on(self) -> None:
        if self.cockpit is not None:
            fault = self.cockpit.fault()
            assert fault is None, f"the engine ended: {fault!r}"
            own = [reason.what for reason in self.cockpit.snapshot.reasons if "own fault" in reason.what]
            assert not own

    @invariant()
    def no_write_and_no_read_was_wrong(self) -> None:
        assert not self.broken, self.broken

    @invariant()
    def no_deadline_moves(self) -> None:
        for rollback in _rollbacks(self._known()):
            assert self.deadlines.setdefault(rollback.id, rollback.deadline_at) == rollback.deadline_at

    @invariant()
    def the_journal_folds_to_what_the_engine_believes(self) -> None:
        if self.cockpit is None or self.around.book.troubled or self.cockpit.failing:
            return
        if not self.cockpit.unsaved:
            assert fold(self.around.book.everything()) == self.cockpit.flight

    @invariant()
    def nothing_is_written_twice(self) -> None:
        """Every look at the hand clock gives another instant, so that no two events are alike."""
        written = [
            (event.at, event.kind, event.actor, str(event.body)) for event in self.around.book.everything()
        ]
        assert len(set(written)) == len(written)

    def _known(self) -> Flight:
        return self.cockpit.flight if self.cockpit is not None else Flight()

    def teardown(self) -> None:
        """The world is honest from here on."""
        if self.number == 0:
            return
        self.around.book.heal()
        self.around.service.down = False
        self.around.legacy.says(Health.OK)
        while self.around.service.late:
            self.around.service.lands_late(0)
        if self.cockpit is None or self.cockpit.line.dies:
            if self.cockpit is not None:
                self.cockpit.crash()
            self.start()
        for _ in range(60):
            if self._settle():
                break
        rollback = self.flying.flight.rollback
        if rollback is not None:
            assert rollback.flipped, [flip for flip in rollback.flips if flip.state is not FlipState.AT_ZERO]
            assert {flag: self.around.service.exposure(flag) for flag in rollback.flags} == dict.fromkeys(
                rollback.flags, 0.0
            )
        self.the_flight_goes_on()
        self.the_journal_folds_to_what_the_engine_believes()
        self.flying.crash()

    def _settle(self) -> bool:
        for flag in sorted(self.around.service.out):
            self.flying.on_loop(partial(self.around.service.answers, flag, WriteOutcome.DONE, lands=True))
        self.flying.pass_time(1.5)
        rollback = self.flying.flight.rollback
        if rollback is None:
            return not self.around.service.out
        if rollback.question and not rollback.answered_go:
            self.give(asked.AnswerSickLegacy, go=True)
        for flip in rollback.flips:
            if flip.exhausted:
                self.give(asked.RetryFlag, flag=flip.flag)
        exposed = [flag for flag in rollback.flags if self.around.service.exposure(flag)]
        return rollback.flipped and not exposed and not self.around.service.out and not self.flying.failing


def _rollbacks(flight: Flight) -> list[Rollback]:
    return [*flight.closed, *([flight.rollback] if flight.rollback is not None else [])]


EngineMachine.TestCase.settings = settings(
    deadline=None,
    max_examples=60,
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy test machine is no hung disk: hangs are played by the journal itself."""
    monkeypatch.setattr(patient_journal, "ANSWER_S", 60.0)


TestEngineMachine = EngineMachine.TestCase
