"""What only a real Prometheus does: its own clock, ranges, texts, vanished targets, 422."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio

from cockpit.adapters.base import AdapterError, RefusedByService
from cockpit.adapters.http import Web
from cockpit.adapters.signals.prometheus import PrometheusMonitor, build
from cockpit.adapters.signals.settings import PrometheusSettings
from cockpit.core.model import Fault, Quality, Sample
from tests.adapters.probes.rig import the_token
from tests.real.prometheus_server import BASE_PATH, MetricsTarget, prometheus, result_of
from tests.real.servers import Server
from tests.tables import written

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def target() -> Iterator[MetricsTarget]:
    with MetricsTarget() as running:
        running.samples.update({'a{b="1"}': "1", 'a{b="2"}': "2", "gone": "5", "not_a_number": "NaN"})
        yield running


@pytest.fixture(scope="module")
def server(target: MetricsTarget) -> Iterator[Server]:
    with prometheus(target) as running:
        yield running


@pytest_asyncio.fixture
async def monitor(server: Server) -> AsyncIterator[PrometheusMonitor]:
    web = Web()
    settings = written(PrometheusSettings, {"url": server.url, "base_path": BASE_PATH})
    yield build(settings, web, the_token, 20.0)
    await web.aclose()


async def ask(monitor: PrometheusMonitor, expression: str) -> Sample | AdapterError:
    return (await monitor.query([expression]))[expression]


async def test_the_instant_of_all_expressions_is_the_servers(monitor: PrometheusMonitor) -> None:
    answers = (
        await monitor.query(["time()", "time() * 1", "time() + 0", "time() - 0", "vector(time())"])
    ).values()
    instants = {answer.value for answer in answers if isinstance(answer, Sample)}
    assert len(instants) == 1


@pytest.mark.parametrize(
    ("expression", "words"),
    [('"text"', "a text"), ('a{job="whole"}[1m]', "a range"), ('a{job="whole"}', "2 series")],
)
async def test_other_shapes_are_named(monitor: PrometheusMonitor, expression: str, words: str) -> None:
    sample = await ask(monitor, expression)
    assert isinstance(sample, Sample) and sample.quality is Quality.ERROR
    assert words in sample.note


async def test_a_scraped_nan_is_not_finite(monitor: PrometheusMonitor) -> None:
    sample = await ask(monitor, 'not_a_number{job="whole"}')
    assert isinstance(sample, Sample) and sample.quality is Quality.NOT_FINITE


async def test_a_query_that_cannot_be_evaluated_is_the_plans_fault(monitor: PrometheusMonitor) -> None:
    error = await ask(monitor, 'a{job="whole"} * on(job) a{job="whole"}')
    assert isinstance(error, RefusedByService)
    assert (error.status, error.failure.fault) == (422, Fault.PLAN)
    assert "many-to-many" in error.failure.detail


async def test_warnings_without_series_are_partial(monitor: PrometheusMonitor) -> None:
    sample = await ask(monitor, 'no_such_series{job="patchy"}')
    assert isinstance(sample, Sample) and sample.quality is Quality.PARTIAL
    assert sample.note.startswith("no series matched, and the source warns: remote_read")


async def test_a_series_that_vanished_is_no_data(
    monitor: PrometheusMonitor, target: MetricsTarget, server: Server
) -> None:
    gone = 'gone{job="whole"}'
    sample = await ask(monitor, gone)
    assert isinstance(sample, Sample) and sample.value == 5
    del target.samples["gone"]
    server.wait_until(lambda: not result_of(f"{server.url}{BASE_PATH}", gone), "without the series")
    sample = await ask(monitor, gone)
    assert isinstance(sample, Sample) and sample.quality is Quality.NO_DATA


EVERYTHING = (
    'sum(a{job="whole"})',
    'sum(a{job="whole"}) # of both',
    'a{job="whole"}',
    '{__name__=~"a|gone",job="whole"}',
    'not_a_number{job="whole"}',
    "vector(1) / vector(0)",
    "vector(0) - vector(3)",
    "21 * 2",
    "scalar(no_such_series)",
    "no_such_series",
    'sum by (b) (a{b="1",job="whole"})',
    'label_replace(sum(a{job="whole"}), "cockpit_asks", "7", "", "")',
    'sum(a{job="patchy"})',
    'a{job="whole"} * on(job) a{job="whole"}',
    'a{job="whole"}[1m]',
    '"text"',
    "sum(",
    "vector(1)), (vector(2)",
    'vector(1), "x", "y", "", "") or label_replace(vector(2)',
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
