"""The whole way back inside the real app: `R`, silence, `R`, countdown, deck, leaving."""

from __future__ import annotations

from dataclasses import replace

from textual import events
from textual.pilot import Pilot

from cockpit.core.commands import AddNote, DeclareRollback
from cockpit.core.snapshot import Snapshot
from cockpit.face.app import CockpitApp
from cockpit.face.screens.countdown import CountdownScreen
from cockpit.face.screens.quit import QuitSheet
from cockpit.face.screens.rollback_sheet import RollbackSheet
from tests.face.pictures import FakeClock, ScriptedPort, calm, regressed
from tests.face.pictures_rollback import escalated, flipping, says, shown, until


class Stage:
    def __init__(self, snapshot: Snapshot) -> None:
        self.port = ScriptedPort(snapshot)
        self.clock = FakeClock()
        self.app = CockpitApp(self.port, self.clock, "ines", theme="cockpit")

    def settle(self) -> None:
        self.clock.advance(1)
        self.port.show(self.port.latest())

    async def arm(self, pilot: Pilot[None]) -> None:
        """Up to where the next `R` rolls back."""
        await pilot.press("R")
        await says(pilot, "release the key")
        self.settle()
        await says(pilot, "press R to roll back")


async def test_r_silence_r_then_the_countdown_once() -> None:
    stage = Stage(regressed())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.arm(pilot)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(stage.app.screen, CountdownScreen))
        [command] = stage.port.commands
        assert isinstance(command, DeclareRollback)
        assert command.by == "ines"
        stage.port.show(flipping())
        await says(pilot, "NOT AT ZERO  2 of 3")
        await pilot.press("R")
        await says(pilot, "declared already")
        await pilot.press("escape")
        await until(pilot, lambda: stage.app.screen is stage.app.deck)
        stage.settle()
        await pilot.pause()
        assert stage.app.screen is stage.app.deck, "left on purpose, it does not come back by itself"
        await pilot.press("R")
        await until(pilot, lambda: isinstance(stage.app.screen, CountdownScreen))
    assert len(stage.port.commands) == 1


async def test_the_second_press_waits_in_no_queue_of_widgets() -> None:
    stage = Stage(regressed())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.arm(pilot)
        await stage.app.on_event(events.Key("R", "R"))
        assert [type(command) for command in stage.port.commands] == [DeclareRollback]
        await until(pilot, lambda: isinstance(stage.app.screen, CountdownScreen))
    assert len(stage.port.commands) == 1


async def test_keys_typed_at_the_deck_during_a_stall_declare_nothing() -> None:
    """Three presses wait in the queue before the app handles the first one."""
    stage = Stage(regressed())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: stage.app.screen is stage.app.deck)
        for _ in range(3):
            stage.app.post_message(events.Key("R", "R"))
        await until(pilot, lambda: isinstance(stage.app.screen, RollbackSheet))
        await says(pilot, "release the key")
        stage.clock.advance(30)
        await pilot.pause()
    assert stage.port.commands == []


async def test_presses_that_waited_while_time_passed_declare_nothing() -> None:
    """The loop stands still after the first press; the second was made then and is handled later."""
    stage = Stage(regressed())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("R")
        await says(pilot, "release the key")
        waiting = events.Key("R", "R")
        stage.settle()
        await says(pilot, "press R to roll back")
        stage.app.post_message(waiting)
        await says(pilot, "release the key")
    assert stage.port.commands == []


async def test_a_rollback_that_was_open_at_the_start_is_shown_first() -> None:
    stage = Stage(escalated())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(stage.app.screen, CountdownScreen))
        await says(pilot, "ESCALATE")


async def test_leaving_with_a_rollback_open_takes_two_acts() -> None:
    stage = Stage(escalated())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(stage.app.screen, CountdownScreen))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(stage.app.screen, QuitSheet))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(stage.app.screen, CountdownScreen))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(stage.app.screen, QuitSheet))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: not stage.app.is_running)


async def test_the_rollback_key_works_over_other_sheets_and_is_text_in_a_field() -> None:
    stage = Stage(replace(calm()))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        await says(pilot, "NOTE")
        await pilot.press(*"Read", "enter")
        await until(pilot, lambda: len(stage.port.commands) == 1)
        [note] = stage.port.commands
        assert isinstance(note, AddNote)
        assert note.text == "Read"
        await pilot.press("question_mark", "R")
        await until(pilot, lambda: isinstance(stage.app.screen, RollbackSheet))
        assert "ALL 3 FLAGS" in shown(stage.app.screen)


def partial() -> Snapshot:
    """A rollback of two of the three flags."""
    whole = flipping()
    assert whole.rollback is not None
    kept = whole.rollback.flips[:2]
    flags = tuple(flip.flag for flip in kept)
    return replace(whole, rollback=replace(whole.rollback, whole=False, flags=flags, flips=kept))


async def test_r_on_the_countdown_of_some_flags_widens_it_to_all_with_the_second_r() -> None:
    stage = Stage(partial())
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(stage.app.screen, CountdownScreen))
        countdown = stage.app.screen
        await says(pilot, "more flags")
        await pilot.press("R")
        await until(pilot, lambda: isinstance(stage.app.screen, RollbackSheet))
        await says(pilot, "WIDEN the open rollback to all 3 flags")
        await says(pilot, "left: the deadline stays")
        await pilot.press("R")
        assert stage.port.commands == [], "it counts after half a second of silence, like the first one"
        stage.settle()
        await says(pilot, "press R to widen the rollback")
        await pilot.press("R")
        await until(pilot, lambda: stage.app.screen is countdown)
        [command] = stage.port.commands
        assert isinstance(command, DeclareRollback) and command.flags == ()
        stage.port.show(flipping())
        await pilot.press("R")
        await says(pilot, "declared already")
