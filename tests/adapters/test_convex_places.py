"""Everything that asks one Convex deployment at once: never more than three requests, two of them reads."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from cockpit.adapters.flags import convex_table
from cockpit.adapters.flags.convex_settings import ConvexTableSettings
from cockpit.adapters.http import Web
from cockpit.adapters.probes import convex, convex_jobs, convex_metrics
from cockpit.adapters.probes.convex_settings import (
    ConvexJobsSettings,
    ConvexMetricsSettings,
    ConvexMonitorSettings,
)
from cockpit.adapters.probes.settings import ConvexProbeSettings
from cockpit.adapters.signals import convex as counts
from cockpit.core.secret import Secret, SecretRef
from cockpit.engine.clock import SystemClock
from tests.adapters.probes.scripted import Request, Step, as_json, as_text, scripted
from tests.tables import written


def secret(ref: SecretRef) -> Secret:
    return Secret("prod:happy-otter-1|a-key")


@dataclass(slots=True)
class Busy:
    """Takes its time; remembers how many requests were inside at once, reads and writes."""

    inside: list[bool] = field(default_factory=list)
    most: int = 0
    most_reads: int = 0
    writes: int = 0

    async def __call__(self, request: Request) -> Step:
        is_write = request.path == "/api/mutation"
        self.writes += is_write
        self.inside.append(is_write)
        self.most = max(self.most, len(self.inside))
        self.most_reads = max(self.most_reads, self.inside.count(False))
        for _ in range(50):
            await asyncio.sleep(0)
        self.inside.remove(is_write)
        if request.path == "/instance_name":
            return as_text("happy-otter-1")
        return as_json({"status": "success", "value": None})


async def test_lever_probes_and_monitor_take_turns() -> None:
    web, busy = Web(clock=SystemClock()), Busy()
    async with scripted(busy) as server:
        ours = {"url": server.url, "instance": "happy-otter-1"}
        keyed = {**ours, "key": {"env": "K"}}
        lever = written(ConvexTableSettings, {**ours, "token": {"env": "R"}, "write_token": {"env": "W"}})
        reader = convex_table.build_reader(lever, web, secret, 20.0)
        writer = convex_table.build_writer(lever, web, secret, 20.0)
        assert writer is not None
        probes = (
            convex.build(
                written(ConvexProbeSettings, {**ours, "admin_key": {"env": "K"}}), web, secret, 20.0
            ),
            convex_metrics.build(
                written(ConvexMetricsSettings, {**keyed, "functions": ["a:b"]}), web, secret, 20.0
            ),
            convex_jobs.build(written(ConvexJobsSettings, keyed), web, secret, 20.0),
        )
        monitor = counts.build(written(ConvexMonitorSettings, keyed), web, secret, 20.0)
        await asyncio.gather(
            reader.read(["chat"]),
            monitor.query(["table_size:chats"]),
            *(probe.probe() for probe in probes for _ in range(3)),
            *(writer.kill(f"flag{number}") for number in range(12)),
            return_exceptions=True,
        )
        await web.aclose()
    assert (busy.most, busy.most_reads, busy.writes) == (3, 2, 12)
