"""The sample plans, pointed at the practice world, through the real adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cockpit.adapters.http import Web
from cockpit.adapters.table import FLAG_SERVICES, MONITORS, PROBES
from cockpit.cli.practising import stand_ins
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import FlagValue, Health, Quality, Sample, WriteOutcome
from cockpit.core.spec import PairQuery, Plan
from cockpit.engine.questions import expressions
from cockpit.plan.load import load
from cockpit.practice.faults import make_fault
from cockpit.practice.server import PracticeServer
from tests.plan.plans import KINDS, SAMPLES, WHOLE
from tests.practice.conftest import HandClock


@pytest.fixture(params=WHOLE)
def plan(request: pytest.FixtureRequest) -> Plan:
    return load(SAMPLES / request.param, KINDS)


@pytest.fixture
async def web(clock: HandClock) -> AsyncIterator[Web]:
    web = Web(clock=clock)
    yield web
    await web.aclose()


async def test_every_flag_is_read_raised_and_killed(plan: Plan, web: Web, clock: HandClock) -> None:
    with PracticeServer(plan, seed=1, clock=clock) as practice:
        for service in practice.rehome(plan, stand_ins()).flag_services:
            kind = FLAG_SERVICES[service.kind]
            reader = kind.reader(service.settings, web, practice.secret)  # type: ignore[arg-type]
            writer = kind.writer(service.settings, web, practice.secret)  # type: ignore[arg-type]
            assert writer is not None
            for key in [flag.key for flag in plan.flags if flag.service == service.name]:
                before = (await reader.read([key]))[key]
                assert isinstance(before, FlagValue)
                assert (before.on, before.percent, before.complexities) == (True, ZERO, ())
                raised = await writer.set_percent(key, Percent.parse(25), expected=before)
                assert raised.outcome is WriteOutcome.DONE, raised
                assert practice.world.configured_pct(key) == 25
                assert (await writer.kill(key)).outcome is WriteOutcome.DONE
                after = (await reader.read([key]))[key]
                assert isinstance(after, FlagValue)
                assert after.exposure == ZERO


async def test_every_probe_is_ok_and_sees_its_side_fail(plan: Plan, web: Web, clock: HandClock) -> None:
    with PracticeServer(plan, seed=1, clock=clock) as practice:
        for backend in practice.rehome(plan, stand_ins()).backends:
            for spec in (each for each in backend.probes if each.required):
                probe = PROBES[spec.kind].build(spec.settings, web, practice.secret)  # type: ignore[arg-type]
                seen = await probe.probe()
                assert seen.health in (Health.OK, Health.DEGRADED), (spec.name, seen)
                practice.world.inject(make_fault("outage", {"side": backend.side}))
                seen = await probe.probe()
                assert seen.health is Health.DOWN, (spec.name, seen)
                practice.world.clear()


async def test_every_query_gives_one_number(plan: Plan, web: Web, clock: HandClock) -> None:
    await all_good(plan, web, clock)


async def test_queries_of_another_world_are_answered_by_their_role(web: Web, clock: HandClock) -> None:
    plan = load(SAMPLES / "chat-sync.toml", KINDS)
    foreign = PairQuery(
        bad='sum(increase(http_requests_total{code=~"5.."}[5m]))', total="sum(http_requests_total)"
    )
    signals = tuple(replace(each, legacy=foreign, new=foreign) for each in plan.signals)
    counters = tuple(replace(each, query="pg_stat_writes") for each in plan.rollback.write_counters)
    flags = tuple(
        replace(each, traffic=each.traffic and replace(each.traffic, legacy="rate(x[1m])", new="y"))
        for each in plan.flags
    )
    rollback = replace(plan.rollback, write_counters=counters)
    await all_good(replace(plan, signals=signals, flags=flags, rollback=rollback), web, clock)


async def all_good(given: Plan, web: Web, clock: HandClock) -> None:
    with PracticeServer(given, seed=1, clock=clock) as practice:
        plan = practice.rehome(given, stand_ins())
        clock.move(30)
        for service in plan.monitors:
            monitor = MONITORS[service.kind].build(service.settings, web, practice.secret)  # type: ignore[arg-type]
            queries = expressions(plan, service.name)
            samples = await monitor.query(queries)
            assert set(samples) == set(queries)
            for query, sample in samples.items():
                assert isinstance(sample, Sample), query
                assert sample.quality is Quality.GOOD, query
            for line in await monitor.preflight(queries):
                assert line.ok, line
            for legacy, new in [
                (each.legacy, each.new) for each in plan.signals if each.monitor == service.name
            ]:
                totals = samples[legacy.total], samples[new.total]
                assert [
                    each.value > 0 for each in totals if isinstance(each, Sample) and each.value is not None
                ] == [
                    True,
                    False,
                ]


async def test_preflight_finds_nothing_to_say(plan: Plan, web: Web, clock: HandClock) -> None:
    with PracticeServer(plan, seed=1, clock=clock) as practice:
        for service in practice.rehome(plan, stand_ins()).flag_services:
            kind = FLAG_SERVICES[service.kind]
            keys = [flag.key for flag in plan.flags if flag.service == service.name]
            reader = kind.reader(service.settings, web, practice.secret)  # type: ignore[arg-type]
            writer = kind.writer(service.settings, web, practice.secret)  # type: ignore[arg-type]
            assert writer is not None
            for line in (*await reader.preflight(keys), *await writer.preflight(keys)):
                assert line.ok is not False, line
