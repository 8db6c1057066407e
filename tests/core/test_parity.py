"""Counts and newest changes of two moving systems: what is a difference, what is noise, what is unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.parity import Count, Exactness, Match, Tolerance, compare_counts, compare_newest

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
STRICT = Tolerance()
COUNTS = st.integers(0, 10_000)


def n(count: int) -> Count:
    return Count(n=count)


def test_equal_counts_of_a_legacy_that_stood_still_are_equal() -> None:
    value = compare_counts(n(48_211), n(48_211), n(48_211), STRICT)
    assert (value.match, value.apart) == (Match.EQUAL, 0)
    assert value.text == "48,211 rows on both sides"


@given(before=COUNTS, after=COUNTS, new=COUNTS)
def test_what_lies_between_the_two_looks_at_legacy_is_noise_and_nothing_else_is(
    before: int, after: int, new: int
) -> None:
    value = compare_counts(n(before), n(new), n(after), STRICT)
    between = min(before, after) <= new <= max(before, after)
    assert value.match.agrees is between
    assert (value.match is Match.EQUAL) is (before == new == after)
    assert (value.apart == 0) is between


def test_a_difference_says_how_many_and_in_which_direction() -> None:
    fewer = compare_counts(n(48_211), n(12), n(48_215), STRICT)
    assert fewer.match is Match.DIFFERENT
    assert fewer.apart == 12 - 48_211
    assert fewer.text == "new has 48,199 rows fewer than legacy's 48,211-48,215"
    assert compare_counts(n(10), n(14), n(11), STRICT).apart == 3


@pytest.mark.parametrize(
    ("tolerance", "match"),
    [
        (Tolerance(rows=5), Match.TOLERATED),
        (Tolerance(rows=4), Match.DIFFERENT),
        (Tolerance(percent=0.5), Match.TOLERATED),
        (Tolerance(percent=0.4), Match.DIFFERENT),
        (Tolerance(rows=1, percent=0.5), Match.TOLERATED),
    ],
)
def test_the_plan_may_allow_a_difference_and_it_is_said(tolerance: Tolerance, match: Match) -> None:
    value = compare_counts(n(1000), n(995), n(1000), tolerance)
    assert value.match is match
    assert value.apart == -5
    assert ("allowed" in value.text) is (match is Match.TOLERATED)


@pytest.mark.parametrize("exactness", [Exactness.ESTIMATE, Exactness.CAPPED, Exactness.FILTERED])
@pytest.mark.parametrize("place", range(3))
def test_a_count_that_is_not_exact_is_unknown_even_if_it_fits(exactness: Exactness, place: int) -> None:
    three = [n(10), n(10), n(10)]
    three[place] = Count(n=10, exactness=exactness, note="planner's guess")
    value = compare_counts(three[0], three[1], three[2], Tolerance(rows=100))
    assert value.match is Match.UNKNOWN
    assert "planner's guess" in value.text


@pytest.mark.parametrize("place", range(3))
def test_nothing_seen_of_a_table_that_has_rows_is_unknown(place: int) -> None:
    three = [n(10), n(10), n(10)]
    three[place] = n(0)
    assert compare_counts(three[0], three[1], three[2], STRICT, never_empty=True).match is Match.UNKNOWN


def test_two_empty_tables_are_equal_unless_the_plan_knows_better() -> None:
    assert compare_counts(n(0), n(0), n(0), STRICT).match is Match.EQUAL
    assert compare_counts(n(0), n(0), n(0), STRICT, never_empty=True).match is Match.UNKNOWN


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("new", "match", "apart"),
    [
        (NOON, Match.EQUAL, 0),
        (later(1), Match.EQUAL, 0),
        (later(2 + 600), Match.EQUAL, 0),
        (later(-30), Match.TOLERATED, 30),
        (later(-31), Match.DIFFERENT, 31),
    ],
)
def test_the_new_side_may_lag_as_far_as_the_plan_says(new: datetime, match: Match, apart: float) -> None:
    value = compare_newest(NOON, new, later(2), max_lag_s=30)
    assert (value.match, value.apart) == (match, apart)


def test_a_new_side_far_ahead_of_legacy_hides_every_lag_and_proves_nothing() -> None:
    """A time without its zone, read in another one, would be equal for hours."""
    value = compare_newest(NOON, later(7200), later(2), max_lag_s=30)
    assert value.match is Match.UNKNOWN
    assert "ahead of legacy: a time zone" in value.text


def test_a_side_without_any_change_is_a_difference_on_new_and_unknown_on_legacy() -> None:
    assert compare_newest(NOON, None, NOON, max_lag_s=30).match is Match.DIFFERENT
    assert compare_newest(None, NOON, NOON, max_lag_s=30).match is Match.UNKNOWN
    assert compare_newest(NOON, NOON, None, max_lag_s=30).match is Match.UNKNOWN
