"""What every flag service's writer does, whatever it speaks. The rigs say which of it applies to them."""

from __future__ import annotations

import asyncio

import pytest

from cockpit.adapters.leaving import only_while_wanted
from cockpit.core.clean import FULL, ZERO, Percent
from cockpit.core.model import Fault, FlagValue, WriteOutcome, WriteResult
from tests.adapters.flags.rigs import all_rigs, levers, levers_in_trouble
from tests.adapters.flags.suite import Built, Can, Lever, LeverRig, Trouble, Truth, clean

DONE, REFUSED, UNKNOWN = WriteOutcome.DONE, WriteOutcome.REFUSED, WriteOutcome.UNKNOWN
WRITES = ("set", "kill", "zero")


@levers()
async def test_a_percentage_is_stored_and_read(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.low)
    result = await lever.set(key, rig.high)
    assert (result.outcome, result.failure) == (DONE, None), result
    assert (await rig.truth(key)).exposure == rig.high
    assert (await lever.value(key)).exposure == rig.high


@levers()
async def test_all_the_way_up_and_down(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.low)
    for percent in (rig.high, FULL, rig.low, ZERO, FULL):
        assert (await lever.set(key, percent)).outcome is DONE
        assert (await rig.truth(key)).exposure == percent


@levers()
async def test_no_other_flag_is_touched(rig: LeverRig, lever: Lever) -> None:
    flags = [await rig.flag(rig.low) for _ in range(3)]
    bystanders = [await rig.truth(flags[0]), await rig.truth(flags[2])]
    await lever.set(flags[1], rig.high)
    await lever.writer.kill(flags[1])
    await lever.writer.zero(flags[1])
    assert [await rig.truth(flags[0]), await rig.truth(flags[2])] == bystanders


@levers()
async def test_what_is_there_already_is_not_written_again(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.high)
    before = await rig.truth(key)
    assert (await lever.set(key, rig.high)).outcome is DONE
    assert await rig.truth(key) == before


@levers(Can.SWITCH)
async def test_what_was_off_serves_what_was_asked_and_not_what_was_stored(
    rig: LeverRig, lever: Lever
) -> None:
    key = await rig.flag(rig.high, on=False)
    result = await lever.set(key, rig.low)
    assert result.outcome is DONE, result
    assert (await rig.truth(key)).exposure == rig.low


@levers()
async def test_a_foreign_change_is_not_overwritten(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.high)
    seen = await lever.value(key)
    await rig.change(key, rig.low)
    before = await rig.truth(key)
    result = await lever.writer.set_percent(key, rig.other, expected=seen)
    assert result.outcome is REFUSED, result
    assert str(rig.low) in result.detail
    assert await rig.truth(key) == before


@levers(Can.GUARD, Can.MEDDLE)
async def test_a_foreign_change_in_the_last_moment_fails_the_guard(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.low)
    seen, changed = await lever.value(key), []

    async def meddle() -> None:
        await rig.change(key, rig.other)
        changed.append(await rig.truth(key))

    rig.just_before_a_write(meddle)
    result = await lever.writer.set_percent(key, rig.high, expected=seen)
    assert result.outcome is REFUSED, result
    assert [await rig.truth(key)] == changed


COARSE = [rig for rig in all_rigs() if rig.step != Percent(1)]


@pytest.mark.parametrize(
    "rig", [pytest.param(rig, id=rig.name, marks=rig.marks) for rig in COARSE], indirect=True
)
async def test_what_the_service_cannot_express_is_refused_and_not_rounded(
    rig: LeverRig, lever: Lever
) -> None:
    key = await rig.flag(rig.low)
    before = await rig.truth(key)
    for hundredths in (rig.step.hundredths // 2, rig.step.hundredths - 1, 10_000 - 1):
        result = await lever.set(key, Percent(hundredths))
        assert result.outcome is REFUSED, result
        assert result.failure is not None
        assert result.failure.fault is Fault.PLAN
    assert await rig.truth(key) == before


@levers()
async def test_a_kill_exposes_nobody_and_may_be_repeated(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.high)
    for _ in range(2):
        result = await lever.writer.kill(key)
        assert (result.outcome, result.failure) == (DONE, None), result
        assert (await rig.truth(key)).exposure == ZERO
    assert (await lever.value(key)).exposure == ZERO


@levers()
async def test_zero_after_a_kill_leaves_nothing_behind_the_switch(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(FULL)
    await lever.writer.kill(key)
    for _ in range(2):
        result = await lever.writer.zero(key)
        assert result.outcome is DONE, result
    truth = await rig.truth(key)
    assert (truth.percent, truth.exposure) == (ZERO, ZERO)


@levers(Can.SWITCH)
async def test_zero_does_not_switch_on(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.high, on=False)
    await lever.writer.zero(key)
    assert not (await rig.truth(key)).on


@levers(Can.MEDDLE)
async def test_a_kill_asks_for_nobodys_leave(rig: LeverRig, lever: Lever) -> None:
    """Somebody raises the flag just before the kill arrives: that must not stop it."""
    key = await rig.flag(rig.low)
    rig.just_before_a_write(lambda: rig.change(key, rig.other))
    result = await lever.writer.kill(key)
    assert result.outcome is DONE, result
    assert (await rig.truth(key)).exposure == ZERO


@levers()
async def test_many_flags_are_killed_side_by_side(rig: LeverRig, lever: Lever) -> None:
    flags = [await rig.flag(rig.high) for _ in range(12)]
    results = await asyncio.gather(*(lever.writer.kill(flag) for flag in flags))
    assert {result.outcome for result in results} == {DONE}, results
    assert {(await rig.truth(flag)).exposure for flag in flags} == {ZERO}


@levers(Can.MEDDLE)
async def test_a_kill_beats_a_forward_move_on_its_way(rig: LeverRig, lever: Lever) -> None:
    """Whatever arrives first: in the end nobody is exposed."""
    key = await rig.flag(rig.low)
    kills: list[asyncio.Task[WriteResult]] = []

    async def meddle() -> None:
        kills.append(asyncio.create_task(lever.writer.kill(key)))
        # The kill gets its chance to overtake; levers whose kill waits for the move are as good.
        await asyncio.wait(kills, timeout=0.5)

    rig.just_before_a_write(meddle)
    await lever.set(key, rig.high)
    (kill,) = await asyncio.gather(*kills)
    assert kill.outcome is DONE, kill
    assert (await rig.truth(key)).exposure == ZERO


@levers()
async def test_a_flag_that_is_not_there_is_not_made(rig: LeverRig, lever: Lever) -> None:
    seen = await lever.value(await rig.flag(rig.low))
    for result in (
        await lever.writer.kill(rig.absent),
        await lever.writer.zero(rig.absent),
        await lever.writer.set_percent(rig.absent, rig.high, expected=seen),
    ):
        assert result.outcome is REFUSED, result
    assert (await lever.read_trouble(rig.absent)).failure.fault is Fault.PLAN


@levers(Built.ELSEWHERE)
async def test_nothing_is_written_elsewhere(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.low)
    seen, before = await lever.value(key), await rig.truth(key)
    for result in await every_write(rig.build(Built.ELSEWHERE), key, rig.high, seen):
        assert result.outcome is REFUSED, result
    assert await rig.truth(key) == before


@pytest.mark.parametrize("how", [Built.STRANGER, Built.MAY_ONLY_READ])
@levers(Built.STRANGER, Built.MAY_ONLY_READ)
async def test_who_may_not_write_does_not(rig: LeverRig, lever: Lever, how: Built) -> None:
    key = await rig.flag(rig.high)
    seen, before = await lever.value(key), await rig.truth(key)
    for result in await every_write(rig.build(how), key, rig.low, seen):
        assert result.outcome is REFUSED, result
        assert result.failure is not None
        assert result.failure.fault is Fault.CREDENTIAL
    assert await rig.truth(key) == before


async def every_write(lever: Lever, key: str, percent: Percent, seen: FlagValue) -> list[WriteResult]:
    return [await written(lever, write, key, percent, seen) for write in WRITES]


async def written(lever: Lever, write: str, key: str, percent: Percent, seen: FlagValue) -> WriteResult:
    if write == "set":
        return await lever.writer.set_percent(key, percent, expected=seen)
    return await (lever.writer.kill(key) if write == "kill" else lever.writer.zero(key))


def happened(write: str, truth: Truth, asked: Percent) -> bool:
    if write == "set":
        return truth.exposure == asked
    return (truth.exposure if write == "kill" else truth.percent) == ZERO


@pytest.mark.parametrize("write", WRITES)
@levers_in_trouble(*Trouble)
async def test_a_result_in_trouble_is_never_a_lie(rig: LeverRig, kind: Trouble, write: str) -> None:
    """Done means that it happened, refused that nothing did. Between the two there is unknown."""
    lever, key = rig.build(Built.IMPATIENT), await rig.flag(rig.low)
    seen, before = await rig.build().value(key), await rig.truth(key)
    async with rig.trouble(kind):
        result = await written(lever, write, key, rig.high, seen)
    clean(result)
    after = await rig.truth(key)
    if result.outcome is DONE:
        assert happened(write, after, rig.high), (result, after)
    if result.outcome is REFUSED:
        assert after == before, (result, after)
    assert (result.failure is None) == (result.outcome is DONE)


@pytest.mark.parametrize("write", ["set", "kill"])
@levers(Trouble.ANSWER_LOST)
async def test_a_lost_answer_is_unknown_until_it_is_read_back(
    rig: LeverRig, lever: Lever, write: str
) -> None:
    key = await rig.flag(rig.low)
    seen = await lever.value(key)
    async with rig.trouble(Trouble.ANSWER_LOST):
        result = await written(lever, write, key, rig.high, seen)
    assert result.outcome is UNKNOWN, result
    assert (await lever.value(key)).exposure == (rig.high if write == "set" else ZERO)


@pytest.mark.parametrize("write", WRITES)
@levers()
async def test_what_is_not_wanted_any_more_when_its_moment_comes_does_not_leave(
    rig: LeverRig, lever: Lever, write: str
) -> None:
    """The process was stopped after its look, or the host slept: whoever ordered it says so when asked."""
    key = await rig.flag(rig.high)
    seen, before = await lever.value(key), await rig.truth(key)
    with only_while_wanted(lambda: "this cockpit stood still"):
        result = await written(lever, write, key, rig.low, seen)
    assert (result.outcome, result.unsent) == (REFUSED, True), result
    assert "this cockpit stood still" in result.detail
    assert await rig.truth(key) == before
    assert (await written(lever, write, key, rig.low, seen)).outcome is DONE, "the lever is as good as new"


@levers_in_trouble(Trouble.GONE, Trouble.UNWELCOME, Trouble.FORBIDDEN, Trouble.THROTTLED)
async def test_a_clear_no_is_a_refusal(rig: LeverRig, kind: Trouble) -> None:
    lever, key = rig.build(), await rig.flag(rig.low)
    seen, before = await lever.value(key), await rig.truth(key)
    async with rig.trouble(kind):
        results = await every_write(lever, key, rig.high, seen)
    assert {result.outcome for result in results} == {REFUSED}, results
    assert await rig.truth(key) == before


@levers()
async def test_the_writers_preflight_says_that_it_may_and_writes_nothing(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.low)
    before = await rig.truth(key)
    lines = await lever.writer.preflight([key])
    clean(list(lines))
    assert lines
    assert not [line for line in lines if line.ok is False], lines
    assert await rig.truth(key) == before


@levers(Built.MAY_ONLY_READ)
async def test_the_writers_preflight_never_promises_what_is_not_allowed(rig: LeverRig) -> None:
    """Where the service does not tell rights, the line says that nobody knows."""
    key = await rig.flag(rig.low)
    before = await rig.truth(key)
    lines = await rig.build(Built.MAY_ONLY_READ).writer.preflight([key])
    assert any(line.ok is not True for line in lines), lines
    assert await rig.truth(key) == before


@levers(Can.TELLS_RIGHTS, Built.MAY_ONLY_READ)
async def test_the_writers_preflight_says_what_the_service_tells_of_rights(
    rig: LeverRig, lever: Lever
) -> None:
    """A yes that holds, and a no before the night that needs it."""
    key = await rig.flag(rig.low)
    may, may_not = lever.writer, rig.build(Built.MAY_ONLY_READ).writer
    told = [line for line in await may.preflight([key]) if "may" in line.question]
    assert told and all(line.ok is not None for line in told), told
    assert any(line.ok is False for line in await may_not.preflight([key]))
