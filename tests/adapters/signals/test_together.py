"""One request for many queries says of each exactly what it says alone, whatever the others say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError, BrokenAnswer, Throttled, Unreachable
from cockpit.adapters.http import HttpHost
from cockpit.adapters.http_answer import Answer
from cockpit.adapters.signals.instant import read_error, read_sample, read_typed
from cockpit.adapters.signals.prometheus import PrometheusMonitor
from cockpit.adapters.signals.together import LONGEST_QUERY, MARK, Question, Together
from cockpit.core.model import Failure, Quality, Sample
from tests.adapters.signals.test_prometheus_answers import AT_S, HISTOGRAM, result, vector

Told = Mapping[str, Any]
"""The body that a server gives to one expression alone."""

WARNED = "remote_read: refused"
VECTORS: Sequence[Told] = [
    vector("7"),
    vector("0"),
    vector("NaN"),
    vector("+Inf"),
    vector("-3"),
    vector("1", "2"),
    result("vector", []),
    result("vector", [HISTOGRAM]),
    vector("7", infos=["a hint"]),
    vector("7", warnings=[WARNED]),
    {**result("vector", []), "warnings": [WARNED]},
]
SCALARS: Sequence[Told] = [result("scalar", [AT_S, "0.21"]), result("scalar", [AT_S, "NaN"])]
OTHERS: Sequence[Told] = [
    result("string", [AT_S, "x"]),
    result("matrix", [{"metric": {}, "values": [[AT_S, "1"]]}]),
]
ERRORS: Sequence[Told] = [
    {"status": "error", "errorType": "bad_data", "error": "parse error"},
    {"status": "error", "errorType": "execution", "error": "many-to-many matching not allowed"},
    {"status": "error", "errorType": "timeout", "error": "query timed out"},
]
STATUS = {"bad_data": 400, "execution": 422, "timeout": 503}
PART = re.compile(rf'label_replace\((vector)?\((\w+)\n\), "{MARK}", "(\d+)", "", ""\)')


@dataclass
class Source:
    """Evaluates single queries from a table, and joined ones as Prometheus does."""

    table: dict[str, Told] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    times: list[str | None] = field(default_factory=list)
    takes_joined: bool = True
    whole: AdapterError | None = None

    async def read_post(self, path: str, *, form: Mapping[str, str], retry: bool) -> Answer:
        query = form["query"]
        self.asked.append(query)
        self.times.append(form.get("time"))
        if self.whole is not None:
            raise self.whole
        body = self.table[query] if query in self.table else self._joined(query)
        status = STATUS[body["errorType"]] if body["status"] == "error" else 200
        return Answer(
            status=status, headers={}, body=json.dumps(body).encode(), took_s=0.01, server_time=None
        )

    def _joined(self, query: str) -> Told:
        parts = query.split(" or ")
        if not self.takes_joined:
            return ERRORS[0]
        found, warnings = list[object](), list[str]()
        for part in parts:
            match = PART.fullmatch(part)
            assert match is not None, f"not a joined query: {part}"
            told = self.table[match[2]]
            if told["status"] == "error":
                return told
            kind = told["data"]["resultType"]
            if kind != ("scalar" if match[1] else "vector"):
                return ERRORS[0]
            warnings += told.get("warnings", [])
            series = told["data"]["result"]
            for each in [{"metric": {}, "value": series}] if match[1] else series:
                found.append({**each, "metric": {**each["metric"], MARK: match[3]}})
        return {**result("vector", found), **({"warnings": warnings} if warnings else {})}

    def monitor(self) -> PrometheusMonitor:
        return PrometheusMonitor(cast(HttpHost, self), base_path="", timeout_s=5.0, clock=None)

    async def poll(self, monitor: PrometheusMonitor) -> Mapping[str, object]:
        self.asked.clear()
        return {each: _plain(answer) for each, answer in (await monitor.query(tuple(self.table))).items()}


def _plain(answer: Sample | AdapterError) -> object:
    return (type(answer), answer.failure) if isinstance(answer, AdapterError) else answer


def alone(body: Told) -> object:
    if body["status"] == "error":
        error = read_error(STATUS[body["errorType"]], body)
        assert error is not None
        return _plain(error)
    return read_sample(body)


def names(count: int) -> tuple[str, ...]:
    return tuple(f"asks_{n}" for n in range(count))


@given(st.data())
async def test_joined_and_single_answers_are_equal_poll_for_poll(data: st.DataObject) -> None:
    """What an expression is (a vector, a scalar) never changes; what it says may, from poll to poll."""
    kinds = data.draw(st.lists(st.sampled_from([VECTORS, SCALARS, OTHERS]), min_size=1, max_size=6))
    source = Source(takes_joined=data.draw(st.booleans()))
    monitor = source.monitor()
    for _ in range(data.draw(st.integers(1, 5))):
        for name, kind in zip(names(len(kinds)), kinds, strict=True):
            source.table[name] = data.draw(st.sampled_from([*kind, *kind, *ERRORS]))
        assert await source.poll(monitor) == {name: alone(body) for name, body in source.table.items()}


def healthy(count: int = 17) -> Source:
    return Source({name: vector(str(n)) for n, name in enumerate(names(count))})


async def test_after_the_first_poll_all_is_one_request() -> None:
    source = healthy()
    monitor = source.monitor()
    first = await source.poll(monitor)
    assert len(source.asked) == 17
    assert await source.poll(monitor) == first
    assert len(source.asked) == 1


async def test_scalars_take_part() -> None:
    source = Source({"a": SCALARS[0], "b": vector("3")})
    monitor = source.monitor()
    await source.poll(monitor)
    assert (await source.poll(monitor))["a"] == alone(SCALARS[0])
    assert len(source.asked) == 1


async def test_preflight_learns_what_a_poll_then_asks_at_once() -> None:
    source = healthy()
    monitor = source.monitor()
    for name in source.table:
        await monitor._follow(name, None)
    await source.poll(monitor)
    assert len(source.asked) == 1


async def test_one_that_fails_is_asked_alone_until_it_does_well_again() -> None:
    source = healthy()
    monitor = source.monitor()
    await source.poll(monitor)
    source.table["asks_3"] = ERRORS[1]
    answers = await source.poll(monitor)
    assert answers["asks_3"] == alone(ERRORS[1]) and answers["asks_4"] == alone(vector("4"))
    assert len(source.asked) == 1 + 17
    await source.poll(monitor)
    assert len(source.asked) == 1 + 1
    source.table["asks_3"] = vector("5")
    await source.poll(monitor)
    assert len(source.asked) == 2
    assert (await source.poll(monitor))["asks_3"] == alone(vector("5"))
    assert len(source.asked) == 1


async def test_a_warning_withholds_the_number_that_it_is_about_and_no_other() -> None:
    source = healthy(3)
    monitor = source.monitor()
    await source.poll(monitor)
    source.table["asks_1"] = vector("1", warnings=[WARNED])
    answers = await source.poll(monitor)
    qualities = [cast(Sample, answers[name]).quality for name in names(3)]
    assert qualities == [Quality.GOOD, Quality.PARTIAL, Quality.GOOD]


async def test_a_source_that_takes_no_joined_query_is_tried_less_and_less_often() -> None:
    source = healthy(3)
    source.takes_joined = False
    monitor, tried = source.monitor(), []
    for poll in range(40):
        await source.poll(monitor)
        if len(source.asked) > 3:
            tried.append(poll)
    assert tried == [1, 4, 9, 18, 35]
    source.takes_joined = True
    for _ in range(40):
        await source.poll(monitor)
    assert len(source.asked) == 1


@pytest.mark.parametrize("kind", [Unreachable, Throttled])
async def test_a_source_in_trouble_is_asked_once_and_then_one_by_one(kind: type[AdapterError]) -> None:
    source = healthy(4)
    monitor = source.monitor()
    await source.poll(monitor)
    source.whole = kind(Failure(title="no"))
    for _ in range(3):
        with pytest.raises(kind):
            await source.poll(monitor)
        assert len(source.asked) == 1
    source.whole = None
    counts = []
    for _ in range(4):
        await source.poll(monitor)
        counts.append(len(source.asked))
    assert counts == [4, 4, 1, 1]


async def test_what_is_asked_alone_beside_the_others_is_evaluated_at_their_instant() -> None:
    source = healthy(3)
    source.table["patchy"] = vector("1", warnings=[WARNED])
    monitor = source.monitor()
    await source.poll(monitor)
    source.times.clear()
    await source.poll(monitor)
    assert source.asked[-1] == "patchy"
    assert source.times == [None, f"{AT_S:.3f}"]


async def test_a_long_list_is_several_requests_of_one_instant() -> None:
    source = Source({f"asks_{n}_{'x' * 200}": vector("1") for n in range(100)})
    monitor = source.monitor()
    await source.poll(monitor)
    source.times.clear()
    await source.poll(monitor)
    assert 1 < len(source.asked) < 5
    assert max(len(query.encode()) for query in source.asked) <= LONGEST_QUERY
    assert source.times == [None, *[f"{AT_S:.3f}"] * (len(source.asked) - 1)]


def test_an_expression_too_long_to_be_joined_is_asked_alone() -> None:
    together = Together()
    for each in ("a", "b", "x" * LONGEST_QUERY):
        together.told_alone(each, *read_typed(vector("1")))
    (question,) = together.questions(["a", "x" * LONGEST_QUERY, "b"])
    assert question.expressions == ("a", "b")


def test_a_comment_ends_with_its_line() -> None:
    together = Together()
    for each in ("a # all of them", "b"):
        together.told_alone(each, *read_typed(vector("1")))
    (question,) = together.questions(["a # all of them", "b"])
    assert question.query == (
        'label_replace((a # all of them\n), "cockpit_asks", "0", "", "")'
        ' or label_replace((b\n), "cockpit_asks", "1", "", "")'
    )


def marked(*marks: str | None, at_s: Sequence[float] = (AT_S, AT_S)) -> Told:
    series = [
        {"metric": {} if mark is None else {MARK: mark}, "value": [at, "1"]}
        for mark, at in zip(marks, at_s, strict=True)
    ]
    return result("vector", series)


@pytest.mark.parametrize(
    "body",
    [
        marked("0", "2"),
        marked("0", None),
        marked("0", ""),
        marked("0", "01"),
        marked("0", "1", at_s=(AT_S, AT_S + 1)),
        {**marked("0", "1"), "warnings": [WARNED]},
        result("vector", ["x"]),
        result("vector", [{"metric": [], "value": [AT_S, "1"]}]),
        result("scalar", [AT_S, "1"]),
        result("matrix", []),
    ],
)
def test_what_cannot_be_told_apart_is_no_answer(body: Told) -> None:
    with pytest.raises(BrokenAnswer):
        Question(query="", expressions=("a", "b")).apart(body)


def test_series_come_in_any_order_and_each_goes_where_its_mark_says() -> None:
    body = vector("1", "2", "3")
    for series, mark in zip(cast(Any, body)["data"]["result"], ("2", "0", "2"), strict=True):
        series["metric"] = {MARK: mark}
    told = Question(query="", expressions=("a", "b", "c")).apart(body)
    assert (told["a"].value, told["b"].quality) == (2.0, Quality.NO_DATA)
    assert "2 series" in told["c"].note
    assert isinstance(told["a"].source_time, datetime)
