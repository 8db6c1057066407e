"""One source polled for ever: never two requests at once, never sooner than allowed, never dead."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.model import Failure, Fault
from cockpit.engine.poller import Poller


class Source:
    """Counts requests, and notes when each began on the loop's clock."""

    def __init__(self) -> None:
        self.began: list[float] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.answer: Callable[[], Awaitable[Failure | None]] | Failure | Exception | None = None
        self.failed: list[Failure] = []
        self._called = asyncio.Event()

    async def tick(self) -> Failure | None:
        self.began.append(asyncio.get_running_loop().time())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self._called.set()
        try:
            if isinstance(self.answer, Exception):
                raise self.answer
            if self.answer is None or isinstance(self.answer, Failure):
                return self.answer
            return await self.answer()
        finally:
            self.in_flight -= 1

    async def calls(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.began) < count:
                self._called.clear()
                await self._called.wait()

    def poller(
        self, *, interval_s: float = 0.02, timeout_s: float = 20.0, phase: float = 0.0, first_s: float = 0.0
    ) -> Poller:
        return Poller(
            name="source",
            interval_s=interval_s,
            timeout_s=timeout_s,
            tick=self.tick,
            failed=self.failed.append,
            rng=random.Random(3),
            phase=phase,
            first_s=first_s,
        )


class Running:
    def __init__(self, poller: Poller) -> None:
        self._poller = poller

    async def __aenter__(self) -> Poller:
        self._task = asyncio.create_task(self._poller.run())
        return self._poller

    async def __aexit__(self, *_: object) -> None:
        assert not self._task.done(), "a poller never ends by itself"
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


async def test_it_polls_again_and_again() -> None:
    source = Source()
    async with Running(source.poller()):
        await source.calls(4)
    assert source.most_in_flight == 1
    assert not source.failed


async def test_a_request_in_flight_is_never_joined_by_a_second_even_when_poked() -> None:
    source, gate = Source(), asyncio.Event()

    async def slow() -> None:
        await gate.wait()

    source.answer = slow
    async with Running(source.poller()) as poller:
        await source.calls(1)
        for _ in range(5):
            poller.poke()
            await asyncio.sleep(0)
        assert source.in_flight == 1
        gate.set()
        await source.calls(3)
    assert source.most_in_flight == 1


async def test_a_tick_that_overruns_is_cut_off_and_told() -> None:
    source = Source()

    async def never() -> None:
        await asyncio.Event().wait()

    source.answer = never
    async with Running(source.poller(timeout_s=0.01)):
        await source.calls(3)
    assert source.most_in_flight == 1
    assert {(each.title, each.fault) for each in source.failed} == {("no answer in 0.01 s", Fault.NETWORK)}


@pytest.mark.parametrize("broken", [ZeroDivisionError(), KeyError("x"), OSError("disk")])
async def test_a_broken_tick_is_the_cockpits_own_fault_and_polling_goes_on(broken: Exception) -> None:
    source = Source()
    source.answer = broken
    async with Running(source.poller()):
        await source.calls(2)
        source.answer = None
        await source.calls(4)
    assert source.failed[0].fault is Fault.COCKPIT
    assert type(broken).__name__ in source.failed[0].title
    assert len(source.failed) <= 3


async def test_failures_stretch_the_interval_up_to_four_times() -> None:
    source = Source()
    source.answer = Failure(title="down")
    async with Running(source.poller(interval_s=0.02)):
        await source.calls(6)
    gaps = [later - earlier for earlier, later in zip(source.began, source.began[1:], strict=False)]
    # A tick that began late shortens its gap by up to half an interval: the moments stay what they are.
    assert gaps[0] >= 0.02 * 0.45
    assert gaps[1] >= 0.02 * 1.45
    assert min(gaps[3:]) >= 0.02 * 3.45


async def test_a_source_that_says_not_before_is_obeyed_even_when_poked() -> None:
    source = Source()
    source.answer = Failure(title="429", retry_after_s=0.2)
    async with Running(source.poller(interval_s=0.01)) as poller:
        await source.calls(1)
        for _ in range(10):
            poller.poke()
            await asyncio.sleep(0.002)
        source.answer = None
        await source.calls(2)
    assert source.began[1] - source.began[0] >= 0.2


async def test_a_poke_wakes_a_slow_source_at_once_but_not_in_a_storm() -> None:
    source = Source()
    async with Running(source.poller(interval_s=3600.0)) as poller:
        poller.poke()
        await source.calls(1)
        poller.poke()
        await source.calls(2)
        for _ in range(5):
            poller.poke()
            await asyncio.sleep(0)
        await source.calls(3)
    gaps = [later - earlier for earlier, later in zip(source.began, source.began[1:], strict=False)]
    assert min(gaps) >= 0.5 - 0.01


async def test_an_answer_that_takes_longer_than_the_interval_stretches_it() -> None:
    source, ended = Source(), list[float]()

    async def slow() -> None:
        await asyncio.sleep(0.05)
        ended.append(asyncio.get_running_loop().time())

    source.answer = slow
    async with Running(source.poller(interval_s=0.03)):
        await source.calls(5)
    rests = [began - end for end, began in zip(ended, source.began[1:], strict=False)]
    assert min(rests) >= 0.03 * 0.05 - 0.001, "a tenth of an interval of rest, less the jitter"
    gaps = [later - earlier for earlier, later in zip(source.began, source.began[1:], strict=False)]
    assert min(gaps) >= 0.05


@given(st.floats(0, 0.999), st.floats(0, 3), st.integers(0, 4), st.floats(0, 10))
def test_the_next_moment_is_its_own_and_soon_but_never_at_once(
    phase: float, took: float, failures: int, began: float
) -> None:
    """In intervals: at least half from the last, some rest, and no more than one skipped for nothing."""
    poller = Source().poller(interval_s=1.0, phase=phase)
    poller._began_at, poller._failures = began, failures
    moment = poller._next(0.0, began + took)
    stretch = min(2 ** max(0, failures - 1), 4)
    soonest = max(began + stretch - 0.5, began + took + 0.1)
    assert soonest - 0.05 - 1e-6 <= moment <= soonest + 1 + 0.05 + 1e-6
    assert abs((moment - phase + 0.5) % 1 - 0.5) <= 0.05 + 1e-6


@given(st.floats(0, 0.999), st.integers(0, 20), st.floats(0, 0.8))
def test_a_source_that_answers_within_its_interval_is_heard_in_each_of_them(
    phase: float, number: int, took: float
) -> None:
    poller = Source().poller(interval_s=1.0, phase=phase)
    poller._began_at = number + phase
    moment = poller._next(0.0, poller._began_at + took)
    assert moment == pytest.approx(number + 1 + phase, abs=0.05 + 1e-6)
