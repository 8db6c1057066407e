"""LaunchDarkly under the suite: a double that was built from its documentation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import pytest

from cockpit.adapters.flags.launchdarkly_access import LaunchDarklySettings
from cockpit.adapters.http import Web
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.core.clean import Percent
from cockpit.engine.clock import SystemClock
from tests.adapters.flags.launchdarkly_double import ENVIRONMENT, PROJECT, READER, WRITER, LaunchDarklyDouble
from tests.adapters.flags.relay import RELAYED, Relay, RelayedRig, relay
from tests.adapters.flags.suite import READ_SECRET, WRITE_SECRET, Built, Can, Lever, Truth, Vault
from tests.adapters.probes.scripted import scripted
from tests.tables import written

STRANGER = "api-stranger-0000"


class DoubleRig(RelayedRig):
    name = "launchdarkly-double"
    claims = frozenset({*Can, *Built, *RELAYED})

    def __init__(self, double: LaunchDarklyDouble, way: Relay, web: Web) -> None:
        super().__init__(way)
        self._double = double
        self._web = web
        self._numbers = count()

    @classmethod
    @asynccontextmanager
    async def open(cls, request: pytest.FixtureRequest) -> AsyncIterator[DoubleRig]:
        double, web = LaunchDarklyDouble(), Web(clock=SystemClock())
        async with scripted(double.answer) as server, relay(server.url) as way:
            yield cls(double, way, web)
            await web.aclose()

    def build(self, how: Built = Built.USUAL) -> Lever:
        read = STRANGER if how is Built.STRANGER else READER
        write = {Built.STRANGER: STRANGER, Built.MAY_ONLY_READ: READER}.get(how, WRITER)
        given = {
            "url": self.way.url,
            "project": PROJECT,
            "environment": "staging" if how is Built.ELSEWHERE else ENVIRONMENT,
            "token": READ_SECRET,
            **({} if how is Built.READ_ONLY else {"write_token": WRITE_SECRET}),
        }
        settings = written(LaunchDarklySettings, given)
        vault = Vault({"READ_TOKEN": read, "WRITE_TOKEN": write})
        timeout_s = 0.5 if how is Built.IMPATIENT else 10.0
        row = FLAG_SERVICES["launchdarkly"]
        return Lever(
            reader=row.reader(settings, self._web, vault, timeout_s),
            maybe_writer=row.writer(settings, self._web, vault, timeout_s),
            vault=vault,
        )

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        key = f"flag-{next(self._numbers)}"
        self._double.add(key, percent.hundredths * 10, on=on)
        return key

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        self._double.store(key, percent.hundredths * 10, who=who)

    async def truth(self, key: str) -> Truth:
        place = self._double.place(key)
        shares = place["fallthrough"]["rollout"]["variations"]
        weight = sum(share["weight"] for share in shares if share["variation"] == 0)
        return Truth(on=place["on"], percent=Percent(weight // 10), mark=place["version"])

    @property
    def secrets(self) -> tuple[str, ...]:
        return READER, WRITER, STRANGER


RIGS = (DoubleRig,)
