"""One suite for every world: the practice world's backend and a real uvicorn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from cockpit.adapters.base import Unreachable
from cockpit.adapters.http import Web
from cockpit.adapters.probes.http import HttpProbe, build
from cockpit.adapters.probes.settings import HttpProbeSettings
from cockpit.core.model import Health
from cockpit.practice.faults import FaultName
from tests.adapters.probes.practice import HEALTH, practice, struck
from tests.adapters.probes.rig import the_token
from tests.real.http_server import Service, service
from tests.tables import written


@dataclass(frozen=True, slots=True)
class HttpWorld:
    """A backend whose /health answers {"status": "ok"} while it is well."""

    url: str
    sick: Callable[[], AbstractContextManager[None]]
    hanging: Callable[[], AbstractContextManager[None]]


@contextmanager
def practice_world() -> Iterator[HttpWorld]:
    with practice() as server:
        yield HttpWorld(
            url=server.urls["legacy"],
            sick=lambda: struck(server, FaultName.LEGACY_SICK),
            hanging=lambda: struck(server, FaultName.HANG, service="legacy"),
        )


@contextmanager
def made_sick(backend: Service) -> Iterator[None]:
    backend.make(sick=True)
    try:
        yield
    finally:
        backend.make(sick=False)


@contextmanager
def real_world() -> Iterator[HttpWorld]:
    with service() as backend:
        yield HttpWorld(url=backend.url, sick=lambda: made_sick(backend), hanging=backend.server.frozen)


@pytest.fixture(scope="module", params=["practice", pytest.param("real", marks=pytest.mark.real)])
def world(request: pytest.FixtureRequest) -> Iterator[HttpWorld]:
    with real_world() if request.param == "real" else practice_world() as running:
        yield running


def probe_of(
    web: Web, world: HttpWorld, timeout_s: float = 20.0, path: str = "/health", **more: Any
) -> HttpProbe:
    settings = {"url": world.url + path, **more}
    return build(written(HttpProbeSettings, settings), web, the_token, timeout_s)


async def test_a_well_backend_is_ok(web: Web, world: HttpWorld) -> None:
    value = await probe_of(web, world, **HEALTH).probe()
    assert value.health is Health.OK
    assert ("value", '"ok"') in value.facts
    assert value.server_time is not None
    assert value.latency_ms is not None and value.latency_ms > 0


async def test_head_asks_for_no_body(web: Web, world: HttpWorld) -> None:
    value = await probe_of(web, world, method="HEAD", expect_status=[200, 405]).probe()
    assert value.health is Health.OK


async def test_a_sick_backend_is_down_by_status_and_by_body(web: Web, world: HttpWorld) -> None:
    with world.sick():
        by_status = await probe_of(web, world, **HEALTH).probe()
        by_body = await probe_of(web, world, expect_status=[200, 503], **HEALTH).probe()
    assert by_status.health is Health.DOWN
    assert by_status.detail == "answers 503, the plan expects 200"
    assert by_body.health is Health.DOWN
    assert "/status is" in by_body.detail


async def test_a_backend_that_recovers_is_ok_again(web: Web, world: HttpWorld) -> None:
    probe = probe_of(web, world, **HEALTH)
    with world.sick():
        assert (await probe.probe()).health is Health.DOWN
    assert (await probe.probe()).health is Health.OK


async def test_a_missing_page_is_down(web: Web, world: HttpWorld) -> None:
    value = await probe_of(web, world, path="/no/such/page").probe()
    assert value.detail == "answers 404, the plan expects 200"


async def test_a_hanging_backend_could_not_be_asked_and_then_can(web: Web, world: HttpWorld) -> None:
    probe = probe_of(web, world, timeout_s=1.0, **HEALTH)
    with world.hanging(), pytest.raises(Unreachable):
        await probe.probe()
    assert (await probe.probe()).health is Health.OK


async def test_anything_is_slower_than_a_millionth_of_a_second(web: Web, world: HttpWorld) -> None:
    value = await probe_of(web, world, latency_limit="0.001ms").probe()
    assert value.health is Health.DEGRADED
    assert value.detail.startswith("slow: ")
