"""Reading flags of a home-grown endpoint: one by one, or all with one request where the plan says how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from cockpit.adapters.base import AdapterError, Preflight
from cockpit.adapters.credentials import Secrets, bearer
from cockpit.adapters.flags.http_json_answers import (
    Stored,
    listed_flag,
    listed_flags,
    stored_flag,
)
from cockpit.adapters.flags.http_json_settings import KEY, HttpJsonSettings
from cockpit.adapters.flags.lines import flag_lines
from cockpit.adapters.flags.reading import read_each
from cockpit.adapters.http_path import segment
from cockpit.core.model import FlagValue
from cockpit.core.secret import Secret, SecretRef

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost, Web


async def look(host: HttpHost, settings: HttpJsonSettings, key: str, *, proves: bool = True) -> Stored:
    """The flag as it is stored now. proves: before or after a write. Raises AdapterError."""
    answer = await host.get(settings.read.path.replace(KEY, segment(key)), proves=proves)
    answer.raise_for_status()
    return stored_flag(answer.json(), key=key, settings=settings, etag=answer.headers.get("etag"))


class HttpJsonReader:
    """Reads flags one by one, or all with one request where the plan says how."""

    def __init__(self, settings: HttpJsonSettings, host: HttpHost) -> None:
        self._settings = settings
        self._host = host

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        return await self._read(keys, proves=False)

    async def read_back(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        return await self._read(keys, proves=True)

    async def _read(self, keys: Sequence[str], *, proves: bool) -> Mapping[str, FlagValue | AdapterError]:
        if self._settings.read_all is not None:
            answer = await self._host.get(self._settings.read_all.path, proves=proves)
            answer.raise_for_status()
            flags = listed_flags(answer.json(), self._settings.read_all)
            return {key: listed_flag(flags, key, self._settings) for key in keys}
        return await read_each(keys, partial(self._read_one, proves=proves))

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        try:
            found = await self.read(keys)
        except AdapterError as error:
            found = dict.fromkeys(keys, error)
        return [line for key in keys for line in flag_lines(key, found[key])]

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _read_one(self, key: str, *, proves: bool) -> FlagValue:
        return (await look(self._host, self._settings, key, proves=proves)).value


def open_host(
    settings: HttpJsonSettings, token: SecretRef | None, web: Web, secret: Secrets, timeout_s: float
) -> HttpHost:
    headers: dict[str, Secret | str] = {"Cache-Control": "no-cache"}
    for name, value in settings.headers.items():
        headers[name] = value if isinstance(value, str) else secret(value)
    if token is not None:
        bare = settings.token_header.lower() == "authorization"
        headers[settings.token_header] = bearer(secret(token)) if bare else secret(token)
    return web.host(
        settings.url, headers=headers, timeout_s=timeout_s, ca_file=settings.ca_file, lever=True, wide=True
    )
