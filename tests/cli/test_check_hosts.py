"""What a plan sends to each host in a minute, added up, and whose clock is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from cockpit.adapters.base import AdapterError, Preflight
from cockpit.adapters.http import HttpHost, Web
from cockpit.adapters.once import asked_once
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.cli.preflight_hosts import Hosts
from cockpit.core.secret import Secret
from cockpit.engine.clock import SystemClock
from tests.adapters.flags import launchdarkly_double, posthog_double
from tests.adapters.probes.rig import StandingClock
from tests.adapters.probes.scripted import Reply, Request, Reset, Step, scripted
from tests.tables import written

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@asynccontextmanager
async def asked(step: Step) -> AsyncIterator[tuple[Hosts, HttpHost]]:
    """Something that counts, and a client of a server that always does the same."""
    clock = StandingClock(NOON)
    hosts = Hosts(clock)
    web = Web(clock=clock, heard=hosts.heard)
    async with scripted(lambda request: step) as server:
        yield hosts, web.host(server.url)
        await web.aclose()


async def several(host: HttpHost, count: int) -> None:
    for _ in range(count):
        await host.get("/")


def line(hosts: Hosts, question: str) -> Preflight:
    [found] = [each for each in hosts.lines() if each.question == question]
    return found


def at(seconds: float, **more: str) -> Reply:
    date = format_datetime(NOON + timedelta(seconds=seconds), usegmt=True)
    return Reply(headers={"Date": date, **more})


async def test_everything_that_asks_one_host_is_added_up() -> None:
    async with asked(Reply()) as (hosts, host):
        await asyncio.gather(
            hosts.polled("flags main", 2.0, several(host, 3), lever=True),
            hosts.polled("legacy api", 5.0, several(host, 1)),
        )
        await several(host, 5)
        rate = line(hosts, "requests a minute")
    assert (rate.subject, rate.ok) == (host.address, True)
    assert rate.detail == "102; no limit known (flags main 90, legacy api 12)"


@pytest.mark.parametrize(("lever", "ok"), [(True, False), (False, None)])
async def test_more_than_a_service_allows_is_worse_where_a_lever_is(lever: bool, ok: bool | None) -> None:
    async with asked(Reply(headers={"RateLimit-Policy": "60;w=60", "RateLimit-Remaining": "5"})) as (
        hosts,
        host,
    ):
        await hosts.polled("flags main", 2.0, several(host, 2), lever=lever)
        assert line(hosts, "requests a minute").ok is True
        await hosts.polled("legacy api", 60.0, several(host, 1))
        rate = line(hosts, "requests a minute")
    assert rate.ok is ok
    assert rate.detail.startswith("61 of 60; too many, ask less often; it says 60 in 60 s, 5 left just now")


async def test_the_lowest_limit_of_a_host_counts_and_only_where_a_flight_asks() -> None:
    def per_minute(limit: int) -> Reply:
        return Reply(headers={"RateLimit-Policy": f"{limit};w=60"})

    clock, steps = (
        StandingClock(NOON),
        iter([per_minute(1), per_minute(500), per_minute(90), per_minute(300)]),
    )
    hosts = Hosts(clock)
    web = Web(clock=clock, heard=hosts.heard)
    async with scripted(lambda request: next(steps)) as server:
        host = web.host(server.url)
        await several(host, 1)
        await hosts.polled("flags main", 10.0, several(host, 3), lever=True)
        await web.aclose()
    rate = line(hosts, "requests a minute")
    assert rate.detail == "18 of 90; it says 90 in 60 s (flags main 18)"


async def test_a_poll_that_fails_was_sent_all_the_same() -> None:
    async with asked(Reset()) as (hosts, host):
        with pytest.raises(AdapterError):
            await hosts.polled("legacy api", 60.0, several(host, 1))
        assert line(hosts, "requests a minute").detail == "2; no limit known (legacy api 2)"


async def test_what_is_asked_once_is_no_part_of_the_rate() -> None:
    async def first_poll(host: HttpHost) -> None:
        with asked_once():
            await several(host, 3)
        await several(host, 1)

    async with asked(Reply()) as (hosts, host):
        await hosts.polled("flags main", 60.0, first_poll(host), lever=True)
        assert line(hosts, "requests a minute").detail == "1; no limit known (flags main 1)"


@pytest.mark.parametrize("kind", ["launchdarkly", "posthog"])
async def test_the_first_round_of_a_lever_counts_as_the_later_ones(kind: str) -> None:
    """Who did it and under which number a flag stands is asked once, not with every poll."""
    settings, token, answer = _double(kind)
    hosts = Hosts(SystemClock())
    web = Web(clock=SystemClock(), heard=hosts.heard)
    async with scripted(answer) as server:
        row = FLAG_SERVICES[kind]
        wanted = written(row.settings, {**settings, "url": server.url, "token": {"env": "TOKEN"}})
        reader = row.reader(wanted, web, lambda ref: Secret(token))
        await hosts.polled("first", 60.0, reader.preflight(["reads"]), lever=True)
        sent = len(server.requests)
        await hosts.polled("later", 60.0, reader.read(["reads"]), lever=True)
        assert len(server.requests) - sent == 1 < sent
        assert line(hosts, "requests a minute").detail == "2; no limit known (first 1, later 1)"
        await web.aclose()


async def test_a_source_that_got_no_further_than_its_first_question_is_not_taken_for_one_without_http() -> (
    None
):
    async def refused(host: HttpHost) -> None:
        with asked_once():
            await several(host, 1)

    async with asked(Reply()) as (hosts, host):
        await hosts.polled("flags main", 60.0, refused(host), lever=True)
        assert [each.question for each in hosts.lines()] == []


async def test_what_is_not_http_is_told_as_polls() -> None:
    hosts = Hosts(StandingClock(NOON))
    await hosts.polled("legacy db", 5.0, asyncio.sleep(0))
    assert not hosts.asked("legacy db")
    assert line(hosts, "polls a minute").detail == "legacy db 12"


@pytest.mark.parametrize(
    ("seconds", "ok", "said"),
    [
        (0, True, "they agree"),
        (-1, True, "they agree"),
        (1, True, "it is 1.0 s ahead"),
        (7, False, "it is 7.0 s ahead"),
        (-120, False, "s behind"),
    ],
)
async def test_a_clock_that_is_not_ours(seconds: float, ok: bool, said: str) -> None:
    async with asked(at(seconds)) as (hosts, host):
        await hosts.polled("legacy api", 5.0, several(host, 1))
        clock = line(hosts, "clocks within a second")
    assert clock.ok is ok and said in clock.detail


@pytest.mark.parametrize("headers", [{}, {"Age": "3600"}])
async def test_an_answer_out_of_a_cache_tells_no_time(headers: Mapping[str, str]) -> None:
    step = at(-3600, **headers) if headers else Reply()
    async with asked(step) as (hosts, host):
        await hosts.polled("legacy api", 5.0, several(host, 1))
        assert [each.question for each in hosts.lines()] == ["requests a minute"]


def _double(kind: str) -> tuple[Mapping[str, object], str, Callable[[Request], Reply]]:
    """What its plan says, a token that reads, and how it answers."""
    if kind == "posthog":
        posthog = posthog_double.PostHogDouble()
        posthog.add("reads", 10)
        return {"project": posthog_double.PROJECT}, posthog_double.READER, posthog.answer
    launchdarkly = launchdarkly_double.LaunchDarklyDouble()
    launchdarkly.add("reads", 10_000)
    launchdarkly.store("reads", 20_000, who="ada@example.org")
    place = {"project": launchdarkly_double.PROJECT, "environment": launchdarkly_double.ENVIRONMENT}
    return place, launchdarkly_double.READER, launchdarkly.answer
