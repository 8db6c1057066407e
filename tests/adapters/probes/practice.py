"""The practice world as the adapters' tests fly it: one plan that names every kind of source."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any

from cockpit.adapters.probes.settings import ConvexProbeSettings, HttpProbeSettings
from cockpit.adapters.signals.settings import PrometheusSettings
from cockpit.core.clean import Percent
from cockpit.core.model import Side
from cockpit.core.spec import BackendSpec, FlagSpec, Plan, ProbeSpec, RollbackSpec, ServiceSpec, Stage
from cockpit.engine.clock import SystemClock
from cockpit.practice.faults import FaultName, Param, make_fault
from cockpit.practice.server import PracticeServer
from cockpit.practice.world import World
from tests.tables import written

INSTANCE = "happy-otter-1"
HEALTH: Mapping[str, Any] = {"json": {"pointer": "/status", "equals": "ok"}}


def _probe(name: str, kind: str, side: Side, settings: object) -> ProbeSpec:
    return ProbeSpec(name=name, kind=kind, side=side, settings=settings, interval_s=5, timeout_s=2)


def a_plan() -> Plan:
    http = written(HttpProbeSettings, {"url": "https://legacy.example/health", **HEALTH})
    convex = written(
        ConvexProbeSettings,
        {"url": "https://x.example", "instance": INSTANCE, "health_query": "health:check"},
    )
    monitor = written(PrometheusSettings, {"url": "https://prometheus.example"})
    return Plan(
        title="Adapters",
        environment="production",
        flag_services=(),
        monitors=(ServiceSpec(name="prom", kind="prometheus", settings=monitor, interval_s=5, timeout_s=2),),
        backends=(
            BackendSpec(side=Side.LEGACY, title="Legacy", probes=(_probe("api", "http", Side.LEGACY, http),)),
            BackendSpec(side=Side.NEW, title="New", probes=(_probe("convex", "convex", Side.NEW, convex),)),
        ),
        flags=(
            FlagSpec(key="chat", title="Chat", service="main", stages=(Stage(percent=Percent.parse(25)),)),
        ),
        signals=(),
        rollback=RollbackSpec(),
    )


@contextmanager
def practice() -> Iterator[PracticeServer]:
    with PracticeServer(a_plan(), seed=7, clock=SystemClock()) as server:
        server.world.start_at({"chat": 25.0})
        _await_first_step(server.world)
        yield server


def _await_first_step(world: World) -> None:
    """Like a real source before its first scrape, the world has no counters in its first half second."""
    give_up_at, tick = monotonic() + 10, threading.Event()
    while world.counters_at(world.now_s) is None:
        assert monotonic() < give_up_at
        tick.wait(0.02)


@contextmanager
def struck(server: PracticeServer, name: FaultName, **parameters: Param) -> Iterator[None]:
    """A fault for the length of the block."""
    server.world.inject(make_fault(name, parameters))
    try:
        yield
    finally:
        server.world.clear(name)
