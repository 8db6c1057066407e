"""The countdown screen: truth by the clock alone, every key, and what stands there at 80x24."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from textual.pilot import Pilot

from cockpit.core.commands import (
    AnswerSickLegacy,
    CancelRollback,
    CloseRollback,
    Command,
    CommandState,
    CommandStatus,
    DeclareRollback,
    DoStep,
    GiveReason,
    OverrideStep,
    PullSecondLever,
    RetryFlag,
)
from cockpit.core.snapshot import Snapshot
from cockpit.face.bigtype import big
from cockpit.face.screens.countdown import CountdownScreen
from cockpit.face.screens.reason import Form
from cockpit.face.screens.sheet import PageScreen
from tests.face.pictures import HOSTILE, FakeClock, ScriptedPort, calm, hostile, regressed, rolling_back
from tests.face.pictures_rollback import (
    EVERY_ROLLBACK,
    Host,
    cancelled,
    closed,
    driver_without_right,
    escalated,
    flags_down,
    flipping,
    holding,
    question,
    ready,
    refused,
    says,
    second_levers_pulled,
    shown,
    until,
)

SIZES = [(80, 24), (120, 40), (200, 50)]
DECLARE = DeclareRollback(id="d-1", by="ines", reason="errors")


class Stage:
    """One countdown, its port and its clock."""

    def __init__(self, snapshot: Snapshot, *, declare: DeclareRollback | None = None) -> None:
        self.port = ScriptedPort(snapshot)
        self.clock = FakeClock()
        self.app = Host()
        self.screen = CountdownScreen(self.port, self.clock, "ines", declare=declare)

    @property
    def only(self) -> Command:
        [command] = self.port.commands
        return command


async def _time(pilot: Pilot[Any], digits: str) -> None:
    """Wait until the block digits of the screen are these."""
    await says(pilot, big(digits)[1].rstrip())


async def test_digits_move_by_the_clock_alone_and_overrun_counts_up() -> None:
    stage = Stage(rolling_back(elapsed_s=870))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await _time(pilot, "00:30")
        stage.clock.advance(7)
        await _time(pilot, "00:23")
        stage.clock.advance(23)
        await _time(pilot, "00:00")
        stage.clock.advance(42)
        await _time(pilot, "+00:42")
        assert "OVERRUN" in shown(stage.screen)
        stage.clock.advance(3600)
        await _time(pilot, "+1:00:42")
    assert stage.port.commands == []


async def test_a_resumed_rollback_stands_where_time_put_it() -> None:
    """A cockpit that starts while a rollback is open shows the journalled deadline, not a fresh one."""
    stage = Stage(rolling_back(elapsed_s=192))
    stage.clock.advance(60)
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await _time(pilot, "10:48")
        assert "03:23:55 UTC" in shown(stage.screen)


async def test_declaring_until_the_engine_answers() -> None:
    stage = Stage(regressed(), declare=DECLARE)
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "the engine has the command")
        stage.clock.advance(4)
        await says(pilot, "4 s without an answer: is the engine alive?")
        stage.port.show(flipping())
        await says(pilot, "NOT AT ZERO  2 of 3")


async def test_an_older_closed_rollback_is_not_shown_while_declaring() -> None:
    stage = Stage(closed(), declare=DECLARE)
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "the engine has the command")
        assert "left at close" not in shown(stage.screen)


async def test_a_refused_declare_is_loud() -> None:
    status = CommandStatus(id="d-1", what="rollback", state=CommandState.REFUSED, text="no flag is writable")
    stage = Stage(replace(regressed(), commands=(status,)), declare=DECLARE)
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "THE ROLLBACK WAS REFUSED")
        assert "no flag is writable" in shown(stage.screen)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("picture", EVERY_ROLLBACK)
async def test_three_hard_things_are_always_on_screen(picture: Any, size: tuple[int, int]) -> None:
    snapshot = picture()
    stage = Stage(snapshot)
    async with stage.app.run_test(size=size) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "since declare")
        text = shown(stage.screen)
    rows = text.split("\n")
    assert len(rows) == size[1]
    assert "since first breach" in text
    assert "deadline" in text
    if snapshot.rollback is not None:
        assert "NEEDS YOU" in text
        assert "NOT AT ZERO" in text or "re-read as 0%" in text
        assert "escape" in rows[-1]


async def test_what_needs_a_person_most_comes_first() -> None:
    stage = Stage(refused())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "NEEDS YOU    convex_courses is refused: F retries, or set it to 0%")


async def test_escalation_is_a_banner_by_the_clock() -> None:
    stage = Stage(rolling_back(elapsed_s=700))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "NEEDS YOU")
        assert "ESCALATE" not in shown(stage.screen)
        stage.clock.advance(20)
        await says(pilot, "ESCALATE: page backup, plan B · Drain the new side and Verify legacy")


async def test_the_sick_legacy_question_is_a_choice_of_two() -> None:
    stage = Stage(question())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "GO ANYWAY")
        assert "HOLD" in shown(stage.screen)
        stage.clock.advance(1)
        await pilot.press("h")
        assert isinstance(stage.only, AnswerSickLegacy)
        assert stage.only.go is False
        stage.port.show(holding())
        await says(pilot, "HELD by a person")
        await pilot.press("g")
        last = stage.port.commands[-1]
        assert isinstance(last, AnswerSickLegacy)
        assert last.go is True


async def test_a_key_that_lands_on_a_question_nobody_read_does_not_answer_it() -> None:
    stage = Stage(flipping())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        stage.port.show(question())
        await says(pilot, "GO ANYWAY")
        await pilot.press("g")
        await says(pilot, "read the question first")
        assert stage.port.commands == []
        stage.clock.advance(0.5)
        await pilot.press("g")
    assert isinstance(stage.only, AnswerSickLegacy)


async def test_an_answer_leaves_by_itself_a_refusal_stays() -> None:
    stage = Stage(refused())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("g")
        await says(pilot, "there is no question to answer")
        stage.clock.advance(11)
        await until(pilot, lambda: "there is no question" not in shown(stage.screen))
        await pilot.press("F")
        await says(pilot, "retry convex_courses: handed to the engine")
        stage.clock.advance(11)
        status = CommandStatus(id=stage.only.id, what="retry", state=CommandState.REFUSED, text="too soon")
        stage.port.show(replace(refused(), commands=(status,)))
        await says(pilot, "REFUSED  retry convex_courses: too soon")
        stage.port.show(replace(refused(), commands=(replace(status, state=CommandState.DONE),)))
        await until(pilot, lambda: "retry convex_courses" not in shown(stage.screen))


async def test_without_a_question_go_and_hold_do_nothing() -> None:
    stage = Stage(flipping())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("g", "h")
        await says(pilot, "there is no question to answer")
    assert stage.port.commands == []


async def test_close_lists_the_open_lines_and_submits_nothing() -> None:
    stage = Stage(escalated())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("C")
        await until(pilot, lambda: isinstance(stage.app.screen, PageScreen))
        await says(pilot, "5 Drain the new side: running")
        assert "8 Update the status page: asking" in shown(stage.app.screen)
        assert "02:00 left" in shown(stage.app.screen)
        stage.clock.advance(5)
        await says(pilot, "01:55 left")
    assert stage.port.commands == []


async def test_close_signs_with_a_note_when_every_line_is_done() -> None:
    stage = Stage(ready())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "every line is done: C signs and closes")
        await pilot.press("C")
        await until(pilot, lambda: isinstance(stage.app.screen, Form))
        await pilot.press(*"safe", "enter")
        await until(pilot, lambda: len(stage.port.commands) == 1)
        assert isinstance(stage.only, CloseRollback)
        asked_of = ready().rollback
        assert asked_of is not None
        assert (stage.only.rollback, stage.only.note) == (asked_of.id, "safe")
        stage.port.show(closed())
        await says(pilot, "cockpit report /etc/cutover/lms.toml")
        text = shown(stage.screen)
    assert "OVERRUN at close" in text
    assert "1 204 courses written" in text
    assert "Freeze +" in text


async def test_cancel_only_before_the_first_write() -> None:
    stage = Stage(flipping())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("c")
        await says(pilot, "too late to cancel: a flag write has left")
        assert stage.port.commands == []
        stage.port.show(holding())
        await says(pilot, "HELD by a person")
        await pilot.press("c")
        await says(pilot, "CANCEL THIS ROLLBACK")
        await pilot.press("enter")
        await says(pilot, "reason is needed")
        await pilot.press("x", "enter")
        await until(pilot, lambda: len(stage.port.commands) == 1)
        assert isinstance(stage.only, CancelRollback)
        stage.port.show(cancelled())
        await says(pilot, "CANCELLED")


async def test_enter_acknowledges_a_persons_step_with_a_note() -> None:
    stage = Stage(escalated())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "Say that lessons are read-only")
        await pilot.press("enter")
        await says(pilot, "DONE BY YOU: Update the status page")
        await pilot.press(*"ok", "enter")
        await until(pilot, lambda: len(stage.port.commands) == 1)
        await says(pilot, "done: Update the status page: handed to the engine")
        assert isinstance(stage.only, DoStep)
        assert (stage.only.step, stage.only.note) == ("status_page", "ok")
        refusal = CommandStatus(id=stage.only.id, what="do", state=CommandState.REFUSED, text="not yours")
        stage.port.show(replace(escalated(), commands=(refusal,)))
        await says(pilot, "REFUSED  done: Update the status page: not yours")


async def test_a_reason_that_was_typed_for_one_rollback_cancels_no_later_one() -> None:
    """Another cockpit cancelled it meanwhile, and somebody declared a new one."""
    stage = Stage(holding())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("c")
        await says(pilot, "CANCEL THIS ROLLBACK")
        later = holding()
        assert later.rollback is not None
        stage.port.show(replace(later, rollback=replace(later.rollback, id="another")))
        await pilot.press("x", "enter")
        await says(pilot, "that rollback is over: nothing was done")
    assert stage.port.commands == []


async def test_a_machines_step_cannot_be_ticked_only_overridden_with_a_reason() -> None:
    stage = Stage(rolling_back(settled=4))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("enter")
        await says(pilot, "Drain the new side is settled by evidence, not by hand")
        await pilot.press("o")
        await says(pilot, "OVERRIDE: Drain the new side")
        await pilot.press("enter")
        await says(pilot, "reason is needed")
        assert stage.port.commands == []
        await pilot.press(*"seen", "enter")
        await until(pilot, lambda: len(stage.port.commands) == 1)
    assert isinstance(stage.only, OverrideStep)
    assert (stage.only.step, stage.only.reason) == ("drain", "seen")


async def test_arrows_move_the_focused_step() -> None:
    stage = Stage(rolling_back(settled=4))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "▸ 5 ")
        await pilot.press("down", "down")
        await says(pilot, "▸ 7 ")
        await pilot.press(*["up"] * 9)
        await says(pilot, "▸ 1 ")
        await pilot.press("o")
        await says(pilot, "Declare is settled already")


async def test_reason_names_and_the_judges_words_with_one_key() -> None:
    snapshot = replace(flipping(), proposal=regressed().proposal)
    stage = Stage(snapshot)
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "reason not given: press e")
        await pilot.press("e")
        await says(pilot, "WHY, AND WHO")
        await pilot.press("f2", "down", *"noor R", "down", *"ines", "enter")
        await until(pilot, lambda: len(stage.port.commands) == 1)
    given = stage.only
    assert isinstance(given, GiveReason)
    assert given.reason == "Failed requests: new fails 9.9x as often as legacy"
    assert (given.commander, given.data_owner) == ("noor R", "ines")


async def test_what_a_person_types_is_cleaned() -> None:
    stage = Stage(flipping())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(stage.app.screen, Form))
        box = stage.app.screen.query_one("#field-0")
        box.value = "\u202e[red]x\x1b[2J"  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: len(stage.port.commands) == 1)
    assert isinstance(stage.only, GiveReason)
    assert stage.only.reason == "\ufffd[red]x\ufffd[2J"


async def test_the_countdown_moves_inside_a_form() -> None:
    stage = Stage(flipping())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("e")
        await says(pilot, "15:00 left")
        stage.clock.advance(61)
        await says(pilot, "13:59 left")


async def test_retry_goes_to_every_flag_that_waits_for_one() -> None:
    stage = Stage(refused())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("F")
        await until(pilot, lambda: len(stage.port.commands) == 1)
        assert isinstance(stage.only, RetryFlag)
        assert stage.only.flag == "convex_courses"
        stage.port.show(flipping())
        await pilot.press("F")
        await says(pilot, "no flag waits for a retry")
    assert len(stage.port.commands) == 1


async def test_the_second_lever_is_one_key_for_the_flag_that_is_named_or_chosen() -> None:
    stage = Stage(flags_down())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("L")
        await until(pilot, lambda: len(stage.port.commands) == 1)
        assert isinstance(stage.only, PullSecondLever)
        assert (stage.only.flag, stage.only.note) == ("convex_courses", "")
        stage.port.show(second_levers_pulled())
        await pilot.press("L")
        await says(pilot, "no second lever is offered")
    assert len(stage.port.commands) == 1


async def test_a_lever_that_is_a_person_asks_what_was_done() -> None:
    stage = Stage(flags_down())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("up", "up", "up", "up", "up", "down")
        await says(pilot, "SECOND LEVER BY HAND")
        await pilot.press("L")
        await says(pilot, "DONE BY HAND: convex_resources")
        await pilot.press(*"weight0", "enter")
        await until(pilot, lambda: len(stage.port.commands) == 1)
        assert isinstance(stage.only, PullSecondLever)
        assert (stage.only.flag, stage.only.note) == ("convex_resources", "weight0")


async def test_y_shows_the_text_for_the_incident_channel() -> None:
    stage = Stage(escalated())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("y")
        await says(pilot, "ROLLBACK ALL 3 flags · production · Learning platform to Convex")
        assert "needs a person: page a second person" in stage.app.clipboard


async def test_escape_leaves_and_submits_nothing() -> None:
    stage = Stage(escalated())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("escape")
        await until(pilot, lambda: stage.app.screen is not stage.screen)
    assert stage.port.commands == []
    assert stage.port.subscribers == 0


async def test_a_watcher_can_press_nothing_that_touches() -> None:
    stage = Stage(replace(escalated(), read_only=True))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await pilot.press("enter", "o", "e", "F", "c", "C", "g", "h")
        await says(pilot, "this cockpit only watches")
        assert "override" not in shown(stage.screen).split("\n")[-1]
    assert stage.port.commands == []


async def test_no_rollback_at_all() -> None:
    stage = Stage(calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "no rollback in this flight")
        await pilot.press("enter", "y", "down", "pagedown")
    assert stage.port.commands == []


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_neither_crashes_nor_leaks(text: str) -> None:
    stage = Stage(hostile(text))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "since declare")
        assert shown(stage.screen).replace("\n", "").isprintable()
        await pilot.press("y")
        await until(pilot, lambda: isinstance(stage.app.screen, PageScreen))
        assert all(line.isprintable() for line in stage.app.clipboard.split("\n"))


@pytest.mark.parametrize("size", [(20, 6), (40, 12), (80, 24), (300, 90)])
async def test_any_size_is_drawn(size: tuple[int, int]) -> None:
    stage = Stage(escalated())
    async with stage.app.run_test(size=size) as pilot:
        await stage.app.push_screen(stage.screen)
        await until(pilot, lambda: len(shown(stage.screen).split("\n")) == size[1])
        stage.clock.advance(timedelta(minutes=9).total_seconds())
        stage.port.show(stage.port.latest())
        await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_driver_that_may_not_write_the_second_lever_is_told_of_with_the_key_that_helps(
    size: tuple[int, int],
) -> None:
    stage = Stage(driver_without_right())
    async with stage.app.run_test(size=size) as pilot:
        await stage.app.push_screen(stage.screen)
        await says(pilot, "NEEDS YOU    convex_courses: D takes the seat, then L pulls it: the")
        assert " D seat " in shown(stage.screen)
        await pilot.press("L")
        await says(pilot, " D takes the seat, then L pulls it: the driver ana@ops-1 has no right")
    assert stage.port.commands == []
