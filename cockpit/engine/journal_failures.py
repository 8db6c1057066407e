"""What SQLite's complaints mean to somebody who wants to fly."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from cockpit.core.clean import clean_text
from cockpit.engine.journal_port import FailureKind, JournalFailure

_KINDS: Final = {
    sqlite3.SQLITE_BUSY: FailureKind.BUSY,
    sqlite3.SQLITE_LOCKED: FailureKind.BUSY,
    sqlite3.SQLITE_FULL: FailureKind.FULL,
    sqlite3.SQLITE_READONLY: FailureKind.READ_ONLY,
    sqlite3.SQLITE_PERM: FailureKind.READ_ONLY,
    sqlite3.SQLITE_CORRUPT: FailureKind.CORRUPT,
    sqlite3.SQLITE_NOTADB: FailureKind.CORRUPT,
    sqlite3.SQLITE_ERROR: FailureKind.CORRUPT,
    sqlite3.SQLITE_CONSTRAINT: FailureKind.CORRUPT,
    sqlite3.SQLITE_MISMATCH: FailureKind.CORRUPT,
    sqlite3.SQLITE_CANTOPEN: FailureKind.IO,
    sqlite3.SQLITE_IOERR: FailureKind.IO,
}
_TITLES: Final = {
    FailureKind.BUSY: "Another process keeps the journal busy",
    FailureKind.FULL: "The journal's disk is full",
    FailureKind.READ_ONLY: "The journal cannot be written",
    FailureKind.CORRUPT: "The journal is damaged",
    FailureKind.IO: "The journal's disk fails",
}


def failure_of(error: sqlite3.Error, path: Path) -> JournalFailure:
    """The failure behind an error of sqlite3, in words. The low byte of SQLite's code is its class.
    Our statements are fixed, so SQLITE_ERROR and CONSTRAINT mean that the tables are not as we made them.
    An error without a code comes from Python's own conversion of a stored value: the file was tampered
    with or damaged.
    """
    code = getattr(error, "sqlite_errorcode", None)
    kind = FailureKind.CORRUPT if code is None else _KINDS.get(code & 0xFF, FailureKind.IO)
    return JournalFailure(kind, _TITLES[kind], f"{clean_text(path)}: {clean_text(error)}")


def of_elsewhere(why: str, environment: str) -> JournalFailure:
    detail = f"{why}, the plan says {environment}: move the journal away or give this plan a file of its own"
    return JournalFailure(FailureKind.UNSAFE, "The journal is of another environment", clean_text(detail))
