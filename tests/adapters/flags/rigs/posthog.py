"""PostHog under the suite: a double that was built from what its source says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import pytest

from cockpit.adapters.flags.posthog_access import PostHogSettings
from cockpit.adapters.http import Web
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.core.clean import Percent
from cockpit.engine.clock import SystemClock
from tests.adapters.flags.posthog_double import PROJECT, READER, WRITER, PostHogDouble
from tests.adapters.flags.relay import RELAYED, Relay, RelayedRig, relay
from tests.adapters.flags.suite import READ_SECRET, WRITE_SECRET, Built, Can, Lever, Truth, Vault
from tests.adapters.probes.scripted import scripted
from tests.tables import written

STRANGER = "phx_stranger-0000"


class DoubleRig(RelayedRig):
    name = "posthog-double"
    claims = frozenset({*Can, *Built, *RELAYED})

    def __init__(self, double: PostHogDouble, way: Relay, web: Web) -> None:
        super().__init__(way)
        self._double = double
        self._web = web
        self._numbers = count()

    @classmethod
    @asynccontextmanager
    async def open(cls, request: pytest.FixtureRequest) -> AsyncIterator[DoubleRig]:
        double, web = PostHogDouble(), Web(clock=SystemClock())
        async with scripted(double.answer) as server, relay(server.url) as way:
            yield cls(double, way, web)
            await web.aclose()

    def build(self, how: Built = Built.USUAL) -> Lever:
        read = STRANGER if how is Built.STRANGER else READER
        write = {Built.STRANGER: STRANGER, Built.MAY_ONLY_READ: READER}.get(how, WRITER)
        given = {
            "url": self.way.url,
            "project": PROJECT + 1 if how is Built.ELSEWHERE else PROJECT,
            "token": READ_SECRET,
            **({} if how is Built.READ_ONLY else {"write_token": WRITE_SECRET}),
        }
        settings = written(PostHogSettings, given)
        vault = Vault({"READ_TOKEN": read, "WRITE_TOKEN": write})
        timeout_s = 0.5 if how is Built.IMPATIENT else 10.0
        row = FLAG_SERVICES["posthog"]
        return Lever(
            reader=row.reader(settings, self._web, vault, timeout_s),
            maybe_writer=row.writer(settings, self._web, vault, timeout_s),
            vault=vault,
        )

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        key = f"flag-{next(self._numbers)}"
        self._double.add(key, percent.value, on=on)
        return key

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        self._double.store(key, percent.value, who=who)

    async def truth(self, key: str) -> Truth:
        flag = self._double.by_key(key)
        percent = Percent.parse(flag["filters"]["groups"][0]["rollout_percentage"])
        return Truth(on=flag["active"], percent=percent, mark=flag["version"])

    @property
    def secrets(self) -> tuple[str, ...]:
        return READER, WRITER, STRANGER


RIGS = (DoubleRig,)
