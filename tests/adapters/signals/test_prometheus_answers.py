"""What each answer of the Prometheus API is worth; the shapes are those that real servers gave."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cockpit.adapters.base import (
    AdapterError,
    BrokenAnswer,
    RefusedByService,
    ServiceTrouble,
    Throttled,
    Unreachable,
)
from cockpit.adapters.http import Web
from cockpit.adapters.signals.prometheus import PrometheusMonitor, build
from cockpit.adapters.signals.settings import PrometheusSettings
from cockpit.core.model import Fault, Quality, Sample
from tests.adapters.probes.hostile import TROUBLES, assert_harmless
from tests.adapters.probes.rig import NOW, the_token
from tests.adapters.probes.scripted import HTML, Hang, Reply, Request, as_json, as_text, scripted
from tests.tables import written

AT_S = 1795162768.403
AT = datetime.fromtimestamp(AT_S, UTC)


def vector(*values: str, **beside: object) -> dict[str, object]:
    series = [{"metric": {"n": str(n)}, "value": [AT_S, value]} for n, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": series}, **beside}


def result(kind: str, value: object) -> dict[str, object]:
    return {"status": "success", "data": {"resultType": kind, "result": value}}


def monitor(web: Web, url: str, timeout_s: float = 5.0, **settings: object) -> PrometheusMonitor:
    return build(written(PrometheusSettings, {"url": url, **settings}), web, the_token, timeout_s)


async def ask_one(web: Web, reply: Reply, timeout_s: float = 5.0) -> Sample | AdapterError:
    """The sample or error of one expression, whether it came as a value or was raised."""
    async with scripted(lambda request: reply) as server:
        try:
            return (await monitor(web, server.url, timeout_s).query(["errors"]))["errors"]
        except AdapterError as error:
            return error


GOOD = {
    "one series": (vector("7"), 7.0),
    "zero": (vector("0"), 0.0),
    "minus zero": (vector("-0"), 0.0),
    "a rounded number": (vector("1e+06"), 1_000_000.0),
    "a scalar": (result("scalar", [AT_S, "0.21"]), 0.21),
    "hints beside it": (vector("7", infos=["PromQL info: metric might not be a counter"]), 7.0),
    "no warnings": (vector("7", warnings=[]), 7.0),
    "a whole cluster": (vector("7", isPartial=False), 7.0),
}


@pytest.mark.parametrize("case", GOOD)
async def test_one_number_is_good_and_carries_the_time_of_evaluation(web: Web, case: str) -> None:
    body, value = GOOD[case]
    assert await ask_one(web, as_json(body)) == Sample(value=value, quality=Quality.GOOD, source_time=AT)


HISTOGRAM = {
    "metric": {},
    "histogram": [AT_S, {"count": "60", "sum": "33.5", "buckets": [[0, "1", "2", "3"]]}],
}
NOT_GOOD: Mapping[str, tuple[dict[str, object], Quality, str]] = {
    "no series": (result("vector", []), Quality.NO_DATA, "no series matched"),
    "two series": (vector("1", "2"), Quality.ERROR, "2 series, expected one: wrap it in sum()"),
    "NaN": (vector("NaN"), Quality.NOT_FINITE, "NaN"),
    "plus infinity": (vector("+Inf"), Quality.NOT_FINITE, "+Inf"),
    "minus infinity": (vector("-Inf"), Quality.NOT_FINITE, "-Inf"),
    "scalar NaN": (result("scalar", [AT_S, "NaN"]), Quality.NOT_FINITE, "NaN"),
    "a negative counter": (vector("-3"), Quality.ERROR, "cannot be negative"),
    "a text": (result("string", [AT_S, "x"]), Quality.ERROR, "a text"),
    "a range": (result("matrix", [{"metric": {}, "values": [[AT_S, "1"]]}]), Quality.ERROR, "a range"),
    "a native histogram": (result("vector", [HISTOGRAM]), Quality.ERROR, "histogram_count"),
    "a warning": (vector("7", warnings=["remote_read: refused"]), Quality.PARTIAL, "remote_read: refused"),
    "two warnings": (vector("7", warnings=["a", "b"]), Quality.PARTIAL, "a (and 1 more)"),
    "part of a cluster": (vector("7", isPartial=True), Quality.PARTIAL, "a part of the store did not answer"),
    "a warning and no series": (
        {**result("vector", []), "warnings": ["remote_read: refused"]},
        Quality.PARTIAL,
        "no series matched, and the source warns",
    ),
    "a warning and two series": (vector("1", "2", warnings=["w"]), Quality.ERROR, "2 series"),
}


@pytest.mark.parametrize("case", NOT_GOOD)
async def test_what_decides_nothing_has_no_value_and_says_why(web: Web, case: str) -> None:
    body, quality, words = NOT_GOOD[case]
    sample = await ask_one(web, as_json(body))
    assert isinstance(sample, Sample)
    assert (sample.value, sample.quality) == (None, quality)
    assert words in sample.note


def error(kind: str, status: int) -> Reply:
    return as_json({"status": "error", "errorType": kind, "error": f"words of {kind}"}, status)


ERRORS: Mapping[str, tuple[Reply, type[AdapterError], bool, Fault]] = {
    "bad_data": (error("bad_data", 400), RefusedByService, False, Fault.PLAN),
    "execution": (error("execution", 422), RefusedByService, False, Fault.PLAN),
    "timeout": (error("timeout", 503), ServiceTrouble, True, Fault.SERVICE),
    "canceled now": (error("canceled", 499), ServiceTrouble, True, Fault.SERVICE),
    "canceled before": (error("canceled", 503), ServiceTrouble, True, Fault.SERVICE),
    "unavailable": (error("unavailable", 500), ServiceTrouble, True, Fault.SERVICE),
    "internal": (error("internal", 500), ServiceTrouble, True, Fault.SERVICE),
    "not_found": (error("not_found", 404), RefusedByService, False, Fault.PLAN),
    "not_acceptable": (error("not_acceptable", 406), RefusedByService, False, Fault.PLAN),
    "a type never heard of, 5xx": (error("whatever", 500), ServiceTrouble, True, Fault.SERVICE),
    "VictoriaMetrics: the status is the type": (error("422", 422), RefusedByService, False, Fault.PLAN),
    "starting, plain text": (as_text("Service Unavailable", 503), ServiceTrouble, True, Fault.SERVICE),
    "a proxy's page": (HTML, BrokenAnswer, True, Fault.SERVICE),
    "a login page": (as_text("<html>log in", 200, "text/html"), BrokenAnswer, True, Fault.SERVICE),
    "another service": (as_text("404 page not found", 404), RefusedByService, False, Fault.PLAN),
    "method not allowed": (as_text("Method Not Allowed", 405), RefusedByService, False, Fault.PLAN),
    "no tenant": (as_text("no org id", 401), RefusedByService, False, Fault.CREDENTIAL),
    "forbidden": (as_json({"message": "no"}, 403), RefusedByService, False, Fault.CREDENTIAL),
    "too many": (as_text("slow down", 429), Throttled, True, Fault.SERVICE),
}


@pytest.mark.parametrize("case", ERRORS)
async def test_an_error_names_its_kind_and_whose_fault_it_is(web: Web, case: str) -> None:
    reply, kind, retryable, fault = ERRORS[case]
    told = await ask_one(web, reply)
    assert isinstance(told, kind)
    assert (told.failure.retryable, told.failure.fault) == (retryable, fault)


async def test_a_starting_source_says_so(web: Web) -> None:
    told = await ask_one(web, as_text("Service Unavailable", 503))
    assert isinstance(told, ServiceTrouble)
    assert "starting" in told.failure.title


@pytest.mark.parametrize("status", [404, 405])
async def test_another_service_at_the_address_points_at_the_plan(web: Web, status: int) -> None:
    told = await ask_one(web, as_text("404 page not found", status))
    assert isinstance(told, RefusedByService)
    assert "check url and base_path" in told.failure.title


@pytest.mark.parametrize("case", TROUBLES)
async def test_no_trouble_makes_a_number_or_leaks(web: Web, case: str) -> None:
    async with scripted(lambda request: TROUBLES[case]) as server:
        source = monitor(web, server.url, 0.5, token={"env": "T"})
        try:
            outcome: object = await source.query(["errors", "all"])
        except AdapterError as error:
            outcome = error
        lines = await source.preflight(["errors"])
    assert_harmless(outcome)
    assert_harmless(lines)
    if isinstance(outcome, Mapping):
        assert all(isinstance(each, AdapterError) for each in outcome.values())
    assert all(line.ok is not True for line in lines if line.question == "gives one number")


@pytest.mark.parametrize(
    "pair",
    [
        None, [], ["x"], [AT_S], [AT_S, 7], [AT_S, None], [AT_S, "7", "8"], ["AT", "7"], [None, "7"],
        [True, "7"], [-1, "7"], [1e18, "7"], [AT_S, ""], [AT_S, "1_000"], [AT_S, "seven"], [AT_S, "7" * 65],
        {"0": AT_S}, "17", 7,
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["vector", "scalar"])
async def test_a_misshapen_value_is_a_broken_answer(web: Web, kind: str, pair: object) -> None:
    value = pair if kind == "scalar" else [{"metric": {}, "value": pair}]
    assert isinstance(await ask_one(web, as_json(result(kind, value))), BrokenAnswer)


@pytest.mark.parametrize("warnings", ["text", 1, {"a": 1}, [1], [None], [["x"]]])
async def test_misshapen_warnings_do_not_count_as_none(web: Web, warnings: object) -> None:
    assert isinstance(await ask_one(web, as_json(vector("7", warnings=warnings))), BrokenAnswer)


async def test_a_number_too_large_for_a_float_is_not_finite_or_broken_but_never_a_value(web: Web) -> None:
    told = await ask_one(web, as_json(vector("1e999")))
    assert isinstance(told, BrokenAnswer)


class Source:
    """Answers each expression from a table and remembers the forms that it was sent."""

    def __init__(self, answers: Mapping[str, Reply]) -> None:
        self.answers = answers

    def __call__(self, request: Request) -> Reply:
        return self.answers.get(request.form("query") or "", as_json(vector("1")))


async def test_all_expressions_are_evaluated_when_the_source_evaluated_the_first(web: Web) -> None:
    async with scripted(Source({})) as server:
        answers = await monitor(web, server.url).query(["bad", "total", "more", "bad"])
        times = {request.form("query"): request.form("time") for request in server.requests}
    assert set(answers) == {"bad", "total", "more"}
    assert times == {"bad": None, "total": f"{AT_S:.3f}", "more": f"{AT_S:.3f}"}


async def test_a_first_expression_without_samples_leaves_the_time_to_the_source(web: Web) -> None:
    async with scripted(Source({"bad": as_json(result("vector", []))})) as server:
        answers = await monitor(web, server.url).query(["bad", "total"])
        times = [request.form("time") for request in server.requests]
    assert times == [None, None]
    first, second = answers["bad"], answers["total"]
    assert isinstance(first, Sample) and first.quality is Quality.NO_DATA
    assert isinstance(second, Sample) and second.value == 1.0


@pytest.mark.parametrize("broken", ["a", "b"])
@pytest.mark.parametrize(("kind", "status"), [("bad_data", 400), ("execution", 422), ("timeout", 503)])
async def test_a_query_that_fails_costs_only_its_own_number(
    web: Web, broken: str, kind: str, status: int
) -> None:
    async with scripted(Source({broken: error(kind, status)})) as server:
        answers = await monitor(web, server.url).query(["a", "b", "c"])
    assert {name for name, answer in answers.items() if isinstance(answer, AdapterError)} == {broken}


async def test_trouble_of_the_source_is_told_once_and_asked_once(web: Web) -> None:
    async with scripted(lambda request: as_text("Service Unavailable", 503)) as server:
        with pytest.raises(ServiceTrouble):
            await monitor(web, server.url).query(["a", "b", "c"])
        assert len(server.requests) == 1


async def test_nothing_asked_is_nothing_sent(web: Web) -> None:
    async with scripted(Source({})) as server:
        assert await monitor(web, server.url).query([]) == {}
        assert server.requests == []


async def test_a_hanging_source_is_unreachable_within_the_time_limit(web: Web) -> None:
    async with scripted(lambda request: Hang()) as server:
        with pytest.raises(Unreachable) as caught:
            await monitor(web, server.url, 0.2).query(["a", "b"])
        assert server.requests[0].form("timeout") == "200ms"
    assert caught.value.failure.retryable


async def test_base_path_token_and_tenant_are_sent(web: Web) -> None:
    async with scripted(Source({})) as server:
        source = monitor(
            web, server.url + "/", base_path="/api/prom", token={"env": "T"}, tenant="team-a|team-b"
        )
        await source.query(["up"])
        (request,) = server.requests
    assert request.method == "POST"
    assert request.path == "/api/prom/api/v1/query"
    assert request.headers["authorization"].startswith("Bearer ")
    assert request.headers["x-scope-orgid"] == "team-a|team-b"


def preflight_source(date: datetime | None, version: object = "2.42.0+ds") -> Source:
    class Told(Source):
        def __call__(self, request: Request) -> Reply:
            if not request.path.endswith("/status/buildinfo"):
                return super().__call__(request)
            data = {} if version is None else {"version": version}
            dated = {} if date is None else {"date": date.strftime("%a, %d %b %Y %H:%M:%S GMT")}
            return as_json({"status": "success", "data": data}, 200, **dated)

    return Told(
        {
            "none": as_json(result("vector", [])),
            "wrong": error("bad_data", 400),
            "two": as_json(vector("1", "2")),
        }
    )


async def test_preflight_tells_what_the_plan_must_change_from_what_cannot_be_told(web: Web) -> None:
    async with scripted(preflight_source(NOW)) as server:
        lines = await monitor(web, server.url).preflight(["good", "none", "wrong", "two"])
    told = {(line.subject, line.question): line.ok for line in lines}
    address = f"127.0.0.1:{server.port}"
    assert told == {
        (address, "answers as Prometheus"): True,
        (address, "its clock agrees with ours"): True,
        ("good", "gives one number"): True,
        ("none", "gives one number"): None,
        ("wrong", "gives one number"): False,
        ("two", "gives one number"): False,
    }
    assert lines[0].detail == "version 2.42.0+ds"


@pytest.mark.parametrize(
    ("skew_s", "ok", "words"),
    [
        (0, True, "within"),
        (-1, True, "within"),
        (90, False, "90 s ahead"),
        (-90, False, "90 s behind"),
        (2, False, ""),
    ],
)
async def test_preflight_compares_clocks(web: Web, skew_s: int, ok: bool, words: str) -> None:
    async with scripted(preflight_source(NOW + timedelta(seconds=skew_s))) as server:
        line = (await monitor(web, server.url).preflight([]))[1]
    assert line.ok is ok
    assert words in line.detail


async def test_preflight_without_a_date_cannot_tell_about_clocks(web: Web) -> None:
    async with scripted(preflight_source(None)) as server:
        line = (await monitor(web, server.url).preflight([]))[1]
    assert line.ok is None


@pytest.mark.parametrize("version", [None, 3])
async def test_preflight_takes_a_source_without_a_version(web: Web, version: Any) -> None:
    async with scripted(preflight_source(NOW, version)) as server:
        line = (await monitor(web, server.url).preflight([]))[0]
    assert (line.ok, line.detail) == (True, "version not told")


async def test_preflight_of_a_dead_source_stops_at_the_first_line(web: Web) -> None:
    async with scripted(Source({})) as server:
        dead = server.url
    lines = await monitor(web, dead).preflight(["good"])
    assert [line.ok for line in lines] == [False]
    assert "refused" in lines[0].detail


async def test_a_connection_closed_while_idle_is_asked_again(web: Web) -> None:
    async with scripted(Source({})) as server:
        source = monitor(web, server.url)
        await source.query(["a"])
        server.close_connections()
        assert isinstance((await source.query(["a"]))["a"], Sample)
