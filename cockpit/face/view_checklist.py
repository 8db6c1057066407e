"""The checklist in words: what is signed, by whom, and what is not, phase by phase."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cockpit.core.checklist import ItemState, ItemStatus
from cockpit.core.snapshot import Snapshot
from cockpit.face.view import Line, Role, Row, Word, age, cell, cells, clip, safe, since, time_left
from cockpit.face.view_lines import wrapped
from cockpit.face.view_page import LABEL, plain, section, stated

ITEM_WORD: Final = {
    ItemState.SIGNED: Word("✓", "SIGNED", Role.OK),
    ItemState.OPEN: Word("○", "OPEN", Role.NOTE),
    ItemState.EXPIRED: Word("~", "EXPIRED", Role.WARN),
    ItemState.CHANGED: Word("~", "CHANGED", Role.WARN),
}
NO_PHASE: Final = "other checks"


def phase_key(phase: str) -> str:
    """The row key of a phase's heading; no item's name can begin like this."""
    return f"\N{SECTION SIGN}{phase}"


def checklist_rows(snapshot: Snapshot, now: datetime, width: int) -> tuple[Row, ...]:
    """Every phase with its items; a phase of the plan without any says so."""
    rows: list[Row] = []
    for phase in _phases(snapshot):
        items = [item for item in snapshot.checklist if item.phase == phase]
        rows.append(Row(key=phase_key(phase), lines=(_heading(phase, items, width),)))
        rows.extend(Row(key=item.name, lines=(_line(item, now, width),)) for item in items)
    return tuple(rows)


def _phases(snapshot: Snapshot) -> tuple[str, ...]:
    """The plan's order, then what belongs to none of its phases."""
    return tuple(dict.fromkeys((*snapshot.phases, *(item.phase for item in snapshot.checklist))))


def _heading(phase: str, items: list[ItemStatus], width: int) -> Line:
    title = (f"{safe(phase) or NO_PHASE}  ", Role.STRONG)
    if not items:
        return clip((title, ("no checks defined", Role.WARN)), width)
    done = sum(item.state is ItemState.SIGNED for item in items)
    role = Role.OK if done == len(items) else Role.DIM
    return clip((title, (f"{done} of {len(items)} signed", role)), width)


def column_titles(width: int) -> Line:
    who = _who_width(width)
    titles = (cell(11, "  state"), cell(max(4, width - 11 - who - 2), "check"), cell(who, "by"))
    return tuple((text, Role.DIM) for text, _ in cells(*titles))


def _who_width(width: int) -> int:
    return 26 if width >= 60 else 0


def _line(item: ItemStatus, now: datetime, width: int) -> Line:
    word, who = ITEM_WORD[item.state], _who_width(width)
    by = f"{safe(item.by)} {since(item.at, now)} ago" if item.at is not None else ""
    return cells(
        cell(11, Word(f"  {word.glyph}", word.text, word.role)),
        cell(max(4, width - 11 - who - 2), item.title),
        cell(who, by, Role.DIM),
    )


def summary(snapshot: Snapshot) -> str:
    """`12 of 45 signed`; empty without a checklist."""
    items = snapshot.checklist
    done = sum(item.state is ItemState.SIGNED for item in items)
    return f"{done} of {len(items)} signed" if items else ""


def item_page(item: ItemStatus, now: datetime, width: int) -> tuple[Line, ...]:
    return (
        stated("state", ITEM_WORD[item.state].segment, (f"  {_why(item)}", Role.TEXT)),
        *_long("what", item.title, width),
        plain("phase", item.phase or NO_PHASE),
        plain("needed for", ", ".join(item.flags) or "every flag"),
        plain("from", str(item.from_percent) if item.from_percent.hundredths else "the first stage on"),
        *_long("to be noted", item.evidence or "nothing: the name is enough", width),
        *section("Signature"),
        plain("by", item.by),
        plain("at", f"{item.at:%Y-%m-%d %H:%M:%S} UTC, {since(item.at, now)} ago" if item.at else ""),
        *_long("note", item.note, width),
        plain("holds", _holds(item, now)),
    )


def _why(item: ItemStatus) -> str:
    return {
        ItemState.OPEN: "nobody has signed it",
        ItemState.SIGNED: "",
        ItemState.EXPIRED: "signed too long ago: it has to be looked at again",
        ItemState.CHANGED: "since it was signed the plan words it differently or names another environment",
    }[item.state]


def _holds(item: ItemStatus, now: datetime) -> str:
    if item.expires_at is None:
        return "for the whole cutover" if item.at is not None else ""
    left_s = (item.expires_at - now).total_seconds()
    return f"{time_left(left_s)} more" if left_s > 0 else f"ended {age(-left_s)} ago"


def _long(label: str, text: str, width: int) -> Iterator[Line]:
    rows = wrapped(text, max(10, width - LABEL)) or ("",)
    for index, row in enumerate(rows):
        yield plain("" if index else label, row)
