"""The engine's machine where a forward move needs two people: asked for, approved, declined, lapsed, crashed.

The other people are other cockpits on the journal: what they say is appended there, by the rules that bind
them, and this engine finds it. Beside everything that holds for one person, no forward write may leave
unless two people said yes to exactly that, and nothing was said or done in between that ends a request.
What is approved is told from the journal's lines alone, and not by the fold that the engine trusts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from cockpit.core import approvals
from cockpit.core import commands as asked
from cockpit.core.approvals import LAPSES_AFTER_S, AdvanceRequest
from cockpit.core.clean import Percent
from cockpit.core.events import Event, Kind
from cockpit.core.flight import fold
from cockpit.core.rollout import next_stage
from cockpit.engine import patient_journal
from cockpit.engine.journal_port import Draft
from tests.safety.test_engine_machine import KEYS, EngineMachine

pytestmark = pytest.mark.timeout(300)

OTHERS = st.sampled_from(["ben", "eva", "ana", "op1"])
ENDS = frozenset(
    {
        Kind.ADVANCE_DECLINED,
        Kind.ADVANCE_WITHDRAWN,
        Kind.ROLLBACK_DECLARED,
        Kind.DRIVER_TAKEN,
        Kind.DRIVER_RELEASED,
        Kind.FLAG_ASKED,
    }
)


class ApprovalsMachine(EngineMachine):
    approvals = 2
    begin = None  # type: ignore[assignment]  # it begins with a request instead

    @initialize(flag=KEYS, who=st.none() | OTHERS)
    def begin_with_a_request(self, flag: str, who: str | None) -> None:
        """Flown until every gate is met; most of what is interesting begins with a request."""
        self.start()
        self.flying.pass_time(20.0)
        self.ask_and_have_it_approved(flag, who)

    def must_be_allowed(self, action: str, flag: str) -> None:
        super().must_be_allowed(action, flag)
        if action == "set":
            self._two_said_yes_to_it(flag)

    def _two_said_yes_to_it(self, flag: str) -> None:
        """To this flag and percentage, and nothing ended it before it was asked for."""
        events = self.around.book.everything()
        move = next(each for each in reversed(events) if each.kind is Kind.FLAG_ASKED)
        assert move.body["flag"] == flag
        before = [each for each in events if each.seq < move.seq]
        request = next(each for each in reversed(before) if each.kind is Kind.ADVANCE_REQUESTED)
        assert request.body["request"] == move.body["request"]
        assert (request.body["flag"], request.body["percent"]) == (flag, move.body["percent"])
        since = [each for each in before if each.seq > request.seq]
        assert not [each for each in since if each.kind in ENDS], "it was over"
        said_yes = [request, *(each for each in since if each.kind is Kind.ADVANCE_APPROVED)]
        assert all(each.body["request"] == request.body["request"] for each in said_yes)
        assert len({each.actor for each in said_yes}) >= 2, "two people"
        assert len({each.body["session"] for each in said_yes}) >= 2, "from two cockpits"

    # --- what the others do

    @property
    def request(self) -> AdvanceRequest | None:
        """As the journal says; None while it cannot be read."""
        if self.around.book.troubled:
            return None
        return fold(self.around.book.everything()).request

    def others_append(self, kind: Kind, who: str, body: Mapping[str, object]) -> None:
        events = self.around.book.everything()
        draft = Draft(kind=kind, body={**body, "session": f"of {who}", "host": "elsewhere"})
        now = self.around.clock.now()
        self.around.book.append_many([draft], actor=who, at=now, expected_seq=events[-1].seq)

    asks = precondition(lambda self: self.request is not None)

    @EngineMachine.alive
    @rule(flag=KEYS)
    def ask_for_the_next_stage(self, flag: str) -> None:
        spec = self.around.plan.flag(flag)
        stage = next_stage(spec, Percent.parse(self.around.service.exposure(flag)))
        if stage is not None:
            self.give(asked.Advance, flag=flag, percent_hundredths=stage.percent.hundredths)

    @EngineMachine.alive
    @rule(flag=KEYS, who=st.none() | OTHERS)
    def ask_and_have_it_approved(self, flag: str, who: str | None) -> None:
        self.ask_for_the_next_stage(flag)
        if who is not None and self.request is not None:
            self.approve(who, 0.3)

    @rule(who=OTHERS, seconds=st.sampled_from([0.0, 0.3]))
    @asks
    def approve(self, who: str, seconds: float) -> None:
        """Their cockpit refuses what would be no second person, as this one does."""
        request = self.request
        assert request is not None
        session, now = f"of {who}", self.around.clock.now()
        if not approvals.why_not(request, operator=who, session=session, now=now):
            self.others_append(Kind.ADVANCE_APPROVED, who, {"request": request.id})
        self.time_passes_here(seconds)

    @rule(who=OTHERS)
    @asks
    def decline(self, who: str) -> None:
        request = self.request
        assert request is not None
        self.others_append(Kind.ADVANCE_DECLINED, who, {"request": request.id, "reason": "not now"})

    @EngineMachine.alive
    @rule(with_this_engine=st.sampled_from([asked.ApproveAdvance, asked.WithdrawAdvance]))
    @asks
    def approve_or_withdraw_here(self, with_this_engine: type[asked.Command]) -> None:
        """The one who asked is no second person."""
        request = self.request
        assert request is not None
        self.give(with_this_engine, request=request.id)

    @rule()
    @asks
    def nobody_approves_in_time(self) -> None:
        self.set_ahead(LAPSES_AFTER_S + 1)
        self.time_passes_here(1.1)

    def time_passes_here(self, seconds: float) -> None:
        if self.cockpit is not None and seconds:
            self.flying.pass_time(seconds)
            self.bury()

    # --- what must hold

    @invariant()
    def the_journal_folds_to_what_the_engine_believes(self) -> None:
        """As far as it has read what the others wrote."""
        if self.cockpit is None or self.around.book.troubled or self.cockpit.failing or self.cockpit.unsaved:
            return
        flight = self.cockpit.flight
        read = [each for each in self.around.book.everything() if each.seq <= flight.last_seq]
        assert fold(read) == flight

    @invariant()
    def nobody_wrote_forward_alone(self) -> None:
        """Every forward intent stands behind a request, in the journal's own lines."""
        events = self.around.book.everything()
        for move in (each for each in events if each.kind is Kind.FLAG_ASKED):
            assert _names(events, move) >= {move.body["request"]}, "a move that nobody was asked for"


def _names(events: Sequence[Event], move: Event) -> set[object]:
    """The requests that were made before a move."""
    return {
        each.body["request"] for each in events if each.kind is Kind.ADVANCE_REQUESTED and each.seq < move.seq
    }


ApprovalsMachine.TestCase.settings = settings(
    deadline=None,
    max_examples=25,
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy test machine is no hung disk: hangs are played by the journal itself."""
    monkeypatch.setattr(patient_journal, "ANSWER_S", 60.0)


TestApprovalsMachine = ApprovalsMachine.TestCase
