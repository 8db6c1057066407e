"""Following the published shelf: the driver's picture, an observer's words, and what outlives what."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from cockpit.core.commands import AddNote, CommandState
from cockpit.core.model import Mode
from cockpit.core.snapshot import FOLLOWING, NOBODY_PUBLISHES, Level, Snapshot
from cockpit.engine.follower import (
    FRESH_S,
    NOBODY_YET,
    REMOVED,
    Follower,
    fresh_snapshot,
    is_fresh,
)
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.journal_port import FailureKind, JournalFailure, JournalReader
from cockpit.engine.published import SnapshotTrouble, encode
from tests.engine.conftest import World, note
from tests.engine.scripted import DEADLINE_S, START, Bell, HandClock
from tests.face import pictures


@dataclass
class Shelf:
    """A journal's place, a driver that publishes into it, and followers of it."""

    path: Path
    clock: HandClock = field(default_factory=HandClock)
    bell: Bell = field(default_factory=Bell)
    followers: list[Follower] = field(default_factory=list)
    opened: int = 0

    def journal(self) -> JournalReader:
        self.opened += 1
        return SqliteJournal(self.path, read_only=True)

    def publish(self, picture: Snapshot) -> Snapshot:
        """As a driver does; the picture as it was published."""
        made = replace(picture, engine_at=self.clock.now())
        with closing(SqliteJournal(self.path)) as journal:
            journal.publish(encode(made), made.engine_at)
        return made

    def put(self, published: bytes) -> None:
        """Whatever bytes in place of a published picture, header and all."""
        draft = self.path.with_name("draft")
        draft.write_bytes(published)
        os.replace(draft, self.path.with_name(f"{self.path.name}.published"))

    def follow(self, opener: Callable[[], JournalReader] | None = None) -> Follower:
        follower = Follower(opener or self.journal, self.clock)
        follower.subscribe(self.bell.tell)
        follower.start()
        self.followers.append(follower)
        return follower

    def until(self, follower: Follower, condition: Callable[[Follower], bool], what: str) -> None:
        self.bell.until(lambda: condition(follower), what)

    def until_trouble(self, follower: Follower, words: str) -> None:
        self.until(follower, lambda each: words in each.trouble, words)

    def until_seq(self, follower: Follower, seq: int) -> Snapshot:
        self.until(follower, lambda each: each.newest is not None and each.newest.seq == seq, f"seq {seq}")
        return follower.latest()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(path=tmp_path / "state" / "night.journal")
    yield made
    for follower in made.followers:
        follower.stop()
        assert follower.join(DEADLINE_S)


def as_observed(driver: Snapshot) -> Snapshot:
    return replace(driver, mode=Mode.WATCH, read_only=True, commands=(), hint="")


def put_back(follower: Follower) -> str:
    """The observer's own words on the picture."""
    first = follower.latest().reasons[0]
    assert (first.subject, first.level) == (FOLLOWING, Level.UNKNOWN)
    return first.what


@pytest.mark.parametrize(
    "make",
    [pictures.ramping, pictures.regressed, pictures.rolling_back, pictures.unknown_all, pictures.overrun],
)
def test_every_field_arrives_as_the_driver_has_it(shelf: Shelf, make: Callable[[], Snapshot]) -> None:
    made = shelf.publish(make())
    assert shelf.follow().latest() == as_observed(made)


def test_a_drill_stays_a_drill(shelf: Shelf) -> None:
    shelf.publish(pictures.drill())
    shown = shelf.follow().latest()
    assert shown.mode is Mode.DRILL and shown.read_only


def test_a_journal_that_is_not_there_yet_is_waited_for_in_words(shelf: Shelf) -> None:
    follower = shelf.follow()
    assert follower.newest is None
    assert "There is no journal yet" in follower.trouble
    with pytest.raises(RuntimeError):
        follower.latest()
    with closing(SqliteJournal(shelf.path)):
        shelf.until_trouble(follower, NOBODY_YET)
    made = shelf.publish(replace(pictures.calm(), seq=41))
    assert shelf.until_seq(follower, 41) == as_observed(made)
    assert follower.trouble == ""


def test_a_real_driver_is_followed_event_by_event(shelf: Shelf) -> None:
    with closing(SqliteJournal(shelf.path)) as journal:
        world = World(journal=journal, clock=shelf.clock)
        driver = world.start()
        follower = shelf.follow()
        driver.done(note("the storm is over"))

        def told(each: Follower) -> bool:
            return each.newest is not None and any(
                "the storm is over" in line.text for line in each.newest.tail
            )

        shelf.until(follower, told, "the note")
        assert follower.latest().flags[0].key == driver.now.flags[0].key
        driver.leave("went home")
        shelf.until(follower, lambda each: "went home" in each.latest().tail[-1].text, "the driver's end")
        world.end()


def test_commands_are_refused_here_and_reach_no_journal(shelf: Shelf) -> None:
    shelf.publish(pictures.calm())
    follower = shelf.follow()
    follower.submit(AddNote(id="n1", by="eve", text="hello"))
    (status,) = follower.latest().commands
    assert (status.id, status.what, status.state) == ("n1", "AddNote", CommandState.REFUSED)
    assert status.text == "observers only look"
    with closing(shelf.journal()) as journal:
        assert journal.last_seq() == 0
    shelf.publish(replace(pictures.calm(), seq=42))
    assert [each.id for each in shelf.until_seq(follower, 42).commands] == ["n1"]


def test_refusals_do_not_pile_up(shelf: Shelf) -> None:
    shelf.publish(pictures.calm())
    follower = shelf.follow()
    for number in range(100):
        follower.submit(AddNote(id=str(number), by="eve", text="hello"))
    assert follower.latest().commands[-1].id == "99"
    assert len(follower.latest().commands) == 20


def test_whoever_unsubscribed_hears_no_more(shelf: Shelf) -> None:
    follower = shelf.follow()
    heard: list[str] = []
    stop = follower.subscribe(lambda: heard.append("once"))
    stop()
    shelf.publish(replace(pictures.calm(), seq=7))
    shelf.until_seq(follower, 7)
    assert heard == []


@pytest.mark.parametrize("set_back_s", [0, 7200])
def test_silence_is_told_whatever_the_wall_clock_says(shelf: Shelf, set_back_s: float) -> None:
    made = shelf.publish(replace(pictures.calm(), engine_at=START))
    follower = shelf.follow()
    shelf.clock._start -= timedelta(seconds=set_back_s)
    shelf.clock.advance(FRESH_S)
    shelf.until_trouble(follower, NOBODY_PUBLISHES)
    assert put_back(follower) == NOBODY_PUBLISHES
    assert follower.latest().engine_at == made.engine_at
    shelf.publish(replace(pictures.calm(), seq=9))
    assert shelf.until_seq(follower, 9).reasons == ()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"cutover-cockpit-snapshot 1 2026-11-20T03:00:00+00:00\n{]", "The published snapshot is damaged"),
        (b"cutover-cockpit-snapshot 1 2026-11-20T03:00:00+00:00\n" + b'{"format": 99}', "another version"),
        (b"something else entirely", "The published snapshot is damaged"),
        (b"", "The published snapshot is damaged"),
    ],
)
def test_a_picture_that_cannot_be_shown_leaves_the_last_good_one(
    shelf: Shelf, bad: bytes, words: str
) -> None:
    made = shelf.publish(pictures.calm())
    follower = shelf.follow()
    shelf.put(bad)
    shelf.until_trouble(follower, words)
    assert words in put_back(follower)
    assert follower.latest().engine_at == made.engine_at
    assert follower.latest().flags == made.flags
    shelf.publish(replace(pictures.calm(), seq=5))
    assert shelf.until_seq(follower, 5).reasons == () and follower.trouble == ""


def test_a_removed_picture_is_told(shelf: Shelf) -> None:
    shelf.publish(pictures.calm())
    follower = shelf.follow()
    shelf.path.with_name(f"{shelf.path.name}.published").unlink()
    shelf.until_trouble(follower, REMOVED)
    assert follower.newest is not None


def _no_journal(path: Path) -> None:
    path.write_bytes(b"no journal at all, but long enough to be looked at" * 100)


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (Path.unlink, "The journal was removed or moved away"),
        (_no_journal, "The journal is damaged"),
        (_newer, "written by a newer cockpit"),
        (_link, "cannot be trusted"),
    ],
)
def test_a_silent_driver_s_journal_is_looked_at_anew(
    shelf: Shelf, spoil: Callable[[Path], None], words: str
) -> None:
    shelf.publish(pictures.calm())
    follower = shelf.follow()
    assert shelf.opened == 1
    spoil(shelf.path)
    shelf.clock.advance(FRESH_S)
    shelf.until_trouble(follower, words)
    assert words in put_back(follower)
    shelf.path.unlink(missing_ok=True)
    shelf.publish(replace(pictures.calm(), seq=77))
    assert shelf.until_seq(follower, 77).reasons == ()


def test_a_fault_of_its_own_is_told_and_outlived(shelf: Shelf) -> None:
    shelf.publish(replace(pictures.calm(), seq=3))
    broken = [True]

    def opener() -> JournalReader:
        if broken:
            raise RuntimeError("no \x1b[31mluck")
        return shelf.journal()

    follower = shelf.follow(opener)
    assert follower.trouble.startswith("the cockpit's own fault: RuntimeError: no ")
    assert "\x1b" not in follower.trouble
    broken.clear()
    shelf.until_seq(follower, 3)


def test_a_subscriber_that_breaks_ends_nothing(shelf: Shelf) -> None:
    follower = shelf.follow()
    broken = [True]

    def breaks() -> None:
        if broken:
            raise ValueError("torn canvas")

    follower.subscribe(breaks)
    shelf.publish(replace(pictures.calm(), seq=1))
    shelf.until_trouble(follower, "the screen's own fault: ValueError: torn canvas")
    broken.clear()
    shelf.publish(replace(pictures.calm(), seq=2))
    shelf.until_seq(follower, 2)
    shelf.until(follower, lambda each: each.trouble == "", "all is well again")


def test_it_lets_go_of_the_journal_when_it_ends(shelf: Shelf) -> None:
    journal = MemoryJournal()
    follower = shelf.follow(lambda: journal)
    follower.stop_because("the test is over")
    assert follower.join(DEADLINE_S) and follower.failed is None
    with pytest.raises(JournalFailure) as caught:
        journal.last_seq()
    assert caught.value.kind is FailureKind.CLOSED


@pytest.mark.parametrize(
    ("age_s", "fresh"), [(0, True), (2.9, True), (3.1, False), (-2.9, True), (-60, False)]
)
def test_one_rule_of_what_is_fresh(age_s: float, fresh: bool) -> None:
    made, now = replace(pictures.calm(), engine_at=START), START + timedelta(seconds=age_s)
    journal = MemoryJournal()
    assert fresh_snapshot(journal, now) is None
    journal.publish(encode(made), START)
    assert is_fresh(START, now) is fresh
    assert fresh_snapshot(journal, now) == (made if fresh else None)


def test_a_fresh_picture_that_cannot_be_read_is_said() -> None:
    journal = MemoryJournal()
    journal.publish(b"{]", START)
    with pytest.raises(SnapshotTrouble):
        fresh_snapshot(journal, START)
