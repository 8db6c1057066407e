"""Events that no journal took before the process ended: kept in a file, taken in by the next cockpit."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.cli.journaling import run_verify
from cockpit.core.events import Event, Kind
from cockpit.core.flight import fold
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_port import JournalFailure
from cockpit.engine.rescue import RescueFiles, load
from tests.engine.conftest import Pilotage, World, declare, note
from tests.engine.scripted import FULL, FickleJournal


@pytest.fixture
def book() -> FickleJournal:
    return FickleJournal()


@pytest.fixture
def files(tmp_path: Path) -> RescueFiles:
    return RescueFiles(tmp_path / "flight.journal", {"HOME": str(tmp_path / "home")})


@pytest.fixture
def world(book: FickleJournal) -> Iterator[World]:
    made = World(percents={"writes": 50.0, "reads": 50.0}, journal=book)
    yield made
    book.refusing = None
    made.end()


def start(world: World, files: RescueFiles, operator: str = "ana") -> Pilotage:
    return world.start(replace(world.flying(operator=operator), rescue=files))


def rolled_back_without_a_journal(world: World, files: RescueFiles, book: FickleJournal) -> Pilotage:
    """A cockpit that ends with its rollback in memory alone."""
    pilot = start(world, files)
    pilot.ready("writes")
    book.refusing = FULL
    pilot.done(declare())
    pilot.settled("flip")
    pilot.engine.leave_now("the machine is switched off")
    assert pilot.engine.join(20)
    return pilot


def test_what_was_only_in_memory_is_kept_and_taken_in_by_the_next_cockpit(
    world: World, files: RescueFiles, book: FickleJournal
) -> None:
    first = rolled_back_without_a_journal(world, files, book)
    (path,) = files.find()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    words = "\n".join(first.engine.last_words)
    assert "NOT IN THE JOURNAL" in words and str(path) in words
    kept = load(path)
    assert [event.kind for _, event in kept.events][:1] == [Kind.ROLLBACK_DECLARED]
    book.refusing = None
    second = start(world, files, operator="ben")
    assert second.rollback.declared_by == "ana" and second.rollback.flipped
    assert second.rollback.deadline_at == first.rollback.deadline_at
    world.bell.until(lambda: not files.find(), "the file is gone")
    events = world.events()
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.body for event in events if event.kind is Kind.ROLLBACK_DECLARED] == [
        kept.events[0][1].body
    ]
    assert [event.actor for event in events if event.kind is Kind.ROLLBACK_DECLARED] == ["ana"]
    rollback = fold(events).rollback
    assert rollback is not None and rollback.flipped
    assert any("taken in from" in str(event.body["text"]) for event in world.events(Kind.NOTE_ADDED))


def test_a_journal_that_still_cannot_be_written_keeps_the_file_and_knows_the_rollback(
    world: World, files: RescueFiles, book: FickleJournal
) -> None:
    rolled_back_without_a_journal(world, files, book)
    second = start(world, files, operator="ben")
    assert second.rollback.declared_by == "ana"
    second.engine.leave_now("again")
    assert second.engine.join(20)
    (path,) = files.find()
    assert [event.kind for _, event in load(path).events][:1] == [Kind.ROLLBACK_DECLARED]
    book.refusing = None
    third = start(world, files, operator="cleo")
    world.bell.until(lambda: not files.find(), "the file is gone")
    assert third.rollback.declared_by == "ana"
    assert len(world.events(Kind.ROLLBACK_DECLARED)) == 1


def test_a_file_that_does_not_fit_is_left_alone_and_rolls_nothing_back(
    world: World, files: RescueFiles, book: FickleJournal
) -> None:
    """Somebody flew on without it: a declaration of then is no wish of now."""
    rolled_back_without_a_journal(world, files, book)
    book.refusing = None
    between = world.start(world.flying(operator="ben"))
    between.done(note("flown on without the file"))
    between.leave()
    world.service.change("writes", 50)
    writes = len(world.service.writes)
    last = start(world, files, operator="cleo")
    last.until(lambda shot: any("were not taken in" in reason.what for reason in shot.reasons))
    assert last.now.rollback is None and files.find()
    assert len(world.service.writes) == writes
    world.bell.until(lambda: any("do not fit" in str(e.body["text"]) for e in world.events(Kind.NOTE_ADDED)))


def test_a_file_that_begins_at_nothing_rolls_nothing_back_in_another_environment(
    world: World, files: RescueFiles, book: FickleJournal
) -> None:
    """Every empty journal would fit it: the one that was moved away for the other environment left one."""
    book.refusing = FULL
    pilot = start(world, files)
    pilot.done(declare())
    pilot.settled("flip")
    pilot.engine.leave_now("the machine is switched off")
    assert pilot.engine.join(20)
    (path,) = files.find()
    assert load(path).after_seq == 0 and load(path).environment == "test"
    book.refusing = None
    world.service.change("writes", 50)
    writes = len(world.service.writes)
    elsewhere = replace(world.plan, environment="production")
    last = world.start(replace(world.flying(plan=elsewhere), rescue=files))
    last.until(lambda shot: any("were not taken in" in reason.what for reason in shot.reasons))
    assert last.now.rollback is None and files.find() == (path,)
    assert len(world.service.writes) == writes


def test_a_disk_that_had_written_some_of_it_after_all_gets_only_the_rest(
    world: World, files: RescueFiles, book: FickleJournal
) -> None:
    rolled_back_without_a_journal(world, files, book)
    (path,) = files.find()
    rescued = load(path)
    book.refusing = None
    for actor, event in rescued.events[:2]:
        book.append(event.kind, event.body, actor=actor, at=event.at, expected_seq=event.seq - 1)
    start(world, files, operator="ben")
    world.bell.until(lambda: not files.find(), "the file is gone")
    written = [(event.at, event.actor, event.kind, str(event.body)) for event in world.events()]
    assert len(written) == len(set(written))
    assert len(world.events(Kind.ROLLBACK_DECLARED)) == 1


def some(at: Event) -> list[tuple[str, Event]]:
    return [("ana", replace(at, seq=7))]


@pytest.fixture
def event(world: World) -> Event:
    return Event(seq=7, at=world.clock.now(), actor="ana", kind=Kind.NOTE_ADDED, body={"text": "é"})


def test_another_place_is_taken_where_the_journals_own_cannot_be_written(
    tmp_path: Path, event: Event
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    files = RescueFiles(tmp_path / "nowhere" / "flight.journal", {"HOME": str(home)})
    path = files.put(some(event), after_seq=6, after_hash="f" * 64, environment="test")
    assert path is not None and path.parent == home
    again = files.put(some(event), after_seq=6, after_hash="f" * 64, environment="test")
    assert again is not None and again != path, "an older file is never overwritten"
    assert set(files.find()) == {path, again}
    assert load(path).events == (("ana", event),)


def test_a_file_of_somebody_else_or_with_other_content_is_refused(tmp_path: Path, event: Event) -> None:
    files = RescueFiles(tmp_path / "flight.journal", {})
    path = files.put(some(event), after_seq=6, after_hash="f" * 64, environment="test")
    assert path is not None
    path.chmod(0o622)
    with pytest.raises(JournalFailure, match="can be written by others"):
        load(path)
    path.chmod(0o600)
    path.write_text("[]\n")
    with pytest.raises(JournalFailure, match="damaged"):
        load(path)


def test_verify_tells_of_it(tmp_path: Path, event: Event, capsys: pytest.CaptureFixture[str]) -> None:
    journal = tmp_path / "state" / "flight.journal"
    SqliteJournal(journal).close()
    RescueFiles(journal, {}).put(some(event), after_seq=6, after_hash="f" * 64, environment="test")
    assert run_verify(journal) == 0
    assert "NOT IN THE JOURNAL: 1 events behind event 6" in capsys.readouterr().out
