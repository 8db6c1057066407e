"""Writes that are given up, come too late, or never begin: what is sent, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from cockpit.core.clean import Percent
from cockpit.core.clocks import ClockPair
from cockpit.core.events import Lever
from cockpit.core.model import FlagValue, WriteOutcome, WriteResult
from cockpit.engine.effects import STALE_INTENT_S, Effects, WriteOrder
from tests.engine.conftest import World


@dataclass
class Told:
    """What the effects of one world report."""

    world: World
    results: list[WriteResult] = field(default_factory=list)
    was_busy: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ended = asyncio.Event()
        self.effects = Effects(
            sources=self.world.sources(self.world.plan),
            clock=self.world.clock,
            wrote=self._wrote,
            read=self._read,
            announced=lambda *told: None,
            freed=lambda: None,
        )

    def _wrote(self) -> None:
        self.was_busy.append(self.effects.busy("writes"))
        self.results += [result for _, result in self.effects.take_answers()]
        self.ended.set()

    async def _read(self, flag: str, lever: Lever) -> bool:
        return True

    async def begin(self, action: str) -> None:
        value = (await self.world.service.read(("writes",)))["writes"]
        assert isinstance(value, FlagValue)
        order = WriteOrder(
            write_id="w1",
            flag="writes",
            service="flags",
            key="writes",
            action=action,
            percent=Percent(1000) if action == "set" else None,
            expected=value if action == "set" else None,
            rollback=None,
            timeout_s=5.0,
            intended=ClockPair.of(self.world.clock),
        )
        self.effects.write(order)


def _stopped(world: World) -> None:
    world.clock.advance(STALE_INTENT_S + 0.1)


def _suspended(world: World) -> None:
    """The host slept: its steady clock slept along."""
    world.clock.set_ahead(STALE_INTENT_S + 0.1)


@pytest.mark.parametrize("stood", [_stopped, _suspended])
@pytest.mark.parametrize("action", ["set", "kill", "zero"])
def test_a_process_that_stood_still_between_intent_and_write_sends_nothing(
    world: World, action: str, stood: Callable[[World], None]
) -> None:
    """Whoever was stopped there for long may have lost the seat meanwhile, and the flag moved on."""

    async def scenario() -> Told:
        told = Told(world)
        await told.begin(action)
        stood(world)
        await told.ended.wait()
        return told

    [result] = asyncio.run(scenario()).results
    assert result.outcome is WriteOutcome.REFUSED and "stood still" in result.detail
    assert result.unsent, "nobody said no: a rollback tries again"
    assert not world.service.writes


def _another_drives(effects: Effects) -> None:
    effects.abandon_forward_writes("another cockpit drives now")


def _second_pulled(effects: Effects) -> None:
    effects.abandon_first_lever("writes")


@pytest.mark.parametrize(
    ("action", "give_up"), [("set", _another_drives), ("kill", _second_pulled), ("set", _second_pulled)]
)
def test_a_write_that_is_given_up_before_it_began_is_not_sent_and_leaves_its_flag_free(
    world: World, action: str, give_up: Callable[[Effects], None]
) -> None:
    """In the very turn that started it: its task has not run one step by then."""

    async def scenario() -> Told:
        told = Told(world)
        await told.begin(action)
        give_up(told.effects)
        async with asyncio.timeout(5):
            await told.ended.wait()
        assert not told.effects.busy("writes")
        return told

    [result] = asyncio.run(scenario()).results
    assert result.outcome is WriteOutcome.REFUSED and result.unsent
    assert not world.service.writes


def test_a_flag_is_busy_until_its_answer_was_taken_to_be_journalled(world: World) -> None:
    """Else what is answered and not yet journalled looks like a write that nobody answers any more."""

    async def scenario() -> Told:
        told = Told(world)
        await told.begin("kill")
        async with asyncio.timeout(5):
            await told.ended.wait()
        assert not told.effects.busy("writes") and not told.effects.writing
        assert told.effects.take_answers() == []
        return told

    told = asyncio.run(scenario())
    assert told.was_busy == [True]
    assert [result.outcome for result in told.results] == [WriteOutcome.DONE]
