"""Resuming a long flight: from the kept fold when it fits, from the first event when it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cockpit.core import commands as asked
from cockpit.core.events import Event, Kind
from cockpit.core.flight import Flight, fold
from cockpit.engine import journal_resume
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.journal_port import Draft, FailureKind, Journal, JournalFailure, ResumePoint
from cockpit.engine.journal_resume import decode, encode
from cockpit.engine.logbook import KEPT, RESUME_EVERY, Logbook
from tests.engine.conftest import World, declare, ident

AT = datetime(2031, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
HELD = Draft(kind=Kind.ROLLOUT_HELD, body={"flag": "reads", "reason": "dinner"})
PROPOSED = Draft(
    kind=Kind.PROPOSAL_RAISED,
    body={"signal": "errors", "text": "worse", "value": "9 %", "limit": "5 %", "since": AT.isoformat()},
)


def note(text: str) -> Draft:
    return Draft(kind=Kind.NOTE_ADDED, body={"text": text})


def write(journal: Journal, *drafts: Draft) -> None:
    journal.append_many(drafts, actor="ana", at=AT, expected_seq=journal.last_seq())


def long_flight(journal: Journal) -> None:
    notes = [note(f"line {number}") for number in range(RESUME_EVERY)]
    write(journal, HELD, PROPOSED, *notes)


def opened(journal: Journal) -> Logbook:
    book = Logbook(journal)
    book.catch_up()
    assert book.failure is None
    return book


class Watched(MemoryJournal):
    """Remembers how much was read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.handed_out = 0

    def read(self, after_seq: int = 0, limit: int | None = None) -> list[Event]:
        events = super().read(after_seq, limit)
        self.handed_out += len(events)
        return events


@pytest.fixture
def journal() -> Iterator[Watched]:
    with closing(Watched()) as made:
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "flight.journal"


def test_the_next_cockpit_goes_on_from_the_resume_point(journal: Watched) -> None:
    long_flight(journal)
    first = opened(journal)
    first.keep_resume_point()
    write(journal, note("later"))
    journal.handed_out = 0
    again = opened(journal)
    assert journal.handed_out <= KEPT + 1, "the tail for the screen and what came later"
    assert again.flight == fold(journal.read())
    assert again.flight.flag("reads").held_reason == "dinner"
    assert [event.seq for event in again.kept] == list(range(RESUME_EVERY + 4 - KEPT, RESUME_EVERY + 4))
    again.append([note("and on")], actor="ana", at=AT, must=False)
    assert again.flight == fold(journal.read())


def test_nothing_is_kept_for_a_short_flight(journal: Watched) -> None:
    write(journal, HELD)
    opened(journal).keep_resume_point()
    assert journal.resume_point() is None


def test_it_is_kept_once_for_so_many_events(journal: Watched) -> None:
    long_flight(journal)
    book = opened(journal)
    book.keep_resume_point()
    kept = journal.resume_point()
    book.append([note("one more")], actor="ana", at=AT, must=False)
    book.keep_resume_point()
    assert journal.resume_point() == kept
    long_flight(journal)
    book.catch_up()
    book.keep_resume_point()
    newer = journal.resume_point()
    assert newer is not None and newer.seq == book.flight.last_seq


def test_nothing_is_kept_while_a_rollback_is_open(journal: Watched, exposed: World) -> None:
    (declared,) = _declared(exposed)
    long_flight(journal)
    write(journal, Draft(kind=declared.kind, body=declared.body))
    book = opened(journal)
    assert book.flight.rollback is not None
    book.keep_resume_point()
    assert journal.resume_point() is None


def test_nothing_is_kept_while_the_journal_fails(journal: Watched) -> None:
    long_flight(journal)
    book = opened(journal)
    closed = MemoryJournal()
    closed.close()
    book._journal = closed
    book.append([note("lost?")], actor="ana", at=AT, must=True)
    book._journal = journal
    book.keep_resume_point()
    assert journal.resume_point() is None
    assert book.mend(AT)
    book.keep_resume_point()
    assert journal.resume_point() is not None


def test_a_flight_that_is_not_what_the_journal_holds_is_never_kept(journal: Watched) -> None:
    """An event that can never be written is a note there, but it happened here."""
    long_flight(journal)
    book = opened(journal)
    unfit = Draft(kind=Kind.ROLLOUT_HELD, body={"flag": "reads", "reason": "x", "why": object()})
    book.append([unfit], actor="ana", at=AT, must=True)
    assert book.mend(AT)
    book.keep_resume_point()
    assert journal.resume_point() is None


def test_a_disk_that_refuses_the_resume_point_disturbs_nothing(path: Path) -> None:
    with closing(SqliteJournal(path)) as journal:
        long_flight(journal)
        book = opened(journal)
        path.with_name(path.name + ".resume").mkdir()
        book.keep_resume_point()
        assert book.failure is None
        assert opened(journal).flight == book.flight


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: b"",
        lambda file: b"\xff" * 100,
        lambda file: file[:-1],
        lambda file: file[: file.index(b"\n")],
        lambda file: file.replace(b"dinner", b"supper"),
        lambda file: file.replace(b"-resume 1", b"-resume 2"),
        lambda file: file.replace(b" 2002 ", b" 2001 "),
        lambda file: file.replace(b" 2002 ", b" 9999 "),
        lambda file: file.replace(b" 2002 ", b" " + b"9" * 30 + b" "),
        lambda file: file.replace(b" 2002 ", b" -1 "),
    ],
)
def test_a_damaged_resume_point_is_passed_over_in_silence(
    path: Path, damage: Callable[[bytes], bytes]
) -> None:
    with closing(SqliteJournal(path)) as journal:
        long_flight(journal)
        book = opened(journal)
        book.keep_resume_point()
        kept = path.with_name(path.name + ".resume")
        kept.write_bytes(damage(kept.read_bytes()))
        assert journal.resume_point() is None
        assert opened(journal).flight == book.flight


def test_a_resume_point_of_another_journal_is_not_used(tmp_path: Path) -> None:
    points = []
    for name in ("one", "other"):
        with closing(SqliteJournal(tmp_path / "state" / name)) as journal:
            write(journal, note(name))
            long_flight(journal)
            book = opened(journal)
            book.keep_resume_point()
            points.append(journal.resume_point())
    (tmp_path / "state" / "one.resume").replace(tmp_path / "state" / "other.resume")
    assert points[0] is not None
    with closing(SqliteJournal(tmp_path / "state" / "other")) as journal:
        assert journal.resume_point() is None


def test_another_version_folds_from_the_beginning(journal: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    long_flight(journal)
    opened(journal).keep_resume_point()
    monkeypatch.setattr(journal_resume, "fold_digest", lambda: "another")
    journal.handed_out = 0
    again = opened(journal)
    assert journal.handed_out == RESUME_EVERY + 2
    assert again.flight == fold(journal.read())


def test_without_the_source_nothing_is_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_resume, "fold_digest", lambda: "")
    assert decode(encode(Flight())) is None


def test_a_state_of_another_place_is_not_used(journal: Watched) -> None:
    long_flight(journal)
    last = journal.read()[-1]
    wrong = encode(replace(fold(journal.read()), last_seq=7))
    journal.keep_resume_point(ResumePoint(seq=last.seq, hash=last.hash, state=wrong))
    assert opened(journal).flight == fold(journal.read())


def test_a_closed_journal_keeps_nothing(path: Path) -> None:
    with closing(SqliteJournal(path)) as journal:
        write(journal, note("x"))
    point = ResumePoint(seq=1, hash="0" * 64, state=b"")
    for act in (lambda: journal.keep_resume_point(point), journal.resume_point):
        with pytest.raises(JournalFailure) as caught:
            act()
        assert caught.value.kind is FailureKind.CLOSED


def test_an_observer_keeps_nothing(path: Path) -> None:
    with closing(SqliteJournal(path)) as journal:
        long_flight(journal)
        with closing(SqliteJournal(path, read_only=True)) as observer:
            book = opened(observer)
            book.keep_resume_point()
            assert journal.resume_point() is None
        opened(journal).keep_resume_point()
        with closing(SqliteJournal(path, read_only=True)) as observer:
            assert observer.resume_point() is not None
            assert opened(observer).flight == book.flight


def _declared(world: World) -> Sequence[Event]:
    pilot = world.start()
    pilot.ready("writes")
    pilot.done(declare())
    return world.events(Kind.ROLLBACK_DECLARED)


def test_every_state_of_a_whole_rollback_survives_being_kept(exposed: World) -> None:
    pilot = exposed.start()
    pilot.fly_to("writes", 100)
    exposed.service.change("reads", 80)
    pilot.until(lambda _: pilot.flag("reads").foreign is not None)
    pilot.done(declare())
    pilot.settled("flip", "drain", "verify", "reconcile", "announce")
    pilot.done(asked.DoStep(id=ident(), by="ana", rollback=pilot.rollback.id, step="jobs"))
    pilot.done(asked.CloseRollback(id=ident(), by="ana", rollback=pilot.rollback.id))
    flight = Flight()
    for event in exposed.events():
        flight = fold([event], flight)
        assert decode(encode(flight)) == flight
    assert flight.closed and flight.rollback is None


def test_a_driving_engine_keeps_it_and_the_next_one_resumes(path: Path) -> None:
    world = World(journal=SqliteJournal(path))
    try:
        long_flight(world.journal)
        pilot = world.start()
        exists = path.with_name(path.name + ".resume").exists
        pilot.until(lambda _: exists(), "a resume point")
        pilot.leave()
        again = world.start()
        assert again.flag("reads").held_reason == "dinner"
    finally:
        world.end()
