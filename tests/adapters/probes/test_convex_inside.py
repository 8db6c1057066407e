"""Metrics, jobs and log of a Convex deployment, by a server on command and by the practice world.

No real Convex backend can be had, and convex-test has none of these: the answers here are made after the
public API of the open-source backend.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import (
    AdapterError,
    BrokenAnswer,
    Probe,
    RefusedByService,
    ServiceTrouble,
    Settings,
)
from cockpit.adapters.http import Web
from cockpit.adapters.probes import convex_jobs, convex_logs, convex_metrics
from cockpit.adapters.probes.convex_settings import (
    ConvexJobsSettings,
    ConvexLogsSettings,
    ConvexMetricsSettings,
)
from cockpit.core.model import Health, ProbeValue
from cockpit.core.secret import Secret
from cockpit.practice.faults import FaultName
from tests.adapters.flags.crew import until
from tests.adapters.probes.hostile import EVIL, assert_harmless, mutated
from tests.adapters.probes.practice import INSTANCE, practice, struck
from tests.adapters.probes.rig import NOW, the_token
from tests.adapters.probes.scripted import Hang, Reply, Request, Scripted, Step, as_json, as_text, scripted
from tests.tables import written

KEY: Mapping[str, Any] = {"instance": INSTANCE, "key": {"env": "K"}}
NOW_NS = int(NOW.timestamp()) * 10**9
DATE = "Fri, 20 Nov 2026 12:00:00 GMT"


def series(*values: float | None) -> Step:
    stamp = {"secs_since_epoch": 1, "nanos_since_epoch": 0}
    return as_json([[stamp, value] for value in values])


def success(value: object) -> Step:
    return as_json({"status": "success", "value": value})


def int64(value: int) -> dict[str, str]:
    return {"$integer": base64.b64encode(value.to_bytes(8, "little", signed=True)).decode()}


def cron(name: str, *, due_s: float = 3600, last: str | None = "success", state: str = "pending") -> object:
    run = {"ts": int64(NOW_NS - 10**12), "udfPath": "jobs.js:run", "status": {"type": last}}
    following = {"state": {"type": state}, "nextTs": int64(NOW_NS + int(due_s * 1e9))}
    return {"name": name, "lastRun": None if last is None else run, "nextRun": following}


def migration(name: str, state: str, *, began: int = 1, processed: int = 1200) -> object:
    return {"name": name, "state": state, "processed": processed, "latestStart": began, "isDone": False}


@dataclass(slots=True)
class Inside:
    """A deployment that answers on command; `answers` by path (queries by the function's path)."""

    answers: dict[str, Step] = field(default_factory=dict)
    name: Step = field(default_factory=lambda: as_text(INSTANCE, content_type="text/plain"))

    def __call__(self, request: Request) -> Step:
        path = urlsplit(request.path)
        if path.path == "/instance_name":
            return self.name
        if request.method == "POST":
            return self.answers.get(json.loads(request.body)["path"], as_text("no", 404))
        last = path.path.rpartition("/")[2]
        metric = parse_qs(path.query).get("metric", [last])[0]
        return self.answers.get(metric, as_text("no", 404))


@asynccontextmanager
async def inside(**answers: Step) -> AsyncIterator[Scripted]:
    async with scripted(Inside({name.replace("__", ":"): step for name, step in answers.items()})) as server:
        yield server


def metrics(web: Web, url: str, **more: Any) -> Probe:
    given = {"url": url, **KEY, "functions": ["chats:list"], **more}
    return convex_metrics.build(written(ConvexMetricsSettings, given), web, the_token, 5.0)


def jobs(web: Web, url: str, **more: Any) -> Probe:
    return convex_jobs.build(written(ConvexJobsSettings, {"url": url, **KEY, **more}), web, the_token, 5.0)


def logs(web: Web, url: str, **more: Any) -> convex_logs.ConvexLogsProbe:
    return convex_logs.build(written(ConvexLogsSettings, {"url": url, **KEY, **more}), web, the_token, 5.0)


# --- metrics -----------------------------------------------------------------------------------------


async def fared(web: Web, more: Mapping[str, Any], **answers: Step) -> ProbeValue:
    async with inside(**answers) as server:
        return await metrics(web, server.url, **more).probe()


BUSY: Mapping[str, Step] = {
    "invocations": series(2.0),
    "errors": series(0.1),
    "latency_percentiles": as_json([[95, [[{"secs_since_epoch": 1, "nanos_since_epoch": 0}, 0.25]]]]),
    "cache_hit_percentage": series(80.0),
}
LIMITS = {"failure_limit_pct": 6, "latency_limit": "300ms"}


async def test_a_function_within_its_limits(web: Web) -> None:
    value = await fared(web, LIMITS, **BUSY)
    assert (value.health, value.detail) == (Health.OK, "600 calls in 5 min")
    assert value.facts == (("chats:list", "600 calls, 5.0% failed, p95 250 ms, 80% cached"),)


async def test_what_is_above_a_limit_is_degraded_and_named(web: Web) -> None:
    value = await fared(web, {"failure_limit_pct": 4, "latency_limit": "200ms"}, **BUSY)
    assert value.health is Health.DEGRADED
    assert value.detail == (
        "chats:list fails 5.0%, the limit is 4%; chats:list takes 250 ms, the limit is 200 ms (p95)"
    )


async def test_null_is_nothing_remembered_and_not_zero(web: Web) -> None:
    value = await fared(web, LIMITS, invocations=series(None))
    assert value.health is Health.UNKNOWN
    assert "nothing is remembered" in value.detail
    assert value.facts == (("chats:list", "nothing remembered"),)


async def test_no_call_is_no_proof_of_health(web: Web) -> None:
    value = await fared(web, LIMITS, invocations=series(0.0))
    assert value.health is Health.UNKNOWN
    assert value.facts == (("chats:list", "no calls"),)


async def test_a_call_without_errors_fails_zero_percent(web: Web) -> None:
    value = await fared(web, LIMITS, **{**BUSY, "errors": series(0.0)})
    assert "0.0% failed" in dict(value.facts)["chats:list"]


async def test_parts_that_are_not_remembered_are_left_out(web: Web) -> None:
    value = await fared(web, LIMITS, **{**BUSY, "errors": series(None), "cache_hit_percentage": series(None)})
    assert value.facts == (("chats:list", "600 calls, p95 250 ms"),)


async def test_the_window_is_one_piece_that_ends_by_the_deployments_clock(web: Web) -> None:
    async with inside(**BUSY) as server:
        deployment = server.handler
        assert isinstance(deployment, Inside)
        deployment.name = Reply(body=INSTANCE.encode(), headers={"date": DATE})
        await metrics(web, server.url, window="10m").probe()
        asked = [parse_qs(urlsplit(each.path).query) for each in server.requests if "?" in each.path]
    end = int(NOW.timestamp())
    expected = {
        "start": {"secs_since_epoch": end - 600, "nanos_since_epoch": 0},
        "end": {"secs_since_epoch": end, "nanos_since_epoch": 0},
        "num_buckets": 1,
    }
    assert [json.loads(each["window"][0]) for each in asked] == [expected] * 4
    assert {each["path"][0] for each in asked} == {"chats:list"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (as_json({"code": "OperationNotPermitted", "message": "no"}, 403), RefusedByService),
        (as_json({"code": "ExpiredInQueue", "message": "no"}, 503), ServiceTrouble),
        (as_json([["x"]]), BrokenAnswer),
        (as_json({"a": 1}), BrokenAnswer),
        (series(-1.0), BrokenAnswer),
        (as_text("gone", 404), RefusedByService),
    ],
)
async def test_metrics_that_cannot_be_had_are_an_error(
    web: Web, answer: Step, error: type[AdapterError]
) -> None:
    with pytest.raises(error):
        await fared(web, LIMITS, **{**BUSY, "invocations": answer})


async def test_metrics_of_another_deployment_prove_nothing(web: Web) -> None:
    async with scripted(Inside({**BUSY}, name=as_text("sad-heron-2"))) as server:
        with pytest.raises(RefusedByService, match="sad-heron-2"):
            await metrics(web, server.url).probe()


# --- jobs --------------------------------------------------------------------------------------------

SCHEDULED = "_system/frontend/paginatedScheduledJobs"
NO_ANSWER = as_text("no", 404)
CRONS = "_system/frontend/listCronJobs"


async def worked(
    web: Web, crons: Step, lag: Step, more: Mapping[str, Any], status: Step, waiting: Step = NO_ANSWER
) -> ProbeValue:
    answers = {CRONS: crons, "scheduled_job_lag": lag, "lib:getStatus": status, SCHEDULED: waiting}
    async with scripted(Inside(answers)) as server:
        return await jobs(web, server.url, **more).probe()


CALM = (success([cron("nightly")]), series(0.0))
IMPORT = {"migrations": ["migrations:import"]}


async def test_everything_that_runs_by_itself_runs(web: Web) -> None:
    done = success([migration("migrations:import", "success")])
    value = await worked(web, *CALM, IMPORT, done)
    assert (value.health, value.detail) == (Health.OK, "everything runs that should")
    assert value.facts == (
        ("cron nightly", "last run fine"),
        ("scheduled", "0 s late"),
        ("migration migrations:import", "finished, 1200 done"),
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (cron("nightly", due_s=-600), "cron nightly is overdue by 600 s"),
        (cron("nightly", last="err"), "cron nightly failed in its last run"),
    ],
)
async def test_a_cron_that_does_not_do_what_it_should(web: Web, row: object, said: str) -> None:
    value = await worked(web, success([row]), series(0.0), {}, success([]))
    assert (value.health, value.detail) == (Health.DEGRADED, said)


@pytest.mark.parametrize(
    "row", [cron("nightly", due_s=-600, state="inProgress"), cron("nightly", due_s=-60), cron("x", last=None)]
)
async def test_a_cron_that_is_at_it_or_hardly_late_is_fine(web: Web, row: object) -> None:
    assert (await worked(web, success([row]), series(0.0), {}, success([]))).health is Health.OK


async def test_scheduled_functions_that_wait_are_degraded(web: Web) -> None:
    value = await worked(web, success([]), series(None, 5.0, 300.0, None), {}, success([]))
    assert value.detail == "scheduled functions wait for 300 s, the limit is 120 s"
    assert value.health is Health.DEGRADED


def job(due_s: float, state: str = "pending") -> object:
    return {"nextTs": int64(NOW_NS + int(due_s * 1e9)), "udfPath": "a.js:b", "state": {"type": state}}


@pytest.mark.parametrize(
    ("page", "health", "fact"),
    [
        ([], Health.OK, "0 s late"),
        ([job(60), job(-600, "inProgress")], Health.OK, "0 s late"),
        ([job(-600), job(-10)], Health.DEGRADED, "600 s late"),
        ([{"nextTs": "soon"}], Health.UNKNOWN, "not known: not what a Convex deployment tells"),
    ],
)
async def test_without_a_lag_those_that_wait_are_looked_at(
    web: Web, page: list[object], health: Health, fact: str
) -> None:
    waiting = success({"page": page, "isDone": True})
    value = await worked(web, success([]), series(None), {}, success([]), waiting)
    assert (value.health, dict(value.facts)["scheduled"]) == (health, fact)


@pytest.mark.parametrize(
    ("row", "health", "fact"),
    [
        (migration("migrations:import", "inProgress"), Health.OK, "runs, 1200 done"),
        (migration("migrations:import", "failed"), Health.DEGRADED, "failed, 1200 done"),
        (migration("migrations:import", "canceled"), Health.DEGRADED, "canceled, 1200 done"),
        (migration("migrations:import", "unknown"), Health.UNKNOWN, "not known: its state is unknown"),
        (migration("migrations:import", "unknown", began=0, processed=0), Health.OK, "never run"),
        (migration("other", "success"), Health.UNKNOWN, "not known: the component does not tell of it"),
    ],
)
async def test_the_state_of_a_migration(web: Web, row: object, health: Health, fact: str) -> None:
    value = await worked(web, *CALM, IMPORT, success([row]))
    assert (value.health, dict(value.facts)["migration migrations:import"]) == (health, fact)


@pytest.mark.parametrize("hidden", ["crons", "lag", "migrations"])
async def test_what_cannot_be_seen_is_unknown_and_the_rest_is_shown(web: Web, hidden: str) -> None:
    no = as_json({"code": "OperationNotPermitted", "message": "no"}, 403)
    crons, lag = (no if hidden == "crons" else CALM[0]), (no if hidden == "lag" else CALM[1])
    status = no if hidden == "migrations" else success([migration("migrations:import", "success")])
    value = await worked(web, crons, lag, IMPORT, status)
    assert value.health is Health.UNKNOWN
    assert "the credential may not do this" in value.detail
    assert len([text for _, text in value.facts if text.startswith("not known")]) == 1


async def test_what_is_wrong_for_certain_is_said_beside_what_cannot_be_seen(web: Web) -> None:
    value = await worked(web, as_text("no", 404), series(300.0), {}, success([]))
    assert value.health is Health.DEGRADED
    assert "wait for 300 s" in value.detail


# --- log ---------------------------------------------------------------------------------------------


def run(function: str = "chats:send", *, failed: bool = False, ago_s: float = 0) -> dict[str, object]:
    return {
        "kind": "Completion",
        "identifier": function,
        "timestamp": NOW.timestamp() - ago_s,
        "error": f"bob's password is hunter2 {EVIL}" if failed else None,
    }


FIRST = f"cursor={1000 * (NOW.timestamp() - 300):.3f}"


def told(*entries: object, cursor: float = 5000.0) -> Step:
    return as_json({"entries": list(entries), "newCursor": cursor})


@asynccontextmanager
async def listening(web: Web, answer: Callable[[Request], Step], **more: Any) -> AsyncIterator[Any]:
    """A log probe and its server."""

    def handler(request: Request) -> Step:
        return answer(request) if "stream" in request.path else as_text(INSTANCE)

    async with scripted(handler) as server:
        probe = logs(web, server.url, **more)
        yield probe, server
        await probe.aclose()


def once(first: Step) -> Callable[[Request], Step]:
    """One answer, then the long wait."""
    steps = [first]
    return lambda request: steps.pop() if steps else Hang()


async def settled(probe: Probe, *wanted: Health) -> ProbeValue:
    """The first value that is one of these, or that says anything at all."""
    async with asyncio.timeout(20):
        while True:
            value = await probe.probe()
            if value.health in (wanted or (Health.OK, Health.DEGRADED)):
                return value
            await asyncio.sleep(0.02)


async def trouble(probe: Probe) -> AdapterError:
    """The first error."""
    async with asyncio.timeout(20):
        while True:
            try:
                await probe.probe()
            except AdapterError as error:
                return error
            await asyncio.sleep(0.02)


async def test_failed_runs_are_counted_and_their_words_stay_away(web: Web) -> None:
    entries = [run(), run(failed=True), run(failed=True), run("chats:list", failed=True)]
    async with listening(web, once(told(*entries, {"kind": "Progress"}))) as (probe, _):
        value = await settled(probe)
    assert value.health is Health.DEGRADED
    assert value.detail == "3 of 4 runs failed in 5 min (75%, the limit is 5%)"
    assert value.facts == (("runs", "4"), ("chats:send", "2 failed"), ("chats:list", "1 failed"))
    assert "hunter2" not in repr(value)
    assert_harmless(value)


@pytest.mark.parametrize(
    ("failed", "more", "health", "told_too"),
    [
        (5, {}, Health.OK, ""),
        (6, {}, Health.DEGRADED, " (6%, the limit is 5%)"),
        (5, {"error_limit": 5}, Health.DEGRADED, " (the limit is 5)"),
        (4, {"error_limit": 5}, Health.OK, ""),
        (30, {"failure_limit_pct": 30}, Health.OK, ""),
        (0, {"error_limit": 1}, Health.OK, ""),
    ],
)
async def test_too_many_is_a_share_of_the_runs_or_a_number_of_your_own(
    web: Web, failed: int, more: dict[str, Any], health: Health, told_too: str
) -> None:
    entries = [run(failed=number < failed) for number in range(100)]
    async with listening(web, once(told(*entries)), **more) as (probe, _):
        value = await settled(probe)
    assert (value.health, value.detail) == (health, f"{failed} of 100 runs failed in 5 min{told_too}")


async def test_nothing_that_ran_is_no_proof_of_health(web: Web) -> None:
    async with listening(web, once(told({"kind": "Progress"}))) as (probe, _):
        value = await probe.probe()
    assert (value.health, value.detail) == (Health.UNKNOWN, "nothing ran in 5 min")


async def test_the_first_answer_is_waited_for_and_silence_is_unknown(web: Web) -> None:
    async with listening(web, once(told(run()))) as (probe, _):
        assert (await probe.probe()).health is Health.OK
    async with listening(web, lambda request: Hang()) as (probe, _):
        value = await probe.probe()
    assert (value.health, value.detail) == (Health.UNKNOWN, "listening, and nothing was told so far")


async def test_what_is_older_than_the_window_does_not_count(web: Web) -> None:
    entries = [run(failed=True, ago_s=400), run(failed=True, ago_s=200)]
    async with listening(web, once(told(*entries)), failure_limit_pct=100) as (probe, _):
        value = await settled(probe)
    assert (value.health, value.detail) == (Health.OK, "1 of 1 runs failed in 5 min")


async def test_no_run_is_left_out_however_many_there_are(web: Web) -> None:
    """Names beyond bearing are counted together; what claims to come from the future is not counted."""
    entries = [run(failed=True)] * 6000 + [run(f"f:{number}", failed=True) for number in range(500)]
    async with listening(web, once(told(*entries, run(ago_s=-3600)))) as (probe, _):
        value = await settled(probe)
    assert value.detail.startswith("6500 of 6500 runs failed in 5 min ")
    assert value.facts[1:3] == (("chats:send", "6000 failed"), ("(other functions)", "201 failed"))


async def test_one_request_waits_while_polls_go_on(web: Web) -> None:
    async with listening(web, once(told(run()))) as (probe, server):
        await settled(probe)
        await until(lambda: len([each for each in server.requests if "stream" in each.path]) == 2)
        for _ in range(5):
            assert (await probe.probe()).health is Health.OK
        asked = [each.path for each in server.requests if "stream" in each.path]
    assert [path.partition("?")[2] for path in asked] == [FIRST, "cursor=5000.000"]


async def test_a_log_that_cannot_be_read_is_an_error_until_it_can(web: Web) -> None:
    steps = [as_json({"code": "OperationNotPermitted", "message": "no"}, 403), told(run())]

    def answer(request: Request) -> Step:
        return steps.pop(0) if steps else Hang()

    async with listening(web, answer) as (probe, _):
        assert "may not do this" in (await trouble(probe)).failure.title
        async with asyncio.timeout(20):
            while True:
                with suppress(AdapterError):
                    value = await probe.probe()
                    break
                await asyncio.sleep(0.02)
        assert value.health is Health.OK


@pytest.mark.parametrize("answer", [as_json([]), as_json({"entries": {}}), told(cursor=float(-1)), told(7)])
async def test_a_log_of_another_shape_is_an_error(web: Web, answer: Step) -> None:
    async with listening(web, lambda request: answer) as (probe, _):
        assert "not the log" in (await trouble(probe)).failure.title


# --- nothing that is broken gets through --------------------------------------------------------------

GOOD: Mapping[str, Any] = {
    "series": [[{"secs_since_epoch": 1, "nanos_since_epoch": 0}, 1.5]],
    "cron": cron("nightly"),
    "migration": migration("m", "success"),
    "run": run(failed=True),
}
READERS: Mapping[str, Callable[[Any], object]] = {
    "series": convex_metrics.newest,
    "cron": lambda body: convex_jobs.read_cron(body, NOW, 120.0),
    "migration": lambda body: convex_jobs.read_migration("m", body if isinstance(body, dict) else None),
    "run": convex_logs.read_run,
}


@pytest.mark.parametrize("name", GOOD)
@given(seed=st.integers(0, 2**32))
def test_mutations_are_read_or_refused(name: str, seed: int) -> None:
    try:
        found = READERS[name](mutated(GOOD[name], seed))
    except BrokenAnswer as broken:
        assert_harmless(broken)
        return
    assert_harmless(found)


# --- the practice world -------------------------------------------------------------------------------


PRACTICE_KEY = Secret(f"prod:{INSTANCE}|viewer-key")


def practised(build: Callable[..., Probe], settings: type[Settings], web: Web, **more: Any) -> Probe:
    return build(written(settings, {**KEY, **more}), web, lambda ref: PRACTICE_KEY, 5.0)


async def test_the_practice_world_answers_them_all(web: Web) -> None:
    with practice() as server:
        url = server.urls["convex"]
        working = practised(
            convex_jobs.build, ConvexJobsSettings, web, url=url, migrations=["migrations:import"]
        )
        await settled(working, Health.OK)
        fast = {"url": url, "window": "1m", "functions": ["chats:list"]}
        value = await settled(practised(convex_metrics.build, ConvexMetricsSettings, web, **fast))
        assert "p95" in dict(value.facts)["chats:list"]
        with struck(server, FaultName.CONVEX_PAUSED):
            late = await working.probe()
        assert (late.health, "wait for 600 s" in late.detail) == (Health.DEGRADED, True)


async def test_the_practice_world_logs_what_fails(web: Web) -> None:
    with practice() as server, struck(server, FaultName.ERROR_BURST, side="new", rate=1.0):
        probe = practised(convex_logs.build, ConvexLogsSettings, web, url=server.urls["convex"])
        value = await settled(probe, Health.DEGRADED)
        await probe.aclose()
    assert dict(value.facts)["chat:run"].endswith("failed")
