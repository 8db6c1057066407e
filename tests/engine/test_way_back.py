"""The light of the way back in flight: figures that are polled, a gate, a rollback that never waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from cockpit.core.snapshot import Level
from cockpit.core.spec import ReadySpec
from tests.engine.conftest import Pilotage, World, advance, declare
from tests.engine.scripted import START

LAG = ReadySpec(name="lag", title="reverse sync lag", monitor="metrics", query="lag", at_most=60, unit="s")


def flown(world: World, lag_s: float | None, **rollback: object) -> Pilotage:
    """lag_s: what the monitoring tells of the lag; None: it tells nothing."""
    plan = replace(world.plan, signals=(), rollback=replace(world.plan.rollback, ready=(LAG,), **rollback))  # type: ignore[arg-type]
    if lag_s is None:
        world.cast.monitor.silent.add("lag")
    else:
        world.cast.monitor.gauges["lag"] = lag_s
    return world.start(replace(world.flying(plan=plan), last_drill_at=START - timedelta(days=2)))


def level_of(deck: Pilotage, title: str) -> Level | None:
    return next((line.level for line in deck.now.way_back if line.title == title), None)


def test_a_figure_above_its_limit_shuts_the_gate_and_a_rollback_goes_all_the_same(world: World) -> None:
    deck = flown(world, 12.0)
    deck.fly_to("writes", 10)
    world.cast.monitor.gauges["lag"] = 61.0
    deck.until(lambda _: level_of(deck, LAG.title) is Level.BAD)
    reason = next(reason for reason in deck.now.reasons if reason.subject == "way back")
    assert (reason.level, "reverse sync lag" in reason.what) == (Level.BAD, True)
    deck.until(lambda _: "way back" in [g.name for g in deck.flag("writes").gates if not g.met])
    deck.refused(advance("writes", 50))
    deck.done(declare())
    deck.settled("flip")


def test_a_figure_that_nobody_tells_is_unknown_and_shuts_the_gate(world: World) -> None:
    deck = flown(world, None)
    deck.until(lambda _: level_of(deck, LAG.title) is Level.UNKNOWN)
    assert any(reason.subject == "way back" for reason in deck.now.reasons)


def test_an_old_drill_shuts_the_gate_where_the_plan_wants_a_fresh_one(world: World) -> None:
    deck = flown(world, 1.0, drill_within_s=86_400.0)
    deck.until(lambda _: level_of(deck, "last drill") is Level.BAD)
    unmet = {"way back"}
    deck.until(lambda _: {g.name for g in deck.flag("writes").gates if not g.met} == unmet)
    assert "last drill" in deck.refused(advance("writes", 10))
