"""From the command to the first full frame, and to the end of commands without a screen.

    python -m tests.bench.first_paint [--count 15] [--json FILE]

`cockpit fly` on the practice world, in a terminal of 80x24, until the deck shows its flags, backends, signals
and keys; beside it the smallest Textual app until its one line stands. Commands without a screen run to
their end beside a Python that only imports httpx: `check --offline`, and `status` while somebody flies. All
take turns, and all find their byte code, as an installed cockpit does. CPU is that of the process until the
frame: on a machine with other work it says more than the time.
Goals: fly at most 1.25 times the app; without a screen at most 1.5 times the import.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from time import perf_counter
from typing import Final

from cockpit.core.events import Kind
from cockpit.engine.clock import SystemClock
from cockpit.engine.follower import FRESH_S
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.paths import journal_path
from cockpit.engine.published import encode
from tests.bench.goals import Row, all_met, tell
from tests.bench.plain_app import READY
from tests.bench.ptys import Pty
from tests.e2e.conftest import ROOT, Stage, staged
from tests.face.pictures import calm

APP_GOAL: Final = 1.25
IMPORT_GOAL: Final = 1.5
DECK: Final = ("chat_realtime", "NEW Convex", "Failed syncs", "q Quit")
Sample = tuple[float, float]
"""Wall and CPU milliseconds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; returns 0 when the goals are met, else 1."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="paint-bench-") as place, staged(Path(place)) as stage:
        figures = measure(stage, Path(place), options.count)
    rows = list(rows_of(figures))
    sys.stdout.write(table(figures))
    tell(options.json, rows, milliseconds=figures)
    return all_met(rows)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=15, help="starts of each")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args(arguments)


def measure(stage: Stage, place: Path, count: int) -> dict[str, list[Sample]]:
    env = {**stage.env, "PYTHONPYCACHEPREFIX": str(place / "byte-code")}
    watched = {**env, "XDG_STATE_HOME": str(place / "watched")}
    python, plan = sys.executable, str(stage.plan_path)
    runs: dict[str, Callable[[], Sample]] = {
        "import textual.app": lambda: to_the_end([python, "-c", "import textual.app"], env),
        "smallest Textual app": lambda: to_the_frame([python, "-m", "tests.bench.plain_app"], env, READY),
        "cockpit fly": lambda: fly(stage, env),
        "import httpx": lambda: to_the_end([python, "-c", "import httpx"], env),
        "cockpit --version": lambda: to_the_end([python, "-m", "cockpit", "--version"], env),
        "cockpit check --offline": lambda: to_the_end(stage.command("check", "--offline"), env),
        "cockpit report": lambda: to_the_end([python, "-m", "cockpit", "report", plan], watched, code=0),
        "cockpit status": lambda: status(stage, watched),
    }
    publish(stage.plan_path, watched)
    figures: dict[str, list[Sample]] = {name: [] for name in runs}
    for number in range(count + 1):
        for name, run in runs.items():
            sample = run()
            if number:  # the first one writes the byte code
                figures[name].append(sample)
    return figures


def to_the_frame(command: Sequence[str], env: Mapping[str, str], *marks: str) -> Sample:
    with Pty(command, env=env, columns=80, rows=24) as terminal:
        seen_ns = terminal.expect(*marks)
        return (seen_ns - terminal.began_ns) / 1e6, terminal.cpu_s() * 1000


def fly(stage: Stage, env: Mapping[str, str]) -> Sample:
    """Each flight finds no journal, as the first of a night does."""
    shutil.rmtree(env["XDG_STATE_HOME"], ignore_errors=True)
    return to_the_frame(stage.command("fly"), env, *DECK)


def to_the_end(command: Sequence[str], env: Mapping[str, str], *, code: int = 0) -> Sample:
    before, began_s = getrusage(RUSAGE_CHILDREN), perf_counter()
    ended = subprocess.run(command, env=dict(env), cwd=ROOT, stdout=subprocess.DEVNULL)
    wall_s, after = perf_counter() - began_s, getrusage(RUSAGE_CHILDREN)
    assert ended.returncode == code, command
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall_s * 1000, cpu_s * 1000


def status(stage: Stage, env: Mapping[str, str]) -> Sample:
    publish(stage.plan_path, env)
    return to_the_end(stage.command("status"), env)


def publish(plan: Path, env: Mapping[str, str]) -> None:
    """A fresh picture, by a clock a little ahead of ours, and one event: for status and report."""
    now = SystemClock().now() + timedelta(seconds=0.9 * FRESH_S)
    with closing(SqliteJournal(journal_path(plan, env))) as journal:
        if not journal.last_seq():
            journal.append(Kind.NOTE_ADDED, {"text": "all is well"}, actor="bench", at=now, expected_seq=0)
        journal.publish(encode(replace(calm(), engine_at=now)), now)


def rows_of(figures: Mapping[str, Sequence[Sample]]) -> Sequence[Row]:
    return [
        _row("cockpit fly", "smallest Textual app", APP_GOAL, figures, "to the first full frame of the deck"),
        _row("cockpit check --offline", "import httpx", IMPORT_GOAL, figures, "to its end"),
        _row("cockpit status", "import httpx", IMPORT_GOAL, figures, "to its end, beside a flying cockpit"),
    ]


def _row(name: str, beside: str, goal: float, figures: Mapping[str, Sequence[Sample]], what: str) -> Row:
    ours, base = middle(figures[name]), middle(figures[beside])
    ratio, of_cpu = ours[0] / base[0], ours[1] / base[1]
    return Row(
        goal="P4",
        what=f"`{name}` {what}",
        wanted=f"<= {goal}x",
        figure=f"{ratio:.2f}x ({ours[0]:.0f} ms; CPU {of_cpu:.2f}x)",
        beside=f"{beside}: {base[0]:.0f} ms",
        met=ratio <= goal,
    )


def middle(samples: Sequence[Sample]) -> Sample:
    return statistics.median(each[0] for each in samples), statistics.median(each[1] for each in samples)


def table(figures: Mapping[str, Sequence[Sample]]) -> str:
    lines = [f"{'median ms':26} {'wall':>7} {'CPU':>7}   best wall"]
    for name, samples in figures.items():
        wall, cpu = middle(samples)
        lines.append(f"{name:26} {wall:7.0f} {cpu:7.0f} {min(each[0] for each in samples):11.0f}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
