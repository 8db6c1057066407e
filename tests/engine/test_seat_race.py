"""Cockpits in processes of their own want the same at the same instant: one gets it, all know who."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cockpit.core.driver import How
from cockpit.core.events import Kind
from cockpit.core.flight import Flight, apply
from cockpit.engine.journal import SqliteJournal

ROUNDS = 200

RACES = """
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from cockpit.core.driver import How, taken_body, who_drives
from cockpit.core.events import Kind
from cockpit.core.rollback import IllegalEvent
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_port import Draft, SequenceConflict
from cockpit.engine.logbook import Logbook

journal, name = SqliteJournal(Path(sys.argv[1]), busy_s=30), sys.argv[2]
book = Logbook(journal)


def append(*drafts):
    book.append(drafts, actor=name, at=datetime.now(UTC), must=False)


def take():
    # from whom it was seen in the seat before: what a person pressed a key for
    draft = Draft(kind=Kind.DRIVER_TAKEN, body=seen)
    for _ in range(50):
        try:
            append(draft)
            return "won"
        except SequenceConflict:
            continue
        except IllegalEvent as refusal:
            return str(refusal)


def write():
    # as a former driver does that has not found out yet: no look before the act
    body = {"flag": "f", "write_id": f"{name}-{book.flight.last_seq}", "action": "set", "percent": 1000}
    for _ in range(50):
        try:
            append(Draft(kind=Kind.WRITE_INTENT, body={**body, "session": name}))
            append(Draft(kind=Kind.WRITE_OUTCOME, body={**body, "outcome": "done", "detail": ""}))
            return "won"
        except SequenceConflict:
            continue
        except IllegalEvent as refusal:
            return str(refusal)


for line in sys.stdin:
    word = line.strip()
    if word == "look":
        book.catch_up()
        how = How.FREE if book.flight.seat.holder is None else How.CONFIRMED
        if book.flight.seat.held_by(name):
            seen = None
        else:
            seen = taken_body(book.flight.seat, name, "host-" + name, how)
        said = who_drives(book.flight.seat)
    elif word == "take":
        said = "drives" if seen is None else take()
    else:
        said = write()
    print(json.dumps(said), flush=True)
journal.close()
"""


class Cockpit:
    """A process with the journal open that does what it is told, when it is told."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-c", RACES, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def says(self) -> str:
        assert self._process.stdout is not None
        said = json.loads(self._process.stdout.readline())
        assert isinstance(said, str)
        return said

    def end(self) -> int:
        self._process.communicate(timeout=50)
        return self._process.returncode


@contextmanager
def cockpits(path: Path, count: int) -> Iterator[list[Cockpit]]:
    started = [Cockpit(path, f"c{number}") for number in range(count)]
    try:
        yield started
    finally:
        codes = [each.end() for each in started]
    assert codes == [0] * count


def at_once(racers: list[Cockpit], word: str) -> dict[str, str]:
    for each in racers:
        each.tell(word)
    return {each.name: each.says() for each in racers}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("count", [2, 5])
def test_who_takes_the_seat_and_who_writes_at_the_same_instant(tmp_path: Path, count: int) -> None:
    """All see the same holder and all others want the seat; then all act as if they had it."""
    path = tmp_path / "state" / "flight.journal"
    winners: list[str] = []
    with cockpits(path, count) as racers:
        for number in range(ROUNDS):
            assert len(set(at_once(racers, "look").values())) == 1, "all know the same"
            said = at_once(racers, "take")
            [winner] = [name for name, words in said.items() if words == "won"]
            winners.append(winner)
            for name, words in said.items():
                if words not in ("won", "drives"):
                    assert words.startswith(f"{winner}@host-{winner} drives since"), (number, name, words)
            wrote = at_once(racers, "write")
            assert [name for name, words in wrote.items() if words == "won"] == [winner]
            refused = {words for name, words in wrote.items() if name != winner}
            assert all(f"{winner}@host-{winner} drives since" in words for words in refused), refused
    with closing(SqliteJournal(path)) as journal:
        events = journal.read()
        assert journal.verify() == []
    flight, holders, writers = Flight(), list[str](), list[str]()
    for event in events:
        flight = apply(flight, event)
        if event.kind is Kind.DRIVER_TAKEN:
            holders.append(event.actor)
        if event.kind is Kind.WRITE_INTENT:
            assert flight.seat.held_by(event.actor)
            writers.append(event.actor)
    assert holders == writers == winners
    assert events[0].body["how"] == How.FREE.value
