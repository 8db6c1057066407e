"""What the settings of probes, monitors and announcements take and refuse, as a plan writes them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest

from cockpit.adapters.announce.settings import CommandSettings, WebhookSettings
from cockpit.adapters.base import Settings
from cockpit.adapters.probes.settings import ConvexProbeSettings, HttpProbeSettings
from cockpit.adapters.signals.settings import PrometheusSettings
from cockpit.core.secret import SecretRef
from cockpit.plan.problems import PlanProblems
from tests.tables import written

HTTP = """
url = "https://api.example.com/health?deep=1"
expect_status = [200, 204]
json = { pointer = "/status", equals = "ok" }
latency_limit = "800ms"
tls_days = 14
headers = { x-bypass = { env = "BYPASS" }, accept = "application/json" }
token = { command = ["pass", "show", "api"] }
"""


def test_a_full_http_probe() -> None:
    settings = written(HttpProbeSettings, tomllib.loads(HTTP))
    assert settings.expect_status == (200, 204)
    assert settings.json is not None and settings.json.equals == "ok"
    assert settings.latency_limit == 0.8
    assert settings.headers["x-bypass"] == SecretRef(env="BYPASS")
    assert settings.token == SecretRef(command=("pass", "show", "api"))


@pytest.mark.parametrize("equals", ["ok", 1, 1.5, True, False, -3, ""])
def test_any_json_scalar_can_be_expected_and_keeps_its_type(equals: object) -> None:
    settings = written(HttpProbeSettings, {"url": "http://x", "json": {"pointer": "", "equals": equals}})
    assert settings.json is not None
    assert (type(settings.json.equals), settings.json.equals) == (type(equals), equals)


def test_addresses_of_services_lose_their_last_slash() -> None:
    assert written(PrometheusSettings, {"url": "http://x:9090/"}).url == "http://x:9090"


def http(**more: object) -> tuple[type[Settings], dict[str, Any]]:
    return HttpProbeSettings, {"url": "http://x", **more}


def convex(**more: object) -> tuple[type[Settings], dict[str, Any]]:
    return ConvexProbeSettings, {"url": "http://x", **more}


def prometheus(**more: object) -> tuple[type[Settings], dict[str, Any]]:
    return PrometheusSettings, {"url": "http://x", **more}


def command(*argv: object, **more: object) -> tuple[type[Settings], dict[str, Any]]:
    return CommandSettings, {"command": list(argv), **more}


REFUSED: Mapping[str, tuple[type[Settings], dict[str, Any]]] = {
    "no scheme": http(url="x.example/health"),
    "another scheme": http(url="ftp://x"),
    "no host": http(url="http:///health"),
    "a password in the address": http(url="http://u:hunter2@x"),
    "a fragment": http(url="http://x/#a"),
    "a space": http(url="http://x/a b"),
    "a name beyond ASCII": http(url="http://exämple.com/"),
    "a bad port": http(url="http://x:99999"),
    "port 0": http(url="http://x:0"),
    "a token in the open": http(token="hunter2"),
    "two places for a secret": http(token={"env": "A", "file": "b"}),
    "no place for a secret": http(token={}),
    "an unknown place": http(token={"vault": "a"}),
    "an empty command": http(token={"command": []}),
    "a command as text": http(token={"command": "hunter2"}),
    "a credential header in the open": http(headers={"Authorization": "Bearer hunter2"}),
    "a cookie in the open": http(headers={"cookie": "sid=hunter2"}),
    "a header name with a space": http(headers={"a b": "c"}),
    "a header value with a line break": http(headers={"a": "b\r\nc: d"}),
    "no status": http(expect_status=[]),
    "a status as text": http(expect_status=["200"]),
    "an impossible status": http(expect_status=[99]),
    "a pointer without slash": http(json={"pointer": "status", "equals": 1}),
    "a pointer with a lone tilde": http(json={"pointer": "/~", "equals": 1}),
    "a list to equal": http(json={"pointer": "/a", "equals": [1]}),
    "a number that JSON has not": http(json={"pointer": "/a", "equals": float("nan")}),
    "nothing to equal": http(json={"pointer": "/a"}),
    "HEAD and json": http(method="HEAD", json={"pointer": "/a", "equals": 1}),
    "another method": http(method="POST"),
    "a limit without unit": http(latency_limit=800),
    "a limit of nothing": http(latency_limit="0s"),
    "no days": http(tls_days=0),
    "an unknown key": http(tls_dayz=3),
    "a query in a service's address": convex(url="http://x?adminKey=hunter2"),
    "a deployment name with a slash": convex(instance="a/b"),
    "a function with a space": convex(health_query="health: check"),
    "a function with two colons": convex(health_query="a:b:c"),
    "an argument that JSON has not": convex(health_args={"at": tomllib.loads("a = 2026-01-01")["a"]}),
    "a base path without slash": prometheus(base_path="prometheus"),
    "a base path with a last slash": prometheus(base_path="/prometheus/"),
    "a base path that climbs": prometheus(base_path="/a?b"),
    "a tenant with a space": prometheus(tenant="a b"),
    "a webhook in the open": (WebhookSettings, {"url": "https://hooks.example/hunter2"}),
    "no program": command(),
    "a program as text": (CommandSettings, {"command": "notify hunter2"}),
    "an argument with NUL": command("a", "b\0c"),
    "a variable with =": command("a", pass_env=["A=b"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_without_repeating_secrets(case: str) -> None:
    model, table = REFUSED[case]
    with pytest.raises(PlanProblems) as caught:
        written(model, table)
    assert "hunter2" not in str(caught.value)
