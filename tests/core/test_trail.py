"""A side's drawn past: counted like the judge's counters, and never a number for what nobody saw."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core import counters, evidence, judge, limits, rollout, tracker
from cockpit.core.history import Blank, Point, SideHistory
from cockpit.core.model import Quality, Sample, Side
from cockpit.core.trail import POINTS, Look, Trail, drawn, recalled, set_back, start_trail, take

START = datetime(2026, 3, 14, 3, 0, tzinfo=UTC)
Told = tuple[float, float | None, float | None]


def good(value: float | None) -> Sample | None:
    return None if value is None else Sample(value=value, quality=Quality.GOOD)


def looks(rows: Sequence[Told]) -> list[Look]:
    """(seconds since START, bad, total)."""
    return [Look(at=START + timedelta(seconds=at), bad=good(bad), total=good(all_)) for at, bad, all_ in rows]


def watched(rows: Sequence[Told], trail: Trail | None = None) -> Trail:
    trail = trail or start_trail(Side.NEW, 5.0)
    for look in looks(rows):
        trail = take(trail, look)
    return trail


def shown(trail: Trail) -> SideHistory:
    history = drawn(trail)
    assert history is not None
    return history


def steady(until_s: float, *, pct: float = 10.0, since_s: float = 0.0, every_s: float = 5.0) -> list[Told]:
    """100 events a poll."""
    count = round((until_s - since_s) / every_s)
    return [(since_s + every_s * n, pct * n, 100.0 * n) for n in range(count + 1)]


def test_a_point_is_the_rate_of_the_minute_before_it() -> None:
    rows = steady(60) + [(60 + 5 * n, 120 + 50 * n, 1200 + 100.0 * n) for n in range(1, 13)]
    assert shown(watched(rows)).points == (10.0, 10.0, 10.0, 23.3, 36.7, 50.0)
    assert shown(watched(rows)).window_s == 60


def test_the_first_look_tells_nothing_and_no_answer_is_not_zero() -> None:
    assert shown(watched([(5, 0, 0)])).points == ()
    points = shown(watched([(5, 0, 0), (15, 0, 100), (25, None, None), (45, 0, None)])).points
    assert points == (0.0, Blank.NO_ANSWER, Blank.NO_ANSWER)


def test_an_answer_without_events_is_neither_zero_nor_unanswered() -> None:
    assert shown(watched([(5, 3, 100), (15, 3, 100)])).points == (Blank.NO_EVENTS,)


def test_a_good_answer_stands_for_its_step_whatever_else_came() -> None:
    assert shown(watched([(2, 0, 0), (7, 1, 100), (12, None, None)])).points == (1.0,)


def test_a_reset_is_no_dip_and_no_peak() -> None:
    rows = [*steady(60), (65, 0, 0), (70, 10, 100), (75, 20, 200), (80, 30, 300)]
    assert set(shown(watched(rows)).points) == {10.0}
    alone = [(5, 50, 500), (25, 0, 0)]
    assert shown(watched(alone)).points == (Blank.NO_ANSWER,)


def test_a_jump_back_to_the_old_height_is_not_taken_for_news() -> None:
    rows = [*steady(60), (65, 60, 600), (70, 130, 1300), (75, 140, 1400)]
    assert set(shown(watched(rows)).points) == {10.0}


def test_what_grew_while_nobody_looked_is_left_out_and_the_hole_is_a_hole() -> None:
    rows = [*steady(60), (300, 900, 1300), (305, 900, 1400)]
    points = shown(watched(rows)).points
    assert points[:3] == (10.0, 10.0, 10.0)
    assert set(points[3:-1]) == {Blank.NOT_ASKED}
    assert points[-1] == 0.0, "of the 900 only what came after the hole counts"


def test_more_bad_events_than_events_is_everything() -> None:
    assert shown(watched([(5, 0, 0), (15, 30, 20)])).points == (100.0,)


def test_only_so_many_points_are_kept_and_a_long_sleep_empties_them() -> None:
    trail = watched(steady(3600))
    assert len(shown(trail).points) == POINTS
    assert shown(watched([(90_000, 0, 0)], trail)).points == ()


@pytest.mark.parametrize(("interval_s", "step_s"), [(0.5, 20), (5, 20), (15, 30), (33.3, 67)])
def test_two_polls_at_least_fall_into_a_step(interval_s: float, step_s: int) -> None:
    assert start_trail(Side.NEW, interval_s).step_s == step_s


# --- what the monitor remembers ----------------------------------------------------------------------


def test_the_past_goes_in_front_and_the_growth_since_counts_once() -> None:
    whole = steady(600)
    live = [row for row in whole if row[0] >= 463]
    past = [(at, bad, total) for at, bad, total in whole if at % 20 == 0 and at <= 460]
    history = shown(recalled(watched(live), looks(past), looks(live)))
    assert history.points == (10.0,) * 30
    assert history.watched == 7, "the look at 463 s lies in the step that ends at 480 s"
    assert history.last_at == START + timedelta(seconds=600)


def test_what_was_told_of_the_time_that_was_watched_is_not_taken() -> None:
    live = steady(200, since_s=100)
    lies = [(at, 9000.0 + at, 10_000.0 + at) for at in range(100, 220, 20)]
    trail = watched(live)
    assert drawn(recalled(trail, looks(lies), looks(live))) == drawn(trail)


def test_a_hole_in_the_past_is_blank() -> None:
    past = [(at, at / 10, float(at)) for at in range(0, 620, 20) if not 200 < at < 400]
    points = shown(recalled(start_trail(Side.NEW, 5.0), looks(past), [])).points
    assert set(points[10:20]) == {Blank.NOT_ASKED}
    assert set(points[:10]) | set(points[20:]) == {10.0}


def test_without_a_past_everything_that_was_watched_stays() -> None:
    live = steady(200)
    assert drawn(recalled(watched(live), [], looks(live))) == drawn(watched(live))


# --- up to now ---------------------------------------------------------------------------------------

NOW = START + timedelta(seconds=600)


def test_the_right_edge_is_now_however_old_the_last_answer() -> None:
    history = shown(watched(steady(600)))
    assert history.until(NOW, 3).points == (10.0, 10.0, 10.0)
    later = history.until(NOW + timedelta(seconds=45), 4)
    assert later.points == (10.0, 10.0, Blank.NOT_ASKED, Blank.NOT_ASKED)
    assert history.until(NOW + timedelta(days=2), 4).points == (Blank.NOT_ASKED,) * 4


def test_told_and_watched_are_told_apart_and_so_is_what_nobody_knows() -> None:
    history = SideHistory(last_at=NOW, step_s=20, window_s=60, points=(1.0, 2.0, 3.0, 4.0, 5.0), watched=2)
    window = history.until(NOW, 8)
    assert (window.known_from, window.watched_from) == (3, 6)
    assert history.until(NOW, 2).watched_from == 0
    late = history.until(NOW + timedelta(seconds=40), 5)
    assert (late.points[:3], late.watched_from) == ((3.0, 4.0, 5.0), 1)


def test_a_clock_that_is_set_back_leaves_every_age_as_it_was() -> None:
    trail = set_back(watched(steady(600)), -3600)
    then = NOW - timedelta(seconds=3600)
    assert shown(trail).until(then, 3).points == (10.0, 10.0, 10.0)
    on = take(trail, looks([(-2995, 1210, 12_100)])[0])
    assert shown(on).points == (10.0,) * 31


# --- whatever comes ------------------------------------------------------------------------------------

VALUE = st.none() | st.floats(min_value=0, max_value=1e9)


@given(st.lists(st.tuples(st.floats(0.1, 400), VALUE, VALUE), max_size=60))
def test_whatever_is_answered_no_point_leaves_the_scale(
    rows: list[tuple[float, float | None, float | None]],
) -> None:
    at_s, told = 0.0, []
    for wait_s, bad, total in rows:
        at_s += wait_s
        told.append((at_s, bad, total))
    trail = watched(told)
    history = drawn(trail)
    points: tuple[Point, ...] = () if history is None else history.points
    assert len(points) <= POINTS
    assert all(isinstance(point, Blank) or 0 <= point <= 100 for point in points)
    if history is not None:
        assert 0 <= (history.last_at - looks(told)[-1].at).total_seconds() < history.step_s


# --- who may know of it ---------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [judge, evidence, limits, tracker, counters, rollout])
def test_nothing_that_judges_imports_the_trail(module: ModuleType) -> None:
    """The snapshot's values of the past may be known to them by way of the snapshot; what fills them not."""
    names = {word for word in ((module.__file__ and Path(module.__file__).read_text()) or "").split()}
    assert "cockpit.core.trail" not in names and "cockpit.core.history" not in names
    assert not {"trail", "Trail", "SideHistory"} & set(vars(module))
