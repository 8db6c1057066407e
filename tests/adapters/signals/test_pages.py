"""Monitoring sources that are one page: prom_text and http_json over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from cockpit.adapters.base import AdapterError, BrokenAnswer, Monitor, RefusedByService
from cockpit.adapters.http import Web
from cockpit.adapters.table import MONITORS
from cockpit.core.model import Fault, Quality, Sample
from cockpit.plan.problems import PlanProblems
from tests.adapters.probes.hostile import EVIL, TOKEN, TROUBLES, assert_harmless, mutated
from tests.adapters.probes.rig import the_token
from tests.adapters.probes.scripted import Reply, as_json, as_text, scripted
from tests.adapters.signals.test_exposition import OPEN, PAGE
from tests.tables import written

NUMBERS = {
    "orders": {"all": 1200, "failed": "17", "gone": None, "a/b": 3.5, "late": -2},
    "sides": [{"n": 1}, {"n": 2}],
    "text": "many",
    "yes": True,
    "long": "1" * 80,
}


def monitor(web: Web, kind: str, url: str, timeout_s: float = 5.0, **more: Any) -> Monitor:
    found = MONITORS[kind]
    return found.build(written(found.settings, {"url": url, **more}), web, the_token, timeout_s)


async def ask(web: Web, kind: str, reply: Reply, *expressions: str) -> Any:
    async with scripted(lambda request: reply) as server:
        return await monitor(web, kind, f"{server.url}/page").query(expressions)


async def test_one_page_answers_every_expression(web: Web) -> None:
    async with scripted(lambda request: as_text(PAGE)) as server:
        source = monitor(
            web,
            "prom_text",
            f"{server.url}/metrics?scope=new",
            token={"env": "X"},
            headers={"X-Team": "chat", "X-Key": {"env": "X"}},
        )
        found = await source.query(["bare", 'http_requests_total{backend="new"}', "bare"])
        (request,) = server.requests
    assert [each.value for each in found.values() if isinstance(each, Sample)] == [12, 42]
    assert request.path == "/metrics?scope=new"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert (request.headers["x-team"], request.headers["x-key"]) == ("chat", TOKEN)
    assert "version=0.0.4" in request.headers["accept"]


async def test_nothing_is_asked_for_nothing(web: Web) -> None:
    async with scripted(lambda request: as_text(PAGE)) as server:
        assert await monitor(web, "prom_text", server.url).query([]) == {}
        assert server.requests == []


async def test_open_metrics_are_known_by_their_type(web: Web) -> None:
    reply = as_text(OPEN, content_type="application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert (await ask(web, "prom_text", reply, "foo_total"))["foo_total"].value is not None


async def test_an_expression_that_cannot_be_read_does_not_spoil_the_others(web: Web) -> None:
    found = await ask(web, "prom_text", as_text(PAGE), "rate(a[5m])", "bare")
    assert isinstance(found["rate(a[5m])"], RefusedByService)
    assert found["rate(a[5m])"].failure.fault is Fault.PLAN
    assert found["bare"].value == 12


@pytest.mark.parametrize(
    "reply",
    [
        as_text("<html>Sign in</html>", 200, "text/html"),
        as_text("<html>Sign in</html>"),
        as_json({"bare": 12}),
        as_text(PAGE[:-5]),
        as_text(OPEN[:-7], content_type="application/openmetrics-text"),
        Reply(body=b"bare \xff\n", headers={"content-type": "text/plain"}),
        as_text("bare 1\n" * 1_500_000),
        Reply(),
    ],
)
async def test_what_is_no_page_of_metrics_is_said(web: Web, reply: Reply) -> None:
    with pytest.raises(BrokenAnswer) as caught:
        await ask(web, "prom_text", reply, "bare")
    assert_harmless(caught.value)


@pytest.mark.parametrize(
    ("pointer", "value", "quality"),
    [
        ("/orders/all", 1200, Quality.GOOD),
        ("/orders/failed", 17, Quality.GOOD),
        ("/orders/a~1b", 3.5, Quality.GOOD),
        ("/sides/1/n", 2, Quality.GOOD),
        ("/orders/gone", None, Quality.NO_DATA),
        ("/nowhere", None, Quality.NO_DATA),
        ("/sides/7/n", None, Quality.NO_DATA),
        ("/orders/late", None, Quality.ERROR),
        ("/orders", None, Quality.ERROR),
        ("/text", None, Quality.ERROR),
        ("/yes", None, Quality.ERROR),
        ("/long", None, Quality.ERROR),
        ("", None, Quality.ERROR),
    ],
)
async def test_a_pointer_finds_one_number(
    web: Web, pointer: str, value: float | None, quality: Quality
) -> None:
    sample = (await ask(web, "http_json", as_json(NUMBERS), pointer))[pointer]
    assert (sample.value, sample.quality) == (value, quality)
    assert_harmless(sample)


async def test_a_bare_number_is_a_page_too(web: Web) -> None:
    assert (await ask(web, "http_json", as_json(42), ""))[""].value == 42


async def test_what_is_no_pointer_is_the_plans_fault(web: Web) -> None:
    found = await ask(web, "http_json", as_json(NUMBERS), "orders.all", "/orders/all")
    assert isinstance(found["orders.all"], RefusedByService)
    assert found["/orders/all"].value == 1200


@pytest.mark.parametrize("kind", ["prom_text", "http_json"])
@pytest.mark.parametrize("case", TROUBLES)
async def test_trouble_gives_no_number(web: Web, kind: str, case: str) -> None:
    async with scripted(lambda request: TROUBLES[case]) as server:
        source = monitor(web, kind, server.url, 0.3, token={"env": "X"})
        try:
            found: Any = await source.query(["/status" if kind == "http_json" else "status"])
        except AdapterError as error:
            found = error
    assert_harmless(found)
    assert isinstance(found, AdapterError) or all(each.value is None for each in found.values())


@pytest.mark.parametrize("kind", ["prom_text", "http_json"])
async def test_check_says_what_the_plan_must_change(web: Web, kind: str) -> None:
    reply = as_text(PAGE) if kind == "prom_text" else as_json(NUMBERS)
    good, absent, wrong = {
        "prom_text": ("bare", "nowhere", "a b"),
        "http_json": ("/orders/all", "/nowhere", "orders"),
    }[kind]
    async with scripted(lambda request: reply) as server:
        source = monitor(web, kind, server.url)
        lines = await source.preflight([good, absent, wrong])
        server.handler = lambda request: as_text(EVIL.encode("utf-8", "replace").decode(), 500)
        (broken,) = await source.preflight([good])
    assert [line.ok for line in lines] == [True, True, None, False]
    assert broken.ok is False
    assert_harmless(broken)


@pytest.mark.parametrize("seed", range(60))
async def test_a_damaged_page_is_harmless(web: Web, seed: int) -> None:
    found = await ask(web, "http_json", as_json(mutated(NUMBERS, seed)), "/orders/all", "/sides/1/n")
    assert_harmless(found)
    assert all((each.value is None) == (each.quality is not Quality.GOOD) for each in found.values())


@pytest.mark.parametrize("kind", ["prom_text", "http_json"])
def test_a_secret_is_never_written_out(kind: str) -> None:
    with pytest.raises(PlanProblems):
        written(MONITORS[kind].settings, {"url": "http://x/", "headers": {"Authorization": "Bearer x"}})
