"""What only flags in a Convex table have: envelopes, versions, deployments that are not ours.

Answers that neither double gives are hand-made here, after the public API of the open-source backend.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, ServiceTrouble
from cockpit.adapters.convex import number
from cockpit.adapters.flags.convex_reading import ConvexTableReader
from cockpit.adapters.flags.convex_rows import Row, rows
from cockpit.adapters.flags.convex_settings import ConvexTableSettings
from cockpit.adapters.flags.convex_table import (
    ConvexTableWriter,
    build_reader,
    build_writer,
)
from cockpit.adapters.http import Web
from cockpit.core.clean import Percent
from cockpit.core.model import Fault, FlagValue, WriteOutcome, WriteResult
from cockpit.core.secret import Secret, SecretRef
from tests.adapters.probes.hostile import assert_harmless, mutated
from tests.adapters.probes.scripted import Hang, Request, Scripted, Step, as_json, as_text, scripted
from tests.real.convex_server import ConvexTest
from tests.tables import written

DONE, REFUSED, UNKNOWN = WriteOutcome.DONE, WriteOutcome.REFUSED, WriteOutcome.UNKNOWN
INSTANCE = "happy-otter-1"
REDACTED = "[Request ID: 7f3c2d1e0a9b8c7d] Server Error"
TWENTY = Percent.parse(20)


def row(**changed: object) -> dict[str, object]:
    """A row as the list query answers it, in the encoded format."""
    plain = {"_id": "j57", "_creationTime": 1.5, "key": "chat", "enabled": True, "percent": 10, "version": 3}
    return {**plain, "updatedBy": "ada", "updatedAt": 1_764_000_000_000.5, **changed}


def success(value: object) -> Step:
    return as_json({"status": "success", "value": value})


def thrown(data: object = None, status: int = 200) -> Step:
    body = {"status": "error", "errorMessage": REDACTED}
    return as_json(body if data is None else {**body, "errorData": data}, status)


@dataclass(slots=True)
class Table:
    """A deployment that answers on command. `name` may be replaced, `write` is what mutations get."""

    name: Step = field(default_factory=lambda: as_text(INSTANCE))
    listed: Step = field(default_factory=lambda: success([row()]))
    write: Step = field(default_factory=lambda: success(None))

    def __call__(self, request: Request) -> Step:
        if request.path == "/api/mutation":
            return self.write
        return self.name if request.path == "/instance_name" else self.listed


@dataclass(slots=True)
class Crew:
    table: Table
    server: Scripted
    reader: ConvexTableReader
    writer: ConvexTableWriter

    @property
    def orders(self) -> list[Any]:
        """The bodies of all mutations so far."""
        return [json.loads(each.body) for each in self.server.requests if each.path == "/api/mutation"]

    async def value(self) -> FlagValue:
        found = (await self.reader.read(["chat"]))["chat"]
        assert isinstance(found, FlagValue), found
        return found

    async def set(self) -> WriteResult:
        return await self.writer.set_percent("chat", TWENTY, expected=await self.value())

    async def write(self, write: str) -> WriteResult:
        if write == "set":
            return await self.set()
        return await (self.writer.kill("chat") if write == "kill" else self.writer.zero("chat"))


@pytest_asyncio.fixture
async def crew(web: Web) -> AsyncIterator[Crew]:
    table = Table()
    async with scripted(table) as server:
        given = {"url": server.url, "instance": INSTANCE, "token": {"env": "R"}, "write_token": {"env": "W"}}
        settings = written(ConvexTableSettings, given)
        writer = build_writer(settings, web, secret, 2.0)
        assert writer is not None
        yield Crew(table, server, build_reader(settings, web, secret, 2.0), writer)


def secret(ref: SecretRef) -> Secret:
    return Secret(f"prod:{INSTANCE}|key-{ref.env}-5e1f7a90c3")


async def test_who_and_when_and_the_version_come_with_the_flag(crew: Crew) -> None:
    value = await crew.value()
    assert (value.changed_by, value.revision) == ("ada", "3")
    assert value.changed_at is not None
    assert value.changed_at.isoformat() == "2025-11-24T16:00:00.000500+00:00"
    (asked,) = [json.loads(each.body) for each in crew.server.requests if each.path == "/api/query"]
    assert asked == {"path": "cutoverFlags:list", "args": {"keys": ["chat"]}, "format": "convex_encoded_json"}


async def test_the_guard_is_the_version_as_the_table_holds_it(crew: Crew) -> None:
    """A 64-bit integer is no number in JSON: sent back as one, the function would refuse its type."""
    version = {"$integer": "KwAAAAAAAAA="}
    crew.table.listed = success([row(version=version)])
    assert (await crew.value()).revision == "43"
    await crew.set()
    (order,) = crew.orders
    assert order["args"]["expectedVersion"] == version
    assert order["args"] == {
        "key": "chat",
        "percent": 20.0,
        "enabled": True,
        "expectedVersion": version,
        "updatedBy": "cutover-cockpit",
    }


async def test_a_kill_is_one_mutation_and_needs_no_reading(crew: Crew) -> None:
    crew.table.listed = Hang()
    assert (await crew.writer.kill("chat")).outcome is DONE
    assert [each["path"] for each in crew.orders] == ["cutoverFlags:kill"]
    assert [each.path for each in crew.server.requests] == ["/instance_name", "/api/mutation"]


ANSWERS: dict[str, tuple[Step, WriteOutcome]] = {
    "conflict": (thrown({"code": "VERSION_CONFLICT", "version": 4}), REFUSED),
    "conflict as text": (thrown("VERSION_CONFLICT"), REFUSED),
    "conflict of an old server": (thrown({"code": "VERSION_CONFLICT"}, 560), REFUSED),
    "threw, redacted": (thrown(), REFUSED),
    "threw a code": (thrown({"code": "BAD_PERCENT"}), REFUSED),
    "bad key": (as_json({"code": "BadDeployKey", "message": "no"}, 403), REFUSED),
    "right missing": (as_json({"code": "OperationNotPermitted", "message": "no"}, 403), REFUSED),
    "bad path": (as_json({"code": "BadConvexFunctionIdentifier", "message": "no"}, 400), REFUSED),
    "too many": (as_json({"code": "TooManyConcurrentRequests", "message": "no"}, 429), REFUSED),
    "loading": (as_json({"code": "TooEarly", "message": "no"}, 425), REFUSED),
    "queue": (as_json({"code": "ExpiredInQueue", "message": "no"}, 503), REFUSED),
    "worker": (as_json({"code": "WorkerOverloaded", "message": "no"}, 503), REFUSED),
    "execute": (as_json({"code": "ExecuteFullError", "message": "no"}, 503), REFUSED),
    "permit": (as_json({"code": "InitialPermitTimeoutError", "message": "no"}, 503), REFUSED),
    "committer": (as_json({"code": "CommitterFullError", "message": "no"}, 503), UNKNOWN),
    "occ": (as_json({"code": "OptimisticConcurrencyControlFailure", "message": "no"}, 503), UNKNOWN),
    "503 of a proxy": (as_text("<html>503</html>", 503, "text/html"), UNKNOWN),
    "500": (as_json({"code": "InternalServerError", "message": "no"}, 500), UNKNOWN),
    "502": (as_text("bad gateway", 502), UNKNOWN),
    "timeout there": (as_json({"code": "RequestTimeout", "message": "no"}, 408), UNKNOWN),
    "empty": (as_text("", 200), UNKNOWN),
    "no content": (as_text("", 204), UNKNOWN),
    "login page": (as_text("<!doctype html>", 200, "text/html"), UNKNOWN),
    "another shape": (as_json({"status": "maybe"}), UNKNOWN),
    "silence": (Hang(), UNKNOWN),
}


@pytest.mark.parametrize("write", ["set", "kill", "zero"])
@pytest.mark.parametrize(("answer", "outcome"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_what_an_answer_means(crew: Crew, answer: Step, outcome: WriteOutcome, write: str) -> None:
    crew.table.write = answer
    result = await crew.write(write)
    assert result.outcome is outcome, result
    assert result.failure is not None
    assert_harmless(result)
    assert len(crew.orders) == 1


@pytest.mark.parametrize("turned_away", ["too many", "loading", "queue", "permit"])
async def test_who_is_turned_away_at_the_door_may_come_back(crew: Crew, turned_away: str) -> None:
    crew.table.write, _ = ANSWERS[turned_away]
    result = await crew.writer.kill("chat")
    assert (result.unsent, result.again_after_s) == (False, 2.0)


async def test_a_yes_that_reads_otherwise_is_unknown(crew: Crew) -> None:
    """The function says yes, but the row is as it was: nobody knows."""
    result = await crew.set()
    assert (result.outcome, result.detail) == (UNKNOWN, "20% was accepted, but it reads 10%")


@pytest.mark.parametrize("write", ["set", "kill", "zero"])
async def test_another_deployment_gets_nothing(crew: Crew, write: str) -> None:
    seen = await crew.value()
    crew.table.name = as_text("sad-heron-2")
    with pytest.raises(RefusedByService, match="sad-heron-2 answers, the plan says happy-otter-1"):
        await crew.reader.read(["chat"])
    if write == "set":
        result = await crew.writer.set_percent("chat", TWENTY, expected=seen)
    else:
        result = await crew.write(write)
    assert (result.outcome, result.unsent, result.again_after_s, crew.orders) == (REFUSED, False, None, [])
    assert result.failure is not None
    assert result.failure.fault is Fault.PLAN


@pytest.mark.parametrize("name", [Hang(), as_text("no", 404), as_text("<html>", 200, "text/html")])
async def test_a_name_that_cannot_be_read_stops_a_forward_move_but_no_kill(crew: Crew, name: Step) -> None:
    seen = await crew.value()
    crew.table.name = name
    assert (await crew.writer.set_percent("chat", TWENTY, expected=seen)).outcome is REFUSED
    assert (await crew.writer.kill("chat")).outcome is DONE
    assert [each["path"] for each in crew.orders] == ["cutoverFlags:kill"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"percent": 150}, "no number from 0 to 100"),
        ({"percent": "10"}, "no number from 0 to 100"),
        ({"percent": {"$float": "AAAAAAAA+H8="}}, "no number from 0 to 100"),
        ({"percent": 12.345}, "no number from 0 to 100"),
        ({"version": None}, "no version"),
    ],
)
async def test_what_is_not_plain_is_killed_but_not_promoted(
    crew: Crew, wrong: dict[str, object], said: str
) -> None:
    crew.table.listed = success([row(**wrong)])
    value = await crew.value()
    assert said in value.complexities[0]
    assert (await crew.set()).outcome is REFUSED
    assert (await crew.writer.kill("chat")).outcome is DONE
    assert [each["path"] for each in crew.orders] == ["cutoverFlags:kill"]


async def test_nonsense_is_put_to_zero_after_a_kill(crew: Crew) -> None:
    crew.table.listed = success([row(percent=150, enabled=False)])
    assert (await crew.writer.zero("chat")).outcome is DONE
    (order,) = crew.orders
    assert (order["args"]["percent"], order["args"]["enabled"]) == (0, False)


@pytest.mark.parametrize(
    "listed",
    [
        success({"chat": 10}),
        success([row(), row(percent=100)]),
        success([row(enabled=1)]),
        success([{"percent": 10}]),
        success(["chat"]),
    ],
)
async def test_a_list_that_cannot_be_read_is_an_error(crew: Crew, listed: Step) -> None:
    crew.table.listed = listed
    with pytest.raises(BrokenAnswer):
        error = (await crew.reader.read(["chat"]))["chat"]
        assert isinstance(error, AdapterError)
        raise error


async def test_a_list_query_that_throws_is_trouble_of_the_service(crew: Crew) -> None:
    crew.table.listed = thrown()
    with pytest.raises(ServiceTrouble, match="cutoverFlags:list failed"):
        await crew.reader.read(["chat"])


async def test_preflight_says_what_the_keys_may_do(crew: Crew) -> None:
    allowed = {"success": True, "allowedOps": ["RunInternalQueries"], "isReadOnly": False}

    def handler(request: Request) -> Step:
        return as_json(allowed) if request.path == "/api/check_admin_key" else crew.table(request)

    crew.server.handler = handler
    reading = {line.question: line for line in await crew.reader.preflight(["chat"])}
    assert reading["it is the deployment happy-otter-1"].ok is True
    assert reading["the token may run its query"].detail == "it may RunInternalQueries"
    (writing,) = await crew.writer.preflight(["chat"])
    assert (writing.ok, writing.detail) == (False, "it lacks RunInternalMutations")


@pytest.mark.parametrize("rights", [as_text("not here", 404), as_json({"success": True}), as_json([])])
async def test_a_deployment_that_tells_no_rights_is_not_known(crew: Crew, rights: Step) -> None:
    crew.server.handler = lambda asked: rights if "check_admin_key" in asked.path else crew.table(asked)
    (line,) = await crew.writer.preflight(["chat"])
    assert line.ok is None


@given(st.integers(0, 2**32))
def test_no_answer_however_broken_gets_past_the_rows(seed: int) -> None:
    body = mutated([row(), row(key="other")], seed)
    try:
        found = rows(body, ["chat", "other"])
    except BrokenAnswer as broken:
        assert_harmless(broken)
        return
    assert set(found) == {"chat", "other"}
    for each in found.values():
        assert_harmless(each.value if isinstance(each, Row) else each)


@pytest.mark.parametrize(
    "raw", ["7", True, None, {"$integer": "AA=="}, {"$integer": "?"}, {"$integer": 7}, []]
)
def test_what_is_no_number(raw: object) -> None:
    with pytest.raises(ValueError, match=r"number|integer"):
        number(raw)


@pytest.mark.real
class TestConvexTest:
    """The sample functions themselves, in convex-test."""

    def test_a_kill_of_what_is_off_still_stops_a_change_on_its_way(
        self, convex_test_functions: ConvexTest
    ) -> None:
        functions = convex_test_functions
        functions.store("late", {"version": 7})
        functions.call("mutation", "cutoverFlags:kill", {"key": "late", "updatedBy": "kim"})
        with pytest.raises(AssertionError, match="VERSION_CONFLICT"):
            change = {"percent": 50, "enabled": True, "expectedVersion": 7, "updatedBy": "kim"}
            functions.call("mutation", "cutoverFlags:set", {"key": "late", **change})
        assert [(each["enabled"], each["percent"]) for each in functions.rows("late")] == [(False, 0)]

    def test_a_kill_reaches_every_row_of_a_key(self, convex_test_functions: ConvexTest) -> None:
        functions = convex_test_functions
        functions.store("twice", {"enabled": True, "percent": 10}, {"enabled": True, "percent": 100})
        functions.call("mutation", "cutoverFlags:kill", {"key": "twice", "updatedBy": "kim"})
        found = [(each["enabled"], each["percent"], each["version"]) for each in functions.rows("twice")]
        assert found == [(False, 0, 2), (False, 0, 2)]
