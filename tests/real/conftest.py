"""Real servers, started once per session and only when a test asks for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.unleash_server import Unleash, unleash


@pytest.fixture(scope="session")
def real_unleash() -> Iterator[Unleash]:
    with unleash() as started:
        yield started
