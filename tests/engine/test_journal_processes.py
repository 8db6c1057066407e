"""The journal under real processes: killed in the middle, and racing for the same place."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cockpit.engine.journal import SqliteJournal

ROUNDS = 200
APPENDS_FOR_EVER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from cockpit.core.events import Kind
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_port import Draft

journal, batch = SqliteJournal(Path(sys.argv[1])), int(sys.argv[2])
seq = journal.last_seq()
while True:
    drafts = [Draft(kind=Kind.NOTE_ADDED, body={"text": f"line {seq + n + 1}"}) for n in range(batch)]
    appended = journal.append_many(drafts, actor="child", at=datetime.now(UTC), expected_seq=seq)
    seq = appended[-1].seq
    sys.stdout.write(f"{seq} {appended[-1].hash}\\n")
    sys.stdout.flush()
"""

RACES = """
import fcntl, sys
from datetime import UTC, datetime
from pathlib import Path
from cockpit.core.events import Kind
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_port import Draft, SequenceConflict
from cockpit.engine.logbook import Logbook

journal = SqliteJournal(Path(sys.argv[1]), busy_s=30)
barrier = open(sys.argv[3], "rb")
book, name, number = Logbook(journal), sys.argv[2], 0
for word in sys.stdin:
    if word == "look\\n":
        book.catch_up()
        held = sorted(flag.held_reason for flag in book.flight.flags.values())
        print(book.flight.last_seq, *held, flush=True)
        continue
    conflicts = 0
    command = Draft(kind=Kind.ROLLOUT_HELD, body={"flag": name, "reason": str(number)})
    print("ready", flush=True)
    fcntl.flock(barrier, fcntl.LOCK_SH)  # held shut until all stand at it
    while True:
        try:
            book.append([command], actor=name, at=datetime.now(UTC), must=False)
            break
        except SequenceConflict:
            conflicts += 1
    fcntl.flock(barrier, fcntl.LOCK_UN)
    number += 1
    print(conflicts, book.flight.last_seq, flush=True)
journal.close()
"""


def killed_while_appending(path: Path, batch: int, lines: int) -> list[tuple[int, str]]:
    """What a child process had been told was written when it was killed with no chance to clean up."""
    arguments = [sys.executable, "-c", APPENDS_FOR_EVER, str(path), str(batch)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        told += [line for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        child.wait(30)
    return [(int(seq), digest) for seq, digest in (line.split() for line in told)]


@pytest.mark.parametrize("batch", [1, 3])
def test_what_append_returned_survives_a_kill(tmp_path: Path, batch: int) -> None:
    path = tmp_path / "state" / "flight.journal"
    for round_number in range(4):
        told = killed_while_appending(path, batch, lines=5 + 17 * round_number)
        with closing(SqliteJournal(path)) as journal:
            events = journal.read()
            assert journal.verify() == []
        held = {event.seq: event for event in events}
        assert [(seq, held[seq].hash) for seq, _ in told] == told
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert [event.body["text"] for event in events] == [f"line {seq}" for seq in held]
        assert len(events) % batch == 0


class Racer:
    """A process with the journal open that carries out one command each time the barrier opens."""

    def __init__(self, path: Path, name: str, barrier: Path) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-c", RACES, str(path), name, str(barrier)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def says(self) -> list[str]:
        assert self._process.stdout is not None
        return self._process.stdout.readline().split()

    def end(self) -> int:
        self._process.communicate(timeout=50)
        return self._process.returncode


@contextmanager
def racing(path: Path, count: int) -> Iterator[list[Racer]]:
    barrier = path.parent.with_name("barrier")
    barrier.touch()
    racers = [Racer(path, f"racer{number}", barrier) for number in range(count)]
    try:
        yield racers
    finally:
        codes = [racer.end() for racer in racers]
    assert codes == [0] * count


@pytest.mark.parametrize("processes", [2, 5])
def test_commands_at_the_same_instant_lose_nothing_and_double_nothing(tmp_path: Path, processes: int) -> None:
    """In every round all have folded the same events and all want to write behind them: one may.

    A lock is the barrier: every process stands at it with its command decided, and they are let go at once.
    """
    path = tmp_path / "state" / "flight.journal"
    with racing(path, processes) as racers, (tmp_path / "barrier").open("rb") as barrier:
        for number in range(ROUNDS):
            for racer in racers:
                racer.tell("look")
            held = [str(number - 1)] * processes if number else []
            assert [racer.says() for racer in racers] == [[str(number * processes), *held]] * processes
            fcntl.flock(barrier, fcntl.LOCK_EX)
            for racer in racers:
                racer.tell("go")
            assert [racer.says() for racer in racers] == [["ready"]] * processes
            fcntl.flock(barrier, fcntl.LOCK_UN)
            answers = [[int(word) for word in racer.says()] for racer in racers]
            first = number * processes + 1
            assert sorted(seq for _, seq in answers) == list(range(first, first + processes))
            assert [seq for conflicts, seq in answers if not conflicts] == [first], "one got through at once"
    with closing(SqliteJournal(path)) as journal:
        events = journal.read()
        assert journal.verify() == []
    assert [event.seq for event in events] == list(range(1, processes * ROUNDS + 1))
    for name in {event.actor for event in events}:
        own = [event.body["reason"] for event in events if event.actor == name]
        assert own == [str(number) for number in range(ROUNDS)]
