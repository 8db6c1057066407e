"""Counters out of any JSON page: an expression is a JSON pointer (RFC 6901) to one number.

All expressions of a poll are read from one answer. What is not there, or is null, is no data and not
zero. A number in quotes counts as one, because many services quote large ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cockpit.adapters.credentials import Secrets
from cockpit.adapters.pointer import find, split_pointer
from cockpit.adapters.signals.page import Outcome, PageMonitor, open_page, refused
from cockpit.adapters.signals.settings import PageSettings
from cockpit.core.clean import clean_text, finite_number
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Quality, Sample

if TYPE_CHECKING:
    from datetime import datetime

    from cockpit.adapters.http import Answer, Web

_LONGEST_NUMBER: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPageSettings(PageSettings):
    """A JSON page that holds growing counters; expressions are JSON pointers such as "/orders/failed"."""


def build(settings: JsonPageSettings, web: Web, secret: Secrets, timeout_s: float) -> PageMonitor:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    return open_page(settings, web, secret, timeout_s, accept="application/json", read=read)


def read(answer: Answer, expressions: Sequence[str]) -> Mapping[str, Outcome]:
    """An outcome per expression. Raises BrokenAnswer when the page is no JSON."""
    body = answer.json()
    return {each: _read_one(body, each, answer.server_time) for each in expressions}


def _read_one(body: object, pointer: str, at: datetime | None) -> Outcome:
    try:
        split_pointer(pointer)
    except ValueError as error:
        return refused(pointer, str(error))
    try:
        value = find(body, pointer)
    except LookupError:
        return _withheld(Quality.NO_DATA, f"nothing at {_shown(pointer)} (this is not zero)", at)
    if value is None:
        return _withheld(Quality.NO_DATA, f"{_shown(pointer)} is null (this is not zero)", at)
    if isinstance(value, str) and len(value) > _LONGEST_NUMBER:
        return _withheld(Quality.ERROR, f"{_shown(pointer)} is a text", at)
    try:
        number = finite_number(value)
    except ValueError:
        return _withheld(Quality.ERROR, f"{_shown(pointer)} is no number", at)
    if number < 0:
        note = f"{_shown(pointer)} is {number:g}: a counter cannot be negative"
        return _withheld(Quality.ERROR, note, at)
    return Sample(value=number, quality=Quality.GOOD, source_time=at)


def _withheld(quality: Quality, note: str, at: datetime | None) -> Sample:
    return Sample(value=None, quality=quality, source_time=at, note=note)


def _shown(pointer: str) -> str:
    return clean_text(pointer, limit=80) or "the body"
