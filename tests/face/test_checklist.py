"""The checklist: five states of one line, phases without checks, and signing what was read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from cockpit.core.checklist import ItemState
from cockpit.core.commands import SignItem, WithdrawSignature
from cockpit.core.snapshot import Snapshot
from cockpit.face.app import CockpitApp
from cockpit.face.screens.sign import SignSheet
from cockpit.face.subject import Subject, Topic
from cockpit.face.view import text_of, width_of
from cockpit.face.view_checklist import checklist_rows, column_titles
from cockpit.face.view_detail import detail_lines
from tests.face.look import screen_text, settle
from tests.face.parts import poisoned
from tests.face.pictures import HOSTILE, NOW, FakeClock, ScriptedPort
from tests.face.pictures_checklist import checklist


@pytest.mark.parametrize("width", [20, 39, 59, 60, 80, 120, 200])
def test_rows_and_titles_fit_their_width(width: int) -> None:
    assert width_of(column_titles(width)) <= width
    for row in checklist_rows(checklist(), NOW, width):
        assert all(width_of(line) <= width for line in row.lines)


def test_every_phase_is_there_in_the_plans_order_and_says_how_far_it_is() -> None:
    said = [text_of(row.lines[0]).strip() for row in checklist_rows(checklist(), NOW, 80)]
    headings = [line for line in said if "signed" in line or "no checks" in line]
    assert headings == [
        "2.1 Socket infrastructure  1 of 3 signed",
        "2.2 Tutoring  0 of 1 signed",
        "4.2 Analytics  no checks defined",
        "other checks  0 of 1 signed",
    ]


def test_every_state_has_its_glyph_and_word() -> None:
    said = "\n".join(text_of(row.lines[0]) for row in checklist_rows(checklist(), NOW, 100))
    for word in ("✓ SIGNED", "○ OPEN", "~ EXPIRED", "~ CHANGED"):
        assert word in said
    assert "ana 2 h ago" in said


def page(name: str) -> str:
    lines = detail_lines(Subject(Topic.ITEM, name), checklist(), NOW, 100)
    return "\n".join(text_of(line) for line in lines)


def test_the_page_says_whose_word_it_is_and_how_long_it_holds() -> None:
    assert "run 7: 52 sockets for 10 min" in page("connect") and "1 h more" in page("connect")
    assert "signed too long ago" in page("load") and "ended 60 s ago" in page("load")
    assert "words it differently" in page("flow")
    assert "nobody has signed it" in page("jwt") and "a link to the test run" in page("jwt")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    snapshot = replace(checklist(), checklist=poisoned(checklist().checklist, text), phases=(text,))
    for row in checklist_rows(snapshot, NOW, 80):
        assert all(text_of(line).isprintable() for line in row.lines)
    for line in detail_lines(Subject(Topic.ITEM, text), snapshot, NOW, 80):
        assert text_of(line).isprintable()


@asynccontextmanager
async def flown(snapshot: Snapshot) -> AsyncIterator[tuple[CockpitApp, ScriptedPort, Pilot[None]]]:
    port = ScriptedPort(snapshot)
    app = CockpitApp(port, FakeClock(), "ines@bastion-2", theme="cockpit")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        yield app, port, pilot


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


async def test_the_checklist_has_the_whole_screen_and_goes_again() -> None:
    async with flown(checklist()) as (app, _, pilot):
        assert "Checklist" not in screen_text(app)
        await press(pilot, "5")
        assert "5 Checklist" in screen_text(app) and "1 of 5 signed" in screen_text(app)
        assert "Rollout" not in screen_text(app)
        await press(pilot, "escape")
        assert "1 Rollout" in screen_text(app) and "Checklist" not in screen_text(app)
        await press(pilot, "down")
        assert app.deck.subject is not None and app.deck.subject.topic is Topic.FLAG


async def test_tab_does_not_wander_into_the_checklist() -> None:
    async with flown(checklist()) as (app, _, pilot):
        await press(pilot, *["tab"] * 6)
        assert "1 Rollout" in screen_text(app)


async def test_signing_asks_for_what_the_plan_wants_noted() -> None:
    async with flown(checklist()) as (app, port, pilot):
        await press(pilot, "S")
        assert "5 Checklist" in screen_text(app), "without a chosen check it shows the list"
        await press(pilot, "down", "down", "S")
        assert isinstance(app.screen, SignSheet)
        assert "a link to the test run" in screen_text(app)
        await press(pilot, "enter")
        assert port.commands == [] and "is needed" in screen_text(app)
        await press(pilot, *"run 8", "enter")
        command = port.commands[-1]
        assert isinstance(command, SignItem)
        assert (command.item, command.note, command.by) == ("jwt", "run 8", "ines@bastion-2")


async def test_on_a_signed_check_the_same_key_withdraws_with_a_reason() -> None:
    async with flown(checklist()) as (app, port, pilot):
        await press(pilot, "5", "down", "S")
        assert "WITHDRAW A SIGNATURE" in screen_text(app)
        await press(pilot, *"flaky", "enter")
        command = port.commands[-1]
        assert isinstance(command, WithdrawSignature)
        assert (command.item, command.reason) == ("connect", "flaky")


async def test_what_changed_under_the_sheet_is_not_signed_unread() -> None:
    async with flown(checklist()) as (app, port, pilot):
        await press(pilot, "5", "down", "down", "S")
        before = checklist()
        reworded = tuple(
            replace(each, title="JWT is optional") if each.name == "jwt" else each
            for each in before.checklist
        )
        port.show(replace(before, checklist=reworded))
        await press(pilot, *"run 8", "enter")
        assert port.commands == []
        assert "words this check differently" in screen_text(app)


async def test_what_somebody_else_signed_meanwhile_is_not_signed_again() -> None:
    async with flown(checklist()) as (app, port, pilot):
        await press(pilot, "5", "down", "down", "S")
        before = checklist()
        done = tuple(
            replace(each, state=ItemState.SIGNED, by="ben", at=NOW) if each.name == "jwt" else each
            for each in before.checklist
        )
        port.show(replace(before, checklist=done))
        await press(pilot, *"run 8", "enter")
        assert port.commands == []
        assert "leave, and look again" in screen_text(app)


async def test_without_a_checklist_the_key_says_so() -> None:
    async with flown(replace(checklist(), checklist=(), phases=())) as (app, _, pilot):
        await press(pilot, "S")
        assert "the plan has no checklist" in screen_text(app)
        await press(pilot, "5")
        assert "1 Rollout" in screen_text(app)
