"""Announcements are tried again only where that can help, in order of words: who, how often, how long."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from cockpit.adapters.base import AdapterError, Announcement
from cockpit.core.model import Failure, Fault
from cockpit.engine import delivery
from cockpit.engine.delivery import LONGEST_WAIT_S, PAUSES_S, deliver

NEWS = Announcement(
    event_id="r1:declared:chat",
    moment="declared",
    title="ROLLBACK DECLARED",
    text="reads back to legacy",
    environment="test",
    plan="Scripted",
    actor="ana",
    at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
)


class Sink:
    """Fails as told, then takes everything; `told` are the event ids of every try."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.told: list[str] = []

    async def announce(self, announcement: Announcement) -> str:
        self.told.append(announcement.event_id)
        if self._failures:
            raise self._failures.pop(0)
        return "taken"

    async def aclose(self) -> None:
        """Nothing is open."""


class Silent(Sink):
    async def announce(self, announcement: Announcement) -> str:
        self.told.append(announcement.event_id)
        await asyncio.get_running_loop().create_future()
        raise AssertionError("a future that nobody sets")


def trouble(
    fault: Fault = Fault.SERVICE, *, retryable: bool = True, wait_s: float | None = None
) -> Exception:
    return AdapterError(Failure(title="no", retryable=retryable, fault=fault, retry_after_s=wait_s))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were asked for; none is slept. Threads of other tests sleep as they always do."""
    asked: list[float] = []

    async def sleep(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr(delivery, "asyncio", SimpleNamespace(sleep=sleep, timeout=asyncio.timeout))
    return asked


async def test_what_arrives_is_sent_once(waits: Sequence[float]) -> None:
    sink = Sink()
    assert await deliver(sink, NEWS, timeout_s=5) == ("taken", None)
    assert (len(sink.told), waits) == (1, [])


@pytest.mark.parametrize("fault", [Fault.SERVICE, Fault.NETWORK])
async def test_trouble_on_the_way_is_tried_again_under_the_same_id(
    waits: Sequence[float], fault: Fault
) -> None:
    sink = Sink(trouble(fault), trouble(fault))
    assert await deliver(sink, NEWS, timeout_s=5) == ("taken", None)
    assert sink.told == [NEWS.event_id] * 3
    assert waits == list(PAUSES_S)


async def test_three_tries_and_no_more(waits: Sequence[float]) -> None:
    sink = Sink(*(trouble() for _ in range(9)))
    receipt, failure = await deliver(sink, NEWS, timeout_s=5)
    assert (receipt, len(sink.told)) == ("", 3)
    assert failure is not None and failure.title == "no"


@pytest.mark.parametrize(
    "refusal",
    [
        trouble(retryable=False),
        trouble(Fault.PLAN),
        trouble(Fault.CREDENTIAL),
        trouble(Fault.COCKPIT),
        ZeroDivisionError(),
    ],
)
async def test_what_another_try_cannot_mend_is_not_tried_again(
    waits: Sequence[float], refusal: Exception
) -> None:
    sink = Sink(refusal)
    _, failure = await deliver(sink, NEWS, timeout_s=5)
    assert failure is not None
    assert len(sink.told) == 1


async def test_the_wait_that_a_service_asks_for_is_kept(waits: Sequence[float]) -> None:
    sink = Sink(trouble(wait_s=7.0), trouble(wait_s=0.0))
    assert await deliver(sink, NEWS, timeout_s=5) == ("taken", None)
    assert waits == [7.0, PAUSES_S[1]]


async def test_a_wait_that_is_too_long_is_not_waited_for(waits: Sequence[float]) -> None:
    sink = Sink(trouble(wait_s=LONGEST_WAIT_S + 1))
    _, failure = await deliver(sink, NEWS, timeout_s=5)
    assert failure is not None
    assert (len(sink.told), waits) == (1, [])


async def test_a_sink_that_says_nothing_gets_its_time_and_no_more(waits: Sequence[float]) -> None:
    sink = Silent()
    _, failure = await deliver(sink, NEWS, timeout_s=0.01)
    assert failure is not None and failure.title == "no answer in 0.01 s"
    assert len(sink.told) == 3


async def test_a_hook_that_this_cockpit_does_not_have_is_said(waits: Sequence[float]) -> None:
    _, failure = await deliver(None, NEWS, timeout_s=5)
    assert failure is not None and failure.fault is Fault.COCKPIT
