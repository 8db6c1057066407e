"""A flight on a VictoriaMetrics that remembers: what was is drawn where it was.

By default it shows samples 30 s late: an instant query bears the time of now and the value of then, and so do
the last values of a range. Ranges before that are at their own times. Seen with 1.79 (2026-11).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from cockpit.adapters.signals.settings import PrometheusSettings
from cockpit.cli.plans import load_plan
from cockpit.cli.wiring import Builder
from cockpit.core.history import Blank, SideHistory
from cockpit.core.model import Mode, Side, Verdict
from cockpit.core.snapshot import Snapshot
from cockpit.core.spec import PairQuery, Plan, SignalSpec
from cockpit.core.trail import POINTS
from cockpit.engine.clock import SystemClock
from cockpit.engine.engine import Engine
from cockpit.engine.flying import Flying
from cockpit.engine.identity import Identity
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.practice.server import PracticeServer
from tests.flying import Cockpit
from tests.real.prometheus_server import result_of
from tests.real.servers import Server
from tests.real.victoria_server import victoria

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
SAMPLE = Path(__file__).parents[2] / "sample_configs" / "chat-sync.toml"
STEP_S = 20
BURST_S = (600, 720)
"""Seconds ago, between which every second event on the new side was bad; before and after it one in 100."""


def imported(server: Server, now_s: float) -> None:
    """Counters of the last 40 minutes, a sample every 5 s; legacy's lack five minutes in the middle."""
    lines: list[str] = []
    counts = {"legacy": [0, 0], "new": [0, 0]}
    for ago_s in range(2400, -1, -5):
        at_ms = round((now_s - ago_s) * 1000)
        burst = BURST_S[0] < ago_s <= BURST_S[1]
        for side, count in counts.items():
            count[0] += 50 if burst and side == "new" else 1
            count[1] += 100
            if side == "legacy" and 1000 < ago_s <= 1300:
                continue
            lines.append(f'remembered_bad{{side="{side}"}} {count[0]} {at_ms}')
            lines.append(f'remembered_all{{side="{side}"}} {count[1]} {at_ms}')
    body = "\n".join(lines)
    httpx.post(f"{server.url}/api/v1/import/prometheus", content=body, trust_env=False).raise_for_status()
    newest = "count(remembered_all offset 1m)"
    server.wait_until(lambda: bool(result_of(server.url, newest)), "showing what it was given")


def plan_on(server: Server, practice: PracticeServer) -> Plan:
    """One signal, counted by the VictoriaMetrics; everything else is practice."""
    plan = practice.rehome(load_plan(SAMPLE))
    pairs = {
        side: PairQuery(
            bad=f'sum(remembered_bad{{side="{side}"}})', total=f'sum(remembered_all{{side="{side}"}})'
        )
        for side in Side
    }
    signal = SignalSpec(
        name="errors", title="Errors", monitor="victoria", legacy=pairs[Side.LEGACY], new=pairs[Side.NEW]
    )
    (prom,) = plan.monitors
    remembering = replace(
        prom, name="victoria", settings=PrometheusSettings(url=server.url), interval_s=5.0, timeout_s=4.0
    )
    return replace(plan, monitors=(prom, remembering), signals=(signal,))


@contextmanager
def flight(plan: Plan, practice: PracticeServer) -> Iterator[Cockpit]:
    flying = Flying(
        plan=plan,
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


def told(picture: Snapshot) -> bool:
    history = picture.signals[0].new_history
    return history is not None and len(history.points) > history.watched


def rates(history: SideHistory | None, picture: Snapshot) -> list[float | None]:
    """Newest first, by how many steps ago; None where nothing is known."""
    assert history is not None
    points = history.until(picture.engine_at, POINTS).points
    return [None if isinstance(point, Blank) else point for point in reversed(points)]


@pytest.mark.parametrize("behind_s", [0, 30], ids=["at once", "30 s behind, its default"])
def test_the_past_stands_where_it_was(behind_s: int) -> None:
    with (
        PracticeServer(load_plan(SAMPLE), seed=5, clock=SystemClock()) as practice,
        victoria(behind_s) as server,
    ):
        imported(server, time.time())
        with flight(plan_on(server, practice), practice) as cockpit:
            picture = cockpit.wait("the past", told)
    status = picture.signals[0]
    new, legacy = rates(status.new_history, picture), rates(status.legacy_history, picture)
    assert status.evidence.verdict is not Verdict.REGRESSED
    assert status.evidence.total_new == 0, "nothing of it is evidence"
    calm = [*new[6:24], *new[44:85]]
    assert set(calm) == {1.0}
    burst = [place for place, point in enumerate(new) if point is not None and point > 1.0]
    assert abs(min(burst) * STEP_S - (BURST_S[0] - 60)) <= 2 * STEP_S, "for a minute it was in the window"
    assert abs(max(burst) * STEP_S - BURST_S[1]) <= 2 * STEP_S
    assert max(point for point in new if point is not None) == pytest.approx(50.0)
    hole = [place for place, point in enumerate(legacy) if point is None and 40 < place < 80]
    assert len(hole) >= 5 and max(hole) - min(hole) == len(hole) - 1, "one hole, where no samples were"
