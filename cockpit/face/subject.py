"""What a row of a panel is about."""

from __future__ import annotations

from enum import StrEnum

from cockpit.core.dataclass import dataclass


class Topic(StrEnum):
    FLAG = "flag"
    PROBE = "probe"
    SIGNAL = "signal"
    PARITY = "parity check"
    ITEM = "check"
    ENTRY = "journal entry"


@dataclass(frozen=True, slots=True)
class Subject:
    """A row of a panel: what kind of thing, and its row key."""

    topic: Topic
    key: str
