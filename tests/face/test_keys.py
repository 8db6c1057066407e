"""Keys: one registry behind footer, help, palette and table; what each key does, refuses and leaves alone."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from textual.widgets import Input

from cockpit.core.commands import AddNote, CommandState, CommandStatus, OverrideVerdict, PollNow
from cockpit.core.snapshot import JournalHealth, PlanChange
from cockpit.face.actions import ACTIONS, BY_ID, READ_ONLY
from cockpit.face.keys import (
    FOOTER_KEYS,
    footer_actions,
    footer_line,
    help_lines,
    keys_markdown,
    offered,
    palette,
    why_not,
)
from cockpit.face.screens.advance import AdvanceSheet, HoldSheet
from cockpit.face.screens.countdown import CountdownScreen
from cockpit.face.screens.detail import DetailScreen
from cockpit.face.screens.help import HelpScreen
from cockpit.face.screens.override import OverrideSheet
from cockpit.face.screens.palette import PaletteScreen
from cockpit.face.screens.plan_change import PlanChangeSheet
from cockpit.face.screens.quit import QuitSheet
from cockpit.face.screens.rollback_sheet import RollbackSheet
from cockpit.face.screens.sheet import PageScreen
from cockpit.face.view import Role, text_of, width_of
from tests.face import pictures
from tests.face.conftest import Fly
from tests.face.pictures import NOW

WRITES = [action for action in ACTIONS if action.touches]


# --- the registry --------------------------------------------------------------------------------------


def test_no_key_and_no_id_is_used_twice() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))
    assert len(BY_ID) == len(ACTIONS)


def test_what_touches_a_service_is_a_capital_and_what_looks_is_not() -> None:
    for action in ACTIONS:
        if action.touches and action.id != "note.add":
            assert all(key.isupper() for key in action.keys), action.id


def test_keys_survive_every_terminal() -> None:
    for action in ACTIONS:
        for key in action.keys:
            assert "alt+" not in key
            assert key not in ("ctrl+i", "ctrl+m", "ctrl+h", "ctrl+a", "ctrl+b", "ctrl+z")


@pytest.mark.parametrize("builder", pictures.EVERY)
def test_the_footer_has_at_most_seven_keys_that_fit_80_columns(builder: object) -> None:
    assert callable(builder)
    snapshot = builder()
    assert 0 < len(footer_actions(snapshot)) <= FOOTER_KEYS
    assert text_of(footer_line(snapshot, 200)) == text_of(footer_line(snapshot, 80))


def test_a_read_only_picture_offers_no_write_anywhere() -> None:
    snapshot = pictures.read_only()
    shown = text_of(footer_line(snapshot, 200))
    for action in WRITES:
        assert not offered(action, snapshot)
        assert action not in footer_actions(snapshot)
        assert action not in palette(snapshot, "")
        assert why_not(action, snapshot) == READ_ONLY
        assert not action.short or f" {action.short} " not in shown


def test_help_shows_every_key_and_why_one_is_dim() -> None:
    lines = help_lines(pictures.rolling_back(), 100)
    text = "\n".join(text_of(line) for line in lines)
    for action in ACTIONS:
        assert action.named(pictures.rolling_back()) in text
    assert "not now: a rollback is open" in text
    assert all(width_of(line) <= 100 for line in lines)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_help_fits_any_width(width: int) -> None:
    assert all(width_of(line) <= width for line in help_lines(pictures.read_only(), width))


def test_why_not_names_the_cause() -> None:
    calm = pictures.calm()
    assert why_not(BY_ID["rollout.advance"], calm) == ""
    assert why_not(BY_ID["rollout.advance"], pictures.rolling_back()) == "a rollback is open"
    broken = replace(calm, journal=JournalHealth(ok=False, path="", last_seq=0))
    assert why_not(BY_ID["rollout.advance"], broken) == "the journal cannot be written"
    assert why_not(BY_ID["rollback.open"], broken) == ""
    past = replace(calm, no_return_at=NOW.replace(year=2020))
    assert "point of no return" in why_not(BY_ID["rollback.open"], past)
    assert why_not(BY_ID["plan.review"], calm) == "the plan file has not changed"


def test_the_palette_filters_by_every_word_typed() -> None:
    assert palette(pictures.calm(), "roll back")[0].id == "rollback.open"
    assert palette(pictures.calm(), "no such thing") == ()


def test_the_key_table_names_every_key() -> None:
    table = keys_markdown()
    for action in ACTIONS:
        assert action.title in table
    assert "| `R` | Roll back |" in table


def test_the_registry_needs_no_textual() -> None:
    code = "import sys, cockpit.face.keys; print(json.dumps(sorted(sys.modules)))".replace(
        "import sys", "import json, sys"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(answer.stdout)
    assert not [name for name in loaded if name.split(".")[0] in ("textual", "httpx", "asyncio")]


# --- keys on the deck ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "screen"),
    [
        ("R", RollbackSheet),
        ("A", AdvanceSheet),
        ("H", HoldSheet),
        ("O", OverrideSheet),
        ("question_mark", HelpScreen),
        ("f1", HelpScreen),
        ("colon", PaletteScreen),
        ("ctrl+p", PaletteScreen),
        ("enter", DetailScreen),
        ("y", PageScreen),
        ("Y", PageScreen),
    ],
)
async def test_a_key_opens_its_screen_and_escape_leaves_it_with_nothing_done(
    fly: Fly, key: str, screen: type
) -> None:
    async with fly(pictures.calm()) as driven:
        await driven.press(key)
        assert isinstance(driven.app.screen, screen)
        await driven.press("escape")
        assert driven.on_deck
        assert driven.port.commands == []


async def test_rollback_and_help_work_without_any_focus(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        driven.app.deck.set_focus(None)
        assert driven.app.focused is None
        await driven.press("R")
        assert isinstance(driven.app.screen, RollbackSheet)
        await driven.press("escape")
        driven.app.deck.set_focus(None)
        await driven.press("question_mark")
        assert isinstance(driven.app.screen, HelpScreen)


@pytest.mark.parametrize("under", ["question_mark", "enter", "Y"])
async def test_rollback_works_over_other_screens(fly: Fly, under: str) -> None:
    async with fly(pictures.calm()) as driven:
        await driven.press(under)
        assert not driven.on_deck
        await driven.press("R")
        assert isinstance(driven.app.screen, RollbackSheet)


async def test_two_presses_of_R_without_silence_open_the_sheet_and_confirm_nothing(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        await driven.press("R", "R", "R")
        assert isinstance(driven.app.screen, RollbackSheet)
        assert driven.port.commands == []


async def test_the_second_R_belongs_to_the_sheet_and_declares_once(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        await driven.press("R")
        driven.clock.advance(1)
        await driven.until(lambda: "press R to roll back" in driven.text)
        await driven.press("R")
        assert [command.__class__.__name__ for command in driven.port.commands] == ["DeclareRollback"]
        assert isinstance(driven.app.screen, CountdownScreen)


async def test_capitals_typed_into_a_field_are_text(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        await driven.press("n")
        await driven.press("R", "question_mark", "A")
        assert driven.app.screen.query_one(Input).value == "R?A"


@pytest.mark.parametrize("key", ["R", "A", "H", "O", "P", "n"])
async def test_a_read_only_cockpit_answers_a_write_key_with_words_only(fly: Fly, key: str) -> None:
    async with fly(pictures.read_only()) as driven:
        await driven.press(key)
        assert driven.on_deck
        assert "read-only: nothing in this cockpit can touch a service" in driven.text
        assert driven.port.commands == []


async def test_a_dim_key_says_why(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        await driven.press("P")
        assert "the plan file has not changed" in driven.text
        change = PlanChange(digest="d", diff=("stage 2 is 30%",), problems=(), seen_at=NOW)
        await driven.show(replace(pictures.calm(), plan_change=change))
        await driven.press("P")
        assert isinstance(driven.app.screen, PlanChangeSheet)


async def test_r_polls_and_n_notes_with_the_operators_name(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        await driven.press("r")
        await driven.press("n")
        await driven.press(*"all quiet", "enter")
        poll, note = driven.port.commands
        assert isinstance(poll, PollNow)
        assert isinstance(note, AddNote)
        assert note.text == "all quiet"
        assert note.by == poll.by == "ines@bastion-2"
        assert note.id != poll.id


async def test_override_names_the_chosen_undecided_signal_and_the_chosen_flag(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        await driven.press("j", "3", "j", "j", "O")
        await driven.press(*"seen enough", "enter")
        (command,) = driven.port.commands
        assert isinstance(command, OverrideVerdict)
        assert (command.flag, command.signal) == ("convex_resources", "logins")
        assert command.reason == "seen enough"


async def test_what_became_of_a_command_is_said_once(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        status = CommandStatus(
            id="c1", what="advance convex_courses", state=CommandState.REFUSED, text="no gate"
        )
        await driven.show(replace(pictures.calm(), commands=(status,)))
        assert "✗ advance convex_courses refused: no gate" in driven.text
        driven.clock.advance(9)
        driven.app.refresh_picture()
        await driven.settle()
        assert "refused" not in driven.text


async def test_space_freezes_the_picture_loudly_while_banner_and_countdown_go_on(fly: Fly) -> None:
    async with fly(pictures.calm(), size=(80, 24)) as driven:
        await driven.press("space")
        driven.clock.advance(20)
        await driven.show(replace(pictures.regressed(), engine_at=driven.clock.now()))
        assert "PICTURE PAUSED 20 s" in driven.text
        assert "ROLLBACK PROPOSED" in driven.text
        assert "03:12:27 UTC" in driven.lines[0]
        assert "REGRESSED  Failed" not in driven.text
        await driven.press("space")
        assert "PAUSED" not in driven.text
        assert "✗ REGRESSED" in driven.text


async def test_movement_by_arrows_and_letters_and_enter_opens_the_chosen_row(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        await driven.press("j", "down", "k", "enter")
        assert "Flag convex_resources" in driven.lines[0]
        await driven.press("escape", "2", "l", "j", "enter")
        assert "Probe new/functions" in driven.lines[0]
        await driven.press("escape", "h", "enter")
        assert "Probe legacy/database" in driven.lines[0]
        await driven.press("escape", "3", "G", "enter")
        assert "Signal logins" in driven.lines[0]
        await driven.press("escape", "6", "g", "enter")
        assert "Journal entry 31" in driven.lines[0]


async def test_tab_goes_round_the_panels(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        seen = []
        for _ in range(5):
            seen.append(driven.app.deck.focused_panel.id)
            await driven.press("tab")
        assert seen == ["rollout", "backends", "signals", "journal", "rollout"]
        await driven.press("shift+tab")
        assert driven.app.deck.focused_panel.id == "rollout"


async def test_zoom_shows_one_panel_alone_and_escape_brings_the_others_back(fly: Fly) -> None:
    async with fly(pictures.calm(), size=(80, 24)) as driven:
        await driven.press("3", "z")
        assert "Rollout" not in driven.text
        assert "limit 5% in 3 of 5 polls" in driven.text
        await driven.press("6")
        assert "flight opened" in driven.text
        await driven.press("escape")
        assert "Rollout" in driven.text


async def test_the_journal_follows_until_somebody_looks_back(fly: Fly) -> None:
    async with fly(pictures.calm(), size=(80, 24)) as driven:
        more = (*pictures.calm().tail, pictures.line(41, 1, "cockpit", "note.added", "brand new"))
        await driven.show(replace(pictures.calm(), tail=more))
        assert "brand new" in driven.text
        await driven.press("6", "g")
        await driven.show(
            replace(pictures.calm(), tail=(*more, pictures.line(42, 0, "x", "note.added", "newest")))
        )
        assert "newest" not in driven.text
        await driven.press("G")
        assert "newest" in driven.text


async def test_the_palette_runs_what_is_chosen(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        await driven.press("colon")
        await driven.press(*"poll", "enter")
        assert driven.on_deck
        assert [type(command) for command in driven.port.commands] == [PollNow]


async def test_copy_also_shows_the_text(fly: Fly) -> None:
    async with fly(pictures.regressed()) as driven:
        await driven.press("Y")
        assert "state: BAD" in driven.text
        assert "state: BAD" in driven.app.clipboard
        await driven.press("escape", "y")
        assert "Flag convex_courses" in driven.app.clipboard


async def test_q_leaves_at_once_and_asks_while_a_rollback_is_open(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        await driven.press("q")
        await driven.until(lambda: not driven.app.is_running)
    async with fly(pictures.rolling_back()) as driven:
        await driven.press("escape", "q")
        assert isinstance(driven.app.screen, QuitSheet)
        await driven.press("escape")
        assert driven.on_deck
        await driven.press("ctrl+q")
        assert isinstance(driven.app.screen, QuitSheet)
        await driven.press("ctrl+q")
        await driven.until(lambda: not driven.app.is_running)


async def test_ctrl_c_hints_and_does_not_leave(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        await driven.press("ctrl+c")
        assert driven.app.is_running
        assert "ctrl+c does nothing here" in driven.text


async def test_every_action_has_an_act(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        moves = {action.id for action in ACTIONS if action.id.startswith("move.")}
        assert set(driven.app.acts) == set(BY_ID) - moves


def test_dim_keys_in_the_footer_are_dim() -> None:
    line = footer_line(pictures.rolling_back(), 120)
    assert (" A Advance  H Hold ", Role.DIM) in line
