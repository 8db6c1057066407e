"""A signal between two sources: a real Prometheus counts legacy, a Convex deployment the new side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.adapters.signals.settings import PrometheusSettings
from cockpit.cli.plans import load_plan
from cockpit.cli.wiring import Builder
from cockpit.core.model import Mode, Quality, Verdict
from cockpit.core.snapshot import SignalStatus, Snapshot
from cockpit.core.spec import PairQuery, Plan
from cockpit.engine.clock import SystemClock
from cockpit.engine.engine import Engine
from cockpit.engine.flying import Flying
from cockpit.engine.identity import Identity
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.practice.server import PracticeServer
from tests.flying import Cockpit
from tests.real.cutover import Monitoring, monitoring

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
SAMPLE = Path(__file__).parents[2] / "sample_configs" / "convex.toml"


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Monitoring]:
    with monitoring() as running:
        yield running


@pytest.fixture(scope="module")
def practice(prometheus: Monitoring) -> Iterator[PracticeServer]:
    with PracticeServer(load_plan(SAMPLE), seed=5, clock=SystemClock(), rps=400.0) as running:
        running.world.start_at({"convex_courses": 50})
        prometheus.relay.source = running.urls["metrics"]
        yield running
        prometheus.relay.source = ""


def between(practice: PracticeServer, prometheus: Monitoring) -> Plan:
    """Legacy by the real Prometheus; on the new side every document is a bad one, in Convex's own words."""
    plan = practice.rehome(load_plan(SAMPLE))
    (signal,) = plan.signals
    counted = PairQuery(bad="table_size:chats", total="table_size:messages", monitor="documents")
    monitors = []
    for each in plan.monitors:
        settings = each.settings
        if each.name == "prom":
            assert isinstance(settings, PrometheusSettings)
            settings = replace(settings, url=prometheus.server.url)
        monitors.append(replace(each, settings=settings, interval_s=1.0, timeout_s=0.9))
    return replace(plan, monitors=tuple(monitors), signals=(replace(signal, new=counted, limit=None),))


@contextmanager
def flight(practice: PracticeServer, prometheus: Monitoring) -> Iterator[Cockpit]:
    flying = Flying(
        plan=between(practice, prometheus),
        sources=Builder(secret=practice.secret, read_only=True),
        journal=MemoryJournal(),
        clock=SystemClock(),
        identity=Identity(operator="kim", host="here", mode=Mode.LIVE, version="0", read_only=True),
    )
    engine = Engine(flying)
    engine.start()
    cockpit = Cockpit(engine)
    try:
        yield cockpit
    finally:
        engine.stop_because("the test is over")
        assert engine.join(20)
        cockpit.close()


def signal(picture: Snapshot) -> SignalStatus:
    return picture.signals[0]


def test_both_are_judged_together_and_the_lost_one_is_named(
    practice: PracticeServer, prometheus: Monitoring
) -> None:
    with flight(practice, prometheus) as cockpit:
        status = signal(
            cockpit.wait("a verdict", lambda shot: signal(shot).evidence.verdict is Verdict.REGRESSED)
        )
        assert status.reading.failure is None
        assert status.new.rate_pct == 100.0
        assert status.legacy.rate_pct is not None and status.legacy.rate_pct < 50
        assert status.evidence.total_legacy > 0 and status.evidence.total_new > 0
        with prometheus.server.frozen():
            lost = signal(cockpit.wait("a trouble", lambda shot: signal(shot).reading.failure is not None))
            assert lost.reading.failure is not None
            assert lost.reading.failure.title.startswith("prom: ")
            assert lost.legacy.quality is Quality.ERROR
        judged = lost.evidence.total_legacy
        back = signal(cockpit.wait("both again", lambda shot: signal(shot).evidence.total_legacy > judged))
        assert back.reading.failure is None
