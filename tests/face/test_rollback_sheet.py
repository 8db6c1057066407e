"""The sheet behind `R`: what it says, and that only a meant second press does anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.core.commands import DeclareRollback, VetoProposal
from cockpit.core.model import Side
from cockpit.core.snapshot import Snapshot
from cockpit.engine.clock import SystemClock
from cockpit.face.screens.arming import SecondPress
from cockpit.face.screens.countdown import CountdownScreen
from cockpit.face.screens.rollback_sheet import RollbackSheet
from tests.face.pictures import (
    HOSTILE,
    FakeClock,
    ScriptedPort,
    calm,
    drill,
    hostile,
    read_only,
    regressed,
    rolling_back,
)
from tests.face.pictures_rollback import (
    Host,
    before_no_return,
    legacy_down,
    legacy_unseen,
    past_no_return,
    says,
    shown,
    until,
)

SIZES = [(80, 24), (120, 40), (200, 50)]


class Stage:
    """One sheet over nothing, with everything it touches."""

    def __init__(self, snapshot: Snapshot, *, focused: str | None = "convex_courses") -> None:
        self.port = ScriptedPort(snapshot)
        self.clock = FakeClock()
        self.app = Host()
        self.sheet = RollbackSheet(self.port, self.clock, "ines", focused=focused)

    def settle(self, seconds: float = 1.0) -> None:
        """Let silence pass, and wake the sheet so that it says so."""
        self.clock.advance(seconds)
        self.port.show(self.port.latest())


async def test_r_after_silence_declares_once_and_opens_the_countdown() -> None:
    stage = Stage(regressed())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "release the key")
        stage.settle()
        await says(pilot, "press R to roll back")
        await pilot.press("R")
        await until(pilot, lambda: isinstance(stage.app.screen, CountdownScreen))
        await pilot.press("R")
    [command] = stage.port.commands
    assert isinstance(command, DeclareRollback)
    assert command.flags == ()
    assert command.by == "ines"
    assert command.reason == "Failed requests: new fails 9.9x as often as legacy"
    assert len(command.id) == 36


async def test_what_the_second_press_needs_is_made_ready_for_as_long_as_the_sheet_is_open() -> None:
    stage = Stage(regressed())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await until(pilot, lambda: len(stage.port.made_ready) >= 2)
        assert {each.flags for each in stage.port.made_ready} == {()}
        await pilot.press("f")
        await until(pilot, lambda: "convex_courses" in stage.port.made_ready[-1].flags)
        await pilot.press("escape")
        await until(pilot, lambda: not stage.sheet.is_running)
    assert stage.port.commands == []


async def test_a_held_key_never_confirms() -> None:
    stage = Stage(regressed())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        for _ in range(40):
            stage.settle(0.03)
            await pilot.press("R")
        assert stage.app.screen is stage.sheet
        stage.settle(0.49)
        await pilot.press("R")
        assert "release the key" in shown(stage.sheet)
    assert stage.port.commands == []


async def test_keys_typed_into_a_stall_do_not_confirm() -> None:
    """Both presses are made before the loop runs again, and then a long time passes before it does."""
    stage = Stage(regressed())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "release the key")
        stage.clock.advance(5)
        await pilot.press("R", "R")
        assert stage.app.screen is stage.sheet
    assert stage.port.commands == []


async def test_any_key_disarms() -> None:
    stage = Stage(regressed())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        stage.settle()
        await says(pilot, "press R to roll back")
        await pilot.press("x")
        assert "release the key" in shown(stage.sheet)
        await pilot.press("R")
    assert stage.port.commands == []


async def test_with_the_real_clock_silence_arms_by_itself() -> None:
    port, app = ScriptedPort(replace(regressed(), no_return_at=None)), Host()
    async with app.run_test() as pilot:
        await app.push_screen(RollbackSheet(port, SystemClock(), "ines"))
        await says(pilot, "press R to roll back")
        await pilot.press("R")
        await until(pilot, lambda: len(port.commands) == 1)


async def test_escape_submits_nothing() -> None:
    stage = Stage(regressed())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        stage.settle()
        await says(pilot, "press R to roll back")
        await pilot.press("escape")
        await until(pilot, lambda: stage.app.screen is not stage.sheet)
    assert stage.port.commands == []
    assert stage.port.subscribers == 0


async def test_f_narrows_to_one_flag_and_what_depends_on_it() -> None:
    stage = Stage(regressed())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "ALL 3 FLAGS go to 0%")
        await pilot.press("f")
        await says(pilot, "ONLY convex_courses and what depends on it: convex_live_sessions")
        assert "convex_resources" not in shown(stage.sheet)
        stage.settle()
        await says(pilot, "press R to roll back")
        await pilot.press("R")
        await until(pilot, lambda: len(stage.port.commands) == 1)
    [command] = stage.port.commands
    assert isinstance(command, DeclareRollback)
    assert command.flags == ("convex_live_sessions", "convex_courses")


@pytest.mark.parametrize("size", SIZES)
async def test_it_names_the_target_the_flags_and_the_budget(size: tuple[int, int]) -> None:
    stage = Stage(regressed())
    async with stage.app.run_test(size=size) as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "release the key")
        text = shown(stage.sheet)
    for words in (
        "LIVE · production",
        "Learning platform to Convex",
        "ALL 3 FLAGS go to 0%",
        "25% → 0%",
        "legacy is well",
        "Failed requests: new fails 9.9x",
        "15:00",
        "escape",
    ):
        assert words in text


async def test_the_sheet_lists_dependants_first() -> None:
    stage = Stage(regressed())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "ALL 3 FLAGS")
        text = shown(stage.sheet)
    assert text.index("convex_live_sessions") < text.index("convex_courses")


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (legacy_down(), "LEGACY DOWN: database · connection refused"),
        (legacy_unseen(), "LEGACY UNKNOWN: database · never seen"),
        (replace(regressed(), backends=()), "legacy is not probed"),
    ],
)
async def test_a_sick_or_unseen_legacy_is_loud(snapshot: Snapshot, words: str) -> None:
    stage = Stage(snapshot)
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, words)


@pytest.mark.parametrize("size", SIZES)
async def test_what_legacy_is_stands_there_before_anybody_goes_back(size: tuple[int, int]) -> None:
    picture = regressed()
    nature = "Invented content: purchases and enrolments made on Convex are out of sight"
    backends = [replace(each, nature=nature if each.side is Side.LEGACY else "") for each in picture.backends]
    stage = Stage(replace(picture, backends=tuple(backends)))
    async with stage.app.run_test(size=size) as pilot:
        await stage.app.push_screen(stage.sheet)
        stage.settle()
        await says(pilot, "press R to roll back")
        text = " ".join(shown(stage.sheet).split())
    assert "! Invented content: purchases and enrolments" in text
    for words in ("convex_courses", "15:00", "escape"):
        assert words in text


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (past_no_return(), "past the point of no return"),
        (read_only(), "this cockpit only watches"),
        (rolling_back(), "a rollback is open already, and it takes these flags along"),
    ],
)
async def test_it_refuses_in_words_and_submits_nothing(snapshot: Snapshot, words: str) -> None:
    stage = Stage(snapshot)
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        stage.settle()
        await says(pilot, words)
        assert "press R" not in shown(stage.sheet)
        await pilot.press("R")
        assert stage.app.screen is stage.sheet
    assert stage.port.commands == []


async def test_the_point_of_no_return_is_judged_by_the_clock() -> None:
    stage = Stage(before_no_return())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        stage.settle()
        await says(pilot, "press R to roll back")
        stage.settle(7200)
        await says(pilot, "past the point of no return")


async def test_many_flags_do_not_hide_what_confirms() -> None:
    first = regressed().flags[0]
    flags = tuple(replace(first, key=f"flag_{index}", depends_on=()) for index in range(60))
    stage = Stage(replace(regressed(), flags=flags), focused=None)
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.sheet)
        stage.settle()
        await says(pilot, "press R to roll back")
        text = shown(stage.sheet)
        assert "ALL 60 FLAGS go to 0%" in text
        assert "more flags" in text
        foot = stage.sheet.query_one("#sheet-foot")
        assert foot.region.bottom <= 23


async def test_a_drill_says_so() -> None:
    stage = Stage(drill())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "DRILL - nothing here is real")


async def test_the_proposal_can_be_vetoed_with_a_reason() -> None:
    stage = Stage(regressed())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await pilot.press("v")
        await says(pilot, "VETO THE PROPOSED ROLLBACK")
        await pilot.press("enter")
        await says(pilot, "reason is needed")
        await pilot.press(*"known", "enter")
        await until(pilot, lambda: len(stage.port.commands) == 1)
    [command] = stage.port.commands
    assert isinstance(command, VetoProposal)
    proposal = regressed().proposal
    assert proposal is not None
    assert (command.signal, command.reason) == (proposal.signal, "known")


async def test_no_proposal_no_reason_and_no_veto() -> None:
    stage = Stage(calm())
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "asked for after the flip")
        assert "veto" not in shown(stage.sheet)
        await pilot.press("v")
        assert stage.app.screen is stage.sheet


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_neither_crashes_nor_leaks(text: str) -> None:
    stage = Stage(replace(hostile(text), rollback=None), focused=text)
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "release the key")
        assert shown(stage.sheet).replace("\n", "").isprintable()


def test_a_press_made_before_the_words_were_shown_does_not_count() -> None:
    press = SecondPress(0.0)
    press.shown(0.5, 100.1)
    press.heard(9.0, 100.05, confirms=True)
    assert not press.take(9.0)


def test_words_say_press_only_after_silence() -> None:
    press = SecondPress(0.0)
    said = []
    for now_s in (0.4, 0.5):
        press.shown(now_s, 100.0 + now_s)
        said.append(press.ready)
    press.heard(0.6, 100.6, confirms=False)
    said.append(press.ready)
    assert said == [False, True, False]


def test_the_first_of_two_quick_presses_counts_and_the_second_does_not() -> None:
    press = SecondPress(0.0)
    press.shown(1.2, 101.0)
    press.heard(1.3, 101.2, confirms=True)
    press.heard(1.3, 101.2, confirms=True)
    assert [press.take(1.3), press.take(1.3)] == [True, False]


def test_a_press_that_the_sheet_never_heard_does_not_count_and_disarms() -> None:
    press = SecondPress(0.0)
    press.shown(2.0, 102.0)
    assert not press.take(9.0)
    assert not press.silent(9.4)
