"""Words for values: ages, numbers, small pictures of text, and lines that fit their widths."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cockpit.core.clean import Percent
from cockpit.core.model import Freshness, Health, Reading, Verdict
from cockpit.core.snapshot import Agreement, Level
from cockpit.face import view
from cockpit.face.view import Cell, Role, text_of, width_of
from tests.face.pictures import NOW, ago

ROLES = st.sampled_from(list(Role))
LINES = st.lists(st.tuples(st.text(max_size=12), ROLES), max_size=6).map(tuple)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (3.9, "3 s"),
        (94, "94 s"),
        (120, "2 min"),
        (119, "119 s"),
        (3599, "59 min"),
        (3600, "1 h"),
        (4800, "1 h 20 min"),
        (36_000 + 1200, "10 h"),
        (86_400, "1 d"),
        (3 * 86_400 + 5, "3 d"),
    ],
)
def test_an_age_is_told_in_the_unit_that_matters(seconds: float, words: str) -> None:
    assert view.age(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(480, "8 min"), (121, "2 min"), (119.2, "2 min"), (90, "90 s"), (0.2, "1 s"), (-3, "0 s")],
)
def test_a_wait_is_told_in_seconds_only_near_its_end(seconds: float, words: str) -> None:
    assert view.time_left(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "digits"),
    [
        (900, "15:00"),
        (899.2, "15:00"),
        (61, "01:01"),
        (0.4, "00:01"),
        (0, "00:00"),
        (-0.4, "00:00"),
        (-75, "+01:15"),
    ],
)
def test_the_countdown_counts_the_overrun_and_is_zero_only_at_zero(seconds: float, digits: str) -> None:
    assert view.countdown(seconds) == digits


def test_a_rate_keeps_the_digits_that_matter() -> None:
    assert [view.rate(each) for each in (None, 0.0, 0.784, 12.44, 99.99)] == [
        "—",
        "0.00%",
        "0.78%",
        "12.4%",
        "100%",
    ]


def test_a_ratio_against_a_faultless_legacy_is_no_number() -> None:
    assert view.ratio(0.0, 1.0) == "only new"
    assert view.ratio(0.0, 0.0) == "0 / 0"
    assert view.ratio(None, 1.0) == "—"
    assert view.ratio(1.0, 9.9) == "9.9x"


def test_a_fresh_age_stands_still_and_a_stale_one_ticks() -> None:
    reading = Reading(value=1, observed_at=ago(4), interval_s=5)
    later = replace(reading, observed_at=ago(8))
    stale = replace(reading, observed_at=ago(16))
    never: Reading[int] = Reading()
    assert view.reading_age(reading, NOW) == view.reading_age(later, NOW) == ("<10 s", Role.DIM)
    assert view.reading_age(stale, NOW) == ("16 s", Role.UNKNOWN)
    assert view.reading_age(never, NOW) == ("never", Role.UNKNOWN)


@pytest.mark.parametrize("table", [view.HEALTH_WORD, view.VERDICT_WORD, view.AGREEMENT_WORD, view.LEVEL_WORD])
def test_every_state_has_a_glyph_a_word_and_a_role_of_its_own(table: dict[object, view.Word]) -> None:
    words = list(table.values())
    assert len({word.glyph for word in words}) == len(words)
    assert len({word.text for word in words}) == len(words)
    assert all(word.glyph and word.text for word in words)


def test_no_state_is_forgotten() -> None:
    assert set(view.HEALTH_WORD) == set(Health)
    assert set(view.VERDICT_WORD) == set(Verdict)
    assert set(view.AGREEMENT_WORD) == set(Agreement)
    assert set(view.LEVEL_WORD) == set(view.LEVEL_ORDER) == set(Level)
    assert set(view.FRESHNESS_WORD) == set(Freshness)


def test_unknown_and_stale_look_like_neither_ok_nor_bad() -> None:
    for word in (view.HEALTH_WORD[Health.UNKNOWN], view.VERDICT_WORD[Verdict.UNKNOWN], view.STALE_WORD):
        assert word.role is Role.UNKNOWN
    assert view.STALE_WORD.glyph != view.HEALTH_WORD[Health.UNKNOWN].glyph


# --- small pictures --------------------------------------------------------------------------------


def test_a_sparkline_stands_on_zero_so_that_a_wobble_is_no_cliff() -> None:
    assert view.sparkline((100, 101, 102), 3) == "███"
    assert view.sparkline((1, 1, 2), 3) == "▁▁▁"


def test_a_poll_without_answer_is_a_gap_that_shows() -> None:
    assert view.sparkline((100, None, None), 5) == "  █xx"


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e9)), max_size=30), st.integers(0, 20))
def test_a_sparkline_has_exactly_its_width(history: list[float | None], width: int) -> None:
    assert cell_len(view.sparkline(history, width)) == width


STAGES = tuple(Percent.parse(each) for each in (10, 25, 100))


def test_the_stage_bar_shows_what_is_filled_marked_and_observed() -> None:
    bar = view.stage_bar(STAGES, Percent.parse(25), Percent.parse(24), 40)
    assert text_of(bar) == "━━━╋━━━━━◆─────────────────────────────┼"


def test_the_stage_bar_of_an_unread_flag_is_no_zero() -> None:
    unread, zero = view.stage_bar(STAGES, None, None, 20), view.stage_bar(STAGES, Percent(0), None, 20)
    assert text_of(unread) != text_of(zero)
    assert {role for _, role in unread} == {Role.UNKNOWN}


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(6, 60))
def test_any_share_shows_and_only_a_full_one_fills(filled: int, observed: int, width: int) -> None:
    text = text_of(view.stage_bar((), Percent(filled), None, width))
    assert cell_len(text) == width
    assert ("━" in text) is (filled > 0)
    assert ("─" in text) is (filled < 10_000)
    assert cell_len(text_of(view.stage_bar(STAGES, Percent(filled), Percent(observed), width))) == width


@given(st.floats(0, 1.5), st.floats(0, 1.5), st.integers(2, 30).map(lambda half: 2 * half + 1))
def test_the_evidence_bar_is_full_exactly_at_a_verdict(
    regressed: float, not_worse: float, width: int
) -> None:
    left, right = text_of(view.evidence_bar(regressed, not_worse, width)).split("┃")
    assert len(left) == len(right) == (width - 1) // 2
    assert ("─" not in left) is (regressed >= 1)
    assert ("─" not in right) is (not_worse >= 1)


# --- fitting ---------------------------------------------------------------------------------------


@given(LINES, st.integers(0, 30))
def test_a_clipped_line_never_exceeds_its_width(line: view.Line, width: int) -> None:
    assert width_of(view.clip(line, width)) <= width
    assert width_of(view.pad(line, width)) == width


@given(LINES, LINES, st.integers(1, 20), st.integers(0, 20))
def test_columns_are_exactly_their_widths(one: view.Line, two: view.Line, first: int, second: int) -> None:
    line = view.cells(Cell(first, one), Cell(second, two, right=True))
    assert width_of(line) == first + (second + 1 if second else 0)


def test_what_is_cut_says_so() -> None:
    assert view.cut("convex_live_sessions", 10) == "convex_li…"
    assert cell_len(view.fit("宽字符宽", 5)) == 5
    assert text_of(view.clip((("abc", Role.OK), ("def", Role.BAD)), 4)) == "abc…"


@given(st.text(max_size=40), st.text(max_size=20), st.integers(1, 60))
def test_a_heading_fits_any_width(title: str, note: str, width: int) -> None:
    line = view.heading("1", view.safe(title), ((view.safe(note), Role.DIM),), width, focused=False)
    assert width_of(line) <= width


def test_an_age_past_an_hour_fits_its_column() -> None:
    reading = Reading(value=1, observed_at=NOW - timedelta(hours=5, minutes=12), interval_s=5)
    assert view.reading_age(reading, NOW)[0] == "5 h"


@given(st.lists(st.tuples(st.text("abc ", max_size=9), ROLES), max_size=6).map(tuple), st.integers(0, 30))
def test_a_split_line_is_the_same_line(line: view.Line, width: int) -> None:
    head, tail = view.split_end(line, width)
    assert text_of(head) + text_of(tail) == text_of(line)
    assert width_of(tail) == min(width, width_of(line))
