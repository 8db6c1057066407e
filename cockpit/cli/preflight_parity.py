"""What `cockpit check` says of stores and parity: one look of each check, as a flight would take it.

Reading is all that a look does. Data that differ are an answer, not a fault: before a backfill they have to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

from cockpit.adapters.base import AdapterError, Preflight, Store
from cockpit.core.model import Failure, Fault
from cockpit.core.parity import Count, Match
from cockpit.core.parity_rows import Row
from cockpit.core.parity_spec import ParitySpec, Question
from cockpit.engine.parity_look import look
from cockpit.engine.sources import Sources

T = TypeVar("T")

_COMPARED: Final = "both sides can be compared"
_READ: Final = "answers, and lets us read"


class AskedStore:
    """A store that remembers how it answered: a look that fails does not say which side it was."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.answered = False
        self.failure: Failure | None = None

    async def count(self, expression: str) -> Count:
        return await self._noted(self._store.count(expression))

    async def newest(self, expression: str) -> datetime | None:
        return await self._noted(self._store.newest(expression))

    async def sample(self, expression: str, size: int) -> Sequence[str]:
        return await self._noted(self._store.sample(expression, size))

    async def rows(self, expression: str, keys: Sequence[str], *, key: str) -> Mapping[str, Row]:
        return await self._noted(self._store.rows(expression, keys, key=key))

    async def aclose(self) -> None:
        """It is the store of somebody else, who closes it."""

    @property
    def asked(self) -> bool:
        return self.answered or self.failure is not None

    async def _noted(self, work: Awaitable[T]) -> T:
        try:
            value = await work
        except AdapterError as error:
            self.failure = error.failure
            raise
        except asyncio.CancelledError:
            self.failure = Failure(title="no answer in time", fault=Fault.NETWORK)
            raise
        self.answered = True
        return value


class ParityChecks:
    """`ask` takes one look, several at once if wanted; `stores` tells what they showed of the stores."""

    def __init__(self, sources: Sources) -> None:
        self._stores = {name: AskedStore(store) for name, store in sources.stores.items()}

    async def ask(self, spec: ParitySpec) -> Preflight:
        """One look, with the time that a flight gives it."""
        legacy, new = self._stores[spec.legacy.store], self._stores[spec.new.store]
        try:
            async with asyncio.timeout(spec.timeout_s):
                value = await look(spec, legacy, new)
        except AdapterError as error:
            if not new.asked:
                await _ask_alone(spec, new)
            return _line(spec, None, f"{error.failure.title} {error.failure.detail}".strip())
        except TimeoutError:
            return _line(spec, None, f"no answer in {spec.timeout_s:g} s")
        if value.match is Match.UNKNOWN:
            return _line(spec, None, value.text)
        return _line(spec, True, f"{value.match}: {value.text}")

    def stores(self) -> list[Preflight]:
        """A line of each store, after the looks."""
        return [_store_line(name, store) for name, store in self._stores.items()]


async def _ask_alone(spec: ParitySpec, new: AskedStore) -> None:
    """Legacy failed first, so nobody knows of the new side's store yet; what it says is kept in it."""
    try:
        async with asyncio.timeout(spec.timeout_s):
            match spec.question:
                case Question.COUNT:
                    await new.count(spec.new.ask)
                case Question.NEWEST:
                    await new.newest(spec.new.ask)
                case Question.ROWS if spec.new.sample:
                    await new.sample(spec.new.sample, 1)
    except (AdapterError, TimeoutError):
        return


def _store_line(name: str, store: AskedStore) -> Preflight:
    if store.answered:  # a question that it did not like is told with the check that asks it
        ok, detail = True, "it does"
    elif store.failure is not None:
        ok, detail = None, f"{store.failure.title} {store.failure.detail}".strip()
    else:
        ok, detail = None, "no parity check asks it, or none got that far"
    return Preflight(subject=f"store {name}", question=_READ, ok=ok, detail=detail)


def _line(spec: ParitySpec, ok: bool | None, detail: str) -> Preflight:
    return Preflight(subject=f"parity {spec.name}", question=_COMPARED, ok=ok, detail=detail)
