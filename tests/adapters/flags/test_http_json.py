"""Home-grown endpoints that answer in their own way: what the suite's double never says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import hypothesis
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService
from cockpit.adapters.flags.http_json import build_reader, build_writer
from cockpit.adapters.flags.http_json_answers import filled, in_unit, stored_flag
from cockpit.adapters.flags.http_json_preflight import may_write
from cockpit.adapters.flags.http_json_settings import HttpJsonSettings, ReadRights
from cockpit.adapters.http import Web
from cockpit.core.clean import Percent
from cockpit.core.model import Fault, FlagValue, WriteOutcome, WriteResult
from cockpit.core.secret import Secret, SecretRef
from cockpit.plan.problems import PlanProblems
from tests.adapters.flags.crew import until
from tests.adapters.flags.rigs.http_json import SHAPES, settings
from tests.adapters.flags.suite import EVIL, READ_SECRET, WRITE_SECRET, clean
from tests.adapters.flags.test_unleash_mutations import JSON, paths, put
from tests.adapters.probes.scripted import Hang, Request, Scripted, Step, as_json, as_text, scripted
from tests.tables import written

DONE, REFUSED, UNKNOWN = WriteOutcome.DONE, WriteOutcome.REFUSED, WriteOutcome.UNKNOWN
TEN, QUARTER = Percent.parse(10), Percent.parse(25)
GUARDED = '"7"'
FLAG: dict[str, Any] = {
    "name": "f",
    "rollout": {"percent": 10},
    "enabled": True,
    "meta": {"environment": "production", "by": "ada", "at": 1_760_000_000},
}


class Endpoint:
    """A scripted endpoint. on_write: what a write is answered; takes: whether it is stored at all."""

    def __init__(self, server: Scripted, web: Web, shape: str) -> None:
        self.server = server
        self.stored: Any = FLAG
        self.on_write: Step = as_json({})
        self.etag = GUARDED
        self.reads: Step | None = None
        self.takes = True
        server.handler = self.answer
        more = {"token": READ_SECRET, "write_token": WRITE_SECRET}
        wanted = settings(shape, server.url, **more)
        writer = build_writer(wanted, web, _secret, 2.0)
        assert writer is not None
        self.writer, self.reader = writer, build_reader(wanted, web, _secret, 2.0)

    def answer(self, request: Request) -> Step:
        if request.method == "GET":
            return self.reads or as_json(self.stored, etag=self.etag)
        if self.takes and request.body not in (b"", b"{}"):
            self.stored = {**self.stored, **json.loads(request.body)}
        return self.on_write

    @property
    def writes(self) -> list[Request]:
        return [request for request in self.server.requests if request.method != "GET"]

    async def value(self) -> FlagValue:
        found = (await self.reader.read(["f"]))["f"]
        assert isinstance(found, FlagValue), found
        return found

    async def set(self, percent: Percent) -> WriteResult:
        return await self.writer.set_percent("f", percent, expected=await self.value())


def _secret(ref: SecretRef) -> Secret:
    return Secret(f"secret-of-{ref.env}")


@pytest_asyncio.fixture
async def endpoint(web: Web) -> AsyncIterator[Endpoint]:
    async with scripted(lambda request: Hang()) as server:
        yield Endpoint(server, web, "etag")


async def test_what_is_sent_has_types_and_the_guard(endpoint: Endpoint) -> None:
    assert (await endpoint.set(QUARTER)).outcome is DONE
    (write,) = endpoint.writes
    assert (write.method, write.path) == ("PUT", "/v1/flags/f")
    assert json.loads(write.body) == {"rollout": {"percent": 25}, "enabled": True}
    assert write.headers["if-match"] == GUARDED
    assert write.headers["authorization"] == "Bearer secret-of-WRITE_TOKEN"


async def test_reads_carry_the_token_for_reading(endpoint: Endpoint) -> None:
    await endpoint.value()
    (read,) = endpoint.server.requests
    assert read.path == "/v1/flags/f?full=true"
    assert read.headers["authorization"] == "Bearer secret-of-READ_TOKEN"


@pytest.mark.parametrize("etag", ["", 'W/"7"'])
async def test_without_a_strong_etag_nothing_is_written_but_a_kill(endpoint: Endpoint, etag: str) -> None:
    endpoint.etag = etag
    result = await endpoint.set(QUARTER)
    assert (result.outcome, endpoint.writes) == (REFUSED, [])
    assert "ETag" in result.detail
    line = [line for line in await endpoint.writer.preflight(["f"]) if "stale" in line.question]
    assert [each.ok for each in line] == [False]
    await endpoint.writer.kill("f")
    assert [request.path for request in endpoint.writes] == ["/v1/flags/f/off"]


@pytest.mark.parametrize("status", [409, 412])
async def test_a_guard_that_held_is_told_with_what_is_there(endpoint: Endpoint, status: int) -> None:
    endpoint.takes, endpoint.on_write = False, as_json({"message": "stale"}, status)
    result = await endpoint.set(QUARTER)
    assert (result.outcome, len(endpoint.writes)) == (REFUSED, 1)
    assert result.detail == "somebody else changed it: it reads 10%"


@pytest.mark.parametrize("status", [400, 404, 415, 422, 428])
async def test_a_no_is_a_no(endpoint: Endpoint, status: int) -> None:
    endpoint.takes, endpoint.on_write = False, as_json({"message": EVIL}, status)
    result = await endpoint.set(QUARTER)
    assert (result.outcome, len(endpoint.writes)) == (REFUSED, 1)
    clean(result)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
async def test_what_explains_nothing_is_unknown_and_not_repeated(endpoint: Endpoint, status: int) -> None:
    endpoint.on_write = as_text("", status)
    result = await endpoint.set(QUARTER)
    assert (result.outcome, len(endpoint.writes)) == (UNKNOWN, 1)


async def test_a_wish_to_wait_is_passed_on(endpoint: Endpoint) -> None:
    endpoint.takes, endpoint.on_write = False, as_json({}, 429, retry_after="7")
    result = await endpoint.set(QUARTER)
    assert (result.outcome, result.again_after_s) == (REFUSED, 7)


async def test_a_login_page_is_no_yes(endpoint: Endpoint) -> None:
    endpoint.on_write = as_text("<!doctype html><html>Log in</html>", 200, "text/html")
    result = await endpoint.set(QUARTER)
    assert result.outcome is UNKNOWN
    assert "HTML" in result.detail


async def test_a_yes_that_changes_nothing_is_no_yes(endpoint: Endpoint) -> None:
    endpoint.takes = False
    result = await endpoint.set(QUARTER)
    assert (result.outcome, result.detail) == (UNKNOWN, "25% was accepted, but it reads 10%")
    for result in (await endpoint.writer.kill("f"), await endpoint.writer.zero("f")):
        assert result.outcome is UNKNOWN
        assert "but it reads 10%" in result.detail


async def test_a_kill_stops_a_forward_move_before_it_writes(endpoint: Endpoint) -> None:
    seen, kills = await endpoint.value(), []

    async def kill_first(request: Request) -> Step:
        """The kill's second half waits for the move that it comes in between of."""
        endpoint.server.handler = endpoint.answer
        kills.append(asyncio.create_task(endpoint.writer.kill("f")))
        await until(lambda: bool(endpoint.writes))
        return as_json(FLAG, etag=GUARDED)

    endpoint.server.handler = kill_first
    result = await endpoint.writer.set_percent("f", QUARTER, expected=seen)
    await kills[0]
    assert (result.outcome, result.detail) == (REFUSED, "a rollback of the same flag came in between")
    assert {request.path for request in endpoint.writes} == {"/v1/flags/f/off"}


async def test_a_percentage_behind_a_switch_that_stays_off_is_not_done(endpoint: Endpoint) -> None:
    endpoint.stored, endpoint.takes = {**FLAG, "enabled": False}, False
    seen = await endpoint.value()

    def stores_the_percentage_alone(request: Request) -> Step:
        if request.method != "GET":
            endpoint.stored = {**endpoint.stored, "rollout": {"percent": 25}}
        return endpoint.answer(request)

    endpoint.server.handler = stores_the_percentage_alone
    result = await endpoint.writer.set_percent("f", QUARTER, expected=seen)
    assert (result.outcome, result.detail) == (UNKNOWN, "25% was accepted, but it reads off (25% stored)")


@pytest.mark.parametrize(
    "reads", [as_text("", 502), as_text("<html>Log in</html>", 200, "text/html"), Hang()]
)
async def test_a_kill_goes_out_blind_when_reads_fail(endpoint: Endpoint, reads: Step) -> None:
    endpoint.reads = reads
    result = await endpoint.writer.kill("f")
    assert [request.path for request in endpoint.writes] == ["/v1/flags/f/off"]
    assert result.outcome is UNKNOWN


async def test_a_blind_kill_without_an_endpoint_of_its_own_is_unguarded(web: Web) -> None:
    async with scripted(lambda request: Hang()) as server:
        bare = Endpoint(server, web, "switch")
        bare.reads = as_text("", 502)
        await bare.writer.kill("f")
        (write,) = bare.writes
        assert json.loads(write.body) == {"on": False}
        assert "if-match" not in write.headers


async def test_a_kill_is_never_guessed_where_the_guard_needs_a_version(web: Web) -> None:
    async with scripted(lambda request: Hang()) as server:
        versioned = Endpoint(server, web, "version")
        versioned.reads = as_text("", 502)
        result = await versioned.writer.kill("f")
        assert (result.outcome, versioned.writes) == (REFUSED, [])


async def test_a_kill_writes_even_what_reads_zero_already(web: Web) -> None:
    """A raise whose answer was lost may still be on its way: the new version stops it."""
    async with scripted(lambda request: Hang()) as server:
        versioned = Endpoint(server, web, "version")
        versioned.stored = {"share": 0, "on": False, "version": 7, "meta": {"environment": "production"}}
        await versioned.writer.kill("f")
        (write,) = versioned.writes
        assert json.loads(write.body) == {"id": "f", "set": [0, False], "if": {"version": 7}}


async def test_a_kill_gives_up_when_others_are_always_faster(web: Web) -> None:
    async with scripted(lambda request: Hang()) as server:
        versioned = Endpoint(server, web, "version")
        versioned.stored = {"share": 0.5, "on": True, "version": 7, "meta": {"environment": "production"}}
        versioned.takes, versioned.on_write = False, as_json({}, 409)
        result = await versioned.writer.kill("f")
        assert (result.outcome, len(versioned.writes)) == (REFUSED, 6)


async def test_a_kill_drops_its_guard_in_the_end_where_it_can(web: Web) -> None:
    async with scripted(lambda request: Hang()) as server:
        switch = Endpoint(server, web, "switch")
        switch.stored = {"on": True, "meta": {"environment": "production"}}
        switch.takes, switch.on_write = False, as_json({}, 412)
        await switch.writer.kill("f")
        guards = [request.headers.get("if-match") for request in switch.writes]
        assert guards == [GUARDED] * 6 + [None]


async def test_off_is_not_raised_where_the_plan_cannot_switch_on(web: Web) -> None:
    async with scripted(lambda request: Hang()) as server:
        given = {**SHAPES["etag"], "write": {"path": "/{key}", "body": {"p": "{percent}"}}}
        wanted = written(
            HttpJsonSettings, {"url": server.url, **given, "write_token": WRITE_SECRET, "token": READ_SECRET}
        )
        server.handler = lambda request: as_json({**FLAG, "enabled": False}, etag=GUARDED)
        writer, reader = build_writer(wanted, web, _secret, 0.5), build_reader(wanted, web, _secret, 0.5)
        assert writer is not None
        seen = (await reader.read(["f"]))["f"]
        assert isinstance(seen, FlagValue)
        result = await writer.set_percent("f", QUARTER, expected=seen)
        assert result.outcome is REFUSED
        assert {request.method for request in server.requests} == {"GET"}


async def test_a_redirected_write_is_not_followed(endpoint: Endpoint) -> None:
    endpoint.takes = False
    endpoint.on_write = as_json({}, 307, location="https://elsewhere.invalid/")
    assert (await endpoint.set(QUARTER)).outcome is REFUSED
    assert len(endpoint.writes) == 1


@pytest.mark.parametrize("name", ["..", ".", "a/../../b", "a?b=c", "ä", "{key}"])
async def test_a_name_never_leaves_its_place_in_the_address(endpoint: Endpoint, name: str) -> None:
    with suppress(AdapterError):
        await endpoint.reader.read([name])
    for request in endpoint.server.requests:
        assert request.path.startswith("/v1/flags/")
        assert request.path.removeprefix("/v1/flags/").count("/") == 0


ABOUT_OTHERS = {
    "another flag": {**FLAG, "name": "g"},
    "another environment": {**FLAG, "meta": {"environment": "staging"}},
    "no environment": {**FLAG, "meta": {}},
}


@pytest.mark.parametrize("body", ABOUT_OTHERS.values(), ids=ABOUT_OTHERS.keys())
async def test_an_answer_about_something_else_is_refused(endpoint: Endpoint, body: object) -> None:
    seen = await endpoint.value()
    endpoint.stored = body
    assert isinstance((await endpoint.reader.read(["f"]))["f"], RefusedByService)
    results = [
        await endpoint.writer.set_percent("f", QUARTER, expected=seen),
        await endpoint.writer.kill("f"),
        await endpoint.writer.zero("f"),
    ]
    assert {result.outcome for result in results} == {REFUSED}
    assert endpoint.writes == []


BROKEN = {
    "no percent": {**FLAG, "rollout": {}},
    "on as text": {**FLAG, "enabled": "true"},
    "on missing": {"name": "f", "rollout": {"percent": 10}, "meta": FLAG["meta"]},
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_answer_is_never_a_setting(endpoint: Endpoint, body: object) -> None:
    endpoint.stored = body
    found = (await endpoint.reader.read(["f"]))["f"]
    assert isinstance(found, BrokenAnswer) and found.failure.fault is Fault.PLAN


@pytest.mark.parametrize("stored", [101, -1, "10", None, True, [], 1e300, 10.001, EVIL])
async def test_nonsense_is_shown_and_not_promoted_but_put_to_zero(endpoint: Endpoint, stored: object) -> None:
    endpoint.stored = {**FLAG, "rollout": {"percent": stored}}
    value = await endpoint.value()
    assert (value.percent, value.exposure) == (None, None)
    assert "no percentage from 0 to 100" in value.complexities[0]
    clean(value)
    assert (await endpoint.set(QUARTER)).outcome is REFUSED
    assert endpoint.writes == []
    assert (await endpoint.writer.zero("f")).outcome is DONE
    assert endpoint.stored["rollout"] == {"percent": 0}


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (1_760_000_000, "2025-10-09T08:53:20+00:00"),
        (1_760_000_000_000, "2025-10-09T08:53:20+00:00"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
        ("yesterday", None),
        (1e300, None),
        (True, None),
        ({}, None),
    ],
)
async def test_when_it_was_changed(endpoint: Endpoint, at: object, told: str | None) -> None:
    endpoint.stored = {**FLAG, "meta": {**FLAG["meta"], "at": at}}
    moment = (await endpoint.value()).changed_at
    assert (moment.isoformat() if moment else None) == told


async def test_two_flags_of_one_name_are_believed_neither(web: Web) -> None:
    async with scripted(lambda request: Hang()) as server:
        listed = Endpoint(server, web, "version")
        one = {"id": "f", "share": 0.1, "on": True, "version": 1, "meta": {"environment": "production"}}
        listed.stored = {"data": {"items": [one, {**one, "share": 0.9}]}}
        assert isinstance((await listed.reader.read(["f"]))["f"], AdapterError)


async def test_an_unguarded_service_says_so(web: Web) -> None:
    async with scripted(lambda request: Hang()) as server:
        bare = Endpoint(server, web, "bare")
        bare.stored = {"basis/points": 1000, "meta": {"environment": "production"}}
        lines = await bare.writer.preflight(["f"])
        assert any(line.detail.startswith("unguarded") and line.ok is None for line in lines)


@pytest.mark.parametrize(
    ("answer", "needs", "ok", "said"),
    [
        ({"may": True}, None, True, "it may"),
        ({"may": False}, None, False, "it may not"),
        ({"may": "yes"}, None, None, "what stands at /may is not true or false"),
        ({"may": ["read", "write"]}, "write", True, "it has the right write"),
        ({"may": "read, write"}, "write", True, "it has the right write"),
        ({"may": "overwrite"}, "write", False, "it lacks the right write"),
        ({"may": []}, "write", False, "it lacks the right write"),
        ({"may": {"write": True}}, "write", None, "is not a list or a text of rights"),
        ({}, "write", None, "the answer has nothing at /may"),
        ([EVIL], None, None, "the answer has nothing at /may"),
    ],
)
def test_rights_are_what_the_service_tells(
    answer: object, needs: str | None, ok: bool | None, said: str
) -> None:
    found = may_write(answer, ReadRights(path="/me", at="/may", needs=needs))
    assert found[0] is ok and said in found[1]


async def test_without_a_place_to_ask_rights_stay_open_and_the_reason_is_told(web: Web) -> None:
    async with scripted(lambda request: Hang()) as server:
        mute = Endpoint(server, web, "switch")
        mute.stored = {"on": True, "meta": {"environment": "production"}}
        line = next(each for each in await mute.writer.preflight(["f"]) if "may write" in each.question)
        assert line.ok is None and "the plan does not say (rights)" in line.detail


@hypothesis.settings(deadline=None)
@given(hundredths=st.integers(0, 10_000), everybody=st.sampled_from([1, 100, 10_000]))
def test_no_percentage_changes_on_its_way_there_and_back(hundredths: int, everybody: int) -> None:
    unit = {1: "fraction", 100: "percent", 10_000: "basis_points"}[everybody]
    sent = json.loads(json.dumps(in_unit(Percent(hundredths), everybody)))
    wanted = settings("etag", "https://h.example", unit=unit)
    body = put(FLAG, ("rollout", "percent"), sent)
    assert stored_flag(body, key="f", settings=wanted).value.percent == Percent(hundredths)


@hypothesis.settings(deadline=None)
@given(path=st.sampled_from(paths(FLAG)), value=JSON)
def test_one_mutation_is_a_flag_in_clean_text_or_our_error(path: tuple[str | int, ...], value: Any) -> None:
    try:
        found = stored_flag(put(FLAG, path, value), key="f", settings=settings("etag", "https://h.example"))
    except AdapterError as error:
        clean(error)
        return
    clean(found.value)


def test_a_placeholder_is_a_value_and_never_text() -> None:
    template = {"{percent}": "{percent}", "list": ["{on}", {"k": "{key}"}], "v": "{revision}", "x": "on"}
    values = filled(template, key='"}', percent=0.5, on=False, version="7")
    assert values == {"{percent}": 0.5, "list": [False, {"k": '"}'}], "v": "7", "x": "on"}


WRONG: dict[str, dict[str, Any]] = {
    "nothing read": {"read": {"path": "/{key}"}},
    "no key in the path": {"read": {"path": "/flags", "percent": "/p"}},
    "another placeholder": {"read": {"path": "/{key}/{env}", "percent": "/p"}},
    "no pointer": {"read": {"path": "/{key}", "percent": "p"}},
    "pasted into text": {"write": {"path": "/{key}", "body": {"p": "{percent}%", "on": "{on}"}}},
    "nothing written": {"write": {"path": "/{key}", "body": {"on": "{on}"}}},
    "how is it written": {"write": None, "write_token": WRITE_SECRET},
    "a guarded kill": {"kill": {"path": "/{key}", "body": {"v": "{revision}"}}},
    "a version from nowhere": {"guard": "version"},
    "a version for nothing": {
        "write": {"path": "/{key}", "body": {"p": "{percent}", "v": "{revision}", "on": "{on}"}}
    },
    "a step with a rest": {"step": 3},
    "no step": {"step": 0},
    "a secret in the open": {"headers": {"Authorization": "Bearer x"}},
    "a number that is none": {"step": float("nan")},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(PlanProblems):
        written(HttpJsonSettings, {"url": "https://h.example", **SHAPES["etag"], **wrong})


def test_without_a_write_token_or_a_way_to_write_there_is_no_writer(web: Web) -> None:
    assert build_writer(settings("etag", "https://h.example"), web, _secret, 1) is None


async def test_a_kill_of_nobody_is_refused_unsent(web: Web) -> None:
    async with scripted(lambda request: Hang()) as server:
        gone = Endpoint(server, web, "etag")
    result = await gone.writer.kill("f")
    assert (result.outcome, result.unsent) == (REFUSED, True)
