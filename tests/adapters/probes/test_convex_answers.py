"""What each answer of a Convex deployment says about its health, by a server that answers on command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import (
    AdapterError,
    BrokenAnswer,
    RefusedByService,
    ServiceTrouble,
    Throttled,
    Unreachable,
)
from cockpit.adapters.http import Answer, Web
from cockpit.adapters.probes.convex import STATE_QUERY, ConvexProbe, build
from cockpit.adapters.probes.convex_answer import read_call, stopped_by
from cockpit.adapters.probes.settings import ConvexProbeSettings
from cockpit.core.model import Fault, Health, ProbeValue
from tests.adapters.probes.hostile import EVIL, TOKEN, TROUBLES, assert_harmless, mutated
from tests.adapters.probes.rig import the_token
from tests.adapters.probes.scripted import HTML, Hang, Request, Step, as_json, as_text, scripted
from tests.tables import written

RUNNING = {"system": "none", "usage_limit": "none", "user": "none"}
PLAN: Mapping[str, Any] = {"instance": "happy-otter-1", "health_query": "health:check"}
KEYED: Mapping[str, Any] = {**PLAN, "admin_key": {"env": "K"}}


def success(value: object) -> Step:
    return as_json({"status": "success", "value": value})


def thrown(
    data: object = None, message: str = "[Request ID: 7f3c2d1e0a9b8c7d] Server Error", status: int = 200
) -> Step:
    return as_json(
        {"status": "error", "errorMessage": message, **({} if data is None else {"errorData": data})}, status
    )


@dataclass(slots=True)
class Deployment:
    """Answers as one deployment; each part may be replaced."""

    name: Step = field(default_factory=lambda: as_text("happy-otter-1"))
    version: Step = field(default_factory=lambda: as_text("1.2.3-abc"))
    instance_version: Step = field(default_factory=lambda: as_text("1.2.2"))
    health: Step = field(default_factory=lambda: success({"ok": True}))
    state: Step = field(default_factory=lambda: success(RUNNING))
    rights: Step = field(default_factory=lambda: as_json({"success": True, "allowedOps": ["ViewData"]}))

    def __call__(self, request: Request) -> Step:
        if request.path == "/api/query":
            return self.state if json.loads(request.body)["path"] == STATE_QUERY else self.health
        return {
            "/instance_name": self.name,
            "/version": self.version,
            "/instance_version": self.instance_version,
            "/api/check_admin_key": self.rights,
        }[request.path]


def probe_of(web: Web, url: str, timeout_s: float = 5.0, **settings: Any) -> ConvexProbe:
    return build(written(ConvexProbeSettings, {"url": url, **settings}), web, the_token, timeout_s)


async def look(web: Web, deployment: Deployment, timeout_s: float = 5.0, **settings: Any) -> ProbeValue:
    async with scripted(deployment) as server:
        return await probe_of(web, server.url, timeout_s, **(settings or PLAN)).probe()


async def test_healthy_with_all_that_is_known_about_it(web: Web) -> None:
    value = await look(web, Deployment(), **KEYED)
    assert value.health is Health.OK
    assert value.detail == "health:check answers"
    assert value.facts == (
        ("version", "1.2.3-abc"),
        ("instance", "happy-otter-1"),
        ("the key may", "ViewData"),
        ("state", "running"),
    )
    assert value.latency_ms is not None and value.latency_ms > 0


async def test_without_key_the_state_is_not_claimed(web: Web) -> None:
    value = await look(web, Deployment())
    assert value.health is Health.OK
    assert dict(value.facts)["state"] == "not known: no admin key in the plan"


async def test_without_health_query_its_own_word_is_all_there_is(web: Web) -> None:
    value = await look(web, Deployment(), instance="happy-otter-1")
    assert value.health is Health.OK
    assert "names no health query" in value.detail


async def test_another_deployment_is_down_and_is_told_nothing(web: Web) -> None:
    async with scripted(Deployment(name=as_text("sad-heron-2"))) as server:
        value = await probe_of(web, server.url, **KEYED).probe()
        assert {request.path for request in server.requests} == {"/instance_name", "/version"}
        assert all("authorization" not in request.headers for request in server.requests)
    assert value.health is Health.DOWN
    assert value.detail == "answers as sad-heron-2, the plan says happy-otter-1"


async def test_the_older_version_path_is_asked_where_the_first_is_missing_and_from_then_on(web: Web) -> None:
    async with scripted(Deployment(version=as_text("not found", 404))) as server:
        probe = probe_of(web, server.url, **PLAN)
        assert dict((await probe.probe()).facts)["version"] == "1.2.2"
        await probe.probe()
        assert [request.path for request in server.requests].count("/version") == 1


async def test_a_deployment_without_version_is_judged_by_its_function(web: Web) -> None:
    missing = as_text("not found", 404)
    value = await look(web, Deployment(version=missing, instance_version=missing))
    assert value.health is Health.OK
    assert "version" not in dict(value.facts)


DOWN: Mapping[str, tuple[Deployment, str]] = {
    "a redacted error": (Deployment(health=thrown()), "health:check failed"),
    "an error with a code": (
        Deployment(health=thrown({"code": "NOT_READY"})),
        "health:check failed with NOT_READY",
    ),
    "an error that is a code": (Deployment(health=thrown("NOT_READY")), "health:check failed with NOT_READY"),
    "an error that is prose": (
        Deployment(health=thrown("user bob@example.com is gone")),
        "health:check failed",
    ),
    "an error object without code": (Deployment(health=thrown({"user": "bob"})), "health:check failed"),
    "an older server's error": (Deployment(health=thrown(status=560)), "health:check failed"),
    "500": (
        Deployment(health=as_json({"code": "InternalServerError", "message": "x"}, 500)),
        "answers 500 (Internal",
    ),
    "502 of a proxy": (Deployment(health=HTML), "answers 502"),
    "overload": (Deployment(health=as_json({"code": "ExpiredInQueue", "message": "x"}, 503)), "overloaded"),
    "a timeout of its own": (Deployment(health=as_text("", 408)), "answers 408"),
    "503 of a proxy": (Deployment(health=as_text("Service Unavailable", 503)), "answers 503"),
    "stopped": (
        Deployment(health=as_json({"code": "BackendIsNotRunning", "message": "x"}, 400)),
        "is stopped",
    ),
    "it fails to tell its name": (Deployment(name=HTML), "answers 502"),
}


@pytest.mark.parametrize("case", DOWN)
async def test_down(web: Web, case: str) -> None:
    deployment, words = DOWN[case]
    value = await look(web, deployment)
    assert value.health is Health.DOWN
    assert words in value.detail
    assert "bob" not in repr(value)


async def test_the_request_id_is_a_fact_and_the_message_is_not(web: Web) -> None:
    message = "[Request ID: 7f3c2d1e0a9b8c7d] Server Error\nUncaught Error: password hunter2"
    value = await look(web, Deployment(health=thrown(message=message)))
    assert dict(value.facts)["request"] == "7f3c2d1e0a9b8c7d"
    assert "hunter2" not in repr(value)


async def test_a_refused_connection_is_down(web: Web) -> None:
    async with scripted(Deployment()) as server:
        dead = server.url
    value = await probe_of(web, dead, **PLAN).probe()
    assert value.health is Health.DOWN
    assert "refused" in value.detail


WARMING = as_json({"code": "TableSummariesUnavailable", "message": "x"}, 503)
CANNOT_ASK: Mapping[str, tuple[Deployment, type[AdapterError], str]] = {
    "429": (
        Deployment(health=as_json({"code": "TooManyConcurrentRequests"}, 429)),
        Throttled,
        "asked to wait",
    ),
    "425": (Deployment(health=as_json({"code": "TooEarly"}, 425)), ServiceTrouble, "warming up (TooEarly)"),
    "table counts not loaded": (Deployment(health=WARMING), ServiceTrouble, "warming up"),
    "an index being loaded": (
        Deployment(health=as_json({"code": "TextIndexTooLarge"}, 503)),
        ServiceTrouble,
        "warming up (TextIndexTooLarge)",
    ),
    "401": (Deployment(health=as_json({"code": "Unauthenticated"}, 401)), RefusedByService, "credential"),
    "403": (Deployment(health=as_json({"code": "BadDeployKey"}, 403)), RefusedByService, "credential"),
    "a wrong function name": (
        Deployment(health=as_json({"code": "BadConvexFunctionIdentifier"}, 400)),
        RefusedByService,
        "(BadConvexFunctionIdentifier)",
    ),
    "another service": (Deployment(health=as_text("Not Found", 404)), RefusedByService, "not how a Convex"),
    "a login page for a name": (Deployment(name=as_text("<html>")), BrokenAnswer, "does not tell its name"),
    "no name": (Deployment(name=as_text("no", 404)), BrokenAnswer, "does not tell its name"),
    "no envelope": (
        Deployment(health=as_json({"ok": True})),
        BrokenAnswer,
        "not the answer of a Convex function",
    ),
    "success without value": (
        Deployment(health=as_json({"status": "success"})),
        BrokenAnswer,
        "not the answer",
    ),
    "hang": (Deployment(health=Hang()), Unreachable, "no answer"),
    "a name that hangs": (Deployment(name=Hang()), Unreachable, "no answer"),
}


@pytest.mark.parametrize("case", CANNOT_ASK)
async def test_what_could_not_be_asked_is_raised(web: Web, case: str) -> None:
    deployment, kind, words = CANNOT_ASK[case]
    with pytest.raises(kind) as caught:
        await look(web, deployment, 0.4)
    assert words in caught.value.failure.title


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"user": "paused"}, "the deployment is paused by its operators"),
        ({"usage_limit": "disabled"}, "the deployment is disabled by a usage limit"),
        ({"system": "suspended"}, "the deployment is suspended by Convex"),
        ({"system": "disabled", "user": "paused"}, "the deployment is paused by its operators"),
    ],
)
@pytest.mark.parametrize(
    "health", [success(1), thrown(), Hang(), WARMING], ids=["runs", "fails", "hangs", "warms up"]
)
async def test_a_stopped_deployment_is_down_whatever_its_function_says(
    web: Web, state: dict[str, str], words: str, health: Step
) -> None:
    deployment = Deployment(state=success({**RUNNING, **state}), health=health)
    value = await look(web, deployment, 0.4, **KEYED)
    assert (value.health, value.detail) == (Health.DOWN, words)


NOT_TOLD: Mapping[str, tuple[Step, str]] = {
    "key refused": (as_json({"code": "BadDeployKey"}, 403), "credential"),
    "right missing": (as_json({"code": "OperationNotPermitted"}, 403), "credential"),
    "no such query": (thrown(), f"{STATE_QUERY} failed"),
    "another shape": (success("running"), "unknown shape"),
    "a new kind of stop": (success({**RUNNING, "user": "frozen"}), "unknown shape"),
    "overload": (as_json({"code": "ExpiredInQueue"}, 503), "overloaded"),
    "rate limit": (as_text("slow", 429), "asked to wait"),
    "hang": (Hang(), "no answer"),
}


@pytest.mark.parametrize("case", NOT_TOLD)
async def test_a_state_that_cannot_be_read_is_said_and_does_not_make_it_sick(web: Web, case: str) -> None:
    state, words = NOT_TOLD[case]
    value = await look(web, Deployment(state=state), 0.4, **KEYED)
    assert value.health is Health.OK
    told = dict(value.facts)["state"]
    assert told.startswith("not known: ") and words in told


@pytest.mark.parametrize(("case", "asked"), [("key refused", 1), ("no such query", 1), ("rate limit", 2)])
async def test_a_state_that_is_refused_for_good_is_not_asked_again(web: Web, case: str, asked: int) -> None:
    async with scripted(Deployment(state=NOT_TOLD[case][0])) as server:
        probe = probe_of(web, server.url, **KEYED)
        first = await probe.probe()
        assert (await probe.probe()).facts == first.facts
        calls = [request for request in server.requests if STATE_QUERY.encode() in request.body]
    assert len(calls) == asked


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        (as_json({"success": True, "allowedOps": [], "isReadOnly": False}), "do everything"),
        (as_text("not here", 404), "not told"),
        (as_json({"success": True}), "not told"),
    ],
)
async def test_what_the_key_may_do_is_told_if_it_is_told(web: Web, rights: Step, said: str) -> None:
    value = await look(web, Deployment(rights=rights), **KEYED)
    assert (value.health, dict(value.facts)["the key may"]) == (Health.OK, said)


async def test_the_key_goes_to_the_state_query_and_its_rights_once(web: Web) -> None:
    async with scripted(Deployment()) as server:
        probe = probe_of(web, server.url, **KEYED)
        value = await probe.probe()
        assert await probe.probe()
        keyed = [request for request in server.requests if "authorization" in request.headers]
    rights = [request.path for request in keyed if request.method == "GET"]
    states = [json.loads(request.body)["path"] for request in keyed if request.method == "POST"]
    assert (rights, states) == (["/api/check_admin_key"], [STATE_QUERY] * 2)
    assert keyed[0].headers["authorization"] == f"Convex {TOKEN}"
    assert_harmless(value)


async def test_the_health_query_is_asked_in_the_documented_way(web: Web) -> None:
    args = {"deep": True, "tables": ["chats", "users"]}
    async with scripted(Deployment()) as server:
        await probe_of(web, server.url, health_query="ops/health:check", health_args=args).probe()
        (body,) = [json.loads(request.body) for request in server.requests if request.body]
    assert body == {"path": "ops/health:check", "args": args, "format": "json"}


async def test_never_more_than_two_calls_at_once(web: Web) -> None:
    async with scripted(Deployment()) as server:
        await probe_of(web, server.url, **KEYED).probe()
        assert server.connections <= 2


async def test_slow_is_degraded(web: Web) -> None:
    value = await look(web, Deployment(), **PLAN, latency_limit="1ms")
    if value.latency_ms is not None and value.latency_ms > 1:
        assert value.health is Health.DEGRADED


@pytest.mark.parametrize("part", ["name", "version", "health", "state"])
@pytest.mark.parametrize("case", TROUBLES)
async def test_no_trouble_leaks_and_none_of_the_vital_parts_looks_healthy(
    web: Web, part: str, case: str
) -> None:
    deployment = Deployment(**{part: TROUBLES[case]})
    try:
        outcome: object = await look(web, deployment, 0.3, **KEYED)
    except AdapterError as error:
        outcome = error
    assert_harmless(outcome)
    if part in ("name", "health"):
        assert not (isinstance(outcome, ProbeValue) and outcome.health is Health.OK)


async def test_evil_words_in_an_error_do_not_come_through(web: Web) -> None:
    deployment = Deployment(health=thrown({"code": EVIL}, f"[Request ID: {EVIL}] {EVIL}"))
    value = await look(web, deployment)
    assert value.health is Health.DOWN
    assert_harmless(value)
    assert "request" not in dict(value.facts)


SHAPES = [
    {"status": "success", "value": {"ok": True}, "logLines": ["[LOG] 'x'"]},
    {"status": "error", "errorMessage": "[Request ID: 7f3c2d1e] Server Error", "errorData": {"code": "X"}},
    {"code": "BadDeployKey", "message": "no"},
]


@given(st.sampled_from(SHAPES), st.integers(0, 1 << 32), st.sampled_from([200, 560, 400, 403, 425, 500, 503]))
def test_a_damaged_envelope_is_a_call_or_an_error(shape: dict[str, object], seed: int, status: int) -> None:
    body = json.dumps(mutated(shape, seed)).encode()
    answer = Answer(
        status=status, headers={}, body=body, took_s=0.1, server_time=None, asked="POST http://h:1/api"
    )
    try:
        called = read_call(answer, "health:check")
    except AdapterError as error:
        assert_harmless(error)
        assert error.failure.fault is not Fault.COCKPIT
        return
    assert_harmless((called.trouble, called.request_id))
    assert called.trouble or status in (200, 560)


@given(st.integers(0, 1 << 32))
def test_a_damaged_state_never_reads_as_running_unless_it_is(seed: int) -> None:
    state = mutated(RUNNING, seed)
    if stopped_by(state) == "":
        assert {name: state[name] for name in RUNNING} == RUNNING
