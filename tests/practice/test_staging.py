from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.core.clean import Percent
from cockpit.core.drill import Scenario
from cockpit.core.model import Side
from cockpit.core.spec import Stage
from cockpit.practice.console import HELP, answer
from cockpit.practice.faults import FaultName
from cockpit.practice.rehome import seeds
from cockpit.practice.scenarios import SCENARIOS
from cockpit.practice.staging import stage, stage_demo, start_percents
from cockpit.practice.traffic import REQUESTS, series
from cockpit.practice.world import World
from tests.practice.conftest import HandClock, a_plan


@pytest.fixture
def world(clock: HandClock) -> World:
    return World(flags=seeds(a_plan()), seed=5, clock=clock)


def errors(world: World, side: Side) -> float:
    """Share of failed requests so far."""
    counters = world.counters()
    failed, total = 0, 0
    for flag in world.seeds:
        failed += counters[series(REQUESTS, flag=flag, backend=side, outcome="error")]
        total += sum(
            counters[series(REQUESTS, flag=flag, backend=side, outcome=each)] for each in ("ok", "error")
        )
    return failed / total


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
def test_every_scenario_can_be_staged_and_hides_its_fault_at_first(
    scenario: Scenario, world: World, clock: HandClock
) -> None:
    clock.move(12)
    fault_at = stage(world, scenario, a_plan())
    assert len(world.faults()) == len(scenario.faults)
    first_s = (fault_at - clock.now()).total_seconds()
    assert scenario.fault_at_s <= first_s <= scenario.fault_at_s + 20
    clock.move(first_s - 0.1)
    assert not [fault for fault in world.faults() if fault.active(world.now_s)]
    assert world.served_pct("chat_reads") == pytest.approx(scenario.start_pct)
    assert errors(world, Side.NEW) < 0.02
    clock.move(0.2)
    assert [fault for fault in world.faults() if fault.active(world.now_s)]


def test_there_are_scenarios_for_what_a_crew_must_have_seen() -> None:
    struck = {fault.name for scenario in SCENARIOS.values() for fault in scenario.faults}
    assert struck >= {
        FaultName.ERROR_BURST,
        FaultName.SLOW,
        FaultName.FOREIGN_CHANGE,
        FaultName.SLOW_PROPAGATION,
        FaultName.LEGACY_SICK,
        FaultName.METRICS_DOWN,
        FaultName.FLAG_SERVICE_SLOW,
    }
    for name, scenario in SCENARIOS.items():
        assert scenario.name == name
        assert scenario.story.endswith(".") and all(line.endswith(".") for line in scenario.good_play)


def test_the_second_depends_on_the_seed_alone(clock: HandClock) -> None:
    moments = [
        stage(World(flags=seeds(a_plan()), seed=seed, clock=clock), SCENARIOS["error-burst"], a_plan())
        for seed in (1, 1, 2)
    ]
    assert moments[0] == moments[1] != moments[2]


def test_flags_start_at_the_nearest_stage() -> None:
    plan = a_plan()
    odd = replace(plan.flags[0], stages=tuple(Stage(percent=Percent.parse(each)) for each in (5, 45, 100)))
    percents = start_percents(replace(plan, flags=(odd, plan.flags[1])), 25)
    assert percents == {"chat_writes": 5, "chat_reads": 25}


def test_a_foreign_hand_puts_the_first_written_flag_back(world: World, clock: HandClock) -> None:
    fault_at = stage(world, SCENARIOS["write-conflict"], a_plan())
    clock.move((fault_at - clock.now()).total_seconds() + 30)
    world.write(lambda store, at: None, ["chat_reads"])
    world.set_exposure("chat_reads", 0)
    assert world.configured_pct("chat_reads") == 0
    clock.move(2)
    assert world.configured_pct("chat_reads") == 25
    assert world.flags.events[-1]["createdBy"] == "release-bot"


def test_slow_propagation_leaves_users_behind(world: World, clock: HandClock) -> None:
    fault_at = stage(world, SCENARIOS["slow-propagation"], a_plan())
    clock.move((fault_at - clock.now()).total_seconds() + 30)
    world.set_exposure("chat_reads", 0)
    clock.move(60)
    assert world.configured_pct("chat_reads") == 0
    assert 10 < world.served_pct("chat_reads") < 25
    clock.move(125)
    assert world.served_pct("chat_reads") == 0


def test_the_demo_fails_on_time_on_the_new_side(world: World, clock: HandClock) -> None:
    world.start_at({"chat_reads": 25.0, "chat_writes": 25.0})
    fault_at = stage_demo(world, 30)
    assert (fault_at - clock.now()).total_seconds() == 30
    clock.move(30)
    assert errors(world, Side.NEW) < 0.02
    clock.move(60)
    assert errors(world, Side.NEW) > 0.05
    assert errors(world, Side.LEGACY) < 0.02


def test_the_console(world: World) -> None:
    plan = a_plan()

    def said(line: str) -> str:
        return answer(world, plan, line)

    assert said("") == ""
    assert said("help") == HELP
    assert all(name in HELP for name in FaultName)
    assert said("faults") == "none"
    assert said("slow side=new factor=3 in=10s for=2m") == "slow side=new factor=3.0 from 10.0 s to 130.0 s"
    assert said("outage side=legacy kind=refused").endswith("until cleared")
    assert len(said("faults").splitlines()) == 2
    assert said("clear slow") == "1 ended"
    assert said("clear") == "1 ended"
    assert "10.0% configured" in said("set chat_reads 10 alice")
    assert world.flags.events[-1]["createdBy"] == "alice"
    assert "chat_writes" in said("share")
    assert said("set chat_reads 1000").startswith("a percentage lies between")
    assert said("set nothing 10") == "no flag is called 'nothing'; there are: chat_writes, chat_reads"
    assert said("scenario outage").startswith("the first fault comes at 03:0")
    assert said("scenario nothing").startswith("no scenario is called 'nothing'")
    assert said("earthquake").startswith("no fault is called 'earthquake'")
    assert said("slow factor").startswith("write key=value")
    assert said("clear earthquake").startswith("no fault is called 'earthquake'")
