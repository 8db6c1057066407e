"""What each answer of an HTTP service says about its health."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from cockpit.adapters.base import AdapterError, RefusedByService, Throttled, Unreachable
from cockpit.adapters.http import Web
from cockpit.adapters.probes.http import HttpProbe, build
from cockpit.adapters.probes.settings import HttpProbeSettings
from cockpit.core.model import Fault, Health, ProbeValue
from tests.adapters.probes.hostile import EVIL, TOKEN, TROUBLES, assert_harmless
from tests.adapters.probes.rig import NOW, the_token
from tests.adapters.probes.scripted import HTML, Hang, Reply, Reset, Step, as_json, as_text, scripted
from tests.tables import written

OK = as_json({"status": "ok", "checks": {"db": [{"up": True, "a/b": 1, "m~n": None}]}})


def probe_of(web: Web, url: str, timeout_s: float = 5.0, **settings: Any) -> HttpProbe:
    return build(written(HttpProbeSettings, {"url": url, **settings}), web, the_token, timeout_s)


async def look(web: Web, reply: Step, timeout_s: float = 5.0, **settings: Any) -> ProbeValue:
    async with scripted(lambda request: reply) as server:
        return await probe_of(web, f"{server.url}/health", timeout_s, **settings).probe()


def expect(pointer: str, equals: object) -> dict[str, object]:
    return {"pointer": pointer, "equals": equals}


HEALTHY: Mapping[str, tuple[Step, dict[str, Any]]] = {
    "200": (as_text("ok"), {}),
    "a status that the plan names": (as_text("", 204), {"expect_status": [200, 204]}),
    "401 when the plan wants it": (as_text("", 401), {"expect_status": [401]}),
    "503 when the plan wants it": (as_text("", 503), {"expect_status": [503]}),
    "a redirect when the plan wants it": (Reply(status=302), {"expect_status": [302]}),
    "the text at a pointer": (OK, {"json": expect("/status", "ok")}),
    "deep in lists": (OK, {"json": expect("/checks/db/0/up", True)}),
    "an escaped slash": (OK, {"json": expect("/checks/db/0/a~1b", 1)}),
    "an escaped tilde, null": (OK, {"json": expect("/checks/db/0/m~0n", None)}),
    "the whole body": (as_json("up"), {"json": expect("", "up")}),
    "1.0 is 1": (as_json({"n": 1.0}), {"json": expect("/n", 1)}),
    "quick enough": (as_text("ok"), {"latency_limit": "1m"}),
}


@pytest.mark.parametrize("case", HEALTHY)
async def test_healthy(web: Web, case: str) -> None:
    reply, settings = HEALTHY[case]
    value = await look(web, reply, **settings)
    assert value.health is Health.OK, value.detail
    assert value.latency_ms is not None and value.latency_ms > 0


DOWN: Mapping[str, tuple[Step, dict[str, Any], str]] = {
    "500": (as_text("Internal Server Error", 500), {}, "answers 500, the plan expects 200"),
    "502 of a proxy": (HTML, {}, "answers 502"),
    "503 with Retry-After": (Reply(status=503, headers={"retry-after": "60"}), {}, "answers 503"),
    "408": (as_text("late", 408), {}, "answers 408"),
    "404": (as_json({"detail": "Not Found"}, 404), {}, "answers 404"),
    "200 where 204 is due": (as_text("ok"), {"expect_status": [204, 205]}, "the plan expects 204 or 205"),
    "a redirect": (
        Reply(status=302, headers={"location": "https://login.example/?next=SECRET"}),
        {},
        "answers 302 and redirects to login.example, the plan expects 200",
    ),
    "a redirect to nowhere": (Reply(status=302, headers={"location": "http://[bad"}), {}, "to another path"),
    "another text": (OK, {"json": expect("/status", "fine")}, '/status is "ok", the plan expects "fine"'),
    "true is not 1": (OK, {"json": expect("/checks/db/0/up", 1)}, "is true, the plan expects 1"),
    "1 is not true": (OK, {"json": expect("/checks/db/0/a~1b", True)}, "is 1, the plan expects true"),
    "1 is not the text 1": (as_json({"n": 1}), {"json": expect("/n", "1")}, 'is 1, the plan expects "1"'),
    "an object": (OK, {"json": expect("/checks", "ok")}, "is an object"),
    "nothing there": (OK, {"json": expect("/nope", "ok")}, "nothing at /nope"),
    "no such index": (OK, {"json": expect("/checks/db/1", "ok")}, "nothing at"),
    "an index with a leading zero": (OK, {"json": expect("/checks/db/00/up", True)}, "nothing at"),
    "the index after the last": (OK, {"json": expect("/checks/db/-", True)}, "nothing at"),
    "into a text": (OK, {"json": expect("/status/0", "o")}, "nothing at"),
    "HTML instead of JSON": (as_text("<html>hi"), {"json": expect("/status", "ok")}, "HTML instead of JSON"),
    "no JSON": (as_text("ok"), {"json": expect("", "ok")}, "not valid JSON"),
}


@pytest.mark.parametrize("case", DOWN)
async def test_down_says_what_came_and_what_was_expected(web: Web, case: str) -> None:
    reply, settings, words = DOWN[case]
    value = await look(web, reply, **settings)
    assert value.health is Health.DOWN
    assert words in value.detail
    assert "SECRET" not in value.detail


async def test_a_refused_connection_is_down(web: Web) -> None:
    async with scripted(lambda request: OK) as server:
        dead = server.url
    value = await probe_of(web, dead).probe()
    assert value.health is Health.DOWN
    assert "refused" in value.detail


CANNOT_ASK: Mapping[str, tuple[Step, type[AdapterError], Fault]] = {
    "401": (as_text("who?", 401), RefusedByService, Fault.CREDENTIAL),
    "403": (as_text("no", 403), RefusedByService, Fault.CREDENTIAL),
    "407": (as_text("proxy", 407), RefusedByService, Fault.CREDENTIAL),
    "429": (as_text("slow", 429), Throttled, Fault.SERVICE),
    "hang": (Hang(), Unreachable, Fault.SERVICE),
    "reset": (Reset(), Unreachable, Fault.SERVICE),
}


@pytest.mark.parametrize("case", CANNOT_ASK)
async def test_what_could_not_be_asked_is_raised(web: Web, case: str) -> None:
    reply, kind, fault = CANNOT_ASK[case]
    with pytest.raises(kind) as caught:
        await look(web, reply, 0.3)
    assert caught.value.failure.fault is fault


async def test_a_name_without_address_is_not_down(web: Web) -> None:
    with pytest.raises(Unreachable):
        await probe_of(web, "http://no-such-host.invalid/").probe()


async def test_slow_is_degraded(web: Web) -> None:
    value = await look(web, as_text("ok"), latency_limit="1ms", expect_status=[200])
    if value.latency_ms is not None and value.latency_ms > 1:
        assert value.health is Health.DEGRADED
        assert "the limit is 1 ms" in value.detail


@pytest.mark.parametrize("case", TROUBLES)
async def test_no_trouble_looks_healthy_where_json_is_checked(web: Web, case: str) -> None:
    settings: dict[str, Any] = {"json": expect("/status", "ok"), "token": {"env": "T"}}
    try:
        outcome: object = await look(web, TROUBLES[case], 0.4, **settings)
    except AdapterError as error:
        outcome = error
    assert_harmless(outcome)
    assert not (isinstance(outcome, ProbeValue) and outcome.health is Health.OK)


async def test_an_echoing_service_shows_neither_token_nor_escapes(web: Web) -> None:
    reply = as_json({"status": f"{EVIL} {TOKEN}"}, 200, server=f"x {TOKEN}")
    value = await look(web, reply, json=expect("/status", "ok"), token={"env": "T"})
    assert value.health is Health.DOWN
    assert_harmless(value)


async def test_facts_and_server_time(web: Web) -> None:
    date = (NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    reply = as_json({"status": "ok"}, 200, server="uvicorn", date=date)
    value = await look(web, reply, json=expect("/status", "ok"))
    assert value.facts == (("status", "200"), ("value", '"ok"'), ("server", "uvicorn"))
    assert value.server_time == NOW + timedelta(seconds=90)


@pytest.mark.parametrize("server", ["x" * 41, "a\x1b[2Jb", "a  b"])
async def test_a_server_name_that_is_not_clean_is_no_fact(web: Web, server: str) -> None:
    value = await look(web, as_json({}, 200, server=server))
    assert [name for name, _ in value.facts] == ["status"]


async def test_the_request_carries_what_the_plan_says(web: Web) -> None:
    async with scripted(lambda request: as_text("ok")) as server:
        settings: dict[str, Any] = {
            "method": "HEAD",
            "headers": {"x-bypass": {"env": "B"}, "x-team": "a"},
            "token": {"env": "T"},
        }
        await probe_of(web, f"{server.url}/health?deep=1", **settings).probe()
        (request,) = server.requests
    assert (request.method, request.path) == ("HEAD", "/health?deep=1")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert (request.headers["x-bypass"], request.headers["x-team"]) == (TOKEN, "a")
    assert request.headers["cache-control"] == "no-cache"


async def test_a_redirect_is_not_followed(web: Web) -> None:
    reply = Reply(status=302, headers={"location": "/login"})
    async with scripted(lambda request: reply if request.path == "/" else OK) as server:
        value = await probe_of(web, server.url).probe()
        assert [request.path for request in server.requests] == ["/"]
    assert value.health is Health.DOWN


async def test_a_failing_service_is_asked_once_per_poll(web: Web) -> None:
    async with scripted(lambda request: Reply(status=503)) as server:
        await probe_of(web, server.url).probe()
        assert len(server.requests) == 1


async def test_a_connection_closed_while_idle_says_nothing_about_health(web: Web) -> None:
    async with scripted(lambda request: OK) as server:
        probe = probe_of(web, server.url)
        await probe.probe()
        server.close_connections()
        assert (await probe.probe()).health is Health.OK


async def test_connections_are_kept_unless_the_certificate_is_watched(web: Web) -> None:
    for settings, connections in (({}, 1), ({"tls_days": 14}, 3)):
        async with scripted(lambda request: OK) as server:
            probe = probe_of(web, server.url, 5.0, **settings)
            for _ in range(3):
                await probe.probe()
            assert server.connections == connections


async def test_certificate_days_need_a_certificate(web: Web) -> None:
    value = await look(web, OK, tls_days=14)
    assert value.health is Health.DEGRADED
    assert "no certificate" in value.detail
