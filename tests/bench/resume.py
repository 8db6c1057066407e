"""How long a cockpit needs to know where a long flight stands, with and without a resume point.

    python -m tests.bench.resume [--directory DIR] [--events 100000] [--json FILE]

A rollback is open at the end of the journal; the right state is the one that folding everything gives. The
bare read hands the same rows to Python by `sqlite3` and does nothing with them. Each figure is the best and
the median of some rounds, in one process, files in the page cache. Goal: 300 ms with a resume point.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Final

from cockpit.core.events import Kind
from cockpit.core.flight import Flight, fold
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_port import Draft
from cockpit.engine.logbook import RESUME_EVERY, Logbook
from tests.bench.goals import Row, all_met, tell

GOAL_S: Final = 0.3
ROUNDS: Final = 5
AT: Final = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; returns 0 when the goal is met with the right state, else 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--directory", default=".", help="a directory on the disk to measure")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.directory, prefix="resume-bench-") as place:
        path = Path(place) / "state" / "bench.journal"
        with closing(SqliteJournal(path)) as journal:
            fill(journal, options.events)
            right = fold(journal.read())
        rows = [report(path, right)]
    tell(options.json, rows)
    return all_met(rows)


def fill(journal: SqliteJournal, count: int) -> None:
    """A long flight with a resume point as late as a driving cockpit leaves it, and then a rollback."""
    book, lines = Logbook(journal), ordinary()
    ends_s = [*range(RESUME_EVERY - 1, count - RESUME_EVERY, RESUME_EVERY), count - 1]
    for end in ends_s:
        drafts = [next(lines) for _ in range(end - book.flight.last_seq)]
        at = AT + timedelta(seconds=book.flight.last_seq)
        book.append(drafts, actor="cockpit", at=at, must=False)
        if end != count - 1:
            book.keep_resume_point()
    book.append([declaration()], actor="ana", at=AT + timedelta(seconds=count), must=False)


def ordinary() -> Iterator[Draft]:
    """What fills the journal of a quiet week."""
    number = 0
    while True:
        number += 1
        yield Draft(kind=Kind.NOTE_ADDED, body={"text": f"line {number}: " + "x" * 80})
        yield Draft(
            kind=Kind.PROBE_CHANGED,
            body={"side": "new", "probe": "health", "health": "down", "detail": "503 Service Unavailable"},
        )
        yield Draft(
            kind=Kind.VERDICT_CHANGED,
            body={"signal": "errors", "verdict": "UNDECIDED", "text": "evidence 1.3 of 20"},
        )
        yield Draft(kind=Kind.FLAG_SEEN, body={"flag": "reads", "exposure": number % 100, "rollback": None})


def declaration() -> Draft:
    body: dict[str, object] = {
        "rollback": "r1",
        "flags": [{"flag": "reads", "layer": 0, "waits_for": [], "before": 5000}],
        "whole": True,
        "deadline_at": (AT + timedelta(seconds=900)).isoformat(),
        "escalate_at": (AT + timedelta(seconds=600)).isoformat(),
        "first_breach_at": None,
        "reason": "errors",
        "steps": [],
    }
    return Draft(kind=Kind.ROLLBACK_DECLARED, body=body)


def resume(path: Path) -> Flight:
    with closing(SqliteJournal(path)) as journal:
        book = Logbook(journal)
        book.catch_up()
        return book.flight


def bare_read(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT seq, at, actor, kind, body, hash FROM event ORDER BY seq").fetchall()


def timed(act: Callable[[], object]) -> list[float]:
    figures = []
    for _ in range(ROUNDS):
        began = perf_counter()
        act()
        figures.append(perf_counter() - began)
    return figures


def report(path: Path, right: Flight) -> Row:
    same = [resume(path) == right]
    with_point = timed(lambda: resume(path))
    path.with_name(path.name + ".resume").unlink()
    same.append(resume(path) == right)
    figures = (
        ("bare read of the same rows", timed(lambda: bare_read(path))),
        ("resume, folding everything", timed(lambda: resume(path))),
        ("resume, with a resume point", with_point),
    )
    lines = [
        f"{right.last_seq} events, {path.stat().st_size / 1e6:.1f} MB",
        f"{'':32} {'best':>11} {'p50':>11}",
    ]
    for name, seconds in figures:
        lines.append(f"{name:32} {min(seconds) * 1000:8.1f} ms {statistics.median(seconds) * 1000:8.1f} ms")
    lines.append(f"the right state: {'yes' if all(same) else 'NO'}")
    sys.stdout.write("\n".join(lines) + "\n")
    bare_s, took_s = (statistics.median(seconds) for _, seconds in (figures[0], figures[2]))
    return Row(
        goal="P9",
        what=f"resume with {right.last_seq} events, to the right countdown",
        wanted=f"<= {GOAL_S * 1000:.0f} ms",
        figure=f"{took_s * 1000:.0f} ms{'' if all(same) else ', and a WRONG state'}",
        beside=f"bare read of the same rows: {bare_s * 1000:.0f} ms",
        met=took_s <= GOAL_S and all(same),
    )


if __name__ == "__main__":
    sys.exit(main())
