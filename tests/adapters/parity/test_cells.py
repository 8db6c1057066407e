"""Rows as stores tell them: what can be compared, and what is refused before anything is compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.parity.cells import cell, key_text, keyed, moment, sampled_keys

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "made"),
    [
        (None, None),
        ("x", "x"),
        (True, True),
        (NOON, NOON),
        (Decimal("3"), 3),
        (Decimal("3.5"), 3.5),
        ({"b": 1, "a": [1, 2]}, '{"a":[1,2],"b":1}'),
        (("a", "b"), '["a","b"]'),
    ],
)
def test_a_value_becomes_something_that_can_be_compared(raw: object, made: object) -> None:
    assert cell(raw) == made
    assert type(cell(raw)) is type(made)


@pytest.mark.parametrize("raw", [float("nan"), float("inf"), Decimal("NaN"), b"bytes", {"a": float("nan")}])
def test_what_cannot_be_compared_is_refused(raw: object) -> None:
    with pytest.raises(BrokenAnswer):
        cell(raw)


def test_keys_are_text_whatever_legacy_had() -> None:
    assert key_text(17) == "17"
    assert sampled_keys([1, "1", 2, 3], 2) == ("1", "2")


@pytest.mark.parametrize("raw", [None, "", True, 1.5, ["a"], "k" * 501])
def test_what_is_no_key_is_refused(raw: object) -> None:
    with pytest.raises(BrokenAnswer):
        key_text(raw)


def test_rows_are_found_by_their_legacy_key() -> None:
    rows = keyed([{"originalId": "b", "n": 1}, {"originalId": "a", "n": 2}], ["a", "b", "c"], "originalId")
    assert {key: row["n"] for key, row in rows.items()} == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"n": 1}], 'no field "originalId"'),
        ([{"originalId": None}], 'no field "originalId"'),
        ([{"originalId": "z"}], "not asked for"),
        ([{"originalId": "a"}, {"originalId": "a"}], "two rows have the legacy key a"),
    ],
)
def test_rows_that_prove_nothing_are_refused(rows: list[dict[str, object]], said: str) -> None:
    with pytest.raises(BrokenAnswer, match=said):
        keyed(rows, ["a", "b"], "originalId")


def test_the_newest_change_is_an_instant() -> None:
    assert moment(NOON.timestamp() * 1000) == NOON
    assert moment(NOON.astimezone(timezone(timedelta(hours=2)))) == NOON
    assert moment(NOON.replace(tzinfo=None)) == NOON
    assert moment(None) is None


@pytest.mark.parametrize("raw", ["yesterday", True, float("nan"), 1e30, [1]])
def test_what_is_no_instant_is_refused(raw: object) -> None:
    with pytest.raises(BrokenAnswer):
        moment(raw)
