"""The journal under real processes: killed in the middle, and racing for the same place."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from cockpit.engine.journal import SqliteJournal

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
import sys
from datetime import UTC, datetime
from pathlib import Path
from cockpit.core.events import Kind
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_port import FailureKind, JournalFailure, SequenceConflict

name, count = sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
journal = SqliteJournal(Path(sys.argv[1]))
known = journal.last_seq()
for number in range(count):
    while True:
        try:
            event = journal.append(
                Kind.NOTE_ADDED, {"n": number}, actor=name, at=datetime.now(UTC), expected_seq=known
            )
            known = event.seq
            break
        except SequenceConflict as conflict:
            known = conflict.last_seq
        except JournalFailure as failure:
            if failure.kind is not FailureKind.BUSY:
                raise
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


@pytest.mark.parametrize("processes", [2, 5])
def test_racing_processes_lose_nothing_and_double_nothing(tmp_path: Path, processes: int) -> None:
    path, each = tmp_path / "state" / "flight.journal", 100
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACES, str(path), f"racer{number}", str(each)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        racer.communicate(timeout=50)
    assert [racer.returncode for racer in racers] == [0] * processes
    with closing(SqliteJournal(path)) as journal:
        events = journal.read()
        assert journal.verify() == []
    assert [event.seq for event in events] == list(range(1, processes * each + 1))
    assert set(Counter(event.actor for event in events).values()) == {each}
    for number in range(processes):
        own = [event.body["n"] for event in events if event.actor == f"racer{number}"]
        assert own == list(range(each))
