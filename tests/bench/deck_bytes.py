"""Bytes a second from the cockpit to the terminal, beside the floor, plain Textual and other programs.

    python -m tests.bench.deck_bytes [--seconds 12] [--quick] [--json FILE]

Each program runs in a pseudo terminal that is read as fast as it writes and answers as a terminal with
synchronized output does. The floor is what its own screens would have cost (see `floor`). The calm deck is
the real one with nothing moving but clocks and ages; the practice deck flies the practice world, where every
poll brings other figures. The rest are tables and bars that move by a known measure. Goal: at most 1.1 times
the floor, and a calm deck at 150 bytes a second or less, at any size.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from tests.bench.floor import floor_of
from tests.bench.goals import Row, all_met, tell
from tests.e2e.conftest import COCKPIT

RATIO_GOAL: Final = 1.1
CALM_GOAL_BPS: Final = 150.0
SETTLE_S: Final = 4.0
LIMIT_S: Final = 60.0
FIRST_SCREEN: Final = 1500
"""Bytes: less is no screen yet."""
SIZES: Final = ((80, 24), (200, 50))
SCREENS: Final = [sys.executable, "-m", "tests.bench.moving_screens"]
CASES: Final = (
    ("calm deck", [*SCREENS, "deck"]),
    ("practice deck", [*COCKPIT, "demo", "--seed", "7", "--fault-after", "3600"]),
    ("10 cells/s", [*SCREENS, "cells"]),
    ("50 rows/s", [*SCREENS, "rows"]),
    ("bars and digits, 4 Hz", [*SCREENS, "spark"]),
)
PEERS: Final = (("htop", ["htop"]), ("btop", ["btop"]), ("glances", ["glances"]))
ASKED: Final = (b"\x1b[?2026$p", b"\x1b[?2026;2$y")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Bytes a second of one program, and of the floor for the very same screens."""

    bytes_per_s: float
    floor_per_s: float

    @property
    def ratio(self) -> float:
        return self.bytes_per_s / self.floor_per_s if self.floor_per_s else float("inf")

    def __str__(self) -> str:
        return f"{self.bytes_per_s:,.0f} ({self.ratio:.2f}x of {self.floor_per_s:,.0f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    what: str
    size: str
    ours: Flow
    plain: Flow

    @property
    def met(self) -> bool:
        calm = self.what == CASES[0][0]
        return self.ours.ratio <= RATIO_GOAL and (not calm or self.ours.bytes_per_s <= CALM_GOAL_BPS)


def measure(command: Sequence[str], size: tuple[int, int], seconds: float, **env: str) -> Flow:
    """Run a program, count for so many seconds once its first screen is there and has settled."""
    with (
        tempfile.TemporaryDirectory(prefix="deck-bytes-") as home,
        running(command, size, home, env) as master,
    ):
        recording, tail, shown, until_s = dict[float, bytes](), b"", 0, monotonic() + LIMIT_S
        since_s = until_s
        while (left_s := until_s - monotonic()) > 0:
            if not select.select([master], [], [], left_s)[0]:
                continue
            data = os.read(master, 65536)
            recording[monotonic()] = data
            shown += len(data)
            if ASKED[0] in tail + data:
                os.write(master, ASKED[1])
            tail = data[-len(ASKED[0]) + 1 :]
            if shown >= FIRST_SCREEN and since_s == until_s:
                since_s = monotonic() + SETTLE_S
                until_s = since_s + seconds
    counted = sum(len(data) for at_s, data in recording.items() if at_s >= since_s)
    floor = floor_of(recording, *size, since_s)
    return Flow(bytes_per_s=counted / seconds, floor_per_s=floor / seconds)


@contextmanager
def running(command: Sequence[str], size: tuple[int, int], home: str, env: dict[str, str]) -> Iterator[int]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    known = {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**known, "COLORTERM": "truecolor", **env},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    try:
        yield master
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(master)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; returns 0 when every goal is met, else 1."""
    options = _options(arguments)
    sizes = SIZES[:1] if options.quick else SIZES
    seconds = 4.0 if options.quick else options.seconds
    results = [
        Result(
            what=name,
            size=f"{size[0]}x{size[1]}",
            ours=measure(command, size, seconds),
            plain=measure(command, size, seconds, COCKPIT_DIFF="0"),
        )
        for size in sizes
        for name, command in CASES
    ]
    peers = {
        f"{name} {size[0]}x{size[1]}": measure(command, size, seconds)
        for size in sizes
        for name, command in PEERS
        if shutil.which(name)
    }
    sys.stdout.write("\n".join([*_table(results), *_peer_lines(peers)]) + "\n")
    rows = [_row(each) for each in results]
    tell(options.json, rows, peers={name: asdict(flow) for name, flow in peers.items()})
    return all_met(rows)


def _table(results: Sequence[Result]) -> list[str]:
    lines = [f"{'bytes/s':24}{'size':>8}  {'cells that changed':26}{'plain Textual':28}goal"]
    for each in results:
        goal = "met" if each.met else "MISSED"
        lines.append(f"{each.what:24}{each.size:>8}  {each.ours!s:26}{each.plain!s:28}{goal}")
    return lines


def _peer_lines(peers: dict[str, Flow]) -> list[str]:
    missing = [name for name, _ in PEERS if not shutil.which(name)]
    lines = [f"{name:32}  {flow}" for name, flow in peers.items()]
    return lines + ([f"not installed here: {', '.join(missing)}"] if missing else [])


def _row(each: Result) -> Row:
    calm = f", <= {CALM_GOAL_BPS:.0f} B/s" if each.what == CASES[0][0] else ""
    return Row(
        goal="P1",
        what=f"bytes/s, {each.what}, {each.size}",
        wanted=f"<= {RATIO_GOAL}x floor{calm}",
        figure=f"{each.ours.bytes_per_s:,.0f} B/s, {each.ours.ratio:.2f}x",
        beside=f"plain Textual {each.plain}",
        met=each.met,
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=12.0, help="how long each program is counted")
    parser.add_argument("--quick", action="store_true", help="one size, for some seconds")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
