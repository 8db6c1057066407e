"""Numbers in the few words that the judge and the gates speak: shares, lengths of time, evidence."""

from __future__ import annotations


def rate(pct: float) -> str:
    """A rate of bad events in percent: `3.1%`, `0.02%`, `0%`."""
    if pct == 0:
        return "0%"
    if pct < 0.001:
        return "<0.001%"
    if pct < 0.1:
        return f"{pct:.2g}%"
    return f"{pct:.1f}%"


def times(new: float, legacy: float) -> str:
    """How many times legacy's rate the new one is: `3.4x`, `>1000x`. `legacy` is positive."""
    return ">1000x" if new > 1000 * legacy else f"{new / legacy:.1f}x"


def length(seconds: float) -> str:
    """A length of time at a glance: `40 s`, `6 min`, `3.5 h`, `2.1 d`. Seconds and minutes round up."""
    if seconds < 90:
        return f"{_up(seconds)} s"
    if seconds < 5400:
        return f"{_up(seconds / 60)} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} d"


def _up(number: float) -> int:
    whole = int(number)
    return whole if whole == number else whole + 1


def evidence_value(e: float) -> str:
    """An evidence value: `0.2`, `8.4`, `412`, `>1e6`."""
    if e >= 1e6:
        return ">1e6"
    return f"{e:.0f}" if e >= 10 else f"{e:.1f}"


def amount(number: float) -> str:
    """A number that was counted or measured, whatever it is of: `24`, `0.5`, `1 234 567`."""
    return f"{number:,.0f}".replace(",", " ") if abs(number) >= 1_000_000 else f"{number:g}"


def events(count: float) -> str:
    """A number of events, fractional only where monitoring gave fractions of few."""
    return f"{count:.0f}" if count >= 10 or count == int(count) else f"{count:.1f}"
