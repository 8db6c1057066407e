"""Our reader and writer against one Unleash, with a tap on the wire between them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from cockpit.adapters.base import AdapterError
from cockpit.adapters.flags.unleash import UnleashWriter
from cockpit.adapters.flags.unleash_reading import UnleashReader
from cockpit.adapters.flags.unleash_settings import UnleashSettings
from cockpit.adapters.http import Answer, HttpHost, Web
from cockpit.core.clean import Percent
from cockpit.core.model import FlagValue, WriteResult
from cockpit.core.secret import Secret, SecretRef
from tests.real.unleash_raw import ENVIRONMENT, RawUnleash

Meddler = Callable[[str, str], Awaitable[None]]


async def until(condition: Callable[[], bool], *, within_s: float = 15.0) -> None:
    """Return once `condition()` is true; fail when it does not become so."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - the condition is asked of another process
            await asyncio.sleep(0.02)


class Tap:
    """An HTTP host that notes every request and lets a test act just before a write leaves."""

    def __init__(self, host: HttpHost) -> None:
        self._host = host
        self.seen: list[str] = []
        self.before_write: Meddler | None = None

    @property
    def address(self) -> str:
        return self._host.address

    async def get(self, path: str, **more: Any) -> Answer:
        self.seen.append(f"GET {path}")
        return await self._host.get(path, **more)

    async def write(self, method: str, path: str, **more: Any) -> Answer:
        self.seen.append(f"{method} {path}")
        if self.before_write is not None:
            await self.before_write(method, path)
        return await self._host.write(method, path, **more)

    async def aclose(self) -> None:
        await self._host.aclose()


class Crew:
    """reading and writing are the taps; timeout_s is short enough to test a frozen server."""

    def __init__(
        self,
        raw: RawUnleash,
        web: Web,
        *,
        token: str | None = None,
        timeout_s: float = 10.0,
        project: str = "default",
        environment: str = ENVIRONMENT,
    ) -> None:
        self.raw = raw
        secret = Secret(token or raw.tokens.admin)
        settings = UnleashSettings(
            url=raw.url, project=project, environment=environment, token=SecretRef(env="UNLEASH_TOKEN")
        )

        def tap() -> Tap:
            return Tap(web.host(raw.url, headers={"Authorization": secret}, timeout_s=timeout_s))

        self.reading, self.writing = tap(), tap()
        self.reader = UnleashReader(settings, cast(HttpHost, self.reading), clock=web.clock)
        self.writer = UnleashWriter(settings, cast(HttpHost, self.writing))

    async def value(self, flag: str) -> FlagValue:
        """The flag as our reader sees it."""
        found = (await self.reader.read([flag]))[flag]
        assert isinstance(found, FlagValue), found
        return found

    async def error(self, flag: str) -> AdapterError:
        found = (await self.reader.read([flag]))[flag]
        assert isinstance(found, AdapterError), found
        return found

    async def set(self, flag: str, percent: float) -> WriteResult:
        """Set a percentage from what the reader sees now."""
        return await self.writer.set_percent(flag, Percent.parse(percent), expected=await self.value(flag))
