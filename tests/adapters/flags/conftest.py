"""The two worlds of the flag adapters: the practice double and the real server. Same tests, same answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import cast

import httpx
import pytest
import pytest_asyncio

from cockpit.adapters.http import Web
from cockpit.core.spec import Plan, RollbackSpec
from cockpit.engine.clock import SystemClock
from cockpit.practice.server import PracticeServer
from tests.adapters.flags.crew import Crew
from tests.adapters.flags.nginx_double import NginxDouble, nginx_double
from tests.adapters.flags.rigs.http_json import plan_of_all_shapes
from tests.adapters.flags.suite import Lever, LeverRig
from tests.real.convex_server import ConvexTest, convex_test
from tests.real.haproxy_server import Haproxy, haproxy
from tests.real.nginx_server import Nginx, nginx
from tests.real.unleash_raw import RawUnleash, Tokens
from tests.real.unleash_server import Unleash, unleash

ADMIN = "practice-admin-token"


@pytest.fixture(scope="session")
def real_unleash() -> Iterator[Unleash]:
    with unleash() as started:
        yield started


@pytest.fixture(scope="session")
def practice_flags() -> Iterator[PracticeServer]:
    with PracticeServer(_empty_plan(), seed=1, clock=SystemClock()) as practice:
        yield practice


@pytest.fixture(scope="session")
def convex_test_functions() -> Iterator[ConvexTest]:
    with convex_test() as started:
        yield started


@pytest.fixture(scope="session")
def real_haproxy() -> Iterator[Haproxy]:
    with haproxy() as started:
        yield started


@pytest.fixture(scope="session")
def real_nginx() -> Iterator[Nginx]:
    with nginx() as started:
        yield started


@pytest.fixture(scope="session")
def practice_nginx() -> Iterator[NginxDouble]:
    with nginx_double() as started:
        yield started


@pytest.fixture(scope="session")
def practice_unleash(practice_flags: PracticeServer) -> Iterator[RawUnleash]:
    with httpx.Client(
        base_url=practice_flags.urls["unleash"], headers={"Authorization": ADMIN}, trust_env=False
    ) as admin:
        tokens = Tokens(
            admin=ADMIN,
            person="practice-as-ada",
            person_name="ada",
            viewer="viewer-token",
            backend="client-token",
        )
        yield RawUnleash(practice_flags.urls["unleash"], tokens, admin)


@pytest.fixture(scope="session")
def practice_endpoints() -> Iterator[PracticeServer]:
    """Home-grown endpoints of every shape that `rigs.http_json` knows."""
    with PracticeServer(plan_of_all_shapes(), seed=1, clock=SystemClock()) as practice:
        yield practice


@pytest.fixture(params=["practice", pytest.param("real", marks=pytest.mark.real)])
def raw(request: pytest.FixtureRequest) -> RawUnleash:
    """The flag service of this world, past our adapter."""
    if request.param == "practice":
        return cast(RawUnleash, request.getfixturevalue("practice_unleash"))
    return cast(Unleash, request.getfixturevalue("real_unleash")).raw


@pytest_asyncio.fixture
async def web() -> AsyncIterator[Web]:
    made = Web(clock=SystemClock())
    yield made
    await made.aclose()


@pytest_asyncio.fixture
async def crew(raw: RawUnleash, web: Web) -> Crew:
    """Our adapters in this world."""
    return Crew(raw, web)


@pytest_asyncio.fixture
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[LeverRig]:
    """The lever of this case with its service; see `suite`."""
    async with request.param.open(request) as opened:
        yield opened


@pytest.fixture
def lever(rig: LeverRig) -> Lever:
    return rig.build()


def _empty_plan() -> Plan:
    return Plan(
        title="flags",
        environment="practice",
        flag_services=(),
        monitors=(),
        backends=(),
        flags=(),
        signals=(),
        rollback=RollbackSpec(),
    )
