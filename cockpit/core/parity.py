"""Do the data agree? What was counted and read on both sides, judged into one finding.

Two moving systems are never looked at in the same instant. So legacy is looked at twice, before and after
the new side: what changed in between is noise and proves nothing, whatever lies outside of it is a
difference. An estimate, a capped count and a table that shows nobody a row are unknown, never a match.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from cockpit.core.dataclass import dataclass
from cockpit.core.figures import length

FAR_AHEAD_S: Final = 600.0
"""Less than the smallest step between two time zones, 15 minutes."""


class Match(StrEnum):
    """NOISE: explained by what moved while looking. TOLERATED: outside of that, but the plan allows it."""

    EQUAL = "equal"
    NOISE = "within noise"
    TOLERATED = "within tolerance"
    DIFFERENT = "different"
    UNKNOWN = "unknown"

    @property
    def agrees(self) -> bool:
        return self in (Match.EQUAL, Match.NOISE, Match.TOLERATED)


class Exactness(StrEnum):
    """Only EXACT counts are compared. CAPPED: it stopped at a limit of its source. FILTERED: there may be
    rows that the source did not show us.
    """

    EXACT = "exact"
    ESTIMATE = "estimate"
    CAPPED = "capped"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Rows that one side counted with the plan's filter."""

    n: int
    exactness: Exactness = Exactness.EXACT
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which the sides differ. examples: keys of rows, and values where the plan lets them show."""

    what: str
    rows: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityValue:
    """What one look found. legacy, new: short figures for a row of the screen.

    apart: rows that new has more (+) or fewer (-) than noise explains, or mismatches per 1,000 compared
    rows, or seconds of lag; None when it cannot be told. compared: rows that went into it.
    """

    match: Match
    text: str
    legacy: str = ""
    new: str = ""
    apart: float | None = None
    compared: int = 0
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far apart counts may be: the larger of so many rows and so many percent of legacy's."""

    rows: int = 0
    percent: float = 0.0

    def of(self, n: int) -> float:
        return max(float(self.rows), n * self.percent / 100)


def unknown(text: str) -> ParityValue:
    return ParityValue(match=Match.UNKNOWN, text=text)


def compare_counts(
    before: Count, new: Count, after: Count, tolerance: Tolerance, *, never_empty: bool = False
) -> ParityValue:
    """Two counts of legacy with one of the new side in between.

    never_empty: the plan knows that there are rows, so 0 means that the reader may not see them.
    """
    for side, count in (("legacy", before), ("new", new), ("legacy", after)):
        if count.exactness is not Exactness.EXACT:
            why = f": {count.note}" if count.note else ""
            return unknown(f"{side} is {_article(count.exactness)}{why}; only exact counts are compared")
        if never_empty and count.n == 0:
            return unknown(f"{side} counts 0 rows of a table that has some: may the reader see them?")
    low, high = min(before.n, after.n), max(before.n, after.n)
    apart = new.n - high if new.n > high else new.n - low if new.n < low else 0
    found = ParityValue(
        match=Match.EQUAL,
        text=f"{new.n:,} rows on both sides",
        legacy=_span(low, high),
        new=f"{new.n:,}",
        apart=float(apart),
        compared=high,
    )
    if apart == 0:
        text = f"{new.n:,} rows, legacy moved from {before.n:,} to {after.n:,} meanwhile"
        return found if low == high else replace(found, match=Match.NOISE, text=text)
    allowed = tolerance.of(high)
    words = f"new has {abs(apart):,} rows {'more' if apart > 0 else 'fewer'} than legacy's {_span(low, high)}"
    if abs(apart) <= allowed:
        return replace(found, match=Match.TOLERATED, text=f"{words}; {allowed:,.0f} allowed")
    return replace(found, match=Match.DIFFERENT, text=words)


def _article(exactness: Exactness) -> str:
    return "an estimate" if exactness is Exactness.ESTIMATE else f"a {exactness} count"


def _span(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,}-{high:,}"


def compare_newest(
    before: datetime | None, new: datetime | None, after: datetime | None, *, max_lag_s: float
) -> ParityValue:
    """The newest change that each side knows of; the new side may lag by `max_lag_s` behind legacy.

    It may be ahead of legacy by what was written meanwhile, and by what its own users wrote. Far ahead
    (a time zone is a quarter of an hour at least) nobody can tell what lags behind it: unknown.
    """
    if before is None or after is None:
        return unknown("legacy told no newest change")
    if new is None:
        text = "the new side has no newest change, legacy has"
        return ParityValue(match=Match.DIFFERENT, text=text, legacy=_clock(after), new="none")
    lag_s = (min(before, after) - new).total_seconds()
    found = ParityValue(
        match=Match.EQUAL,
        text="the new side knows of legacy's newest change",
        legacy=_clock(after),
        new=_clock(new),
        apart=max(0.0, lag_s),
        compared=1,
    )
    ahead_s = (new - max(before, after)).total_seconds()
    if ahead_s > max(max_lag_s, FAR_AHEAD_S):
        why = "a time zone, or changes that legacy never got?"
        return replace(
            found, match=Match.UNKNOWN, text=f"the new side is {length(ahead_s)} ahead of legacy: {why}"
        )
    if ahead_s > 0:
        return replace(found, text=f"the new side knows of a change {length(ahead_s)} after legacy's newest")
    if lag_s <= 0:
        return found
    words = f"the new side is {length(lag_s)} behind"
    if lag_s <= max_lag_s:
        return replace(found, match=Match.TOLERATED, text=f"{words}; {length(max_lag_s)} allowed")
    return replace(found, match=Match.DIFFERENT, text=words)


def _clock(moment: datetime) -> str:
    return f"{moment:%m-%d %H:%M:%S}"
