"""What the cockpit's own judge makes of the practice world: quiet before the fault, sure soon after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.adapters.table import ANNOUNCERS, FLAG_SERVICES, MONITORS, PROBES
from cockpit.core.counters import SignalSamples
from cockpit.core.model import Quality, Reading, Sample, Verdict
from cockpit.core.spec import Plan
from cockpit.core.tracker import SignalTracker, observe, start_signal, status
from cockpit.plan.kinds import Kinds
from cockpit.plan.load import load
from cockpit.practice.promql import evaluate
from cockpit.practice.rehome import seeds
from cockpit.practice.scenarios import SCENARIOS
from cockpit.practice.staging import stage, stage_demo
from cockpit.practice.world import World
from tests.practice.conftest import HandClock

POLL_S = 5.0


@pytest.fixture(scope="module")
def plan() -> Plan:
    families = [
        {name: kind.settings for name, kind in family.items()}
        for family in (FLAG_SERVICES, PROBES, MONITORS, ANNOUNCERS)
    ]
    names = ("flag_services", "probes", "monitors", "announcers")
    kinds = Kinds(**dict(zip(names, families, strict=True)))
    return load(Path(__file__).parents[2] / "sample_configs" / "chat-sync.toml", kinds)


class Watch:
    """Polls the signals of a plan against a world and keeps what the judge says of each."""

    def __init__(self, plan: Plan, world: World, clock: HandClock) -> None:
        self._plan = plan
        self._world = world
        self._clock = clock
        self._trackers: dict[str, SignalTracker] = {
            signal.name: start_signal(signal, plan, clock.now()) for signal in plan.signals
        }

    def poll(self) -> dict[str, Verdict]:
        self._clock.move(POLL_S)
        counters, now = self._world.counters(), self._clock.now()
        verdicts = {}
        for signal in self._plan.signals:
            queries = (signal.legacy.bad, signal.legacy.total, signal.new.bad, signal.new.total)
            numbers = [value for query in queries for value in _numbers(evaluate(query, counters))]
            good = [Sample(value=number, quality=Quality.GOOD) for number in numbers]
            samples = SignalSamples(
                legacy_bad=good[0], legacy_total=good[1], new_bad=good[2], new_total=good[3]
            )
            tracker = observe(self._trackers[signal.name], samples, now)
            self._trackers[signal.name] = tracker
            reading = Reading(value=0.0, observed_at=now, interval_s=POLL_S)
            verdicts[signal.name] = status(tracker, signal, now, reading).evidence.verdict
        return verdicts


def _numbers(value: object) -> list[float]:
    return list(value.values()) if isinstance(value, dict) else []


@pytest.mark.parametrize("seed", range(1, 7))
def test_the_demo_is_regressed_within_a_minute_and_not_before(
    plan: Plan, clock: HandClock, seed: int
) -> None:
    world = World(flags=seeds(plan), seed=seed, clock=clock)
    world.start_at({flag.key: 25.0 for flag in plan.flags})
    watch = Watch(plan, world, clock)
    stage_demo(world, 60)
    for _ in range(12):
        assert Verdict.REGRESSED not in watch.poll().values()
    after = [watch.poll()["errors"] for _ in range(12)]
    assert after[-1] is Verdict.REGRESSED


def test_a_well_world_is_judged_not_worse(plan: Plan, clock: HandClock) -> None:
    world = World(flags=seeds(plan), seed=2, clock=clock)
    world.start_at({flag.key: 25.0 for flag in plan.flags})
    watch = Watch(plan, world, clock)
    verdicts = [watch.poll() for _ in range(120)]
    assert verdicts[-1]["errors"] is Verdict.NOT_WORSE
    assert verdicts[-1]["slow"] is Verdict.NOT_WORSE


def test_a_slow_side_is_seen_by_the_slow_signal_alone(plan: Plan, clock: HandClock) -> None:
    world = World(flags=seeds(plan), seed=3, clock=clock)
    watch = Watch(plan, world, clock)
    stage(world, SCENARIOS["slow-new-side"], plan, spread_s=0)
    verdicts = [watch.poll() for _ in range(20)][-1]
    assert verdicts["slow"] is Verdict.REGRESSED
    assert verdicts["errors"] is not Verdict.REGRESSED
