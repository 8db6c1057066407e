"""Real servers, started once per session and only when a test asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from cockpit.adapters.http import Web
from cockpit.engine.clock import SystemClock
from tests.real.unleash_server import Unleash, unleash


@pytest.fixture(scope="session")
def real_unleash() -> Iterator[Unleash]:
    with unleash() as started:
        yield started


@pytest.fixture(scope="session")
def frail_unleash() -> Iterator[Unleash]:
    """Another one, which tests may freeze: those of `real_unleash` shall never meet it so."""
    with unleash() as started:
        yield started


@pytest_asyncio.fixture
async def web() -> AsyncIterator[Web]:
    made = Web(clock=SystemClock())
    yield made
    await made.aclose()
