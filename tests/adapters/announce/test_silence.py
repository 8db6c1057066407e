"""Silences: one per plan, ended with the rollback, never over everything. Real Alertmanager and replies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cockpit.adapters.announce.settings import SilenceSettings
from cockpit.adapters.announce.silence import SilenceAnnouncer, build
from cockpit.adapters.base import AdapterError, Announcement, BrokenAnswer, RefusedByService, ServiceTrouble
from cockpit.adapters.http import Web
from cockpit.core.spec import HookMoment
from cockpit.plan.problems import PlanProblems
from tests.adapters.announce.test_webhook import NEWS
from tests.adapters.probes.hostile import EVIL, TROUBLES, assert_harmless, mutated
from tests.adapters.probes.rig import the_token
from tests.adapters.probes.scripted import Reply, Request, as_json, as_text, scripted
from tests.real.alertmanager_server import alertmanager, api, raise_alert
from tests.real.servers import Server
from tests.tables import written

OURS: list[dict[str, Any]] = [
    {"label": "alertname", "value": "LegacyTrafficLow"},
    {"label": "team", "value": 'a "quoted" \\ one'},
]
ID = "a9c737e0-1656-449f-8fa6-e26d0d88617c"


def announcer(
    web: Web, url: str, matchers: list[dict[str, Any]] = OURS, *, length: str = "30m", timeout_s: float = 10.0
) -> SilenceAnnouncer:
    settings = written(SilenceSettings, {"url": url, "matchers": matchers, "length": length})
    return build(settings, web, the_token, timeout_s)


def at(moment: HookMoment, plan: str = "LMS to Convex") -> Announcement:
    return replace(NEWS, moment=moment.value, plan=plan)


async def outcome(running: SilenceAnnouncer, moment: HookMoment) -> str | AdapterError:
    try:
        return await running.announce(at(moment))
    except AdapterError as error:
        return error


# --- the real one -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with alertmanager() as running:
        yield running


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> str:
    """A plan of its own for every test: silences stay."""
    return f"plan of {request.node.name}"


def living(server: Server, plan: str) -> list[Any]:
    found = [each for each in api(server, "silences") if each["comment"].startswith(f"[{plan} / production]")]
    return [each for each in found if each["status"]["state"] != "expired"]


@pytest.mark.real
async def test_it_begins_with_the_cutover_lasts_and_ends_with_it(web: Web, server: Server, plan: str) -> None:
    hook = announcer(web, f"{server.url}/alerts")
    first = await hook.announce(at(HookMoment.STAGE, plan))
    (silence,) = living(server, plan)
    assert re.fullmatch(rf"silence {silence['id']} until \d\d:\d\d UTC", first)
    assert silence["createdBy"] == "cutover-cockpit"
    assert {each["value"] for each in silence["matchers"]} == {each["value"] for each in OURS}
    longer = announcer(web, f"{server.url}/alerts", length="2h")
    await longer.announce(at(HookMoment.DECLARED, plan))
    (extended,) = living(server, plan)
    assert extended["endsAt"] > silence["endsAt"]
    assert await hook.announce(at(HookMoment.CLOSED, plan)) == f"silence {extended['id']} has ended"
    assert living(server, plan) == []


@pytest.mark.real
async def test_it_silences_the_alert_and_the_alert_is_still_told(web: Web, server: Server, plan: str) -> None:
    raise_alert(server, alertname="LegacyTrafficLow", team=plan)
    matchers: list[dict[str, Any]] = [
        {"label": "alertname", "value": "Legacy.*", "regex": True},
        {"label": "team", "value": plan},
    ]
    hook = announcer(web, f"{server.url}/alerts", matchers)
    await hook.announce(at(HookMoment.DECLARED, plan))
    server.wait_until(
        lambda: api(server, "alerts", {"filter": f'team="{plan}"'})[0]["status"]["state"] == "suppressed",
        "silencing",
    )
    await hook.announce(at(HookMoment.CANCELLED, plan))
    server.wait_until(
        lambda: api(server, "alerts", {"filter": f'team="{plan}"'})[0]["status"]["state"] == "active",
        "telling again",
    )


@pytest.mark.real
async def test_another_cockpit_ends_what_a_dead_one_began(web: Web, server: Server, plan: str) -> None:
    await announcer(web, f"{server.url}/alerts").announce(at(HookMoment.DECLARED, plan))
    reborn = announcer(web, f"{server.url}/alerts")
    assert "has ended" in await reborn.announce(at(HookMoment.CLOSED, plan))
    assert living(server, plan) == []
    assert await reborn.announce(at(HookMoment.CLOSED, plan)) == "no silence of ours was left"


@pytest.mark.real
async def test_silences_of_others_are_left_alone(web: Web, server: Server, plan: str) -> None:
    theirs = announcer(web, f"{server.url}/alerts")
    await theirs.announce(at(HookMoment.DECLARED, f"not {plan}"))
    await announcer(web, f"{server.url}/alerts").announce(at(HookMoment.CLOSED, plan))
    assert len(living(server, f"not {plan}")) == 1


@pytest.mark.real
async def test_what_alertmanager_cannot_read_is_the_plans_fault(web: Web, server: Server, plan: str) -> None:
    hook = announcer(web, f"{server.url}/alerts", [{"label": "a", "value": "[", "regex": True}])
    with pytest.raises(RefusedByService) as caught:
        await hook.announce(at(HookMoment.DECLARED, plan))
    assert not caught.value.failure.retryable
    assert "HTTP 400" in caught.value.failure.title


# --- what may be silenced ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "matchers",
    [
        [],
        [{"label": "alertname", "value": ""}],
        [{"label": "alertname", "value": ".*", "regex": True}],
        [{"label": "alertname", "value": ".+", "regex": True}],
        [{"label": "alertname", "value": "x|", "regex": True}],
        [{"label": "severity", "value": "page", "negate": True}],
        [{"label": "not a label", "value": "x"}],
    ],
)
def test_nobody_silences_everything(matchers: list[dict[str, Any]]) -> None:
    with pytest.raises(PlanProblems):
        written(SilenceSettings, {"url": "http://am", "matchers": matchers})


@pytest.mark.parametrize("length", ["59s", "25h"])
def test_a_silence_ends_by_itself_within_a_day(length: str) -> None:
    with pytest.raises(PlanProblems):
        written(SilenceSettings, {"url": "http://am", "matchers": OURS, "length": length})


# --- replies ----------------------------------------------------------------------------------------


def a_silence(**changes: object) -> dict[str, object]:
    """One of ours, as recorded from Alertmanager 0.25."""
    settings = written(SilenceSettings, {"url": "http://am", "matchers": OURS})
    return {
        "id": ID,
        "status": {"state": "active"},
        "updatedAt": "2026-11-20T08:20:10.049Z",
        "comment": "[LMS to Convex / production] Rollback declared (event 1)",
        "createdBy": "cutover-cockpit",
        "endsAt": "2026-11-20T08:30:10.000Z",
        "matchers": [each.body() for each in settings.matchers],
        "startsAt": "2026-11-20T08:20:10.049Z",
        **changes,
    }


async def test_an_answer_that_was_lost_makes_no_second_silence(web: Web) -> None:
    """The silence is there already: it is changed by its id, not made again."""

    def answer(request: Request) -> Reply:
        return as_json([a_silence()] if request.method == "GET" else {"silenceID": ID})

    async with scripted(answer) as server:
        await announcer(web, server.url).announce(at(HookMoment.DECLARED))
        assert f'"id":"{ID}"'.encode() in server.requests[-1].body


async def test_times_are_by_alertmanagers_clock(web: Web) -> None:
    def answer(request: Request) -> Reply:
        reply = as_json([] if request.method == "GET" else {"silenceID": ID})
        return replace(reply, headers={**reply.headers, "date": "Fri, 20 Nov 2026 18:00:00 GMT"})

    async with scripted(answer) as server:
        receipt = await announcer(web, server.url).announce(at(HookMoment.DECLARED))
    assert receipt == f"silence {ID} until 18:30 UTC"


async def test_a_silence_that_does_not_end_is_said(web: Web) -> None:
    def answer(request: Request) -> Reply:
        return as_json([a_silence()]) if request.method == "GET" else Reply()

    async with scripted(answer) as server:
        error = await outcome(announcer(web, server.url), HookMoment.CLOSED)
        assert [each.method for each in server.requests] == ["GET", "DELETE", "GET"]
    assert isinstance(error, ServiceTrouble)
    assert "expire them by hand" in error.failure.title


@pytest.mark.parametrize(
    "theirs",
    [
        a_silence(createdBy="ada"),
        a_silence(comment="for lunch"),
        a_silence(comment=None),
        a_silence(status={"state": "expired"}),
        a_silence(matchers=[{"name": "alertname", "value": "x", "isRegex": False, "isEqual": True}]),
        a_silence(matchers=None),
        {},
    ],
)
async def test_what_is_not_ours_is_neither_changed_nor_ended(web: Web, theirs: dict[str, object]) -> None:
    def answer(request: Request) -> Reply:
        return as_json([theirs] if request.method == "GET" else {"silenceID": ID})

    async with scripted(answer) as server:
        assert await outcome(announcer(web, server.url), HookMoment.CLOSED) == "no silence of ours was left"
        await announcer(web, server.url).announce(at(HookMoment.DECLARED))
        assert b'"id"' not in server.requests[-1].body


@pytest.mark.parametrize("bad", ["../../v2/status", "", "a" * 80, EVIL, 7, None])
async def test_an_id_that_is_none_is_put_into_no_address(web: Web, bad: object) -> None:
    async with scripted(lambda request: as_json([a_silence(id=bad)])) as server:
        error = await outcome(announcer(web, server.url), HookMoment.CLOSED)
        assert {each.method for each in server.requests} == {"GET"}
    assert isinstance(error, BrokenAnswer)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (as_json("Failed to create silence: end time can't be in the past", 400), "in the past"),
        (
            as_json({"code": 612, "message": "matchers in body should have at least 1 items"}, 422),
            "at least 1",
        ),
        (as_text("not found", 404), "HTTP 404"),
    ],
)
async def test_a_refusal_is_told_in_its_own_words(web: Web, reply: Reply, words: str) -> None:
    async with scripted(lambda request: as_json([]) if request.method == "GET" else reply) as server:
        error = await outcome(announcer(web, server.url), HookMoment.STAGE)
    assert isinstance(error, RefusedByService)
    assert words in error.failure.title


@pytest.mark.parametrize("case", TROUBLES)
@pytest.mark.parametrize("moment", [HookMoment.DECLARED, HookMoment.CLOSED])
async def test_trouble_is_harmless(web: Web, case: str, moment: HookMoment) -> None:
    async with scripted(lambda request: TROUBLES[case]) as server:
        assert_harmless(await outcome(announcer(web, server.url, timeout_s=0.3), moment))


@pytest.mark.parametrize("seed", range(60))
async def test_damaged_silences_are_an_error_or_nobodys(web: Web, seed: int) -> None:
    body = mutated([a_silence(), a_silence(id="b" + ID[1:])], seed)

    def answer(request: Request) -> Reply:
        return as_json(body if request.method == "GET" else {"silenceID": ID})

    async with scripted(answer) as server:
        assert_harmless(await outcome(announcer(web, server.url), HookMoment.CLOSED))
