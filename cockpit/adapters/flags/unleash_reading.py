"""Reading flags of Unleash: where they stand, how they are set, and who changed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, Preflight, RefusedByService
from cockpit.adapters.flags.reading import lines_of_each, read_each
from cockpit.adapters.flags.unleash_answers import Rollout, StoredFlag, newest_change, stored_flag
from cockpit.adapters.flags.unleash_preflight import (
    clock_line,
    environment_line,
    project_line,
)
from cockpit.adapters.flags.unleash_settings import UnleashSettings
from cockpit.adapters.http_path import segment
from cockpit.adapters.once import asked_once
from cockpit.core.clean import ZERO
from cockpit.core.dataclass import dataclass, replace
from cockpit.core.model import FlagValue

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost
    from cockpit.core.clock import Clock


ADMIN: Final = "/api/admin"
_EVENTS_LOOKED_AT: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Addresses within one project and environment."""

    project: str
    environment: str

    def feature(self, key: str) -> str:
        return f"{ADMIN}/projects/{segment(self.project)}/features/{segment(key)}"

    def switch(self, key: str, *, on: bool) -> str:
        here = f"{self.feature(key)}/environments/{segment(self.environment)}"
        return f"{here}/on?shouldActivateDisabledStrategies=false" if on else f"{here}/off"

    def strategies(self, key: str) -> str:
        return f"{self.feature(key)}/environments/{segment(self.environment)}/strategies"

    def strategy(self, key: str, rollout: Rollout) -> str:
        return f"{self.strategies(key)}/{segment(rollout.id)}"


async def look(host: HttpHost, place: Place, key: str, *, proves: bool = True) -> StoredFlag:
    """The flag as it is stored now. proves: before or after a write. Raises AdapterError."""
    answer = await host.get(f"{place.feature(key)}?variantEnvironments=true", proves=proves)
    answer.raise_for_status()
    return stored_flag(answer.json(), key=key, environment=place.environment)


class UnleashReader:
    """Reads flags, and asks the audit log who did it when a setting is not what it was."""

    def __init__(self, settings: UnleashSettings, host: HttpHost, *, clock: Clock | None) -> None:
        self._place = Place(project=settings.project, environment=settings.environment)
        self._host = host
        self._clock = clock
        self._last: dict[str, FlagValue] = {}
        self._unsigned: set[str] = set()
        self._may_audit = True

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        return await read_each(keys, self._read_one)

    async def read_back(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        return await read_each(keys, self._read_unsigned)

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        with asked_once():
            lines = [
                await environment_line(self._host, self._place.environment),
                await project_line(self._host, self._place.project),
                await clock_line(self._host, self._clock),
            ]
        return lines + await lines_of_each(keys, self._read_one)

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _read_one(self, key: str) -> FlagValue:
        return await self._signed((await look(self._host, self._place, key, proves=False)).value)

    async def _signed(self, value: FlagValue) -> FlagValue:
        """With who changed it last: asked only where that may be another change than the last one told."""
        last = self._last.get(value.key)
        if last is not None and last.revision == value.revision and value.key not in self._unsigned:
            value = replace(value, changed_by=last.changed_by, changed_at=last.changed_at)
        else:
            value = await self._with_author(value)
        self._last[value.key] = value
        return value

    async def _read_unsigned(self, key: str) -> FlagValue:
        """Who did it is asked by the next read: it proves nothing of a write, and takes as long. Not where
        traffic goes to the new side: then somebody may have raised it, and is named at once."""
        value = (await look(self._host, self._place, key)).value
        if value.exposure != ZERO:
            return await self._signed(value)
        last = self._last.get(key)
        if last is None or last.revision != value.revision:
            self._unsigned.add(key)
        return value

    async def _with_author(self, value: FlagValue) -> FlagValue:
        """Who did it is good to know, but no reason to fail: without an answer it is asked next time."""
        if not self._may_audit:
            return value
        params = {
            "feature": f"IS:{value.key}",
            "environment": f"IS:{self._place.environment}",
            "limit": str(_EVENTS_LOOKED_AT),
        }
        try:
            with asked_once():
                answer = await self._host.get(f"{ADMIN}/search/events", params=params)
            answer.raise_for_status()
            author, moment = newest_change(answer.json())
        except AdapterError as error:
            self._may_audit = not isinstance(error, RefusedByService)
            self._unsigned.add(value.key)
            return value
        self._unsigned.discard(value.key)
        return replace(value, changed_by=author, changed_at=moment)
