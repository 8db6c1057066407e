"""A rollback that goes by itself is the one write that nobody asks for just then: when it must not go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from cockpit.core import commands as asked
from cockpit.core.driver import How, taken_body
from cockpit.core.events import MACHINE, Kind
from cockpit.core.flight import fold
from cockpit.core.model import Health
from cockpit.core.snapshot import Snapshot
from cockpit.core.spec import AutoRollback, Plan
from cockpit.engine.journal_port import Draft
from tests.engine.conftest import Pilotage, World, declare, ident
from tests.engine.scripted import FULL, FickleJournal, down

VETO_S = 60.0


def by_itself(plan: Plan, auto: AutoRollback = AutoRollback.VETO) -> Plan:
    return replace(plan, rollback=replace(plan.rollback, auto=auto, veto_s=VETO_S))


@pytest.fixture
def world() -> Iterator[World]:
    made = World(percents={"writes": 50.0, "reads": 50.0}, journal=FickleJournal())
    made.plan = by_itself(made.plan)
    yield made
    assert isinstance(made.journal, FickleJournal)
    made.journal.refusing = None
    made.end()


def proposed(world: World) -> Pilotage:
    pilot = world.start()
    pilot.until(lambda shot: shot.level.value == "ok")
    world.cast.monitor.bad_pct["new"] = 20.0
    pilot.until(lambda shot: shot.proposal is not None)
    return pilot


def stays(pilot: Pilotage, why: str) -> Snapshot:
    """The time is over, and the screen says why nothing goes."""
    found = pilot.until(
        lambda shot: any(each.subject == "veto time" and why in each.what for each in shot.reasons), why
    )
    assert found.rollback is None and not pilot.world.service.writes
    return found


def test_it_goes_when_nobody_said_no(world: World) -> None:
    pilot = proposed(world)
    world.clock.advance(VETO_S + 1)
    pilot.until(lambda shot: shot.rollback is not None)
    assert pilot.rollback.declared_by == MACHINE


def test_a_veto_that_the_journal_refused_is_no_consent(world: World) -> None:
    """The disk is full: the person said no, and was told that it could not be written."""
    pilot = proposed(world)
    assert isinstance(world.journal, FickleJournal)
    world.journal.refusing = FULL
    assert "cannot be written" in pilot.refused(
        asked.VetoProposal(id=ident(), by="ana", signal="errors", reason="no")
    )
    world.clock.advance(VETO_S + 1)
    stays(pilot, "nobody could veto")


@pytest.mark.parametrize("decided", [Kind.PROPOSAL_VETOED, Kind.DRIVER_TAKEN])
def test_who_decides_in_the_last_moment_from_another_cockpit_is_heard(world: World, decided: Kind) -> None:
    """The no, or the new driver, stands in the journal just before the declaration is to be written there."""
    pilot = proposed(world)
    assert isinstance(world.journal, FickleJournal)
    journal = world.journal

    def first(drafts: Sequence[Draft]) -> None:
        if not any(draft.kind is Kind.ROLLBACK_DECLARED for draft in drafts):
            return
        journal.meanwhile = lambda drafts: None
        flight = fold(world.events())
        assert flight.proposal is not None
        bodies: dict[Kind, dict[str, object]] = {
            Kind.PROPOSAL_VETOED: {"signal": flight.proposal.signal, "reason": "no"},
            Kind.DRIVER_TAKEN: taken_body(flight.seat, "ben's", "ops-2", How.CONFIRMED),
        }
        journal.append(
            decided, bodies[decided], actor="ben", at=world.clock.now(), expected_seq=flight.last_seq
        )

    journal.meanwhile = first
    world.clock.advance(VETO_S + 1)
    pilot.until(lambda shot: any(status.what == "DeclareRollback" for status in shot.commands))
    (status,) = (each for each in pilot.now.commands if each.what == "DeclareRollback")
    assert "somebody decided otherwise" in status.text
    assert pilot.now.rollback is None and not world.service.writes


def test_a_cause_that_nobody_sees_any_more_rolls_nothing_back(world: World) -> None:
    """REGRESSED stays on the screen when the source is lost; unknown never rolls back by itself."""
    pilot = proposed(world)
    world.cast.monitor.failing = down()
    pilot.until(lambda shot: all(signal.reading.failure is not None for signal in shot.signals))
    world.clock.advance(VETO_S + 1)
    stays(pilot, "cannot be seen now")
    world.cast.monitor.failing = None
    pilot.until(lambda shot: shot.rollback is not None)


def test_nobody_is_sent_to_a_legacy_that_cannot_be_seen_without_a_person(world: World) -> None:
    pilot = proposed(world)
    world.cast.legacy.failing = down()
    pilot.until(lambda shot: shot.backends[0].probes[0].reading.failure is not None)
    world.clock.advance(VETO_S + 1)
    stays(pilot, "legacy cannot be seen")
    pilot.done(declare())
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped, "a person may")


def test_time_that_passed_while_the_host_slept_is_no_veto_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lid was closed for ten minutes: the wall clock ran on, the steady one did not."""
    pilot = proposed(world)
    slept_s = 600.0
    monotonic = world.clock.monotonic
    monkeypatch.setattr(world.clock, "monotonic", lambda: monotonic() - slept_s)
    world.clock.advance(slept_s)
    stays(pilot, "not on the screen for its whole time")
    world.clock.advance(VETO_S + 1)
    pilot.until(lambda shot: shot.rollback is not None)


def test_a_plan_that_was_set_back_to_people_is_obeyed_on_the_next_start(world: World) -> None:
    """Left while the time ran, started again on the edited plan: the old promise is void."""
    pilot = proposed(world)
    pilot.leave()
    world.plan = by_itself(world.plan, AutoRollback.PROPOSE)
    world.clock.advance(VETO_S + 1)
    again = world.start()
    again.until(lambda shot: bool(shot.signals) and shot.signals[0].evidence.verdict.value == "REGRESSED")
    assert again.now.rollback is None and not world.service.writes


def test_a_cancelled_rollback_is_proposed_anew_and_goes_anew(world: World) -> None:
    """What the banner counts down happens: each proposal has a time of its own."""
    pilot = proposed(world)
    world.cast.legacy.says(Health.DOWN)
    pilot.until(lambda shot: shot.backends[0].health is Health.DOWN)
    for declared in (1, 2):
        world.clock.advance(VETO_S + 1)
        pilot.until(lambda shot: shot.rollback is not None and bool(shot.rollback.question))
        assert len(world.events(Kind.ROLLBACK_DECLARED)) == declared
        pilot.done(
            asked.CancelRollback(
                id=ident(), by="ana", rollback=pilot.rollback.id, reason="not onto a sick legacy"
            )
        )
        pilot.until(lambda shot: shot.rollback is None and shot.proposal is not None)
    assert not world.service.writes
