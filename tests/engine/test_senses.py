"""What the engine perceives: ages, the judge's proposals, and texts that nobody can be trusted with."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError
from cockpit.core import commands as asked
from cockpit.core.clean import Percent
from cockpit.core.events import Kind
from cockpit.core.model import Failure, FlagValue, Freshness, Health, ProbeValue, Reading, Verdict
from cockpit.core.snapshot import Level
from cockpit.core.spec import AutoRollback, HardLimit, Plan
from cockpit.engine.journal_chain import body_text
from cockpit.engine.lookout import VETO_HOLDS_S
from cockpit.engine.questions import expressions
from cockpit.engine.senses import Senses
from tests.engine.conftest import POLL_S, World, advance, declare, ident, make_plan, note
from tests.engine.scripted import FULL, Answer, FickleJournal, down


def test_a_source_that_stops_answering_goes_stale_and_then_unknown(exposed: World) -> None:
    pilot = exposed.start()
    pilot.ready("writes")
    exposed.cast.shut_polls()
    for gate in exposed.cast.all_gates()[:4]:
        exposed.bell.until(lambda gate=gate: gate.held == 1)  # type: ignore[misc]
    reading = pilot.flag("writes").configured
    assert reading.observed_at is not None
    exposed.clock.advance(3 * POLL_S)
    shot = pilot.until(
        lambda shot: pilot.flag("writes").configured.freshness(shot.engine_at) is Freshness.STALE
    )
    assert shot.level is Level.UNKNOWN
    exposed.clock.advance(3 * POLL_S)
    shot = pilot.until(
        lambda shot: pilot.flag("writes").configured.freshness(shot.engine_at) is Freshness.UNKNOWN
    )
    subjects = {reason.subject for reason in shot.reasons if reason.level is Level.UNKNOWN}
    assert {"writes", "reads", "Errors", "legacy health", "new health"} <= subjects
    assert not [reason for reason in shot.reasons if reason.level is Level.BAD], "unseen is not broken"
    assert all(backend.health is Health.UNKNOWN for backend in shot.backends)
    assert "gates not met" in pilot.refused(advance("writes", 100)) or "cannot be read" in "".join(
        each.text for each in pilot.now.commands
    )
    assert pilot.now.rollback is None and pilot.now.proposal is None, "unknown never rolls back by itself"
    assert not exposed.service.writes


def test_a_probe_that_says_down_is_bad_and_one_that_cannot_be_asked_is_unknown(exposed: World) -> None:
    pilot = exposed.start()
    pilot.until(lambda shot: shot.level is Level.OK)
    exposed.cast.new.says(Health.DOWN, "connection refused")
    shot = pilot.until(lambda shot: shot.level is Level.BAD)
    assert any("DOWN: connection refused" in reason.what for reason in shot.reasons)
    exposed.cast.new.failing = down("401 Unauthorized")
    exposed.clock.advance(1)
    shot = pilot.until(lambda shot: shot.level is Level.UNKNOWN)
    assert any("cannot be seen: 401 Unauthorized" in reason.what for reason in shot.reasons)


def test_an_exposed_flag_whose_traffic_nobody_sees_is_not_called_well(exposed: World) -> None:
    exposed.cast.monitor.silent = {"writes/new"}
    pilot = exposed.start()
    pilot.until(lambda _: pilot.flag("writes").configured.value is not None)
    shot = pilot.until(lambda shot: any("traffic share cannot be seen" in r.what for r in shot.reasons))
    assert shot.level is Level.UNKNOWN


def test_a_worse_new_side_is_proposed_to_be_rolled_back_and_a_person_may_say_no(exposed: World) -> None:
    pilot = exposed.start()
    pilot.until(lambda shot: shot.level is Level.OK)
    assert "nothing is proposed" in pilot.refused(
        asked.VetoProposal(id=ident(), by="ana", signal="errors", reason="why")
    )
    exposed.cast.monitor.bad_pct["new"] = 20.0
    shot = pilot.until(lambda shot: shot.proposal is not None)
    proposal = shot.proposal
    assert proposal is not None and proposal.signal == "errors"
    assert shot.first_breach_at == proposal.since
    assert not exposed.service.writes, "the judge proposes, a person decides"
    assert "needs a reason" in pilot.refused(
        asked.VetoProposal(id=ident(), by="ana", signal="errors", reason="")
    )
    other = asked.VetoProposal(id=ident(), by="ana", signal="slow", reason="known batch job")
    assert "proposed now, for errors: look again" in pilot.refused(other)
    pilot.done(asked.VetoProposal(id=ident(), by="ana", signal="errors", reason="known batch job"))
    (vetoed,) = exposed.events(Kind.PROPOSAL_VETOED)
    assert (vetoed.actor, vetoed.body["reason"]) == ("ana", "known batch job")
    exposed.clock.advance(VETO_HOLDS_S + 1)
    exposed.bell.until(lambda: len(exposed.events(Kind.PROPOSAL_RAISED)) == 2, "still worse: asked again")
    pilot.done(note("and nobody declared"))
    assert pilot.now.rollback is None and not exposed.service.writes


def test_a_rollback_takes_reason_and_first_breach_from_the_proposal(exposed: World) -> None:
    pilot = exposed.start()
    pilot.until(lambda shot: shot.level is Level.OK)
    exposed.cast.monitor.bad_pct["new"] = 20.0
    proposal = pilot.until(lambda shot: shot.proposal is not None).proposal
    assert proposal is not None
    pilot.done(declare(reason=""))
    assert pilot.rollback.reason == proposal.text
    assert pilot.rollback.first_breach_at == proposal.since
    assert pilot.now.proposal is None


def test_a_hard_limit_proposes_since_its_first_measurement_and_is_cleared(exposed: World) -> None:
    (signal,) = exposed.plan.signals
    limited = replace(signal, limit=HardLimit(max_pct=5.0, breaches=2, window=3))
    pilot = exposed.start(exposed.flying(plan=replace(exposed.plan, signals=(limited,))))
    pilot.until(lambda shot: shot.level is Level.OK)
    exposed.cast.monitor.bad_pct = {"legacy": 8.0, "new": 8.0}
    shot = pilot.until(lambda shot: shot.proposal is not None)
    assert shot.signals[0].evidence.verdict is not Verdict.REGRESSED, "both sides are equally bad"
    assert shot.proposal is not None and shot.proposal.limit == "5%"
    breached = next(event for event in exposed.events(Kind.LIMIT_BREACHED))
    assert shot.proposal.since < breached.at
    exposed.cast.monitor.bad_pct = {"legacy": 1.0, "new": 1.0}
    pilot.until(lambda shot: shot.proposal is None)
    exposed.bell.until(lambda: bool(exposed.events(Kind.PROPOSAL_CLEARED)))
    assert exposed.events(Kind.LIMIT_CLEARED)
    pilot.until(lambda shot: shot.first_breach_at is None)


def test_with_nobody_on_the_new_side_nothing_is_proposed(world: World) -> None:
    world.cast.monitor.bad_pct["new"] = 100.0
    pilot = world.start()
    pilot.until(lambda shot: bool(shot.signals) and shot.signals[0].evidence.verdict is Verdict.REGRESSED)
    pilot.done(note("looked"))
    assert pilot.now.proposal is None


def test_evidence_starts_over_with_every_stage(world: World) -> None:
    pilot = world.start()
    pilot.fly_to("writes", 10)
    pilot.until(lambda shot: shot.signals[0].evidence.verdict is Verdict.NOT_WORSE)
    gathered = pilot.now.signals[0].evidence.total_legacy
    world.bell.until(lambda: pilot.now.signals[0].evidence.total_legacy > gathered)
    pilot.ready("writes")
    world.cast.monitor.gate.shut()
    world.bell.until(lambda: world.cast.monitor.gate.held == 1)
    pilot.done(advance("writes", 50))
    fresh = pilot.until(lambda shot: shot.signals[0].evidence.total_legacy == 0)
    assert fresh.signals[0].evidence.verdict is not Verdict.NOT_WORSE


async def test_of_two_reads_at_once_the_one_that_began_later_counts() -> None:
    world = World()
    senses = Senses(make_plan(), world.sources(world.plan), world.clock, lambda source: None, lambda: 0)
    (service,) = world.plan.flag_services
    world.service.read_gate.shut()
    slow = asyncio.create_task(senses.read_service(service, ("writes",)))
    await asyncio.sleep(0)
    assert world.service.reads == 1
    world.service.change("writes", 50)
    world.service.read_gate._open = True
    await senses.read_service(service, ("writes",))
    assert senses.flags["writes"].reading.value == world.service.truth["writes"]
    world.service.read_gate.open()
    await slow
    assert senses.flags["writes"].reading.value == world.service.truth["writes"], "an old answer came late"
    world.journal.close()


def test_everything_a_plan_asks_of_a_monitor_is_asked_once() -> None:
    asked_for = expressions(make_plan(), "metrics")
    assert len(asked_for) == len(set(asked_for)) == 9
    assert expressions(make_plan(), "nobody") == ()


# Untrusted texts

HOSTILE = st.text(
    alphabet=st.sampled_from("ab \x1b\x9b\x07\r\n\u202e\u2066\u200b\ufeff\ud800\x00é漢[/]"),
    min_size=60,
    max_size=400,
)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=st.tuples(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE))
def test_whatever_adapters_and_people_say_the_journal_holds_clean_text(
    texts: tuple[str, str, str, str, str],
) -> None:
    """Adapters clean their texts; the engine does not rely on it."""
    who, detail, title, typed, receipt = texts
    world = World(percents={"writes": 50.0, "reads": 50.0})
    try:
        world.service.next_answers("reads", Answer(lands=False, detail=detail))
        pilot = world.start()
        pilot.ready("writes")
        world.service.change("writes", 80, who=who)
        world.cast.new.value = ProbeValue(health=Health.DOWN, detail=detail)
        world.bell.until(lambda: bool(world.events(Kind.FLAG_FOREIGN)))
        world.bell.until(lambda: bool(world.events(Kind.PROBE_CHANGED)))
        world.cast.hook.failing = AdapterError(Failure(title=title + receipt))
        for command in (note(typed, by=who), declare(reason=typed, by=who)):
            pilot.engine.submit(command)
        pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
        for event in world.events():
            plain = body_text(event.body) + event.actor
            bad = [char for char in plain if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co"}]
            assert not bad, (event.kind, bad)
    finally:
        world.end()


def test_a_flag_value_is_never_taken_for_more_than_it_says() -> None:
    unclear = FlagValue(key="f", on=True, percent=None)
    assert unclear.exposure is None
    off = FlagValue(key="f", on=False, percent=Percent(5000))
    assert off.exposure == Percent(0)


def by_itself(world: World) -> Plan:
    return replace(world.plan, rollback=replace(world.plan.rollback, auto=AutoRollback.VETO, veto_s=60.0))


def test_where_the_plan_says_so_a_proposal_goes_by_itself_unless_vetoed(exposed: World) -> None:
    pilot = exposed.start(exposed.flying(plan=by_itself(exposed)))
    pilot.until(lambda shot: shot.level is Level.OK)
    exposed.cast.monitor.bad_pct["new"] = 20.0
    pilot.until(lambda shot: shot.proposal is not None)
    pilot.done(note("nothing goes before its time"))
    assert not exposed.service.writes
    exposed.clock.advance(61)
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    assert "nobody vetoed in time" in pilot.rollback.reason
    assert pilot.rollback.declared_by == "cockpit"


def test_a_proposal_whose_cause_is_gone_never_goes_by_itself_even_without_a_journal() -> None:
    """That the cause is gone is seen, but cannot be journalled: the proposal still stands in the record."""
    book = FickleJournal()
    exposed = World(percents={"writes": 50.0, "reads": 50.0}, journal=book)
    (signal,) = exposed.plan.signals
    limited = replace(signal, limit=HardLimit(max_pct=5.0, breaches=2, window=3))
    plan = replace(by_itself(exposed), signals=(limited,))
    try:
        pilot = exposed.start(exposed.flying(plan=plan))
        pilot.until(lambda shot: shot.level is Level.OK)
        exposed.cast.monitor.bad_pct = {"legacy": 8.0, "new": 8.0}
        pilot.until(lambda shot: shot.proposal is not None)
        book.refusing = FULL
        exposed.cast.monitor.bad_pct = {"legacy": 1.0, "new": 1.0}
        pilot.until(lambda shot: not shot.signals[0].limit_breached)
        exposed.clock.advance(61)
        shot = pilot.now
        pilot.until(lambda later: later.seq > shot.seq + 3)
        assert pilot.now.proposal is not None and pilot.now.rollback is None
        assert not exposed.service.writes
    finally:
        book.refusing = None
        exposed.end()


def _host_slept(world: World) -> None:
    world.clock.set_ahead(600)


def _was_stopped(world: World) -> None:
    world.clock.advance(600)


@pytest.mark.parametrize("stood", [_host_slept, _was_stopped])
@pytest.mark.parametrize("source", ["flags", "probe", "monitor"])
async def test_an_answer_from_before_the_host_slept_is_as_old_as_its_question(
    source: str, stood: Callable[[World], None]
) -> None:
    """It lay there all the time, and is taken in when the lid is opened: hours later it is no news."""
    world = World()
    senses = Senses(make_plan(), world.sources(world.plan), world.clock, lambda source: None, lambda: 0)
    (service,), (monitor,) = world.plan.flag_services, world.plan.monitors
    probe = world.plan.backends[0].probes[0]
    gate = {
        "flags": world.service.read_gate,
        "probe": world.cast.legacy.gate,
        "monitor": world.cast.monitor.gate,
    }
    ask = {
        "flags": lambda: senses.read_service(service, ("writes",)),
        "probe": lambda: senses.probe(probe),
        "monitor": lambda: senses.query(monitor),
    }
    read: Mapping[str, Callable[[], Reading[Any]]] = {
        "flags": lambda: senses.flags["writes"].reading,
        "probe": lambda: senses.probes[probe.side, probe.name].reading,
        "monitor": lambda: senses.signals.readings["errors"],
    }
    gate[source].shut()
    asking = asyncio.create_task(ask[source]())
    await asyncio.sleep(0)
    stood(world)
    gate[source].open()
    assert await asking is None
    old = read[source]()
    assert old.value is not None and old.freshness(world.clock.now()) is not Freshness.FRESH
    await ask[source]()
    assert read[source]().freshness(world.clock.now()) is Freshness.FRESH
    world.journal.close()
