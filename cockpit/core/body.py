"""Reading an event's body back: JSON values to typed ones, one place for the checks.

Every function raises ValueError naming the field when a journal holds something else than it should.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from cockpit.core.clean import Percent, finite_number, parse_instant

Body = Mapping[str, object]


def text(body: Body, key: str) -> str:
    """Text, empty when the field is missing or null."""
    value = body.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key}: expected text")
    return value


def texts(body: Body, key: str) -> tuple[str, ...]:
    """A list of texts, empty when the field is missing or null."""
    rows = body.get(key)
    if rows is None:
        return ()
    if not isinstance(rows, list | tuple) or not all(isinstance(row, str) for row in rows):
        raise ValueError(f"{key}: expected a list of text")
    return tuple(rows)


def number(body: Body, key: str) -> float:
    try:
        return finite_number(body.get(key))
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def instant(body: Body, key: str) -> datetime:
    try:
        return parse_instant(body.get(key))
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def optional_instant(body: Body, key: str) -> datetime | None:
    return None if body.get(key) is None else instant(body, key)


def percent(body: Body, key: str) -> Percent | None:
    """A percentage stored as whole hundredths; None when null or missing."""
    raw = body.get(key)
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise ValueError(f"{key}: expected whole hundredths of a percent")
    return Percent(raw)


def objects(body: Body, key: str) -> Sequence[Body]:
    rows = body.get(key)
    if not isinstance(rows, list | tuple) or not all(isinstance(row, Mapping) for row in rows):
        raise ValueError(f"{key}: expected a list of objects")
    return rows
