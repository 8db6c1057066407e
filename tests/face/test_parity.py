"""The parity panel: only where the plan asks, true at every width, never calm about a difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from cockpit.core.snapshot import Snapshot
from cockpit.face.app import CockpitApp
from cockpit.face.subject import Subject, Topic
from cockpit.face.view import Role, text_of, width_of
from cockpit.face.view_detail import detail_lines
from cockpit.face.view_parity import column_titles, parity_rows
from tests.face import pictures
from tests.face.look import screen_text, settle
from tests.face.parts import poisoned
from tests.face.pictures import HOSTILE, NOW, FakeClock, ScriptedPort
from tests.face.pictures_parity import EVERY_PARITY, agreeing, differing

WIDTHS = (20, 39, 58, 66, 80, 100, 120, 200)


def page(snapshot: Snapshot, name: str, width: int = 100) -> str:
    lines = detail_lines(Subject(Topic.PARITY, name), snapshot, NOW, width)
    return "\n".join(text_of(line) for line in lines)


@pytest.mark.parametrize("builder", EVERY_PARITY)
@pytest.mark.parametrize("width", WIDTHS)
def test_rows_and_titles_fit_their_width(builder: Callable[[], Snapshot], width: int) -> None:
    assert width_of(column_titles(width)) <= max(width, 35)
    for full in (False, True):
        for row in parity_rows(builder(), NOW, width, full=full):
            assert all(width_of(line) <= width for line in row.lines)
            assert len(row.lines) == 1 + full


def test_a_difference_is_bad_in_glyph_word_and_colour() -> None:
    chats, messages, newest = parity_rows(differing(), NOW, 80, full=True)
    assert text_of(chats.lines[0]).startswith("✗ DIFFER")
    assert "-48 199" in text_of(chats.lines[0])
    assert chats.lines[0][0][1] is Role.BAD
    assert "time zone?" in text_of(parity_rows(differing(), NOW, 120, full=True)[1].lines[1])
    assert text_of(messages.lines[0]).count("1000 ‰") == 1
    assert text_of(newest.lines[0]).startswith("? UNKNOWN")
    assert "cannot look: postgres.example.com:5432 refuses" in text_of(newest.lines[1])


def test_what_agreed_long_ago_is_not_called_equal() -> None:
    later = NOW + timedelta(seconds=700)
    assert text_of(parity_rows(agreeing(), later, 80, full=False)[1].lines[0]).startswith("~ STALE")
    much_later = NOW + timedelta(seconds=1600)
    assert text_of(parity_rows(agreeing(), much_later, 80, full=False)[1].lines[0]).startswith("? UNKNOWN")


def test_figures_that_are_too_old_are_none_and_an_old_sentence_says_that_it_is() -> None:
    much_later = NOW + timedelta(seconds=1600)
    first, second = parity_rows(agreeing(), much_later, 120, full=True)[0].lines
    assert "48,2" not in text_of(first)
    assert text_of(second).strip().startswith("27 min ago: 48,214 rows")


def test_an_old_difference_stays_a_difference_until_nobody_can_know() -> None:
    later = NOW + timedelta(seconds=700)
    assert text_of(parity_rows(differing(), later, 80, full=False)[0].lines[0]).startswith("✗ DIFFER")


def test_the_page_names_every_difference_with_examples() -> None:
    said = page(differing(), "messages")
    assert "chatId still is legacy's id in 3 of 50 rows" in said
    assert "for example msg_9001" in said
    assert "50 rows" in said and "(postgres)" in said
    assert "refuses the connection" in page(differing(), "newest message")
    assert "none found" in page(agreeing(), "chats")
    assert "no longer in the picture" in page(pictures.calm(), "chats")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    snapshot = replace(differing(), parity=poisoned(differing().parity, text))
    for row in parity_rows(snapshot, NOW, 100, full=True):
        assert all(segment.isprintable() for line in row.lines for segment, _ in line)
    for line in detail_lines(Subject(Topic.PARITY, text), snapshot, NOW, 100):
        assert text_of(line).isprintable()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_the_deck_shows_parity_where_the_plan_asks_for_it(size: tuple[int, int]) -> None:
    app = CockpitApp(ScriptedPort(differing()), FakeClock(), "ines@bastion-2", theme="cockpit")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert "4 Parity" in text
        assert "✗ DIFFER" in text
        assert "6 Journal" in text and "1 Rollout" in text and "3 Signals" in text
        await pilot.press("4")
        await pilot.press("enter")
        await settle(pilot)
        assert "new has 48,199 rows fewer" in screen_text(app)


async def test_without_parity_checks_there_is_no_panel_and_its_key_does_nothing() -> None:
    app = CockpitApp(ScriptedPort(pictures.calm()), FakeClock(), "ines@bastion-2", theme="cockpit")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "Parity" not in screen_text(app)
        before = app.focused
        await pilot.press("4")
        await settle(pilot)
        assert app.focused is before
