"""How long one journal append takes beside the least that any durable record costs on the same disk.

    python -m tests.bench.journal_append [--directory DIR] [--count 1500] [--size 200] [--json FILE]

The floor writes the same number of bytes into space that exists already and flushes the data only. The two
take turns in blocks, so that both see the same disk at the same time. Goal: p50 at most 2.5 times the floor.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter_ns
from typing import Final

from cockpit.core.events import Kind
from cockpit.engine.journal import CHECKPOINT_PAGES, SqliteJournal
from tests.bench.goals import Row, all_met, tell

BLOCK: Final = 25
WARM_UP: Final = 50
GOAL_RATIO: Final = 2.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; returns 0 when the goal is met, else 1."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(dir=options.directory, prefix="journal-bench-") as place:
        floor_ns, append_ns = measure(Path(place), options.count, options.size)
    report(floor_ns, append_ns)
    rows = [row_of(_percentiles(floor_ns), _percentiles(append_ns))]
    tell(options.json, rows)
    return all_met(rows)


def row_of(floor: tuple[float, float], append: tuple[float, float]) -> Row:
    ratio = append[0] / floor[0]
    return Row(
        goal="P7",
        what="an append of 200 bytes to the journal",
        wanted=f"<= {GOAL_RATIO}x",
        figure=f"{ratio:.2f}x (p50 {append[0]:.3f}, p99 {append[1]:.3f} ms)",
        beside=f"write + fdatasync: p50 {floor[0]:.3f}, p99 {floor[1]:.3f} ms",
        met=ratio <= GOAL_RATIO,
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--directory", default=".", help="a directory on the disk to measure")
    parser.add_argument("--count", type=int, default=1500, help="records of each kind")
    parser.add_argument("--size", type=int, default=200, help="bytes of text in each record")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args(arguments)


def measure(place: Path, count: int, size: int) -> tuple[list[int], list[int]]:
    """Nanoseconds of each bare write + fdatasync, and of each append; warm-up left out."""
    record, at = b"x" * size, datetime.now(UTC)
    bare = os.open(place / "bare", os.O_CREAT | os.O_WRONLY, 0o600)
    with closing(SqliteJournal(place / "state" / "bench.journal")) as journal:
        os.write(bare, bytes((count + WARM_UP + BLOCK) * size))
        os.fsync(bare)

        def write(number: int) -> None:
            os.pwrite(bare, record, number * size)
            os.fdatasync(bare)

        def append(number: int) -> None:
            text = "x" * size
            journal.append(Kind.NOTE_ADDED, {"text": text}, actor="bench", at=at, expected_seq=number)

        figures = _in_turns(write, append, count + WARM_UP)
    os.close(bare)
    return figures


def _in_turns(
    write: Callable[[int], None], append: Callable[[int], None], count: int
) -> tuple[list[int], list[int]]:
    floor_ns: list[int] = []
    append_ns: list[int] = []
    for start in range(0, count, BLOCK):
        for act, figures in ((write, floor_ns), (append, append_ns)):
            for number in range(start, min(start + BLOCK, count)):
                began = perf_counter_ns()
                act(number)
                figures.append(perf_counter_ns() - began)
    return floor_ns[WARM_UP:], append_ns[WARM_UP:]


def report(floor_ns: list[int], append_ns: list[int]) -> None:
    floor, append = _percentiles(floor_ns), _percentiles(append_ns)
    early = slice(0, CHECKPOINT_PAGES - WARM_UP)
    fresh, fresh_floor = _percentiles(append_ns[early]), _percentiles(floor_ns[early])
    lines = [f"{'':32} {'p50':>9} {'p99':>9}  p50 ratio"]
    for name, (p50, p99), base in (
        ("write + fdatasync", floor, floor),
        ("journal append", append, floor),
        (f"... first {CHECKPOINT_PAGES}, log still growing", fresh, fresh_floor),
    ):
        lines.append(f"{name:32} {p50:6.3f} ms {p99:6.3f} ms {p50 / base[0]:9.2f}x")
    sys.stdout.write("\n".join(lines) + "\n")


def _percentiles(figures_ns: list[int]) -> tuple[float, float]:
    """p50 and p99 in milliseconds."""
    cuts = statistics.quantiles(figures_ns, n=100)
    return statistics.median(figures_ns) / 1e6, cuts[98] / 1e6


if __name__ == "__main__":
    sys.exit(main())
