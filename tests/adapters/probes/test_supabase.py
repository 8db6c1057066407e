"""The supabase probe against the double: health, counts and their marks, row security, and lies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cockpit.adapters.base import AdapterError, RefusedByService, Throttled
from cockpit.adapters.http import Web
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.probes.supabase import SupabaseProbe, build, read_total
from cockpit.adapters.probes.supabase_settings import SupabaseProbeSettings
from cockpit.core.model import Health, ProbeValue
from cockpit.core.secret import Secret
from cockpit.plan.problems import PlanProblems
from tests.adapters.probes.hostile import EVIL, TROUBLES, assert_harmless
from tests.adapters.probes.scripted import Reply, Scripted, Step, as_json, as_text, scripted
from tests.adapters.probes.supabase_double import LEGACY_KEY, SECRET_KEY, Project
from tests.real.servers import free_port
from tests.tables import written


def probe_of(
    web: Web, url: str, *, key: str = SECRET_KEY, timeout_s: float = 20.0, **more: object
) -> SupabaseProbe:
    settings = written(SupabaseProbeSettings, {"url": url, "key": {"env": "SUPABASE_KEY"}, **more})
    return build(settings, web, lambda _: Secret(key), timeout_s)


@asynccontextmanager
async def project(made: Project) -> AsyncIterator[Scripted]:
    async with scripted(made) as rig:
        yield rig


async def ask(web: Web, made: Project, **more: object) -> ProbeValue:
    async with project(made) as rig:
        value = await probe_of(web, rig.url, **more).probe()  # type: ignore[arg-type]  # settings of any kind
    assert_harmless(value, SECRET_KEY)
    return value


WELL, API = "its auth service answers", "its data API"


async def test_a_well_project_says_what_it_is(web: Web) -> None:
    value = await ask(web, Project())
    assert (value.health, value.detail) == (Health.OK, "its auth service answers")
    assert value.facts == (("auth service", "GoTrue v2.197.0"),)
    assert value.latency_ms is not None


async def test_counts_are_marked_by_how_they_were_made(web: Web) -> None:
    made = Project(tables={"messages": 48211, "users": 7, "events": 900, "empty": 0})
    counts = {
        "messages": {"filter": {"is_deleted": "eq.false"}},
        "users": {"kind": "planned"},
        "events": {"kind": "estimated"},
        "empty": {},
    }
    facts = dict((await ask(web, made, counts=counts)).facts)
    assert facts["rows of messages"] == "24105 exact"
    assert facts["rows of users"] == "7 estimated (planned)"
    assert facts["rows of events"] == "900 estimated"
    assert facts["rows of empty"] == "0 exact"
    heads = [each for each in made.seen if each.method == "HEAD"]
    assert {each.headers["range"] for each in heads} == {"0-0"}
    assert "/rest/v1/messages?is_deleted=eq.false" in {each.path for each in heads}
    assert not any("mozilla" in each.headers["user-agent"].lower() for each in made.seen)


async def test_nothing_out_of_a_table_that_is_never_empty_is_not_believed(web: Web) -> None:
    made = Project(tables={"messages": 48211}, hidden=frozenset({"messages"}))
    hidden = await ask(web, made, counts={"messages": {"never_empty": True}})
    assert dict(hidden.facts)["rows of messages"].startswith("not known: 0 rows, though it is never empty")
    plain = await ask(web, made, counts={"messages": {}})
    assert dict(plain.facts)["rows of messages"] == "0 exact"


async def test_a_count_is_kept_until_it_is_time_for_the_next(web: Web) -> None:
    made = Project()
    async with project(made) as rig:
        probe = probe_of(web, rig.url, counts={"messages": {}})
        await probe.probe()
        made.tables["messages"] = 5
        kept = await probe.probe()
        often = probe_of(web, rig.url, counts={"messages": {}}, count_every="1ms")
        await often.probe()
        made.tables["messages"] = 6
        again = await often.probe()
        while dict(again.facts)["rows of messages"] == "5 exact":  # within the millisecond
            again = await often.probe()
    assert dict(kept.facts)["rows of messages"].startswith("48211 exact")
    assert dict(again.facts)["rows of messages"] == "6 exact"


@pytest.mark.parametrize(
    ("status", "code", "health", "detail", "told"),
    [
        (500, "57014", Health.OK, WELL, "it took too long for the database (57014)"),
        (401, "42501", Health.OK, WELL, "no right to read it (42501)"),
        (401, "PGRST301", Health.OK, WELL, "the token is refused (PGRST301)"),
        (429, "", Health.OK, WELL, "asked to wait"),
        (
            504,
            "PGRST003",
            Health.DEGRADED,
            "its data API waits too long for a database connection (PGRST003)",
            "HTTP 504",
        ),
        (500, "XX000", Health.DEGRADED, f"{API} answers 500", "HTTP 500 (XX000)"),
        (
            503,
            "PGRST000",
            Health.DOWN,
            f"{API} has no connection to its database (PGRST000)",
            "HTTP 503",
        ),
        (
            503,
            "PGRST002",
            Health.DOWN,
            f"{API} has not read its database's schema (PGRST002)",
            "HTTP 503",
        ),
    ],
)
async def test_errors_of_the_data_api(
    web: Web, status: int, code: str, health: Health, detail: str, told: str
) -> None:
    value = await ask(web, Project(failing=(status, code)), counts={"messages": {}})
    assert (value.health, value.detail) == (health, detail)
    assert dict(value.facts)["rows of messages"].startswith(f"not known: {told}")


async def test_trouble_of_the_data_api_is_asked_again_at_the_next_poll(web: Web) -> None:
    made = Project(failing=(503, "PGRST000"))
    async with project(made) as rig:
        probe = probe_of(web, rig.url, counts={"messages": {}})
        assert (await probe.probe()).health is Health.DOWN
        made.failing = None
        value = await probe.probe()
    assert (value.health, dict(value.facts)["rows of messages"]) == (Health.OK, "48211 exact")


async def test_a_missing_table_is_told(web: Web) -> None:
    value = await ask(web, Project(), counts={"massages": {}})
    assert dict(value.facts)["rows of massages"] == "not known: no such table (PGRST205)"


async def test_a_slow_count_costs_neither_health_nor_the_other_counts(web: Web) -> None:
    made = Project(tables={"messages": 5, "events": 9}, slow=frozenset({"events"}))
    async with project(made) as rig:
        value = await probe_of(web, rig.url, counts={"events": {}, "messages": {}}, timeout_s=1.5).probe()
    assert value.health is Health.OK
    assert dict(value.facts)["rows of events"].startswith("not known: no time left")
    assert dict(value.facts)["rows of messages"].startswith("5 exact")


async def test_legacy_keys_are_bearers_and_new_ones_are_not(web: Web) -> None:
    legacy, new, as_user = Project(key=LEGACY_KEY), Project(), Project()
    await ask(web, legacy, key=LEGACY_KEY)
    await ask(web, new)
    await ask(web, as_user, token={"env": "USER_TOKEN"}, profile="chat", counts={"messages": {}})
    assert legacy.seen[0].headers["authorization"] == f"Bearer {LEGACY_KEY}"
    assert "authorization" not in new.seen[0].headers
    assert as_user.seen[-1].headers["authorization"] == f"Bearer {SECRET_KEY}"
    assert as_user.seen[-1].headers["accept-profile"] == "chat"


@pytest.mark.parametrize(
    ("status", "kind"), [(401, RefusedByService), (403, RefusedByService), (429, Throttled)]
)
async def test_a_refused_key_is_unknown(web: Web, status: int, kind: type[AdapterError]) -> None:
    async with project(Project(health=as_json({"message": f"no {SECRET_KEY}"}, status))) as rig:
        with pytest.raises(kind) as caught:
            await probe_of(web, rig.url).probe()
    assert_harmless(caught.value, SECRET_KEY)


@pytest.mark.parametrize("status", [404, 500, 503, 540])
async def test_another_status_of_the_auth_service_is_down(web: Web, status: int) -> None:
    value = await ask(web, Project(health=as_text("Project paused", status)))
    assert (value.health, value.detail) == (Health.DOWN, f"its auth service answers {status}")


async def test_a_closed_port_is_down_and_slowness_degraded(web: Web) -> None:
    gone = await probe_of(web, f"http://127.0.0.1:{free_port()}").probe()
    assert gone.health is Health.DOWN
    slow = await ask(web, Project(), latency_limit="0.001ms")
    assert slow.health is Health.DEGRADED
    assert slow.detail.startswith("slow: ")


async def test_a_hanging_auth_service_is_unknown(web: Web) -> None:
    async with project(Project(health=TROUBLES["hang"])) as rig:
        with pytest.raises(NoAnswer) as caught:
            await probe_of(web, rig.url, timeout_s=0.5).probe()
    assert caught.value.cause is Cause.TIMEOUT


@pytest.mark.parametrize("step", TROUBLES.values(), ids=TROUBLES.keys())
async def test_hostile_health_is_never_ok(web: Web, step: Step) -> None:
    async with project(Project(health=step)) as rig:
        try:
            value = await asyncio.wait_for(probe_of(web, rig.url, timeout_s=0.7).probe(), 30)
        except AdapterError as error:
            assert_harmless(error, SECRET_KEY)
        else:
            assert value.health is Health.DOWN
            assert_harmless(value, SECRET_KEY)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=206, headers={"content-range": f"0-0/{'9' * 400}"}),
        Reply(status=206, headers={"content-range": "0-0/-5"}),
        Reply(status=206, headers={"content-range": "0-0/*"}),
        Reply(status=200),
        Reply(status=500, body=b"\xff\xfe"),
        as_json({"code": EVIL, "message": EVIL}, 500),
        as_json([EVIL], 400),
        as_json({"code": 7}, 302),
    ],
)
async def test_hostile_counts_are_not_known_and_harmless(web: Web, reply: Reply) -> None:
    def handler(request: object) -> Step:
        return (
            as_json({"name": EVIL, "version": [EVIL]}) if "/auth/" in getattr(request, "path", "") else reply
        )

    async with scripted(handler) as rig:
        value = await probe_of(web, rig.url, counts={"messages": {}}).probe()
    assert_harmless(value, SECRET_KEY)
    assert dict(value.facts)["rows of messages"].startswith("not known: ")


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("0-0/48211", 48211),
        ("*/0", 0),
        ("0-24/25", 25),
        ("0-0/*", None),
        ("", None),
        ("items 0-0/5", None),
        ("0-0/٣", None),
    ],
)
def test_the_total_of_a_content_range(text: str, total: int | None) -> None:
    assert read_total(text) == total


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "sb_secret_hunter2"},
        {"url": "https://x?apikey=hunter2"},
        {"counts": {"a/b": {}}},
        {"counts": {"messages": {"kind": "guessed"}}},
        {"counts": {"messages": {"filter": {"a&b": "eq.1"}}}},
        {"profile": "a b"},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems) as caught:
        written(SupabaseProbeSettings, {"url": "https://x", "key": {"env": "K"}, **wrong})
    assert "hunter2" not in str(caught.value)
