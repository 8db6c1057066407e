"""What looks well because nobody can tell, and who is named for what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cockpit.cli.who import operator_name
from cockpit.core.events import MACHINE, Kind
from cockpit.core.model import Side
from cockpit.core.snapshot import Level
from cockpit.core.spec import WriteCounter
from cockpit.core.tracker import SILENT_AFTER_S
from cockpit.engine.senses import Senses
from tests.engine.conftest import World, make_plan


@pytest.fixture
def exposed() -> Iterator[World]:
    made = World(percents={"writes": 50.0, "reads": 50.0})
    yield made
    made.end()


def test_counters_that_stand_still_are_not_called_well(exposed: World) -> None:
    """The source answers, and always the same: the judge cannot judge, so nobody may say OK."""
    plan = replace(exposed.plan, flags=tuple(replace(flag, traffic=None) for flag in exposed.plan.flags))
    pilot = exposed.start(exposed.flying(plan=plan))
    pilot.until(lambda shot: shot.level is Level.OK and shot.signals[0].evidence.total_new > 0)
    exposed.cast.monitor.traffic = 0.0
    exposed.clock.advance(SILENT_AFTER_S + 60)
    pilot.until(lambda shot: shot.signals[0].evidence.verdict.value == "UNKNOWN")
    shot = pilot.until(lambda shot: all(probe.passes > 0 for side in shot.backends for probe in side.probes))
    shot = pilot.until(lambda shot: shot.level is Level.UNKNOWN, "a level that says so")
    assert any("no events on either side" in reason.what for reason in shot.reasons)


def test_who_only_looks_is_not_told_that_another_cockpit_drives(exposed: World) -> None:
    pilot = exposed.start(exposed.flying(read_only=True))
    pilot.until(lambda shot: all(flag.configured.value is not None for flag in shot.flags))
    assert not any("another cockpit" in reason.what for reason in pilot.now.reasons)


def test_a_person_cannot_sign_as_the_machine() -> None:
    """An account named like the program is likely; its acts are a person's all the same."""
    for name in (MACHINE, MACHINE.upper(), f" {MACHINE} "):
        assert operator_name({"COCKPIT_OPERATOR": name}).strip().lower() != MACHINE
    assert operator_name({"COCKPIT_OPERATOR": "kim"}) == "kim"


def test_a_changed_probe_or_counter_starts_with_nothing_proved(exposed: World) -> None:
    """Three good answers of the old address say nothing about the new one."""
    plan = make_plan()
    sources = exposed.sources(plan)
    senses = Senses(plan, sources, exposed.clock, lambda source: None, lambda: 0)
    now = exposed.clock.now()
    for sense in senses.probes.values():
        sense.good = [7, 7, 8]
    senses.counters["orders"] = replace(senses.counters["orders"], value=7.0, observed_at=now)
    moved = tuple(
        replace(each, probes=tuple(replace(probe, settings="another address") for probe in each.probes))
        if each.side is Side.NEW
        else each
        for each in plan.backends
    )
    counter = WriteCounter(name="orders", monitor="metrics", query="other orders")
    rollback = replace(plan.rollback, write_counters=(counter,))
    senses.adopt(replace(plan, backends=moved, rollback=rollback), sources)
    assert senses.probes[Side.NEW, "health"].good == []
    assert len(senses.probes[Side.LEGACY, "health"].good) == 3
    assert senses.counters["orders"].value is None


def test_a_restart_does_not_take_back_what_was_proposed(exposed: World) -> None:
    """The new process has no evidence yet: that is no evidence that the cause is gone."""
    pilot = exposed.start()
    pilot.until(lambda shot: shot.level is Level.OK)
    exposed.cast.monitor.bad_pct["new"] = 20.0
    proposal = pilot.until(lambda shot: shot.proposal is not None).proposal
    assert proposal is not None
    pilot.leave()
    exposed.cast.monitor.gate.shut()
    again = exposed.start()
    again.until(lambda shot: all(flag.configured.value is not None for flag in shot.flags))
    assert again.now.proposal is not None and again.now.first_breach_at == proposal.since
    exposed.cast.monitor.bad_pct["new"] = 1.0
    exposed.cast.monitor.gate.open()
    again.until(lambda shot: shot.proposal is None, "well again, by evidence")
    assert len(exposed.events(Kind.PROPOSAL_CLEARED)) == 1
