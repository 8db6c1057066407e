"""Pages of metrics as real programs write them: HAProxy, Prometheus, Alertmanager, VictoriaMetrics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx
import pytest
import pytest_asyncio

from cockpit.adapters.base import AdapterError
from cockpit.adapters.http import Web
from cockpit.adapters.signals.page import Outcome, PageMonitor
from cockpit.adapters.signals.prom_text import PromTextSettings, build
from cockpit.core.model import Quality, Sample
from tests.adapters.probes.rig import the_token
from tests.real.alertmanager_server import alertmanager
from tests.real.prometheus_server import BASE_PATH, MetricsTarget, prometheus
from tests.real.servers import Server, answers, free_port, program, running, scratch
from tests.real.victoria_server import victoria

pytestmark = pytest.mark.real

HAPROXY = """
global
  maxconn 100
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend metrics
  bind 127.0.0.1:{port}
  http-request use-service prometheus-exporter
frontend new
  bind 127.0.0.1:{entry}
  http-request return status 500 content-type text/plain string no if {{ path /boom }}
  http-request return status 200 content-type text/plain string yes
"""
RESPONSES = 'haproxy_frontend_http_responses_total{proxy="new"'


@contextmanager
def haproxy() -> Iterator[tuple[Server, str]]:
    """A proxy with a page of metrics, and the address of its frontend `new`."""
    binary, port, entry = program("haproxy", "/usr/sbin"), free_port(), free_port()
    with scratch("haproxy-metrics") as folder:
        config = folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(port=port, entry=entry))
        ready = answers(f"http://127.0.0.1:{port}/metrics")
        argv = [binary, "-db", "-f", str(config)]
        with running("haproxy", argv, port=port, folder=folder, ready=ready) as server:
            yield server, f"http://127.0.0.1:{entry}"


@pytest_asyncio.fixture
async def web() -> AsyncIterator[Web]:
    made = Web()
    yield made
    await made.aclose()


def page(web: Web, url: str, timeout_s: float = 20.0) -> PageMonitor:
    return build(PromTextSettings(url=url), web, the_token, timeout_s)


def number(outcome: Outcome) -> float:
    assert isinstance(outcome, Sample) and outcome.quality is Quality.GOOD, outcome
    assert outcome.value is not None
    return outcome.value


async def test_haproxys_own_counters_are_a_signal(web: Web) -> None:
    with haproxy() as (server, entry):
        monitor = page(web, f"{server.url}/metrics?scope=frontend")
        async with httpx.AsyncClient(trust_env=False) as client:
            for path in ("/", "/boom", "/", "/boom", "/"):
                await client.get(f"{entry}{path}")
        total = 'haproxy_frontend_http_requests_total{proxy="new"}'
        bad, fine = f'{RESPONSES},code="5xx"}}', f'sum({RESPONSES},code=~"[12]xx"}})'
        found = await monitor.query([total, bad, fine, f"{total} - {bad}"])
        assert [number(each) for each in found.values()] == [5, 2, 3, 3]
        nothing = await monitor.query(['haproxy_frontend_http_requests_total{proxy="nobody"}'])
        assert [each.quality for each in nothing.values() if isinstance(each, Sample)] == [Quality.NO_DATA]
        lines = await monitor.preflight([total, "rate(x[5m])"])
        assert [line.ok for line in lines] == [True, True, False]
        with server.frozen(), pytest.raises(AdapterError):
            await page(web, f"{server.url}/metrics", 0.3).query([total])


async def test_a_page_with_histograms_gives_the_slow_ones(web: Web) -> None:
    name = "prometheus_http_request_duration_seconds"
    handler = 'handler="/api/v1/query"'
    with MetricsTarget() as target, prometheus(target) as server:
        monitor = page(web, f"{server.url}{BASE_PATH}/metrics")
        every = f"{name}_count{{{handler}}}"
        slow = f'{name}_count{{{handler}}} - {name}_bucket{{{handler},le="120"}}'
        endless = f'{name}_bucket{{{handler},le="+Inf"}}'
        found = await monitor.query([every, slow, endless])
        assert number(found[slow]) == 0
        assert number(found[every]) == number(found[endless]) >= 1


async def test_alertmanagers_page_is_read(web: Web) -> None:
    with alertmanager() as server:
        expression = 'alertmanager_alerts_received_total{version="v2"}'
        found = await page(web, f"{server.url}/alerts/metrics").query([expression])
        assert number(found[expression]) == 0


async def test_a_page_without_types_is_read(web: Web) -> None:
    with victoria() as server:
        expression = 'vm_http_requests_total{path="/api/v1/query"}'
        found = await page(web, f"{server.url}/metrics").query([expression])
        assert number(found[expression]) >= 1
