"""What a monitoring plugin prints: one line of words, and numbers behind a bar.

The convention is that of the Monitoring Plugins Development Guidelines: `WORDS | 'label'=value[UOM];
[warn];[crit];[min];[max]`, more words on further lines, and after a second bar more numbers. A value of
`U` means that the plugin could not tell. Limits are ranges ("10", "10:20", "@10:20", "~:10") and stay text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cockpit.core.clean import clean_text, finite_number
from cockpit.core.dataclass import dataclass

NUMBERS_LIMIT: Final = 20
_LABEL_LIMIT: Final = 40
_LIMIT_LIMIT: Final = 24
_ITEM: Final = re.compile(r"\s*(?:'(?P<quoted>(?:[^']|'')+)'|(?P<plain>[^\s='|][^\s=|]*))=(?P<rest>[^\s']*)")
_VALUE: Final = re.compile(
    r"(?P<number>[-+]?(?:\d[\d.,]*|\.\d+)(?:[eE][-+]?\d{1,3})?)(?P<unit>[^\d.,;]{0,8})\Z"
)
_SECONDS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One number of a plugin. `value` is None where the plugin says that it could not tell."""

    label: str
    value: float | None
    unit: str = ""
    warn: str = ""
    crit: str = ""
    least: str = ""
    most: str = ""

    @property
    def words(self) -> str:
        """Such as "0.38 s (warn 5, crit 10, min 0)"."""
        if self.value is None:
            return "not known to the plugin"
        number = f"{self.value:.0f}" if self.value == int(self.value) else f"{self.value:.6g}"
        limits = (("warn", self.warn), ("crit", self.crit), ("min", self.least), ("max", self.most))
        told = ", ".join(f"{name} {text}" for name, text in limits if text)
        return f"{number}{self.unit}" + (f" ({told})" if told else "")

    @property
    def milliseconds(self) -> float | None:
        """The value as a length of time, None when it is not one."""
        factor = _SECONDS.get(self.unit)
        return None if self.value is None or factor is None or self.value < 0 else self.value * factor * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """line: the first line of words, clean. unreadable: how many items behind the bar were no numbers."""

    line: str
    measured: tuple[Measured, ...] = ()
    unreadable: int = 0


def read_output(text: str) -> Said:
    """Whatever a program printed. Never raises: what is not of the convention is left out and counted."""
    lines = text.splitlines()
    first, _, numbers = (lines[0] if lines else "").partition("|")
    more_words, _, more = "\n".join(lines[1:]).partition("|")
    words = clean_text(first) or next(filter(None, map(clean_text, more_words.splitlines())), "")
    items = [*_items(numbers), *_items(more.replace("\n", " "))]
    measured = [each for each in items if each is not None]
    return Said(line=words, measured=tuple(measured[:NUMBERS_LIMIT]), unreadable=len(items) - len(measured))


def _items(text: str) -> Iterator[Measured | None]:
    """One after the other; None for an item that cannot be read."""
    position = 0
    while position < len(text) and text[position:].strip():
        found = _ITEM.match(text, position)
        if found is None:
            step = re.compile(r"\s*\S+").match(text, position)
            position = step.end() if step else len(text)
            yield None
        else:
            position = found.end()
            yield _measured(found)


def _measured(found: re.Match[str]) -> Measured | None:
    raw = (found["quoted"] or "").replace("''", "'") or found["plain"]
    label = clean_text(raw, limit=_LABEL_LIMIT)
    value, *limits = found["rest"].split(";")
    warn, crit, least, most = (clean_text(each, limit=_LIMIT_LIMIT) for each in (*limits, "", "", "", "")[:4])
    if value == "U":
        return Measured(label=label, value=None)
    parts = _VALUE.match(value)
    if parts is None:
        return None
    try:
        number = finite_number(_with_point(parts["number"]))
    except ValueError:
        return None
    unit = clean_text(parts["unit"], limit=8)
    return Measured(label=label, value=number, unit=unit, warn=warn, crit=crit, least=least, most=most)


def _with_point(number: str) -> str:
    """A plugin that follows the host's language writes 0,38."""
    return number.replace(",", ".") if number.count(",") == 1 and "." not in number else number
