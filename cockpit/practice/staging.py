"""Puts a scenario on the stage: flags mid-ramp, faults waiting for their moment on the world's clock."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from cockpit.core.drill import Scenario
from cockpit.core.spec import FlagSpec, Plan
from cockpit.practice.faults import make_fault
from cockpit.practice.world import World

SPREAD_S: Final = 20.0
DEMO_ERROR_RATE: Final = 0.12


def stage(world: World, scenario: Scenario, plan: Plan, *, spread_s: float = SPREAD_S) -> datetime:
    """Start a drill now; returns the instant at which the first fault will begin.

    Every flag stands at the plan's stage nearest to the scenario's start. Up to `spread_s`, by the
    world's seed, is added to every fault, so that knowing a scenario is not knowing its second.
    """
    now_s = world.settle()
    world.start_at(start_percents(plan, scenario.start_pct))
    later_s = now_s + random.Random(f"{world.seed}/stage").random() * spread_s
    for fault in scenario.faults:
        start_s = later_s + fault.at_s
        end_s = None if fault.for_s is None else start_s + fault.for_s
        world.inject(make_fault(fault.name, fault.params, start_s=start_s, end_s=end_s))
    return world.instant(later_s + scenario.fault_at_s)


def start_percents(plan: Plan, wanted_pct: float) -> Mapping[str, float]:
    return {flag.key: _nearest_stage(flag, wanted_pct) for flag in plan.flags}


def _nearest_stage(flag: FlagSpec, wanted_pct: float) -> float:
    """The stage nearest to what is wanted, the lower of two."""
    stages = [stage.percent.value for stage in flag.stages]
    return min(stages, key=lambda percent: (abs(percent - wanted_pct), percent))


def stage_demo(world: World, fault_after_s: float) -> datetime:
    """Let the new side begin to fail `fault_after_s` from now; returns when.

    With a quarter of the traffic on the new side that is a clear regression within a minute.
    """
    start_s = world.settle() + fault_after_s
    world.inject(make_fault("error_burst", {"side": "new", "rate": DEMO_ERROR_RATE}, start_s=start_s))
    return world.instant(start_s)
