"""Drain gauges in flight: polled with their monitor, holding the step drain and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from cockpit.core import commands as asked
from cockpit.core.model import Failure, Freshness, Reading, Side
from cockpit.core.rollback import StepState
from cockpit.core.spec import DrainSpec
from cockpit.engine.gauge_senses import GaugeSense, clock_set_back, prove_nothing
from cockpit.engine.snapshot_json import as_json
from tests.engine.conftest import Pilotage, World, declare, ident
from tests.engine.scripted import START

SOCKETS = DrainSpec(name="sockets", side=Side.NEW, monitor="metrics", query="sockets", below=1)


def flown(world: World, sockets: float | None) -> Pilotage:
    """sockets: what the monitoring tells at first; None: it tells nothing."""
    if sockets is None:
        world.cast.monitor.silent.add("sockets")
    else:
        world.cast.monitor.gauges["sockets"] = sockets
    plan = replace(world.plan, rollback=replace(world.plan.rollback, drain=(SOCKETS,)))
    deck = world.start(world.flying(plan=plan))
    deck.until(lambda shot: shot.gauges[0].reading.attempted_at is not None)
    return deck


def drained_traffic(deck: Pilotage) -> None:
    deck.fly_to("writes", 10)
    deck.done(declare())
    deck.settled("flip", "verify")
    deck.until(lambda _: all(flip.drained_at is not None for flip in deck.rollback.flips))


def test_open_sockets_hold_the_drain_until_they_are_gone(world: World) -> None:
    deck = flown(world, 40.0)
    drained_traffic(deck)
    polls = len(deck.now.gauges[0].polls)
    deck.until(lambda shot: len(shot.gauges[0].polls) >= min(40, polls + 3))
    assert deck.rollback.step("drain").state is StepState.RUNNING
    world.cast.monitor.gauges["sockets"] = 0.0
    deck.settled("drain", "reconcile")
    assert deck.rollback.step("drain").evidence.endswith("sockets 0 (below 1)")


def test_a_gauge_that_nobody_tells_needs_a_person_and_only_for_the_drain(world: World) -> None:
    deck = flown(world, None)
    drained_traffic(deck)
    gauge = deck.now.gauges[0]
    assert gauge.reading.freshness(deck.now.engine_at) is Freshness.UNKNOWN
    assert deck.rollback.step("drain").state is StepState.RUNNING
    told = as_json(deck.now)["drain_gauges"]
    assert isinstance(told, list)
    assert (told[0]["value"], told[0]["drained"], told[0]["freshness"]) == (None, False, "unknown")
    deck.done(
        asked.OverrideStep(
            id=ident(), by="ana", rollback=deck.rollback.id, step="drain", reason="counted on the host: none"
        )
    )
    deck.settled("drain", "reconcile")


def test_a_rollback_with_a_monitor_that_is_gone_writes_its_flags_and_waits(world: World) -> None:
    deck = flown(world, 0.0)
    deck.fly_to("writes", 10)
    world.cast.monitor.silent.add("sockets")
    deck.done(declare())
    deck.settled("flip", "verify")
    assert world.service.exposure("writes") == 0
    assert deck.rollback.step("drain").state is not StepState.DONE


def test_a_failed_poll_breaks_the_row_and_a_renumbered_journal_empties_it() -> None:
    good: Reading[float] = Reading(value=0.0, observed_at=START)
    sense = GaugeSense(good)
    sense.take(good, 7)
    sense.take(replace(good, failure=Failure(title="no data")), 8)
    assert list(sense.polls) == [(7, 0.0), (8, None)]
    prove_nothing({"sockets": sense})
    assert list(sense.polls) == [(0, 0.0), (0, None)]


def test_a_clock_that_was_set_back_takes_the_reading_along() -> None:
    sense = GaugeSense(Reading(value=0.0, observed_at=START))
    clock_set_back({"sockets": sense}, -60.0)
    assert sense.reading.observed_at == START - timedelta(seconds=60)
