"""Answers that no Unleash at hand gives: Enterprise refusals, proxies in between, half-dead servers.

Hand-made, from the source of Unleash where it has them and from what proxies send.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from cockpit.adapters.base import AdapterError, BrokenAnswer, FlagWriter
from cockpit.adapters.flags.unleash import build_reader, build_writer
from cockpit.adapters.flags.unleash_settings import UnleashSettings
from cockpit.adapters.http import Web
from cockpit.core.clean import Percent
from cockpit.core.model import Fault, FlagValue, WriteOutcome
from cockpit.core.secret import Secret, SecretRef
from tests.adapters.probes.scripted import (
    Hang,
    Reply,
    Request,
    Reset,
    Scripted,
    Step,
    as_json,
    as_text,
    scripted,
)
from tests.tables import written

FLAG = "convex_courses"
TOKEN = "*:*.tok-5e1f7a90c3"
CHANGE_REQUEST = {
    "name": "PermissionError",
    "message": 'You need the "SKIP_CHANGE_REQUEST" permission.',
    "permissions": ["SKIP_CHANGE_REQUEST"],
}


def feature(
    rollout: object = "10",
    *,
    on: object = True,
    strategies: object = None,
    environment: dict[str, object] | None = None,
    **more: object,
) -> dict[str, object]:
    """A flag as Unleash answers it."""
    plain = {
        "id": "01ABC",
        "name": "flexibleRollout",
        "disabled": False,
        "constraints": [],
        "segments": [],
        "variants": [],
        "parameters": {"rollout": rollout, "stickiness": "default", "groupId": FLAG},
    }
    found = [plain] if strategies is None else strategies
    here = {"name": "production", "enabled": on, "strategies": found, **(environment or {})}
    return {"name": FLAG, "archived": False, "dependencies": [], "environments": [here], **more}


class Service:
    """A scripted Unleash: `stored` is what reads find, `on_write` what writes get."""

    def __init__(self, server: Scripted, web: Web) -> None:
        self.server = server
        settings = written(
            UnleashSettings,
            {
                "url": server.url,
                "environment": "production",
                "token": {"env": "R"},
                "write_token": {"env": "W"},
            },
        )
        built = build_writer(settings, web, secret, 0.5)
        assert built is not None
        self.writer: FlagWriter = built
        self.reader = build_reader(settings, web, secret, 0.5)

    def answers(self, on_write: Step, stored: object = None) -> None:
        def handler(request: Request) -> Step:
            if request.method != "GET":
                return on_write
            if "search/events" in request.path:
                return as_json({"events": [], "total": 0})
            return as_json(feature() if stored is None else stored)

        self.server.handler = handler

    @property
    def writes(self) -> list[Request]:
        return [request for request in self.server.requests if request.method != "GET"]

    async def value(self) -> FlagValue:
        found = (await self.reader.read([FLAG]))[FLAG]
        assert isinstance(found, FlagValue), found
        return found


def secret(ref: SecretRef) -> Secret:
    return Secret(TOKEN)


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    web = Web()
    async with scripted(lambda request: as_json(feature())) as server:
        yield Service(server, web)
        await web.aclose()


REFUSED: dict[str, Step] = {
    "change request": as_json(CHANGE_REQUEST, 403),
    "not found": as_json({"name": "NotFoundError", "message": "There's no feature"}, 404),
    "too many": as_text("<html>Too many requests</html>", 429, "text/html"),
    "bad request": as_json({"name": "BadDataError", "message": "no"}, 400),
    "redirected": Reply(status=308, headers={"location": "https://elsewhere.invalid/"}),
}
UNKNOWN: dict[str, Step] = {
    "server error": as_json({"name": "UnknownError", "message": "Knex: Timeout acquiring a connection"}, 500),
    "bad gateway": as_text("<html>502 Bad Gateway</html>", 502, "text/html"),
    "unavailable": as_text("no healthy upstream", 503),
    "gateway timeout": as_text("", 504),
    "request timeout": as_text("", 408),
    "login page": as_text("<!doctype html><html>Log in</html>", 200, "text/html"),
    "closed": Reset(),
    "silent": Hang(),
    "cut short": Reply(body=b"", length=500, headers={"connection": "close"}),
    "endless": Reply(body=b"x", length=3_000_000_000),
}


@pytest.mark.parametrize("step", REFUSED.values(), ids=REFUSED.keys())
async def test_a_kill_that_was_refused(service: Service, step: Step) -> None:
    service.answers(step)
    result = await service.writer.kill(FLAG)
    assert result.outcome is WriteOutcome.REFUSED, result
    assert result.failure is not None
    assert TOKEN not in repr(result)


@pytest.mark.parametrize("step", UNKNOWN.values(), ids=UNKNOWN.keys())
async def test_a_kill_that_nobody_knows_of(service: Service, step: Step) -> None:
    service.answers(step)
    result = await service.writer.kill(FLAG)
    assert result.outcome is WriteOutcome.UNKNOWN, result
    assert result.failure is not None
    assert len(service.writes) == 1


@pytest.mark.parametrize("step", UNKNOWN.values(), ids=UNKNOWN.keys())
async def test_a_forward_move_that_nobody_knows_of(service: Service, step: Step) -> None:
    seen = await service.value()
    service.answers(step)
    result = await service.writer.set_percent(FLAG, Percent.parse(25), expected=seen)
    assert result.outcome is WriteOutcome.UNKNOWN, result
    assert [request.method for request in service.writes] == ["PATCH"]


async def test_a_change_request_is_named(service: Service) -> None:
    service.answers(as_json(CHANGE_REQUEST, 403))
    result = await service.writer.kill(FLAG)
    assert result.failure is not None
    assert result.failure.fault is Fault.CREDENTIAL
    assert "change request" in result.detail
    assert len(service.writes) == 1


async def test_a_kill_that_never_left(service: Service) -> None:
    web = Web()
    async with scripted(lambda request: Hang()) as gone:
        dead = Service(gone, web)
    result = await dead.writer.kill(FLAG)
    await web.aclose()
    assert result.outcome is WriteOutcome.REFUSED
    assert "connection refused" in result.detail


async def test_a_yes_that_changes_nothing_is_no_yes(service: Service) -> None:
    """The service accepts 25 %, but reads 10 % ever after."""
    seen = await service.value()
    service.answers(as_json({}))
    result = await service.writer.set_percent(FLAG, Percent.parse(25), expected=seen)
    assert result.outcome is WriteOutcome.UNKNOWN
    assert "it reads 10%" in result.detail


async def test_a_kill_where_only_the_percentage_may_be_changed(service: Service) -> None:
    """Rights are given per act: without the one for the switch there is still the one for strategies."""

    def handler(request: Request) -> Step:
        if request.path.endswith("/off"):
            return as_json({"name": "PermissionError", "message": "UPDATE_FEATURE_ENVIRONMENT"}, 403)
        return as_json(feature())

    service.server.handler = handler
    result = await service.writer.kill(FLAG)
    assert result.outcome is WriteOutcome.DONE
    assert [json.loads(request.body) for request in service.writes if request.body] == [
        [{"op": "replace", "path": "/parameters/rollout", "value": "0"}]
    ]


BROKEN: dict[str, object] = {
    "a list": [],
    "another flag": feature() | {"name": "another"},
    "no environments": {"name": FLAG},
    "environments of text": feature() | {"environments": ["production"]},
    "no strategies": feature() | {"environments": [{"name": "production", "enabled": True}]},
    "strategies null": feature()
    | {"environments": [{"name": "production", "enabled": True, "strategies": None}]},
    "a strategy of text": feature(strategies=["flexibleRollout"]),
    "a strategy without id": feature(
        strategies=[{"name": "flexibleRollout", "parameters": {"rollout": "5"}}]
    ),
    "on as text": feature(on="true"),
    "on missing": feature(on=None),
    "constraints of numbers": feature(
        strategies=[
            {"id": "1", "name": "flexibleRollout", "parameters": {"rollout": "5"}, "constraints": [7]}
        ]
    ),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_answer_is_never_a_setting(service: Service, body: object) -> None:
    service.answers(as_json({}), stored=body)
    with pytest.raises(BrokenAnswer):
        await service.reader.read([FLAG])
    result = await service.writer.zero(FLAG)
    assert (result.outcome, service.writes) == (WriteOutcome.REFUSED, [])


@pytest.mark.parametrize(
    ("body", "complexity"),
    [
        (feature(archived=True), "archived"),
        (feature(environment={"releasePlans": [{"id": 1}]}), "under a release plan"),
        (feature(environment={"milestoneName": "Phase One"}), "under a release plan"),
        (feature(environment={"safeguards": [{"id": 1}]}), "under a safeguard"),
        (feature(environment={"changeRequestIds": [7]}), "has an open change request"),
        (feature(environment={"variants": [{"name": "a"}]}), "splits its users into variants"),
        (
            feature(dependencies=[{"feature": "par\x1bent"}]),
            "depends on the flag par\N{REPLACEMENT CHARACTER}ent",
        ),
        (
            feature(strategies=[{"id": "1", "name": "default", "parameters": {}}]),
            "strategy 'default' has no percentage",
        ),
        (feature(None), "the stored percentage is no number from 0 to 100: 'None'"),
        (feature(True), "the stored percentage is no number from 0 to 100: 'True'"),
        (feature(strategies=[]), "on without any strategy: everybody is served"),
    ],
)
async def test_what_makes_a_flag_not_plain(service: Service, body: object, complexity: str) -> None:
    service.answers(as_json({}), stored=body)
    assert complexity in (await service.value()).complexities


async def test_a_number_instead_of_text_is_understood_and_guarded(service: Service) -> None:
    """Older servers answer numbers. The guard must repeat what is stored."""
    service.answers(as_json({}), stored=feature(10))
    await service.writer.set_percent(FLAG, Percent.parse(25), expected=await service.value())
    patch = json.loads(service.writes[0].body)
    assert patch[0] == {"op": "test", "path": "/parameters/rollout", "value": 10}
    assert patch[1] == {"op": "replace", "path": "/parameters/rollout", "value": "25"}


async def test_a_strategy_with_a_strange_id_stays_in_its_place(service: Service) -> None:
    strange = {"id": "../../off", "name": "flexibleRollout", "parameters": {"rollout": "10"}}
    service.answers(as_json({}), stored=feature(strategies=[strange]))
    await service.writer.zero(FLAG)
    assert service.writes[0].path.endswith("/strategies/..%2F..%2Foff")


async def test_without_the_audit_log_flags_are_still_read(service: Service) -> None:
    steps: dict[int, Callable[[], Step]] = {500: lambda: as_text("", 500), 403: lambda: as_json({}, 403)}
    for status, step in steps.items():

        def handler(request: Request, step: Callable[[], Step] = step) -> Step:
            return step() if "search/events" in request.path else as_json(feature())

        service.server.handler = handler
        service.server.requests.clear()
        for _ in range(3):
            value = await service.value()
            assert (value.percent, value.changed_by) == (Percent.parse(10), None)
        audits = sum("search/events" in request.path for request in service.server.requests)
        assert audits == (3 if status == 500 else 1)


async def test_a_service_that_is_down_fails_as_a_whole(service: Service) -> None:
    service.server.handler = lambda request: as_text("<html>502</html>", 502)
    with pytest.raises(AdapterError) as caught:
        await service.reader.read([FLAG, "another"])
    assert caught.value.status == 502


NOT_YOURS = as_json({"name": "PermissionError", "message": "UPDATE_FEATURE_ENVIRONMENT"}, 403)


@pytest.mark.parametrize(
    ("instead", "outcome", "again"),
    [
        (as_text("no healthy upstream", 503), WriteOutcome.UNKNOWN, False),
        (Hang(), WriteOutcome.UNKNOWN, False),
        (as_text("later", 429), WriteOutcome.REFUSED, True),
        (NOT_YOURS, WriteOutcome.REFUSED, False),
    ],
    ids=["broken", "hangs", "throttled", "closed too"],
)
async def test_how_the_other_way_ended_is_not_hidden_behind_the_first_no(
    service: Service, instead: Step, outcome: WriteOutcome, again: bool
) -> None:
    """A no ends the tries and says that nothing was changed: for a write that nobody answered it is wrong."""

    def handler(request: Request) -> Step:
        if request.path.endswith("/off"):
            return NOT_YOURS
        return as_json(feature()) if request.method == "GET" else instead

    service.server.handler = handler
    result = await service.writer.kill(FLAG)
    assert (result.outcome, result.again_after_s is not None) == (outcome, again), result


async def test_a_kill_whose_other_way_cannot_be_looked_at_is_tried_again(service: Service) -> None:
    def handler(request: Request) -> Step:
        return NOT_YOURS if request.path.endswith("/off") else Hang()

    service.server.handler = handler
    result = await service.writer.kill(FLAG)
    assert (result.outcome, result.unsent) == (WriteOutcome.REFUSED, True), result
    assert "UPDATE_FEATURE_ENVIRONMENT" in result.detail and "no answer" in result.detail
