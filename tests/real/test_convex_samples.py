"""The functions of sample_configs/convex: their types, and the official JavaScript client beside our lever.

They run in convex-test, the official mock of Convex functions, not in a Convex backend.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from cockpit.adapters.flags.convex_settings import ConvexTableSettings
from cockpit.adapters.flags.convex_table import build_reader, build_writer
from cockpit.adapters.http import Web
from cockpit.core.clean import Percent
from cockpit.core.model import FlagValue, WriteOutcome
from cockpit.core.secret import Secret, SecretRef
from cockpit.engine.clock import SystemClock
from tests.real.convex_server import FOLDER, INSTANCE, READ_KEY, WRITE_KEY, ConvexTest, convex_test
from tests.real.servers import program
from tests.tables import written

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def functions() -> Iterator[ConvexTest]:
    with convex_test() as running:
        yield running


@pytest_asyncio.fixture
async def web() -> AsyncIterator[Web]:
    made = Web(clock=SystemClock())
    yield made
    await made.aclose()


def node(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [program("node"), str(FOLDER / script), *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def by_client(
    functions: ConvexTest, kind: str, name: str, args: Mapping[str, Any], key: str = WRITE_KEY
) -> Any:
    """What the official client makes of one call: `{"value": ..}`, or `{"data": ..}` of a ConvexError."""
    ran = node("client.mjs", functions.url, key, kind, f"cutoverFlags:{name}", json.dumps(args))
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_a_strict_compiler_has_nothing_to_say(functions: ConvexTest) -> None:
    judged = node("check-types.mjs")
    assert (judged.returncode, judged.stdout, judged.stderr) == (0, "", "")


def test_the_functions_do_not_exist_for_callers_without_a_key(functions: ConvexTest) -> None:
    ran = node("client.mjs", functions.url, "", "query", "cutoverFlags:list", '{"keys": []}')
    assert ran.returncode != 0
    assert "Server Error" in ran.stderr


def test_a_key_that_may_only_read_kills_nothing(functions: ConvexTest) -> None:
    args = json.dumps({"key": "js_flag", "updatedBy": "kim"})
    ran = node("client.mjs", functions.url, READ_KEY, "mutation", "cutoverFlags:kill", args)
    assert ran.returncode != 0
    assert "OperationNotPermitted" in ran.stderr


async def test_the_lever_and_the_official_client_see_the_same_flag(functions: ConvexTest, web: Web) -> None:
    given = {"url": functions.url, "instance": INSTANCE, "token": {"env": "R"}, "write_token": {"env": "W"}}
    settings = written(ConvexTableSettings, given)

    def secret(ref: SecretRef) -> Secret:
        return Secret(READ_KEY if ref.env == "R" else WRITE_KEY)

    reader, writer = build_reader(settings, web, secret, 10.0), build_writer(settings, web, secret, 10.0)
    assert writer is not None
    assert by_client(functions, "mutation", "create", {"key": "js_flag", "updatedBy": "kim"}) == {
        "value": None
    }
    seen = (await reader.read(["js_flag"]))["js_flag"]
    assert isinstance(seen, FlagValue)
    assert (seen.on, seen.revision, seen.changed_by) == (False, "1", "kim")

    raised = await writer.set_percent("js_flag", Percent.parse(12.5), expected=seen)
    assert raised.outcome is WriteOutcome.DONE, raised
    (row,) = by_client(functions, "query", "list", {"keys": ["js_flag"]}, READ_KEY)["value"]
    assert (row["enabled"], row["percent"], row["version"], row["updatedBy"]) == (
        True,
        12.5,
        2,
        "cutover-cockpit",
    )

    stale = {"key": "js_flag", "percent": 50, "enabled": True, "expectedVersion": 1, "updatedBy": "kim"}
    conflict = by_client(functions, "mutation", "set", stale)
    assert conflict == {"data": {"code": "VERSION_CONFLICT", "version": 2}}

    assert by_client(functions, "mutation", "set", {**stale, "expectedVersion": 2}) == {"value": None}
    late = await writer.set_percent("js_flag", Percent.parse(25), expected=seen)
    assert (late.outcome, late.detail) == (WriteOutcome.REFUSED, "somebody else changed it: it reads 50%")
