"""The journal in memory, for practice and tests. It keeps every promise of the port except durability."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from cockpit.core.events import Event, Kind
from cockpit.engine.journal_chain import GENESIS, Row, breaks, events, rows
from cockpit.engine.journal_port import (
    Beat,
    Break,
    Draft,
    FailureKind,
    JournalFailure,
    ResumePoint,
    SequenceConflict,
)


class MemoryJournal:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: list[Row] = []
        self._published: tuple[bytes, datetime] | None = None
        self._publications = 0
        self._resume: ResumePoint | None = None
        self._beats: dict[str, Beat] = {}
        self._closed = False

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
        with self._lock:
            self._refuse_closed()
            last_seq = len(self._rows)
            if last_seq != expected_seq:
                raise SequenceConflict(last_seq, expected_seq)
            last_hash = self._rows[-1].hash if self._rows else GENESIS
            new = rows(drafts, actor=actor, at=at, last_seq=last_seq, last_hash=last_hash)
            self._rows.extend(new)
        return tuple(events(new))

    def read(self, after_seq: int = 0, limit: int | None = None) -> list[Event]:
        with self._lock:
            self._refuse_closed()
            wanted = self._rows[max(0, after_seq) :]
        return events(wanted if limit is None else wanted[: max(0, limit)])

    def last_seq(self) -> int:
        with self._lock:
            self._refuse_closed()
            return len(self._rows)

    def publish(self, snapshot: bytes, at: datetime) -> None:
        with self._lock:
            self._refuse_closed()
            if at.tzinfo is None:
                raise JournalFailure(
                    FailureKind.UNFIT, "The snapshot cannot be published", "its time has no zone"
                )
            self._published = bytes(snapshot), at.astimezone(UTC)
            self._publications += 1

    def latest_published(self) -> tuple[bytes, datetime] | None:
        with self._lock:
            self._refuse_closed()
            return self._published

    def published_mark(self) -> str:
        with self._lock:
            self._refuse_closed()
            return str(self._publications) if self._publications else ""

    def resume_point(self) -> ResumePoint | None:
        with self._lock:
            self._refuse_closed()
            point = self._resume
            fits = point is not None and any(
                row.hash == point.hash for row in self._rows[point.seq - 1 : point.seq]
            )
            return point if fits else None

    def keep_resume_point(self, point: ResumePoint) -> None:
        with self._lock:
            self._refuse_closed()
            self._resume = point

    def beat(self, beat: Beat) -> None:
        with self._lock:
            self._refuse_closed()
            self._beats[beat.session] = beat

    def beats(self) -> tuple[Beat, ...]:
        with self._lock:
            self._refuse_closed()
            return tuple(self._beats[session] for session in sorted(self._beats))

    def leave(self, session: str) -> None:
        with self._lock:
            self._beats.pop(session, None)

    def verify(self) -> list[Break]:
        with self._lock:
            self._refuse_closed()
            return list(breaks(self._rows))

    def close(self) -> None:
        self._closed = True

    def _refuse_closed(self) -> None:
        if self._closed:
            raise JournalFailure(FailureKind.CLOSED, "The journal is closed")
