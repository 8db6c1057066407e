"""Writing flags of Unleash: the same acts against the practice double and against the real server."""

from __future__ import annotations

import asyncio

import pytest

from cockpit.adapters.base import Unreachable
from cockpit.adapters.http import Web
from cockpit.core.clean import FULL, ZERO, Percent
from cockpit.core.model import Failure, Fault, WriteOutcome
from tests.adapters.flags.crew import Crew, until
from tests.real.unleash_raw import RawUnleash

CONSTRAINT = {"contextName": "region", "operator": "IN", "values": ["eu"]}
TEN = Percent.parse(10)


async def test_a_rollout_from_nothing(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("0")
    for percent in (10, 25, 100):
        result = await crew.set(flag, percent)
        assert result.outcome is WriteOutcome.DONE, result
        assert raw.rollouts(flag) == [str(percent)]
        assert (await crew.value(flag)).exposure == Percent.parse(percent)


async def test_a_write_changes_the_percentage_and_nothing_else(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("5", title="keep me")
    before = raw.strategies(flag)[0]
    await crew.set(flag, 10)
    after = raw.strategies(flag)[0]
    assert after["parameters"] == {"groupId": flag, "rollout": "10", "stickiness": "userId"}
    assert {**after, "parameters": None} == {**before, "parameters": None}


async def test_repeating_a_write_is_no_write(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("10")
    events = raw.event_types(flag)
    assert (await crew.set(flag, 10)).outcome is WriteOutcome.DONE
    assert raw.event_types(flag) == events


async def test_a_foreign_change_is_not_overwritten(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("5")
    seen = await crew.value(flag)
    raw.store_rollout(flag, "40")
    result = await crew.writer.set_percent(flag, TEN, expected=seen)
    assert result.outcome is WriteOutcome.REFUSED
    assert result.detail == "somebody else changed it: it reads 40%"
    assert raw.rollouts(flag) == ["40"]


async def test_a_foreign_change_in_the_last_moment_fails_the_guard(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("5")

    async def meddle(method: str, path: str) -> None:
        raw.store_rollout(flag, "40")

    crew.writing.before_write = meddle
    result = await crew.set(flag, 10)
    assert result.outcome is WriteOutcome.REFUSED
    assert result.detail == "somebody else changed it: it reads 40%"
    assert result.failure is not None
    assert raw.rollouts(flag) == ["40"]


async def test_a_changed_condition_is_a_foreign_change_too(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("5")
    seen = await crew.value(flag)
    path = f"/features/{flag}/environments/production/strategies/{raw.strategies(flag)[0]['id']}"
    raw.call("PATCH", path, [{"op": "replace", "path": "/parameters/groupId", "value": "reshuffled"}])
    result = await crew.writer.set_percent(flag, TEN, expected=seen)
    assert result.outcome is WriteOutcome.REFUSED
    assert raw.rollouts(flag) == ["5"]


@pytest.mark.parametrize("percent", [12.5, 0.5, 99.99])
async def test_a_fraction_is_refused_before_anything_is_asked(
    raw: RawUnleash, crew: Crew, percent: float
) -> None:
    flag = raw.flag("5")
    result = await crew.set(flag, percent)
    assert (result.outcome, crew.writing.seen) == (WriteOutcome.REFUSED, [])
    assert "whole percents only" in result.detail


async def test_off_is_switched_on_only_after_the_percentage(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("50", on=False)
    began = len(raw.event_types(flag))
    result = await crew.set(flag, 10)
    assert result.outcome is WriteOutcome.DONE, result
    assert raw.event_types(flag)[began:] == ["feature-strategy-update", "feature-environment-enabled"]
    assert (await crew.value(flag)).exposure == TEN


async def test_the_on_trap_is_never_sprung(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag(None, on=False)
    result = await crew.set(flag, 10)
    assert result.outcome is WriteOutcome.DONE, result
    assert raw.event_types(flag) == [
        "feature-strategy-add",
        "feature-strategy-update",
        "feature-environment-enabled",
    ]
    assert raw.rollouts(flag) == ["10"]


async def test_zero_percent_leaves_off_what_is_off(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag(None, on=False)
    assert (await crew.set(flag, 0)).outcome is WriteOutcome.DONE
    assert (raw.rollouts(flag), raw.is_on(flag)) == (["0"], False)


async def test_a_trap_sprung_by_others_is_closed_again(raw: RawUnleash, crew: Crew) -> None:
    """Somebody removes the strategy just before our `on`, and Unleash adds one for everybody."""
    flag = raw.flag("10", on=False)

    async def meddle(method: str, path: str) -> None:
        if "/on?" in path:
            raw.remove_strategies(flag)

    crew.writing.before_write = meddle
    result = await crew.set(flag, 10)
    assert result.outcome is WriteOutcome.UNKNOWN
    assert "switched off again" in result.detail
    assert not raw.is_on(flag)


async def test_a_trap_that_cannot_be_closed_again_is_no_write_that_never_left(
    raw: RawUnleash, crew: Crew
) -> None:
    """Everybody is served by then: "nothing was sent" would have it blamed on somebody else."""
    flag = raw.flag("10", on=False)

    async def meddle(method: str, path: str) -> None:
        if "/on?" in path:
            raw.remove_strategies(flag)
        elif path.endswith("/off"):
            raise Unreachable(Failure(title="the way is gone"), sent=False)

    crew.writing.before_write = meddle
    result = await crew.set(flag, 10)
    assert (result.outcome, result.unsent) == (WriteOutcome.UNKNOWN, False)
    assert "could not be switched off again: the way is gone" in result.detail


async def test_what_is_not_plain_is_killed_but_not_promoted(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("10")
    raw.add_strategy(flag, "20")
    result = await crew.set(flag, 25)
    assert result.outcome is WriteOutcome.REFUSED
    assert "2 strategies" in result.detail
    assert raw.rollouts(flag) == ["10", "20"]
    assert (await crew.writer.kill(flag)).outcome is WriteOutcome.DONE
    assert (await crew.value(flag)).exposure == ZERO


@pytest.mark.parametrize("stored", ["101", "abc", "12.5"])
async def test_nonsense_stored_is_not_promoted(raw: RawUnleash, crew: Crew, stored: str) -> None:
    flag = raw.flag("10")
    raw.store_rollout(flag, stored)
    assert (await crew.set(flag, 25)).outcome is WriteOutcome.REFUSED
    assert raw.rollouts(flag) == [stored]


async def test_kill_and_kill_again(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("100")
    first, events = await crew.writer.kill(flag), raw.event_types(flag)
    second = await crew.writer.kill(flag)
    assert (first.outcome, second.outcome) == (WriteOutcome.DONE, WriteOutcome.DONE)
    assert raw.event_types(flag) == events
    value = await crew.value(flag)
    assert (value.on, value.percent) == (False, FULL)


async def test_a_kill_is_one_request(raw: RawUnleash, crew: Crew) -> None:
    await crew.writer.kill(raw.flag("100"))
    assert len(crew.writing.seen) == 1


async def test_a_kill_reaches_the_sdks(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("100")
    await until(lambda: raw.served().get(flag) is True)
    await crew.writer.kill(flag)
    await until(lambda: raw.served().get(flag) is False)


async def test_twenty_flags_are_killed_side_by_side(raw: RawUnleash, crew: Crew) -> None:
    flags = [raw.flag("100") for _ in range(20)]
    results = await asyncio.gather(*(crew.writer.kill(flag) for flag in flags))
    assert {result.outcome for result in results} == {WriteOutcome.DONE}
    assert not any(raw.is_on(flag) for flag in flags)


async def test_a_kill_beats_a_forward_move_on_its_way(raw: RawUnleash, crew: Crew) -> None:
    """The kill arrives while `on` is on its way; whatever the order at the server, it ends off."""
    flag = raw.flag("10", on=False)
    kill: list[asyncio.Task[object]] = []

    async def meddle(method: str, path: str) -> None:
        if "/on?" in path:
            kill.append(asyncio.create_task(crew.writer.kill(flag)))
            await until(lambda: sum(seen.endswith("/off") for seen in crew.writing.seen) == 1)
            await until(lambda: not raw.is_on(flag))

    crew.writing.before_write = meddle
    await crew.set(flag, 10)
    await asyncio.gather(*kill)
    assert not raw.is_on(flag)
    assert sum(seen.endswith("/off") for seen in crew.writing.seen) == 2


async def test_a_kill_stops_a_forward_move_before_its_next_request(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("50", on=False)

    async def meddle(method: str, path: str) -> None:
        if method == "PATCH":
            killing.append(asyncio.create_task(crew.writer.kill(flag)))
            await until(lambda: any(seen.endswith("/off") for seen in crew.writing.seen))

    killing: list[asyncio.Task[object]] = []
    crew.writing.before_write = meddle
    result = await crew.set(flag, 10)
    await asyncio.gather(*killing)
    assert result.outcome is WriteOutcome.REFUSED
    assert "a rollback of the same flag came in between" in result.detail
    assert not any("/on?" in seen for seen in crew.writing.seen)


async def test_zero_after_a_kill(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("100")
    await crew.writer.kill(flag)
    result = await crew.writer.zero(flag)
    assert result.outcome is WriteOutcome.DONE
    assert (raw.rollouts(flag), raw.is_on(flag)) == (["0"], False)


async def test_zero_keeps_conditions(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("100", constraints=[CONSTRAINT])
    assert (await crew.writer.zero(flag)).outcome is WriteOutcome.DONE
    strategy = raw.strategies(flag)[0]
    assert raw.rollouts(flag) == ["0"]
    constraints = strategy["constraints"]
    assert isinstance(constraints, list)
    assert constraints[0]["contextName"] == "region"
    parameters = strategy["parameters"]
    assert isinstance(parameters, dict)
    assert parameters["stickiness"] == "userId"


@pytest.mark.parametrize("stored", ["101", "abc", ""])
async def test_zero_mends_nonsense(raw: RawUnleash, crew: Crew, stored: str) -> None:
    flag = raw.flag("10", on=False)
    raw.store_rollout(flag, stored)
    assert (await crew.writer.zero(flag)).outcome is WriteOutcome.DONE
    assert raw.rollouts(flag) == ["0"]


async def test_zero_disarms_the_on_trap(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag(None, on=False)
    assert (await crew.writer.zero(flag)).outcome is WriteOutcome.DONE
    raw.switch(flag, on=True)
    assert (await crew.value(flag)).exposure == ZERO


async def test_zero_leaves_other_peoples_strategies_alone(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("10", on=False)
    raw.add_strategy(flag, "20")
    result = await crew.writer.zero(flag)
    assert result.outcome is WriteOutcome.REFUSED
    assert raw.rollouts(flag) == ["10", "20"]


async def test_maintenance_mode_allows_no_forward_move(raw: RawUnleash, crew: Crew) -> None:
    flag, dormant = raw.flag("10"), raw.flag("10", on=False)
    raw.maintenance(on=True)
    try:
        raised, switched = await crew.set(flag, 25), await crew.set(dormant, 10)
    finally:
        raw.maintenance(on=False)
    assert (raised.outcome, switched.outcome) == (WriteOutcome.REFUSED, WriteOutcome.REFUSED)
    assert "maintenance mode" in raised.detail
    assert (raw.rollouts(flag), raw.is_on(dormant)) == (["10"], False)


async def test_a_kill_in_maintenance_mode_tells_the_truth(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("10")
    raw.maintenance(on=True)
    try:
        killed = await crew.writer.kill(flag)
    finally:
        raw.maintenance(on=False)
    assert "maintenance mode" in killed.detail
    exposure = (await crew.value(flag)).exposure
    assert (killed.outcome, exposure) in ((WriteOutcome.DONE, ZERO), (WriteOutcome.REFUSED, TEN))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("wrong", "does not accept the credential"),
        ("backend", "different token type"),
        ("viewer", "UPDATE_FEATURE_ENVIRONMENT"),
    ],
)
async def test_a_token_that_may_not_write(raw: RawUnleash, web: Web, kind: str, words: str) -> None:
    flag, token = raw.flag("10"), str(getattr(raw.tokens, kind))
    result = await Crew(raw, web, token=token).writer.kill(flag)
    assert result.outcome is WriteOutcome.REFUSED
    assert result.failure is not None
    assert result.failure.fault is Fault.CREDENTIAL
    assert words in result.detail
    assert token not in repr(result)
    assert raw.is_on(flag)


async def test_a_flag_that_is_not_there(crew: Crew) -> None:
    killed, zeroed = await crew.writer.kill("no-such-flag"), await crew.writer.zero("no-such-flag")
    assert (killed.outcome, zeroed.outcome) == (WriteOutcome.REFUSED, WriteOutcome.REFUSED)
    assert "not found" in killed.detail


async def test_an_environment_that_is_not_there(raw: RawUnleash, web: Web) -> None:
    result = await Crew(raw, web, environment="staging").writer.kill(raw.flag("10"))
    assert result.outcome is WriteOutcome.REFUSED


async def test_preflight_of_a_token_that_may_write(crew: Crew) -> None:
    assert [line.ok for line in await crew.writer.preflight([])] == [True, True]


async def test_preflight_of_a_person_who_may_write(raw: RawUnleash, web: Web) -> None:
    lines = await Crew(raw, web, token=raw.tokens.person).writer.preflight([])
    assert [line.ok for line in lines] == [True, True]


async def test_preflight_of_a_token_that_may_only_read(raw: RawUnleash, web: Web) -> None:
    lines = await Crew(raw, web, token=raw.tokens.viewer).writer.preflight([])
    assert lines[0].ok is False
    assert "UPDATE_FEATURE_ENVIRONMENT" in lines[0].detail


@pytest.mark.parametrize("kind", ["wrong", "backend"])
async def test_preflight_of_a_token_of_the_wrong_kind(raw: RawUnleash, web: Web, kind: str) -> None:
    lines = await Crew(raw, web, token=str(getattr(raw.tokens, kind))).writer.preflight([])
    assert lines[0].ok is False


async def test_preflight_sees_maintenance_mode(raw: RawUnleash, crew: Crew) -> None:
    raw.maintenance(on=True)
    try:
        lines = await crew.writer.preflight([])
    finally:
        raw.maintenance(on=False)
    assert [line.ok for line in lines] == [True, False]
