"""One look of one parity check: legacy, the new side, legacy again, and what the core makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cockpit.adapters.base import Store
from cockpit.core.parity import ParityValue, compare_counts, compare_newest
from cockpit.core.parity_rows import FieldKind, Row, RowsSeen, compare_rows
from cockpit.core.parity_spec import ParitySpec, Question


async def look(spec: ParitySpec, legacy: Store, new: Store) -> ParityValue:
    """Raises AdapterError when a side could not be asked."""
    match spec.question:
        case Question.COUNT:
            before = await legacy.count(spec.legacy.ask)
            counted = await new.count(spec.new.ask)
            after = await legacy.count(spec.legacy.ask)
            return compare_counts(before, counted, after, spec.tolerance, never_empty=spec.never_empty)
        case Question.NEWEST:
            first = await legacy.newest(spec.legacy.ask)
            latest = await new.newest(spec.new.ask)
            second = await legacy.newest(spec.legacy.ask)
            return compare_newest(first, latest, second, max_lag_s=spec.max_lag_s)
        case Question.ROWS:
            seen = await _rows(spec, legacy, new)
            return compare_rows(seen, spec.fields, tolerance_per_mille=spec.per_mille)


async def _rows(spec: ParitySpec, legacy: Store, new: Store) -> RowsSeen:
    keys = await legacy.sample(spec.legacy.sample, spec.size)
    before = await _by_key(legacy, spec.legacy.rows, keys, spec.legacy.key)
    found = await _by_key(new, spec.new.rows, keys, spec.new.key)
    ids = {
        rule.table: await _ids(new, rule.table, _referred(before, rule.legacy), spec.new.key)
        for rule in spec.fields
        if rule.kind is FieldKind.REFERENCE
    }
    again = await _by_key(legacy, spec.legacy.rows, keys, spec.legacy.key)
    surplus = await _surplus(spec, legacy, new)
    unread = len(keys) - len(before)
    return RowsSeen(legacy=before, again=again, new=found, ids=ids, only_new=surplus, unread=unread)


async def _by_key(store: Store, expression: str, keys: Sequence[str], key: str) -> Mapping[str, Row]:
    return await store.rows(expression, keys, key=key) if keys else {}


def _referred(rows: Mapping[str, Row], field: str) -> tuple[str, ...]:
    values = (row.get(field) for row in rows.values())
    return tuple(dict.fromkeys(str(value) for value in values if value is not None))


async def _ids(new: Store, expression: str, keys: Sequence[str], key: str) -> Mapping[str, str]:
    """Legacy's keys of the rows that are referred to, and the ids that the new side gave those rows."""
    rows = await _by_key(new, expression, keys, key)
    return {name: str(row["_id"]) for name, row in rows.items() if row.get("_id") is not None}


async def _surplus(spec: ParitySpec, legacy: Store, new: Store) -> Sequence[str]:
    """Keys sampled on the new side that legacy does not have."""
    if not spec.new.sample:
        return ()
    keys = await new.sample(spec.new.sample, spec.size)
    there = await _by_key(legacy, spec.legacy.rows, keys, spec.legacy.key)
    return tuple(key for key in keys if key not in there)
