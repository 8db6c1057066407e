"""The engine's hand on the journal: append, fold, and what happens when it cannot be written.

Whatever is built on an event has been journalled before. If the journal fails, forward moves are refused,
but a rollback goes ahead: its events are kept in memory, in order, and written as soon as it is possible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from cockpit.core import flight as folding
from cockpit.core.events import Event
from cockpit.core.flight import Flight
from cockpit.core.rollback import IllegalEvent
from cockpit.engine.journal_port import Draft, FailureKind, Journal, JournalFailure, SequenceConflict


class Logbook:
    """Owns the folded flight. Used from the engine's thread only.

    kept: the newest events, for the deck's tail. unsaved: events that happened but are not on disk yet.
    """

    def __init__(self, journal: Journal, *, path: str = "", keep: int = 200) -> None:
        self._journal = journal
        self.path = path
        self._keep = keep
        self.kept: list[Event] = []
        self.unsaved: list[tuple[str, Event]] = []
        self.failure: JournalFailure | None = None
        self.flight = Flight()
        self.on_event: Callable[[Event], None] = lambda event: None

    def catch_up(self) -> int:
        """Fold what others (or an earlier process) appended; returns how many events that were."""
        if self.unsaved:
            return 0
        try:
            events = self._journal.read(self.flight.last_seq)
        except JournalFailure as failure:
            self.failure = failure
            return 0
        for event in events:
            self._fold(event)
        return len(events)

    def append(self, drafts: Sequence[Draft], *, actor: str, at: datetime, must: bool) -> None:
        """Journal and fold. `must`: happens even if it cannot be written (a rollback); else raises.

        Raises SequenceConflict after catching up (decide again), IllegalEvent when the drafts cannot
        follow the state, JournalFailure when it cannot be written and need not happen.
        """
        self._check(drafts, actor=actor, at=at)
        if self.unsaved:
            self.flush()
        try:
            if self.unsaved and self.failure is not None:
                raise self.failure
            events: Sequence[Event] = self._journal.append_many(
                drafts, actor=actor, at=at, expected_seq=self.flight.last_seq
            )
            self.failure = None
        except SequenceConflict:
            self.catch_up()
            raise
        except JournalFailure as failure:
            if failure.kind is not FailureKind.UNFIT:
                self.failure = failure
            if not must:
                raise
            events = self._keep_unsaved(drafts, actor=actor, at=at)
        for event in events:
            self._fold(event)

    def flush(self) -> bool:
        """Write what is only in memory; True when nothing is left unsaved."""
        while self.unsaved:
            actor, event = self.unsaved[0]
            try:
                self._journal.append(
                    event.kind, event.body, actor=actor, at=event.at, expected_seq=event.seq - 1
                )
            except (JournalFailure, SequenceConflict) as trouble:
                if isinstance(trouble, JournalFailure):
                    self.failure = trouble
                return False
            self.unsaved.pop(0)
        self.failure = None
        return True

    def _check(self, drafts: Sequence[Draft], *, actor: str, at: datetime) -> None:
        """Fold on trial: an illegal event must not reach the journal."""
        state = self.flight
        for draft in drafts:
            event = Event(seq=state.last_seq + 1, at=at, actor=actor, kind=draft.kind, body=draft.body)
            state = folding.apply(state, event)

    def _keep_unsaved(self, drafts: Sequence[Draft], *, actor: str, at: datetime) -> Sequence[Event]:
        first = self.flight.last_seq + 1
        events = [
            Event(seq=first + index, at=at, actor=actor, kind=draft.kind, body=draft.body)
            for index, draft in enumerate(drafts)
        ]
        self.unsaved.extend((actor, event) for event in events)
        return events

    def _fold(self, event: Event) -> None:
        try:
            self.flight = folding.apply(self.flight, event)
        except (IllegalEvent, ValueError) as error:
            title = f"event {event.seq} cannot follow what was before"
            self.failure = JournalFailure(FailureKind.CORRUPT, title, str(error))
            raise self.failure from error
        self.kept.append(event)
        del self.kept[: -self._keep]
        self.on_event(event)
