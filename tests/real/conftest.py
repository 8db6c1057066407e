"""Real servers, started once per session and only when a test asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from cockpit.adapters.http import Web
from cockpit.engine.clock import SystemClock
from tests.real.cutover import Monitoring, Night, monitoring, night
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


@pytest.fixture(scope="module")
def watched() -> Iterator[Monitoring]:
    with monitoring() as started:
        yield started


@pytest.fixture
def night_service(real_unleash: Unleash) -> Unleash:
    """The flag service of the night; a file whose tests freeze it says another."""
    return real_unleash


@pytest.fixture
def tonight(
    night_service: Unleash, watched: Monitoring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Night]:
    with night(night_service, watched, tmp_path, monkeypatch) as staged:
        yield staged
