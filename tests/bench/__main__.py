"""Every benchmark in turn, each in a process of its own, and one table of goals and figures.

    python -m tests.bench [--quick] [--only P2 P4] [--json FILE] [--markdown]

Ratios of one run on a machine that does nothing else are what counts. `--quick` shows in some minutes that
everything runs; its figures are of too few tries to mean much. Exit 0 when no goal was missed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench.goals import Row, all_met, read

ROOT: Final = Path(__file__).parents[2]
LIMIT_S: Final = 2 * 3600.0
TOLD: Final = ["textual", "httpx"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A module of this package. quick: the arguments that make it short."""

    goal: str
    module: str
    quick: tuple[str, ...] = ()


BENCHMARKS: Final = (
    Benchmark(goal="P1", module="deck_bytes", quick=("--quick",)),
    Benchmark(goal="P2", module="key_to_wire", quick=("--quick",)),
    Benchmark(goal="P3", module="key_echo", quick=("--keys", "20")),
    Benchmark(goal="P4", module="first_paint", quick=("--count", "3")),
    Benchmark(goal="P5", module="poll_rate", quick=("--targets", "50", "--seconds", "5")),
    Benchmark(goal="P6", module="fan_out", quick=("--rounds", "2")),
    Benchmark(goal="P7", module="journal_append", quick=("--count", "300")),
    Benchmark(goal="P8", module="soak", quick=("--minutes", "1")),
    Benchmark(goal="P9", module="resume", quick=("--events", "20000")),
    Benchmark(goal="P10", module="follow_delay", quick=("--count", "40", "--news", "20", "--cost-s", "3")),
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    chosen = [each for each in BENCHMARKS if not options.only or each.goal in options.only]
    machine = describe_machine()
    sys.stdout.write("\n".join(machine) + "\n\n")
    rows = [row for each in chosen for row in run(each, quick=options.quick)]
    machine.append(f"load when it ended: {_load()}")
    lines = markdown(rows) if options.markdown else table(rows)
    sys.stdout.write("\n" + "\n".join([*lines, "", machine[-1]]) + "\n")
    if options.json is not None:
        told = {"machine": machine, "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(told, indent=2) + "\n")
    return all_met(rows)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="few tries of everything")
    parser.add_argument("--only", nargs="+", choices=[each.goal for each in BENCHMARKS], metavar="GOAL")
    parser.add_argument("--json", type=Path, help="a file for machine and rows")
    parser.add_argument("--markdown", action="store_true", help="the table as Markdown")
    return parser.parse_args(arguments)


def run(benchmark: Benchmark, *, quick: bool) -> list[Row]:
    """What one benchmark tells; one row without a figure when it cannot be run, or fails."""
    if importlib.util.find_spec(f"tests.bench.{benchmark.module}") is None:
        return [_without(benchmark, "there is no such benchmark here")]
    sys.stdout.write(f"--- {benchmark.goal}: {benchmark.module}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        told = Path(place) / "told.json"
        command = [sys.executable, "-m", f"tests.bench.{benchmark.module}", "--json", str(told)]
        try:
            ended = subprocess.run([*command, *(benchmark.quick if quick else ())], cwd=ROOT, timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            return [_without(benchmark, f"did not end within {LIMIT_S:g} s")]
        try:
            return read(told)
        except (OSError, ValueError, KeyError, TypeError):
            return [_without(benchmark, f"told nothing, exit {ended.returncode}")]


def _without(benchmark: Benchmark, why: str) -> Row:
    return Row(goal=benchmark.goal, what=benchmark.module, wanted="", figure=f"not measured: {why}")


def describe_machine() -> list[str]:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in TOLD)
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}, {platform.machine()}",
        f"Python {platform.python_version()}, {versions}",
        f"load when it began: {_load()}",
    ]


def _load() -> str:
    return " ".join(f"{each:.2f}" for each in os.getloadavg())


HEADS: Final = ("goal", "what", "wanted", "figure", "met", "beside, same run")


def _cells(rows: Iterable[Row]) -> list[tuple[str, ...]]:
    words = {True: "met", False: "MISSED", None: "-"}
    return [(row.goal, row.what, row.wanted, row.figure, words[row.met], row.beside) for row in rows]


def table(rows: Sequence[Row]) -> list[str]:
    cells = [HEADS, *_cells(rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADS))]
    padded = (zip(line, widths, strict=True) for line in cells)
    return ["  ".join(cell.ljust(width) for cell, width in line).rstrip() for line in padded]


def markdown(rows: Sequence[Row]) -> list[str]:
    lines = [HEADS, ("---",) * len(HEADS), *_cells(rows)]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


if __name__ == "__main__":
    sys.exit(main())
