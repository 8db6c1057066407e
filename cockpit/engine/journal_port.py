"""The journal as the engine sees it: what it promises, and how it fails.

An append-only, ordered log of events: the truth of the workflow. Appending names the last `seq` that
the caller has folded, so that of two cockpits only one can win; when `append` has returned, the event
is on the disk. Beside the log there is one newest published snapshot, for those who only look on; it
may be lost in a crash, the log may not; one resume point, which only saves time; and the heartbeats of the
cockpits that have it open.

    JournalFailure      could not be opened, read or written; `kind` says how, the words are for a screen
    SequenceConflict    somebody appended first; read on from what you have, decide again

Every implementation passes the one contract suite in `tests/engine/test_journal_contract.py`. All
methods may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from cockpit.core.dataclass import dataclass
from cockpit.core.events import Event, Kind


class FailureKind(StrEnum):
    """What is wrong with the journal. Only BUSY is worth an immediate second try."""

    BUSY = "busy"
    SLOW = "no answer"
    FULL = "disk full"
    READ_ONLY = "read-only"
    CORRUPT = "corrupt"
    NOT_A_JOURNAL = "not a journal"
    NEWER = "newer version"
    MISSING = "missing"
    UNSAFE = "unsafe place"
    UNFIT = "unfit event"
    CLOSED = "closed"
    IO = "input/output"


class JournalFailure(Exception):
    """`title` and `detail` are clean text, safe to show. Nothing of the failed append counts as written;
    after SLOW nobody knows yet."""

    def __init__(self, kind: FailureKind, title: str, detail: str = "") -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.kind = kind
        self.title = title
        self.detail = detail


class SequenceConflict(Exception):
    """The journal already holds events up to `last_seq`, which is not what the caller expected."""

    def __init__(self, last_seq: int, expected_seq: int) -> None:
        super().__init__(f"the journal is at event {last_seq}, not at {expected_seq}")
        self.last_seq = last_seq
        self.expected_seq = expected_seq


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An event before it has a place in the order. `body` holds JSON values only. actor: who did it, where
    that is somebody else than who appends the rest of the transaction."""

    kind: Kind
    body: Mapping[str, object]
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One place where the chain does not hold. `seq` is 0 where it is the file and not one event."""

    seq: int
    what: str

    def __str__(self) -> str:
        return f"event {self.seq}: {self.what}" if self.seq else f"the file: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePoint:
    """What the events up to `seq` fold to, as bytes, so that nobody has to fold them again. `hash` is
    that of event `seq`: it stands for everything before it.
    """

    seq: int
    hash: str
    state: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A sign of life of one cockpit. count: grows with every beat; instants of other hosts tell nothing."""

    session: str
    operator: str
    host: str
    count: int

    @property
    def name(self) -> str:
        return f"{self.operator}@{self.host}"


class JournalReader(Protocol):
    """The half that looks on."""

    def read(self, after_seq: int = 0, limit: int | None = None) -> list[Event]:
        """Events with a `seq` above `after_seq`, in order, at most `limit`."""

    def last_seq(self) -> int:
        """0 while the journal is empty. Cheap: this is how to watch (see also `published_mark`)."""

    def latest_published(self) -> tuple[bytes, datetime] | None:
        """The newest published snapshot and when its maker published it; None if there never was one."""

    def published_mark(self) -> str:
        """An opaque text that differs after every `publish`, much cheaper than reading; "" for none."""

    def resume_point(self) -> ResumePoint | None:
        """The resume point, if its event is in the journal with that very hash; else None."""

    def beats(self) -> tuple[Beat, ...]:
        """The newest beat of every cockpit that lives, by session. Who is not in it is gone for certain;
        who is in it may be silent: that is judged by whether `count` moves."""

    def verify(self) -> list[Break]:
        """Recompute the whole chain; an empty list means that every event is as it was written."""

    def close(self) -> None:
        """Safe to repeat. Everything else raises CLOSED afterwards."""


class Journal(JournalReader, Protocol):
    def append(
        self, kind: Kind, body: Mapping[str, object], *, actor: str, at: datetime, expected_seq: int
    ) -> Event:
        """Write one event after `expected_seq` and return it once it is durable.

        Raises SequenceConflict or JournalFailure (UNFIT for a body that is no JSON or too large).
        """

    def append_many(
        self, drafts: Sequence[Draft], *, actor: str, at: datetime, expected_seq: int
    ) -> tuple[Event, ...]:
        """The same for several events in one transaction: all of them, in this order, or none."""

    def publish(self, snapshot: bytes, at: datetime) -> None:
        """Replace the newest published snapshot. Atomic for readers; throttling is the caller's job."""

    def beat(self, beat: Beat) -> None:
        """This cockpit lives. A few times a second: not flushed to the disk, it never waits for an append."""

    def leave(self, session: str) -> None:
        """This cockpit is gone from now on; closing the journal or the end of the process does it, too."""

    def keep_resume_point(self, point: ResumePoint) -> None:
        """Replace the resume point. Atomic for readers, not flushed to the disk: it may be lost."""
