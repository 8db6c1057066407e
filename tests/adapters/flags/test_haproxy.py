"""Weights of HAProxy: the same acts against a double of its socket and against the real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from cockpit.adapters.base import AdapterError, RefusedByService, Unreachable
from cockpit.adapters.flags.haproxy import (
    HaproxyReader,
    HaproxyWriter,
    build_reader,
    build_writer,
)
from cockpit.adapters.flags.haproxy_settings import HaproxySettings
from cockpit.adapters.http import Web
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import FlagValue, WriteOutcome, WriteResult
from cockpit.core.secret import Secret, SecretRef
from tests.adapters.flags.haproxy_double import haproxy_double
from tests.real.haproxy_server import Haproxy
from tests.tables import written


class World(Protocol):
    """One HAProxy past our adapter."""

    @property
    def socket(self) -> str: ...

    def say(self, line: str) -> str: ...

    def weights(self, backend: str = "split") -> tuple[int, int]: ...

    def reload(self, *, configured: int = 0) -> None: ...


def no_secret(ref: SecretRef) -> Secret:
    raise AssertionError("this service has no secret")


class Crew:
    def __init__(self, socket: str, web: Web, *, timeout_s: float = 5.0, **more: object) -> None:
        given = {"socket": socket, "write_socket": socket, **more}
        settings = written(HaproxySettings, given)
        self.reader: HaproxyReader = build_reader(settings, web, no_secret, timeout_s)
        writer = build_writer(settings, web, no_secret, timeout_s)
        assert writer is not None
        self.writer: HaproxyWriter = writer

    async def value(self, backend: str = "split") -> FlagValue:
        found = (await self.reader.read([backend]))[backend]
        assert isinstance(found, FlagValue), found
        return found

    async def set(self, percent: float, backend: str = "split") -> WriteResult:
        expected = await self.value(backend)
        return await self.writer.set_percent(backend, Percent.parse(percent), expected=expected)


@pytest_asyncio.fixture(params=["double", pytest.param("real", marks=pytest.mark.real)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "double":
        async with haproxy_double(tmp_path) as double:
            yield double
        return
    real: Haproxy = request.getfixturevalue("real_haproxy")
    for backend in ("split", "rigid", "crowd", "slow", "weary"):
        real.say(f"set weight {backend}/legacy 100;set weight {backend}/new 0")
        real.say(f"set server {backend}/legacy state ready;set server {backend}/new state ready")
    yield real


@pytest.fixture
def crew(world: World, web: Web) -> Crew:
    return Crew(world.socket, web)


@pytest.mark.parametrize(
    ("percent", "weights"),
    [
        (1, (99, 1)),
        (25, (75, 25)),
        (50, (50, 50)),
        (100, (0, 100)),
        (0.5, (199, 1)),
        (12.5, (7, 1)),
        (33.2, (167, 83)),
        (99.5, (1, 199)),
    ],
)
async def test_a_percentage_is_two_weights(
    world: World, crew: Crew, percent: float, weights: tuple[int, int]
) -> None:
    result = await crew.set(percent)
    assert result.outcome is WriteOutcome.DONE, result
    assert world.weights() == weights
    value = await crew.value()
    assert (value.on, value.exposure, value.complexities) == (True, Percent.parse(percent), ())


@pytest.mark.parametrize("percent", [0.25, 33.33, 0.01, 99.99])
async def test_what_weights_cannot_say_is_refused_and_never_rounded(
    world: World, crew: Crew, percent: float
) -> None:
    result = await crew.set(percent)
    assert result.outcome is WriteOutcome.REFUSED
    assert "no two weights" in result.detail
    assert world.weights() == (100, 0)


async def test_up_and_down_again(world: World, crew: Crew) -> None:
    for percent in (10, 50, 100, 25, 0):
        assert (await crew.set(percent)).outcome is WriteOutcome.DONE
    assert world.weights() == (100, 0)


async def test_a_write_says_that_a_reload_undoes_it(crew: Crew) -> None:
    assert "in memory only, a reload puts it to 0%" in (await crew.set(25)).detail


async def test_a_rollback_says_when_a_reload_would_undo_it(world: World, crew: Crew) -> None:
    world.reload(configured=100)
    killed = await crew.writer.kill("split")
    lines = {line.question: line for line in await crew.reader.preflight(["split"])}
    assert killed.outcome is WriteOutcome.DONE
    assert "A RELOAD OF HAPROXY RAISES IT TO 50%" in killed.detail
    assert lines["a reload raises no share"].ok is False
    world.reload()


async def test_a_reload_is_a_foreign_change(world: World, crew: Crew) -> None:
    await crew.set(25)
    before = await crew.value()
    world.reload()
    after = await crew.value()
    assert (before.exposure, after.exposure) == (Percent.parse(25), ZERO)
    refused = await crew.writer.set_percent("split", Percent.parse(50), expected=before)
    assert refused.outcome is WriteOutcome.REFUSED
    assert "somebody else changed it: it reads 0%" in refused.detail


async def test_a_foreign_change_is_not_overwritten(world: World, crew: Crew) -> None:
    seen = await crew.value()
    world.say("set weight split/new 100")
    result = await crew.writer.set_percent("split", Percent.parse(10), expected=seen)
    assert result.outcome is WriteOutcome.REFUSED
    assert world.weights() == (100, 100)


async def test_the_same_share_from_other_weights_is_a_foreign_change_too(world: World, crew: Crew) -> None:
    await crew.set(50)
    seen = await crew.value()
    world.say("set weight split/legacy 10;set weight split/new 10")
    result = await crew.writer.set_percent("split", Percent.parse(75), expected=seen)
    assert result.outcome is WriteOutcome.REFUSED


async def test_a_kill_gives_legacy_its_weight_back(world: World, crew: Crew) -> None:
    """With both weights at 0 HAProxy answers everybody with 503."""
    await crew.set(100)
    assert world.weights() == (0, 100)
    first, second = await crew.writer.kill("split"), await crew.writer.kill("split")
    assert (first.outcome, second.outcome) == (WriteOutcome.DONE, WriteOutcome.DONE)
    assert world.weights() == (100, 0)
    assert (await crew.value()).exposure == ZERO


async def test_a_kill_leaves_the_weight_that_legacy_has(world: World, crew: Crew) -> None:
    await crew.set(25)
    await crew.writer.kill("split")
    assert world.weights() == (75, 0)


@pytest.mark.parametrize("state", ["drain", "maint"])
async def test_a_kill_may_take_the_server_out_too(world: World, web: Web, state: str) -> None:
    crew = Crew(world.socket, web, kill_state=state)
    await crew.set(25)
    assert (await crew.writer.kill("split")).outcome is WriteOutcome.DONE
    value = await crew.value()
    assert (value.on, value.percent, value.complexities) == (False, ZERO, ())
    assert (await crew.set(10)).outcome is WriteOutcome.DONE
    assert (await crew.value()).exposure == Percent.parse(10)


async def test_a_drained_server_is_a_flag_that_is_off(world: World, crew: Crew) -> None:
    await crew.set(25)
    world.say("set server split/new state drain")
    value = await crew.value()
    assert (value.on, value.percent, value.exposure) == (False, Percent.parse(25), ZERO)
    assert (await crew.writer.zero("split")).outcome is WriteOutcome.DONE
    assert world.weights() == (75, 0)


async def test_zero_percent_takes_the_stored_weight_away(world: World, crew: Crew) -> None:
    await crew.set(25)
    world.say("set server split/new state drain")
    assert (await crew.set(0)).outcome is WriteOutcome.DONE
    assert world.weights() == (100, 0)
    assert (await crew.value()).on is False


async def test_without_legacy_everybody_is_on_the_new_side(world: World, crew: Crew) -> None:
    """The weights say 25 % and mean 100 %: no percentage is told, and nothing may be promoted."""
    await crew.set(25)
    world.say("set server split/legacy state maint")
    value = await crew.value()
    assert (value.percent, value.exposure) == (None, None)
    assert "the legacy server is in maintenance" in value.complexities[0]
    assert (await crew.set(50)).outcome is WriteOutcome.REFUSED
    killed = await crew.writer.kill("split")
    assert killed.outcome is WriteOutcome.DONE
    assert "the legacy server is in maintenance" in killed.detail


@pytest.mark.parametrize(
    ("weights", "percent", "words"),
    [
        ((2, 1), 33.33, "no percentage with two decimals"),
        ((0, 0), None, "nobody is served"),
    ],
)
async def test_weights_that_are_no_percentage(
    world: World, crew: Crew, weights: tuple[int, int], percent: float | None, words: str
) -> None:
    world.say(f"set weight split/legacy {weights[0]};set weight split/new {weights[1]}")
    value = await crew.value()
    assert value.percent == (None if percent is None else Percent.parse(percent))
    assert words in value.complexities[0]
    assert (await crew.set(50)).outcome is WriteOutcome.REFUSED


async def test_a_third_server_makes_it_not_plain(world: World, crew: Crew) -> None:
    assert (await crew.value("crowd")).complexities == ("the backend has other servers: third",)
    assert (await crew.set(10, "crowd")).outcome is WriteOutcome.REFUSED
    assert world.weights("crowd") == (100, 0)
    assert (await crew.writer.kill("crowd")).outcome is WriteOutcome.DONE


async def test_an_algorithm_that_does_not_follow_weights(world: World, crew: Crew) -> None:
    result = await crew.set(25, "rigid")
    assert result.outcome is not WriteOutcome.DONE
    assert "static LB algorithm" in result.detail
    lines = await crew.reader.preflight(["split", "rigid", "crowd"])
    follows = [line.ok for line in lines if line.question == "its algorithm follows weights"]
    assert follows == [True, False, None]


@pytest.mark.parametrize("backend", ["nope", "split;set weight split/new 9", "a b", ""])
async def test_a_backend_that_is_not_there(world: World, crew: Crew, backend: str) -> None:
    found = (await crew.reader.read([backend]))[backend]
    assert isinstance(found, RefusedByService)
    assert (await crew.writer.kill(backend)).outcome is WriteOutcome.REFUSED
    assert world.weights() == (100, 0)


async def test_a_server_that_is_not_there(world: World, web: Web) -> None:
    crew = Crew(world.socket, web, new="convex")
    found = (await crew.reader.read(["split"]))["split"]
    assert isinstance(found, RefusedByService)
    assert "no server convex" in found.failure.title


async def back_from_maintenance(world: World, crew: Crew, backend: str, server: str) -> FlagValue:
    """A server that starts slowly comes back; the first reading that says so."""
    world.say(f"set weight {backend}/legacy 75;set weight {backend}/new 25")
    world.say(f"set server {backend}/{server} state maint;set server {backend}/{server} state ready")
    async with asyncio.timeout(10):
        while True:
            value = await crew.value(backend)
            if value.complexities and "slow start" in value.complexities[0]:
                return value
            await asyncio.sleep(0.05)


async def test_a_slow_start_of_the_new_side_is_less_than_it_says_and_no_plain_percentage(
    world: World, crew: Crew
) -> None:
    value = await back_from_maintenance(world, crew, "slow", "new")
    assert value.percent == Percent.parse(25)
    assert value.complexities == ("the new server is in its slow start: it gets less than its share",)
    assert (await crew.set(50, "slow")).outcome is WriteOutcome.REFUSED
    assert world.weights("slow") == (75, 25)
    assert (await crew.writer.kill("slow")).outcome is WriteOutcome.DONE


async def test_a_slow_start_of_legacy_sends_more_to_the_new_side_than_any_weight_says(
    world: World, crew: Crew
) -> None:
    value = await back_from_maintenance(world, crew, "weary", "legacy")
    assert value.exposure is None, "25% would be a lie"
    assert value.complexities == (
        "the legacy server is in its slow start: the new one gets more than its share",
    )
    killed = await crew.writer.kill("weary")
    assert killed.outcome is WriteOutcome.DONE and (await crew.value("weary")).exposure == ZERO


async def test_a_flag_that_comes_back_from_maintenance_is_written_and_its_slow_start_told(
    world: World, web: Web
) -> None:
    crew = Crew(world.socket, web, kill_state="maint")
    assert (await crew.writer.kill("slow")).outcome is WriteOutcome.DONE
    written = await crew.set(10, "slow")
    assert written.outcome is WriteOutcome.DONE, written
    assert "the new server is in its slow start" in written.detail


async def test_an_agent_check_that_may_undo_a_rollback_is_told_before_the_night(
    world: World, crew: Crew
) -> None:
    value = await crew.value("nursed")
    assert any("an agent check may set the weight of new" in note for note in value.complexities)
    lines = {line.question: line for line in await crew.reader.preflight(["nursed"])}
    assert lines["weights stay as written"].ok is False
    assert "disable agent nursed/SERVER" in lines["weights stay as written"].detail
    assert (await crew.set(75, "nursed")).outcome is WriteOutcome.REFUSED
    killed = await crew.writer.kill("nursed")
    assert killed.outcome is WriteOutcome.DONE
    assert "an agent check may set the weight of new at any time, after a rollback too" in killed.detail


async def test_preflight(crew: Crew) -> None:
    reading, writing = await crew.reader.preflight(["split"]), await crew.writer.preflight(["split"])
    assert [line.ok for line in (*reading, *writing)] == [True] * 6
    assert "2.6" in reading[0].detail


async def test_nobody_listens(tmp_path: Path, web: Web) -> None:
    crew = Crew(str(tmp_path / "nobody.sock"), web)
    with pytest.raises(AdapterError):
        await crew.reader.read(["split"])
    assert (await crew.writer.kill("split")).outcome is WriteOutcome.REFUSED


@pytest.mark.real
async def test_traffic_follows_the_weights_exactly(real_haproxy: Haproxy, web: Web) -> None:
    crew = Crew(real_haproxy.socket, web)
    for percent in (0, 1, 25, 100):
        assert (await crew.set(percent)).outcome is WriteOutcome.DONE
        assert real_haproxy.served() == percent
    await crew.writer.kill("split")
    assert real_haproxy.served() == 0


@pytest.mark.real
async def test_a_socket_of_level_user_reads_and_does_not_write(real_haproxy: Haproxy, web: Web) -> None:
    crew = Crew(real_haproxy.user_socket, web)
    real_haproxy.say("set weight split/legacy 100;set weight split/new 0")
    result = await crew.set(10)
    assert result.outcome is WriteOutcome.REFUSED
    assert "permission denied" in result.detail
    assert [line.ok for line in await crew.writer.preflight([])] == [False]
    assert real_haproxy.weights() == (100, 0)


@pytest.mark.real
async def test_an_agent_really_raises_a_weight_again_and_not_once_it_is_disabled(
    real_haproxy: Haproxy, web: Web
) -> None:
    crew = Crew(real_haproxy.socket, web)

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"ready up 30%\n")
        writer.close()

    async def weighs(new: int) -> None:
        async with asyncio.timeout(10):
            while True:
                if real_haproxy.weights("nursed")[1] == new:
                    return
                await asyncio.sleep(0.05)

    agent = await asyncio.start_server(says, "127.0.0.1", dict(real_haproxy.ports)["agent"])
    async with agent:
        await weighs(15)
        assert (await crew.writer.kill("nursed")).outcome is WriteOutcome.DONE
        await weighs(15)
        assert (await crew.value("nursed")).exposure != ZERO, "the reading says what is"
        real_haproxy.say("disable agent nursed/new")
        assert (await crew.writer.kill("nursed")).outcome is WriteOutcome.DONE
        assert (await crew.value("nursed")).complexities == ()
    real_haproxy.say("enable agent nursed/new")


@pytest.mark.real
async def test_a_tcp_socket_will_do(real_haproxy: Haproxy, web: Web) -> None:
    assert (await Crew(real_haproxy.control, web).set(50)).outcome is WriteOutcome.DONE
    assert real_haproxy.weights() == (50, 50)


@pytest.mark.real
async def test_a_frozen_haproxy_leaves_a_write_unknown(real_haproxy: Haproxy, web: Web) -> None:
    """The kernel takes the line for it. The thawed process may obey none, some or all of its commands,
    in their order; a reading tells, and whatever it is, the share is no larger than it was."""
    real_haproxy.say("set weight split/legacy 75;set weight split/new 25")
    crew = Crew(real_haproxy.socket, web, timeout_s=0.5)
    with real_haproxy.server.frozen():
        killed = await crew.writer.kill("split")
        with pytest.raises(Unreachable):
            await crew.reader.read(["split"])
    assert killed.outcome is WriteOutcome.UNKNOWN
    again = Crew(real_haproxy.socket, web)
    left = (await again.value()).exposure
    assert left is not None
    assert left <= Percent.parse(25)
    assert (await again.writer.kill("split")).outcome is WriteOutcome.DONE
    assert real_haproxy.weights()[1] == 0
