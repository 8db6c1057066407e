"""Flags in a Convex table under the suite: the practice double, and the sample functions in convex-test."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import ClassVar, cast

import pytest

from cockpit.adapters.flags.convex_settings import ConvexTableSettings
from cockpit.adapters.http import Web
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.core.clean import Percent
from cockpit.engine.clock import SystemClock
from cockpit.practice.convex import DEFAULT_INSTANCE
from cockpit.practice.flags import Author, FlagStore
from cockpit.practice.server import PracticeServer
from tests.adapters.flags.relay import RELAYED, Relay, RelayedRig, relay
from tests.adapters.flags.suite import READ_SECRET, WRITE_SECRET, Built, Can, Lever, Truth, Vault
from tests.adapters.probes.scripted import Request
from tests.real import convex_server
from tests.real.convex_server import ConvexTest
from tests.tables import written

_NUMBERS = itertools.count()


def calls_a_mutation(request: Request) -> bool:
    return request.path == "/api/mutation"


class ConvexTableRig(RelayedRig):
    claims = frozenset({*Can, *Built, *RELAYED})
    instance: ClassVar[str]
    read_key: ClassVar[str]
    write_key: ClassVar[str]
    wrong_key: ClassVar[str] = "prod:happy-otter-1|nobodys-key"

    def __init__(self, way: Relay, web: Web) -> None:
        super().__init__(way)
        self._web = web

    def build(self, how: Built = Built.USUAL) -> Lever:
        read = self.wrong_key if how is Built.STRANGER else self.read_key
        write = {Built.STRANGER: self.wrong_key, Built.MAY_ONLY_READ: self.read_key}.get(how, self.write_key)
        given = {
            "url": self.way.url,
            "instance": "sad-heron-2" if how is Built.ELSEWHERE else self.instance,
            "token": READ_SECRET,
            **({} if how is Built.READ_ONLY else {"write_token": WRITE_SECRET}),
        }
        settings = written(ConvexTableSettings, given)
        vault = Vault({"READ_TOKEN": read, "WRITE_TOKEN": write})
        timeout_s = 0.5 if how is Built.IMPATIENT else 10.0
        row = FLAG_SERVICES["convex_table"]
        return Lever(
            reader=row.reader(settings, self._web, vault, timeout_s),
            maybe_writer=row.writer(settings, self._web, vault, timeout_s),
            vault=vault,
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(key.rpartition("|")[2] for key in (self.read_key, self.write_key, self.wrong_key))


class PracticeRig(ConvexTableRig):
    name = "convex_table-practice"
    instance = DEFAULT_INSTANCE
    read_key = f"prod:{DEFAULT_INSTANCE}|viewer-key"
    write_key = f"prod:{DEFAULT_INSTANCE}|practice-key"

    def __init__(self, server: PracticeServer, way: Relay, web: Web) -> None:
        super().__init__(way, web)
        self._world = server.world

    @classmethod
    @asynccontextmanager
    async def open(cls, request: pytest.FixtureRequest) -> AsyncIterator[PracticeRig]:
        server = cast(PracticeServer, request.getfixturevalue("practice_flags"))
        web = Web(clock=SystemClock())
        async with relay(server.urls["convex"], is_write=calls_a_mutation) as way:
            yield cls(server, way, web)
            await web.aclose()

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        key = f"table_flag_{next(_NUMBERS)}"
        rollout = {"name": "flexibleRollout", "parameters": {"rollout": f"{percent.value:g}"}}

        def create(store: FlagStore, at: datetime) -> None:
            store.create("default", {"name": key}, Author(), at)
            store.add_strategy("default", key, "production", rollout, Author(), at)
            store.switch("default", key, "production", on, Author(), at)

        self._world.write(create)
        return key

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        patch = [{"op": "replace", "path": "/parameters/rollout", "value": f"{percent.value:g}"}]

        def store(flags: FlagStore, at: datetime) -> None:
            (strategy,) = flags.environment("default", key, "production").strategies
            target = ("default", key, "production", strategy.id)
            flags.patch_strategy(*target, patch, Author(name=who, user_id=3), at)

        self._world.write(store)

    async def truth(self, key: str) -> Truth:
        with self._world.lock:
            here = self._world.flags.environment("default", key, "production")
            events = [each for each in self._world.flags.events if each["featureName"] == key]
            stored = here.strategies[0].parameters["rollout"]
            return Truth(on=here.enabled, percent=Percent.parse(stored), mark=len(events))


class ConvexTestRig(ConvexTableRig):
    name = "convex_table-convex-test"
    marks = (pytest.mark.real,)
    instance = convex_server.INSTANCE
    read_key = convex_server.READ_KEY
    write_key = convex_server.WRITE_KEY

    def __init__(self, functions: ConvexTest, way: Relay, web: Web) -> None:
        super().__init__(way, web)
        self._functions = functions

    @classmethod
    @asynccontextmanager
    async def open(cls, request: pytest.FixtureRequest) -> AsyncIterator[ConvexTestRig]:
        functions = cast(ConvexTest, request.getfixturevalue("convex_test_functions"))
        web = Web(clock=SystemClock())
        async with relay(functions.url, is_write=calls_a_mutation) as way:
            yield cls(functions, way, web)
            await web.aclose()

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        key = f"table_flag_{next(_NUMBERS)}"
        self._functions.store(key, {"percent": percent.value, "enabled": on})
        return key

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        (row,) = self._functions.rows(key)
        changed = {"percent": percent.value, "enabled": row["enabled"], "version": row["version"] + 1}
        self._functions.store(key, {**changed, "updatedBy": who, "updatedAt": 1_764_000_000_000})

    async def truth(self, key: str) -> Truth:
        (row,) = self._functions.rows(key)
        return Truth(on=row["enabled"], percent=Percent.parse(row["percent"]), mark=row["version"])


RIGS = (PracticeRig, ConvexTestRig)
