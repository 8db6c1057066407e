"""The double against answers recorded from Prometheus 2.42; the shapes stand here as literals."""

from __future__ import annotations

from typing import Any

import pytest

from cockpit.practice.faults import make_fault
from tests.practice.conftest import Lab


def asked(lab: Lab, path: str = "query", **params: str) -> Any:
    return lab.client.get(lab.url("prometheus", f"/api/v1/{path}"), params=params)


def test_an_instant_vector(lab: Lab) -> None:
    lab.clock.move(10.0004)
    answer = asked(lab, query='cutover_writes_total{backend="new"}')
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                {
                    "metric": {"__name__": "cutover_writes_total", "backend": "new"},
                    "value": [1772593210.0, "0"],
                }
            ],
        },
    }


def test_a_sum_has_no_labels_and_a_number_is_a_scalar(lab: Lab) -> None:
    (summed,) = asked(lab, query="sum(cutover_writes_total)").json()["data"]["result"]
    assert summed["metric"] == {}
    assert asked(lab, query="3").json()["data"] == {"resultType": "scalar", "result": [1772593200.0, "3"]}
    empty = asked(lab, query="no_such_metric").json()
    assert empty == {"status": "success", "data": {"resultType": "vector", "result": []}}


def test_a_form_does_as_well(lab: Lab) -> None:
    lab.clock.move(5)
    url = lab.url("prometheus", "/api/v1/query")
    answer = lab.client.post(url, data={"query": "sum(cutover_writes_total)", "timeout": "2s"})
    assert answer.status_code == 200
    assert lab.client.post(url, data={"timeout": "2s"}).status_code == 400


def test_the_time_of_an_answer_gives_the_same_numbers_again(lab: Lab) -> None:
    query = "sum(cutover_requests_total)"
    lab.clock.move(20.3337)
    (first,) = asked(lab, query=query).json()["data"]["result"]
    lab.clock.move(6)
    (again,) = asked(lab, query=query, time=str(first["value"][0])).json()["data"]["result"]
    assert again == first
    (later,) = asked(lab, query=query).json()["data"]["result"]
    assert float(later["value"][1]) > float(first["value"][1])
    (rfc,) = asked(lab, query=query, time="2026-03-04T03:00:20.333Z").json()["data"]["result"]
    assert rfc == first


def test_a_range(lab: Lab) -> None:
    lab.clock.move(30)
    query = {"query": "sum(cutover_requests_total)", "start": "1772593205", "end": "1772593225", "step": "5"}
    data = asked(lab, "query_range", **query).json()["data"]
    assert data["resultType"] == "matrix"
    (series,) = data["result"]
    assert [moment for moment, _ in series["values"]] == [1772593205 + 5 * step for step in range(5)]
    numbers = [float(text) for _, text in series["values"]]
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[-1]
    nothing = asked(lab, "query_range", **(query | {"query": "nope"})).json()
    assert nothing == {"status": "success", "data": {"resultType": "matrix", "result": []}}


@pytest.mark.parametrize(
    ("path", "params", "error"),
    [
        ("query", {"query": "sum(x"}, 'invalid parameter "query": 1:6: parse error: unexpected end of input'),
        ("query", {"query": ""}, 'invalid parameter "query": 1:1: parse error: no expression found in input'),
        (
            "query",
            {"query": "up", "time": "yesterday"},
            "invalid parameter \"time\": Invalid time value for 'time': "
            'cannot parse "yesterday" to a valid timestamp',
        ),
        (
            "query",
            {"query": "up", "timeout": "abc"},
            'invalid parameter "timeout": cannot parse "abc" to a valid duration',
        ),
        (
            "query",
            {"query": "up", "timeout": "3.75s"},
            'invalid parameter "timeout": cannot parse "3.75s" to a valid duration',
        ),
        (
            "query_range",
            {"query": "up", "start": "10", "end": "5", "step": "1"},
            'invalid parameter "end": end timestamp must not be before start time',
        ),
        (
            "query_range",
            {"query": "up", "start": "1", "end": "5", "step": "0"},
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
            "Try a positive integer",
        ),
        (
            "query_range",
            {"query": "up", "start": "1", "end": "86401", "step": "1s"},
            "exceeded maximum resolution of 11,000 points per timeseries. "
            "Try decreasing the query resolution (?step=XX)",
        ),
    ],
)
def test_what_it_cannot_read(lab: Lab, path: str, params: dict[str, str], error: str) -> None:
    answer = asked(lab, path, **params)
    assert answer.status_code == 400
    body = answer.json()
    assert (body["status"], body["errorType"]) == ("error", "bad_data")
    assert body["error"].startswith(error)


def test_durations_with_a_unit_are_whole(lab: Lab) -> None:
    for good in ("2", "1.5", "1500ms", "5s", "1h30m"):
        assert asked(lab, query="1", timeout=good).status_code == 200
    for bad in ("1.5s", "", "s", "3x", "30m1h"):
        assert asked(lab, query="1", timeout=bad).status_code == 400


def test_the_pages_around_it(lab: Lab) -> None:
    assert lab.get("prometheus", "/-/healthy").text == "Prometheus Server is Healthy.\n"
    assert lab.get("prometheus", "/-/ready").text == "Prometheus Server is Ready.\n"
    build = asked(lab, "status/buildinfo").json()["data"]
    assert set(build) == {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}
    assert asked(lab, "alerts").json() == {"status": "success", "data": {"alerts": []}}
    assert asked(lab, "rules").json() == {"status": "success", "data": {"groups": []}}
    (target,) = asked(lab, "targets").json()["data"]["activeTargets"]
    assert target["scrapeUrl"] == lab.url("metrics", "/metrics")
    assert target["health"] == "up"
    missing = asked(lab, "nope")
    assert (missing.status_code, missing.text) == (404, "404 page not found\n")


def test_a_real_prometheus_could_scrape_it(lab: Lab) -> None:
    lab.clock.move(30)
    answer = lab.get("metrics", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert "# TYPE cutover_requests_total counter" in lines
    assert "# TYPE cutover_open_streams gauge" in lines
    samples = [line for line in lines if not line.startswith("#")]
    assert len(samples) == len(lab.practice.world.counters())
    ok = 'cutover_requests_total{backend="legacy",flag="chat_reads",outcome="ok"} '
    (line,) = [each for each in samples if each.startswith(ok)]
    assert float(line.removeprefix(ok)) == lab.count(f"sum({ok.strip()})")


def test_metrics_that_say_nothing(lab: Lab) -> None:
    query = "sum(cutover_requests_total)"
    lab.clock.move(5)
    lab.practice.world.inject(make_fault("metrics_nan"))
    (spoiled,) = asked(lab, query=query).json()["data"]["result"]
    assert spoiled["value"][1] == "NaN"
    lab.practice.world.inject(make_fault("metrics_empty"))
    assert asked(lab, query=query).json()["data"] == {"resultType": "vector", "result": []}
    lab.practice.world.clear()
    lab.practice.world.inject(make_fault("metrics_warnings"))
    partial = asked(lab, query=query).json()
    assert partial["status"] == "success"
    assert partial["warnings"][0].startswith("remote_read: error sending request")
    assert len(partial["data"]["result"]) == 1
