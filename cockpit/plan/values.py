"""Single values of the plan: how each is read, and how a wrong one is explained.

Every reader takes the value as TOML gave it and returns it with its unit, or raises ValueError with
words for the author of the plan: what is wrong, and what was expected.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cockpit.core.clean import PLACEHOLDER, Percent, clean_text, finite_number, parse_duration
from cockpit.core.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Expected:
    """Annotation mark: how to say what belongs here. `pattern` describes it to editors."""

    words: str
    pattern: str | None = None


DURATION: Final = Expected('a duration such as "30s", "15m", "2h" or "2w"', r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$")
PERCENT: Final = Expected("a percentage from 0 to 100 with at most two decimals")
INSTANT: Final = Expected("a time with a zone such as 2026-08-03T22:00:00Z")

LONGEST_S: Final = 366 * 86_400.0
LINE_LIMIT: Final = 200
TEXT_LIMIT: Final = 2_000
QUERY_LIMIT: Final = 4_000
_PRINTED_BITS: Final = 1024
"""More than a float can hold. TOML reads 0xfff... of any length; Python refuses to print the longest."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.:/-]{0,63}")
_QUERY_SPACES: Final = str.maketrans("", "", "\n\t\r")


def toml_type(value: object) -> str:
    """What kind of TOML value this is, in words."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "true or false"),
        (str, "text"),
        (int, "a whole number"),
        (float, "a number"),
        ((datetime, date, time), "a date or time"),
        ((list, tuple), "a list"),
        (dict, "a table"),
    )
    return next((words for kind, words in kinds if isinstance(value, kind)), "another value")


def shown(value: object) -> str:
    """A short form of a value for a message; of lists and tables only what they are."""
    if isinstance(value, str):
        return f'"{clean_text(value, limit=60)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > _PRINTED_BITS:
        return "a number of hundreds of digits"
    if isinstance(value, int | float | datetime | date | time):
        return clean_text(value, limit=60)
    return toml_type(value)


def duration(raw: object) -> float:
    """Seconds, zero allowed."""
    if not isinstance(raw, str):
        raise ValueError(f"{shown(raw)} is not a duration; expected {DURATION.words}")
    try:
        seconds = parse_duration(raw)
    except ValueError:
        raise ValueError(f"{shown(raw)} is not a duration; expected {DURATION.words}") from None
    if seconds > LONGEST_S:
        raise ValueError(f"{shown(raw)} is too long; expected at most 366d")
    return seconds


def duration_text(seconds: float) -> str:
    """The way a person writes it: `90` becomes `1m30s`."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms" if seconds else "0s"
    words, left = "", seconds
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        count, left = divmod(left, size)
        words += f"{count:g}{unit}" if count else ""
    return f"{words}{left:g}s" if left or not words else words


def positive_duration(raw: object) -> float:
    seconds = duration(raw)
    if seconds <= 0:
        raise ValueError(f"{shown(raw)} is no time at all; expected more than 0s")
    return seconds


def interval(raw: object) -> float:
    """Seconds between two polls: not so short that it hurts, not so long that it is blind."""
    seconds = duration(raw)
    if not 0.5 <= seconds <= 3600:
        raise ValueError(f'{shown(raw)} does not fit; expected an interval from "500ms" to "1h"')
    return seconds


def budget(raw: object) -> float:
    """Seconds for a whole rollback. Below a minute its steps could not be told apart."""
    seconds = duration(raw)
    if not 60 <= seconds <= 86_400:
        raise ValueError(f'{shown(raw)} does not fit; expected a budget from "1m" to "24h"')
    return seconds


def percent(raw: object) -> Percent:
    if isinstance(raw, Percent):
        return raw
    try:
        if isinstance(raw, str):
            raise ValueError
        return Percent.parse(finite_number(raw))
    except ValueError:
        raise ValueError(f"{shown(raw)} does not fit; expected {PERCENT.words}") from None


def instant(raw: object) -> datetime:
    """An aware UTC datetime; TOML also knows times without a zone, which mean nothing here."""
    if not isinstance(raw, datetime):
        raise ValueError(f"{shown(raw)} is not a time; expected {INSTANT.words}, without quotes")
    if raw.tzinfo is None:
        raise ValueError(f"{shown(raw)} has no zone; expected {INSTANT.words}")
    try:
        return raw.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{shown(raw)} does not fit; expected {INSTANT.words}") from None


def line(raw: str) -> str:
    return _clean(raw, LINE_LIMIT)


def text(raw: str) -> str:
    """Words for people; line breaks become spaces, empty is allowed."""
    return _clean(raw, TEXT_LIMIT) if raw else ""


def name(raw: str) -> str:
    if not _NAME.fullmatch(raw) or raw != raw.strip():
        raise ValueError(
            f"{shown(raw)} is not a name; expected 1 to 64 letters, digits, spaces and _ . : / -, "
            "beginning with a letter or digit"
        )
    return raw


def flag_key(raw: str) -> str:
    """Flag services differ in what they allow; no service allows spaces or hidden characters."""
    if not raw or len(raw) > 200 or not raw.isprintable() or " " in raw:
        raise ValueError(f"{shown(raw)} is not a flag key; expected 1 to 200 characters without spaces")
    return raw


def query(raw: str) -> str:
    """An expression in the monitoring source's own language, kept as it is."""
    if not raw.strip():
        raise ValueError("the query is empty; expected an expression of the source that is asked")
    if len(raw) > QUERY_LIMIT:
        raise ValueError(f"the query is too long; expected at most {QUERY_LIMIT} characters")
    if not raw.translate(_QUERY_SPACES).isprintable():
        raise ValueError("the query holds hidden characters; expected plain text")
    return raw.strip()


def zone(raw: str) -> str:
    """The name of a time zone that this machine knows."""
    try:
        ZoneInfo(raw)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'{shown(raw)} is no time zone; expected a name such as "UTC"') from None
    return raw


def _clean(raw: str, limit: int) -> str:
    cleaned = clean_text(raw, limit=limit + 1)
    if not cleaned:
        raise ValueError("the text is empty; expected words")
    if PLACEHOLDER in cleaned and PLACEHOLDER not in raw:
        raise ValueError("the text holds hidden or control characters; expected plain text")
    if len(cleaned) > limit:
        raise ValueError(f"the text is too long; expected at most {limit} characters")
    return cleaned
