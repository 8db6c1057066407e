"""Unleash under the suite: the practice double and, where it is installed, the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from cockpit.adapters.flags.unleash_settings import UnleashSettings
from cockpit.adapters.http import Web
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.core.clean import Percent
from cockpit.engine.clock import SystemClock
from tests.adapters.flags.relay import RELAYED, Relay, RelayedRig, relay
from tests.adapters.flags.suite import READ_SECRET, WRITE_SECRET, Built, Can, Lever, Truth, Vault
from tests.real.unleash_raw import ENVIRONMENT, RawUnleash
from tests.real.unleash_server import Unleash
from tests.tables import written


class PracticeRig(RelayedRig):
    name = "unleash-practice"
    claims = frozenset({*Can, *Built, *RELAYED})
    step = Percent.parse(1)

    def __init__(self, raw: RawUnleash, way: Relay, web: Web) -> None:
        super().__init__(way)
        self._raw = raw
        self._web = web

    @classmethod
    @asynccontextmanager
    async def open(cls, request: pytest.FixtureRequest) -> AsyncIterator[PracticeRig]:
        web, raw = Web(clock=SystemClock()), cls.server(request)
        async with relay(raw.url) as way:
            yield cls(raw, way, web)
            await web.aclose()

    @classmethod
    def server(cls, request: pytest.FixtureRequest) -> RawUnleash:
        return cast(RawUnleash, request.getfixturevalue("practice_unleash"))

    def build(self, how: Built = Built.USUAL) -> Lever:
        tokens = self._raw.tokens
        read = tokens.wrong if how is Built.STRANGER else tokens.viewer
        write = {Built.STRANGER: tokens.wrong, Built.MAY_ONLY_READ: tokens.viewer}.get(how, tokens.admin)
        given = {
            "url": self.way.url,
            "environment": "staging" if how is Built.ELSEWHERE else ENVIRONMENT,
            "token": READ_SECRET,
            **({} if how is Built.READ_ONLY else {"write_token": WRITE_SECRET}),
        }
        settings = written(UnleashSettings, given)
        vault = Vault({"READ_TOKEN": read, "WRITE_TOKEN": write})
        timeout_s = 0.5 if how is Built.IMPATIENT else 10.0
        row = FLAG_SERVICES["unleash"]
        return Lever(
            reader=row.reader(settings, self._web, vault, timeout_s),
            maybe_writer=row.writer(settings, self._web, vault, timeout_s),
            vault=vault,
        )

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        return self._raw.flag(f"{percent.value:g}", on=on)

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        self._raw.store_rollout(key, f"{percent.value:g}", token=self._raw.tokens.person)

    async def truth(self, key: str) -> Truth:
        (stored,) = self._raw.rollouts(key)
        return Truth(
            on=self._raw.is_on(key),
            percent=Percent.parse(stored),
            mark=len(self._raw.event_types(key)),
        )

    def name_of(self, who: str) -> str:
        return self._raw.tokens.person_name

    @property
    def secrets(self) -> tuple[str, ...]:
        tokens = self._raw.tokens
        return tokens.admin, tokens.viewer, tokens.wrong


class RealRig(PracticeRig):
    name = "unleash-real"
    marks = (pytest.mark.real,)

    @classmethod
    def server(cls, request: pytest.FixtureRequest) -> RawUnleash:
        return cast(Unleash, request.getfixturevalue("real_unleash")).raw


RIGS = (PracticeRig, RealRig)
