"""The newest lines of the journal, for the deck.

Each line is made once: a rollback of many flags draws often, and adds much.
"""

from __future__ import annotations

from cockpit.core.events import Event
from cockpit.core.snapshot import JournalLine
from cockpit.core.wording import line
from cockpit.engine.logbook import Logbook


def tail(logbook: Logbook) -> tuple[JournalLine, ...]:
    known, lines = logbook.lines, dict[int, tuple[Event, JournalLine]]()
    for event in logbook.kept:
        old = known.get(event.seq)
        lines[event.seq] = old if old is not None and old[0] is event else (event, _line(event))
    logbook.lines = lines
    return tuple(each for _, each in lines.values())


def _line(event: Event) -> JournalLine:
    text, level = line(event)
    return JournalLine(
        seq=event.seq, at=event.at, actor=event.actor, kind=event.kind.value, text=text, level=level
    )
