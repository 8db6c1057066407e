"""A journal that is full, busy, unreadable or shared: what still happens, what does not, what is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from cockpit.core import commands as asked
from cockpit.core.commands import CommandState
from cockpit.core.events import Event, Kind
from cockpit.core.flight import fold
from cockpit.core.model import Health
from cockpit.core.rollback import FlipState
from cockpit.core.snapshot import Level, Snapshot
from cockpit.engine.journal_port import Draft
from tests.engine.conftest import World, advance, declare, ident, note
from tests.engine.scripted import BUSY, FULL, OBEY, REFUSE, Answer, FickleJournal, down


@pytest.fixture
def book() -> FickleJournal:
    return FickleJournal()


@pytest.fixture
def full(book: FickleJournal) -> Iterator[World]:
    """Half of the traffic is on new, and the journal may fail."""
    world = World(percents={"writes": 50.0, "reads": 50.0}, journal=book)
    yield world
    book.refusing = book.unreadable = None
    world.end()


def journal_reasons(shot: Snapshot) -> list[str]:
    return [reason.value for reason in shot.reasons if reason.subject == "journal"]


def test_a_full_disk_refuses_forward_moves_and_loudly_lets_a_rollback_through(
    full: World, book: FickleJournal
) -> None:
    pilot = full.start()
    pilot.ready("writes")
    before = book.last_seq()
    book.refusing = FULL
    assert "disk is full" in pilot.refused(note())
    assert "the journal cannot be written" in pilot.refused(advance("writes", 100))
    pilot.done(declare())
    shot = pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    assert shot.level is Level.BAD
    assert "events only in memory" in journal_reasons(shot)[0]
    assert book.last_seq() == before, "nothing is written"
    assert not [each for each in full.service.writes if each.action == "set"]


def test_what_happened_without_a_journal_is_written_later_in_order(full: World, book: FickleJournal) -> None:
    pilot = full.start()
    pilot.ready("writes")
    book.refusing = FULL
    pilot.done(declare())
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    book.refusing = None
    shot = pilot.until(lambda shot: shot.journal.ok)
    assert not journal_reasons(shot)
    events = full.events()
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    kinds = [event.kind for event in events]
    assert kinds.index(Kind.ROLLBACK_DECLARED) < kinds.index(Kind.WRITE_INTENT)
    rollback = fold(events).rollback
    assert rollback is not None and rollback.flipped
    assert any("could not be written" in str(event.body["text"]) for event in full.events(Kind.NOTE_ADDED))
    assert all(event.actor == "ana" for event in full.events(Kind.ROLLBACK_DECLARED))


def test_a_delivered_announcement_is_not_sent_again_because_its_record_failed(
    full: World, book: FickleJournal
) -> None:
    pilot = full.start()
    pilot.ready("writes")
    book.refusing = FULL
    pilot.done(declare())
    pilot.settled("flip", "drain", "verify")
    assert full.cast.hook.moments == ["declared", "flipped"]


def test_a_busy_journal_is_not_hammered_while_a_rollback_runs(full: World, book: FickleJournal) -> None:
    """Every attempt on a locked file costs half a second of the engine's time."""
    pilot = full.start()
    pilot.ready("writes")
    book.refusing = BUSY
    before = book.attempts
    gate = full.gate()
    full.service.next_answers("reads", Answer(gate=gate))
    pilot.done(declare())
    full.bell.until(lambda: gate.held == 1)
    assert book.attempts - before <= 3, "one failure is enough before the first write leaves"


def test_a_journal_that_was_briefly_busy_is_well_again_by_itself(full: World, book: FickleJournal) -> None:
    pilot = full.start()
    pilot.ready("writes")
    book.refusing = BUSY
    pilot.refused(note("not now"))
    pilot.until(lambda shot: bool(journal_reasons(shot)))
    book.refusing = None
    pilot.until(lambda shot: shot.journal.ok)
    pilot.fly_to("writes", 100)


def test_a_journal_that_could_not_be_read_for_a_moment_is_well_again(
    full: World, book: FickleJournal
) -> None:
    pilot = full.start()
    pilot.ready("writes")
    book.unreadable = BUSY
    pilot.until(lambda shot: bool(journal_reasons(shot)))
    book.unreadable = None
    pilot.until(lambda shot: shot.journal.ok)
    pilot.fly_to("writes", 100)


def test_a_change_seen_while_the_journal_failed_is_told_afterwards(full: World, book: FickleJournal) -> None:
    pilot = full.start()
    pilot.ready("writes")
    book.refusing = FULL
    full.cast.new.says(Health.DOWN, "dead")
    pilot.until(lambda shot: bool(journal_reasons(shot)))
    assert not full.events(Kind.PROBE_CHANGED)
    book.refusing = None
    full.bell.until(lambda: bool(full.events(Kind.PROBE_CHANGED)))
    (event,) = full.events(Kind.PROBE_CHANGED)
    assert (event.body["health"], event.body["detail"]) == ("down", "dead")


def test_a_lost_picture_for_observers_is_told_and_stops_no_forward_move(
    full: World, book: FickleJournal
) -> None:
    book.unpublishable = FULL
    pilot = full.start()
    shot = pilot.until(lambda shot: any("observers" in reason.what for reason in shot.reasons))
    assert shot.journal.ok
    book.unpublishable = None
    pilot.until(lambda shot: not any("observers" in reason.what for reason in shot.reasons))
    pilot.fly_to("writes", 100)


def test_a_rollback_declared_while_others_write_is_not_refused_for_it(
    full: World, book: FickleJournal
) -> None:
    pilot = full.start()
    pilot.ready("writes")
    append, conflicts = book.append_many, list[int]()

    def first_somebody_else(drafts: object, **where: object) -> tuple[Event, ...]:
        if len(conflicts) < 3:
            conflicts.append(1)
            append(
                [Draft(kind=Kind.NOTE_ADDED, body={"text": "me first"})],
                actor="ben",
                at=full.clock.now(),
                expected_seq=book.last_seq(),
            )
        return append(drafts, **where)  # type: ignore[arg-type]

    book.append_many = first_somebody_else  # type: ignore[method-assign]
    pilot.done(declare())
    assert len(conflicts) == 3
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)


def test_what_others_wrote_while_we_could_not_comes_first(full: World, book: FickleJournal) -> None:
    pilot = full.start()
    pilot.ready("writes")
    book.refusing = BUSY
    pilot.done(declare())
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    book.refusing = None
    # the other process held the file, so its own events got in
    with_lock = FickleJournal.append_many
    with_lock(
        book,
        [Draft(kind=Kind.NOTE_ADDED, body={"text": "theirs"})],
        actor="ben",
        at=full.clock.now(),
        expected_seq=book.last_seq(),
    )
    pilot.until(lambda shot: shot.journal.ok)
    kinds = [(event.kind, event.body.get("text")) for event in full.events()]
    assert kinds.index((Kind.NOTE_ADDED, "theirs")) < kinds.index((Kind.ROLLBACK_DECLARED, None))
    rollback = fold(full.events()).rollback
    assert rollback is not None and rollback.flipped


def test_events_of_a_stranger_that_cannot_be_folded_do_not_stop_a_rollback(
    full: World, book: FickleJournal
) -> None:
    pilot = full.start()
    pilot.ready("writes")
    book.append(
        Kind.PROPOSAL_VETOED,
        {"signal": "errors", "reason": "of what?"},
        actor="ben",
        at=full.clock.now(),
        expected_seq=book.last_seq(),
    )
    pilot.until(lambda shot: any("cannot follow" in value for value in journal_reasons(shot)))
    pilot.done(declare())
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)


def test_a_journal_that_lost_events_is_called_damaged_and_a_rollback_goes_on(
    full: World, book: FickleJournal
) -> None:
    pilot = full.start()
    pilot.ready("writes")
    del book._rows[-1]
    pilot.done(declare())
    shot = pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    assert any("lost events" in value for value in journal_reasons(shot))


# What others did


def test_a_foreign_change_is_alarmed_with_its_author_and_holds_the_flag(exposed: World) -> None:
    pilot = exposed.start()
    pilot.ready("writes")
    exposed.service.change("writes", 80, who="mallory")
    shot = pilot.until(lambda _: pilot.flag("writes").foreign is not None)
    foreign = pilot.flag("writes").foreign
    assert foreign is not None
    assert (foreign.who, foreign.before, foreign.after, foreign.raised) == ("mallory", "50%", "80%", True)
    assert shot.level is Level.BAD
    assert "not met" in pilot.refused(advance("writes", 100))
    held = pilot.flag("writes")
    assert held.held_by is not None and "changed by someone else" in held.held_reason
    unseen = asked.Hold(id=ident(), by="ana", flag="writes", reason="", release=True)
    assert "changed by someone else meanwhile: 50% → 80%" in pilot.refused(unseen)
    pilot.done(replace(unseen, id=ident(), accepts=foreign))
    accepted = pilot.flag("writes")
    assert accepted.foreign is None and accepted.asked is not None and accepted.asked.value == 80
    pilot.fly_to("writes", 100)
    assert len(exposed.events(Kind.FLAG_FOREIGN)) == 1


def test_a_change_while_nobody_watched_is_found_at_the_first_read(exposed: World) -> None:
    pilot = exposed.start()
    pilot.ready("writes")
    pilot.leave()
    exposed.service.change("reads", 75, who="the night shift")
    again = exposed.start()
    again.until(lambda _: again.flag("reads").foreign is not None)
    (event,) = exposed.events(Kind.FLAG_FOREIGN)
    assert event.body["who"] == "the night shift"


def test_a_write_of_ours_that_nobody_settled_is_not_called_foreign(exposed: World) -> None:
    """Accepted, not yet read again, and then a rollback: the reading that shows it is ours."""
    pilot = exposed.start()
    pilot.ready("writes")
    exposed.service.read_gate.shut()
    exposed.bell.until(lambda: exposed.service.read_gate.held == 1)
    pilot.give(advance("writes", 100), CommandState.RUNNING)
    exposed.bell.until(lambda: exposed.service.read_gate.held == 2, "the read-back")
    exposed.service.always["reads"] = REFUSE
    pilot.done(declare())
    exposed.service.read_gate.open()
    pilot.until(lambda _: pilot.flip("writes").state is FlipState.AT_ZERO)
    exposed.service.always["reads"] = OBEY
    assert not exposed.events(Kind.FLAG_FOREIGN)


def test_the_clock_of_the_rollback_starts_where_the_journal_says(full: World, book: FickleJournal) -> None:
    pilot = full.start()
    book.refusing = FULL
    pilot.done(declare())
    pilot.until(lambda shot: shot.rollback is not None and shot.rollback.flipped)
    shown = pilot.rollback
    book.refusing = None
    pilot.until(lambda shot: shot.journal.ok)
    rollback = fold(full.events()).rollback
    assert rollback is not None
    assert (rollback.declared_at, rollback.deadline_at) == (shown.declared_at, shown.deadline_at)
    assert rollback.deadline_at - rollback.declared_at < timedelta(seconds=901)


def test_a_source_is_lost_and_back_once_each(exposed: World) -> None:
    pilot = exposed.start()
    pilot.ready("writes")
    exposed.service.failing = down("503 Service Unavailable")
    exposed.clock.advance(1)
    exposed.bell.until(lambda: bool(exposed.events(Kind.SOURCE_LOST)))
    exposed.service.failing = None
    exposed.bell.until(lambda: bool(exposed.events(Kind.SOURCE_BACK)))
    (lost,) = exposed.events(Kind.SOURCE_LOST)
    assert lost.body == {"source": "flags/flags", "title": "503 Service Unavailable"}
