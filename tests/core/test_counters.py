"""Growing counters into increments: nothing twice, nothing invented, nothing negative."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.counters import COUNTER_LIMIT, HOLD_S, Counters, Counts, Poll, SignalSamples, observe, rates
from cockpit.core.model import Quality, Sample
from tests.core.sim_traffic import START

Row = tuple[float | None, float | None, float | None, float | None]


def sample(value: float | None) -> Sample:
    if value is None:
        return Sample(value=None, quality=Quality.NO_DATA)
    return Sample(value=value, quality=Quality.GOOD)


def four(row: Row) -> SignalSamples:
    """legacy bad, legacy total, new bad, new total."""
    legacy_bad, legacy_total, new_bad, new_total = (sample(value) for value in row)
    return SignalSamples(
        legacy_bad=legacy_bad, legacy_total=legacy_total, new_bad=new_bad, new_total=new_total
    )


def polled(*rows: Row, every_s: float = 5.0) -> tuple[Counters, list[Poll]]:
    counters, polls = Counters(), []
    for number, row in enumerate(rows):
        counters, poll = observe(counters, four(row), START + timedelta(seconds=every_s * number))
        polls.append(poll)
    return counters, polls


def counted(*rows: Row) -> list[Counts | None]:
    return [poll.counts for poll in polled(*rows)[1]]


def test_the_first_reading_counts_nothing_and_the_second_what_happened_since() -> None:
    first, second = counted((5, 100, 1, 10), (7, 190, 2, 20))
    assert first is None
    assert second == Counts(bad_legacy=2, total_legacy=90, bad_new=1, total_new=10)


def test_a_reading_without_data_is_made_up_for_by_the_next_good_one() -> None:
    *early, last = counted((0, 0, 0, 0), (1, 90, 0, 10), (2, 180, None, 20), (3, 270, 3, 30))
    assert early[2] is None
    assert last == Counts(bad_legacy=2, total_legacy=180, bad_new=3, total_new=20)


@pytest.mark.parametrize(
    "unusable",
    [
        None,
        Sample(value=None, quality=Quality.NO_DATA),
        Sample(value=None, quality=Quality.NOT_FINITE),
        Sample(value=500.0, quality=Quality.PARTIAL, note="a store is missing"),
        Sample(value=None, quality=Quality.ERROR, note="query refused"),
        Sample(value=-3.0, quality=Quality.GOOD),
        Sample(value=math.nan, quality=Quality.GOOD),
        Sample(value=COUNTER_LIMIT * 4, quality=Quality.GOOD),
    ],
    ids=["failed", "no data", "not finite", "partial", "error", "negative", "nan", "too large"],
)
def test_whatever_cannot_be_read_gives_no_increment_and_says_why(unusable: Sample | None) -> None:
    counters, _ = polled((0, 0, 0, 0), (1, 90, 0, 10))
    broken = SignalSamples(
        legacy_bad=sample(2), legacy_total=sample(180), new_bad=unusable, new_total=sample(20)
    )
    at = START + timedelta(seconds=10)
    after, poll = observe(counters, broken, at)
    assert poll.counts is None and poll.grown_new is None and not poll.broken
    assert after.good_at == START + timedelta(seconds=5)
    legacy, new = rates(after, at)
    assert legacy.quality is Quality.GOOD
    assert new.quality is not Quality.GOOD and new.note.startswith("new bad events")
    assert new.total == 10


def test_a_fallen_counter_drops_the_interval_on_both_sides_and_says_so() -> None:
    counters, polls = polled((5, 100, 5, 50), (6, 200, 6, 60), (7, 300, 0, 2), (8, 400, 1, 12))
    assert polls[2].broken and polls[2].counts is None
    assert polls[3].counts == Counts(bad_legacy=1, total_legacy=100, bad_new=1, total_new=10)
    _, new = rates(counters, START + timedelta(seconds=15))
    assert new.note == "new counter reset: that interval is set aside"
    assert rates(counters, START + timedelta(seconds=120))[1].note.startswith("no traffic on new")


def test_a_side_that_was_not_readable_during_the_others_reset_starts_over() -> None:
    *_, last = counted((5, 100, 5, 50), (6, 200, 0, 2), (None, 300, 1, 4), (9, 400, 2, 6))
    assert last == Counts(bad_legacy=3, total_legacy=200, bad_new=2, total_new=4)
    *_, both = counted((5, 100, 5, 50), (None, None, 0, 2), (9, 400, 1, 6), (10, 500, 2, 8))
    assert both == Counts(bad_legacy=1, total_legacy=100, bad_new=1, total_new=2)


def test_a_series_that_goes_missing_and_returns_invents_no_history() -> None:
    """A sum over instances falls when one is not scraped and jumps by that one's lifetime afterwards."""
    lifetime = (50.0, 10_000.0)
    rows: list[Row] = [(0, 0, 80, 20_000), (0, 90, 30, 10_005), (0, 180, 82, 20_010), (0, 270, 83, 20_020)]
    *_, returned, after = polled(*rows)[1]
    assert returned.broken
    assert after.counts is not None and after.counts.bad_new == 1 < lifetime[0]


def test_falls_within_falls_are_each_made_good() -> None:
    totals_of_new = (1000, 600, 400, 610, 1020, 1030)
    rows: list[Row] = [(0, 10 * poll, poll // 5, total) for poll, total in enumerate(totals_of_new)]
    polls = polled(*rows)[1]
    assert [poll.broken for poll in polls] == [False, True, True, True, True, False]
    assert polls[-1].counts == Counts(total_legacy=10, bad_new=1, total_new=10)


def test_sides_that_advance_in_different_polls_are_held_until_both_did() -> None:
    counts = counted(
        (0, 0, 0, 0), (2, 90, 0, 0), (2, 90, 1, 10), (2, 90, 1, 10), (5, 180, 1, 10), (5, 180, 2, 20)
    )
    assert counts == [
        None,
        None,
        Counts(bad_legacy=2, total_legacy=90, bad_new=1, total_new=10),
        None,
        None,
        Counts(bad_legacy=3, total_legacy=90, bad_new=1, total_new=10),
    ]


def test_a_side_without_traffic_lets_the_other_go_alone_after_a_while() -> None:
    rows: list[Row] = [(number, 10 * number, 0, 0) for number in range(80)]
    released = [counts for counts in counted(*rows) if counts is not None]
    polls_held = round(HOLD_S / 5)
    assert released == [Counts(bad_legacy=polls_held + 1, total_legacy=10 * (polls_held + 1))]


def test_nothing_is_let_go_alone_while_the_other_side_cannot_be_read() -> None:
    rows: list[Row] = [(0, 0, 0, 0)]
    rows += [(0, 10 * number, None, None) for number in range(1, 100)]
    assert not any(counted(*rows))
    *_, last = counted(*rows, (0, 1000, 3, 60))
    assert last == Counts(total_legacy=1000, bad_new=3, total_new=60)


def test_bad_events_that_come_before_their_events_wait_for_one_interval() -> None:
    """A scrape between the two increments of one request."""
    _, first, second = counted((0, 0, 0, 0), (0, 90, 12, 10), (0, 180, 20, 20))
    assert first == Counts(total_legacy=90, bad_new=10, total_new=10)
    assert second == Counts(total_legacy=90, bad_new=10, total_new=10)


def test_a_query_that_counts_more_bad_events_than_events_is_clipped_and_said() -> None:
    counters, polls = polled((0, 0, 0, 0), (0, 90, 30, 10), (0, 180, 60, 20))
    assert [poll.counts.bad_new for poll in polls[1:] if poll.counts] == [10, 10]
    _, new = rates(counters, START + timedelta(seconds=10))
    assert (new.bad, new.total) == (20, 20)
    assert new.note == "new counted more bad events than events: clipped"


def test_the_display_window_forgets_and_says_when_nothing_is_in_it() -> None:
    counters, _ = polled((0, 0, 0, 0), (1, 100, 2, 10))
    legacy, new = rates(counters, START + timedelta(seconds=30))
    assert (legacy.rate_pct, new.rate_pct) == (1, 20)
    legacy, new = rates(counters, START + timedelta(seconds=70))
    assert new.rate_pct is None
    assert new.note == "no traffic on new in the last 60 s"


growth = st.tuples(*[st.floats(0, 1e6) for _ in range(4)])
readable = st.tuples(st.booleans(), st.booleans())


@given(st.lists(st.tuples(growth, readable), min_size=1, max_size=12))
def test_over_any_holes_events_are_counted_once_and_never_invented(
    polls: list[tuple[tuple[float, float, float, float], tuple[bool, bool]]],
) -> None:
    truth = [0.0] * 4
    rows: list[Row] = [(0, 0, 0, 0)]
    for grown, (legacy_read, new_read) in polls:
        truth = [total + part for total, part in zip(truth, grown, strict=True)]
        legacy = (truth[0], truth[1]) if legacy_read else (None, None)
        rows.append((*legacy, *((truth[2], truth[3]) if new_read else (None, None))))
    total = Counts()
    for counts in counted(*rows):
        total = total.plus(counts or Counts())
    slack = 1 + 1e-9
    assert total.bad_legacy <= truth[0] * slack + 1e-6 and total.total_legacy <= truth[1] * slack + 1e-6
    assert total.bad_new <= truth[2] * slack + 1e-6 and total.total_new <= truth[3] * slack + 1e-6


wild = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@given(st.lists(st.tuples(wild, wild, wild, wild), max_size=10))
def test_no_series_of_readings_gives_a_negative_or_impossible_increment(rows: list[Row]) -> None:
    counters, polls = polled(*rows)
    for poll in polls:
        if poll.grown_new is not None:
            assert poll.grown_new.bad >= 0 and poll.grown_new.total >= 0
    for side in rates(counters, START + timedelta(seconds=5 * len(rows))):
        assert 0 <= side.bad <= side.total < math.inf
