"""Hard limits: k of the last n measurements, each over enough events."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.counters import Growth
from cockpit.core.limits import LimitState, LimitWatch, forget_pending, limit_text, measure
from cockpit.core.spec import HardLimit
from tests.core.sim_traffic import START

LIMIT = HardLimit(max_pct=5.0, breaches=3, window=5, min_total=20)


def watched(*rows: tuple[float, float] | None) -> LimitWatch:
    """One row of (bad, total) per poll, a poll a second."""
    watch = LimitWatch(limit=LIMIT)
    for second, row in enumerate(rows):
        grown = Growth(bad=row[0], total=row[1]) if row is not None else None
        watch = measure(watch, grown, START + timedelta(seconds=second))
    return watch


def test_three_of_the_last_five_over_the_limit_are_a_breach_since_the_first() -> None:
    watch = watched((10, 100), (1, 100), (7.2, 100), (0, 100), (6, 100))
    assert watch.state is LimitState.BREACHED
    assert watch.breached_since == START
    assert limit_text(watch) == "new 10.0% > limit 5% in 3 of 5 polls"


def test_exactly_at_the_limit_is_within_it() -> None:
    watch = watched(*[(5, 100)] * 5)
    assert watch.state is LimitState.CLEAR
    assert limit_text(watch) == "new 5.0% within limit 5%"


def test_two_of_five_are_told_and_are_no_breach() -> None:
    watch = watched((10, 100), (0, 100), (8, 100), (0, 100), (0, 100))
    assert watch.state is LimitState.CLEAR
    assert limit_text(watch) == "new 10.0% > limit 5% in 2 of 5 polls, 3 are a breach"


def test_little_traffic_is_gathered_until_there_is_enough_to_measure() -> None:
    few = watched((1, 3), (0, 3), (0, 3))
    assert few.state is LimitState.UNKNOWN
    assert limit_text(few) == "limit 5%: not measured yet, 9 of 20 events"
    assert watched(*[(1, 3)] * 7).recent[0].rate_pct == pytest.approx(100 / 3)
    assert watched(*[(1, 3)] * 21).state is LimitState.BREACHED


def test_losing_the_source_or_the_traffic_does_not_clear_a_breach() -> None:
    breach = [(10.0, 100.0)] * 3
    assert watched(*breach, *[None] * 20).state is LimitState.BREACHED
    assert watched(*breach, *[(0.0, 0.0)] * 20).state is LimitState.BREACHED


def test_good_measurements_clear_a_breach_and_a_new_one_has_its_own_time() -> None:
    watch = watched(*[(10, 100)] * 3, *[(0, 100)] * 3)
    assert watch.state is LimitState.CLEAR and watch.breached_since is None
    again = watched(*[(10, 100)] * 3, *[(0, 100)] * 5, *[(10, 100)] * 3)
    assert again.breached_since == START + timedelta(seconds=8)


def test_a_breach_that_goes_on_keeps_its_first_time() -> None:
    assert watched(*[(10, 100)] * 50).breached_since == START


def test_a_reset_takes_the_unfinished_measurement_with_it() -> None:
    assert forget_pending(watched((9, 10))).pending.total == 0


def test_no_limit_says_so() -> None:
    assert limit_text(None) == "no hard limit"


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)), max_size=30))
def test_whatever_is_counted_rates_lie_between_0_and_100_and_memory_is_bounded(
    rows: list[tuple[float, float]],
) -> None:
    watch = watched(*rows)
    assert all(0 <= each.rate_pct <= 100 for each in watch.recent)
    assert len(watch.recent) <= LIMIT.window
    assert (watch.state is LimitState.BREACHED) == (len(watch.breaching) >= LIMIT.breaches)
