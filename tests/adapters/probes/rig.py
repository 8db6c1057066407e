"""A web client for tests, a clock that stands still, and secrets by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest_asyncio

from cockpit.adapters.http import Web
from cockpit.core.secret import Secret, SecretRef
from tests.adapters.probes.hostile import TOKEN

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


class StandingClock:
    def __init__(self, now: datetime = NOW) -> None:
        self.instant = now

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return 0.0


def the_token(reference: SecretRef) -> Secret:
    """Every reference leads to the one throwaway token."""
    return Secret(TOKEN)


@pytest_asyncio.fixture
async def clock() -> StandingClock:
    return StandingClock()


@pytest_asyncio.fixture
async def web(clock: StandingClock) -> AsyncIterator[Web]:
    made = Web(clock=clock)
    yield made
    await made.aclose()
