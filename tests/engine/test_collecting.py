"""The collector of cycles rests while a rollback goes out, and works again afterwards."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from cockpit.engine import collecting
from cockpit.engine.collecting import Rest
from tests.engine.conftest import World, declare


@pytest.fixture(autouse=True)
def collects() -> Iterator[None]:
    assert gc.isenabled()
    yield
    gc.enable()


async def test_it_works_again_when_its_rest_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "REST_S", 0.0)
    rest = Rest()
    rest.begin()
    assert not gc.isenabled()
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(0.0, over.set)
    await over.wait()
    assert gc.isenabled()
    rest.begin()
    assert not gc.isenabled()
    rest.end()
    assert gc.isenabled()


async def test_what_somebody_else_has_stopped_stays_stopped() -> None:
    gc.disable()
    rest = Rest()
    rest.begin()
    rest.end()
    assert not gc.isenabled()


def test_a_rollback_is_written_while_it_rests_and_a_cockpit_that_ends_leaves_it_at_work(
    exposed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "REST_S", 3600.0)
    pilot = exposed.start()
    assert gc.isenabled()
    pilot.done(declare())
    pilot.settled("flip")
    assert not gc.isenabled()
    exposed.end()
    assert gc.isenabled()
