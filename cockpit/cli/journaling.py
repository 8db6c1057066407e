"""`cockpit journal`: check the chain, hand the events on. Loads neither a screen nor any adapter.

Both take a plan, whose journal on this host is meant, or a journal file, which may be a copy that belongs
to somebody else. Neither changes anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cockpit.cli.output import say, say_error
from cockpit.core.clean import clean_text
from cockpit.core.events import Event

if TYPE_CHECKING:
    from cockpit.engine.journal import SqliteJournal
    from cockpit.engine.journal_port import Break, Journal

WHOLE: Final = 0
BROKEN: Final = 1
NOT_CHECKED: Final = 2
PAGE: Final = 500
_DATABASE: Final = b"SQLite format 3\0"
_SUFFIX: Final = ".journal"


def run_verify(target: Path) -> int:
    from cockpit.engine.journal_port import FailureKind, JournalFailure

    try:
        with closing(open_journal(target)) as journal:
            for words in _rescued(journal.path):
                say(words)
            breaks = [*journal.verify()]
            if not breaks:
                breaks.extend(_stale(journal))
            if not breaks:
                say(_whole(journal))
                return WHOLE
            where = clean_text(journal.path)
    except JournalFailure as failure:
        say_error(str(failure))
        return BROKEN if failure.kind is FailureKind.CORRUPT else NOT_CHECKED
    for each in breaks:
        say(str(each))
    say(f"BROKEN in {len(breaks)} place{'s' if len(breaks) > 1 else ''}: {where}")
    return BROKEN


def _rescued(path: Path) -> Iterator[str]:
    """The files in which an ended cockpit left what it could not write here."""
    from cockpit.engine.journal_port import JournalFailure
    from cockpit.engine.rescue import RescueFiles, load

    for found in RescueFiles(path, os.environ).find():
        try:
            rescued = load(found)
        except JournalFailure as failure:
            yield f"NOT IN THE JOURNAL: {failure}"
            continue
        yield (
            f"NOT IN THE JOURNAL: {len(rescued.events)} events behind event {rescued.after_seq}, kept in "
            f"{clean_text(found)}; the next cockpit that flies the plan takes them in if they fit"
        )


def run_export(target: Path) -> int:
    from cockpit.engine.journal_port import JournalFailure

    told = 0
    try:
        with closing(open_journal(target)) as journal:
            for page in _pages(journal):
                say("\n".join(as_line(event) for event in page))
                told = page[-1].seq
    except JournalFailure as failure:
        say_error(f"{failure} (exported up to event {told})" if told else str(failure))
        return BROKEN if told else NOT_CHECKED
    return WHOLE


def journal_to_follow(path: Path) -> Journal:
    """The plan's journal to read, or an empty one in memory while there is none."""
    from cockpit.engine.journal import SqliteJournal
    from cockpit.engine.journal_memory import MemoryJournal
    from cockpit.engine.paths import journal_path

    where = journal_path(path, os.environ)
    return SqliteJournal(where, read_only=True) if where.exists() else MemoryJournal()


def open_journal(target: Path) -> SqliteJournal:
    """The journal file itself, or that of a plan. Raises JournalFailure, MISSING where there is none."""
    from cockpit.engine.journal import SqliteJournal
    from cockpit.engine.paths import journal_path

    if _is_journal(target):
        return SqliteJournal(target, evidence=True)
    return SqliteJournal(journal_path(target, os.environ), read_only=True)


def _is_journal(target: Path) -> bool:
    """By its first bytes; by its name where they are damaged or there is no such file."""
    if target.suffix == _SUFFIX:
        return True
    try:
        with target.open("rb") as file:
            return file.read(len(_DATABASE)) == _DATABASE
    except OSError:
        return False


def as_line(event: Event) -> str:
    """One event as ASCII JSON, which no terminal and no encoding can take for anything else."""
    from cockpit.engine.journal_chain import instant_text

    fields = {
        "seq": event.seq,
        "at": instant_text(event.at),
        "actor": event.actor,
        "kind": event.kind.value,
        "body": event.body,
        "hash": event.hash,
    }
    return json.dumps(fields, separators=(",", ":"))


def _pages(journal: Journal) -> Iterator[list[Event]]:
    """In order; where a page cannot be read, the events before the damage one by one, then the failure."""
    from cockpit.engine.journal_port import JournalFailure

    after, size = 0, PAGE
    while True:
        try:
            page = journal.read(after, size)
        except JournalFailure:
            if size == 1:
                raise
            size = 1
            continue
        if not page:
            return
        yield page
        after = page[-1].seq


def _stale(journal: Journal) -> Iterator[Break]:
    """The chain holds: does the state kept beside it say what the events say?"""
    from cockpit.core.flight import fold
    from cockpit.core.rollback import IllegalEvent
    from cockpit.engine.journal_port import Break
    from cockpit.engine.journal_resume import decode

    point = journal.resume_point()
    kept = decode(point.state) if point is not None else None
    if point is None or kept is None:
        return
    try:
        true = fold(journal.read(0, point.seq)) == kept
    except (IllegalEvent, ValueError, KeyError, TypeError):
        true = False
    if not true:
        yield Break(seq=point.seq, what="the resume point kept here is not what the events say; delete it")


def _whole(journal: SqliteJournal) -> str:
    count = journal.last_seq()
    last = journal.read(count - 1, 1)
    ending = f", the last hash is {last[0].hash}" if last else ""
    return f"whole: {clean_text(journal.path)} has {count} events{ending}"
