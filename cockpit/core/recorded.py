"""Reading what an event's body says, whoever wrote it and however much of it is there.

Journals outlive versions: a field may be missing, empty or of another type. Nothing here raises, nothing
is made up: what cannot be read is None, or `NOT_RECORDED` where words are wanted. Text comes out clean.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from cockpit.core.clean import Percent, clean_text, finite_number, parse_instant

NOT_RECORDED: Final = "not recorded"


class Recorded:
    """One JSON object out of a journal."""

    __slots__ = ("_fields",)

    def __init__(self, body: object) -> None:
        self._fields: Mapping[str, object] = body if isinstance(body, Mapping) else {}

    def said(self, name: str) -> str:
        """Text or number as clean text; empty for anything else and for nothing."""
        value = self._fields.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return ""
        if isinstance(value, str):
            return clean_text(value)
        number = self.number(name)
        return "" if number is None else f"{number:.10g}"

    def text(self, name: str) -> str:
        return self.said(name) or NOT_RECORDED

    def number(self, name: str) -> float | None:
        value = self._fields.get(name)
        if isinstance(value, str):
            return None
        try:
            return finite_number(value)
        except ValueError:
            return None

    def yes(self, name: str) -> bool | None:
        value = self._fields.get(name)
        return value if isinstance(value, bool) else None

    def percent(self, name: str) -> Percent | None:
        """A percentage, which bodies hold as whole hundredths."""
        value = self._fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10_000:
            return None
        return Percent(value)

    def percent_text(self, name: str) -> str:
        percent = self.percent(name)
        return NOT_RECORDED if percent is None else str(percent)

    def instant(self, name: str) -> datetime | None:
        try:
            return parse_instant(self._fields.get(name))
        except (ValueError, OverflowError):
            return None

    def objects(self, name: str) -> tuple[Recorded, ...]:
        """A list of objects; members that are none are left out."""
        return tuple(Recorded(item) for item in self._list(name) if isinstance(item, Mapping))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, or one text as a list of one."""
        value = self._fields.get(name)
        if isinstance(value, str):
            return (clean_text(value),) if value else ()
        return tuple(clean_text(item) for item in self._list(name) if isinstance(item, str))

    def counters(self, name: str) -> tuple[tuple[str, float | None], ...]:
        """A list of [name, number or null]."""
        pairs = [item for item in self._list(name) if isinstance(item, list | tuple) and len(item) == 2]
        return tuple(
            (clean_text(label), Recorded({"count": count}).number("count")) for label, count in pairs
        )

    def _list(self, name: str) -> list[object] | tuple[object, ...]:
        value = self._fields.get(name)
        return value if isinstance(value, list | tuple) else ()
