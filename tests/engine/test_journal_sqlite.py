"""The journal's file: who else holds it, what the disk does to it, and who tampered with it."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cockpit.core.events import Kind
from cockpit.engine.journal import SqliteJournal, connect
from cockpit.engine.journal_port import Draft, FailureKind, JournalFailure, SequenceConflict

AT = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "flight.journal"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    with closing(SqliteJournal(path)) as opened:
        yield opened


def fill(journal: SqliteJournal, count: int, text: str = "x") -> None:
    drafts = [Draft(kind=Kind.NOTE_ADDED, body={"text": f"{text}{number}"}) for number in range(count)]
    journal.append_many(drafts, actor="ana", at=AT, expected_seq=journal.last_seq())


def fill_for_ever(journal: SqliteJournal) -> None:
    while True:
        fill(journal, 1, "y" * 2000)


def failure_of(act: Callable[[], object]) -> JournalFailure:
    with pytest.raises(JournalFailure) as caught:
        act()
    assert caught.value.title
    return caught.value


def tamper(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("DROP TRIGGER event_stays")
        raw.execute("DROP TRIGGER event_remains")
        for statement in statements:
            raw.execute(statement)


def test_the_file_is_closed_to_others(journal: SqliteJournal, path: Path) -> None:
    fill(journal, 1)
    journal.publish(b"{}", AT)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    names = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert set(names) == {path.name + end for end in ("", "-wal", "-shm", ".published")}
    assert set(names.values()) == {0o600}


def test_what_was_appended_is_there_after_closing(path: Path) -> None:
    with closing(SqliteJournal(path)) as journal:
        fill(journal, 3)
        before = journal.read()
    with closing(SqliteJournal(path)) as journal:
        assert journal.read() == before
        assert journal.verify() == []


def test_every_append_is_flushed(path: Path) -> None:
    opened: list[sqlite3.Connection] = []

    def keep(where: Path, busy_s: float) -> sqlite3.Connection:
        opened.append(connect(where, busy_s))
        return opened[0]

    with closing(SqliteJournal(path, connect=keep)):
        assert opened[0].execute("PRAGMA synchronous").fetchone() == (2,)
        assert opened[0].execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_pages_of_old_events_are_not_kept_in_memory(path: Path) -> None:
    opened: list[sqlite3.Connection] = []

    def keep(where: Path, busy_s: float) -> sqlite3.Connection:
        opened.append(connect(where, busy_s))
        return opened[0]

    with closing(SqliteJournal(path, connect=keep)):
        assert opened[0].execute("PRAGMA cache_size").fetchone() == (-64,)


def test_two_cockpits_see_each_other_and_only_one_wins(journal: SqliteJournal, path: Path) -> None:
    with closing(SqliteJournal(path)) as other:
        fill(journal, 2)
        assert other.last_seq() == 2
        other.append(Kind.NOTE_ADDED, {"text": "mine"}, actor="bo", at=AT, expected_seq=2)
        with pytest.raises(SequenceConflict) as caught:
            journal.append(Kind.NOTE_ADDED, {"text": "too late"}, actor="ana", at=AT, expected_seq=2)
        assert caught.value.last_seq == 3
        assert journal.read(2) == other.read(2)


def test_threads_may_share_one_journal(journal: SqliteJournal) -> None:
    def work(name: str) -> None:
        written = 0
        while written < 20:
            try:
                journal.append(
                    Kind.NOTE_ADDED, {"n": written}, actor=name, at=AT, expected_seq=journal.last_seq()
                )
                written += 1
            except SequenceConflict:
                continue

    threads = [threading.Thread(target=work, args=(name,)) for name in ("ana", "bo", "cy")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert journal.last_seq() == 60
    assert journal.verify() == []


def test_an_observer_needs_a_journal_and_writes_none(path: Path) -> None:
    missing = failure_of(lambda: SqliteJournal(path, read_only=True))
    assert missing.kind is FailureKind.MISSING
    assert not path.parent.exists()


def test_an_observer_reads_and_cannot_write(journal: SqliteJournal, path: Path) -> None:
    fill(journal, 2)
    journal.publish(b"picture", AT)
    with closing(SqliteJournal(path, read_only=True)) as observer:
        assert observer.read() == journal.read()
        assert observer.latest_published() == (b"picture", AT)
        fill(journal, 1)
        assert observer.last_seq() == 3
        assert failure_of(lambda: fill(observer, 1)).kind is FailureKind.READ_ONLY
        assert failure_of(lambda: observer.publish(b"", AT)).kind is FailureKind.READ_ONLY


def test_the_table_itself_refuses_changes(journal: SqliteJournal, path: Path) -> None:
    fill(journal, 2)
    with closing(sqlite3.connect(path)) as raw:
        for statement in ("UPDATE event SET actor = 'eve'", "DELETE FROM event"):
            with pytest.raises(sqlite3.IntegrityError, match="the journal only grows"):
                raw.execute(statement)


def test_a_full_disk_is_told_and_leaves_the_journal_whole(path: Path) -> None:
    opened: list[sqlite3.Connection] = []

    def small(where: Path, busy_s: float) -> sqlite3.Connection:
        opened.append(connect(where, busy_s))
        opened[0].execute("PRAGMA max_page_count=12")
        return opened[0]

    with closing(SqliteJournal(path, connect=small)) as journal:
        failure = failure_of(lambda: fill_for_ever(journal))
        assert failure.kind is FailureKind.FULL
        held = journal.last_seq()
        assert held > 0
        assert journal.verify() == []
        opened[0].execute("PRAGMA max_page_count=1000")
        fill(journal, 1)
        assert journal.last_seq() == held + 1


def test_a_disk_that_cannot_be_written_is_told(journal: SqliteJournal, path: Path) -> None:
    fill(journal, 1)

    def read_only_disk(where: Path, busy_s: float) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{where.as_uri()}?mode=ro",
            uri=True,
            timeout=busy_s,
            isolation_level=None,
            check_same_thread=False,
        )

    with closing(SqliteJournal(path, connect=read_only_disk)) as stuck:
        assert failure_of(lambda: fill(stuck, 1)).kind is FailureKind.READ_ONLY
        assert len(stuck.read()) == 1


def test_a_journal_held_by_another_is_busy_and_then_free(path: Path) -> None:
    with (
        closing(SqliteJournal(path, busy_s=0.01)) as journal,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        failure = failure_of(lambda: fill(journal, 1))
        assert failure.kind is FailureKind.BUSY
        assert journal.read() == []
        other.execute("ROLLBACK")
        fill(journal, 1)
        assert journal.last_seq() == 1


def test_a_journal_that_vanished_is_not_written_into_nothing(journal: SqliteJournal, path: Path) -> None:
    fill(journal, 1)
    path.rename(path.with_name("moved"))
    failure = failure_of(lambda: fill(journal, 1))
    assert failure.kind is FailureKind.MISSING
    assert "removed or replaced" in failure.detail


@pytest.mark.parametrize("content", [b"", b"just text\n" * 500])
def test_another_file_is_not_taken_for_a_journal(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(content)
    path.chmod(0o600)
    failure = failure_of(lambda: SqliteJournal(path))
    assert failure.kind in (FailureKind.NOT_A_JOURNAL, FailureKind.CORRUPT)
    assert path.read_bytes() == content


def test_another_database_is_not_taken_for_a_journal(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE event (seq INTEGER)")
    assert failure_of(lambda: SqliteJournal(path)).kind is FailureKind.NOT_A_JOURNAL


def test_a_journal_of_a_newer_cockpit_is_refused_with_words(path: Path) -> None:
    SqliteJournal(path).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version=2")
    failure = failure_of(lambda: SqliteJournal(path))
    assert failure.kind is FailureKind.NEWER
    assert "layout 2" in failure.detail


def test_a_damaged_file_is_a_failure_and_a_break(path: Path) -> None:
    with closing(SqliteJournal(path)) as journal:
        for _ in range(20):
            fill(journal, 20, "z" * 300)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xde\xad" * 4096)
    with closing(SqliteJournal(path)) as journal:
        assert failure_of(journal.read).kind is FailureKind.CORRUPT
        assert journal.verify()


def test_a_cut_off_file_is_told_at_once(path: Path) -> None:
    with closing(SqliteJournal(path)) as journal:
        fill(journal, 400, "z" * 300)
    os.truncate(path, path.stat().st_size // 2)
    assert failure_of(lambda: SqliteJournal(path)).kind is FailureKind.CORRUPT


def test_a_changed_event_breaks_the_chain_at_its_place(journal: SqliteJournal, path: Path) -> None:
    fill(journal, 5)
    tamper(path, """UPDATE event SET body = '{"text":"lie"}' WHERE seq = 3""")
    (broken,) = journal.verify()
    assert broken.seq == 3
    assert "hash" in broken.what


@pytest.mark.parametrize("column", ["at", "actor", "kind", "hash"])
def test_every_column_is_in_the_chain(journal: SqliteJournal, path: Path, column: str) -> None:
    fill(journal, 4)
    tamper(path, f"UPDATE event SET {column} = replace({column}, substr({column}, 3, 1), '7') WHERE seq = 2")
    assert 2 in {broken.seq for broken in journal.verify()}


def test_a_removed_event_breaks_the_chain_where_it_is_missing(journal: SqliteJournal, path: Path) -> None:
    fill(journal, 5)
    tamper(path, "DELETE FROM event WHERE seq = 3")
    breaks = journal.verify()
    assert {broken.seq for broken in breaks} == {4}
    assert any("event 3 is missing" in broken.what for broken in breaks)


def test_an_inserted_event_breaks_the_chain(journal: SqliteJournal, path: Path) -> None:
    fill(journal, 2)
    forged = "INSERT INTO event SELECT 3, at, actor, kind, body, hash FROM event WHERE seq = 2"
    tamper(path, forged)
    assert [broken.seq for broken in journal.verify()] == [3]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("kind = 'warp.engaged'", FailureKind.NEWER),
        ("body = '{broken'", FailureKind.CORRUPT),
        ("body = '{},{}'", FailureKind.CORRUPT),
        ("body = '[]'", FailureKind.CORRUPT),
        ("body = x'ff'", FailureKind.CORRUPT),
        ("body = CAST(x'7bff7d' AS TEXT)", FailureKind.CORRUPT),
        ("at = 'yesterday'", FailureKind.CORRUPT),
        ("at = '2031-02-03T04:05:06'", FailureKind.CORRUPT),
    ],
)
def test_an_event_that_cannot_be_read_is_a_failure_with_words(
    journal: SqliteJournal, path: Path, change: str, kind: FailureKind
) -> None:
    fill(journal, 3)
    tamper(path, f"UPDATE event SET {change} WHERE seq = 2")
    assert failure_of(journal.read).kind is kind
    assert journal.verify()


def test_a_damaged_picture_is_told(journal: SqliteJournal, path: Path) -> None:
    published = path.with_name(path.name + ".published")
    published.write_bytes(b"half a pict")
    assert failure_of(journal.latest_published).kind is FailureKind.CORRUPT
    published.unlink()
    published.symlink_to("/etc/hostname")
    assert failure_of(journal.latest_published).kind is FailureKind.IO


def test_no_draft_of_a_file_is_left_behind(journal: SqliteJournal, path: Path) -> None:
    journal.publish(b"one", AT)
    assert not [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".")]
