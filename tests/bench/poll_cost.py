"""What one poll of each adapter costs, beside a bare httpx request in the same run.

    python -m tests.bench.poll_cost [--only GROUP ...] [--polls 200] [--json FILE]

Polls and bare requests take turns in blocks, so that both see the same machine at the same time; a figure is
the median of its blocks. CPU is that of this process and of the programs that a poll starts and ends; servers
run in processes of their own. The bare request is a GET by one kept httpx client: to the same server where
the adapter speaks HTTP, else to the practice world's Prometheus. Only ratios of one run say anything, and
only on a machine that does nothing else. `convex_logs` asks by itself, beside its polls, which therefore
cost next to nothing. It has no goal: it finds the adapter that costs more than it should.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

import httpx

from cockpit.adapters.base import AdapterError
from cockpit.adapters.http import Answer, Web
from cockpit.core.model import Failure, Health, ProbeValue, Quality, Sample
from cockpit.engine.clock import SystemClock
from tests.bench.poll_cases import GROUPS, PRACTICE_TOKEN, Case, cases, practice_world

BLOCK: Final = 10
WARM_UP: Final = 3
SETTLES_S: Final = 20.0
Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Milliseconds per poll and per bare request; requests: over HTTP, per poll."""

    name: str
    polls: int
    requests: float
    cpu_ms: float
    wall_ms: float
    bare_cpu_ms: float
    bare_wall_ms: float
    same_server: bool

    @property
    def cpu_ratio(self) -> float:
        return self.cpu_ms / self.bare_cpu_ms

    @property
    def wall_ratio(self) -> float:
        return self.wall_ms / self.bare_wall_ms


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table and writes the same as JSON where asked; returns 0."""
    options = _options(arguments)
    costs, left_out = asyncio.run(measure_all(options.only or list(GROUPS), options.polls))
    sys.stdout.write(table(costs, left_out))
    if options.json is not None:
        options.json.write_text(as_json(costs, left_out))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(GROUPS), help="the groups to measure")
    parser.add_argument("--polls", type=int, default=200, help="polls of each adapter")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args(arguments)


async def measure_all(groups: Sequence[str], polls: int) -> tuple[list[Cost], list[str]]:
    """The costs, and what was left out and why."""
    costs, left_out = list[Cost](), list[str]()
    sent = Requests()
    web = Web(clock=SystemClock(), heard=sent.heard)
    with tempfile.TemporaryDirectory(prefix="poll-bench-") as place, practice_world() as urls:
        for group in groups:
            with ExitStack() as stack:
                made = cases(group, web, urls, Path(place), stack)
                if isinstance(made, str):
                    left_out.append(f"{group}: {made}")
                    continue
                for case in made:
                    try:
                        costs.append(await measure(case, polls, sent))
                    except AdapterError as error:
                        left_out.append(f"{case.name}: {error.failure.title}")
                    finally:
                        await case.close()
        await web.aclose()
    return costs, left_out


class Requests:
    """Counts what goes over HTTP."""

    def __init__(self) -> None:
        self.count = 0

    def heard(self, address: str, answer: Answer | None) -> None:
        self.count += 1


async def measure(case: Case, polls: int, sent: Requests) -> Cost:
    """Raises AdapterError when a poll fails: a failure is cheap and would look well."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            httpx.AsyncClient(timeout=10.0, trust_env=False, headers={"Authorization": PRACTICE_TOKEN})
        )

        async def bare() -> None:
            (await client.get(case.bare)).raise_for_status()

        await settled(case.poll)
        for _ in range(WARM_UP):
            must_be_good(await case.poll())
            await bare()
        before = sent.count
        ours, floor = await in_turns(case.poll, bare, polls)
        return Cost(
            name=case.name,
            polls=polls,
            requests=(sent.count - before) / polls,
            cpu_ms=_median(ours, 0),
            wall_ms=_median(ours, 1),
            bare_cpu_ms=_median(floor, 0),
            bare_wall_ms=_median(floor, 1),
            same_server=case.same_server,
        )


async def settled(poll: Work) -> None:
    """Until there is something to tell: what just started has run nothing yet. Raises AdapterError."""
    give_up_at = perf_counter() + SETTLES_S
    while True:
        try:
            must_be_good(await poll())
        except AdapterError:
            if perf_counter() > give_up_at:
                raise
            await asyncio.sleep(0.25)
        else:
            return


def must_be_good(found: object) -> None:
    """Raises AdapterError for a poll that found something wrong, or an error in place of a value."""
    for value in found.values() if isinstance(found, dict) else (found,):
        if isinstance(value, AdapterError):
            raise value
        bad_sample = isinstance(value, Sample) and value.quality is not Quality.GOOD
        if bad_sample or (isinstance(value, ProbeValue) and value.health is not Health.OK):
            raise AdapterError(Failure(title=f"a poll found {value}"))


Block = tuple[float, float]
"""CPU and wall milliseconds of one call, over one block."""


async def in_turns(poll: Work, bare: Work, polls: int) -> tuple[list[Block], list[Block]]:
    ours, floor = list[Block](), list[Block]()
    for start in range(0, polls, BLOCK):
        count = min(BLOCK, polls - start)
        for work, figures in ((poll, ours), (bare, floor)):
            cpu_s, wall_s = _cpu_s(), perf_counter()
            for _ in range(count):
                await work()
            figures.append(((_cpu_s() - cpu_s) * 1000 / count, (perf_counter() - wall_s) * 1000 / count))
    return ours, floor


def _cpu_s() -> float:
    """Of this process, and of every program that it started and that has ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return process_time() + ended.ru_utime + ended.ru_stime


def _median(blocks: Sequence[Block], which: int) -> float:
    return statistics.median(block[which] for block in blocks)


def table(costs: Sequence[Cost], left_out: Sequence[str]) -> str:
    lines = [f"{'':26} {'requests':>8} {'CPU ms':>8} {'wall ms':>8} {'CPU x':>7} {'wall x':>7}  bare httpx"]
    for cost in costs:
        bare = f"{cost.bare_cpu_ms:.2f} / {cost.bare_wall_ms:.2f} ms{'' if cost.same_server else ' *'}"
        lines.append(
            f"{cost.name:26} {cost.requests:8.1f} {cost.cpu_ms:8.2f} {cost.wall_ms:8.2f} "
            f"{cost.cpu_ratio:7.2f} {cost.wall_ratio:7.2f}  {bare}"
        )
    lines.append("* beside a bare request to another server, the practice world's Prometheus")
    return "\n".join([*lines, *(f"left out: {each}" for each in left_out)]) + "\n"


def as_json(costs: Sequence[Cost], left_out: Sequence[str]) -> str:
    rows = [{**asdict(each), "cpu_ratio": each.cpu_ratio, "wall_ratio": each.wall_ratio} for each in costs]
    return json.dumps({"costs": rows, "left_out": list(left_out)}, indent=2) + "\n"


if __name__ == "__main__":
    sys.exit(main())
