"""Rows as a store told them, made into cells that can be compared: text, numbers, truth, times, nothing.

Text is compared as it is, so it is not cleaned here; whatever of it is shown is cleaned where it is shown.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from cockpit.adapters.base import BrokenAnswer
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure
from cockpit.core.parity_rows import Cell, Row

KEY_LIMIT: Final = 500


def broken(title: str, detail: str = "") -> BrokenAnswer:
    return BrokenAnswer(Failure(title=clean_text(title), detail=clean_text(detail)))


def cell(raw: object) -> Cell:
    """One value. Lists and objects become canonical JSON, so that they can be compared at all.

    Raises BrokenAnswer for a number that is not finite or a value of an unknown type.
    """
    if raw is None or isinstance(raw, str | bool | datetime):
        return raw
    if isinstance(raw, Decimal):
        raw = int(raw) if raw.is_finite() and raw == raw.to_integral_value() else float(raw)
    if isinstance(raw, int | float):
        if not math.isfinite(raw):
            raise broken("a row holds a number that is not finite")
        return raw
    if isinstance(raw, dict | list | tuple):
        try:
            return json.dumps(raw, sort_keys=True, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError):
            raise broken("a row holds a value that cannot be compared") from None
    raise broken(f"a row holds a value of an unknown type: {type(raw).__name__}")


def key_text(raw: object) -> str:
    """A key as text: what legacy has as a number, the new side may have as text. Raises BrokenAnswer."""
    if isinstance(raw, bool) or not isinstance(raw, str | int) or raw == "":
        raise broken("a key is neither text nor a whole number")
    text = str(raw)
    if len(text) > KEY_LIMIT:
        raise broken("a key is longer than any key should be")
    return text


def sampled_keys(raws: Iterable[object], size: int) -> tuple[str, ...]:
    """Distinct keys, at most `size`. Raises BrokenAnswer."""
    return tuple(dict.fromkeys(key_text(raw) for raw in raws))[:size]


def keyed(rows: Iterable[Mapping[str, object]], wanted: Sequence[str], key: str) -> Mapping[str, Row]:
    """Rows by key. Refused are a row that nobody asked for, one without a key, and a key that comes twice."""
    asked, found = set(wanted), dict[str, Row]()
    for row in rows:
        if row.get(key) is None:
            raise broken(f'a row has no field "{key}" that holds its legacy key')
        name = key_text(row[key])
        if name not in asked:
            raise broken("a row came that was not asked for")
        if name in found:
            raise broken(f"two rows have the legacy key {name}")
        found[name] = {field: cell(value) for field, value in row.items()}
    return found


def moment(raw: object) -> datetime | None:
    """The newest change: a time, or milliseconds since 1970. Raises BrokenAnswer."""
    if raw is None:
        return None
    if isinstance(raw, datetime):
        return raw.astimezone(UTC) if raw.tzinfo is not None else raw.replace(tzinfo=UTC)
    if isinstance(raw, int | float) and not isinstance(raw, bool) and math.isfinite(raw):
        try:
            return datetime.fromtimestamp(raw / 1000, UTC)
        except (OverflowError, ValueError, OSError):
            raise broken("the newest change lies beyond any calendar") from None
    raise broken("the newest change is neither a time nor milliseconds")
