"""One suite for every world: the practice world's deployment and convex-test over HTTP.

convex-test is the official mock of Convex functions, not a Convex backend; no real one can be had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from cockpit.adapters.base import Unreachable
from cockpit.adapters.http import Web
from cockpit.adapters.probes.convex import ConvexProbe, build
from cockpit.adapters.probes.settings import ConvexProbeSettings
from cockpit.core.model import Health
from cockpit.core.secret import Secret, SecretRef
from cockpit.practice.faults import FaultName
from tests.adapters.probes.practice import INSTANCE, practice, struck
from tests.real.convex_server import ADMIN_KEY, ConvexTest, convex_test
from tests.real.convex_server import INSTANCE as REAL_INSTANCE
from tests.tables import written


@dataclass(frozen=True, slots=True)
class ConvexWorld:
    """A deployment with a function health:check."""

    url: str
    instance: str
    admin_key: str
    failing: Callable[[], AbstractContextManager[None]]
    paused: Callable[[], AbstractContextManager[None]]
    hanging: Callable[[], AbstractContextManager[None]]

    def secret(self, reference: SecretRef) -> Secret:
        return Secret(self.admin_key if reference.env == "KEY" else "wrong|key")


@contextmanager
def practice_world() -> Iterator[ConvexWorld]:
    with practice() as server:
        yield ConvexWorld(
            url=server.urls["convex"],
            instance=INSTANCE,
            admin_key=server.secret(SecretRef(env="KEY")).reveal(),
            failing=lambda: struck(server, FaultName.ERROR_BURST, side="new", rate=1.0),
            paused=lambda: struck(server, FaultName.CONVEX_PAUSED),
            hanging=lambda: struck(server, FaultName.HANG, service="convex"),
        )


@contextmanager
def convex_test_world() -> Iterator[ConvexWorld]:
    with convex_test() as deployment:
        yield ConvexWorld(
            url=deployment.url,
            instance=REAL_INSTANCE,
            admin_key=ADMIN_KEY,
            failing=lambda: made(deployment, "prose"),
            paused=lambda: made_paused(deployment),
            hanging=deployment.server.frozen,
        )


@contextmanager
def made(deployment: ConvexTest, trouble: str) -> Iterator[None]:
    deployment.make(trouble)
    try:
        yield
    finally:
        deployment.mend()


@contextmanager
def made_paused(deployment: ConvexTest) -> Iterator[None]:
    deployment.pause(True)
    try:
        yield
    finally:
        deployment.mend()


@pytest.fixture(scope="module", params=["practice", pytest.param("convex-test", marks=pytest.mark.real)])
def world(request: pytest.FixtureRequest) -> Iterator[ConvexWorld]:
    with convex_test_world() if request.param == "convex-test" else practice_world() as running:
        yield running


def probe_of(web: Web, world: ConvexWorld, timeout_s: float = 20.0, **more: Any) -> ConvexProbe:
    settings = {"url": world.url, "instance": world.instance, "health_query": "health:check", **more}
    return build(written(ConvexProbeSettings, settings), web, world.secret, timeout_s)


KEY: dict[str, Any] = {"admin_key": {"env": "KEY"}}


async def test_a_working_deployment_is_ok(web: Web, world: ConvexWorld) -> None:
    value = await probe_of(web, world, **KEY).probe()
    assert value.health is Health.OK, value
    facts = dict(value.facts)
    assert (facts["instance"], facts["state"]) == (world.instance, "running")
    assert facts["version"]


async def test_arguments_reach_the_function(web: Web, world: ConvexWorld) -> None:
    value = await probe_of(web, world, health_args={"deep": True}).probe()
    assert value.health is Health.OK


async def test_another_deployment_is_down(web: Web, world: ConvexWorld) -> None:
    value = await probe_of(web, world, instance="sad-heron-2").probe()
    assert value.health is Health.DOWN
    assert value.detail == f"answers as {world.instance}, the plan says sad-heron-2"


async def test_a_throwing_health_function_is_down_and_its_words_stay_away(
    web: Web, world: ConvexWorld
) -> None:
    with world.failing():
        value = await probe_of(web, world, **KEY).probe()
    assert (value.health, value.detail) == (Health.DOWN, "health:check failed")
    assert "hunter2" not in repr(value)
    assert len(dict(value.facts)["request"]) == 16
    assert (await probe_of(web, world).probe()).health is Health.OK


async def test_a_missing_function_is_down(web: Web, world: ConvexWorld) -> None:
    value = await probe_of(web, world, health_query="health:nowhere").probe()
    assert value.health is Health.DOWN


async def test_a_paused_deployment_is_down_and_with_a_key_says_why(web: Web, world: ConvexWorld) -> None:
    with world.paused():
        keyed = await probe_of(web, world, **KEY).probe()
        keyless = await probe_of(web, world).probe()
    assert (keyed.health, keyed.detail) == (Health.DOWN, "the deployment is paused by its operators")
    assert keyless.health is Health.DOWN
    assert dict(keyless.facts)["state"] == "not known: no admin key in the plan"


async def test_a_refused_key_hides_the_state_and_no_more(web: Web, world: ConvexWorld) -> None:
    value = await probe_of(web, world, admin_key={"env": "WRONG"}).probe()
    assert value.health is Health.OK
    assert "credential" in dict(value.facts)["state"]


async def test_a_hanging_deployment_could_not_be_asked_and_then_can(web: Web, world: ConvexWorld) -> None:
    probe = probe_of(web, world, timeout_s=1.0)
    with world.hanging(), pytest.raises(Unreachable):
        await probe.probe()
    assert (await probe.probe()).health is Health.OK
