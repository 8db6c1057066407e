"""Reading a flag table in Convex, and only what the right deployment says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cockpit.adapters.base import AdapterError, Preflight
from cockpit.adapters.convex import Deployment
from cockpit.adapters.flags.convex_preflight import name_line, rights_line
from cockpit.adapters.flags.convex_rows import Row, rows
from cockpit.adapters.flags.lines import flag_lines
from cockpit.adapters.once import asked_once
from cockpit.core.model import FlagValue

if TYPE_CHECKING:
    from cockpit.adapters.flags.convex_settings import ConvexTableSettings


class ConvexTableReader:
    """Reads flags. The deployment says its name in every poll: what another one says is not believed."""

    def __init__(self, settings: ConvexTableSettings, host: Deployment) -> None:
        self._settings = settings
        self._host = host

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        found = await look(self._host, self._settings.list_query, keys)
        return {key: row.value if isinstance(row, Row) else row for key, row in found.items()}

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        with asked_once():
            lines = [await name_line(self._host), await rights_line(self._host, writes=False)]
        try:
            found = await self.read(keys)
        except AdapterError as error:
            found = dict.fromkeys(keys, error)
        for key in keys:
            lines += flag_lines(key, found[key])
        return lines

    async def aclose(self) -> None:
        await self._host.aclose()


async def look(host: Deployment, function: str, keys: Sequence[str]) -> Mapping[str, Row | AdapterError]:
    """The flags as they are stored now, from the right deployment. Raises AdapterError."""
    body, verified = await asyncio.gather(
        host.query(function, {"keys": list(keys)}), host.verify(), return_exceptions=True
    )
    for ended in (verified, body):
        if isinstance(ended, BaseException):
            raise ended
    return rows(body, keys)
