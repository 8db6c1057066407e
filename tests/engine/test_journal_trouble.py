"""When the journal fails under a flying cockpit: real full disks, real locks, real damage.

In every trial forward moves are refused in words, a rollback goes ahead, the deck says loudly why, and what
happened meanwhile is written afterwards: in order, once, with a chain that holds. The disks are a small tmpfs
and an ext4 in a file, mounted by root; skipped where that cannot be done, unless COCKPIT_REAL=require.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from cockpit.core.events import Event, Kind
from cockpit.core.flight import fold
from cockpit.core.rollback import FlipState
from cockpit.core.snapshot import Level, Snapshot
from cockpit.engine.journal import SqliteJournal, connect
from cockpit.engine.journal_port import JournalFailure
from tests.engine.conftest import Pilotage, World, advance, declare, note
from tests.engine.disks import ext4_image, mounted
from tests.engine.scripted import Answer

PAGE = 4096


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as place:
        yield place


@pytest.fixture
def ext4_disk(tmp_path: Path) -> Iterator[Path]:
    image = ext4_image(tmp_path / "ext4.image")
    with mounted(tmp_path / "disk", "-o", "loop", str(image)) as place:
        yield place


@contextmanager
def flying(journal: SqliteJournal) -> Iterator[tuple[World, Pilotage]]:
    """A driver with half of the traffic on new, ready to move."""
    world = World(percents={"writes": 50.0, "reads": 50.0}, journal=journal)
    try:
        pilot = world.start()
        pilot.ready("writes")
        yield world, pilot
    finally:
        world.end()


class Ballast:
    """A file that takes whatever is free on a disk."""

    def __init__(self, place: Path) -> None:
        self._file = place / "ballast"

    def grow(self) -> None:
        with self._file.open("ab", buffering=0) as file:
            for size in (PAGE * 16, PAGE, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"x" * size)

    def fill(self, pilot: Pilotage) -> None:
        """To the last byte, also of what a picture that was just being published has given back."""

        def no_picture(shot: Snapshot) -> bool:
            self.grow()
            return any("picture for observers" in each.what for each in shot.reasons)

        pilot.until(no_picture, "a picture that cannot be published")
        self.grow()

    def drop(self) -> None:
        self._file.unlink()


def reasons(pilot: Pilotage) -> str:
    return "\n".join(f"{each.what} {each.value}" for each in pilot.now.reasons if each.subject == "journal")


def told_loudly(pilot: Pilotage, words: str) -> None:
    shot = pilot.until(lambda _: words in reasons(pilot), words)
    assert shot.level is Level.BAD and not shot.journal.ok


def roll_back_in_the_middle(world: World, pilot: Pilotage, fail: Callable[[], None], words: str) -> None:
    """The journal fails while the first kill is under way; every flag is brought to zero all the same."""
    gate = world.gate()
    world.service.next_answers("reads", Answer(gate=gate))
    pilot.done(declare())
    world.bell.until(lambda: gate.held == 1)
    fail()
    gate.open()
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped, "the flip")
    told_loudly(pilot, words)
    assert all(flip.state is FlipState.AT_ZERO for flip in pilot.rollback.flips)
    assert [world.service.exposure(key) for key in ("writes", "reads")] == [0.0, 0.0]


def refused_forward(world: World, pilot: Pilotage, words: str) -> None:
    assert words in pilot.refused(note("is anybody there?"))
    assert "the journal cannot be written" in pilot.refused(advance("writes", 100))
    assert not [each for each in world.service.writes if each.action == "set"]


def well_again(world: World, pilot: Pilotage) -> list[Event]:
    """The journal mends itself, and holds every act once and in order."""
    pilot.until(lambda shot: shot.journal.ok, "a journal that is well again")
    assert world.journal.verify() == []
    events = world.events()
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    intents = [event.body["write_id"] for event in events if event.kind is Kind.WRITE_INTENT]
    outcomes = Counter(str(event.body["write_id"]) for event in events if event.kind is Kind.WRITE_OUTCOME)
    assert len(set(intents)) == len(intents) == len(world.service.writes)
    assert set(outcomes.values()) <= {1} and set(outcomes) <= set(intents)
    assert len([event for event in events if event.kind is Kind.ROLLBACK_DECLARED]) == 1
    assert any("could not be written" in str(event.body.get("text")) for event in events)
    rollback = fold(events).rollback
    assert rollback is not None and rollback.flipped
    return events


def test_a_disk_that_fills_up_in_the_middle_of_a_rollback(small_disk: Path) -> None:
    with flying(SqliteJournal(small_disk / "state" / "flight.journal")) as (world, pilot):
        ballast = Ballast(small_disk)
        roll_back_in_the_middle(world, pilot, lambda: ballast.fill(pilot), "disk is full")
        held = world.journal.last_seq()
        pilot.until(lambda shot: shot.journal.last_seq > held, "events only in memory")
        ballast.drop()
        events = well_again(world, pilot)
        assert len(events) > held


def test_a_disk_that_is_full_before_the_rollback(small_disk: Path) -> None:
    with flying(SqliteJournal(small_disk / "state" / "flight.journal")) as (world, pilot):
        ballast = Ballast(small_disk)
        ballast.fill(pilot)
        refused_forward(world, pilot, "disk is full")
        pilot.done(declare())
        pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
        told_loudly(pilot, "disk is full")
        ballast.drop()
        well_again(world, pilot)


def test_a_disk_that_is_full_when_the_cockpit_starts_is_told(small_disk: Path) -> None:
    Ballast(small_disk).grow()
    with pytest.raises(JournalFailure) as caught:
        SqliteJournal(small_disk / "state" / "flight.journal")
    assert "full" in str(caught.value) or "No space" in str(caught.value)


def test_a_disk_that_turns_read_only_for_good(ext4_disk: Path) -> None:
    """What a kernel does to an ext4 with errors=remount-ro: from now on every write fails."""

    def abort() -> None:
        os.sync()
        subprocess.run(["mount", "-o", "remount,abort", str(ext4_disk)], check=True, capture_output=True)

    with flying(SqliteJournal(ext4_disk / "state" / "flight.journal")) as (world, pilot):
        roll_back_in_the_middle(world, pilot, abort, "The journal")
        assert world.journal.verify() == []
        assert fold(world.events()).rollback is not None, "declared before the disk failed, and still there"


def test_a_read_only_disk_is_told_at_the_start_and_can_be_looked_at(small_disk: Path) -> None:
    path = small_disk / "state" / "flight.journal"
    with flying(SqliteJournal(path)) as (_, pilot):
        pilot.done(note("before"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True, capture_output=True)
    with closing(SqliteJournal(path, evidence=True)) as journal:
        assert journal.verify() == []
        assert journal.last_seq() > 0


class Faults:
    """A connection whose next writes fail as SQLite itself makes them fail."""

    def __init__(self) -> None:
        self.connections: list[sqlite3.Connection] = []

    def connect(self, path: Path, busy_s: float) -> sqlite3.Connection:
        self.connections.append(connect(path, busy_s))
        return self.connections[-1]

    def read_only(self, on: bool) -> None:
        for connection in self.connections:
            connection.execute(f"PRAGMA query_only={int(on)}")


def test_a_disk_that_is_read_only_for_a_while(tmp_path: Path) -> None:
    faults = Faults()
    journal = SqliteJournal(tmp_path / "state" / "flight.journal", connect=faults.connect)
    with flying(journal) as (world, pilot):
        roll_back_in_the_middle(world, pilot, lambda: faults.read_only(True), "cannot be written")
        faults.read_only(False)
        well_again(world, pilot)


def test_a_read_only_journal_refuses_forward_moves(tmp_path: Path) -> None:
    faults = Faults()
    journal = SqliteJournal(tmp_path / "state" / "flight.journal", connect=faults.connect)
    with flying(journal) as (world, pilot):
        faults.read_only(True)
        refused_forward(world, pilot, "cannot be written")
        faults.read_only(False)
        pilot.until(lambda shot: shot.journal.ok)
        pilot.fly_to("writes", 100)


HOLDS = """
import sqlite3, sys
raw = sqlite3.connect(sys.argv[1], isolation_level=None)
for word in sys.stdin:
    raw.execute("BEGIN IMMEDIATE" if word == "hold\\n" else "ROLLBACK")
    print("done", flush=True)
"""


@contextmanager
def another_process(path: Path) -> Iterator[Callable[[str], None]]:
    """A process that holds the journal locked from "hold" to "free"."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:

        def tell(word: str) -> None:
            assert child.stdin is not None and child.stdout is not None
            child.stdin.write(f"{word}\n")
            child.stdin.flush()
            assert child.stdout.readline() == "done\n"

        yield tell
        child.communicate(timeout=30)


def test_a_journal_that_another_process_holds_for_too_long(tmp_path: Path) -> None:
    path = tmp_path / "state" / "flight.journal"
    with flying(SqliteJournal(path, busy_s=0.05)) as (world, pilot), another_process(path) as tell:
        roll_back_in_the_middle(world, pilot, lambda: tell("hold"), "keeps the journal busy")
        tell("free")
        well_again(world, pilot)


def test_a_held_journal_refuses_forward_moves_until_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "state" / "flight.journal"
    with flying(SqliteJournal(path, busy_s=0.05)) as (world, pilot), another_process(path) as tell:
        tell("hold")
        refused_forward(world, pilot, "keeps the journal busy")
        tell("free")
        pilot.until(lambda shot: shot.journal.ok)
        pilot.fly_to("writes", 100)


class Damage:
    """Every page but the first overwritten in the file, and healed again byte for byte."""

    def __init__(self, journal: SqliteJournal) -> None:
        self._path = journal.path
        self._nobody_else = journal._lock
        self._before = b""

    def strike(self) -> None:
        with self._nobody_else:
            self._fold_back()
            self._before = self._path.read_bytes()
            with self._path.open("r+b") as file:
                file.seek(PAGE)
                file.write(b"\xde\xad\xbe\xef" * ((len(self._before) - PAGE) // 4))

    def heal(self) -> None:
        with self._nobody_else:
            with self._path.open("r+b") as file:
                file.write(self._before)
            self._fold_back()

    def _fold_back(self) -> None:
        """Nothing in the log any more, and every connection has to read the file anew."""
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=20)) as raw:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_pages_that_rot_in_the_middle_of_a_rollback(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "state" / "flight.journal")
    with flying(journal) as (world, pilot):
        damage = Damage(journal)
        roll_back_in_the_middle(world, pilot, damage.strike, "The journal is damaged")
        assert world.journal.verify()
        damage.heal()
        well_again(world, pilot)


def test_a_rotten_journal_refuses_forward_moves(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "state" / "flight.journal")
    with flying(journal) as (world, pilot):
        damage = Damage(journal)
        damage.strike()
        refused_forward(world, pilot, "The journal is damaged")
        damage.heal()
        pilot.until(lambda shot: shot.journal.ok)
        pilot.fly_to("writes", 100)
