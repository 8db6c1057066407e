"""What VictoriaMetrics does otherwise than Prometheus: NaN that is absent, 422, alerts that nobody raises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio

from cockpit.adapters.base import AdapterError, RefusedByService
from cockpit.adapters.http import Web
from cockpit.adapters.probes.prometheus_alerts import PrometheusAlertsSettings
from cockpit.adapters.probes.prometheus_alerts import build as build_alerts
from cockpit.adapters.signals.prometheus import PrometheusMonitor, build
from cockpit.adapters.signals.settings import PrometheusSettings
from cockpit.core.model import Fault, Health, Quality, Sample
from tests.adapters.probes.rig import the_token
from tests.real.servers import Server
from tests.real.victoria_server import victoria

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with victoria() as running:
        yield running


@pytest_asyncio.fixture
async def web() -> AsyncIterator[Web]:
    made = Web()
    yield made
    await made.aclose()


@pytest.fixture
def monitor(web: Web, server: Server) -> PrometheusMonitor:
    return build(PrometheusSettings(url=server.url), web, the_token, 20.0)


async def ask(monitor: PrometheusMonitor, expression: str) -> Sample | AdapterError:
    return (await monitor.query([expression]))[expression]


async def test_counters_are_read_at_one_instant(monitor: PrometheusMonitor) -> None:
    legacy, new = 'sum(shop_requests_total{backend="legacy"})', 'sum(shop_requests_total{backend="new"})'
    answers = await monitor.query([legacy, new])
    samples = [answer for answer in answers.values() if isinstance(answer, Sample)]
    assert [(each.value, each.quality) for each in samples] == [(100, Quality.GOOD), (40, Quality.GOOD)]
    assert samples[0].source_time == samples[1].source_time


@pytest.mark.parametrize(
    ("expression", "quality"),
    [
        ("shop_nothing", Quality.NO_DATA),
        ("0 / (shop_endless * 0)", Quality.NO_DATA),
        ("sum(shop_requests_total) * 0 / 0", Quality.NO_DATA),
        ("sum(no_such_metric)", Quality.NO_DATA),
        ("shop_endless", Quality.NOT_FINITE),
        ("shop_requests_total", Quality.ERROR),
    ],
)
async def test_what_is_no_number_here_is_never_one(
    monitor: PrometheusMonitor, expression: str, quality: Quality
) -> None:
    sample = await ask(monitor, expression)
    assert isinstance(sample, Sample)
    assert (sample.value, sample.quality) == (None, quality)


async def test_a_query_that_cannot_be_read_is_the_plans_fault(monitor: PrometheusMonitor) -> None:
    error = await ask(monitor, "sum(rate(x[5m])")
    assert isinstance(error, RefusedByService)
    assert (error.status, error.failure.fault, error.failure.retryable) == (422, Fault.PLAN, False)


async def test_it_is_known_at_take_off_though_it_tells_no_version(monitor: PrometheusMonitor) -> None:
    lines = await monitor.preflight(['sum(shop_requests_total{backend="new"})', "no_such_metric"])
    assert (lines[0].ok, lines[0].detail) == (True, "version not told")
    assert [line.ok for line in lines[-2:]] == [True, None]


async def test_no_alert_means_nothing_where_nobody_raises_any(web: Web, server: Server) -> None:
    probe = build_alerts(PrometheusAlertsSettings(url=server.url), web, the_token, 20.0)
    value = await probe.probe()
    assert value.health is Health.UNKNOWN
    assert "silence means nothing" in value.detail


EVERYTHING = (
    "sum(shop_requests_total)",
    "sum(shop_requests_total) # of both",
    "shop_requests_total",
    "shop_nothing",
    "shop_endless",
    "0 / (shop_endless * 0)",
    "21 * 2",
    "scalar(sum(shop_requests_total))",
    "no_such_metric",
    "WITH (x = 1) x",
    '{__name__=~"shop_.*"}',
    "shop_requests_total[1m]",
    "sum(rate(x[5m])",
)


async def test_asked_together_every_expression_says_what_it_says_alone(monitor: PrometheusMonitor) -> None:
    alone = {each: await ask(monitor, each) for each in EVERYTHING}
    for _ in range(3):
        together = await monitor.query(EVERYTHING)
        assert {each: told(answer) for each, answer in together.items()} == {
            each: told(answer) for each, answer in alone.items()
        }


def told(answer: Sample | AdapterError) -> object:
    """All of it but the instant and the server's words for an error, which are others in every poll."""
    if isinstance(answer, AdapterError):
        return type(answer), answer.failure.title
    return replace(answer, source_time=None)
