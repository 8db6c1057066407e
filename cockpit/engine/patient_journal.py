"""A journal whose disk may hang: every call is made on a thread of its own and has a deadline.

A disk that fails says so; one that hangs in a flush says nothing, and would stop the engine's loop with it.
Here the loop waits for an answer `ANSWER_S` at most. What is not answered by then is overdue: nobody knows
whether it was written, every further call fails at once, and the disk is left alone until the overdue call
has come back. The `Logbook` then reads what became of it before it writes anything else.

Pictures, heartbeats and resume points go by a thread beside that one: they never stand behind an append.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

from cockpit.core.events import Event, Kind
from cockpit.engine.journal_port import (
    Beat,
    Break,
    Draft,
    FailureKind,
    Journal,
    JournalFailure,
    ResumePoint,
)

T = TypeVar("T")

ANSWER_S: Final = 1.0
"""Longer than a journal waits for another process that is writing, so that this is told as what it is."""


class _Order(Generic[T]):
    """One call on its way: `answered` is locked until there is a result or an error."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None
        self.answered = threading.Lock()
        self.answered.acquire()

    def run(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as error:  # the thread's edge: whoever asked is told
            self._error = error
        finally:
            self.answered.release()

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._result[0]


class _Clerk:
    """A thread that makes one call after the other. A daemon: a hung disk must not keep the process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._orders: SimpleQueue[_Order[Any] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._overdue: threading.Lock | None = None

    def ask(self, work: Callable[[], T], limit_s: float | None) -> T:
        """Raises what the call raises, and JournalFailure(SLOW) when there is no answer in time."""
        if self._overdue is not None:
            if self._overdue.locked():
                raise _no_answer()
            self._overdue = None
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        order = _Order(work)
        self._orders.put(order)
        if not order.answered.acquire(timeout=-1 if limit_s is None else limit_s):
            self._overdue = order.answered
            raise _no_answer()
        return order.result()

    def end(self) -> None:
        self._orders.put(None)

    def _serve(self) -> None:
        while (order := self._orders.get()) is not None:
            order.run()


class PatientJournal:
    """Used from one thread, which is never held up for longer than `ANSWER_S` once `hurry` was called."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._log = _Clerk("cockpit-journal")
        self._beside = _Clerk("cockpit-pictures")
        self._limit_s: float | None = None

    def hurry(self) -> None:
        """From now on calls have a deadline. Before, a long journal may be read from its beginning."""
        self._limit_s = ANSWER_S

    def append(
        self, kind: Kind, body: Mapping[str, object], *, actor: str, at: datetime, expected_seq: int
    ) -> Event:
        (event,) = self.append_many(
            [Draft(kind=kind, body=body)], actor=actor, at=at, expected_seq=expected_seq
        )
        return event

    def append_many(
        self, drafts: Sequence[Draft], *, actor: str, at: datetime, expected_seq: int
    ) -> tuple[Event, ...]:
        """After JournalFailure(SLOW) the events may be written or not."""
        journal = self._journal
        return self._log.ask(
            lambda: journal.append_many(drafts, actor=actor, at=at, expected_seq=expected_seq), self._limit_s
        )

    def read(self, after_seq: int = 0, limit: int | None = None) -> list[Event]:
        return self._log.ask(lambda: self._journal.read(after_seq, limit), self._limit_s)

    def last_seq(self) -> int:
        return self._log.ask(self._journal.last_seq, self._limit_s)

    def verify(self) -> list[Break]:
        return self._log.ask(self._journal.verify, None)

    def resume_point(self) -> ResumePoint | None:
        return self._log.ask(self._journal.resume_point, self._limit_s)

    def keep_resume_point(self, point: ResumePoint) -> None:
        self._beside.ask(lambda: self._journal.keep_resume_point(point), self._limit_s)

    def publish(self, snapshot: bytes, at: datetime) -> None:
        self._beside.ask(lambda: self._journal.publish(snapshot, at), self._limit_s)

    def latest_published(self) -> tuple[bytes, datetime] | None:
        return self._beside.ask(self._journal.latest_published, self._limit_s)

    def published_mark(self) -> str:
        return self._beside.ask(self._journal.published_mark, self._limit_s)

    def beat(self, beat: Beat) -> None:
        self._beside.ask(lambda: self._journal.beat(beat), self._limit_s)

    def beats(self) -> tuple[Beat, ...]:
        return self._beside.ask(self._journal.beats, self._limit_s)

    def leave(self, session: str) -> None:
        self._beside.ask(lambda: self._journal.leave(session), self._limit_s)

    def close(self) -> None:
        """The threads end when they can; the journal itself is closed by who opened it."""
        self._log.end()
        self._beside.end()


def _no_answer() -> JournalFailure:
    return JournalFailure(
        FailureKind.SLOW,
        "The journal's disk does not answer",
        f"no answer in {ANSWER_S:g} s; whether the last events were written is found out when it does",
    )
