"""From the second `R` to the first flag write on the wire.

    python -m tests.bench.rollback_key [--count 20] [--extra-probes 100]

The real `cockpit fly` in a pty, against a practice world in a process of its own, with every poller running.
A recorder stands in front of the flag service, in a process of its own, and notes when the first byte of
`POST .../off` arrives; both ends read the kernel's one monotonic clock. Each repetition is a fresh cockpit
on a fresh journal, so each pays for the first write that this process ever makes. The second variant adds
probes that poll twice a second each. The baseline is a bare httpx POST to the same recorder on a new
connection, taken in turns with the rest. Goal: median below 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event as Pause
from time import monotonic_ns, time_ns
from typing import Final

import httpx

from cockpit.cli.plans import load_plan
from cockpit.core.events import Event, Kind
from cockpit.engine.clock import SystemClock
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.paths import journal_path
from cockpit.practice.server import PracticeServer
from cockpit.practice.staging import start_percents
from tests.e2e.conftest import COCKPIT, ROOT, rehomed
from tests.e2e.terminal import Terminal, wait_until

GOAL_MS: Final = 50.0
ANSWER_LIMIT_S: Final = 30.0
START_PCT: Final = 25.0
PROBE: Final = """
[[backend.{side}.probe]]
name = "extra {number}"
kind = "http"
url = "{url}/health"
interval = "500ms"
required = false
"""


class Recorder(asyncio.Protocol):
    """Passes bytes on to the flag service and tells when a switch-off begins to arrive."""

    def __init__(self, told: Connection, upstream_port: int) -> None:
        self._told = told
        self._port = upstream_port
        self._held: list[bytes] = []
        self._upstream: asyncio.WriteTransport | None = None
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = transport
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: _Back(self._client), "127.0.0.1", self._port)
        self._upstream = transport
        transport.writelines(self._held)
        if self._client.is_closing():
            transport.close()

    def data_received(self, data: bytes) -> None:
        arrived_ns = monotonic_ns()
        if data.startswith(b"POST ") and b"/off " in data.partition(b"\r\n")[0]:
            self._told.send(arrived_ns)
        if self._upstream is None:
            self._held.append(data)
        else:
            self._upstream.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._upstream is not None:
            self._upstream.close()


class _Back(asyncio.Protocol):
    """The flag service's answers on their way to the client."""

    def __init__(self, client: asyncio.BaseTransport) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        assert isinstance(self._client, asyncio.WriteTransport)
        self._client.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.close()


def record(pipe: Connection, upstream_port: int) -> None:
    """A process: tells its port, then an instant per switch-off, until the other end of `pipe` closes."""

    async def serve() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        server = await loop.create_server(lambda: Recorder(pipe, upstream_port), "127.0.0.1", 0)
        loop.add_reader(pipe.fileno(), over.set)
        pipe.send(server.sockets[0].getsockname()[1])
        await over.wait()
        server.close()

    asyncio.run(serve())


def simulate(pipe: Connection, plan_path: Path) -> None:
    """A process: a practice world that tells its addresses, and puts all flags back whenever told to."""
    plan = load_plan(plan_path)
    with PracticeServer(plan, seed=7, clock=SystemClock()) as practice:
        pipe.send(dict(practice.urls))
        while pipe.recv() == "start":
            practice.world.start_at(start_percents(plan, START_PCT))
            pipe.send("ready")


@dataclass(frozen=True, slots=True)
class Bench:
    """A running world, the recorder in front of its flag service, and both their ends of a pipe."""

    urls: Mapping[str, str]
    recorder_port: int
    world: Connection
    recorder: Connection

    def reset(self) -> None:
        """All flags to where they start; whatever was recorded before is forgotten."""
        self.world.send("start")
        self.world.recv()
        while self.recorder.poll():
            self.recorder.recv()

    def switched_off_ns(self) -> int:
        """When the next switch-off arrived. Raises AssertionError when none does."""
        assert self.recorder.poll(ANSWER_LIMIT_S), "no switch-off arrived"
        arrived_ns: int = self.recorder.recv()
        return arrived_ns


@contextmanager
def bench(plan_path: Path) -> Iterator[Bench]:
    context = multiprocessing.get_context("spawn")
    world, world_end = context.Pipe()
    recorder, recorder_end = context.Pipe()
    simulation = context.Process(target=simulate, args=(world_end, plan_path))
    simulation.start()
    urls: dict[str, str] = world.recv()
    upstream_port = int(urls["unleash"].rpartition(":")[2])
    recording = context.Process(target=record, args=(recorder_end, upstream_port))
    recording.start()
    port: int = recorder.recv()
    try:
        yield Bench({**urls, "unleash": f"http://127.0.0.1:{port}"}, port, world, recorder)
    finally:
        world.send("over")
        recorder.send("over")
        simulation.join()
        recording.join()


@dataclass(slots=True)
class Figures:
    """Milliseconds, one per repetition.

    The parts are told by the journal's instants, which are taken before each append: the wait for the disk
    counts to what follows.
    """

    whole: list[float] = field(default_factory=list)
    key_to_declared: list[float] = field(default_factory=list)
    declared_to_intent: list[float] = field(default_factory=list)
    intent_to_wire: list[float] = field(default_factory=list)


def press_and_measure(rig: Bench, plan_text: str, place: Path, figures: Figures) -> None:
    """One cockpit from take-off to the first write of its rollback."""
    plan_path = place / "night.toml"
    plan_path.write_text(plan_text)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "XDG_STATE_HOME": str(place / "state"),
        "UNLEASH_READ_TOKEN": "practice-as-reader",
        "UNLEASH_WRITE_TOKEN": "practice-as-driver",
        "COCKPIT_OPERATOR": "bench",
    }
    rig.reset()
    with Terminal([*COCKPIT, "fly", str(plan_path)], env=env) as terminal:
        terminal.expect("chat_realtime")
        terminal.expect("data live")
        Pause().wait(2.0 + random.random())
        terminal.press("R")
        terminal.expect("press R to roll back")
        Pause().wait(random.random() / 2)
        pressed_ns, pressed_at_ns = monotonic_ns(), time_ns()
        terminal.press("R")
        arrived_ns = rig.switched_off_ns()
        journal = journal_path(plan_path, env)
        wait_until(lambda: _flipped(journal), "every flag re-read at 0%")
    declared_ns, intent_ns = (
        _unix_ns(_events(journal, kind)[0].at) for kind in (Kind.ROLLBACK_DECLARED, Kind.WRITE_INTENT)
    )
    figures.whole.append((arrived_ns - pressed_ns) / 1e6)
    figures.key_to_declared.append((declared_ns - pressed_at_ns) / 1e6)
    figures.declared_to_intent.append((intent_ns - declared_ns) / 1e6)
    figures.intent_to_wire.append((arrived_ns - pressed_ns + pressed_at_ns - intent_ns) / 1e6)


def _flipped(journal: Path) -> bool:
    return any(event.body["step"] == "flip" for event in _events(journal, Kind.STEP_DONE))


def _events(journal: Path, kind: Kind) -> list[Event]:
    with closing(SqliteJournal(journal, read_only=True)) as book:
        return [event for event in book.read() if event.kind is kind]


def _unix_ns(at: datetime) -> int:
    return round(at.timestamp() * 1e6) * 1000


def bare_post(rig: Bench) -> float:
    """Milliseconds from calling httpx to the first byte of the same request, on a new connection."""
    rig.reset()
    address = f"{rig.urls['unleash']}/api/admin/projects/default/features/nothing/environments/production/off"
    with httpx.Client(trust_env=False) as client:
        began_ns = monotonic_ns()
        client.post(address, headers={"Authorization": "practice-as-driver"})
    return (rig.switched_off_ns() - began_ns) / 1e6


def main() -> int:
    """Prints the figures; returns 0 when both medians are below the goal, else 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20, help="repetitions of each variant")
    parser.add_argument("--extra-probes", type=int, default=100, help="probes that the second variant adds")
    options = parser.parse_args()
    sample = ROOT / "sample_configs" / "chat-sync.toml"
    plain, busy, bare = Figures(), Figures(), list[float]()
    with bench(sample) as rig:
        text = rehomed(sample.read_text(), rig.urls)
        for _ in range(options.count):
            for plan_text, figures in ((text, plain), (_busier(text, rig, options.extra_probes), busy)):
                with tempfile.TemporaryDirectory(prefix="rollback-key-") as place:
                    press_and_measure(rig, plan_text, Path(place), figures)
            bare.append(bare_post(rig))
    return report(plain, busy, bare, extra_probes=options.extra_probes)


def _busier(text: str, rig: Bench, extra: int) -> str:
    probes = [
        PROBE.format(side=side, number=number, url=rig.urls[side])
        for number in range(extra)
        for side in (("legacy", "new")[number % 2],)
    ]
    return text + "".join(probes)


def report(plain: Figures, busy: Figures, bare: Sequence[float], *, extra_probes: int) -> int:
    rows = [
        *_rows("R to wire, sample plan", plain),
        *_rows(f"R to wire, +{2 * extra_probes} polls/s", busy),
        ("bare httpx POST", bare),
    ]
    lines = [f"{'ms':34} {'p50':>8} {'p90':>8} {'p99':>8}   n={len(bare)}"]
    lines += [
        f"{name:34} " + " ".join(f"{each:8.1f}" for each in percentiles(values)) for name, values in rows
    ]
    medians = [percentiles(figures.whole)[0] for figures in (plain, busy)]
    met = max(medians) < GOAL_MS
    lines.append(f"goal: medians below {GOAL_MS:g} ms: {'met' if met else 'MISSED'}")
    told = {"plain": percentiles(plain.whole), "busy": percentiles(busy.whole), "bare": percentiles(bare)}
    lines.append(json.dumps({"count": len(bare), "extra_polls_per_s": 2 * extra_probes, "ms": told}))
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if met else 1


def _rows(name: str, figures: Figures) -> list[tuple[str, Sequence[float]]]:
    return [
        (name, figures.whole),
        ("  R to declared", figures.key_to_declared),
        ("  declared to intent", figures.declared_to_intent),
        ("  intent to first byte", figures.intent_to_wire),
    ]


def percentiles(figures: Sequence[float]) -> tuple[float, float, float]:
    """p50, p90 and p99 in the unit of the figures, between neighbours where there are few."""
    cuts = statistics.quantiles(figures, n=100, method="inclusive")
    return round(statistics.median(figures), 2), round(cuts[89], 2), round(cuts[98], 2)


if __name__ == "__main__":
    sys.exit(main())
