"""A flag writer of the tests: whatever it is asked to do goes through one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from cockpit.adapters.base import Preflight
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import FlagValue, WriteResult


class WritesByAction(ABC):
    @abstractmethod
    async def write(self, action: str, key: str, percent: Percent | None) -> WriteResult:
        """action: set, kill or zero."""

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        return await self.write("set", key, percent)

    async def kill(self, key: str) -> WriteResult:
        return await self.write("kill", key, None)

    async def zero(self, key: str) -> WriteResult:
        return await self.write("zero", key, ZERO)

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        return ()

    async def aclose(self) -> None:
        return None
