"""The drawn past: a gap is a gap, the right edge is now, and no scale hides what happens now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from textual.pilot import Pilot

from cockpit.core.history import Blank, Point
from cockpit.core.snapshot import SignalStatus, Snapshot
from cockpit.face import view_wall
from cockpit.face.app import CockpitApp
from cockpit.face.subject import Subject, Topic
from cockpit.face.view import text_of
from cockpit.face.view_detail import detail_text
from cockpit.face.view_history import POINTS, history_line, history_page, scale_top, strip
from tests.face.look import screen_text, settle
from tests.face.parts import NOW, past, signal, wobble
from tests.face.pictures import FakeClock, ScriptedPort, calm, regressed

X, EMPTY, NOTHING = Blank.NO_ANSWER, Blank.NO_EVENTS, Blank.NOT_ASKED


def of(
    *new: Point, legacy: tuple[Point, ...] = (1.0,) * POINTS, watched: int = POINTS, note: str = ""
) -> SignalStatus:
    return signal(
        "errors",
        "Failed requests",
        legacy_history=past(*legacy, watched=watched),
        new_history=past(*new, watched=watched, note=note),
    )


def line(status: SignalStatus, width: int = 64, later_s: float = 0) -> str:
    found = history_line(status, NOW + timedelta(seconds=later_s), width, 9)
    return "" if found is None else text_of(found)


def page(status: SignalStatus, width: int = 120, later_s: float = 0) -> list[str]:
    return [text_of(each) for each in history_page(status, NOW + timedelta(seconds=later_s), width)]


def drawn_new(text: str) -> str:
    return text.partition("new ")[2].partition("  to")[0]


# --- on the deck -----------------------------------------------------------------------------------------


def test_both_sides_stand_on_one_scale_which_is_told() -> None:
    text = line(of(*(1.0,) * 80, *(8.0,) * 10))
    assert "legacy ▁▁▁" in text and text.endswith("to 10%")
    assert drawn_new(text).endswith("▁▁▁▁▇▇▇▇▇▇▇▇▇▇")
    assert text.startswith("   5 min legacy ")


def test_a_gap_is_a_gap_and_zero_is_a_value() -> None:
    tail = (1.0, X, X, EMPTY, NOTHING, 0.0, 1.0)
    assert drawn_new(line(of(*(1.0,) * 80, *tail))).endswith("█xx· ▁█")


def test_the_right_edge_is_now_and_a_picture_that_is_not_renewed_runs_out() -> None:
    fresh, later = (drawn_new(line(of(*(1.0,) * POINTS), later_s=s)) for s in (0, 65))
    assert fresh == "█" * 16
    assert later == "█" * 13 + "   "
    assert not drawn_new(line(of(*(1.0,) * POINTS), later_s=4000)).strip()


def test_what_the_monitor_told_is_set_apart_and_costs_no_cell() -> None:
    text = drawn_new(line(of(*(1.0,) * POINTS, watched=4)))
    assert text == "█" * 11 + "┊" + "████"
    assert len(drawn_new(line(of(*(1.0,) * POINTS, watched=40)))) == len(text) == 16


def test_a_side_without_a_past_begins_where_it_was_first_polled() -> None:
    assert drawn_new(line(of(1.0, 1.0, watched=2))) == " " * 14 + "██"


def test_an_older_cockpit_publishes_none_and_then_there_is_no_line() -> None:
    assert line(signal("errors", "Failed requests")) == ""
    one = replace(of(1.0), legacy_history=None)
    assert "legacy                  " in line(one)


@pytest.mark.parametrize("width", [0, 20, 40, 60, 64, 90, 110, 200])
def test_no_line_is_wider_than_its_panel(width: int) -> None:
    assert len(line(of(*(1.0,) * POINTS), width)) <= width


# --- the scale -------------------------------------------------------------------------------------------


def top(*points: Point) -> float:
    return scale_top([strip(past(*points), NOW, POINTS)])


def test_noise_near_zero_is_no_mountain() -> None:
    assert top(*(0.01, 0.02) * 45) == 0.1


def test_an_old_outage_does_not_flatten_what_happens_now() -> None:
    points = (*(100.0,) * 10, *wobble(0.5, 60), *(3.0,) * 10)
    assert top(*points) == 10.0
    text = page(of(*points))
    assert any("▲" in row for row in text)
    assert any("▲ higher, up to 100%" in row for row in text)
    bottom = next(row for row in reversed(text) if " 0% ┤" in row)
    assert bottom.endswith("█" * 10) and "▂" in bottom, "the rise from 0.5 to 3 % can be seen"
    assert drawn_new(line(of(*points))).endswith("▁▁▁▁▅▅▅▅▅▅▅▅▅▅")


def test_the_peak_is_the_top_where_it_flattens_nothing() -> None:
    assert top(*(4.0,) * 60, *(1.5,) * 30) == 5.0
    assert top(99.0) == 100.0


def test_the_scale_does_not_move_with_every_point() -> None:
    tops = {top(*(1.0,) * 80, 1.0 + n / 20) for n in range(1, 15)}
    assert tops == {2.0}


def test_without_any_value_there_is_a_scale_all_the_same() -> None:
    assert top(X, X, EMPTY) == 0.1


# --- on its page -------------------------------------------------------------------------------------------


def test_the_page_tells_step_scale_ages_and_who_watched() -> None:
    text = page(of(*(1.0,) * 80, *(8.0,) * 10, watched=45))
    assert text[1] == "History, one point every 20 s"
    assert text[2].startswith("legacy       10% ┤") and text[6].startswith("new          10% ┤")
    rail, ages, legend = text[10:13]
    assert rail.index("─") == rail.rindex("╌") + 1
    assert rail[18 + 44] == "╌" and rail[18 + 45] == "─"
    assert ages.rstrip().endswith("now") and "10 min" in ages and "20 min" in ages
    assert "bad events in the 60 s before" in legend and "╌ told by the monitor" in legend


def test_marks_stand_at_their_age() -> None:
    text = page(of(*(1.0,) * POINTS))
    rail, ages = text[10], text[11]
    end = ages.index("10 min") + len("10 min")
    assert rail[end - 1] == "┴" and 18 + POINTS - end == 10 * 60 / 20


def test_when_flags_were_moved_is_marked_on_the_axis() -> None:
    moves = [NOW - timedelta(seconds=s) for s in (5, 600, 86_400)]
    rows = [text_of(each) for each in history_page(of(*(1.0,) * POINTS), NOW, 120, moves)]
    assert [at for at, cell in enumerate(rows[10][18:]) if cell == "◆"] == [POINTS - 31, POINTS - 1]
    assert "◆ a flag was moved" in rows[12]
    assert "◆" not in "".join(page(of(1.0)))


def test_the_page_of_a_signal_marks_moves_and_names_who_counts() -> None:
    shot = regressed()
    first = replace(shot.signals[0], monitors=("prom", "documents"))
    moved = replace(shot.flags[0], stage_since=NOW - timedelta(seconds=300))
    shot = replace(shot, signals=(first,), flags=(moved,))
    text = detail_text(Subject(Topic.SIGNAL, "errors"), shot, NOW)
    assert "◆ a flag was moved" in text
    assert "legacy by         prom\nnew by            documents" in text


def test_nobody_rules_a_line_under_a_time_of_which_nothing_is_known() -> None:
    both = of(1.0, 1.0, watched=2, legacy=(1.0, 1.0), note="prom: it has no values of that time")
    text = page(both)
    rail = text[10][18:]
    assert set(rail[:60]) <= {" ", "┴"} and rail.endswith("──")
    assert "past of new       not told by prom: it has no values of that time" in text


def test_sides_that_were_watched_for_different_times_have_an_axis_each() -> None:
    mixed = replace(of(*(1.0,) * POINTS), legacy_history=past(*(1.0,) * POINTS, watched=5))
    assert sum("now" in row for row in page(mixed)) == 2


def test_hostile_words_of_a_monitor_are_only_words() -> None:
    text = page(of(1.0, note="\x1b[2Jprom: [red]no[/]"))
    assert not any("\x1b" in row for row in text)


@pytest.mark.parametrize("point", [float("nan"), float("inf"), -3.0, 1e9])
def test_a_published_number_that_is_no_percentage_is_no_answer(point: float) -> None:
    assert drawn_new(line(of(*(1.0,) * 80, point))).endswith("█x")
    nowhere = replace(of(1.0, 1.0), new_history=past(1.0, 1.0, step_s=0))
    assert "┤" in "".join(page(nowhere))


@pytest.mark.parametrize("width", [30, 76, 120, 200])
def test_every_row_of_a_plot_is_as_wide_as_its_axis(width: int) -> None:
    text = page(of(*wobble(1.0, 80), X, X, EMPTY, 150.0), width)
    plots = [row for row in text if "┤" in row]
    columns = max(10, min(POINTS, width - 18))
    assert {len(row) for row in plots} == {18 + columns}


# --- on the wall ---------------------------------------------------------------------------------------


def wall(size: tuple[int, int], make: Callable[[], Snapshot] = regressed, later_s: float = 0) -> list[str]:
    rows = view_wall.lines(make(), NOW + timedelta(seconds=later_s), *size)
    return [text_of(row) for row in rows]


def test_the_wall_shows_the_worst_signal_where_it_has_lines_to_spare() -> None:
    rows = wall((120, 40))
    (title,) = [row for row in rows if " so far " in row]
    assert title.startswith(" Failed requests so far")
    assert sum("┤" in row for row in rows) == 6
    assert not any("┤" in row for row in wall((80, 24)))
    assert not any("┤" in row for row in wall((120, 30)))


def test_on_a_wall_that_nobody_feeds_it_runs_out_at_the_right() -> None:
    fresh, later = (
        next(row for row in wall((120, 40), later_s=later_s) if " 0% ┤" in row) for later_s in (0, 300)
    )
    assert fresh.endswith("▂" * 15)
    assert later.endswith(" " * 14)


def test_one_with_two_axes_takes_no_line_from_the_others() -> None:
    def mixed() -> Snapshot:
        shot = regressed()
        first = replace(shot.signals[0], legacy_history=past(*wobble(0.8, 90), watched=3))
        return replace(shot, signals=(first, *shot.signals[1:]))

    for height in range(30, 50):
        rows = wall((120, height), mixed)
        assert len(rows) == height and any("Failed logins" in row for row in rows)


# --- in the app ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "seen"), [((80, 24), False), ((120, 40), True), ((200, 50), True)])
async def test_the_deck_draws_it_where_it_costs_nobody_a_line(size: tuple[int, int], seen: bool) -> None:
    app = CockpitApp(ScriptedPort(calm()), FakeClock(), "ines", theme="cockpit")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        assert ("min legacy" in screen_text(app)) is seen
        await zoomed(pilot)
        plotted = sum("┤" in row for row in screen_text(app).splitlines())
        assert plotted == {24: 0, 40: 12, 50: 16}[size[1]]
        assert ("min legacy" in screen_text(app)) is (size[1] == 24)


async def zoomed(pilot: Pilot[None]) -> None:
    for key in ("3", "z"):
        await pilot.press(key)
        await settle(pilot)


async def test_nothing_is_painted_anew_while_no_step_has_passed() -> None:
    clock = FakeClock()
    app = CockpitApp(ScriptedPort(calm()), clock, "ines", theme="cockpit")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        before = [row for row in screen_text(app).splitlines() if "min legacy" in row]
        clock.advance(2)
        await settle(pilot)
        after = [row for row in screen_text(app).splitlines() if "min legacy" in row]
        assert before == after and before
