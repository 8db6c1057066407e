"""A plan may let a proposal go by itself, unless a person says no in time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.core import commands as asked
from cockpit.core.events import MACHINE, Kind
from cockpit.core.snapshot import Level
from cockpit.core.spec import AutoRollback, Plan
from cockpit.engine.lookout import VETO_HOLDS_S
from tests.engine.conftest import World, ident


def with_auto(plan: Plan, auto: AutoRollback) -> Plan:
    return replace(plan, rollback=replace(plan.rollback, auto=auto, veto_s=60.0))


@pytest.fixture
def worse(exposed: World) -> World:
    exposed.cast.monitor.bad_pct["new"] = 20.0
    return exposed


def test_a_proposal_goes_by_itself_when_its_veto_time_is_over(worse: World) -> None:
    pilot = worse.start(worse.flying(plan=with_auto(worse.plan, AutoRollback.VETO)))
    proposal = pilot.until(lambda shot: shot.proposal is not None).proposal
    assert proposal is not None and proposal.goes_at is not None
    assert not worse.service.writes
    worse.clock.advance(61)
    rollback = pilot.until(lambda shot: shot.rollback is not None).rollback
    assert rollback is not None and rollback.declared_by == MACHINE
    assert "nobody vetoed in time" in rollback.reason
    assert len(worse.events(Kind.ROLLBACK_DECLARED)) == 1


def test_a_veto_in_time_stops_it_and_holds_for_a_while(worse: World) -> None:
    pilot = worse.start(worse.flying(plan=with_auto(worse.plan, AutoRollback.VETO)))
    pilot.until(lambda shot: shot.proposal is not None)
    pilot.done(asked.VetoProposal(id=ident(), by="ana", signal="errors", reason="known batch job"))
    worse.clock.advance(120)
    pilot.done(asked.AddNote(id=ident(), by="ana", text="still here"))
    assert pilot.now.rollback is None and pilot.now.proposal is not None
    worse.clock.advance(VETO_HOLDS_S)
    pilot.until(lambda _: bool(worse.events(Kind.PROPOSAL_CLEARED)))
    pilot.until(lambda _: len(worse.events(Kind.PROPOSAL_RAISED)) == 2, "proposed again on new evidence")
    assert pilot.now.rollback is None


def test_off_proposes_nothing_and_still_shows_the_verdict(worse: World) -> None:
    pilot = worse.start(worse.flying(plan=with_auto(worse.plan, AutoRollback.OFF)))
    shot = pilot.until(lambda shot: any("REGRESSED" in reason.what for reason in shot.reasons))
    assert shot.level is Level.BAD and shot.proposal is None
    assert not worse.events(Kind.PROPOSAL_RAISED)
