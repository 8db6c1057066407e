"""A rollback of many flags in one layer, until every one was re-read at zero.

    python -m tests.bench.fan_out [--flags 1 20 200] [--rounds 7] [--answer-ms 20] [--quick] [--json FILE]

The real engine, journal and Unleash adapter, without a screen, against a server in a process of its own that
needs 20 ms for each answer. Measured from the command to the journalled end of the step flip: intents synced,
all flags written, answers synced, all flags re-read. Each round is a fresh engine on a fresh journal that has
been polling for a moment, as one that flies. In turns with it:

    floor         raw streams: one write and one read per flag, all at once, each on a new connection
    bare httpx    the same through one httpx client per flag, each made and connected beforehand

Goal: at most 1.5 times the floor for 20 flags, 3 times for 200.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Final
from uuid import uuid4

import httpx

from cockpit.core.commands import DeclareRollback
from cockpit.core.model import Freshness
from cockpit.core.snapshot import Snapshot
from cockpit.core.spec import StepKey
from cockpit.engine.engine import Engine
from tests.bench.engines import engine_on
from tests.bench.goals import Row, all_met, tell
from tests.bench.slow_unleash import FEATURES, Running, slow_unleash

GOALS: Final = {20: 1.5, 200: 3.0}
LIMIT_S: Final = 60.0
PLAN: Final = """
title = "Fan-out"
environment = "bench"
[poll]
flags = "2s"
probes = "2s"
[flag_service.main]
kind = "unleash"
url = "{url}"
environment = "production"
interval = "10s"
timeout = "9s"
token = {{ env = "FAN_OUT_TOKEN" }}
write_token = {{ env = "FAN_OUT_TOKEN" }}
[backend.legacy]
title = "Old"
[[backend.legacy.probe]]
name = "health"
kind = "http"
url = "{url}/health"
[backend.new]
title = "New"
[[backend.new.probe]]
name = "health"
kind = "http"
url = "{url}/health"
"""
FLAG: Final = """
[[flag]]
key = "flag_{number}"
title = "Flag {number}"
service = "main"
stages = [{{ percent = 25 }}, {{ percent = 100 }}]
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Milliseconds, one per round."""

    flags: int
    floor: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.floor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; returns 0 when every goal is met, else 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--flags", type=int, nargs="+", default=[1, 20, 200])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--answer-ms", type=float, default=20.0, help="what the server needs for each answer")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--quick", action="store_true", help="few rounds of few flags")
    options = parser.parse_args(arguments)
    if options.quick:
        options.flags, options.rounds = [1, 20], 2
    os.environ["FAN_OUT_TOKEN"] = "opens-nothing"
    with slow_unleash(options.answer_ms / 1000) as server:
        found = [measure(server, flags, options.rounds) for flags in options.flags]
    return report(found, options.json)


def measure(server: Running, flags: int, rounds: int) -> Figures:
    figures = Figures(flags)
    with tempfile.TemporaryDirectory(prefix="fan-out-") as place:
        works: tuple[tuple[list[float], Callable[[Path], float]], ...] = (
            (figures.floor, lambda at: asyncio.run(raw(server, flags))),
            (figures.bare, lambda at: asyncio.run(httpx_each(server, flags))),
            (figures.ours, lambda at: roll_back(server, flags, at)),
        )
        for number in range(rounds):
            for into, work in works:
                server.reset()
                into.append(work(Path(place) / str(number)) * 1000)
    return figures


def roll_back(server: Running, flags: int, place: Path) -> float:
    """Seconds from the command to the end of the flip."""
    place.mkdir()
    path = place / "plan.toml"
    path.write_text(PLAN.format(url=server.url) + "".join(FLAG.format(number=n) for n in range(flags)))
    with engine_on(path) as engine:
        _until(engine, _polling)
        began = datetime.now(UTC)
        engine.submit(DeclareRollback(id=str(uuid4()), by="bench", flags=(), reason="bench"))
        _until(engine, lambda snapshot: _flipped_at(snapshot) is not None)
        flipped = _flipped_at(engine.latest())
        assert flipped is not None
        return (flipped - began).total_seconds()


def _until(engine: Engine, met: Callable[[Snapshot], bool]) -> None:
    changed = threading.Event()
    unsubscribe = engine.subscribe(changed.set)
    try:
        while not met(engine.latest()):
            assert changed.wait(LIMIT_S) and engine.alive, f"the engine stands still: {engine.failed!r}"
            changed.clear()
    finally:
        unsubscribe()


def _polling(snapshot: Snapshot) -> bool:
    now = snapshot.engine_at
    flags = [flag.configured.freshness(now) for flag in snapshot.flags]
    probes = [probe.reading.freshness(now) for backend in snapshot.backends for probe in backend.probes]
    return {*flags, *probes} == {Freshness.FRESH}


def _flipped_at(snapshot: Snapshot) -> datetime | None:
    """As the journal says."""
    steps = snapshot.rollback.steps if snapshot.rollback is not None else ()
    return next((step.done_at for step in steps if step.key is StepKey.FLIP and step.settled), None)


async def raw(server: Running, flags: int) -> float:
    """The floor: nothing is parsed."""

    async def one(key: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for method, path in _requests(key):
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
        writer.close()

    began = perf_counter()
    await asyncio.gather(*(one(f"flag_{number}") for number in range(flags)))
    return perf_counter() - began


async def httpx_each(server: Running, flags: int) -> float:
    async with asyncio.TaskGroup() as group:
        clients = [httpx.AsyncClient(base_url=server.url, trust_env=False) for _ in range(flags)]
        for client in clients:
            group.create_task(client.get("/health"))

    async def one(client: httpx.AsyncClient, key: str) -> None:
        for method, path in _requests(key):
            (await client.request(method, path)).raise_for_status()

    began = perf_counter()
    await asyncio.gather(*(one(client, f"flag_{number}") for number, client in enumerate(clients)))
    took_s = perf_counter() - began
    await asyncio.gather(*(client.aclose() for client in clients))
    return took_s


def _requests(key: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("POST", f"{FEATURES}{key}/environments/production/off"), ("GET", f"{FEATURES}{key}")


def report(found: Sequence[Figures], told: Path | None) -> int:
    rows = [_row(each) for each in found]
    lines = [f"{'flags':>5} {'floor':>9} {'bare httpx':>16} {'the cockpit':>16}  goal"]
    for each, row in zip(found, rows, strict=True):
        floor, bare, ours = (statistics.median(part) for part in (each.floor, each.bare, each.ours))
        words = {None: "", True: "met", False: "MISSED"}[row.met]
        lines.append(
            f"{each.flags:5} {floor:6.1f} ms {bare:6.1f} ms ({bare / floor:3.1f}x) "
            f"{ours:6.1f} ms ({each.ratio:3.1f}x)  {row.wanted} {words}"
        )
    lines.append(f"medians of {len(found[0].ours)} rounds, in turns")
    sys.stdout.write("\n".join(lines) + "\n")
    tell(told, rows, ms=[asdict(each) for each in found])
    return all_met(rows)


def _row(figures: Figures) -> Row:
    wanted = GOALS.get(figures.flags)
    floor, bare, ours = (statistics.median(part) for part in (figures.floor, figures.bare, figures.ours))
    return Row(
        goal="P6",
        what=f"a rollback of {figures.flags} flag{'s' if figures.flags > 1 else ''} until all are re-read",
        wanted="" if wanted is None else f"<= {wanted:g}x",
        figure=f"{figures.ratio:.1f}x, {ours:.0f} ms",
        beside=f"raw streams {floor:.0f} ms, a client of httpx each {bare:.0f} ms",
        met=None if wanted is None else figures.ratio <= wanted,
    )


if __name__ == "__main__":
    sys.exit(main())
