"""The record of a flight, out of its journal: who did what and when, and what came of it.

`report(events)` makes a value out of any run of events, also of older journals with fields missing;
`as_json` turns it into JSON values. Words for people are in `report_markdown`. Nothing is invented: what
the journal does not hold is None or empty here, and said to be not recorded there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from cockpit.core.clean import Percent, clean_text
from cockpit.core.events import MACHINE, Event, Kind
from cockpit.core.recorded import Recorded
from cockpit.core.report_rollback import rollback_record
from cockpit.core.report_values import (
    ForeignRecord,
    MoveRecord,
    Report,
    RollbackRecord,
    SessionRecord,
    TimelineRecord,
)
from cockpit.core.wording import line, setting

FORMAT: Final = 1
_JUDGED: Final = frozenset(
    {
        Kind.VERDICT_CHANGED,
        Kind.VERDICT_OVERRIDDEN,
        Kind.LIMIT_BREACHED,
        Kind.LIMIT_CLEARED,
        Kind.PROPOSAL_RAISED,
        Kind.PROPOSAL_CLEARED,
        Kind.PROPOSAL_VETOED,
    }
)
_OPENINGS: Final = (Kind.FLIGHT_OPENED, Kind.FLIGHT_RESUMED)
_ONLY_IN_A_ROLLBACK: Final = ("rollback.", "step.")


def report(events: Sequence[Event], *, made_at: datetime, breaks: Sequence[str] = ()) -> Report:
    """`events`: a whole journal, in order. `made_at`: the present, up to which open things are counted.
    `breaks`: where checking the journal's chain found it broken, in words."""
    timeline = tuple(_timeline(event) for event in events)
    openings = [event for event in events if event.kind in _OPENINGS]
    newest = Recorded(openings[-1].body if openings else {})
    ended = next((event for event in reversed(events) if event.kind is Kind.FLIGHT_ENDED), None)
    if ended is not None and openings and openings[-1].seq > ended.seq:
        ended = None
    return Report(
        title=newest.said("plan_title"),
        environment=newest.said("environment"),
        mode=newest.said("mode"),
        plan_digest=_digest(events),
        made_at=made_at,
        first_at=events[0].at if events else None,
        last_at=events[-1].at if events else None,
        ended_at=ended.at if ended is not None else None,
        ended_why=Recorded(ended.body).said("why") if ended is not None else "",
        events=len(events),
        last_hash=events[-1].hash if events else "",
        operators=tuple(dict.fromkeys(row.actor for row in timeline if row.actor != MACHINE)),
        sessions=tuple(_session(event) for event in openings),
        rollbacks=_rollbacks(events, made_at),
        moves=_moves(events),
        foreign=tuple(_foreign(event) for event in events if event.kind is Kind.FLAG_FOREIGN),
        judgements=tuple(row for row in timeline if row.kind in _JUDGED),
        notes=tuple(row for row in timeline if row.kind == Kind.NOTE_ADDED),
        timeline=timeline,
        breaks=tuple(clean_text(each) for each in breaks),
    )


def as_json(value: Report) -> dict[str, object]:
    """JSON values only; the keys are the fields' names. Adds `format`, which changes with them."""
    plain = _plain(value)
    return {"format": FORMAT, **plain} if isinstance(plain, dict) else {"format": FORMAT}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _timeline(event: Event) -> TimelineRecord:
    text, level = line(event)
    return TimelineRecord(
        seq=event.seq,
        at=event.at,
        actor=clean_text(event.actor),
        kind=event.kind.value,
        text=text,
        level=level,
    )


def _digest(events: Sequence[Event]) -> str:
    """The plan that is flown by now: the one of the last opening, or one taken after it."""
    names = {Kind.FLIGHT_OPENED: "plan_digest", Kind.FLIGHT_RESUMED: "plan_digest", Kind.PLAN_TAKEN: "digest"}
    digests = [Recorded(event.body).said(names[event.kind]) for event in events if event.kind in names]
    return next((digest for digest in reversed(digests) if digest), "")


def _session(event: Event) -> SessionRecord:
    said = Recorded(event.body)
    return SessionRecord(
        at=event.at,
        operator=clean_text(event.actor),
        host=said.said("host"),
        version=said.said("version"),
        resumed=event.kind is Kind.FLIGHT_RESUMED,
    )


def _foreign(event: Event) -> ForeignRecord:
    said = Recorded(event.body)
    return ForeignRecord(
        at=event.at,
        flag=said.text("flag"),
        before=setting(said, "before"),
        after=setting(said, "after"),
        who=said.said("who"),
        raised=said.yes("raised"),
    )


def _rollbacks(events: Sequence[Event], made_at: datetime) -> tuple[RollbackRecord, ...]:
    """Every declaration with the events that belong to it, wherever they stand behind it."""
    declared: list[Event] = []
    own: list[list[Event]] = []
    by_id: dict[str, list[Event]] = {}
    by_write: dict[str, list[Event]] = {}
    for event in events:
        said = Recorded(event.body)
        rollback, write = said.said("rollback"), said.said("write_id")
        if event.kind is Kind.ROLLBACK_DECLARED:
            declared.append(event)
            own.append([])
            by_id[rollback] = own[-1]
            continue
        mine = by_id.get(rollback) if rollback else by_write.get(write) if write else None
        if mine is None and not rollback and own and event.kind.value.startswith(_ONLY_IN_A_ROLLBACK):
            mine = own[-1]
        if mine is not None:
            mine.append(event)
            by_write.setdefault(write, mine)
    return tuple(rollback_record(one, its, made_at) for one, its in zip(declared, own, strict=True))


def _moves(events: Sequence[Event]) -> tuple[MoveRecord, ...]:
    """Forward moves with their writes: an ask, the guarded write behind it, the read that settled it."""
    moves: list[MoveRecord] = []
    asked: dict[str, int] = {}
    overrides: dict[str, list[Event]] = {}
    for event in events:
        said = Recorded(event.body)
        flag = said.text("flag")
        if event.kind is Kind.VERDICT_OVERRIDDEN:
            overrides.setdefault(flag, []).append(event)
        elif event.kind is Kind.FLAG_ASKED:
            asked[flag] = len(moves)
            moves.append(_move(event, said, overrides.pop(flag, [])))
        elif event.kind is Kind.ROLLBACK_DECLARED:
            asked.clear()
        elif flag in asked:
            moves[asked[flag]] = _moved(moves[asked[flag]], event, said)
    return tuple(moves)


def _move(event: Event, said: Recorded, overrides: Sequence[Event]) -> MoveRecord:
    stage = said.percent("percent")
    meant = [one for one in overrides if Recorded(one.body).percent("percent") == stage]
    return MoveRecord(
        at=event.at,
        by=clean_text(event.actor),
        flag=said.text("flag"),
        before_pct=_pct(said.percent("before")),
        asked_pct=_pct(stage),
        gates=said.texts("gates"),
        overrides=tuple(_override(one) for one in meant),
    )


def _override(event: Event) -> str:
    said = Recorded(event.body)
    return f"{said.text('signal')} overridden by {clean_text(event.actor)}: {said.text('reason')}"


def _moved(move: MoveRecord, event: Event, said: Recorded) -> MoveRecord:
    if event.kind is Kind.WRITE_OUTCOME and said.said("action") in ("", "set") and not move.outcome:
        return replace(move, outcome=said.text("outcome"), detail=said.said("detail"))
    if event.kind is Kind.FLAG_SEEN and move.outcome and move.seen_at is None:
        return replace(move, seen_at=event.at, seen_pct=_pct(said.percent("exposure")))
    return move


def _pct(percent: Percent | None) -> float | None:
    return None if percent is None else percent.value
