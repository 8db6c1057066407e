"""Untrusted text and numbers, made safe once at the edge.

Everything that a network, a file or a child process says passes through here before it becomes
part of a value. Text loses the bytes a terminal would act on; numbers are finite or they are refused.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime
from typing import Final

from cockpit.core.dataclass import dataclass

PLACEHOLDER: Final = "\N{REPLACEMENT CHARACTER}"
TEXT_LIMIT: Final = 300

_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ZERO_WIDTH: Final = frozenset("\u00ad\u180e\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff")
_SPACES: Final = frozenset("\t\n\r\v\f\u0085\u2028\u2029")
_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def clean_text(raw: object, *, limit: int = TEXT_LIMIT) -> str:
    """One line of text that is safe to print on any terminal.

    Line breaks and tabs become one space. C0, DEL, C1, bidi controls, zero-width characters,
    surrogates, private-use and unassigned code points each become U+FFFD, so that what was
    removed stays visible. More than two combining marks in a row are cut. Longer than `limit`
    characters ends in an ellipsis.
    """
    text = raw if isinstance(raw, str) else str(raw)
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()  # most of what anybody says: nothing in it needs to be looked at by itself
    out: list[str] = []
    marks = 0
    for char in text[: limit * 4 + 64]:
        if char in _SPACES:
            char = " "
        elif char in _BIDI or char in _ZERO_WIDTH or unicodedata.category(char) in _HIDDEN_CATEGORIES:
            char = PLACEHOLDER
        if unicodedata.combining(char):
            marks += 1
            if marks > 2:
                continue
        else:
            marks = 0
        if char == " " and out and out[-1] == " ":
            continue
        out.append(char)
    cleaned = "".join(out).strip()
    if len(cleaned) > limit:
        return cleaned[: limit - 1].rstrip() + "…"
    return cleaned


def finite_number(raw: object) -> float:
    """A finite float from an untrusted number or numeric string.

    Raises ValueError for NaN, infinities, booleans, empty or non-numeric input. Negative zero
    becomes zero.
    """
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError(f"not a number: {clean_text(raw, limit=40)!r}")
    if isinstance(raw, str) and ("_" in raw or not raw.isascii()):
        raise ValueError(f"not a number: {clean_text(raw, limit=40)!r}")
    try:
        number = float(raw)
    except (ValueError, OverflowError):
        raise ValueError(f"not a number: {clean_text(raw, limit=40)!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"not a finite number: {clean_text(raw, limit=40)}")
    return number + 0.0


@dataclass(frozen=True, slots=True, order=True)
class Percent:
    """A share between 0 and 100 percent, in steps of 0.01, held as an integer of hundredths."""

    hundredths: int

    def __post_init__(self) -> None:
        if not 0 <= self.hundredths <= 10_000:
            raise ValueError(f"a percentage lies between 0 and 100, not {self.hundredths / 100:g}")

    @classmethod
    def parse(cls, raw: object) -> Percent:
        """Parse a number or numeric string, 0 to 100 with at most two decimals.

        Raises ValueError; nothing is clamped and nothing is rounded away silently.
        """
        number = finite_number(raw)
        scaled = number * 100
        if not 0 <= number <= 100:
            raise ValueError(f"a percentage lies between 0 and 100, not {clean_text(raw, limit=40)}")
        if abs(scaled - round(scaled)) > 1e-6:
            raise ValueError(f"a percentage has at most two decimals, not {clean_text(raw, limit=40)}")
        return cls(round(scaled))

    @classmethod
    def of(cls, part: float, whole: float) -> Percent:
        """The share of `part` in `whole`, rounded to 0.01. Raises ValueError when `whole` is not positive."""
        if not (math.isfinite(part) and math.isfinite(whole)) or whole <= 0 or not 0 <= part <= whole:
            raise ValueError(f"no share of {part:g} in {whole:g}")
        return cls(round(10_000 * part / whole))

    @property
    def value(self) -> float:
        return self.hundredths / 100

    def __str__(self) -> str:
        return f"{self.value:g}%"


ZERO: Final = Percent(0)
FULL: Final = Percent(10_000)

LONGEST_S: Final = 1e15

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_duration(raw: object) -> float:
    """Seconds from text such as `"30s"`, `"15m"`, `"1h30m"`, `"2w"`, `"250ms"`. Raises ValueError.

    Always finite: more digits than a float can hold give LONGEST_S.
    """
    if not isinstance(raw, str) or not raw:
        raise ValueError('a duration is text such as "30s", "15m", "2h" or "2w"')
    total, end = 0.0, 0
    for match in _DURATION.finditer(raw):
        if match.start() != end:
            break
        total += float(match[1]) * _UNIT_S[match[2]]
        end = match.end()
    if end != len(raw):
        raise ValueError(f'not a duration: {clean_text(raw, limit=40)!r}; write "30s", "15m", "2h" or "2w"')
    return total if math.isfinite(total) else LONGEST_S


def parse_instant(raw: object) -> datetime:
    """An aware UTC datetime from ISO 8601 text. Raises ValueError for naive or broken input."""
    if not isinstance(raw, str) or len(raw) > 40:
        raise ValueError(f"not a time: {clean_text(raw, limit=40)!r}")
    moment = datetime.fromisoformat(raw)
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {clean_text(raw, limit=40)!r}")
    return moment.astimezone(UTC)
