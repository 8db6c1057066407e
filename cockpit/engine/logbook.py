"""The engine's hand on the journal: append, fold, and what happens when it cannot be written.

Whatever is built on an event has been journalled before. If the journal fails, forward moves are refused,
but a rollback goes ahead: its events are kept in memory, in order, and written as soon as it is possible,
behind whatever others wrote meanwhile. After a failure the disk is left alone until `mend` is called, so
that a slow disk cannot hold up a rollback more than once. What a disk wrote although it never said so is
found there again and not written twice.

Now and then, never while a rollback is open, the folded flight is kept beside the journal: the next
cockpit goes on from there instead of folding everything since the first day.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from cockpit.core import flight as folding
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import replace
from cockpit.core.events import MACHINE, Event, Kind
from cockpit.core.flight import Flight
from cockpit.core.rollback import IllegalEvent
from cockpit.core.snapshot import JournalLine
from cockpit.engine.journal_chain import GENESIS, link_of
from cockpit.engine.journal_port import (
    Draft,
    FailureKind,
    Journal,
    JournalFailure,
    ResumePoint,
    SequenceConflict,
)
from cockpit.engine.journal_resume import decode, encode

RESUME_EVERY: Final = 2000
KEPT: Final = 60
"""As many as a tall screen has lines for; what else asks of the newest events (why a request is over) asks at
once."""
_Trial = tuple[Event, Flight]
_UNFOLDABLE = (IllegalEvent, ValueError, KeyError, TypeError)


class Logbook:
    """Owns the folded flight. Used from the engine's thread only.

    kept: the newest events, for the deck's tail. lines: what they say there, by seq.
    unsaved: events that happened but are not on disk yet.
    on_renumbered: what is only in memory went behind what others wrote, so its events got other numbers.
    _as_written: whether the folded flight is what the journal's own events fold to.
    """

    def __init__(self, journal: Journal, *, path: str = "", keep: int = KEPT) -> None:
        self._journal = journal
        self.path = path
        self._keep = keep
        self.kept: list[Event] = []
        self.lines: dict[int, tuple[Event, JournalLine]] = {}
        self.unsaved: list[tuple[str, Event]] = []
        self.flight = Flight()
        self._saved = self.flight
        self._saved_hash = GENESIS
        self._resume_seq = 0
        self._as_written = True
        self._read_failure: JournalFailure | None = None
        self._write_failure: JournalFailure | None = None
        self.on_event: Callable[[Event], None] = lambda event: None
        self.on_renumbered: Callable[[], None] = lambda: None

    @property
    def failure(self) -> JournalFailure | None:
        """What is wrong with the journal now; None while the last attempts to write and to read were good."""
        return self._write_failure or self._read_failure

    def catch_up(self) -> int:
        """Fold what others (or an earlier process) appended; returns how many events that were."""
        if self.unsaved:
            return 0
        folded = 0
        try:
            if not self.flight.last_seq:
                folded = self._resume()
            for event in self._journal.read(self.flight.last_seq):
                self._fold(event)
                folded += 1
            self._read_failure = None
        except JournalFailure as failure:
            self._read_failure = failure
        return folded

    def _resume(self) -> int:
        """Start from the resume point if there is one that fits; the seq it stands at, or 0."""
        point = self._journal.resume_point()
        flight = decode(point.state) if point is not None else None
        if point is None or flight is None or flight.last_seq != point.seq:
            return 0
        kept = min(self._keep, point.seq)
        self.kept = self._journal.read(point.seq - kept, kept)
        self.flight = self._saved = flight
        self._saved_hash = point.hash
        self._resume_seq = point.seq
        return point.seq

    def keep_resume_point(self) -> None:
        """Keep the folded flight for the next cockpit, when enough was added and nothing is pressing."""
        seq = self.flight.last_seq
        if seq - self._resume_seq < RESUME_EVERY or self.flight.rollback is not None:
            return
        if self.unsaved or self.failure is not None or not self._as_written:
            return
        self._resume_seq = seq
        with suppress(JournalFailure):  # it saves time and nothing else: the next one is as good
            for last in self._journal.read(seq - 1, 1):
                point = ResumePoint(seq=seq, hash=last.hash, state=encode(self.flight))
                self._journal.keep_resume_point(point)

    def append(
        self,
        drafts: Sequence[Draft],
        *,
        actor: str,
        at: datetime,
        must: bool,
        then: Callable[[Flight], Sequence[Draft]] | None = None,
    ) -> None:
        """Journal and fold. `must`: happens even if it cannot be written (a rollback); else raises.

        then: what follows at once from the state that the drafts lead to, for the same transaction.
        Raises SequenceConflict after catching up (decide again), IllegalEvent when the drafts cannot
        follow the state, JournalFailure when it cannot be written and need not happen.
        """
        tried = self._tried(self.flight, drafts, actor=actor, at=at)
        if then is not None and tried:
            state = tried[-1][1]
            more = then(state)
            tried += self._tried(state, more, actor=actor, at=at)
            drafts = [*drafts, *more]
        try:
            events = self._written(drafts, actor=actor, at=at)
        except JournalFailure as failure:
            if failure.kind is not FailureKind.UNFIT or must:
                self._write_failure = failure
            if not must:
                raise
            events = self._keep_unsaved(drafts, actor=actor, at=at)
        for event, trial in zip(events, tried, strict=True):
            self._fold(event, trial)

    def _written(self, drafts: Sequence[Draft], *, actor: str, at: datetime) -> Sequence[Event]:
        if self._write_failure is not None:
            raise self._write_failure
        try:
            return self._journal.append_many(drafts, actor=actor, at=at, expected_seq=self.flight.last_seq)
        except SequenceConflict as conflict:
            if self.catch_up():
                raise
            raise self._read_failure or _shrunk(conflict) from conflict

    def mend(self, at: datetime) -> bool:
        """Try the journal again after a failure; True while nothing is wrong with writing it.

        What is only in memory is written first; then the journal is told that it had a gap.
        """
        failure = self._write_failure
        if failure is None:
            return True
        if not self.flush():
            return False
        words = f"the journal could not be written ({failure.title}); from here on it can be again"
        try:
            self.append([Draft(kind=Kind.NOTE_ADDED, body={"text": words})], actor=MACHINE, at=at, must=False)
        except (JournalFailure, SequenceConflict):
            self._write_failure = self._write_failure or failure
        return self._write_failure is None

    def flush(self) -> bool:
        """Write what is only in memory; True when nothing is left unsaved."""
        while self.unsaved:
            actor, event = self.unsaved[0]
            try:
                written = self._journal.append(
                    event.kind, event.body, actor=actor, at=event.at, expected_seq=event.seq - 1
                )
            except SequenceConflict as conflict:
                if not self._go_behind_others(conflict):
                    return False
                continue
            except JournalFailure as failure:
                if failure.kind is not FailureKind.UNFIT or event.kind is Kind.NOTE_ADDED:
                    self._write_failure = failure
                    return False
                self.unsaved[0] = (MACHINE, _in_its_place(event, failure.detail))
                self._as_written = False
                continue
            self._saved, self._saved_hash = folding.apply(self._saved, event), written.hash
            self.unsaved.pop(0)
        self._write_failure = None
        return True

    @property
    def saved(self) -> tuple[int, str]:
        """Seq and hash of the last event that is known to be in the journal."""
        return self._saved.last_seq, self._saved_hash

    def take_in(self, after: tuple[int, str], events: Sequence[tuple[str, Event]]) -> bool:
        """Go on with what an ended cockpit could not write: folded, and unsaved as it was there.

        False, and nothing is changed, where the journal does not end at `after` or with these very events:
        behind what others did since they would mean something else. Raises JournalFailure.
        """
        seq, digest = after
        found = self._journal.read(max(0, seq - 1))
        if seq and (not found or found.pop(0).hash != digest):
            return False
        rest = list(events)
        for event in found:
            if not rest or not _same(rest.pop(0), event):
                return False
        state = self.flight
        try:
            for _, event in rest:
                state = folding.apply(state, event)
        except _UNFOLDABLE:
            return False
        for actor, event in rest:
            self.unsaved.append((actor, event))
            self._fold(event)
        self.flush()
        return True

    def _go_behind_others(self, conflict: SequenceConflict) -> bool:
        """Something is written already. What is ours (a disk that hung wrote it all the same) is saved then;
        where others wrote while we could not: fold theirs first, and ours again behind them.
        """
        try:
            others = self._journal.read(self._saved.last_seq)
            if self._take_as_saved(others):
                return True
            state = folding.fold(others, self._saved)
        except JournalFailure as failure:
            self._write_failure = failure
            return False
        except _UNFOLDABLE as error:
            self._write_failure = _corrupt(conflict.last_seq, error)
            return False
        if not others:
            self._write_failure = _shrunk(conflict)
            return False
        before, moved = self._saved.last_seq, list[tuple[str, Event]]()
        self._saved, self._saved_hash = state, others[-1].hash
        for actor, event in self.unsaved:
            event = replace(event, seq=state.last_seq + 1)
            try:
                state = folding.apply(state, event)
            except _UNFOLDABLE as error:
                actor, event = MACHINE, _in_its_place(event, str(error))
                state = folding.apply(state, event)
            moved.append((actor, event))
        self.flight, self.unsaved = state, moved
        self.on_renumbered()
        known = [event for event in self.kept if event.seq <= before]
        self.kept = [*known, *others, *(event for _, event in moved)][-self._keep :]
        for event in others:
            self.on_event(event)
        return True

    def _take_as_saved(self, written: Sequence[Event]) -> bool:
        """Whether what is written begins with our own oldest unsaved events; these are saved then."""
        before = len(self.unsaved)
        for event in written:
            if not self.unsaved or not _same(self.unsaved[0], event):
                break
            self._saved, self._saved_hash = folding.apply(self._saved, event), event.hash
            self.unsaved.pop(0)
        return len(self.unsaved) < before

    def _tried(self, state: Flight, drafts: Sequence[Draft], *, actor: str, at: datetime) -> list[_Trial]:
        """Fold on trial: an illegal event must not reach the journal."""
        tried = list[_Trial]()
        for draft in drafts:
            event = _event(draft, state.last_seq + 1, actor, at)
            try:
                state = folding.apply(state, event)
            except (ValueError, KeyError, TypeError) as error:
                raise IllegalEvent(f"{draft.kind}: {error}") from error
            tried.append((event, state))
        return tried

    def _keep_unsaved(self, drafts: Sequence[Draft], *, actor: str, at: datetime) -> Sequence[Event]:
        first = self.flight.last_seq + 1
        events = [_event(draft, first + index, actor, at) for index, draft in enumerate(drafts)]
        self.unsaved.extend((event.actor, event) for event in events)
        return events

    def _fold(self, event: Event, trial: _Trial | None = None) -> None:
        """trial: what it was tried with before it was written. Where the journal has written that very event,
        which it does unless it had to clean it, the state of the trial is the one that comes of it."""
        try:
            if trial is not None and trial[0] == replace(event, hash=""):
                self.flight = trial[1]
            else:
                self.flight = folding.apply(self.flight, event)
        except _UNFOLDABLE as error:
            raise _corrupt(event.seq, error) from error
        if not self.unsaved:
            self._saved, self._saved_hash = self.flight, event.hash
        self.kept.append(event)
        del self.kept[: -self._keep]
        self.on_event(event)


def _event(draft: Draft, seq: int, actor: str, at: datetime) -> Event:
    """What the draft becomes. actor: of the transaction."""
    return Event(seq=seq, at=at, actor=draft.actor or actor, kind=draft.kind, body=draft.body)


def _corrupt(seq: int, error: Exception) -> JournalFailure:
    return JournalFailure(
        FailureKind.CORRUPT, f"event {seq} cannot follow what was before", clean_text(error)
    )


def _shrunk(conflict: SequenceConflict) -> JournalFailure:
    return JournalFailure(FailureKind.CORRUPT, "The journal lost events", str(conflict))


def _same(unsaved: tuple[str, Event], written: Event) -> bool:
    """Whether both are one event: place, time to the microsecond, actor, kind and body."""
    actor, event = unsaved
    with suppress(JournalFailure):  # an event that can never be written is not there
        return link_of(event, actor) == link_of(written, written.actor)
    return False


def _in_its_place(event: Event, why: str) -> Event:
    """A note instead of an event that can never be written as it is."""
    text = clean_text(f"happened while the journal could not be written: {event.kind} ({why})")
    return replace(event, actor=MACHINE, kind=Kind.NOTE_ADDED, body={"text": text})
