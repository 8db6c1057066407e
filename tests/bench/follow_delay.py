"""How far an observer is behind the driver, and what one costs.

    python -m tests.bench.follow_delay [--count 400] [--news 300] [--cost-s 10] [--json FILE]

    published     from before the driver encodes and publishes a picture to the observer having it decoded
    bare watch    from the same instant until a loop of `stat` and a wait of the same length sees a new
                  modification time: the least that any watcher of a file by looking can do
    news          from a command on a flying engine (journalled, synced, drawn, throttled, published) to the
                  observer having a picture that shows it

The driver is another process; both read the kernel's one monotonic clock. Goal: p50 at most 100 ms and p99 at
most 400 ms for both.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic_ns, process_time
from typing import Final

from cockpit.core.snapshot import Snapshot
from cockpit.engine.clock import SystemClock
from cockpit.engine.engine import Engine
from cockpit.engine.follower import LOOK_S, Follower
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.published import encode
from tests.bench.goals import Row, all_met, percentiles, tell
from tests.engine.conftest import World, note
from tests.face import pictures

GOAL_MS: Final = (100.0, 400.0)
WAIT_S: Final = 10.0
Instants = dict[int, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; returns 0 when the goal is met, else 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=400, help="publications")
    parser.add_argument("--news", type=int, default=300, help="commands on a flying engine")
    parser.add_argument("--cost-s", type=float, default=10.0, help="seconds to measure the cost over")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="follow-bench-") as place:
        published, bare = measure_published(Path(place) / "state" / "a.journal", options.count)
        news = measure_news(Path(place) / "state" / "b.journal", options.news)
        cost_pct = measure_cost(Path(place) / "state" / "c.journal", options.cost_s)
    figures = {"bare watch": bare, "published": published, "news": news}
    report(figures, cost_pct)
    rows = rows_of(figures)
    tell(options.json, rows, milliseconds=figures, observer_cpu_pct=cost_pct)
    return all_met(rows)


def rows_of(figures_ms: Mapping[str, Sequence[float]]) -> list[Row]:
    at = {name: percentiles(figures) for name, figures in figures_ms.items()}
    return [
        Row(
            goal="P10",
            what=what,
            wanted=f"p50 <= {GOAL_MS[0]:.0f} ms, p99 <= {GOAL_MS[1]:.0f} ms",
            figure=f"{at[name][0]:.0f} / {at[name][2]:.0f} ms",
            beside=f"bare watch of the file: {at['bare watch'][0]:.0f} / {at['bare watch'][2]:.0f} ms",
            met=at[name][0] <= GOAL_MS[0] and at[name][2] <= GOAL_MS[1],
        )
        for name, what in (
            ("published", "a picture, from before it is published to the observer having it"),
            ("news", "news, from the command to an observer's picture that shows it"),
        )
    ]


def report(figures_ms: Mapping[str, Sequence[float]], cost_pct: float) -> None:
    lines = [f"{'':12} {'n':>5} {'p50':>9} {'p99':>9} {'worst':>9}"]
    for name, figures in figures_ms.items():
        p50, _, p99 = percentiles(figures)
        lines.append(f"{name:12} {len(figures):5} {p50:6.1f} ms {p99:6.1f} ms {max(figures):6.1f} ms")
    lines.append(f"an observer that looks every {LOOK_S * 1000:.0f} ms costs {cost_pct:.2f} % of one CPU")
    sys.stdout.write("\n".join(lines) + "\n")


# --- the driver's side: a process of its own ------------------------------------------------------------


def publisher(path: Path, count: int, spacing_s: tuple[float, float], pipe: Connection) -> None:
    """Publish realistic pictures at uneven distances once told to; tells when each one began."""
    rng, pause, clock = random.Random(3), threading.Event(), SystemClock()
    picture = pictures.calm()
    with closing(SqliteJournal(path)) as journal:
        pipe.send(None)
        pipe.recv()
        began: Instants = {}
        for seq in range(1, count + 1):
            began[seq] = monotonic_ns()
            journal.publish(encode(replace(picture, seq=seq, engine_at=clock.now())), clock.now())
            pause.wait(rng.uniform(*spacing_s))
        pipe.send(began)


def flyer(path: Path, count: int, pipe: Connection) -> None:
    """A real engine on scripted services; notes are submitted at uneven distances."""
    rng, pause = random.Random(4), threading.Event()
    world = World()
    with closing(SqliteJournal(path)) as journal:
        engine = Engine(replace(world.flying(journal=journal), clock=SystemClock()))
        engine.start()
        pipe.send(None)
        pipe.recv()
        began: Instants = {}
        for number in range(1, count + 1):
            began[number] = monotonic_ns()
            engine.submit(note(f"news {number}."))
            pause.wait(rng.uniform(0.1, 0.4))
        pipe.send(began)
        engine.stop()
        engine.join()


# --- the observer's side: this process -------------------------------------------------------------------


def following(
    path: Path, driver: Callable[..., None], arguments: Sequence[object], seen: Callable[[Snapshot], None]
) -> Instants:
    """Start the driver, follow it to its end; when it began each thing."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=driver, args=(path, *arguments, there))
    process.start()
    here.recv()
    follower = Follower(lambda: SqliteJournal(path, read_only=True), SystemClock())

    def look() -> None:
        if follower.newest is not None:
            seen(follower.newest)

    follower.subscribe(look)
    follower.start()
    here.send(None)
    began: Instants = here.recv()
    process.join()
    follower.stop()
    follower.join()
    return began


def measure_published(path: Path, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds until the observer has each picture decoded, and until a bare loop sees the file."""
    had: Instants = {}
    bare: list[int] = []
    over = threading.Event()

    def seen(snapshot: Snapshot) -> None:
        had.setdefault(snapshot.seq, monotonic_ns())

    watcher = threading.Thread(target=watch_bare, args=(path.with_name(f"{path.name}.published"), over, bare))
    watcher.start()
    began = following(path, publisher, (count, (0.06, 0.14)), seen)
    over.set()
    watcher.join()
    return delays_ms(began, had), bare_delays_ms(began, bare)


def watch_bare(file: Path, over: threading.Event, seen: list[int]) -> None:
    known = 0
    while not over.wait(LOOK_S):
        modified = file.stat().st_mtime_ns if file.exists() else 0
        if modified != known:
            known = modified
            seen.append(monotonic_ns())


def measure_news(path: Path, count: int) -> list[float]:
    had: Instants = {}

    def seen(snapshot: Snapshot) -> None:
        now_ns = monotonic_ns()
        for line in snapshot.tail:
            _, told, rest = line.text.partition("news ")
            if told:
                had.setdefault(int(rest.partition(".")[0]), now_ns)

    return delays_ms(following(path, flyer, (count,), seen), had)


def measure_cost(path: Path, seconds: float) -> float:
    """Percent of one CPU of an observer whose driver publishes twice a second."""
    began_s = process_time()
    following(path, publisher, (int(seconds * 2), (0.5, 0.5)), lambda snapshot: None)
    return 100 * (process_time() - began_s) / seconds


def delays_ms(began: Instants, had: Instants) -> list[float]:
    missed = len(began.keys() - had.keys())
    if missed > 1:
        sys.stdout.write(f"{missed} of {len(began)} were overtaken by the next one\n")
    return [(had[key] - began[key]) / 1e6 for key in began.keys() & had.keys()]


def bare_delays_ms(began: Instants, seen: Sequence[int]) -> list[float]:
    """Each sighting belongs to the last publication begun before it."""
    starts = sorted(began.values())
    return [
        (at - max(start for start in starts if start <= at)) / 1e6
        for at in seen
        if starts and at >= starts[0]
    ]


if __name__ == "__main__":
    sys.exit(main())
