"""A flag server whose database hangs: a write that timed out is UNKNOWN until a read-back settles it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cockpit.adapters.base import AdapterError, Unreachable
from cockpit.adapters.http import Cause, NoAnswer, Web
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import FlagValue, WriteOutcome
from tests.adapters.flags.crew import Crew
from tests.real.unleash_server import Unleash

pytestmark = pytest.mark.real


@pytest_asyncio.fixture
async def crew(frail_unleash: Unleash) -> AsyncIterator[Crew]:
    web = Web()
    yield Crew(frail_unleash.raw, web, timeout_s=1.0)
    await web.aclose()


async def test_a_kill_without_an_answer_is_unknown_and_may_still_happen(
    frail_unleash: Unleash, crew: Crew
) -> None:
    flag = frail_unleash.raw.flag("100")
    with frail_unleash.database.frozen():
        killed = await crew.writer.kill(flag)
    assert killed.outcome is WriteOutcome.UNKNOWN
    assert "no answer" in killed.detail
    # Never sent again. The first read-back may still show it on: the write is late, not lost.
    while (await settled(crew, flag)).exposure != ZERO:
        assert len(crew.writing.seen) == 1


async def test_a_forward_move_that_cannot_look_first_writes_nothing(
    frail_unleash: Unleash, crew: Crew
) -> None:
    flag = frail_unleash.raw.flag("10")
    seen = await crew.value(flag)
    with frail_unleash.database.frozen():
        moved = await crew.writer.set_percent(flag, Percent.parse(25), expected=seen)
    assert moved.outcome is WriteOutcome.REFUSED
    assert "nothing was written" in moved.detail
    assert (await settled(crew, flag)).exposure == Percent.parse(10)


async def test_a_forward_move_frozen_in_the_middle_is_unknown(frail_unleash: Unleash, crew: Crew) -> None:
    flag = frail_unleash.raw.flag("10")

    async def freeze(method: str, path: str) -> None:
        frail_unleash.database.freeze()

    crew.writing.before_write = freeze
    try:
        moved = await crew.set(flag, 25)
    finally:
        frail_unleash.database.thaw()
    assert moved.outcome is WriteOutcome.UNKNOWN
    assert (await settled(crew, flag)).exposure in (Percent.parse(10), Percent.parse(25))


async def test_reading_fails_as_a_whole_while_health_says_good(frail_unleash: Unleash, crew: Crew) -> None:
    flags = [frail_unleash.raw.flag("10"), frail_unleash.raw.flag("20")]
    with frail_unleash.database.frozen():
        with pytest.raises(Unreachable) as caught:
            await crew.reader.read(flags)
        assert frail_unleash.raw.admin.get("/health").json() == {"health": "GOOD"}
    assert isinstance(caught.value, NoAnswer)
    assert caught.value.cause is Cause.TIMEOUT
    assert (await settled(crew, flags[0])).exposure == Percent.parse(10)


async def test_a_frozen_unleash_is_no_answer_and_recovers(frail_unleash: Unleash, crew: Crew) -> None:
    flag = frail_unleash.raw.flag("10")
    with frail_unleash.server.frozen(), pytest.raises(Unreachable):
        await crew.reader.read([flag])
    assert (await settled(crew, flag)).exposure == Percent.parse(10)


async def settled(crew: Crew, flag: str) -> FlagValue:
    """The first answer after the thaw. The server first works off what piled up."""
    for _ in range(30):
        try:
            found = (await crew.reader.read([flag]))[flag]
        except Unreachable:
            continue
        assert not isinstance(found, AdapterError), found
        return found
    raise AssertionError("no answer after the thaw")
