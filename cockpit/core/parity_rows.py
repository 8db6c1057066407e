"""Rows of both sides against each other, field by field, with the transforms that the migration made.

A row is found on the new side by the key that it had on legacy. What differs is named by field and counted;
the way in which it differs is named too where all of it has one cause: a time zone, seconds for
milliseconds, an id that still is legacy's, a field that was never carried over. Values stay out of the
finding unless the plan lets a field show; keys of example rows are in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Final

from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.figures import length
from cockpit.core.parity import Difference, Match, ParityValue, unknown

Cell = str | int | float | bool | None | datetime
Row = Mapping[str, Cell]
EXAMPLES: Final = 3
ROUNDING_MS: Final = 1.0
"""Legacy keeps microseconds, the new side milliseconds: less than this apart is the same instant."""


class FieldKind(StrEnum):
    SAME = "same"
    INSTANT = "instant"
    ENUM = "enum"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """One field on both sides. INSTANT: legacy's time (without a zone: in `zone`) is new's milliseconds.
    ENUM: legacy's value to new's, others are the same on both. REFERENCE: legacy's key of a row of `table`
    is new's id of that row. empty: what new has where legacy has nothing (absent is the same as null).
    """

    legacy: str
    new: str
    kind: FieldKind = FieldKind.SAME
    zone: tzinfo = UTC
    values: Mapping[str, Cell] = field(default_factory=dict)
    table: str = ""
    empty: Cell = None
    shows: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsSeen:
    """One look. legacy and again: the sampled rows by key, before and after the new side was asked.

    ids: per table that a REFERENCE names, legacy's key to the new side's id. only_new: keys sampled on the
    new side that legacy does not have. unread: sampled keys that legacy's own rows were without.
    """

    legacy: Mapping[str, Row]
    again: Mapping[str, Row]
    new: Mapping[str, Row]
    ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    only_new: Sequence[str] = ()
    unread: int = 0


@dataclass(frozen=True, slots=True)
class _Miss:
    key: str
    cause: str
    legacy: Cell
    new: Cell


def compare_rows(seen: RowsSeen, rules: Sequence[FieldRule], *, tolerance_per_mille: float) -> ParityValue:
    """Every sampled row that stood still while both sides were read, against new's row of that key."""
    still = [key for key, row in seen.legacy.items() if seen.again.get(key) == row]
    moved = len(seen.legacy) - len(still)
    if not still:
        return unknown(
            "every sampled row changed while it was read" if moved else "legacy has no row to sample"
        )
    missing = [key for key in still if key not in seen.new]
    found = [key for key in still if key in seen.new]
    differences = [*_missing(missing, found), *_surplus(seen.only_new)]
    wrong = set(missing)
    for rule in rules:
        misses = [miss for key in found if (miss := _miss(rule, key, seen)) is not None]
        wrong.update(miss.key for miss in misses)
        differences.extend(_by_cause(rule, misses, len(found)))
    unseen = _unseen(seen, rules)
    if unseen and not differences:
        return unknown(unseen)
    return _value(len(still), moved, len(wrong) + len(seen.only_new), differences, tolerance_per_mille)


def _unseen(seen: RowsSeen, rules: Sequence[FieldRule]) -> str:
    """Why rows that are all alike prove nothing; empty when they do."""
    if seen.unread > len(seen.legacy):
        sampled = len(seen.legacy) + seen.unread
        return f"legacy gave {len(seen.legacy)} of {sampled} sampled rows: does its query leave some out?"
    for rule in rules:
        asked = any(rule.legacy in row for row in seen.legacy.values())
        if not asked and all(row.get(rule.new) is None for row in seen.new.values()):
            name = clean_text(rule.legacy, limit=60)
            return f"no sampled row of either side has the field {name}: is that its name?"
    return ""


def _value(
    compared: int, moved: int, wrong: int, differences: Sequence[Difference], tolerance: float
) -> ParityValue:
    per_mille = 1000 * wrong / compared
    moving = f", {moved} moved meanwhile" if moved else ""
    if not wrong:
        match, text = Match.NOISE if moved else Match.EQUAL, f"{compared} rows compared, all alike{moving}"
    else:
        match = Match.TOLERATED if per_mille <= tolerance else Match.DIFFERENT
        text = f"{wrong} of {compared} rows differ ({per_mille:.0f} per 1,000){moving}: {differences[0].what}"
    return ParityValue(
        match=match,
        text=text,
        legacy=f"{compared} rows",
        new=f"{wrong} differ",
        apart=per_mille,
        compared=compared,
        differences=tuple(differences),
    )


def _missing(missing: Sequence[str], found: Sequence[str]) -> list[Difference]:
    if not missing:
        return []
    words = f"{len(missing)} rows are not on the new side"
    if not found:
        words = (
            f"none of {len(missing)} sampled rows is found by its legacy key: was the key stored on import?"
        )
    return [Difference(what=words, rows=len(missing), examples=_keys(missing))]


def _surplus(only_new: Sequence[str]) -> list[Difference]:
    if not only_new:
        return []
    what = f"{len(only_new)} rows of the new side are not on legacy"
    return [Difference(what=what, rows=len(only_new), examples=_keys(only_new))]


def _keys(keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(clean_text(key, limit=60) for key in keys[:EXAMPLES])


def _by_cause(rule: FieldRule, misses: Sequence[_Miss], found: int) -> list[Difference]:
    """One difference per cause, the most frequent first."""
    causes: dict[str, list[_Miss]] = {}
    for miss in misses:
        causes.setdefault(miss.cause, []).append(miss)
    ordered = sorted(causes.items(), key=lambda item: -len(item[1]))
    return [
        Difference(
            what=f"{clean_text(rule.new, limit=60)} {cause} in {_share(len(rows), found)}",
            rows=len(rows),
            examples=tuple(_example(rule, miss) for miss in rows[:EXAMPLES]),
        )
        for cause, rows in ordered
    ]


def _share(rows: int, found: int) -> str:
    return f"all {found} rows" if rows == found else f"{rows} of {found} rows"


def _example(rule: FieldRule, miss: _Miss) -> str:
    key = clean_text(miss.key, limit=60)
    return f"{key}: {_shown(miss.legacy)} / {_shown(miss.new)}" if rule.shows else key


def _shown(cell: Cell) -> str:
    return "nothing" if cell is None else clean_text(cell, limit=40)


def _miss(rule: FieldRule, key: str, seen: RowsSeen) -> _Miss | None:
    legacy, new = seen.legacy[key].get(rule.legacy), seen.new[key].get(rule.new)
    cause = _cause(rule, legacy, new, seen.ids.get(rule.table, {}))
    return _Miss(key, cause, legacy, new) if cause else None


def _cause(rule: FieldRule, legacy: Cell, new: Cell, ids: Mapping[str, str]) -> str:
    """How the new side's value is not what legacy's should have become; empty when it is."""
    if legacy is None:
        return "" if new is None or new == rule.empty else "is set where legacy has nothing"
    if new is None:
        return "is absent"
    match rule.kind:
        case FieldKind.SAME:
            return "" if _same(legacy, new) else "differs"
        case FieldKind.ENUM:
            return "" if _same(rule.values.get(str(legacy), legacy), new) else "is not the mapped value"
        case FieldKind.INSTANT:
            return _instant_cause(legacy, new, rule.zone)
        case FieldKind.REFERENCE:
            return _reference_cause(str(legacy), new, ids)


def _same(legacy: Cell, new: Cell) -> bool:
    """Equal in value and in kind: "1", 1 and true are three different things to a program."""
    if isinstance(legacy, bool) or isinstance(new, bool):
        return legacy is new
    if isinstance(legacy, int | float) and isinstance(new, int | float):
        return legacy == new
    return type(legacy) is type(new) and legacy == new


def _instant_cause(legacy: Cell, new: Cell, zone: tzinfo) -> str:
    expected_ms = _milliseconds(legacy, zone)
    if expected_ms is None:
        return "cannot be compared: legacy's is no time"
    if isinstance(new, bool) or not isinstance(new, int | float):
        return "is no number of milliseconds"
    off_ms = new - expected_ms
    if abs(off_ms) <= ROUNDING_MS:
        return ""
    if abs(new * 1000 - expected_ms) <= 1000:
        return "is in seconds, not milliseconds"
    off_s = round(off_ms / 1000)
    if off_s and off_s % 900 == 0 and abs(off_s) <= 14 * 3600:
        return f"is off by exactly {'+' if off_s > 0 else '-'}{length(abs(off_s))} (time zone?)"
    return "is another instant"


def _milliseconds(cell: Cell, zone: tzinfo) -> float | None:
    if isinstance(cell, str):
        try:
            cell = datetime.fromisoformat(cell)
        except ValueError:
            return None
    if not isinstance(cell, datetime):
        return None
    moment = cell if cell.tzinfo is not None else cell.replace(tzinfo=zone)
    return moment.timestamp() * 1000


def _reference_cause(legacy: str, new: Cell, ids: Mapping[str, str]) -> str:
    expected = ids.get(legacy)
    if new == legacy and new != expected:
        return "still is legacy's id"
    if expected is None:
        return "refers to a row that is not on the new side"
    return "" if new == expected else "refers to another row"
