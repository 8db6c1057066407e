"""The edge at which the engine's own faults end: shown until they are over, journalled once, never fatal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Protocol, TypeVar

from cockpit.core.clean import clean_text
from cockpit.core.snapshot import Level, Reason

T = TypeVar("T")


class Guard:
    """tell: journals a fault's words; it may fail too, and is asked once per fault."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._faults: dict[str, str] = {}

    def run(self, part: str, work: Callable[[], T]) -> T | None:
        """Do one part of a turn; None when it broke. A part that works again is no fault any more."""
        try:
            done = work()
        except Exception as error:  # the turn's edge
            self.note(part, error)
            return None
        self._faults.pop(part, None)
        return done

    async def see_through(self, part: str, work: Awaitable[None]) -> None:
        """The same of something that goes on beside the turns: without it the flight goes on."""
        try:
            await work
        except Exception as error:  # the poll edge
            self.note(part, error)

    def note(self, part: str, error: Exception) -> None:
        words = clean_text(f"{part}: {type(error).__name__}: {error}")
        if self._faults.get(part) == words:
            return
        self._faults[part] = words
        with suppress(Exception):  # the record of a fault must not be the next one
            self._tell(f"the cockpit's own fault: {words}")

    def reasons(self) -> Iterator[Reason]:
        for words in self._faults.values():
            yield Reason(level=Level.BAD, subject="cockpit", what=f"own fault, {words}")


class _Tells(Protocol):
    def reasons(self) -> Iterator[Reason]: ...


def told_by(*parts: _Tells) -> tuple[Reason, ...]:
    """What all of them have to say on the screen."""
    return tuple(reason for part in parts for reason in part.reasons())
