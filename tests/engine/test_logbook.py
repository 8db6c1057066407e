"""The hand on the journal: what is kept when it fails, how it comes back, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.core.events import MACHINE, Event, Kind
from cockpit.core.flight import Flight
from cockpit.core.rollback import IllegalEvent
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.journal_port import Draft, FailureKind, JournalFailure, SequenceConflict
from cockpit.engine.logbook import Logbook
from tests.engine.scripted import BUSY, FULL, START, FickleJournal

UNFIT = "x" * 70_000


def note(text: str) -> Draft:
    return Draft(kind=Kind.NOTE_ADDED, body={"text": text})


def intent(write_id: str) -> Draft:
    return Draft(
        kind=Kind.WRITE_INTENT,
        body={"flag": "f", "write_id": write_id, "action": "kill", "percent": None, "rollback": None},
    )


def write(book: Logbook, *drafts: Draft, must: bool = False) -> None:
    book.append(drafts, actor="ana", at=START, must=must)


def texts(journal: MemoryJournal) -> list[object]:
    return [event.body.get("text", event.kind.value) for event in journal.read()]


@pytest.fixture
def journal() -> FickleJournal:
    return FickleJournal()


@pytest.fixture
def book(journal: FickleJournal) -> Logbook:
    return Logbook(journal)


def stranger(journal: FickleJournal, draft: Draft) -> None:
    MemoryJournal.append_many(journal, [draft], actor="ben", at=START, expected_seq=journal.last_seq())


def test_what_is_appended_is_folded_kept_and_told(book: Logbook, journal: FickleJournal) -> None:
    told: list[Event] = []
    book.on_event = told.append
    write(book, note("one"), note("two"))
    assert texts(journal) == ["one", "two"]
    assert book.flight.last_seq == 2
    assert told == book.kept == journal.read()


def test_of_what_must_not_be_nothing_happens_while_the_disk_is_full(
    book: Logbook, journal: FickleJournal
) -> None:
    journal.refusing = FULL
    with pytest.raises(JournalFailure):
        write(book, note("lost"))
    assert (book.flight.last_seq, book.unsaved, book.failure) == (0, [], FULL)


def test_what_must_happen_is_kept_in_order_and_written_when_it_can_be(
    book: Logbook, journal: FickleJournal
) -> None:
    write(book, note("before"))
    journal.refusing = FULL
    write(book, note("one"), must=True)
    write(book, note("two"), note("three"), must=True)
    assert book.flight.last_seq == 4
    assert texts(journal) == ["before"]
    assert not book.mend(START)
    journal.refusing = None
    assert book.mend(START)
    assert texts(journal)[:4] == ["before", "one", "two", "three"]
    assert "could not be written" in str(texts(journal)[4])
    assert book.failure is None and not book.unsaved
    assert [event.actor for event in journal.read()[1:4]] == ["ana"] * 3


def test_after_a_failure_the_disk_is_left_alone_until_mended(book: Logbook, journal: FickleJournal) -> None:
    journal.refusing = BUSY
    for number in range(5):
        write(book, note(str(number)), must=True)
    assert journal.attempts == 1
    with pytest.raises(JournalFailure):
        write(book, note("not needed"))
    assert journal.attempts == 1


def test_a_conflict_folds_what_the_others_wrote_and_asks_to_decide_again(
    book: Logbook, journal: FickleJournal
) -> None:
    stranger(journal, note("theirs"))
    with pytest.raises(SequenceConflict):
        write(book, note("mine"))
    assert book.flight.last_seq == 1
    write(book, note("mine"))
    assert texts(journal) == ["theirs", "mine"]


def note_and_intent(flight: Flight) -> list[Draft]:
    return [replace(note(f"after {flight.last_seq}"), actor=MACHINE), intent("mine")]


def test_what_follows_at_once_is_decided_on_what_was_said_and_goes_with_it(
    book: Logbook, journal: FickleJournal
) -> None:
    book.append([note("said")], actor="ana", at=START, must=False, then=note_and_intent)
    assert journal.attempts == 1
    assert [(event.kind, event.actor) for event in journal.read()] == [
        (Kind.NOTE_ADDED, "ana"),
        (Kind.NOTE_ADDED, MACHINE),
        (Kind.WRITE_INTENT, "ana"),
    ]
    assert texts(journal)[1] == "after 1"
    assert book.flight.last_seq == 3 and book.flight.flag("f").pending is not None


def test_what_cannot_follow_takes_everything_with_it(book: Logbook, journal: FickleJournal) -> None:
    write(book, intent("before"))
    with pytest.raises(IllegalEvent):
        book.append([note("said")], actor="ana", at=START, must=True, then=note_and_intent)
    stranger(journal, note("theirs"))
    with pytest.raises(SequenceConflict):
        book.append([note("said")], actor="ana", at=START, must=True, then=lambda flight: [note("and more")])
    assert texts(journal)[1:] == ["theirs"]


def test_what_follows_is_kept_with_it_while_nothing_can_be_written(
    book: Logbook, journal: FickleJournal
) -> None:
    journal.refusing = FULL
    book.append([note("said")], actor="ana", at=START, must=True, then=note_and_intent)
    assert [(actor, event.kind) for actor, event in book.unsaved] == [
        ("ana", Kind.NOTE_ADDED),
        (MACHINE, Kind.NOTE_ADDED),
        ("ana", Kind.WRITE_INTENT),
    ]
    journal.refusing = None
    assert book.flush()
    assert [event.actor for event in journal.read()] == ["ana", MACHINE, "ana"]


def test_what_waited_goes_behind_what_others_wrote_meanwhile(book: Logbook, journal: FickleJournal) -> None:
    journal.refusing = BUSY
    write(book, note("mine"), must=True)
    told: list[object] = []
    book.on_event = lambda event: told.append(event.body["text"])
    stranger(journal, note("theirs"))
    journal.refusing = None
    assert book.flush()
    assert texts(journal) == ["theirs", "mine"]
    assert [event.body["text"] for event in book.kept] == ["theirs", "mine"]
    assert told == ["theirs"], "ours was told when it happened"
    assert book.flight.last_seq == 2


def test_what_no_longer_fits_behind_the_others_is_kept_as_a_note(
    book: Logbook, journal: FickleJournal
) -> None:
    journal.refusing = BUSY
    write(book, intent("mine"), must=True)
    stranger(journal, intent("theirs"))
    journal.refusing = None
    assert book.flush()
    assert [event.kind for event in journal.read()] == [Kind.WRITE_INTENT, Kind.NOTE_ADDED]
    assert "write.intent" in str(texts(journal)[1])
    pending = book.flight.flag("f").pending
    assert pending is not None and pending.write_id == "theirs"


def test_an_event_that_no_journal_takes_does_not_block_those_behind_it(
    book: Logbook, journal: FickleJournal
) -> None:
    too_large = Draft(kind=Kind.PLAN_TAKEN, body={"digest": UNFIT})
    with pytest.raises(JournalFailure) as caught:
        write(book, too_large)
    assert caught.value.kind is FailureKind.UNFIT
    assert book.failure is None, "the journal is well, the event is not"
    write(book, too_large, must=True)
    write(book, note("behind"), must=True)
    assert book.mend(START)
    assert "plan.taken" in str(texts(journal)[0])
    assert texts(journal)[1] == "behind"


@pytest.mark.parametrize(
    "body",
    [
        {"flag": "f", "percent": 20_000},
        {"flag": "f", "percent": "ten"},
        {"flag": 7, "percent": 1000},
    ],
)
def test_a_broken_body_is_illegal_and_reaches_no_journal(
    book: Logbook, journal: FickleJournal, body: dict[str, object]
) -> None:
    with pytest.raises(IllegalEvent):
        write(book, Draft(kind=Kind.FLAG_ASKED, body=body), must=True)
    assert journal.last_seq() == 0
    assert book.flight.last_seq == 0


def test_reading_trouble_passes_and_is_forgotten(book: Logbook, journal: FickleJournal) -> None:
    journal.unreadable = BUSY
    assert book.catch_up() == 0
    assert book.failure is BUSY
    journal.unreadable = None
    stranger(journal, note("theirs"))
    assert book.catch_up() == 1
    assert book.failure is None


def test_a_strangers_event_that_cannot_follow_is_named_and_raises_nothing(
    book: Logbook, journal: FickleJournal
) -> None:
    stranger(journal, note("fits"))
    stranger(journal, Draft(kind=Kind.WRITE_OUTCOME, body={"flag": "f", "write_id": "none"}))
    assert book.catch_up() == 1
    assert book.failure is not None and "event 2 cannot follow" in book.failure.title
    write(book, note("a rollback goes on"), must=True)
    assert len(book.unsaved) == 1
    with pytest.raises(JournalFailure):
        write(book, note("nothing else does"))


def test_only_the_newest_events_are_kept_for_the_screen(journal: FickleJournal) -> None:
    book = Logbook(journal, keep=3)
    for number in range(5):
        write(book, note(str(number)))
    assert [event.seq for event in book.kept] == [3, 4, 5]
