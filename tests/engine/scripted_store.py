"""A store whose counts, keys and rows a test chooses; it says everything that it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cockpit.adapters.base import AdapterError
from cockpit.core.model import Failure
from cockpit.core.parity import Count
from cockpit.core.parity_rows import Row


@dataclass
class ScriptedStore:
    """log is shared by the stores of one test, so that the order of questions can be told."""

    name: str
    log: list[str] = field(default_factory=list)
    counted: Callable[[], int] = lambda: 0
    changed: datetime | None = None
    keys: Sequence[str] = ()
    held: Mapping[str, Mapping[str, Row]] = field(default_factory=dict)
    trouble: str = ""

    def _asked(self, question: str) -> None:
        self.log.append(f"{self.name} {question}")
        if self.trouble:
            raise AdapterError(Failure(title=self.trouble))

    async def count(self, expression: str) -> Count:
        self._asked(f"count {expression}")
        return Count(n=self.counted())

    async def newest(self, expression: str) -> datetime | None:
        self._asked(f"newest {expression}")
        return self.changed

    async def sample(self, expression: str, size: int) -> Sequence[str]:
        self._asked(f"sample {expression} {size}")
        return self.keys

    async def rows(self, expression: str, keys: Sequence[str], *, key: str) -> Mapping[str, Row]:
        self._asked(f"rows {expression} {','.join(keys)} by {key}")
        return {name: row for name, row in self.held[expression].items() if name in keys}

    async def aclose(self) -> None:
        self._asked("close")
