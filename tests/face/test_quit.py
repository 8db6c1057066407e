"""Leaving: what goes on without the person, and that only a second act leaves."""

from __future__ import annotations

import pytest

from cockpit.core.snapshot import Snapshot
from cockpit.face.screens.quit import QuitSheet
from tests.face.pictures import HOSTILE, FakeClock, ScriptedPort, calm, hostile
from tests.face.pictures_rollback import Host, escalated, says, shown, until


class Stage:
    def __init__(self, snapshot: Snapshot) -> None:
        self.port = ScriptedPort(snapshot)
        self.clock = FakeClock()
        self.app = Host()
        self.sheet = QuitSheet(self.port, self.clock)
        self.answers: list[bool | None] = []


async def test_it_says_what_goes_on_and_what_waits() -> None:
    stage = Stage(escalated())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.sheet, stage.answers.append)
        await says(pilot, "A ROLLBACK IS OPEN")
        text = shown(stage.sheet)
        assert "goes on    Drain the new side, Verify legacy, Count writes on the new" in text
        assert "waits      Update the status page, Close" in text
        assert "the countdown is where time put it" in text
        stage.clock.advance(3)
        await says(pilot, "01:57 left")


@pytest.mark.parametrize(("key", "answer"), [("ctrl+q", True), ("L", True), ("escape", False)])
async def test_keys(key: str, answer: bool) -> None:
    stage = Stage(escalated())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet, stage.answers.append)
        await says(pilot, "LEAVE THE COCKPIT?")
        await pilot.press(key)
        await until(pilot, lambda: bool(stage.answers))
    assert stage.answers == [answer]
    assert stage.port.commands == []


@pytest.mark.parametrize("key", ["q", "enter", "y", "R", "space"])
async def test_no_other_key_leaves(key: str) -> None:
    stage = Stage(escalated())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet, stage.answers.append)
        await pilot.press(key)
        assert stage.app.screen is stage.sheet
    assert stage.answers == []


async def test_without_a_rollback_it_says_what_stops() -> None:
    stage = Stage(calm())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet, stage.answers.append)
        await says(pilot, "No flag is changed.")


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_neither_crashes_nor_leaks(text: str) -> None:
    stage = Stage(hostile(text))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "LEAVE THE COCKPIT?")
        assert shown(stage.sheet).replace("\n", "").isprintable()
