"""Pages of metrics, read strictly: what is summed, what spoils a sum, and what is no page."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.signals.exposition import (
    LINES_LIMIT,
    UnreadableExpression,
    UnreadablePage,
    evaluate,
    names,
    read_expression,
    read_page,
)
from cockpit.core.model import Quality, Sample
from tests.adapters.probes.hostile import EVIL, assert_harmless

PAGE = """\
# HELP http_requests_total Requests, by \\"side\\".
# TYPE http_requests_total counter
http_requests_total{backend="legacy",code="200"} 100
http_requests_total{backend="legacy",code="500"} 3
http_requests_total{backend="new",code="200",} 4e1
http_requests_total{ backend = "new" , code = "503" }\t2
http_requests_totals{backend="new"} 999
escaped{path="C:\\\\dir\\n\\"x\\"",brace="}{"} 7
bare 12
not_a_number NaN
endless{side="new"} +Inf
dated 5 1795176000000
# TYPE took_seconds histogram
took_seconds_bucket{le="0.2"} 7
took_seconds_bucket{le="+Inf"} 10
took_seconds_count 10
"""

# The OpenMetrics 1.0 specification's own example, shortened.
OPEN = """\
# TYPE acme_http_router_request_seconds summary
# UNIT acme_http_router_request_seconds seconds
acme_http_router_request_seconds_sum{path="/api/v1",method="GET"} 9036.32
acme_http_router_request_seconds_count{path="/api/v1",method="GET"} 807283.0
acme_http_router_request_seconds_created{path="/api/v1",method="GET"} 1605281325.0
# TYPE foo counter
foo_total 17.0 1520879607.789 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.789
foo_created 1520430000.123
# EOF
"""


def ask(
    expression: str, page: str = PAGE, *, open_metrics: bool = False, now: datetime | None = None
) -> Sample:
    selectors = read_expression(expression)
    points = read_page(page, frozenset(names(selectors)), open_metrics=open_metrics)
    return evaluate(selectors, points, now)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("http_requests_total", 145),
        ('http_requests_total{backend="new"}', 42),
        ('sum(http_requests_total{backend="new"})', 42),
        (' sum ( http_requests_total { backend = "new" , code="503", } ) ', 2),
        ('http_requests_total{backend!="new"}', 103),
        ('http_requests_total{code=~"5.."}', 5),
        ('http_requests_total{code!~"5.."}', 140),
        ('http_requests_total{code=~"5"} + bare', None),
        ('http_requests_total{region=""}', 145),
        ('escaped{path="C:\\\\dir\\n\\"x\\""}', 7),
        ('escaped{brace="}{"}', 7),
        ("bare", 12),
        ("dated", 5),
        ('took_seconds_count - took_seconds_bucket{le="0.2"}', 3),
        ("sum(bare) + sum(dated) + bare", 29),
    ],
)
def test_what_matches_is_summed(expression: str, value: float | None) -> None:
    sample = ask(expression)
    assert sample.value == value
    assert (sample.quality is Quality.GOOD) == (value is not None)


@pytest.mark.parametrize(
    ("expression", "quality", "words"),
    [
        ("nowhere", Quality.NO_DATA, "not zero"),
        ('http_requests_total{backend="third"}', Quality.NO_DATA, "not zero"),
        ("bare + nowhere", Quality.NO_DATA, "nowhere"),
        ("not_a_number", Quality.NOT_FINITE, "NaN or infinite"),
        ("bare + endless", Quality.NOT_FINITE, "NaN or infinite"),
        ("dated - bare", Quality.ERROR, "negative"),
    ],
)
def test_what_is_no_number_is_told_apart(expression: str, quality: Quality, words: str) -> None:
    sample = ask(expression)
    assert (sample.value, sample.quality) == (None, quality)
    assert words in sample.note


@pytest.mark.parametrize(
    "expression",
    [
        "", " ", "{}", "1", "a{", "a{b}", "a{b=1}", 'a{b="1}', 'a{b="1" c="2"}', "a b", "a +", "- a", "a * b",
        "rate(a[5m])", "sum(a", "sum(sum(a))", 'a{b=~"["}', "a[5m]", "a{b=\"1\"}}", "größe", EVIL,
    ],
)  # fmt: skip
def test_an_expression_that_is_no_selector_is_refused(expression: str) -> None:
    with pytest.raises(UnreadableExpression) as caught:
        read_expression(expression)
    assert_harmless(str(caught.value))


@pytest.mark.parametrize(
    "line",
    [
        "a", "a ", "a{} ", "a one", "a 1_000", "a 0x10", "a 1 2 3", "a 1 yesterday", "a 1 -5", "a 1e999",
        'a{b="1"', 'a{b="1" c="2"} 1', 'a{b=1} 1', 'a{b="1",b="2"} 1', 'a{"b"="1"} 1',
        "a" + " " * 20_000 + "1", f"a {EVIL.splitlines()[0]}",
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_spoils_its_metric_and_no_other(line: str) -> None:
    page = f'a{{c="x"}} 1\n{line}\nb 2\n'
    for expression in ("a", 'a{c="x"}', 'a{c="y"}'):
        sample = ask(expression, page)
        assert (sample.value, sample.quality) == (None, Quality.ERROR)
        assert "cannot be read" in sample.note
        assert_harmless(sample)
    assert ask("b", page).value == 2


def test_the_same_series_twice_is_not_counted_twice() -> None:
    sample = ask("a", 'a{x="1",y="2"} 1\na{y="2",x="1"} 1\n')
    assert (sample.value, sample.quality) == (None, Quality.ERROR)
    assert "twice" in sample.note


def test_a_number_that_is_old_by_its_own_word_is_no_data() -> None:
    now = datetime(2026, 11, 20, 12, 4, 59, tzinfo=UTC)
    assert ask("dated + bare", now=now).value == 17
    sample = ask("dated + bare", now=now.replace(minute=6))
    assert (sample.value, sample.quality) == (None, Quality.NO_DATA)
    assert "419 s ago" in sample.note


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("", "not one metric"),
        ("a 1", "cut short"),
        (PAGE[:-1], "cut short"),
        ("\n", "not one metric"),
        ("hello world, sign in\n", "not one metric"),
        ('{"status": "ok"}\n', "not one metric"),
        ("a 1\n" * (LINES_LIMIT + 1), "lines"),
        ("a 1\n" * 30_000, "series"),
    ],
)
def test_what_is_no_whole_page_is_refused(page: str, words: str) -> None:
    with pytest.raises(UnreadablePage, match=words):
        read_page(page, frozenset({"a"}), open_metrics=False)


def test_open_metrics_are_read_with_their_exemplars() -> None:
    assert ask("foo_total", OPEN, open_metrics=True).value == 17
    moment = ask("foo_total", OPEN, open_metrics=True).source_time
    assert moment is not None and moment.year == 2018
    count = 'acme_http_router_request_seconds_count{path="/api/v1"}'
    assert ask(count, OPEN, open_metrics=True).value == 807283


@pytest.mark.parametrize("page", [OPEN.replace("# EOF\n", ""), OPEN[:200], OPEN + "foo_total 18\n"])
def test_open_metrics_without_their_end_are_cut_short(page: str) -> None:
    with pytest.raises(UnreadablePage, match="cut short"):
        read_page(page, frozenset({"foo_total"}), open_metrics=True)


def test_windows_line_ends_change_nothing() -> None:
    assert ask("http_requests_total", PAGE.replace("\n", "\r\n")).value == 145


@given(st.text(max_size=200), st.text(alphabet='a{}b="\\n ,.1NI+-#', max_size=60))
def test_any_page_gives_a_sample_or_is_refused(text: str, line: str) -> None:
    page = f"# TYPE a counter\na 1\n{text}\n{line}\na{line}\n"
    try:
        sample = ask("a", page)
    except UnreadablePage:
        return
    assert_harmless(sample)
    assert (sample.value is None) == (sample.quality is not Quality.GOOD)
    assert sample.value is None or (math.isfinite(sample.value) and sample.value >= 0)


@given(st.text(max_size=80) | st.text(alphabet='ab{}="\\n ,~!+-()sum', max_size=60))
def test_any_expression_is_read_or_refused(text: str) -> None:
    try:
        selectors = read_expression(text)
    except UnreadableExpression as refusal:
        assert_harmless(str(refusal))
        return
    assert_harmless(evaluate(selectors, {name: [] for name in names(selectors)}, None))
