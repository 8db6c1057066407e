"""Writes that are given up, come too late, or never begin: what is sent, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from cockpit.adapters.base import FlagWriter, Unreachable
from cockpit.adapters.flags.outcome import reported
from cockpit.adapters.leaving import asked_elsewhere, must_be_wanted
from cockpit.core.clean import Percent
from cockpit.core.clocks import ClockPair
from cockpit.core.events import Lever
from cockpit.core.model import FlagValue, WriteOutcome, WriteResult
from cockpit.engine.effects import STALE_INTENT_S, Effects, WriteOrder
from tests.engine.by_action import WritesByAction
from tests.engine.conftest import World


@dataclass
class Told:
    """What the effects of one world report."""

    world: World
    writer: FlagWriter | None = None
    stands: str = ""
    results: list[WriteResult] = field(default_factory=list)
    was_busy: list[bool] = field(default_factory=list)
    asked_whether_it_stands: int = 0

    def __post_init__(self) -> None:
        self.ended = asyncio.Event()
        sources = self.world.sources(self.world.plan)
        if self.writer is not None:
            sources = replace(sources, writers={"flags": self.writer})
        self.effects = Effects(
            sources=sources,
            clock=self.world.clock,
            wrote=self._wrote,
            read=self._read,
            announced=lambda *told: None,
            freed=lambda: None,
            stands=self._stands,
        )

    def _wrote(self) -> None:
        self.was_busy.append(self.effects.busy("writes"))
        self.results += [result for _, result in self.effects.take_answers()]
        self.ended.set()

    async def _read(self, flag: str, lever: Lever) -> bool:
        return True

    def _stands(self, order: WriteOrder) -> str:
        self.asked_whether_it_stands += 1
        return self.stands

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


class Looking(WritesByAction):
    """A lever that looks at its flag before it writes, as most do; what happens meanwhile, a test says."""

    def __init__(self, world: World, meanwhile: Callable[[], object]) -> None:
        self._world = world
        self._meanwhile = meanwhile

    async def write(self, action: str, key: str, percent: Percent | None) -> WriteResult:
        return await reported(self._write(action, key, percent))

    async def _write(self, action: str, key: str, percent: Percent | None) -> str:
        self._meanwhile()
        await asyncio.to_thread(asked_elsewhere())
        must_be_wanted()
        return (await self._world.service.write(action, key, percent)).detail


def _slept_on(world: World) -> None:
    world.clock.set_ahead(600)


def _was_stopped(world: World) -> None:
    world.clock.advance(600)


@pytest.mark.parametrize("stood", [_was_stopped, _slept_on])
@pytest.mark.parametrize("action", ["set", "kill", "zero"])
def test_a_process_that_stood_still_between_look_and_write_sends_nothing(
    world: World, action: str, stood: Callable[[World], None]
) -> None:
    """Ten minutes in which others moved the flag; what was answered before them is handled first."""

    async def scenario() -> Told:
        told = Told(world, Looking(world, lambda: stood(world)))
        await told.begin(action)
        await told.ended.wait()
        return told

    [result] = asyncio.run(scenario()).results
    assert result.outcome is WriteOutcome.REFUSED and result.unsent
    assert "nobody waits for it any more" in result.detail
    assert not world.service.writes


@pytest.mark.parametrize(
    ("action", "passed_s", "asked"),
    [("set", 0.0, True), ("kill", 0.0, False), ("kill", STALE_INTENT_S + 0.1, True)],
)
def test_what_others_journalled_is_read_before_a_step_forward_and_by_whoever_stood_still(
    world: World, action: str, passed_s: float, asked: bool
) -> None:
    async def scenario() -> Told:
        told = Told(world, Looking(world, lambda: world.clock.advance(passed_s)), stands="ben drives")
        await told.begin(action)
        await told.ended.wait()
        return told

    told = asyncio.run(scenario())
    assert (told.asked_whether_it_stands, bool(world.service.writes)) == (int(asked), not asked)
    assert told.results[0].unsent is asked


@pytest.mark.parametrize("action", ["set", "kill"])
def test_what_a_lever_would_still_send_after_its_time_limit_is_not_wanted(world: World, action: str) -> None:
    """A thread that hung in a file system goes on when nobody waits for it any more."""
    left: list[Callable[[], None]] = []

    async def scenario() -> None:
        told = Told(world, Looking(world, lambda: left.append(asked_elsewhere())))
        await told.begin(action)
        await told.ended.wait()

    asyncio.run(scenario())
    with pytest.raises(Unreachable) as caught:
        left[0]()
    assert not caught.value.sent


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


def test_a_second_write_of_a_flag_is_not_begun_beside_the_first(world: World) -> None:
    async def scenario() -> None:
        told = Told(world)
        await told.begin("kill")
        with pytest.raises(RuntimeError, match="has a write in flight"):
            await told.begin("set")
        await told.ended.wait()

    asyncio.run(scenario())
    assert [write.action for write in world.service.writes] == ["kill"]


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
