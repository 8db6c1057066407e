"""From the second `R` to the first flag write on the wire, on fast, slow and hung terminals.

    python -m tests.bench.key_to_wire [--count 20] [--polls 200] [--stall-s 60] [--limit-s 780] [--only WAY]

The real `cockpit fly` against a practice world in a process of its own, with every poller running and extra
probes up to `--polls` requests a second. A recorder in front of the flag service notes when the first byte of
`POST .../off` arrives. Each try is a fresh cockpit on a fresh journal, so each pays for the first write that
its process ever makes. The clock starts when the key reaches the machine that the cockpit runs on. The ways
take turns, so that all of them see the same machine; no try begins after --limit-s, and the whole ends within
fifteen minutes.

    fast            a terminal that is read at once
    slow            a terminal that is read at 2 kB/s
    stalled         a terminal that is not read at all any more, for --stall-s before the first `R`
    ssh             OpenSSH on loopback through a relay: 2 kB/s to the client and 400 ms for the round trip
    slow/stalled plain   the same without the writer that sends only cells that changed (COCKPIT_DIFF=0)

Beside it a bare httpx POST to the same recorder on a new connection, and the flush to the disk that has to
come first: of `declared` and the first writes' intents, one transaction. Goal on every link:
p50 at most 2 ms, p99 at most 50.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from threading import Event as Pause
from time import monotonic, monotonic_ns, time_ns
from typing import Final

import httpx
import psutil
import pytest

from cockpit.core.events import Event, Kind
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.paths import journal_path
from tests.bench.goals import Row, all_met, percentiles, tell
from tests.bench.lever_wire import ANSWER_LIMIT_S, Rig, busier, rig
from tests.bench.ptys import Pty
from tests.bench.slow_link import Link, Relay, relay
from tests.e2e.conftest import COCKPIT, ROOT, rehomed
from tests.e2e.ssh_server import ssh_server
from tests.e2e.terminal import wait_until

P50_GOAL_MS: Final = 2.0
P99_GOAL_MS: Final = 50.0
SLOW_BYTES_PER_S: Final = 2000
ROUND_TRIP_S: Final = 0.4
ARMED_S: Final = 2.0
"""Longer than the sheet takes to say "press": waited for where that cannot be seen, on a hung terminal, or
not in time, on a slow one with plain Textual."""

FIRST_LIGHT_S: Final = 90.0
SETTLED_LIMIT_S: Final = 60.0
PLAIN: Final = {"COCKPIT_DIFF": "0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a try is made. every: 2 is in each second round. plain: without the cell-diff writer."""

    name: str
    bytes_per_s: int | None = None
    stalls: bool = False
    ssh: bool = False
    plain: bool = False
    every: int = 1


WAYS: Final = (
    Way(name="fast"),
    Way(name="slow", bytes_per_s=SLOW_BYTES_PER_S, every=2),
    Way(name="stalled", stalls=True, every=5),
    Way(name="ssh", ssh=True, every=2),
    Way(name="slow plain", bytes_per_s=SLOW_BYTES_PER_S, plain=True, every=20),
    Way(name="stalled plain", stalls=True, plain=True, every=20),
)


@dataclass(slots=True)
class Figures:
    """Milliseconds, one per try.

    The parts are told by the instant of `declared`, which is taken before the append: the wait for the disk
    counts to what follows. never: tries in which no write left within the limit. unsettled: those in which
    the flags were not all read back at zero within theirs. broken: those that never came as far as the key.
    left_out: those for which there was no time.
    """

    whole: list[float] = field(default_factory=list)
    key_to_declared: list[float] = field(default_factory=list)
    declared_to_wire: list[float] = field(default_factory=list)
    never: int = 0
    unsettled: int = 0
    broken: int = 0
    left_out: int = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; returns 0 when the goals are met, else 1."""
    options = _options(arguments)
    sample = ROOT / "sample_configs" / "chat-sync.toml"
    figures: dict[str, Figures] = {}
    bare: list[float] = []
    began_s = monotonic()
    ends_s = began_s + options.limit_s
    with rig(sample) as world:
        text = busier(rehomed(sample.read_text(), world.urls), world.urls, options.polls // 2)
        for way in in_turns(
            [way for way in WAYS if not options.only or way.name in options.only], options.count
        ):
            each = figures.setdefault(way.name, Figures())
            if monotonic() >= ends_s:
                each.left_out += 1
                continue
            try:
                try_once(world, text, way, options.stall_s, each)
            except (AssertionError, pytest.skip.Exception) as error:
                each.broken += 1
                sys.stdout.write(f"{way.name}: {str(error).partition(chr(10))[0]}\n")
            bare.append(bare_post(world))
    syncs = flushes(max(20, options.count))
    sys.stdout.write(table(figures, bare, syncs))
    sys.stdout.write(f"took {monotonic() - began_s:.0f} s\n")
    rows = [row_of(way, figures[way.name], bare, syncs) for way in WAYS if way.name in figures]
    tell(options.json, rows, tries={name: _parts(each) for name, each in figures.items()}, bare=bare)
    return all_met(rows)


def in_turns(ways: Sequence[Way], rounds: int) -> Iterator[Way]:
    return (way for number in range(rounds) for way in ways if number % way.every == 0)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20, help="tries on the fast terminal; fewer elsewhere")
    parser.add_argument("--limit-s", type=float, default=780.0, help="no try begins after so many seconds")
    parser.add_argument("--polls", type=int, default=200, help="requests a second of extra probes")
    parser.add_argument("--stall-s", type=float, default=60.0, help="how long a hung terminal hung before")
    parser.add_argument("--only", nargs="+", choices=[way.name for way in WAYS], help="the ways to try")
    parser.add_argument("--quick", action="store_true", help="one or two tries, short stalls")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args(arguments)
    if options.quick:
        options.count, options.stall_s = 2, 5.0
    return options


# --- one try ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keyboard:
    """A terminal, and how to press a key on it: the answer is when the key reached the cockpit's machine."""

    terminal: Pty
    press: Callable[[str], int]
    stall: Callable[[], None]


def try_once(world: Rig, plan_text: str, way: Way, stall_s: float, figures: Figures) -> None:
    """One cockpit from take-off to the first write of its rollback."""
    world.reset()
    with tempfile.TemporaryDirectory(prefix="key-to-wire-") as place:
        plan_path = Path(place) / "night.toml"
        plan_path.write_text(plan_text)
        env = environment(Path(place), plain=way.plain)
        try:
            with seated([*COCKPIT, "fly", str(plan_path)], env, way) as keys:
                keys.terminal.expect("chat_realtime", "data live", limit_s=FIRST_LIGHT_S)
                Pause().wait(2.0 + random.random())
                if way.stalls:
                    keys.stall()
                    Pause().wait(stall_s)
                keys.press("R")
                if way.stalls or way.plain:
                    Pause().wait(ARMED_S)
                else:
                    keys.terminal.expect("press R to roll back", limit_s=FIRST_LIGHT_S)
                    Pause().wait(random.random() / 2)
                pressed_ns, pressed_at_ns = keys.press("R"), time_ns()
                pressed_at_ns -= monotonic_ns() - pressed_ns
                measure(world, journal_path(plan_path, env), pressed_ns, pressed_at_ns, figures)
        finally:
            end_all_of(plan_path)


def end_all_of(plan_path: Path) -> None:
    """A cockpit whose ssh was cut goes on with its rollback, as it should, and would switch off the flags of
    the next try."""
    for process in psutil.process_iter(["cmdline"]):
        if str(plan_path) in (process.info["cmdline"] or ()):
            with suppress(psutil.NoSuchProcess):
                process.kill()
            psutil.wait_procs([process], timeout=FIRST_LIGHT_S)


def environment(place: Path, *, plain: bool) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "XDG_STATE_HOME": str(place / "state"),
        "UNLEASH_READ_TOKEN": "practice-as-reader",
        "UNLEASH_WRITE_TOKEN": "practice-as-driver",
        "COCKPIT_OPERATOR": "bench",
        **(PLAIN if plain else {}),
    }


@contextmanager
def seated(command: Sequence[str], env: Mapping[str, str], way: Way) -> Iterator[Keyboard]:
    if not way.ssh:
        with Pty(command, env=env, bytes_per_s=way.bytes_per_s) as terminal:
            yield Keyboard(terminal, terminal.press, terminal.stall)
        return
    link = Link(bytes_per_s=SLOW_BYTES_PER_S, round_trip_s=ROUND_TRIP_S)
    with ssh_server() as server, relay(link, server.port) as between:
        far = replace(server, port=between.port).far(command, env)
        with Pty(far, env=env) as terminal:
            yield Keyboard(terminal, lambda keys: pressed_far(terminal, between, keys), between.stall)


def pressed_far(terminal: Pty, between: Relay, keys: str) -> int:
    between.forget()
    terminal.press(keys)
    return between.handed_over_ns()


def measure(world: Rig, journal: Path, pressed_ns: int, pressed_at_ns: int, figures: Figures) -> None:
    try:
        arrived_ns = world.switched_off_ns()
    except AssertionError:
        figures.never += 1
        return
    if arrived_ns < pressed_ns:  # of the cockpit before, whose plain terminal held it up beyond its own try
        figures.never += 1
        return
    figures.whole.append((arrived_ns - pressed_ns) / 1e6)
    try:
        wait_until(lambda: _flipped(journal), "every flag re-read at 0%", SETTLED_LIMIT_S)
    except AssertionError:
        figures.unsettled += 1
    declared_ns = _unix_ns(_events(journal, Kind.ROLLBACK_DECLARED)[0].at)
    figures.key_to_declared.append((declared_ns - pressed_at_ns) / 1e6)
    figures.declared_to_wire.append((arrived_ns - pressed_ns + pressed_at_ns - declared_ns) / 1e6)


def _flipped(journal: Path) -> bool:
    return any(event.body["step"] == "flip" for event in _events(journal, Kind.STEP_DONE))


def _events(journal: Path, kind: Kind) -> list[Event]:
    with closing(SqliteJournal(journal, read_only=True)) as book:
        return [event for event in book.read() if event.kind is kind]


def _unix_ns(at: datetime) -> int:
    return round(at.timestamp() * 1e6) * 1000


# --- what it is measured beside ----------------------------------------------------------------------------


def bare_post(world: Rig) -> float:
    """Milliseconds from calling httpx to the first byte of the same request, on a new connection."""
    world.reset()
    feature = f"{world.urls['unleash']}/api/admin/projects/default/features/nothing"
    with httpx.Client(trust_env=False) as client:
        began_ns = monotonic_ns()
        client.post(f"{feature}/environments/production/off", headers={"Authorization": "practice-as-driver"})
    return (world.switched_off_ns() - began_ns) / 1e6


def flushes(count: int) -> list[float]:
    """Milliseconds of a write of a page, flushed, into space that the file has already."""
    with tempfile.TemporaryFile() as file:
        descriptor = file.fileno()
        os.write(descriptor, bytes(4096))
        os.fsync(descriptor)
        figures = []
        for _ in range(count):
            began_ns = monotonic_ns()
            os.pwrite(descriptor, bytes(4096), 0)
            os.fdatasync(descriptor)
            figures.append((monotonic_ns() - began_ns) / 1e6)
    return figures


# --- telling -----------------------------------------------------------------------------------------------


def row_of(way: Way, figures: Figures, bare: Sequence[float], syncs: Sequence[float]) -> Row:
    tries = len(figures.whole) + figures.never
    met: bool | None
    limit_s = f"{ANSWER_LIMIT_S:g} s"
    if not tries:
        figure, met = f"not measured: {figures.broken} tries came to nothing", None
    elif not figures.whole:
        figure, met = f"never within {limit_s} ({tries} tries)", False
    else:
        p50, _, p99 = percentiles(figures.whole)
        lost = f", {figures.never} never within {limit_s}" if figures.never else ""
        figure = f"{p50:.1f} / {p99:.1f} ms ({tries} tries{lost})"
        met = p50 <= P50_GOAL_MS and p99 <= P99_GOAL_MS and not figures.never
    return Row(
        goal="P2",
        what=f"second `R` to the first write on the wire, {way.name}",
        wanted="" if way.plain else f"p50 <= {P50_GOAL_MS:g} ms, p99 <= {P99_GOAL_MS:g} ms",
        figure=figure,
        beside=f"bare httpx POST {percentiles(bare)[0]:.1f} ms; a flush {percentiles(syncs)[0]:.1f} ms",
        met=None if way.plain else met,
    )


def _parts(figures: Figures) -> dict[str, list[float]]:
    return {
        "R to wire": figures.whole,
        "R to declared": figures.key_to_declared,
        "declared to first byte": figures.declared_to_wire,
    }


def table(figures: Mapping[str, Figures], bare: Sequence[float], syncs: Sequence[float]) -> str:
    lines = [f"{'ms':36} {'p50':>8} {'p90':>8} {'p99':>8}"]
    for name, each in figures.items():
        parts = _parts(each) if each.whole else {}
        lines += [_line(f"{name}: {part}", values) for part, values in parts.items()]
        lines += [f"{name}: {each.never} tries without a write"] if each.never else []
        lines += [f"{name}: {each.unsettled} tries not read back in time"] if each.unsettled else []
        lines += [f"{name}: {each.left_out} tries left out, time was up"] if each.left_out else []
    lines += [_line("bare httpx POST", bare), _line("a flush to this disk", syncs)]
    return "\n".join(lines) + "\n"


def _line(name: str, values: Sequence[float]) -> str:
    return f"{name:36} " + " ".join(f"{each:8.1f}" for each in percentiles(values))


if __name__ == "__main__":
    sys.exit(main())
