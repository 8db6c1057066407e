"""When a cockpit that was told to stop may end: never while the machine still has something to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cockpit.core.leaving import Here, may_leave
from cockpit.core.rollback import Rollback, StepState
from tests.core.rollback_sim import Sim

HERE = Here(drives=True, at_once=False, writing=False, idle=True, since_s=60)


def declared(*, begun: bool = True, machine: StepState | None = None) -> tuple[Rollback, Sim]:
    """A rollback of one flag. begun: its first write is on its way. machine: how its steps stand."""
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    if begun:
        sim.turn()
    rollback = sim.rollback
    if machine is not None:
        steps = tuple(replace(step, state=machine) if step.machine else step for step in rollback.steps)
        rollback = replace(rollback, steps=steps)
    return rollback, sim


def test_without_a_rollback_it_waits_for_the_write_alone() -> None:
    _, sim = declared()
    assert may_leave(None, HERE, sim.now)
    assert may_leave(None, replace(HERE, idle=False), sim.now)
    assert not may_leave(None, replace(HERE, writing=True), sim.now)


def test_a_machine_with_work_left_holds_whoever_drives() -> None:
    rollback, sim = declared()
    assert not may_leave(rollback, HERE, sim.now)
    assert may_leave(rollback, replace(HERE, drives=False), sim.now)
    assert may_leave(rollback, replace(HERE, at_once=True, writing=True), sim.now)


@pytest.mark.parametrize("state", [StepState.DONE, StepState.OVERRIDDEN, StepState.FAILED])
def test_the_machines_part_is_over_once_done_or_stuck_and_nothing_is_in_flight(state: StepState) -> None:
    rollback, sim = declared(machine=state)
    assert may_leave(rollback, HERE, sim.now)
    assert not may_leave(rollback, replace(HERE, idle=False), sim.now)


def test_steps_that_failed_before_any_write_left_are_not_stuck() -> None:
    rollback, sim = declared(begun=False, machine=StepState.FAILED)
    assert not rollback.flip_begun
    assert not may_leave(rollback, HERE, sim.now)


def test_a_rollback_that_is_found_late_gets_its_whole_time_here() -> None:
    rollback, _ = declared()
    late = rollback.deadline_at + timedelta(seconds=1)
    budget_s = (rollback.deadline_at - rollback.declared_at).total_seconds()
    assert not may_leave(rollback, replace(HERE, since_s=budget_s), late)
    assert may_leave(rollback, replace(HERE, since_s=budget_s + 1), late)
    assert not may_leave(rollback, replace(HERE, since_s=budget_s + 1), rollback.deadline_at)
    assert not may_leave(rollback, replace(HERE, since_s=budget_s + 1, writing=True), late)
