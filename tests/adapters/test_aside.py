"""Blocking calls beside the loop: answers, errors, a deadline, and one hanging call at most."""

from __future__ import annotations

import asyncio
import threading

import pytest

from cockpit.adapters.aside import Aside


async def test_the_answer_and_the_error_of_the_call_arrive() -> None:
    aside = Aside("sum")
    assert await aside.run(lambda: 1 + 1, 20) == 2
    with pytest.raises(ZeroDivisionError):
        await aside.run(lambda: 1 // 0, 20)
    assert await aside.run(lambda: "again", 20) == "again"


async def test_a_call_that_hangs_is_left_and_not_joined_by_another() -> None:
    aside, gate = Aside("one wait"), threading.Event()
    with pytest.raises(TimeoutError):
        await aside.run(gate.wait, 0.05)
    for _ in range(5):
        with pytest.raises(TimeoutError, match="an earlier one wait still hangs"):
            await aside.run(gate.wait, 20)
    (hanging,) = [each for each in threading.enumerate() if each.name == "one wait"]
    gate.set()
    hanging.join(20)
    assert await aside.run(lambda: 7, 20) == 7


async def test_the_loop_goes_on_meanwhile() -> None:
    gate = threading.Event()
    waiting = asyncio.create_task(Aside("wait").run(gate.wait, 20))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    assert await waiting is True


def test_a_loop_that_ended_meanwhile_is_no_trouble() -> None:
    gate, aside = threading.Event(), Aside("last wait")

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await aside.run(gate.wait, 0.01)

    asyncio.run(give_up())
    (left,) = [each for each in threading.enumerate() if each.name == "last wait"]
    gate.set()
    left.join(20)
    assert not left.is_alive()
