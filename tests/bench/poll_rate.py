"""What 500 targets at 1 Hz cost, through the real pollers and adapters in an engine without a screen.

    python -m tests.bench.poll_rate [--targets 500] [--seconds 20] [--quick] [--json FILE]

Every target is a host of its own (a port) that answers at once, all in a process of their own. Each way of
polling them is a process of its own, one after the other, and is measured once it has settled:

    raw streams   one kept connection per target, nothing parsed: the floor
    the cockpit   an http probe per target: polled, judged, drawn; a journal; no screen
    peer          Prometheus that scrapes blackbox_exporter, where both are installed

late: how long after its moment a poll begins. Goal: at most 0.75 of the peer's CPU, 5 ms late at the p99.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic, process_time, sleep
from typing import Final

import psutil

from cockpit.cli.life import STANDING_LOOKS, TTY_LOOK_S
from cockpit.cli.thrift import set_start_aside
from cockpit.core.model import Failure
from cockpit.engine.poller import Poller
from tests.bench.engines import engine_on
from tests.bench.goals import Row, all_met, tell
from tests.real.servers import free_port

GOAL_CPU: Final = 0.75
GOAL_LATE_MS: Final = 5.0
SETTLE_S: Final = 4.0
PEER: Final = ("prometheus", "prometheus-blackbox-exporter")
PEER_NAME: Final = "Prometheus + blackbox_exporter"
PLAN: Final = """
title = "Poll rate"
environment = "bench"
[poll]
probes = "1s"
[flag_service.file]
kind = "file"
path = "{flags}"
format = "json"
percent = "/{{key}}"
interval = "1h"
[[flag]]
key = "flag"
title = "Flag"
service = "file"
stages = [{{ percent = 100 }}]
[backend.legacy]
title = "Old"
[backend.new]
title = "New"
"""
PROBE: Final = """
[[backend.{side}.probe]]
name = "target {number}"
kind = "http"
url = "http://127.0.0.1:{port}/health"
required = {required}
"""
SCRAPES: Final = """
global: {{scrape_interval: 1s, scrape_timeout: 900ms}}
scrape_configs:
  - job_name: targets
    metrics_path: /probe
    params: {{module: [http_2xx]}}
    static_configs: [{{targets: [{targets}]}}]
    relabel_configs:
      - {{source_labels: [__address__], target_label: __param_target}}
      - {{source_labels: [__param_target], target_label: instance}}
      - {{target_label: __address__, replacement: '127.0.0.1:{exporter}'}}
"""
MODULES: Final = "modules: {http_2xx: {prober: http, timeout: 900ms}}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """cpu_pct: of one CPU. polls_per_s: that arrived. late_ms: p50 and p99, None where nobody tells."""

    name: str
    cpu_pct: float
    polls_per_s: float
    late_ms: tuple[float, float] | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; returns 0 when the goals are met, else 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0, help="to measure each way over")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--quick", action="store_true", help="few targets for a short time")
    options = parser.parse_args(arguments)
    if options.quick:
        options.targets, options.seconds = 100, 4.0
    missing = [name for name in PEER if shutil.which(name) is None]
    with targets(options.targets) as answered, tempfile.TemporaryDirectory(prefix="poll-rate-") as place:
        costs = [
            in_a_process("raw streams", raw, answered, Path(place), options.seconds),
            in_a_process("the cockpit", cockpit, answered, Path(place), options.seconds),
        ]
        if not missing:
            costs.append(peer(answered, Path(place), options.seconds))
    return report(costs, missing, options.json)


# --- the targets: a process of their own ----------------------------------------------------------------


class Target(asyncio.Protocol):
    """Answers every request at once. counts: all that were answered."""

    ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"

    def __init__(self, counts: list[int]) -> None:
        self._counts = counts
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *whole, self._unread = (self._unread + data).split(b"\r\n\r\n")
        self._counts[0] += len(whole)
        self._transport.write(self.ANSWER * len(whole))


def _answer(pipe: Connection, count: int) -> None:
    async def serve() -> None:
        loop, over, counts = asyncio.get_running_loop(), asyncio.Event(), [0]
        servers = [await loop.create_server(lambda: Target(counts), "127.0.0.1", 0) for _ in range(count)]

        def told() -> None:
            over.set() if pipe.recv() == "over" else pipe.send(counts[0])

        loop.add_reader(pipe.fileno(), told)
        pipe.send([server.sockets[0].getsockname()[1] for server in servers])
        await over.wait()
        for server in servers:
            server.close()

    asyncio.run(serve())


@dataclass(frozen=True, slots=True)
class Targets:
    ports: Sequence[int]
    pipe: Connection

    def answered(self) -> int:
        self.pipe.send("count")
        counted: int = self.pipe.recv()
        return counted


@contextmanager
def targets(count: int) -> Iterator[Targets]:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_answer, args=(theirs, count))
    process.start()
    try:
        yield Targets(ours.recv(), ours)
    finally:
        ours.send("over")
        process.join()


# --- who polls them --------------------------------------------------------------------------------------

Polling = Callable[[Connection, Sequence[int], Path], None]


def in_a_process(name: str, polling: Polling, answering: Targets, place: Path, seconds: float) -> Cost:
    """`polling` tells "ready", then for each word its CPU seconds and how late polls began, until "over"."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=polling, args=(theirs, answering.ports, place)
    )
    process.start()
    try:
        ours.recv()
        sleep(SETTLE_S)
        (cpu_s, _), counted, began = _look(ours), answering.answered(), monotonic()
        sleep(seconds)
        (later_s, late), polled = _look(ours), answering.answered() - counted
        took_s = monotonic() - began
    finally:
        ours.send("over")
        process.join()
    return Cost(
        name=name,
        cpu_pct=(later_s - cpu_s) * 100 / took_s,
        polls_per_s=polled / took_s,
        late_ms=None if not late else (statistics.median(late), statistics.quantiles(late, n=100)[98]),
    )


def _look(pipe: Connection) -> tuple[float, list[float]]:
    pipe.send("look")
    found: tuple[float, list[float]] = pipe.recv()
    return found


def raw(pipe: Connection, ports: Sequence[int], place: Path) -> None:
    late: list[float] = []

    async def poll(port: int, first_s: float) -> None:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        due = loop.time() + first_s
        while True:
            await asyncio.sleep(due - loop.time())
            late.append((loop.time() - due) * 1000)
            due += 1.0
            writer.write(b"GET /health HTTP/1.1\r\nHost: bench\r\n\r\n")
            await reader.readuntil(b"ok\n")

    async def run() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(pipe.fileno(), lambda: None if _tell(pipe, late) else over.set())
        polls = [asyncio.create_task(poll(port, n / len(ports))) for n, port in enumerate(ports)]
        pipe.send("ready")
        await over.wait()
        for each in polls:
            each.cancel()
        await asyncio.gather(*polls, return_exceptions=True)

    asyncio.run(run())


def _tell(pipe: Connection, late: list[float]) -> bool:
    """True while there is somebody to tell."""
    if pipe.recv() == "over":
        return False
    pipe.send((process_time(), list(late)))
    late.clear()
    return True


def cockpit(pipe: Connection, ports: Sequence[int], place: Path) -> None:
    late: list[float] = []
    ask = Poller._ask

    async def noted(self: Poller) -> Failure | None:
        late.append(self.late_s * 1000)
        return await ask(self)

    Poller._ask = noted  # type: ignore[method-assign]  # the bench's own process: it only looks on
    flags, path = place / "flags.json", place / "plan.toml"
    flags.write_text('{"flag": 25}')
    probes = [
        PROBE.format(
            side=("legacy", "new")[number % 2], number=number, port=port, required=str(number == 0).lower()
        )
        for number, port in enumerate(ports)
    ]
    path.write_text(PLAN.format(flags=flags) + "".join(probes))
    with engine_on(path) as engine:
        sleep(STANDING_LOOKS * TTY_LOOK_S)
        set_start_aside()  # a flight does it then, when every source was asked
        pipe.send("ready")
        while _tell(pipe, late):
            assert engine.alive, f"the engine ended: {engine.failed!r}"


def peer(answering: Targets, place: Path, seconds: float) -> Cost:
    exporter, server = free_port(), free_port()
    modules, config = place / "blackbox.yml", place / "prometheus.yml"
    modules.write_text(MODULES)
    addresses = ", ".join(f"'http://127.0.0.1:{port}/health'" for port in answering.ports)
    config.write_text(SCRAPES.format(targets=addresses, exporter=exporter))
    programs = (
        [PEER[1], f"--config.file={modules}", f"--web.listen-address=127.0.0.1:{exporter}"],
        [
            PEER[0],
            f"--config.file={config}",
            f"--storage.tsdb.path={place / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{server}",
        ],
    )
    quiet = subprocess.DEVNULL
    running = [subprocess.Popen(each, stdout=quiet, stderr=quiet) for each in programs]
    try:
        sleep(2 * SETTLE_S)
        cpu_s, counted, began = _cpu_s(running), answering.answered(), monotonic()
        sleep(seconds)
        took_s = monotonic() - began
        cpu_pct = (_cpu_s(running) - cpu_s) * 100 / took_s
        polls_per_s = (answering.answered() - counted) / took_s
    finally:
        for each in running:
            with suppress(ProcessLookupError):
                each.terminate()
        for each in running:
            each.wait()
    return Cost(name=PEER_NAME, cpu_pct=cpu_pct, polls_per_s=polls_per_s)


def _cpu_s(running: Sequence[subprocess.Popen[bytes]]) -> float:
    times = [psutil.Process(each.pid).cpu_times() for each in running]
    return sum(each.user + each.system for each in times)


def report(costs: Sequence[Cost], missing: Sequence[str], told: Path | None) -> int:
    lines = [f"{'':32} {'CPU':>8} {'polls/s':>8} {'late p50':>9} {'p99':>9}"]
    for cost in costs:
        late = "" if cost.late_ms is None else f"{cost.late_ms[0]:6.1f} ms {cost.late_ms[1]:6.1f} ms"
        lines.append(f"{cost.name:32} {cost.cpu_pct:6.1f} % {cost.polls_per_s:8.0f} {late}")
    by = {cost.name: cost for cost in costs}
    rows = [_cpu_row(by["the cockpit"], by.get(PEER_NAME), missing), _late_row(by["the cockpit"], costs[0])]
    words = {None: "not compared", True: "met", False: "MISSED"}
    lines += [f"{row.what}: {row.figure}, wanted {row.wanted}: {words[row.met]}" for row in rows]
    lines += [row.beside for row in rows]
    sys.stdout.write("\n".join(lines) + "\n")
    tell(told, rows, costs=[asdict(cost) for cost in costs])
    return all_met(rows)


def _cpu_row(ours: Cost, theirs: Cost | None, missing: Sequence[str]) -> Row:
    ratio = None if theirs is None else ours.cpu_pct / theirs.cpu_pct
    beside = f"peer left out: {' and '.join(missing)} not installed"
    if theirs is not None:
        beside = f"{theirs.name}: {theirs.cpu_pct:.0f} % at {theirs.polls_per_s:.0f} polls/s"
    return Row(
        goal="P5",
        what="CPU of polling",
        wanted=f"<= {GOAL_CPU:g}x",
        figure=f"{ours.cpu_pct:.0f} % at {ours.polls_per_s:.0f} polls/s"
        + ("" if ratio is None else f", {ratio:.2f}x"),
        beside=beside,
        met=None if ratio is None else ratio <= GOAL_CPU,
    )


def _late_row(ours: Cost, floor: Cost) -> Row:
    p99 = ours.late_ms[1] if ours.late_ms is not None else float("inf")
    bare = floor.late_ms[1] if floor.late_ms is not None else float("inf")
    return Row(
        goal="P5",
        what="how late a poll begins, p99",
        wanted=f"<= {GOAL_LATE_MS:g} ms",
        figure=f"{p99:.1f} ms",
        beside=f"raw streams {bare:.1f} ms",
        met=p99 <= GOAL_LATE_MS,
    )


if __name__ == "__main__":
    sys.exit(main())
