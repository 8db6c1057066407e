"""A small plan, a clock that stands still until it is moved, and a world with an HTTP client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from cockpit.adapters.flags.http_json_settings import HttpJsonSettings
from cockpit.core.clean import Percent
from cockpit.core.model import Side
from cockpit.core.spec import (
    BackendSpec,
    FlagSpec,
    JudgeSpec,
    Plan,
    ProbeSpec,
    RollbackSpec,
    ServiceSpec,
    Stage,
)
from cockpit.core.tables import Written
from cockpit.practice.server import PracticeServer
from tests.tables import written

ADMIN = {"Authorization": "practice-admin"}


class HandClock:
    """Both clocks at once; moved by hand, read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._passed_s = 0.0

    def now(self) -> datetime:
        return datetime(2026, 3, 4, 3, 0, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        with self._lock:
            return self._passed_s

    def move(self, seconds: float) -> None:
        with self._lock:
            self._passed_s += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainSettings(Written):
    """Settings as adapters have them: frozen, with a `url`."""

    url: str
    project: str = "default"
    environment: str = "production"
    instance: str | None = None
    health_query: str | None = None
    ca_file: str | None = "/etc/ssl/own-ca.pem"


def a_probe(name: str, kind: str, side: Side, **settings: str) -> ProbeSpec:
    return ProbeSpec(
        name=name, kind=kind, side=side, settings=PlainSettings(**settings), interval_s=5, timeout_s=2
    )


def a_plan() -> Plan:
    stages = tuple(Stage(percent=Percent.parse(percent)) for percent in (10, 25, 100))
    return Plan(
        title="Chat sync",
        environment="production",
        flag_services=(
            ServiceSpec(
                name="main",
                kind="unleash",
                settings=PlainSettings(url="https://unleash.example.com/team"),
                interval_s=2,
                timeout_s=2,
            ),
        ),
        monitors=(
            ServiceSpec(
                name="prom",
                kind="prometheus",
                settings=PlainSettings(url="https://prometheus.example.com"),
                interval_s=5,
                timeout_s=2,
            ),
        ),
        backends=(
            BackendSpec(
                side=Side.LEGACY,
                title="Node",
                probes=(
                    a_probe("api", "http", Side.LEGACY, url="https://chat.example.com/health/db?deep=1"),
                ),
            ),
            BackendSpec(
                side=Side.NEW,
                title="Convex",
                probes=(
                    a_probe(
                        "deployment",
                        "convex",
                        Side.NEW,
                        url="https://happy-otter-123.convex.cloud",
                        instance="happy-otter-123",
                        health_query="ops/health:look",
                    ),
                    a_probe("site", "http", Side.NEW, url="https://happy-otter-123.convex.site/health"),
                ),
            ),
        ),
        flags=(
            FlagSpec(key="chat_writes", title="Writes", service="main", stages=stages),
            FlagSpec(
                key="chat_reads", title="Reads", service="main", stages=stages, depends_on=("chat_writes",)
            ),
        ),
        signals=(),
        rollback=RollbackSpec(),
        judge=JudgeSpec(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A running practice world with its clock and a client that knows no base address."""

    practice: PracticeServer
    clock: HandClock
    client: httpx.Client

    def url(self, service: str, path: str) -> str:
        return self.practice.urls[service] + path

    def get(self, service: str, path: str, **headers: str) -> httpx.Response:
        return self.client.get(self.url(service, path), headers=headers)

    def admin(self, method: str, path: str, json: object = None) -> httpx.Response:
        """A request to Unleash's admin API with an admin token."""
        return self.client.request(method, self.url("unleash", f"/api/admin{path}"), headers=ADMIN, json=json)

    def count(self, query: str) -> float:
        """The single number that a query gives."""
        answer = self.client.get(self.url("prometheus", "/api/v1/query"), params={"query": query})
        ((_, number),) = [each["value"] for each in answer.json()["data"]["result"]]
        return float(number)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def at_home() -> ServiceSpec:
    """A home-grown flag endpoint beside the plan's own service."""
    settings = written(
        HttpJsonSettings,
        {
            "url": "https://flags.example.com",
            "token": {"env": "HOME_TOKEN"},
            "read": {"path": "/flags/{key}", "percent": "/percent", "revision": "/version"},
        },
    )
    return ServiceSpec(name="home", kind="http_json", settings=settings, interval_s=2, timeout_s=2)


@pytest.fixture
def lab(clock: HandClock) -> Iterator[Lab]:
    plan = a_plan()
    plan = replace(plan, flag_services=(*plan.flag_services, at_home()))
    with PracticeServer(plan, seed=7, clock=clock) as practice, httpx.Client(timeout=5) as client:
        yield Lab(practice=practice, clock=clock, client=client)
