"""What a Prometheus remembers: one suite for the practice world and a real one; what answers are worth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cockpit.adapters.base import (
    AdapterError,
    BrokenAnswer,
    Historian,
    RefusedByService,
)
from cockpit.adapters.http import Web
from cockpit.adapters.signals.past import Past, read_together
from cockpit.adapters.signals.together import MARK, Question
from cockpit.core.model import Fault, Quality, Sample
from cockpit.engine.clock import SystemClock
from tests.adapters.probes.hostile import TROUBLES, assert_harmless
from tests.adapters.probes.scripted import HTML, Reply, Request, as_json, scripted
from tests.adapters.signals.test_prometheus import MonitorWorld, monitor, world
from tests.adapters.signals.test_prometheus_answers import monitor as monitor_at

__all__ = ["world"]

START = datetime(2026, 3, 14, 3, 0, tzinfo=UTC)
START_S = START.timestamp()


async def past(web: Web, world: MonitorWorld, *expressions: str, span_s: float = 4.0) -> Past:
    end = SystemClock().now()
    asked = monitor(web, world)
    return await asked.history(expressions, start=end - timedelta(seconds=span_s), end=end, step_s=0.5)


async def test_what_it_was_comes_oldest_first_each_with_its_time(web: Web, world: MonitorWorld) -> None:
    assert isinstance(monitor(web, world), Historian)
    end = SystemClock().now()
    told = (await past(web, world, world.one))[world.one]
    assert not isinstance(told, AdapterError) and told
    assert all(each.quality is Quality.GOOD and each.value is not None for each in told)
    times = [each.source_time for each in told if each.source_time is not None]
    assert times == sorted(times) and len(times) == len(told)
    assert times[-1] <= end + timedelta(seconds=5)
    assert [each.value for each in told] == sorted(each.value or 0.0 for each in told), "a counter grows"


async def test_nothing_of_that_time_is_nothing_and_not_zero(web: Web, world: MonitorWorld) -> None:
    assert (await past(web, world, "no_such_metric"))["no_such_metric"] == ()


async def test_one_bad_query_leaves_the_others_their_past(web: Web, world: MonitorWorld) -> None:
    told = await past(web, world, "sum(", world.several, world.one)
    unreadable, several = told["sum("], told[world.several]
    assert isinstance(unreadable, RefusedByService) and unreadable.failure.fault is Fault.PLAN
    assert isinstance(several, RefusedByService) and "wrap it in sum()" in several.failure.title
    assert not isinstance(told[world.one], AdapterError)


async def test_a_partial_past_is_kept_back(web: Web, world: MonitorWorld) -> None:
    with world.partial():
        told = (await past(web, world, world.patchy))[world.patchy]
    assert isinstance(told, BrokenAnswer)
    assert told.failure.title == "the past is partial" and "remote_read" in told.failure.detail


# --- what answers are worth --------------------------------------------------------------------------


def matrix(*values: object, series: int = 1, **beside: object) -> dict[str, object]:
    one = {"metric": {}, "values": list(values)}
    data = {"resultType": "matrix", "result": [one] * series}
    return {"status": "success", "data": data, **beside}


async def told(web: Web, reply: Reply) -> Any:
    """The past of one expression, or the error that stands for it, given or raised."""
    async with scripted(lambda request: reply) as server:
        try:
            asked = monitor_at(web, server.url, 1.0)
            end = START + timedelta(seconds=60)
            return (await asked.history(["errors"], start=START, end=end, step_s=20))["errors"]
        except AdapterError as error:
            return error


async def test_numbers_and_what_is_none_stand_in_order(web: Web) -> None:
    body = matrix([START_S + 40, "NaN"], [START_S, "7"], [START_S + 20, "-3"])
    found = await told(web, as_json(body))
    assert [(each.value, each.quality) for each in found] == [
        (7.0, Quality.GOOD),
        (None, Quality.ERROR),
        (None, Quality.NOT_FINITE),
    ]
    assert found[0] == Sample(value=7.0, quality=Quality.GOOD, source_time=START)


@pytest.mark.parametrize(
    "body",
    [
        {"status": "success", "data": {"resultType": "vector", "result": []}},
        {"status": "success", "data": {"resultType": "matrix", "result": {}}},
        {"status": "success", "data": {"resultType": "matrix", "result": [7]}},
        {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "histograms": []}]}},
        matrix([START_S, 7]),
        matrix([START_S]),
        matrix(["yesterday", "7"]),
        matrix([START_S, "7" * 65]),
        matrix(*[[START_S + n, "1"] for n in range(11_001)]),
    ],
)
async def test_another_shape_is_no_past(web: Web, body: dict[str, object]) -> None:
    assert isinstance(await told(web, as_json(body)), BrokenAnswer)


@pytest.mark.parametrize("reply", TROUBLES.values(), ids=TROUBLES)
async def test_whatever_is_answered_is_harmless(web: Web, reply: Reply) -> None:
    assert_harmless(await told(web, reply))


async def test_where_the_source_itself_is_in_trouble_nothing_more_is_asked(web: Web) -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Reply:
        seen.append(request)
        return HTML

    async with scripted(answer) as server:
        with pytest.raises(AdapterError):
            await monitor_at(web, server.url).history(["a", "b", "c"], start=START, end=START, step_s=20)
    assert len(seen) == 1


async def test_the_question_is_a_range_in_whole_steps(web: Web) -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Reply:
        seen.append(request)
        return as_json(matrix())

    async with scripted(answer) as server:
        asked = monitor_at(web, server.url)
        await asked.history(["a", "b", "a"], start=START, end=START + timedelta(seconds=60), step_s=20)
    assert [request.path for request in seen] == ["/api/v1/query_range"] * 2
    assert f"start={START_S:.3f}&end={START_S + 60:.3f}&step=20&nocache=1" in seen[0].body.decode()


# --- together ----------------------------------------------------------------------------------------


async def test_what_was_answered_once_alone_is_asked_of_the_past_in_one(
    web: Web, world: MonitorWorld
) -> None:
    asked = monitor(web, world)
    expressions = (world.one, "21 * 2", "no_such_metric", world.several)
    end = SystemClock().now()
    start = end - timedelta(seconds=4)
    apart = await asked.history(expressions, start=start, end=end, step_s=0.5)
    await asked.query(expressions)
    await asked.query(expressions)
    together = await asked.history(expressions, start=start, end=end, step_s=0.5)
    for each in expressions[:3]:
        assert together[each] == apart[each]
    constant = together["21 * 2"]
    assert not isinstance(constant, AdapterError) and {each.value for each in constant} == {42.0}
    assert together["no_such_metric"] == ()
    assert isinstance(together[world.several], RefusedByService)


def joint(*marks: str) -> dict[str, object]:
    series = [{"metric": {MARK: mark}, "values": [[START_S, mark or "0"]]} for mark in marks]
    return {"status": "success", "data": {"resultType": "matrix", "result": series}}


QUESTION = Question(query="", expressions=("a", "b"))


def test_each_series_is_its_own_by_its_mark() -> None:
    told = read_together(QUESTION, joint("1", "0"))
    assert [[sample.value for sample in told[each]] for each in ("a", "b")] == [[0.0], [1.0]]
    assert read_together(QUESTION, joint("1"))["a"] == ()


@pytest.mark.parametrize(
    "body",
    [
        joint("2"),
        joint("0", "0"),
        joint("0", ""),
        {**joint("0", "1"), "warnings": ["a store is missing"]},
        {"status": "success", "data": {"resultType": "matrix", "result": [{"values": []}]}},
        {"status": "success", "data": {"resultType": "vector", "result": []}},
    ],
)
def test_where_there_is_any_doubt_nothing_is_told_together(body: object) -> None:
    assert read_together(QUESTION, body) == {}
