"""Home-grown endpoints under the suite: the practice double in four shapes, one per way to guard and tell."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, ClassVar, Final, cast

import pytest

from cockpit.adapters.flags.http_json_settings import HttpJsonSettings
from cockpit.adapters.http import Web
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.core.clean import FULL, ZERO, Percent
from cockpit.core.spec import Plan, RollbackSpec, ServiceSpec
from cockpit.practice.flags import Author, FlagStore
from cockpit.practice.server import PracticeServer
from cockpit.practice.world import World
from tests.adapters.flags.relay import RELAYED, Relay, RelayedRig, relay
from tests.adapters.flags.suite import READ_SECRET, WRITE_SECRET, Built, Can, Lever, LeverRig, Truth, Vault
from tests.tables import written

READ_TOKEN, WRITE_TOKEN, WRONG_TOKEN = "viewer-7c21a0", "practice-91be44", "stranger-5d0f"
_HERE: Final = {"/meta/environment": "production"}
SHAPES: Final[Mapping[str, dict[str, Any]]] = {
    "etag": {
        "guard": "etag",
        "read": {
            "path": "/v1/flags/{key}?full=true",
            "percent": "/rollout/percent",
            "on": "/enabled",
            "changed_by": "/meta/by",
            "changed_at": "/meta/at",
            "key": "/name",
            "expect": _HERE,
        },
        "write": {
            "path": "/v1/flags/{key}",
            "body": {"rollout": {"percent": "{percent}"}, "enabled": "{on}"},
        },
        "kill": {"path": "/v1/flags/{key}/off", "method": "POST", "body": {}},
        "rights": {"path": "/v1/me", "at": "/token/rights", "needs": "flags:write"},
    },
    "version": {
        "guard": "version",
        "unit": "fraction",
        "step": 0.5,
        "read": {
            "path": "/flags/{key}",
            "percent": "/share",
            "on": "/on",
            "revision": "/version",
            "changed_by": "/by",
            "changed_at": "/at",
            "expect": _HERE,
        },
        "read_all": {"path": "/flags", "flags": "/data/items", "key": "/id"},
        "write": {
            "path": "/flags/{key}",
            "method": "PATCH",
            "body": {"id": "{key}", "set": ["{percent}", "{on}"], "if": {"version": "{revision}"}},
        },
    },
    "bare": {
        "unit": "basis_points",
        "token_header": "X-Flags-Key",
        "read": {"path": "/{key}", "percent": "/basis~1points", "expect": _HERE},
        "read_all": {"path": "/", "flags": "/flags"},
        "write": {
            "path": "/{key}",
            "method": "POST",
            "body": {"basis/points": "{percent}", "note": "cutover"},
        },
        "rights": {"path": "/me", "at": "/may~1write"},
    },
    "switch": {
        "guard": "etag",
        "read": {"path": "/switches/{key}", "on": "/on", "expect": _HERE},
        "write": {"path": "/switches/{key}", "body": {"on": "{on}"}},
    },
}
_NUMBERS: Final = itertools.count()


def settings(shape: str, url: str, **more: object) -> HttpJsonSettings:
    return written(HttpJsonSettings, {"url": url, **SHAPES[shape], **more})


def plan_of_all_shapes() -> Plan:
    """A plan that the practice world builds one endpoint of each shape from."""
    return Plan(
        title="flags",
        environment="practice",
        flag_services=tuple(
            ServiceSpec(
                name=shape,
                kind="http_json",
                settings=settings(shape, "https://flags.example.org"),
                interval_s=2.0,
                timeout_s=1.0,
            )
            for shape in SHAPES
        ),
        monitors=(),
        backends=(),
        flags=(),
        signals=(),
        rollback=RollbackSpec(),
    )


class EtagRig(RelayedRig):
    name = "http_json-etag"
    shape: ClassVar[str] = "etag"
    claims = frozenset({*Can, *Built, *RELAYED})

    def __init__(self, world: World, way: Relay, web: Web) -> None:
        super().__init__(way)
        self._world = world
        self._web = web

    @classmethod
    @asynccontextmanager
    async def open(cls, request: pytest.FixtureRequest) -> AsyncIterator[EtagRig]:
        practice, web = cast(PracticeServer, request.getfixturevalue("practice_endpoints")), Web()
        async with relay(practice.urls["http_json"]) as way:
            yield cls(practice.world, way, web)
            await web.aclose()

    def build(self, how: Built = Built.USUAL) -> Lever:
        stranger = how is Built.STRANGER
        write = {Built.STRANGER: WRONG_TOKEN, Built.MAY_ONLY_READ: READ_TOKEN}.get(how, WRITE_TOKEN)
        more: dict[str, object] = {"token": READ_SECRET}
        if how is not Built.READ_ONLY:
            more["write_token"] = WRITE_SECRET
        if how is Built.ELSEWHERE:
            more["read"] = {**SHAPES[self.shape]["read"], "expect": {"/meta/environment": "staging"}}
        wanted = settings(self.shape, f"{self.way.url}/{self.shape}", **more)
        vault = Vault({"READ_TOKEN": WRONG_TOKEN if stranger else READ_TOKEN, "WRITE_TOKEN": write})
        timeout_s = 0.5 if how is Built.IMPATIENT else 10.0
        row = FLAG_SERVICES["http_json"]
        return Lever(
            reader=row.reader(wanted, self._web, vault, timeout_s),
            maybe_writer=row.writer(wanted, self._web, vault, timeout_s),
            vault=vault,
        )

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        key = f"flag_{next(_NUMBERS)}"

        def make(store: FlagStore, at: datetime) -> None:
            store.create("default", {"name": key}, Author(), at)
            target = ("default", key, "production")
            rollout = {"parameters": {"rollout": f"{percent.value:g}"}}
            store.add_strategy(*target, rollout, Author(), at)
            store.switch(*target, on, Author(), at)

        self._world.write(make)
        return key

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        patch = [{"op": "replace", "path": "/parameters/rollout", "value": f"{percent.value:g}"}]
        author, target = Author(name=who, user_id=7), ("default", key, "production")

        def store_it(store: FlagStore, at: datetime) -> None:
            strategy = store.environment(*target).strategies[0].id
            store.patch_strategy(*target, strategy, patch, author, at)

        self._world.write(store_it)

    async def truth(self, key: str) -> Truth:
        with self._world.lock:
            stored = self._world.flags.environment("default", key, "production")
            return Truth(
                on=stored.enabled,
                percent=Percent.parse(stored.strategies[0].parameters["rollout"]),
                mark=sum(event["featureName"] == key for event in self._world.flags.events),
            )

    @property
    def secrets(self) -> tuple[str, ...]:
        return READ_TOKEN, WRITE_TOKEN, WRONG_TOKEN


class VersionRig(EtagRig):
    """Fractions of one, and all flags with one request."""

    name = "http_json-version"
    shape = "version"
    claims = EtagRig.claims - {Can.TELLS_RIGHTS}
    step = Percent.parse(0.5)


class BareRig(EtagRig):
    """Nothing but a percentage, and nothing that guards it."""

    name = "http_json-bare"
    shape = "bare"
    claims = EtagRig.claims - {Can.SWITCH, Can.GUARD, Can.TELLS_WHO}


class SwitchRig(EtagRig):
    """No percentage at all: everybody or nobody."""

    name = "http_json-switch"
    shape = "switch"
    claims = EtagRig.claims - {Can.SWITCH, Can.TELLS_WHO, Can.TELLS_RIGHTS}
    step = FULL
    low, high, other = ZERO, FULL, FULL

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        return await super().flag(FULL, on=percent != ZERO)

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        target = ("default", key, "production")
        self._world.write(
            lambda store, at: store.switch(*target, percent != ZERO, Author(name=who, user_id=7), at)
        )

    async def truth(self, key: str) -> Truth:
        stored = await super().truth(key)
        return Truth(on=True, percent=stored.exposure, mark=stored.mark)


RIGS: tuple[type[LeverRig], ...] = (EtagRig, VersionRig, BareRig, SwitchRig)
