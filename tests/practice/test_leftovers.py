"""What a side still holds after its traffic: it falls after the flag goes to zero, and not at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.core.model import Side
from cockpit.core.spec import DrainSpec, Plan
from cockpit.practice.faults import FaultName, make_fault
from cockpit.practice.leftovers import CLIENTS, JOBS, LIVES, OLD_PAGES, RELOAD_MEAN_S, STREAMS, WEBHOOKS
from cockpit.practice.queries import answerable
from cockpit.practice.rehome import seeds
from cockpit.practice.traffic import series
from cockpit.practice.world import World
from tests.practice.conftest import HandClock, Lab, a_plan


@pytest.fixture
def world(clock: HandClock) -> World:
    return World(flags=seeds(a_plan()), seed=5, clock=clock)


def left(world: World, name: str, side: Side = Side.NEW) -> int:
    return world.counters()[series(name, backend=side)]


@pytest.mark.parametrize("name", LIVES)
def test_it_falls_after_the_flag_goes_to_zero_and_keeps_a_tail(
    world: World, clock: HandClock, name: str
) -> None:
    world.start_at({"chat_reads": 100.0, "chat_writes": 100.0})
    full = left(world, name)
    assert full >= 20
    clock.move(30)
    assert 0.4 * full < left(world, name) < 1.6 * full, "a busy side holds about as much as before"
    for key in ("chat_reads", "chat_writes"):
        world.set_exposure(key, 0)
    fell = [left(world, name)]
    for _ in range(240):
        clock.move(0.5)
        fell.append(left(world, name))
    half = next(at for at, each in enumerate(fell) if each < fell[0] / 2)
    empty = next(at for at, each in enumerate(fell) if each == 0)
    assert 0 < half < empty < 240
    assert empty > 2 * half, "the last ones take their time"
    assert set(fell[empty:]) == {0}
    assert left(world, name, Side.LEGACY) > 0


def test_nothing_runs_out_while_clients_keep_what_they_know(world: World, clock: HandClock) -> None:
    world.start_at({"chat_reads": 100.0, "chat_writes": 100.0})
    world.inject(make_fault(FaultName.SLOW_PROPAGATION, {"factor": 1000}))
    for key in ("chat_reads", "chat_writes"):
        world.set_exposure(key, 0)
    clock.move(60)
    assert left(world, STREAMS) > 5


@pytest.mark.parametrize(
    ("name", "query", "played_by"),
    [
        ("sockets", "websocket_connections", STREAMS),
        ("live", 'sum(x{backend="new"})', STREAMS),
        ("webhooks", "/new/webhooks/undelivered", WEBHOOKS),
        ("mails", "outbox_size", WEBHOOKS),
        ("queue", "SELECT count(*) FROM pg_queue", JOBS),
        ("anything", "vector(0)", JOBS),
    ],
)
def test_a_plans_own_gauge_is_played_by_what_it_speaks_of(name: str, query: str, played_by: str) -> None:
    for side in Side:
        (gauge,) = answerable(with_gauge(name=name, side=side, query=query)).rollback.drain
        assert gauge.query == f'sum({played_by}{{backend="{side}"}})'
        assert (gauge.name, gauge.side, gauge.below) == (name, side, 1)


def test_a_gauge_that_the_world_knows_is_asked_as_it_stands() -> None:
    query = f'sum({WEBHOOKS}{{backend="new"}})'
    assert answerable(with_gauge(name="x", query=query)).rollback.drain[0].query == query


def test_pages_become_old_when_their_flag_changes_and_go_as_they_are_reloaded(
    world: World, clock: HandClock
) -> None:
    world.start_at({"chat_reads": 100.0})
    pages = series(OLD_PAGES, flag="chat_reads")
    clock.move(5)
    assert world.counters()[pages] == 0
    world.set_exposure("chat_reads", 0)
    clock.move(1)
    assert 0.8 * CLIENTS < world.counters()[pages] <= CLIENTS
    clock.move(RELOAD_MEAN_S)
    assert 0.2 * CLIENTS < world.counters()[pages] < 0.6 * CLIENTS
    clock.move(10 * RELOAD_MEAN_S)
    assert world.counters()[pages] == 0
    assert world.counters()[series(OLD_PAGES, flag="chat_writes")] == 0


def test_old_pages_of_a_plan_are_those_of_its_flag() -> None:
    plan = with_gauge(name="chat_reads (old pages)", query="web_clients")
    gauge = replace(plan.rollback.drain[0], flag="chat_reads")
    known = answerable(replace(plan, rollback=replace(plan.rollback, drain=(gauge,))))
    assert known.rollback.drain[0].query == f'sum({OLD_PAGES}{{flag="chat_reads"}})'


def test_a_deployment_counts_its_jobs(lab: Lab) -> None:
    lab.practice.world.start_at({"chat_reads": 100.0, "chat_writes": 100.0})
    held = left(lab.practice.world, JOBS)
    asked = {"path": "_system/frontend/tableSize", "args": {"tableName": "jobs"}, "format": "json"}
    answer = lab.client.post(
        f"{lab.practice.urls['convex']}/api/query",
        json=asked,
        headers={"Authorization": "Convex practice-viewer"},
    )
    assert answer.json()["value"] == held > 0


def with_gauge(*, name: str, query: str, side: Side = Side.NEW) -> Plan:
    plan = a_plan()
    gauge = DrainSpec(name=name, side=side, monitor=plan.monitors[0].name, query=query, below=1)
    return replace(plan, rollback=replace(plan.rollback, drain=(gauge,)))
