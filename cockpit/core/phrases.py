"""Lengths, instants and counts in words, for every line that tells of an event."""

from __future__ import annotations

from datetime import UTC, datetime

from cockpit.core.snapshot import Level

Line = tuple[str, Level]


def span(seconds: float) -> str:
    """A length of time as `1:02:07`, `4:05` or `0:00`; negative lengths keep their sign."""
    whole = round(abs(seconds))
    hours, rest = divmod(whole, 3600)
    sign = "-" if seconds < 0 and whole else ""
    if hours:
        return f"{sign}{hours}:{rest // 60:02}:{rest % 60:02}"
    return f"{sign}{rest // 60}:{rest % 60:02}"


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%H:%M:%S UTC")


def count_text(count: float | None) -> str:
    return "not counted" if count is None else f"{count:.10g}"


def with_detail(text: str, detail: str, join: str = ": ") -> str:
    return f"{text}{join}{detail}" if detail else text
