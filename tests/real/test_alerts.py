"""Alerts as probes, against a real Prometheus with rules and a real Alertmanager."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from cockpit.adapters.base import AdapterError, RefusedByService
from cockpit.adapters.http import Web
from cockpit.adapters.probes.alertmanager import AlertmanagerProbe, AlertmanagerSettings
from cockpit.adapters.probes.alertmanager import build as build_alertmanager
from cockpit.adapters.probes.prometheus_alerts import PrometheusAlertsProbe, PrometheusAlertsSettings
from cockpit.adapters.probes.prometheus_alerts import build as build_alerts
from cockpit.core.model import Health, ProbeValue
from tests.adapters.probes.rig import the_token
from tests.real.alertmanager_server import alertmanager, api, raise_alert, silence
from tests.real.prometheus_server import BASE_PATH, MetricsTarget, prometheus
from tests.real.servers import Server
from tests.tables import written

pytestmark = pytest.mark.real

RULES = """
groups:
  - name: cutover
    rules:
      - alert: Errors
        expr: errors{job="whole"} > 0
        labels: {cutover: abort}
        annotations: {summary: it fails}
      - {alert: Slow, expr: 'slow{job="whole"} > 0', for: 1h, labels: {cutover: abort}}
      - {alert: Never, expr: 'never{job="whole"} > 0', labels: {cutover: other}}
      - {alert: Broken, expr: 'a{job="whole"} * on(job) a{job="whole"}', labels: {cutover: broken}}
"""


@pytest.fixture(scope="module")
def target() -> Iterator[MetricsTarget]:
    with MetricsTarget() as running:
        running.samples.update({'a{b="1"}': "1", 'a{b="2"}': "2", "never": "0"})
        yield running


@pytest.fixture(scope="module")
def source(target: MetricsTarget) -> Iterator[Server]:
    with prometheus(target, RULES) as running:
        running.wait_until(
            lambda: all(health(running, name) != "unknown" for name in ("Errors", "Broken")), "up"
        )
        yield running


@pytest.fixture(scope="module")
def manager() -> Iterator[Server]:
    with alertmanager() as running:
        yield running


@pytest_asyncio.fixture
async def web() -> AsyncIterator[Web]:
    made = Web()
    yield made
    await made.aclose()


def rule(source: Server, name: str) -> Any:
    """One rule as the server tells it, past our adapter."""
    answer = httpx.get(f"{source.url}{BASE_PATH}/api/v1/rules", timeout=5.0, trust_env=False).json()
    return next(each for each in answer["data"]["groups"][0]["rules"] if each["name"] == name)


def health(source: Server, name: str) -> str:
    return str(rule(source, name)["health"])


def alerts(web: Web, source: Server, **settings: Any) -> PrometheusAlertsProbe:
    table = {"url": source.url, "base_path": BASE_PATH, **settings}
    return build_alerts(written(PrometheusAlertsSettings, table), web, the_token, 20.0)


def told(value: ProbeValue) -> tuple[Health, str]:
    return value.health, value.detail


async def test_an_alert_goes_from_silence_to_pending_to_firing_and_back(
    web: Web, source: Server, target: MetricsTarget
) -> None:
    probe = alerts(web, source, labels={"cutover": "abort"})
    assert told(await probe.probe()) == (Health.OK, "no alert; 2 rules could raise one")
    target.samples["slow"] = "1"
    source.wait_until(lambda: rule(source, "Slow")["state"] == "pending", "pending")
    assert (await probe.probe()).health is Health.DEGRADED
    target.samples["errors"] = "1"
    source.wait_until(lambda: rule(source, "Errors")["state"] == "firing", "firing")
    assert told(await probe.probe()) == (Health.DOWN, "Errors is firing: it fails")
    del target.samples["errors"], target.samples["slow"]
    source.wait_until(
        lambda: {rule(source, name)["state"] for name in ("Errors", "Slow")} == {"inactive"}, "silent again"
    )
    assert (await probe.probe()).health is Health.OK


async def test_a_rule_that_cannot_be_evaluated_is_not_green(web: Web, source: Server) -> None:
    value = await alerts(web, source, alerts=["Broken"]).probe()
    assert value.health is Health.UNKNOWN
    assert "Broken cannot be evaluated: found duplicate series" in value.detail


@pytest.mark.parametrize("settings", [{"alerts": ["Nobody"]}, {"labels": {"cutover": "nobody"}}])
async def test_silence_without_a_rule_means_nothing(
    web: Web, source: Server, settings: dict[str, Any]
) -> None:
    value = await alerts(web, source, **settings).probe()
    assert value.health is Health.UNKNOWN
    assert "silence means nothing" in value.detail


async def test_a_frozen_source_is_unknown_and_not_down(web: Web, source: Server) -> None:
    settings = PrometheusAlertsSettings(url=source.url, base_path=BASE_PATH)
    with source.frozen(), pytest.raises(AdapterError):
        await build_alerts(settings, web, the_token, 0.5).probe()


# --- Alertmanager -----------------------------------------------------------------------------------


def quiet(web: Web, manager: Server, *matchers: dict[str, Any]) -> AlertmanagerProbe:
    table = {"url": f"{manager.url}/alerts", "matchers": list(matchers), "heartbeat": "Watchdog"}
    return build_alertmanager(written(AlertmanagerSettings, table), web, the_token, 20.0)


async def test_silence_counts_only_while_the_heartbeat_is_on(web: Web, manager: Server) -> None:
    probe = quiet(web, manager, {"label": "team", "value": "courses"})
    before = await probe.probe()
    assert (before.health, before.facts) == (Health.UNKNOWN, (("heartbeat", "absent"),))
    raise_alert(manager, alertname="Watchdog", team="courses")
    after = await probe.probe()
    assert (after.health, after.detail) == (Health.OK, "no alert")


async def test_an_active_alert_is_down_and_a_silenced_one_is_still_told(web: Web, manager: Server) -> None:
    raise_alert(manager, alertname="Watchdog")
    raise_alert(manager, alertname="Errors", team="chat", severity="page")
    probe = quiet(
        web,
        manager,
        {"label": "team", "value": "ch.*", "regex": True},
        {"label": "severity", "value": "page"},
    )
    value = await probe.probe()
    assert (value.health, value.detail) == (Health.DOWN, "Errors is active: Errors is on")
    silence(manager, team="chat")
    manager.wait_until(
        lambda: api(manager, "alerts", {"filter": 'team="chat"'})[0]["status"]["state"] == "suppressed",
        "silencing",
    )
    value = await probe.probe()
    assert (value.health, value.facts[0]) == (Health.OK, ("suppressed", "1"))
    assert "none active, but Errors is silenced" in value.detail


async def test_an_inhibited_alert_is_told_too(web: Web, manager: Server) -> None:
    raise_alert(manager, alertname="Watchdog")
    raise_alert(manager, alertname="Unreachable", team="far")
    raise_alert(manager, alertname="DataCentreDown")
    probe = quiet(web, manager, {"label": "team", "value": "far"})
    manager.wait_until(
        lambda: api(manager, "alerts", {"filter": 'team="far"'})[0]["status"]["state"] == "suppressed",
        "inhibiting",
    )
    assert (await probe.probe()).health is Health.OK


async def test_a_filter_that_cannot_be_read_is_the_plans_fault(web: Web, manager: Server) -> None:
    with pytest.raises(RefusedByService) as caught:
        await quiet(web, manager, {"label": "team", "value": "[", "regex": True}).probe()
    assert caught.value.status == 400
    assert "missing closing" in caught.value.failure.detail
