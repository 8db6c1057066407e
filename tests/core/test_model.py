"""Readings and flag values: how old is fresh, and what a flag says to users."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.clean import FULL, ZERO, Percent
from cockpit.core.model import FlagValue, Freshness, Reading
from tests.core.sim_traffic import START

READ = Reading(value=1.0, observed_at=START, interval_s=5.0)


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("age_s", "freshness"),
    [
        (0, Freshness.FRESH),
        (10, Freshness.FRESH),
        (10.1, Freshness.STALE),
        (25, Freshness.STALE),
        (25.1, Freshness.UNKNOWN),
        (-0.5, Freshness.FRESH),
        (-3, Freshness.UNKNOWN),
    ],
)
def test_fresh_for_two_intervals_stale_for_five_then_unknown(age_s: float, freshness: Freshness) -> None:
    assert READ.freshness(later(age_s)) is freshness


def test_a_value_decides_only_while_it_is_fresh() -> None:
    assert READ.fresh_value(later(10)) == 1.0
    assert READ.fresh_value(later(11)) is None
    assert READ.value == 1.0


def test_what_was_never_read_is_unknown_and_has_no_age() -> None:
    never: Reading[float] = Reading(attempted_at=START)
    assert never.freshness(START) is Freshness.UNKNOWN
    assert never.age_s(START) is None and never.fresh_value(START) is None
    empty: Reading[float] = Reading(observed_at=START)
    assert empty.freshness(START) is Freshness.UNKNOWN


def test_an_age_is_never_negative_when_clocks_disagree() -> None:
    assert READ.age_s(later(-60)) == 0.0


def test_zero_and_false_are_values() -> None:
    assert replace(READ, value=0.0).fresh_value(START) == 0.0


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0.1, 600))
def test_freshness_only_falls_with_time(first_s: float, more_s: float, interval_s: float) -> None:
    order = [Freshness.FRESH, Freshness.STALE, Freshness.UNKNOWN]
    reading = replace(READ, interval_s=interval_s)
    early, late = reading.freshness(later(first_s)), reading.freshness(later(first_s + more_s))
    assert order.index(early) <= order.index(late)


HALF = FlagValue(key="chat", on=True, percent=Percent(5000), revision="4")


def test_exposure_is_what_users_get() -> None:
    assert HALF.exposure == Percent(5000)
    assert replace(HALF, on=False).exposure == ZERO
    assert replace(HALF, percent=None).exposure is None
    assert replace(HALF, percent=None, on=False).exposure == ZERO


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (replace(HALF, revision="5", changed_by="dana", changed_at=START), True),
        (replace(HALF, percent=FULL), False),
        (replace(HALF, on=False), False),
        (replace(HALF, complexities=("constraints",)), False),
    ],
)
def test_the_same_setting_is_what_users_cannot_tell_apart(other: FlagValue, same: bool) -> None:
    assert HALF.same_setting(other) is same
    assert other.same_setting(HALF) is same
