"""Counts of documents: by a server on command, by the practice world, and in convex-test.

The table sizes of convex-test's server are counted by itself; the rest of its answers are convex-test's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, ServiceTrouble
from cockpit.adapters.http import Web
from cockpit.adapters.probes.convex_answer import Called
from cockpit.adapters.probes.convex_settings import ConvexMonitorSettings
from cockpit.adapters.signals.convex import TABLE_SIZE, TABLES, ConvexMonitor, _sample, build
from cockpit.core.model import Fault, Quality, Sample
from cockpit.core.secret import Secret
from tests.adapters.probes.hostile import assert_harmless, mutated
from tests.adapters.probes.practice import INSTANCE, practice
from tests.adapters.probes.rig import the_token
from tests.adapters.probes.scripted import Request, Step, as_json, as_text, scripted
from tests.real.convex_server import INSTANCE as REAL_INSTANCE
from tests.real.convex_server import READ_KEY, convex_test
from tests.tables import written

CHATS, USERS = "table_size:chats", "table_size:users"
THROWN: Mapping[str, Any] = {"status": "error", "errorMessage": "[Request ID: 7f3c2d1e0a9b8c7d] Server Error"}


def value(raw: object) -> Mapping[str, Any]:
    return {"status": "success", "value": raw}


@dataclass(slots=True)
class Deployment:
    """Answers each query by its path, or a batch as a whole by `batch`. asked: the queries of every batch."""

    values: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    batch: Step | None = None
    asked: list[list[Mapping[str, Any]]] = field(default_factory=list)

    def __call__(self, request: Request) -> Step:
        if request.path == "/instance_name":
            return as_text(INSTANCE)
        if request.path == "/api/check_admin_key":
            return as_json({"success": True, "allowedOps": ["ViewData"], "isReadOnly": True})
        body = json.loads(request.body)
        if request.path == "/api/query":
            return as_json(self.values.get(body["path"], THROWN))
        self.asked.append(body["queries"])
        return self.batch or as_json({"results": [self._answer(each) for each in body["queries"]]})

    def _answer(self, query: Mapping[str, Any]) -> Mapping[str, Any]:
        table = query["args"].get("tableName", "")
        return self.values.get(f"{query['path']}/{table}" if table else query["path"], THROWN)


def monitor(web: Web, url: str, **more: Any) -> ConvexMonitor:
    given = {"url": url, "instance": INSTANCE, "key": {"env": "K"}, **more}
    return build(written(ConvexMonitorSettings, given), web, the_token, 5.0)


def good(raw: object) -> Sample | AdapterError:
    return raw if isinstance(raw, Sample | AdapterError) else _sample((Called(value=raw), None))


async def test_all_sizes_of_a_poll_are_asked_at_once(web: Web) -> None:
    deployment = Deployment({f"{TABLE_SIZE}/chats": value(12.0), f"{TABLE_SIZE}/users": value(3)})
    async with scripted(deployment) as server:
        found = await monitor(web, server.url).query([CHATS, USERS, CHATS])
    samples = {key: each.value for key, each in found.items() if isinstance(each, Sample)}
    assert samples == {CHATS: 12.0, USERS: 3.0}
    ((first, _),) = deployment.asked
    assert first == {
        "path": TABLE_SIZE,
        "args": {"tableName": "chats", "componentId": None},
        "format": "convex_encoded_json",
    }


async def test_where_sizes_are_not_told_the_plans_query_counts_from_then_on(web: Web) -> None:
    deployment = Deployment({"stats:chats": value({"$integer": "KwAAAAAAAAA="})})
    async with scripted(deployment) as server:
        asking = monitor(web, server.url, counts={"chats": "stats:chats"})
        for _ in range(2):
            sample = (await asking.query([CHATS]))[CHATS]
            assert isinstance(sample, Sample)
            assert (sample.value, sample.quality) == (43, Quality.GOOD)
    assert [each[0]["path"] for each in deployment.asked] == [TABLE_SIZE, "stats:chats", "stats:chats"]


async def test_without_a_query_to_fall_back_to_it_is_an_error(web: Web) -> None:
    deployment = Deployment({"stats:chats": value(1)})
    async with scripted(deployment) as server:
        found = await monitor(web, server.url, counts={"chats": "stats:chats"}).query([CHATS, USERS])
    assert isinstance(found[CHATS], Sample)
    error = found[USERS]
    assert isinstance(error, RefusedByService)


async def test_a_query_of_the_application_takes_arguments(web: Web) -> None:
    deployment = Deployment({"stats:open": value(7)})
    expression = 'count:stats:open {"deleted": false}'
    async with scripted(deployment) as server:
        sample = (await monitor(web, server.url).query([expression]))[expression]
    assert isinstance(sample, Sample)
    assert sample.value == 7
    assert deployment.asked[0][0]["args"] == {"deleted": False}


async def test_warming_up_is_neither_zero_nor_a_refusal(web: Web) -> None:
    warming = as_json({"code": "TableSummariesUnavailable", "message": "not yet"}, 503)
    async with scripted(Deployment(batch=warming)) as server:
        asking = monitor(web, server.url, counts={"chats": "stats:chats"})
        with pytest.raises(ServiceTrouble, match="warming up"):
            await asking.query([CHATS])


@pytest.mark.parametrize(
    ("batch", "error"),
    [
        (as_json({"code": "OperationNotPermitted", "message": "no"}, 403), RefusedByService),
        (as_json({"results": []}), BrokenAnswer),
        (as_json({"results": ["x"]}), BrokenAnswer),
        (as_text("<html>", 200, "text/html"), BrokenAnswer),
    ],
)
async def test_a_batch_that_cannot_be_had_is_an_error(
    web: Web, batch: Step, error: type[AdapterError]
) -> None:
    async with scripted(Deployment(batch=batch)) as server:
        with pytest.raises(error):
            await monitor(web, server.url).query([CHATS])


@pytest.mark.parametrize(
    ("raw", "quality"),
    [(-1, Quality.ERROR), ("12", Quality.ERROR), (None, Quality.ERROR), (True, Quality.ERROR)],
)
async def test_what_is_no_count_has_no_value(raw: object, quality: Quality) -> None:
    sample = good(raw)
    assert isinstance(sample, Sample)
    assert (sample.value, sample.quality) == (None, quality)


@pytest.mark.parametrize("expression", ["chats", "table_size:", "table_size:a b", "count:", "count:f:g {"])
async def test_what_is_no_expression_is_the_plans_fault(web: Web, expression: str) -> None:
    async with scripted(Deployment()) as server:
        error = (await monitor(web, server.url).query([expression]))[expression]
    assert isinstance(error, RefusedByService)
    assert error.failure.fault is Fault.PLAN


async def test_preflight_finds_a_table_that_is_not_there(web: Web) -> None:
    """The deployment itself calls it empty."""
    deployment = Deployment(
        {
            f"{TABLE_SIZE}/chats": value(12.0),
            f"{TABLE_SIZE}/users": value(0.0),
            TABLES: value({"page": [{"name": "chats"}], "isDone": True}),
        }
    )
    async with scripted(deployment) as server:
        lines = await monitor(web, server.url).preflight([CHATS, USERS])
    told = {line.subject: (line.ok, line.detail) for line in lines}
    assert (told[CHATS], told[USERS]) == ((True, "12 now"), (False, "there is no such table"))
    assert [line.detail for line in lines if line.question == "the key may look"] == ["it may ViewData"]


@given(st.integers(0, 2**32))
def test_mutations_are_read_or_refused(seed: int) -> None:
    sample = good(mutated({"$integer": "KwAAAAAAAAA="}, seed))
    assert isinstance(sample, Sample)
    assert (sample.value is None) == (sample.quality is not Quality.GOOD)
    assert_harmless(sample)


async def test_the_practice_world_tells_sizes(web: Web) -> None:
    with practice() as server:
        given = {"url": server.urls["convex"], "instance": INSTANCE, "key": {"env": "K"}}
        settings = written(ConvexMonitorSettings, given)
        asking = build(settings, web, lambda ref: Secret(f"prod:{INSTANCE}|viewer-key"), 5.0)
        lines = await asking.preflight([CHATS])
    assert [line.ok for line in lines] == [True, True, True]


@pytest.mark.real
async def test_convex_test_counts_what_was_stored(web: Web) -> None:
    with convex_test() as functions:
        functions.store("one", {})
        functions.store("two", {}, {})
        given = {"url": functions.url, "instance": REAL_INSTANCE, "key": {"env": "K"}}
        asking = build(written(ConvexMonitorSettings, given), web, lambda ref: Secret(READ_KEY), 10.0)
        counted = 'count:tamper:count {"key": "two"}'
        found = await asking.query(["table_size:cutoverFlags", counted])
        lines = await asking.preflight(["table_size:cutoverFlags", "table_size:nowhere"])
    assert {key: getattr(each, "value", each) for key, each in found.items()} == {
        "table_size:cutoverFlags": 3,
        counted: 2,
    }
    assert [line.ok for line in lines] == [True, True, True, False]
