from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.practice.promql import BadQuery, Value, evaluate, written
from cockpit.practice.traffic import Series, series

COUNTERS: dict[Series, int] = {
    series("hits", backend="legacy", outcome="ok"): 70,
    series("hits", backend="legacy", outcome="error"): 2,
    series("hits", backend="new", outcome="ok"): 24,
    series("hits", backend="new", outcome="error"): 4,
    series("none", backend="new"): 0,
}


def told(query: str) -> Value:
    return evaluate(query, COUNTERS)


def number(query: str) -> float:
    value = told(query)
    assert isinstance(value, dict)
    ((labels, only),) = value.items()
    assert labels == ()
    return only


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("sum(hits)", 100),
        ('sum(hits{backend="new"})', 28),
        ('sum(hits{backend="new",outcome="error"})', 4),
        ('sum(hits{backend=~"new|legacy", outcome!="ok"})', 6),
        ('sum(hits{backend!~"n.*"})', 72),
        ("sum(hits{outcome='ok',})", 94),
        ("vector(0)", 0),
        ("sum(missing) or vector(0)", 0),
        ("sum(hits) or vector(0)", 100),
        ('sum(hits{outcome="error"}) / sum(hits)', 0.06),
        ("(sum(missing) or vector(0)) / (sum(hits) or vector(0))", 0),
        ("sum(hits) * 2 + 1", 201),
        ("1 + sum(hits) * 2", 201),
        ("sum(hits) - sum(hits)", 0),
        ("sum(sum by (backend) (hits))", 100),
        ("vector(1 / 4)", 0.25),
    ],
)
def test_one_number(query: str, value: float) -> None:
    assert number(query) == pytest.approx(value)


def test_scalars() -> None:
    assert told("2.5") == 2.5
    assert told("1 / 4") == 0.25


def test_selectors_keep_their_name_and_arithmetic_drops_it() -> None:
    one = (("__name__", "hits"), ("backend", "new"), ("outcome", "ok"))
    assert told('hits{backend="new",outcome="ok"}') == {one: 24.0}
    assert told('hits{backend="new",outcome="ok"} / 2') == {one[1:]: 12.0}
    assert told('2 / hits{backend="new",outcome="ok"}') == {one[1:]: 2 / 24}


def test_sums_by_label_match_label_by_label() -> None:
    by = (("backend", "legacy"),), (("backend", "new"),)
    assert told("sum by (backend) (hits)") == {by[0]: 72.0, by[1]: 28.0}
    share = told('sum by (backend) (hits{outcome="error"}) / sum by (backend) (hits)')
    assert share == {by[0]: 2 / 72, by[1]: 4 / 28}
    assert told("sum by (backend, nothing) (none) / sum by (backend) (hits)") == {by[1]: 0.0}


def test_or_adds_only_what_is_missing_on_the_left() -> None:
    value = told("sum by (backend) (none) or sum by (backend) (hits)")
    assert value == {(("backend", "new"),): 0.0, (("backend", "legacy"),): 72.0}


def test_no_series_is_empty_and_not_zero() -> None:
    assert told("sum(missing)") == {}
    assert told("sum(missing) / sum(hits)") == {}


def test_dividing_by_nothing() -> None:
    assert math.isnan(number("sum(none) / sum(none)"))
    assert number("sum(hits) / sum(none)") == math.inf
    assert number("vector(0) - sum(hits) / sum(none)") == -math.inf


@pytest.mark.parametrize(
    "query",
    [
        "",
        "rate(hits[5m])",
        "sum(rate(hits[5m]))",
        "sum(hits",
        "sum(hits))",
        "hits{backend=new}",
        "hits{backend}",
        "hits{backend~'x'}",
        'hits{backend=~"("}',
        "histogram_quantile(0.95, hits)",
        "sum without (backend) (hits)",
        "hits > 3",
        "sum(3)",
        "1 or 2",
        "or",
        "vector(hits)",
        "hits offset 5m",
        'hits{a="b" c="d"}',
        "hits # comment",
        "\x00",
    ],
)
def test_everything_else_is_an_error_and_never_silently_empty(query: str) -> None:
    with pytest.raises(BadQuery):
        told(query)


@given(st.text(max_size=40))
def test_no_text_breaks_it(query: str) -> None:
    try:
        told(query)
    except BadQuery as problem:
        assert "parse error" in str(problem)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.0, "12"),
        (0.0, "0"),
        (0.001, "0.001"),
        (1e-05, "0.00001"),
        (1e21, "1000000000000000000000"),
        (100.0, "100"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_numbers_are_written_as_prometheus_writes_them(value: float, text: str) -> None:
    assert written(value) == text
