"""Both levers on Vercel under the suite: a double that was built from its SDK and documentation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import ClassVar

import pytest

from cockpit.adapters.flags.vercel_edge import VercelEdgeSettings
from cockpit.adapters.flags.vercel_host import VercelSettings
from cockpit.adapters.flags.vercel_project import VercelEnvSettings
from cockpit.adapters.http import Web
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.core.clean import FULL, ZERO, Percent
from cockpit.engine.clock import SystemClock
from tests.adapters.flags.relay import RELAYED, Relay, RelayedRig, relay
from tests.adapters.flags.suite import READ_SECRET, WRITE_SECRET, Built, Can, Lever, Trouble, Truth, Vault
from tests.adapters.flags.vercel_double import EDGE, PROJECT, READER, TEAM, WRITER, VercelDouble
from tests.adapters.probes.scripted import scripted
from tests.tables import written

STRANGER = "vercel-stranger-0000"


class VercelRig(RelayedRig):
    kind: ClassVar[str]
    settings: ClassVar[type[VercelSettings]]
    here: ClassVar[Mapping[str, str]]
    elsewhere: ClassVar[Mapping[str, str]]

    def __init__(self, double: VercelDouble, way: Relay, web: Web) -> None:
        super().__init__(way)
        self.double = double
        self._web = web
        self._numbers = count()

    @classmethod
    @asynccontextmanager
    async def open(cls, request: pytest.FixtureRequest) -> AsyncIterator[VercelRig]:
        double, web = VercelDouble(), Web(clock=SystemClock())
        async with scripted(double.answer) as server, relay(server.url) as way:
            yield cls(double, way, web)
            await web.aclose()

    def build(self, how: Built = Built.USUAL, **more: str) -> Lever:
        read = STRANGER if how is Built.STRANGER else READER
        write = {Built.STRANGER: STRANGER, Built.MAY_ONLY_READ: READER}.get(how, WRITER)
        given = {
            "url": self.way.url,
            "team": TEAM,
            "token": READ_SECRET,
            **(self.elsewhere if how is Built.ELSEWHERE else self.here),
            **({} if how is Built.READ_ONLY else {"write_token": WRITE_SECRET}),
            **more,
        }
        settings = written(self.settings, given)
        vault = Vault({"READ_TOKEN": read, "WRITE_TOKEN": write})
        timeout_s = 0.5 if how is Built.IMPATIENT else 10.0
        row = FLAG_SERVICES[self.kind]
        return Lever(
            reader=row.reader(settings, self._web, vault, timeout_s),
            maybe_writer=row.writer(settings, self._web, vault, timeout_s),
            vault=vault,
        )

    def new_key(self) -> str:
        return f"FLAG_{next(self._numbers)}"

    @property
    def secrets(self) -> tuple[str, ...]:
        return READER, WRITER, STRANGER


class EnvRig(VercelRig):
    """Without a known deployment: an instant rollback is one of the whole project, not of one flag.

    A lost answer leaves a variable without a build, which has a test of its own."""

    name = "vercel-env-double"
    claims = frozenset({Can.MEDDLE, *Built, *(RELAYED - {Trouble.ANSWER_LOST})})
    kind = "vercel_env"
    settings = VercelEnvSettings
    here: ClassVar[Mapping[str, str]] = {"project": PROJECT}
    elsewhere: ClassVar[Mapping[str, str]] = {"project": "elsewhere"}
    step, low, high, other = FULL, ZERO, FULL, FULL

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        key = self.new_key()
        self.double.add(key, "true" if percent == FULL else "false")
        return key

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        self.double.add(key, "true" if percent == FULL else "false")

    async def truth(self, key: str) -> Truth:
        variable = self.double.by_key(key)
        built = self.double.deployments[self.double.serving]["createdAt"] > variable["updatedAt"]
        said = FULL if variable["value"] == "true" else ZERO
        return Truth(on=True, percent=said if built else None, mark=self.double.writes[key])


class EdgeRig(VercelRig):
    name = "vercel-edge-double"
    claims = frozenset({Can.MEDDLE, *Built, *RELAYED})
    kind = "vercel_edge"
    settings = VercelEdgeSettings
    here: ClassVar[Mapping[str, str]] = {"edge_config": EDGE}
    elsewhere: ClassVar[Mapping[str, str]] = {"edge_config": "ecfg_elsewhere"}

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        key = self.new_key()
        await self.change(key, percent)
        return key

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        self.double.items[key] = percent.value
        self.double.writes[key] = self.double.writes.get(key, 0) + 1

    async def truth(self, key: str) -> Truth:
        return Truth(on=True, percent=Percent.parse(self.double.items[key]), mark=self.double.writes[key])


RIGS = (EnvRig, EdgeRig)
