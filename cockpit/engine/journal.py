"""The journal in one SQLite file, shared by every cockpit on the host.

Write-ahead log with `synchronous=FULL`: when `append` returns, the event has been flushed to the disk.
The expected `seq` is compared inside `BEGIN IMMEDIATE`, so two processes cannot both win. Triggers keep
the table append-only. Several processes may hold the file open at once; each waits at most `busy_s`
for the other's transaction.

The write-ahead log is folded back early: flushing into space that the file has already is half the time
of flushing a file that grows.

A journal comes into being complete or not at all: it is built under another name and linked into place.
The newest published snapshot lies beside it in `<name>.published` and is replaced by a rename: publishing
every second never queues behind an append and never makes the log grow. The resume point lies in
`<name>.resume` and is replaced the same way. Who has it open is told by `journal_beats`.

Layout, version 1 (`application_id` marks the file, `user_version` is the layout's version):
    event(seq INTEGER PRIMARY KEY, at TEXT, actor TEXT, kind TEXT, body TEXT, hash TEXT)
See `journal_chain` for the exact bytes.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from cockpit.core.clean import clean_text
from cockpit.core.events import Event, Kind
from cockpit.engine.journal_beats import BeatShelf
from cockpit.engine.journal_chain import GENESIS, Row, breaks, events, rows
from cockpit.engine.journal_failures import failure_of
from cockpit.engine.journal_port import (
    Beat,
    Break,
    Draft,
    FailureKind,
    JournalFailure,
    ResumePoint,
    SequenceConflict,
)
from cockpit.engine.journal_shelf import ResumeShelf, Shelf
from cockpit.engine.paths import existing_file, secure_directory, secure_file, system_failure

APPLICATION_ID: Final = 0x4355544F
LAYOUT_VERSION: Final = 1
BUSY_S: Final = 0.5
CLOSE_S: Final = 2.0
CHECKPOINT_PAGES: Final = 200
CACHE_KIB: Final = 64
"""Of SQLite's own 2 MiB every page that an append fills would stay in memory, and nobody reads it again."""

_LAYOUT: Final = f"""
PRAGMA journal_mode=WAL;
PRAGMA application_id={APPLICATION_ID};
PRAGMA user_version={LAYOUT_VERSION};
CREATE TABLE event (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    hash TEXT NOT NULL CHECK (length(hash) = 64)
);
CREATE TRIGGER event_stays BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TRIGGER event_remains BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
"""
_COLUMNS: Final = "seq, at, actor, kind, body, hash"

Connect = Callable[[Path, float], sqlite3.Connection]


def connect(path: Path, busy_s: float) -> sqlite3.Connection:
    """Open an existing file for reading and writing; never creates one."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=busy_s,
        isolation_level=None,
        check_same_thread=False,
    )


def connect_evidence(path: Path, busy_s: float) -> sqlite3.Connection:
    """Open a journal only to look at it: nothing of it is changed, not even folded back. Without a
    write-ahead log nothing is made beside it either, so that it may lie where nobody can write.
    """
    log = path.with_name(path.name + "-wal")
    alone = not log.exists() or log.stat().st_size == 0
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}",
        uri=True,
        timeout=busy_s,
        isolation_level=None,
        check_same_thread=False,
    )


class SqliteJournal:
    """Opens the journal at `path`, which it creates unless `read_only`; then looks on and never appends.
    evidence: looks on at a file that may belong to anybody, lie anywhere, and stays as it is.

    Raises JournalFailure when the file is missing (read_only), damaged, of a newer cockpit, no journal at
    all, or (unless evidence) in a place that others can write.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        evidence: bool = False,
        busy_s: float = BUSY_S,
        connect: Connect = connect,
    ) -> None:
        self.path = path
        self._read_only = read_only = read_only or evidence
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._shelf = Shelf(path.with_name(path.name + ".published"))
        self._resume = ResumeShelf(path.with_name(path.name + ".resume"))
        self._beats = BeatShelf(path)
        if not read_only:
            secure_directory(path.parent)
            if not os.path.lexists(path):
                _create(path)
        if evidence:
            existing_file(path)
        else:
            secure_file(path)
        with self._trouble():
            self._connection = (connect_evidence if evidence else connect)(path, busy_s)
        try:
            self._settle(self._connection)
        except JournalFailure:
            self.close()
            raise
        self._identity = _identity(path)

    def append(
        self, kind: Kind, body: Mapping[str, object], *, actor: str, at: datetime, expected_seq: int
    ) -> Event:
        (appended,) = self.append_many(
            [Draft(kind=kind, body=body)], actor=actor, at=at, expected_seq=expected_seq
        )
        return appended

    def append_many(
        self, drafts: Sequence[Draft], *, actor: str, at: datetime, expected_seq: int
    ) -> tuple[Event, ...]:
        self._refuse_unwritable()
        with self._use() as connection, _transaction(connection):
            last_seq, last_hash = self._last(connection)
            if last_seq != expected_seq:
                raise SequenceConflict(last_seq, expected_seq)
            new = rows(drafts, actor=actor, at=at, last_seq=last_seq, last_hash=last_hash)
            connection.executemany(
                f"INSERT INTO event ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
                [(row.seq, row.at, row.actor, row.kind, row.body, row.hash) for row in new],
            )
        return tuple(events(new))

    def read(self, after_seq: int = 0, limit: int | None = None) -> list[Event]:
        return events(self._rows(after_seq, limit))

    def last_seq(self) -> int:
        with self._use() as connection:
            return self._last(connection)[0]

    def publish(self, snapshot: bytes, at: datetime) -> None:
        self._refuse_unwritable()
        self._refuse_closed()
        self._shelf.put(snapshot, at)

    def latest_published(self) -> tuple[bytes, datetime] | None:
        self._refuse_closed()
        return self._shelf.get()

    def published_mark(self) -> str:
        self._refuse_closed()
        return self._shelf.mark()

    def resume_point(self) -> ResumePoint | None:
        point = self._resume.get()
        with self._use() as connection:
            if point is None:
                return None
            held = connection.execute("SELECT hash FROM event WHERE seq = ?", (point.seq,)).fetchone()
        return point if held == (point.hash,) else None

    def keep_resume_point(self, point: ResumePoint) -> None:
        self._refuse_unwritable()
        self._refuse_closed()
        self._resume.put(point)

    def beat(self, beat: Beat) -> None:
        self._refuse_unwritable()
        self._refuse_closed()
        self._beats.beat(beat)

    def beats(self) -> tuple[Beat, ...]:
        self._refuse_closed()
        return self._beats.beats(sweep=not self._read_only)

    def leave(self, session: str) -> None:
        self._beats.leave(session)

    def verify(self) -> list[Break]:
        try:
            with self._use() as connection:
                complaints = [str(row[0]) for row in connection.execute("PRAGMA quick_check(20)")]
            found = [Break(seq=0, what=clean_text(text)) for text in complaints if text != "ok"]
            return found + list(breaks(self._rows(0, None)))
        except JournalFailure as failure:
            if failure.kind is not FailureKind.CORRUPT:
                raise
            return [Break(seq=0, what=failure.detail)]

    def close(self) -> None:
        """A call that hangs on the disk keeps its connection: who closes must not hang with it."""
        if not self._lock.acquire(timeout=CLOSE_S):
            return
        try:
            connection, self._connection = self._connection, None
            self._beats.close()
            if connection is not None:
                connection.close()
        finally:
            self._lock.release()

    def _rows(self, after_seq: int, limit: int | None) -> list[Row]:
        with self._use() as connection:
            stored = connection.execute(
                f"SELECT {_COLUMNS} FROM event WHERE seq > ? ORDER BY seq LIMIT ?",
                (after_seq, -1 if limit is None else max(0, limit)),
            )
            return [Row._make(columns) for columns in stored]

    def _last(self, connection: sqlite3.Connection) -> tuple[int, str]:
        last = connection.execute("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        return (0, GENESIS) if last is None else (last[0], last[1])

    def _settle(self, connection: sqlite3.Connection) -> None:
        """Whose file is this, of which version; then set what lasts only as long as the connection."""
        with self._trouble():
            application_id = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            connection.execute(f"PRAGMA query_only={int(self._read_only)}")
        if application_id != APPLICATION_ID or version < 1:
            raise JournalFailure(
                FailureKind.NOT_A_JOURNAL,
                "The file is not a journal of this cockpit",
                f"{clean_text(self.path)}: move it away to fly with a new one",
            )
        if version > LAYOUT_VERSION:
            raise JournalFailure(
                FailureKind.NEWER,
                "The journal was written by a newer cockpit",
                f"it has layout {version}, this version reads up to {LAYOUT_VERSION}: use the newer cockpit",
            )

    def _refuse_unwritable(self) -> None:
        if self._read_only:
            raise JournalFailure(
                FailureKind.READ_ONLY, "The journal is open for reading", "this cockpit only looks on"
            )
        if self._connection is not None and _identity(self.path) != self._identity:
            raise JournalFailure(
                FailureKind.MISSING,
                "The journal is no longer where it was",
                f"{clean_text(self.path)} was removed or replaced while the cockpit was writing to it",
            )

    def _refuse_closed(self) -> sqlite3.Connection:
        if self._connection is None:
            raise JournalFailure(FailureKind.CLOSED, "The journal is closed")
        return self._connection

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._trouble():
            yield self._refuse_closed()

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise failure_of(error, self.path) from None


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _create(path: Path) -> None:
    """Build an empty journal under another name and link it into place; whoever is first wins."""
    draft = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600))
        try:
            _lay_out(draft)
            os.link(draft, path)
        finally:
            draft.unlink()
        _sync_directory(path.parent)
    except FileExistsError:
        return
    except OSError as error:
        raise system_failure("The journal cannot be created", path, error) from None


def _lay_out(draft: Path) -> None:
    try:
        connection = connect(draft, BUSY_S)
        try:
            connection.executescript(_LAYOUT)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise failure_of(error, draft) from None


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
