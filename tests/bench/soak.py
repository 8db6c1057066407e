"""Memory, open files, threads and tasks of a deck that flies for a long time with every panel changing.

    python -m tests.bench.soak [--minutes 30] [--json FILE]

`cockpit fly` on the practice world in a terminal of 120x40, which is read at once. Every few seconds the
world gets or loses a fault, somebody else moves a flag, or a key opens a screen. The smallest Textual app
runs beside it for as long, with a key as often. Goals: memory at most 1.8 times the app's, a slope of at most
10 KiB a minute after the first third, and no more files, threads and tasks at the end than in the middle.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from time import monotonic
from typing import Final

import psutil

from tests.bench.first_paint import DECK
from tests.bench.goals import Row, all_met, tell
from tests.bench.plain_app import READY
from tests.bench.ptys import Pty
from tests.e2e.conftest import Stage, staged

MEMORY_GOAL: Final = 1.8
SLOPE_GOAL: Final = 10.0
SAMPLE_S: Final = 2.0
ACT_S: Final = 5.0
ESCAPE: Final = "\x1b"
MORE_FILES: Final = 2
"""A connection may be open or not at the moment of looking."""

Act = Callable[[], object]


@dataclass(slots=True)
class Course:
    """What one process held, sample by sample. at_s: since it was ready."""

    at_s: list[float] = field(default_factory=list)
    rss_kib: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    cpu_pct: float = 0.0

    def look(self, terminal: Pty, counted: Path, at_s: float) -> None:
        process = psutil.Process(terminal.process.pid)
        self.at_s.append(at_s)
        self.rss_kib.append(process.memory_info().rss / 1024)
        self.files.append(process.num_fds())
        self.threads.append(process.num_threads())
        if counted.exists() and (lines := counted.read_text().split()):
            self.tasks.append(int(lines[-1]))

    def settled_mib(self) -> float:
        """The median of the last tenth."""
        return statistics.median(self.rss_kib[-max(1, len(self.rss_kib) // 10) :]) / 1024

    def slope(self) -> tuple[float, float]:
        """KiB per minute after the first third, by least squares, and its standard error."""
        skipped = len(self.at_s) // 3
        minutes, kib = [each / 60 for each in self.at_s[skipped:]], self.rss_kib[skipped:]
        if len(minutes) < 3:
            return 0.0, float("inf")
        line = statistics.linear_regression(minutes, kib)
        mean = statistics.fmean(minutes)
        spread = sum((each - mean) ** 2 for each in minutes)
        left = sum((y - line.intercept - line.slope * x) ** 2 for x, y in zip(minutes, kib, strict=True))
        return line.slope, (left / (len(kib) - 2) / spread) ** 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; returns 0 when the goals are met, else 1."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="soak-bench-") as place, staged(Path(place)) as stage:
        deck, plain = soak(stage, Path(place), options.minutes)
    rows = rows_of(deck, plain, options.minutes)
    sys.stdout.write(json.dumps(summary(deck, plain), indent=2) + "\n")
    tell(options.json, rows, deck=asdict(deck), plain=asdict(plain))
    return all_met(rows)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args(arguments)


def soak(stage: Stage, place: Path, minutes: float) -> tuple[Course, Course]:
    counts = place / "deck-tasks", place / "plain-tasks"
    python = [sys.executable, "-m", "tests.bench.soaked"]
    with ExitStack() as stack:
        command = [*python, str(counts[0]), "cockpit", "fly", str(stage.plan_path)]
        deck = stack.enter_context(Pty(command, env=stage.env))
        plain = stack.enter_context(Pty([*python, str(counts[1]), "plain"], env=stage.env))
        deck.expect(*DECK)
        plain.expect(READY)
        return watch((deck, plain), counts, acts(stage, deck, plain), minutes * 60)


def watch(
    terminals: tuple[Pty, Pty], counts: tuple[Path, Path], doing: Iterator[Act], seconds: float
) -> tuple[Course, Course]:
    courses, pause = (Course(), Course()), threading.Event()
    began_s, cpu_s = monotonic(), [terminal.cpu_s() for terminal in terminals]
    acted_s = 0.0
    while (at_s := monotonic() - began_s) < seconds:
        if at_s - acted_s >= ACT_S:
            acted_s = at_s
            next(doing)()
        for course, terminal, counted in zip(courses, terminals, counts, strict=True):
            course.look(terminal, counted, at_s)
        pause.wait(SAMPLE_S)
    for course, terminal, before_s in zip(courses, terminals, cpu_s, strict=True):
        course.cpu_pct = 100 * (terminal.cpu_s() - before_s) / (monotonic() - began_s)
    return courses


def acts(stage: Stage, deck: Pty, plain: Pty) -> Iterator[Act]:
    """One after the other, for ever: each panel has something to show, and each screen is opened."""
    world = stage.practice.world

    def press(key: str) -> Act:
        return lambda: (deck.press(key), plain.press("x"))

    def moved(percent: float) -> Act:
        return lambda: world.set_exposure("chat_reads", percent, who="alex")

    return cycle(
        (
            press("?"),
            press(ESCAPE),
            lambda: stage.inject("error_burst", rate=0.05),
            press("3"),
            press("\r"),
            press(ESCAPE),
            stage.clear,
            moved(40.0),
            press("1"),
            press("\r"),
            press(ESCAPE),
            moved(25.0),
            lambda: stage.inject("metrics_down"),
            press(":"),
            press(ESCAPE),
            stage.clear,
            lambda: stage.inject("flag_service_down"),
            press("R"),
            press(ESCAPE),
            stage.clear,
            lambda: stage.inject("slow"),
            press("6"),
            press("\r"),
            press(ESCAPE),
            stage.clear,
            press("t"),
        )
    )


def rows_of(deck: Course, plain: Course, minutes: float) -> list[Row]:
    ratio = deck.settled_mib() / plain.settled_mib()
    slope, error = deck.slope()
    held = {name: flat(getattr(deck, name)) for name in ("files", "threads", "tasks")}
    return [
        Row(
            goal="P8",
            what=f"memory after {minutes:g} min",
            wanted=f"<= {MEMORY_GOAL}x",
            figure=f"{ratio:.2f}x ({deck.settled_mib():.1f} MiB)",
            beside=f"smallest Textual app: {plain.settled_mib():.1f} MiB",
            met=ratio <= MEMORY_GOAL,
        ),
        Row(
            goal="P8",
            what="slope of memory after the first third",
            wanted=f"<= {SLOPE_GOAL:g} KiB/min",
            figure=f"{slope:.1f} +- {error:.1f} KiB/min",
            beside="smallest Textual app: {:.1f} +- {:.1f} KiB/min".format(*plain.slope()),
            met=slope <= SLOPE_GOAL,
        ),
        Row(
            goal="P8",
            what="open files, threads, tasks: second quarter -> last quarter, most of each",
            wanted="flat",
            figure=", ".join(f"{name} {before} -> {after}" for name, (before, after) in held.items()),
            met=all(after <= before + MORE_FILES for before, after in held.values()),
        ),
    ]


def flat(counts: Sequence[int]) -> tuple[int, int]:
    """The most of the second quarter and of the last one."""
    quarter = max(1, len(counts) // 4)
    return max(counts[quarter : 2 * quarter] or counts or [0]), max(counts[-quarter:] or [0])


def summary(deck: Course, plain: Course) -> dict[str, object]:
    return {
        name: {
            "mib": round(course.settled_mib(), 1),
            "slope_kib_per_min": [round(each, 1) for each in course.slope()],
            "files": flat(course.files),
            "threads": flat(course.threads),
            "tasks": flat(course.tasks),
            "cpu_pct": round(course.cpu_pct, 1),
            "samples": len(course.at_s),
        }
        for name, course in (("deck", deck), ("plain", plain))
    }


if __name__ == "__main__":
    sys.exit(main())
