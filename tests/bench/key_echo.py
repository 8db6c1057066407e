"""From a key to its echo on a fast terminal, with every poller running.

    python -m tests.bench.key_echo [--keys 200] [--polls 200] [--json FILE]

On the deck that flies the practice world (in a process of its own) a key moves the mark from flag to flag;
the echo is the read in which the mark stands elsewhere. Once as the sample plan polls, once with extra probes
up to `--polls` requests a second. Beside it the smallest Textual app and a bare loop on the terminal, which
count keys. All take turns, a key at a time, at uneven distances. Goal: p50 at most 4 ms, p99 at most 20.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count, cycle
from pathlib import Path
from threading import Event as Pause
from typing import Final

from tests.bench import echo_app, plain_app
from tests.bench.goals import Row, all_met, percentiles, tell
from tests.bench.key_to_wire import environment
from tests.bench.lever_wire import busier, rig
from tests.bench.ptys import Pty
from tests.e2e.conftest import COCKPIT, ROOT, rehomed

P50_GOAL_MS: Final = 4.0
P99_GOAL_MS: Final = 20.0
MARK: Final = "▌"
SEEN_LIMIT_S: Final = 5.0
WARM_UP: Final = 5

Press = Callable[[], float]
"""One key: milliseconds until its echo."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; returns 0 when the goals are met, else 1."""
    options = _options(arguments)
    with running(options.polls) as presses:
        figures = measure(presses, options.keys)
    sys.stdout.write(table(figures))
    rows = rows_of(figures, options.polls)
    tell(options.json, rows, milliseconds=figures)
    return all_met(rows)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keys", type=int, default=200, help="keys for each program")
    parser.add_argument("--polls", type=int, default=200, help="requests a second of extra probes")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args(arguments)


@contextmanager
def running(polls: int) -> Iterator[Mapping[str, Press]]:
    """Every program at once; whoever is not asked has only its own polls to do."""
    sample = ROOT / "sample_configs" / "chat-sync.toml"
    with ExitStack() as stack:
        world = stack.enter_context(rig(sample))
        world.reset()
        text = rehomed(sample.read_text(), world.urls)
        deck = stack.enter_context(flown(text))
        busy = stack.enter_context(flown(busier(text, world.urls, polls // 2)))
        plain = stack.enter_context(counting("tests.bench.plain_app", plain_app.READY))
        bare = stack.enter_context(counting("tests.bench.echo_app", echo_app.READY))
        yield {
            "deck": moves(deck),
            "busy deck": moves(busy),
            "smallest Textual app": counts(plain),
            "bare loop": counts(bare),
        }


@contextmanager
def flown(plan_text: str) -> Iterator[Pty]:
    with tempfile.TemporaryDirectory(prefix="key-echo-") as place:
        plan = Path(place) / "night.toml"
        plan.write_text(plan_text)
        with Pty([*COCKPIT, "fly", str(plan)], env=environment(Path(place), plain=False)) as terminal:
            terminal.expect("chat_realtime", "data live")
            yield terminal


@contextmanager
def counting(module: str, ready: str) -> Iterator[Pty]:
    with tempfile.TemporaryDirectory(prefix="key-echo-") as place:
        command = [sys.executable, "-m", module]
        with Pty(command, env=environment(Path(place), plain=False)) as terminal:
            terminal.expect(ready)
            yield terminal


def moves(terminal: Pty) -> Press:
    """A key that moves the mark: down over the flags and up again."""
    keys = cycle("jjkk")

    def press() -> float:
        before = marked(terminal.text)
        terminal.expecting(lambda screen: marked(screen) not in (before, ()))
        return echo_ms(terminal, next(keys))

    return press


def marked(screen: str) -> tuple[int, ...]:
    """The lines on which the mark stands."""
    return tuple(number for number, line in enumerate(screen.splitlines()) if line.startswith(MARK))


def counts(terminal: Pty) -> Press:
    numbers = count(1)

    def press() -> float:
        echo = f"key {next(numbers):06d}"
        terminal.expecting(lambda screen: echo in screen)
        return echo_ms(terminal, "x")

    return press


def echo_ms(terminal: Pty, key: str) -> float:
    pressed_ns = terminal.press(key)
    return (terminal.seen_ns(f"the echo of {key}", SEEN_LIMIT_S) - pressed_ns) / 1e6


def measure(presses: Mapping[str, Press], keys: int) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {name: [] for name in presses}
    pause, rng = Pause(), random.Random(5)
    for number in range(WARM_UP + keys):
        for name, press in presses.items():
            pause.wait(rng.uniform(0.02, 0.12))
            taken_ms = press()
            if number >= WARM_UP:
                figures[name].append(taken_ms)
    return figures


def rows_of(figures: Mapping[str, Sequence[float]], polls: int) -> list[Row]:
    at = {name: percentiles(each) for name, each in figures.items()}
    beside = ", ".join(
        f"{name} {at[name][0]:.1f} / {at[name][2]:.1f} ms" for name in ("smallest Textual app", "bare loop")
    )
    return [
        Row(
            goal="P3",
            what=f"key to its echo on the deck, {what}",
            wanted=f"p50 <= {P50_GOAL_MS:g} ms, p99 <= {P99_GOAL_MS:g} ms",
            figure=f"{at[name][0]:.1f} / {at[name][2]:.1f} ms",
            beside=beside,
            met=at[name][0] <= P50_GOAL_MS and at[name][2] <= P99_GOAL_MS,
        )
        for name, what in (("deck", "sample plan"), ("busy deck", f"+{polls} polls/s"))
    ]


def table(figures: Mapping[str, Sequence[float]]) -> str:
    lines = [f"{'ms':24} {'p50':>8} {'p90':>8} {'p99':>8} {'worst':>8}"]
    for name, each in figures.items():
        cells = " ".join(f"{value:8.1f}" for value in (*percentiles(each), max(each)))
        lines.append(f"{name:24} {cells}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
