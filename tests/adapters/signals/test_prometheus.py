"""One suite for every world: the practice world's Prometheus and a real one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from cockpit.adapters.base import AdapterError, RefusedByService, Unreachable
from cockpit.adapters.http import Web
from cockpit.adapters.signals.prometheus import PrometheusMonitor, build
from cockpit.adapters.signals.settings import PrometheusSettings
from cockpit.core.model import Fault, Quality, Sample
from cockpit.engine.clock import SystemClock
from cockpit.practice.faults import FaultName
from tests.adapters.probes.practice import practice, struck
from tests.adapters.probes.rig import the_token
from tests.real.prometheus_server import BASE_PATH, MetricsTarget, prometheus
from tests.tables import written

COUNTERS = {
    'shop_requests_total{backend="legacy"}': "100",
    'shop_requests_total{backend="new"}': "40",
    "shop_debt": "-3",
}


@dataclass(frozen=True, slots=True)
class MonitorWorld:
    """A source with two series of counters. `partial` makes `patchy` (an expression) incomplete."""

    url: str
    base_path: str
    one: str
    several: str
    patchy: str
    partial: Callable[[], AbstractContextManager[None]]
    hanging: Callable[[], AbstractContextManager[None]]
    version: str


@contextmanager
def practice_world() -> Iterator[MonitorWorld]:
    with practice() as server:
        several = 'cutover_requests_total{flag="chat"}'
        yield MonitorWorld(
            url=server.urls["prometheus"],
            base_path="",
            one=f"sum({several})",
            several=several,
            patchy=f"sum({several})",
            partial=lambda: struck(server, FaultName.METRICS_WARNINGS),
            hanging=lambda: struck(server, FaultName.HANG, service="prometheus"),
            version="2.42",
        )


@contextmanager
def nothing() -> Iterator[None]:
    """The real one always is partial where it is asked for what it cannot reach."""
    yield


@contextmanager
def real_world() -> Iterator[MonitorWorld]:
    with MetricsTarget() as target:
        target.samples.update(COUNTERS)
        with prometheus(target) as server:
            yield MonitorWorld(
                url=server.url,
                base_path=BASE_PATH,
                one='sum(shop_requests_total{job="whole"})',
                several='shop_requests_total{job="whole"}',
                patchy='sum(shop_requests_total{job="patchy"})',
                partial=nothing,
                hanging=server.frozen,
                version="2.",
            )


@pytest.fixture(scope="module", params=["practice", pytest.param("real", marks=pytest.mark.real)])
def world(request: pytest.FixtureRequest) -> Iterator[MonitorWorld]:
    with real_world() if request.param == "real" else practice_world() as running:
        yield running


def monitor(web: Web, world: MonitorWorld, timeout_s: float = 20.0) -> PrometheusMonitor:
    settings = {"url": world.url, "base_path": world.base_path}
    return build(written(PrometheusSettings, settings), web, the_token, timeout_s)


async def ask(web: Web, world: MonitorWorld, *expressions: str) -> Any:
    """The outcome of the first expression, asked together with the others."""
    return (await monitor(web, world).query(expressions))[expressions[0]]


async def test_a_sum_is_one_good_number_with_a_time(web: Web, world: MonitorWorld) -> None:
    sample = await ask(web, world, world.one)
    assert sample.quality is Quality.GOOD
    assert sample.value >= 0 and math.isfinite(sample.value)
    assert sample.source_time is not None
    assert abs((sample.source_time - SystemClock().now()).total_seconds()) < 60


async def test_a_scalar_is_one_good_number(web: Web, world: MonitorWorld) -> None:
    assert (await ask(web, world, "21 * 2")).value == 42


async def test_a_list_of_series_must_be_summed(web: Web, world: MonitorWorld) -> None:
    sample = await ask(web, world, world.several)
    assert sample.quality is Quality.ERROR
    assert "wrap it in sum()" in sample.note


async def test_no_series_is_no_data_and_not_zero(web: Web, world: MonitorWorld) -> None:
    sample = await ask(web, world, "no_such_metric")
    assert (sample.value, sample.quality) == (None, Quality.NO_DATA)


async def test_a_missing_counter_can_be_made_zero_by_the_plan(web: Web, world: MonitorWorld) -> None:
    assert (await ask(web, world, "sum(no_such_metric) or vector(0)")).value == 0


@pytest.mark.parametrize(
    ("expression", "quality"),
    [
        ("vector(0) / vector(0)", Quality.NOT_FINITE),
        ("vector(1) / vector(0)", Quality.NOT_FINITE),
        ("vector(0) - vector(3)", Quality.ERROR),
    ],
)
async def test_what_no_counter_can_be_decides_nothing(
    web: Web, world: MonitorWorld, expression: str, quality: Quality
) -> None:
    sample = await ask(web, world, expression)
    assert (sample.value, sample.quality) == (None, quality)


async def test_a_partial_answer_keeps_its_number_to_itself(web: Web, world: MonitorWorld) -> None:
    with world.partial():
        sample = await ask(web, world, world.patchy)
    assert (sample.value, sample.quality) == (None, Quality.PARTIAL)
    assert "remote_read" in sample.note


@pytest.mark.parametrize("expression", ["sum(", "", "sum(rate(x[5m])"])
async def test_a_query_that_cannot_be_read_is_the_plans_fault_and_its_own(
    web: Web, world: MonitorWorld, expression: str
) -> None:
    answers = await monitor(web, world).query([expression, world.one])
    error, sample = answers[expression], answers[world.one]
    assert isinstance(error, RefusedByService)
    assert (error.failure.fault, error.failure.retryable) == (Fault.PLAN, False)
    assert "parse error" in error.failure.detail
    assert isinstance(sample, Sample) and sample.quality is Quality.GOOD


async def test_all_expressions_of_a_call_are_of_one_instant(web: Web, world: MonitorWorld) -> None:
    expressions = [world.one, *(f"{world.one} + {n} * 0" for n in range(12))]
    answers = (await monitor(web, world).query(expressions)).values()
    samples = [answer for answer in answers if isinstance(answer, Sample)]
    assert len(samples) == 13
    assert len({(sample.value, sample.source_time) for sample in samples}) == 1


async def test_from_the_second_poll_on_all_expressions_are_one_request_of_one_instant(
    world: MonitorWorld,
) -> None:
    sent: list[str] = []
    web = Web(heard=lambda address, answer: sent.append(address))
    expressions = [world.one, "21 * 2", "no_such_metric", *(f"{world.one} + {n} * 0" for n in range(12))]
    try:
        source = monitor(web, world)
        for requests in (len(expressions), 1, 1):
            sent.clear()
            answers = await source.query(expressions)
            assert len(sent) == requests
    finally:
        await web.aclose()
    samples = [answer for answer in answers.values() if isinstance(answer, Sample)]
    assert samples[1].value == 42 and samples[2].quality is Quality.NO_DATA
    assert len({(sample.value, sample.source_time) for sample in (samples[0], *samples[3:])}) == 1


async def test_a_partial_answer_of_one_withholds_no_other(web: Web, world: MonitorWorld) -> None:
    source, whole = monitor(web, world), "vector(7)"
    await source.query([world.patchy, whole, world.one])
    with world.partial():
        for _ in range(2):
            answers = await source.query([world.patchy, whole, world.one])
            patchy = answers[world.patchy]
            assert isinstance(patchy, Sample) and patchy.quality is Quality.PARTIAL
    answers = await source.query([whole, world.one])
    assert all(isinstance(each, Sample) and each.quality is Quality.GOOD for each in answers.values())


async def test_a_hanging_source_is_unreachable_and_then_back(web: Web, world: MonitorWorld) -> None:
    source = monitor(web, world, timeout_s=1.0)
    with world.hanging(), pytest.raises(Unreachable):
        await source.query([world.one])
    assert isinstance((await source.query([world.one]))[world.one], Sample)


async def test_a_wrong_base_path_is_the_plans_fault(web: Web, world: MonitorWorld) -> None:
    settings = written(PrometheusSettings, {"url": world.url, "base_path": "/elsewhere"})
    with pytest.raises(AdapterError) as caught:
        await build(settings, web, the_token, 20.0).query([world.one])
    assert caught.value.failure.fault is Fault.PLAN


async def test_preflight(world: MonitorWorld) -> None:
    web = Web(clock=SystemClock())
    try:
        lines = await monitor(web, world).preflight([world.one, world.several, "no_such_metric", "sum("])
    finally:
        await web.aclose()
    assert [line.ok for line in lines] == [True, True, True, False, None, False]
    assert world.version in lines[0].detail
