"""An item of a Vercel Edge Config as a lever: a number from 0 to 100 that your own code reads.

What it is built around, from the vendor's documentation (never run against the service): nothing guards
against a stale write, so the item is read right before; an upsert makes what is not there, so that is
looked for first; the API has the new value at once, readers at the edge some seconds later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer, Preflight, RefusedByService
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.flags.lines import trouble_line
from cockpit.adapters.flags.outcome import answered, not_read_back, not_written, reported, unanswered, unknown
from cockpit.adapters.flags.reading import lines_of_each, read_each
from cockpit.adapters.flags.turns import Turn, Turns, must_be_as_expected
from cockpit.adapters.flags.vercel_host import Name, VercelSettings, open_host
from cockpit.adapters.http_path import plan_fault, segment
from cockpit.core.agreement import setting_words
from cockpit.core.clean import ZERO, Percent, clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, FlagValue, WriteResult

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost, Web

_GLANCE_S: Final = 1.0
_KEY: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


@dataclass(frozen=True, slots=True, kw_only=True)
class VercelEdgeSettings(VercelSettings):
    """One Edge Config. The key of a flag is the key of an item that holds a number from 0 to 100."""

    edge_config: Name
    """Its id (ecfg_...)."""


class _Items:
    def __init__(self, settings: VercelEdgeSettings, host: HttpHost) -> None:
        self._settings = settings
        self._base = f"/v1/edge-config/{segment(settings.edge_config)}"
        self.host = host

    async def look(self, key: str) -> FlagValue:
        """Raises AdapterError."""
        if not key or not set(key) <= _KEY:
            raise plan_fault("the key of an item is letters, digits, _ and -")
        answer = await self.host.get(f"{self._base}/item/{segment(key)}", params=self._settings.params)
        answer.raise_for_status()
        return item_value(answer.json(), key)

    async def store(self, key: str, percent: Percent) -> None:
        """Stops with what is known for anything but a yes."""
        number = percent.hundredths // 100 if percent.hundredths % 100 == 0 else percent.value
        wish = {"items": [{"operation": "upsert", "key": key, "value": number}]}
        try:
            answer = await self.host.write("PATCH", self._settings.path(f"{self._base}/items"), json=wish)
        except AdapterError as error:
            raise unanswered(error) from None
        if not 200 <= answer.status < 300:
            raise answered(answer.as_error())


def item_value(body: object, key: str) -> FlagValue:
    """The item as a flag. There is no switch beside it. Raises BrokenAnswer."""
    if not isinstance(body, Mapping) or body.get("key") != key or "value" not in body:
        raise BrokenAnswer(Failure(title="the answer is not this item"))
    stored = body["value"]
    percent: Percent | None = None
    notes: tuple[str, ...] = ()
    try:
        if not isinstance(stored, int | float):
            raise ValueError
        percent = Percent.parse(stored)
    except ValueError:
        shown = clean_text(stored, limit=40)
        notes = (f"the item is no number from 0 to 100 with two decimals: {shown}",)
    revision = str(percent.hundredths) if percent is not None else None
    return FlagValue(key=key, on=True, percent=percent, complexities=notes, revision=revision)


class VercelEdgeReader:
    def __init__(self, items: _Items) -> None:
        self._items = items

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        return await read_each(keys, self._items.look)

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        return await lines_of_each(keys, self._items.look)

    async def aclose(self) -> None:
        await self._items.host.aclose()


class VercelEdgeWriter:
    def __init__(self, items: _Items) -> None:
        self._items = items
        self._turns = Turns()

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        async with self._turns.forward(key) as turn:
            return await reported(self._set_percent(turn, key, percent, expected))

    async def kill(self, key: str) -> WriteResult:
        return await reported(self._turns.kill(key, lambda: self._kill(key)))

    async def zero(self, key: str) -> WriteResult:
        return await reported(self._kill(key))

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        subject, question = f"Vercel at {self._items.host.address}", "the write token may write"
        for key in keys[:1]:
            try:
                await self._items.look(key)
            except AdapterError as error:
                return [trouble_line(subject, question, error)]
        detail = "Vercel tells it only when something is written"
        return [Preflight(subject=subject, question=question, ok=None, detail=detail)]

    async def aclose(self) -> None:
        await self._items.host.aclose()

    async def _set_percent(self, turn: Turn, key: str, percent: Percent, expected: FlagValue) -> str:
        try:
            value = await self._items.look(key)
        except AdapterError as error:
            raise not_written(error) from None
        must_be_as_expected(value, expected)
        if value.percent == percent:
            return f"it reads {percent} already"
        turn.check()
        return await self._stored(key, percent)

    async def _kill(self, key: str) -> str:
        """Only an item that is known not to be there, or a credential that may not even read, stops it."""
        try:
            value: FlagValue | None = await asyncio.wait_for(self._items.look(key), _GLANCE_S)
        except RefusedByService as error:
            raise not_written(error) from None
        except (AdapterError, TimeoutError):
            value = None
        if value is not None and value.percent == ZERO:
            return "it reads 0% already"
        return await self._stored(key, ZERO)

    async def _stored(self, key: str, percent: Percent) -> str:
        await self._items.store(key, percent)
        try:
            now = await self._items.look(key)
        except AdapterError as error:
            raise not_read_back(error) from None
        if now.percent != percent:
            raise unknown(f"{percent} was accepted, but it reads {setting_words(now)}")
        return f"it reads {percent}; readers at the edge follow within seconds"


def build_reader(
    settings: VercelEdgeSettings, web: Web, secret: Secrets, timeout_s: float
) -> VercelEdgeReader:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    return VercelEdgeReader(_Items(settings, open_host(settings, web, secret(settings.token), timeout_s)))


def build_writer(
    settings: VercelEdgeSettings, web: Web, secret: Secrets, timeout_s: float
) -> VercelEdgeWriter | None:
    """None without a write token in the plan. Raises as `build_reader` does."""
    if settings.write_token is None:
        return None
    host = open_host(settings, web, secret(settings.write_token), timeout_s)
    return VercelEdgeWriter(_Items(settings, host))
