"""A journal whose disk hangs without an error: the engine goes on, and nothing is lost or written twice."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from cockpit.core.events import Event, Kind
from cockpit.core.flight import fold
from cockpit.core.snapshot import Level
from cockpit.engine import patient_journal
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.journal_port import Draft, FailureKind, Journal, JournalFailure
from cockpit.engine.patient_journal import PatientJournal
from tests.engine.conftest import Pilotage, World, advance, declare, note
from tests.engine.disks import ext4_image, mounted
from tests.engine.scripted import Answer
from tests.engine.test_journal_trouble import another_process

NO_ANSWER = "does not answer"
WRITTEN, LATER, FAILS = "written, no answer", "written later", "fails later"


class HangingJournal(MemoryJournal):
    """Hangs in every append from `hang` to `wake`: behind the write, before it, or before it fails."""

    def __init__(self) -> None:
        super().__init__()
        self._awake = threading.Event()
        self._awake.set()
        self._how = WRITTEN
        self.hung = threading.Event()

    def hang(self, how: str) -> None:
        self._how = how
        self.hung.clear()
        self._awake.clear()

    def wake(self) -> None:
        self._awake.set()

    def append_many(
        self, drafts: Sequence[Draft], *, actor: str, at: datetime, expected_seq: int
    ) -> tuple[Event, ...]:
        asleep = not self._awake.is_set()
        if self._how is not WRITTEN:
            self._sleep()
        if asleep and self._how is FAILS:
            raise JournalFailure(FailureKind.IO, "The journal's disk fails")
        done = super().append_many(drafts, actor=actor, at=at, expected_seq=expected_seq)
        self._sleep()
        return done

    def _sleep(self) -> None:
        if not self._awake.is_set():
            self.hung.set()
        self._awake.wait()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_journal, "ANSWER_S", 0.05)


@contextmanager
def flying(journal: Journal) -> Iterator[tuple[World, Pilotage]]:
    world = World(percents={"writes": 50.0, "reads": 50.0}, journal=journal)
    try:
        pilot = world.start()
        pilot.ready("writes")
        yield world, pilot
    finally:
        if isinstance(journal, HangingJournal):
            journal.wake()
        world.end()


def told_loudly(pilot: Pilotage) -> None:
    shot = pilot.until(lambda shot: NO_ANSWER in shot.journal.detail, "a loud notice")
    assert shot.level is Level.BAD and not shot.journal.ok


def everything_once(world: World, pilot: Pilotage) -> list[Event]:
    """The journal holds every act once, in order, and folds to what the engine believes."""
    pilot.until(lambda shot: shot.journal.ok, "a journal that is well again")
    assert world.journal.verify() == []
    events = world.events()
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    written = [(event.at, event.actor, event.kind, str(event.body)) for event in events]
    assert len(set(written)) == len(written), "an event is there twice"
    intents = [event.body["write_id"] for event in events if event.kind is Kind.WRITE_INTENT]
    assert len(intents) == len(set(intents))
    assert len([event for event in events if event.kind is Kind.ROLLBACK_DECLARED]) == 1
    rollback = fold(events).rollback
    assert rollback is not None and rollback.flipped
    return events


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", [WRITTEN, LATER, FAILS])
def test_a_rollback_goes_ahead_over_a_disk_that_hangs_and_is_written_once(how: str) -> None:
    journal = HangingJournal()
    with flying(journal) as (world, pilot):
        journal.hang(how)
        pilot.done(declare())
        assert journal.hung.is_set()
        pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped, "the flip")
        told_loudly(pilot)
        polls = world.service.reads
        world.bell.until(lambda: world.service.reads > polls + 2, "polls that go on")
        assert "no forward move" in pilot.refused(advance("writes", 100))
        journal.wake()
        everything_once(world, pilot)
        assert len(world.service.written("writes", "kill")) == 1


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", [WRITTEN, LATER, FAILS])
def test_a_forward_move_that_nobody_knows_of_was_not_written_to_the_service(how: str) -> None:
    """The journal may hold its intent, and then the cockpit finds that out; the flag never moved."""
    journal = HangingJournal()
    with flying(journal) as (world, pilot):
        journal.hang(how)
        assert NO_ANSWER in pilot.refused(advance("writes", 100))
        journal.wake()
        pilot.until(lambda shot: shot.journal.ok, "a journal that is well again")
        assert len(world.events(Kind.WRITE_INTENT)) == int(how is not FAILS)
        world.clock.advance(60)
        pilot.done(declare())
        pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped, "the flip")
        assert not world.service.written("writes", "set")
        everything_once(world, pilot)


def hangs_for_real(journal: SqliteJournal, fail: Callable[[], None], heal: Callable[[], None]) -> None:
    with flying(journal) as (world, pilot):
        gate = world.gate()
        world.service.next_answers("reads", Answer(gate=gate))
        pilot.done(declare())
        world.bell.until(lambda: gate.held == 1)
        fail()
        try:
            gate.open()
            pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped, "the flip")
            told_loudly(pilot)
        finally:
            heal()
        everything_once(world, pilot)


def test_another_process_that_holds_the_journal_for_half_a_minute(tmp_path: Path) -> None:
    """SQLite itself waits, with no error: the busy time is longer than anybody's patience."""
    path = tmp_path / "state" / "flight.journal"
    with closing(SqliteJournal(path)):
        pass
    with another_process(path) as tell:
        hangs_for_real(SqliteJournal(path, busy_s=30.0), lambda: tell("hold"), lambda: tell("free"))


def test_a_file_system_that_is_frozen_under_the_journal(tmp_path: Path) -> None:
    """Every write to it hangs in the kernel until it is thawed, and then goes on."""
    image = ext4_image(tmp_path / "ext4.image")
    with mounted(tmp_path / "disk", "-o", "loop", str(image)) as place:

        def turn(how: str) -> None:
            subprocess.run(["fsfreeze", how, str(place)], check=True, capture_output=True)

        hangs_for_real(
            SqliteJournal(place / "state" / "flight.journal"), lambda: turn("-f"), lambda: turn("-u")
        )


def test_an_overdue_call_fails_the_next_ones_at_once_until_it_has_come_back() -> None:
    inner = HangingJournal()
    with closing(PatientJournal(inner)) as journal:
        journal.hurry()
        inner.hang(WRITTEN)
        at = datetime.fromisoformat("2026-11-20T03:00:00+00:00")
        for _ in range(3):
            with pytest.raises(JournalFailure) as caught:
                journal.append(Kind.NOTE_ADDED, {"text": "one"}, actor="ana", at=at, expected_seq=0)
            assert caught.value.kind is FailureKind.SLOW
        with pytest.raises(JournalFailure):
            journal.read()
        inner.wake()
        while True:
            try:
                (event,) = journal.read()
                break
            except JournalFailure as failure:
                assert failure.kind is FailureKind.SLOW
        assert event.body == {"text": "one"}


def test_a_note_is_refused_in_words_while_the_disk_hangs(quick: None) -> None:
    journal = HangingJournal()
    with flying(journal) as (_, pilot):
        journal.hang(LATER)
        assert NO_ANSWER in pilot.refused(note("is anybody there?"))
        journal.wake()
        pilot.until(lambda shot: shot.journal.ok)
