"""Sampling a share over OFREP: against flagd's own evaluation core, and against a double that misbehaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, Throttled, Unreachable
from cockpit.adapters.http import Web
from cockpit.adapters.signals.ofrep import OfrepMonitor, OfrepSettings, build, interval
from cockpit.adapters.table import MONITORS
from cockpit.core.model import Fault, Quality, Sample
from cockpit.core.secret import Secret, SecretRef
from cockpit.plan.problems import PlanProblems
from tests.adapters.probes.scripted import Hang, Reply, Request, Scripted, Step, as_json, as_text, scripted
from tests.real.ofrep_server import Ofrep, ofrep
from tests.tables import written

THREE = ("reads legacy", "reads new", "reads share")


def vault(ref: SecretRef) -> Secret:
    return Secret(f"held-{ref.env}")


def monitor(url: str, web: Web, *, timeout_s: float = 60.0, **more: Any) -> OfrepMonitor:
    settings = written(OfrepSettings, {"url": url, **more})
    return build(settings, web, vault, timeout_s)


async def sample(made: OfrepMonitor, expression: str) -> Sample:
    found = (await made.query([expression]))[expression]
    assert isinstance(found, Sample), found
    return found


async def values(made: OfrepMonitor) -> list[float | None]:
    found = await made.query(THREE)
    return [each.value if isinstance(each, Sample) else None for each in found.values()]


# ---- flagd's own core ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_ofrep() -> Iterator[Ofrep]:
    with ofrep() as started:
        yield started


@pytest.mark.real
@pytest.mark.parametrize("percent", [0, 25, 60, 100])
async def test_the_share_that_is_served_is_found(real_ofrep: Ofrep, web: Web, percent: int) -> None:
    """The interval holds the true share; which identities there are never changes, so neither does this."""
    real_ofrep.serve(percent)
    made = monitor(real_ofrep.url, web, identities=400, per_poll=200)
    for _ in range(2):
        legacy, new, share = await values(made)
    assert legacy is not None
    assert new is not None
    assert legacy + new == 400
    assert share == 100 * new / 400
    low, high = interval(int(new), 400)
    assert low <= percent / 100 <= high


@pytest.mark.real
async def test_a_change_shows_in_the_growth_of_the_counters(real_ofrep: Ofrep, web: Web) -> None:
    real_ofrep.serve(100)
    made = monitor(real_ofrep.url, web)
    before = await values(made)
    real_ofrep.serve(0)
    after = await values(made)
    assert (before[:2], after[:2]) == ([0, 40], [40, 40])


@pytest.mark.real
async def test_a_disabled_flag_has_no_value(real_ofrep: Ofrep, web: Web) -> None:
    real_ofrep.serve(50, state="DISABLED")
    unknown, legacy = monitor(real_ofrep.url, web), monitor(real_ofrep.url, web, without_value="legacy")
    assert (await sample(unknown, "reads share")).quality is Quality.NO_DATA
    assert (await sample(legacy, "reads share")).value == 0


@pytest.mark.real
async def test_a_flag_that_is_not_there(real_ofrep: Ofrep, web: Web) -> None:
    real_ofrep.serve(50)
    made = monitor(real_ofrep.url, web)
    found = await made.query(["nope share", "reads share"])
    trouble, good = found["nope share"], found["reads share"]
    assert isinstance(trouble, RefusedByService)
    assert "FLAG_NOT_FOUND" in trouble.failure.title
    assert isinstance(good, Sample)
    lines = await made.preflight(["nope share", "reads share"])
    assert [line.ok for line in lines] == [True, False, True]
    assert "sampled: " in lines[2].detail


# ---- a double ------------------------------------------------------------------------------------


def decides(rule: Callable[[int], Any]) -> Callable[[Request], Reply]:
    """From the protocol's openapi.yaml: the answer to one evaluation."""

    def answer(request: Request) -> Reply:
        number = int(json.loads(request.body)["context"]["targetingKey"].rpartition("-")[2])
        value = rule(number)
        body = {"key": request.path.rpartition("/")[2], "reason": "SPLIT", "variant": "x", "metadata": {}}
        return as_json(body if value is None else {**body, "value": value})

    return answer


def serving(rule: Callable[[int], Any]) -> AbstractAsyncContextManager[Scripted]:
    return scripted(decides(rule))


async def test_identities_are_spread_over_the_polls(web: Web) -> None:
    async with serving(lambda number: number < 10) as server:
        made = monitor(server.url, web, identities=50, per_poll=20)
        polls = [await values(made) for _ in range(4)]
        asked = [json.loads(request.body)["context"]["targetingKey"] for request in server.requests]
    assert polls[0] == [10, 10, 50]
    assert polls[1] == [30, 10, 25]
    assert polls[2] == [40, 20, 20]
    assert polls[3] == [60, 20, 20]
    assert len(asked) == 80
    assert len(set(asked)) == 50


async def test_four_at_a_time_and_no_more(web: Web) -> None:
    running, most = 0, 0

    async def slowly(request: Request) -> Step:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(20):
            await asyncio.sleep(0)
        running -= 1
        return decides(lambda number: True)(request)

    async with scripted(slowly) as server:
        await values(monitor(server.url, web))
    assert 1 < most <= 4


async def test_the_note_tells_the_interval(web: Web) -> None:
    async with serving(lambda number: number % 4 == 0) as server:
        found = await sample(monitor(server.url, web, identities=400, per_poll=400), "reads share")
    assert found.value == 25
    assert found.note == "sampled: 100 of 400 on the new side, 21.0% to 29.5% (95%)"


async def test_a_third_value_counts_for_nobody(web: Web) -> None:
    def rule(number: int) -> object:
        return (1, "true", 0, None)[number % 4]

    async with serving(rule) as server:
        made = monitor(server.url, web)
        assert (await sample(made, "reads new")).quality is Quality.NO_DATA


async def test_text_may_name_the_sides(web: Web) -> None:
    async with serving(lambda number: "convex" if number % 2 else "postgres") as server:
        made = monitor(server.url, web, legacy="postgres", new="convex")
        assert await values(made) == [20, 20, 50]


async def test_credentials_and_context_are_sent(web: Web) -> None:
    async with serving(lambda number: True) as server:
        more: dict[str, Any] = {"token": {"env": "T"}, "api_key": {"env": "K"}}
        await values(monitor(server.url, web, context={"plan": "pro"}, **more))
        request = server.requests[0]
    assert (request.headers["authorization"], request.headers["x-api-key"]) == ("Bearer held-T", "held-K")
    assert json.loads(request.body)["context"]["plan"] == "pro"


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (as_json({"errorDetails": "x"}, 500), AdapterError),
        (as_json({}, 401), RefusedByService),
        (as_json({}, 429, retry_after="60"), Throttled),
        (as_text("<html>", 200, "text/html"), BrokenAnswer),
        (as_json({"key": "another", "value": True}), BrokenAnswer),
        (as_json([]), BrokenAnswer),
        (as_json({"message": "no route"}, 404), RefusedByService),
    ],
)
async def test_trouble_of_the_service_ends_the_poll_at_once(web: Web, step: Reply, kind: type) -> None:
    async with scripted(lambda request: step) as server:
        with pytest.raises(kind):
            await monitor(server.url, web).query(THREE)
        assert len(server.requests) <= 4


async def test_trouble_of_a_flag_is_its_own(web: Web) -> None:
    def answer(request: Request) -> Step:
        if request.path.endswith("/odd"):
            body = {"key": "odd", "errorCode": "PARSE_ERROR", "errorDetails": "\x1b[2J"}
            return as_json(body, 400)
        return decides(lambda number: True)(request)

    async with scripted(answer) as server:
        found = await monitor(server.url, web).query(["odd new", "reads new"])
    trouble, good = found["odd new"], found["reads new"]
    assert isinstance(trouble, RefusedByService)
    assert trouble.failure.fault is Fault.PLAN
    assert trouble.failure.detail.isprintable()
    assert isinstance(good, Sample)


async def test_a_slow_service_is_not_waited_for(web: Web) -> None:
    async with scripted(lambda request: Hang()) as server:
        with pytest.raises(Unreachable):
            await monitor(server.url, web, timeout_s=0.3).query(THREE)


async def test_what_ended_in_time_counts(web: Web) -> None:
    """A service that gets stuck after eight evaluations: those are counted, the next poll goes on there."""

    def answer(request: Request) -> Step:
        stuck = len(server.requests) > 8 and not thawed
        return Hang() if stuck else decides(lambda number: True)(request)

    thawed: list[bool] = []
    async with scripted(answer) as server:
        made = monitor(server.url, web, timeout_s=1.0)
        assert await values(made) == [0, 8, 100]
        thawed.append(True)
        asked = len(server.requests)
        await made.query(["reads new"])
        first = json.loads(server.requests[asked].body)["context"]["targetingKey"]
    assert first.rpartition("-")[2] in ("8", "9", "10", "11")


@pytest.mark.parametrize("expression", ["", "reads", "reads both", " new", "reads new extra"])
async def test_an_expression_that_is_none(web: Web, expression: str) -> None:
    async with serving(lambda number: True) as server:
        found = (await monitor(server.url, web).query([expression]))[expression]
    assert isinstance(found, RefusedByService)
    assert found.failure.fault is Fault.PLAN


@given(of=st.integers(1, 10_000), part=st.floats(0, 1))
def test_an_interval_holds_its_share_and_narrows(of: int, part: float) -> None:
    hits = round(of * part)
    low, high = interval(hits, of)
    assert 0 <= low <= hits / of + 1e-9
    assert hits / of - 1e-9 <= high <= 1
    wider = interval(hits, of)
    narrower = interval(hits * 4, of * 4)
    assert narrower[1] - narrower[0] <= wider[1] - wider[0]


@pytest.mark.parametrize(
    "wrong", [{"identities": 10}, {"per_poll": 1000}, {"token": "t"}, {"new": 1}, {"without_value": "maybe"}]
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems):
        written(OfrepSettings, {"url": "https://flags.example.org", **wrong})


def test_the_table_knows_it() -> None:
    assert MONITORS["ofrep"].settings is OfrepSettings
