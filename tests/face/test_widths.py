"""The same words at every width, and nothing out of sight without a mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cockpit.core.model import Failure, Mode, Reading
from cockpit.core.snapshot import Agreement, Share
from cockpit.face.view import Role, Row, safe, text_of
from cockpit.face.view_backends import backend_rows
from cockpit.face.view_countdown import Page, Watched, lines
from cockpit.face.view_lines import named, unfolded
from cockpit.face.view_needs import needs_row
from cockpit.face.view_result import incident_lines, incident_text
from cockpit.face.view_rollback import flips_block, not_at_zero
from cockpit.face.view_rollout import column_titles
from cockpit.face.view_signals import column_titles as signal_titles
from cockpit.face.view_signals import signal_rows, to_verdict
from cockpit.face.view_steps import step_word
from cockpit.face.view_wall import lines as wall_lines
from tests.face import pictures
from tests.face.pictures import NOW, calm, rolling_back
from tests.face.pictures_rollback import cancelled, flipping, ready, refused


def rows_said(rows: Sequence[Row]) -> str:
    return "\n".join(text_of(line) for row in rows for line in row.lines)


@pytest.mark.parametrize("width", [58, 63, 75, 76, 78, 79, 92, 109, 150, 198])
def test_the_ends_of_the_evidence_bear_the_names_of_the_verdicts_at_every_width(width: int) -> None:
    titles = text_of(signal_titles(width))
    rows = [text_of(each) for each in signal_rows(pictures.calm(), NOW, width, full=True)[0].lines]
    middles = {at for each in rows for at, glyph in enumerate(each) if glyph == "┃"}
    assert "regressed┃not worse" in titles or any("regressed ─" in each for each in rows)
    assert "┃" not in titles or {titles.index("┃")} == middles, "the words stand over their bar"
    assert "not worse" in (titles if "┃" in titles else rows[1])
    assert titles.rstrip().endswith("due")
    assert cell_len(titles) <= width


@pytest.mark.parametrize("width", [79, 91, 99, 100, 119, 199])
def test_the_three_numbers_bear_the_same_names_at_every_width(width: int) -> None:
    titles = text_of(column_titles(width)).split()
    assert [each for each in titles if each in ("asked", "configured", "observed")] == [
        "asked",
        "configured",
        "observed",
    ]


@pytest.mark.parametrize("width", [60, 80, 90, 120])
def test_a_name_is_worth_more_than_the_picture_of_its_past(width: int) -> None:
    rows = backend_rows(pictures.calm(), NOW, width, full=False)
    assert "functions" in rows_said(rows)
    assert any(glyph in rows_said(rows) for glyph in "▁▂▃▄▅▆▇█") == (width >= 80)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
def test_a_card_names_its_numbers_as_the_deck_does(size: tuple[int, int]) -> None:
    text = "\n".join(text_of(each) for each in wall_lines(calm(), NOW, *size))
    for words in ("observed 24.6%", "✓ AGREE · asked 25%", "✓ AGREE · asked —"):
        assert words in text


def told_by(page: Page) -> list[str]:
    return [text_of(each) for each in lines(page)]


@pytest.mark.parametrize("width", [80, 120])
def test_what_lies_out_of_sight_is_told_with_its_names(width: int) -> None:
    page = Page(snapshot=refused(), watched=Watched(), now=NOW, width=width, height=24)
    *_, last = told_by(page)
    for part in ("↓ ", " more: ", "legacy", "journal", "pgup pgdn"):
        assert part in last
    down = told_by(replace(page, scroll=8))
    assert "↑ 8 more · ↓ " in down[-1]
    assert told_by(page)[8] not in down[:-1], "it has really moved"
    assert (
        "↑ " in told_by(replace(page, scroll=100))[-1] and "↓ " not in told_by(replace(page, scroll=100))[-1]
    )
    assert not any("pgup" in each for each in told_by(replace(page, height=60)))


@pytest.mark.parametrize("height", range(8, 40))
def test_every_line_below_the_head_can_be_scrolled_to(height: int) -> None:
    page = Page(snapshot=refused(), watched=Watched(), now=NOW, width=80, height=height)
    seen = {each for scroll in range(60) for each in told_by(replace(page, scroll=scroll))}
    assert len(told_by(page)) == height
    for words in ("api", "NOT AT ZERO", "Update the status page"):
        assert height < 11 or any(words in each for each in seen), words


def test_the_key_that_helps_stands_before_the_reason_that_a_narrow_screen_cuts() -> None:
    rollback = refused().rollback
    assert rollback is not None
    assert "convex_courses is refused: F retries" in text_of(needs_row(rollback, NOW, 80))
    wide = text_of(needs_row(rollback, NOW, 160))
    assert wide.endswith("or set it to 0% by hand (403: token may not write)  +1 more")
    assert "refused (403: token may not write)" in text_of(needs_row(rollback, NOW, 80, keys=False))


def test_what_was_cancelled_is_no_alarm_and_nothing_of_it_goes_on() -> None:
    ended = cancelled().last_closed
    assert ended is not None
    line = not_at_zero(ended, 80)
    assert text_of(line) == "FLAGS        none was written: they stand where they stood"
    assert {role for _, role in line} <= {Role.DIM, Role.TEXT}
    assert {step_word(step, ended, NOW).text for step in ended.steps if not step.settled} == {"not done"}


def test_of_a_long_name_both_ends_are_seen() -> None:
    europe, america = (f"chat_realtime_presence_v2_{where}" for where in ("europe", "america"))
    for width in (18, 22, 30):
        assert named(europe, width) != named(america, width)
        assert named(europe, width).startswith("chat_") and named(europe, width).endswith("rope")
    assert named("chat_writes", 22) == "chat_writes"


@given(st.text(max_size=60), st.integers(0, 40))
def test_a_name_never_exceeds_its_room(name: str, width: int) -> None:
    assert cell_len(named(name, width)) <= width


@given(st.text(max_size=200), st.integers(20, 80))
def test_a_text_to_mark_and_copy_is_shown_whole(text: str, width: int) -> None:
    clean = safe(text)
    parts = unfolded(clean, width)
    assert all(cell_len(part) <= width for part in parts)
    if all(cell_len(word) <= width // 2 for word in clean.split()):
        assert " ".join(parts).split() == clean.split()


def test_the_text_for_the_incident_channel_is_wrapped_and_not_cut() -> None:
    shown = refused()
    assert shown.rollback is not None
    told = incident_text(shown.rollback, shown, NOW)
    for width in (80, 120):
        rows = [text_of(each) for each in incident_lines(shown.rollback, shown, NOW, width)]
        assert all(cell_len(each) <= width for each in rows)
        assert " ".join(rows).split() == told.split()


@pytest.mark.parametrize("forecast_s", [0.2, 59, 119, 4_640, 5_401, 80_000, 170_000, 900_000, 8_000_000])
def test_when_a_verdict_is_due_is_never_cut(forecast_s: float) -> None:
    signal = calm().signals[1]
    late = replace(signal, evidence=replace(signal.evidence, forecast_s=forecast_s))
    for width in (63, 79, 109, 198):
        first = text_of(signal_rows(replace(calm(), signals=(late,)), NOW, width, full=False)[0].lines[0])
        assert first.rstrip().endswith(to_verdict(late)[0]) and "~" in first


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("too little traffic: 12 of 50 events needed", "too little traffic: 12 of 50 events needed"),
        ("no answer within 5 s", "traffic not seen: no answer within 5 s"),
        ("", "traffic not seen"),
    ],
)
def test_a_flag_whose_traffic_is_not_seen_says_why(title: str, words: str) -> None:
    shown = rolling_back()
    assert shown.rollback is not None
    blind: Reading[Share] = Reading(value=None, failure=Failure(title=title) if title else None)
    flags = tuple(replace(flag, observed=blind) for flag in shown.flags)
    unseen = replace(
        shown.rollback, flips=tuple(replace(flip, share_pct=None) for flip in shown.rollback.flips)
    )
    rows = flips_block(unseen, replace(shown, flags=flags), NOW, 160)
    assert rows and all(text_of(row).rstrip().endswith(words) for _, row in rows)
    narrow = flips_block(unseen, replace(shown, flags=flags), NOW, 78)
    assert all(words[:18] in text_of(row) or words in text_of(row) for _, row in narrow)


def test_who_only_watches_is_told_no_key() -> None:
    for builder in (flipping, refused, ready):
        watched = replace(builder(), mode=Mode.WATCH, read_only=True)
        text = "\n".join(told_by(Page(snapshot=watched, watched=Watched(), now=NOW, width=120, height=24)))
        assert "NEEDS " in text and "NEEDS YOU" not in text
        for key in ("press e", "F retries", "C signs"):
            assert key not in text.split("flags ──")[0].replace("now: C signs", ""), key


def test_what_has_no_place_on_the_wall_is_told_and_three_of_everything_has() -> None:
    rolling = [text_of(line) for line in wall_lines(rolling_back(), NOW, 80, 24)]
    assert any("Failed logins" in each for each in rolling) and not any(
        "more lines" in each for each in rolling
    )
    shown = calm()
    bad = replace(shown.flags[0], key="last", title="last", agreement=Agreement.DIFFER)
    many = tuple(replace(shown.flags[0], title=f"flag {number}") for number in range(60))
    rows = wall_lines(replace(shown, flags=(*many, bad)), NOW, 80, 24)
    (note,) = [line for line in rows if "more lines" in text_of(line)]
    assert "BAD among them" in text_of(note) and {role for _, role in note if _.strip()} == {Role.BAD}
    assert "alive, data" in text_of(rows[-1])
