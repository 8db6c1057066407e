"""Forward moves, holds and overrides: what they name, when they refuse, and that they act once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from cockpit.core.commands import Advance, Command, Hold, OverrideVerdict
from cockpit.core.model import ForeignChange
from cockpit.core.snapshot import FlagStatus, GateResult, Snapshot
from cockpit.face.screens.advance import AdvanceSheet, HoldSheet
from cockpit.face.screens.live import Sheet
from cockpit.face.screens.override import OverrideSheet
from tests.face.parts import NOW
from tests.face.pictures import (
    HOSTILE,
    FakeClock,
    ScriptedPort,
    ahead,
    calm,
    hostile,
    read_only,
    rolling_back,
)
from tests.face.pictures_rollback import Host, says, shown, until


class Stage:
    def __init__(self, snapshot: Snapshot, make: Any) -> None:
        self.port = ScriptedPort(snapshot)
        self.clock = FakeClock()
        self.app = Host()
        self.sheet: Sheet[Any] = make(self.port, self.clock)

    @property
    def only(self) -> Command:
        [command] = self.port.commands
        return command


def advance(flag: str) -> Any:
    return lambda port, clock: AdvanceSheet(port, clock, "ines", flag)


def hold(flag: str) -> Any:
    return lambda port, clock: HoldSheet(port, clock, "ines", flag)


async def _gone(pilot: Pilot[Any], stage: Stage) -> None:
    await until(pilot, lambda: stage.app.screen is not stage.sheet)


async def test_the_typed_flag_name_advances_once() -> None:
    stage = Stage(calm(), advance("convex_resources"))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "convex_resources  10% → 25%  cohort beta")
        await pilot.press("enter")
        await says(pilot, "type convex_resources to confirm")
        await pilot.press(*"convex", "enter")
        assert stage.port.commands == []
        await pilot.press(*"_resources", "enter")
        await _gone(pilot, stage)
    assert isinstance(stage.only, Advance)
    assert (stage.only.flag, stage.only.percent_hundredths, stage.only.by) == (
        "convex_resources",
        2500,
        "ines",
    )


async def test_an_open_gate_refuses_with_its_name_even_when_the_flag_is_typed() -> None:
    stage = Stage(calm(), advance("convex_courses"))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "1 gate not met: hold")
        text = shown(stage.sheet)
        assert "✓ met  verdict errors" in text
        assert "✗ OPEN hold" in text
        assert "in about 8 min" in text
        assert text.index("OPEN") < text.index("met  verdict"), "open gates first"
        await pilot.press(*"convex_courses", "enter")
        await says(pilot, "1 gate not met: hold")
        assert stage.app.screen is stage.sheet
    assert stage.port.commands == []


async def test_a_gate_that_opens_while_the_sheet_is_up_refuses() -> None:
    stage = Stage(calm(), advance("convex_resources"))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await pilot.press(*"convex_resources")
        base = calm()
        gate = GateResult(name="probe api", met=False, text="new api is DOWN")
        flags = (base.flags[0], replace(base.flags[1], gates=(gate,)), base.flags[2])
        stage.port.show(replace(base, flags=flags))
        await says(pilot, "1 gate not met: probe api")
        await pilot.press("enter")
    assert stage.port.commands == []


def _flag(**changes: Any) -> Snapshot:
    base = calm()
    flag: FlagStatus = replace(base.flags[1], **changes)
    return replace(base, flags=(base.flags[0], flag, base.flags[2]))


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (read_only(), "this cockpit cannot write this flag"),
        (_flag(writable=False), "this cockpit cannot write this flag"),
        (rolling_back(), "a rollback is open: nothing moves forward"),
        (_flag(held_by="noor", held_reason="exam week"), "held by noor: exam week"),
        (_flag(stage=2), "no next stage"),
        (_flag(stage=None), "nobody knows at which stage this flag is"),
        (replace(calm(), flags=()), "this flag is no longer in the plan"),
    ],
)
async def test_why_it_cannot_advance(snapshot: Snapshot, words: str) -> None:
    stage = Stage(snapshot, advance("convex_resources"))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, words)
        await pilot.press(*"convex_resources", "enter")
    assert stage.port.commands == []


async def test_many_gates_leave_the_field_and_the_refusal_on_screen() -> None:
    gates = tuple(GateResult(name=f"gate {n}", met=n > 20, text="x", met_at=ahead(60)) for n in range(40))
    stage = Stage(_flag(gates=gates), advance("convex_resources"))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "more lines")
        assert "21 gates not met" in shown(stage.sheet)
        assert stage.sheet.query_one(Input).region.bottom <= 22
        assert stage.sheet.query_one("#sheet-foot").region.bottom <= 23


async def test_priority_letters_are_text_while_typing() -> None:
    stage = Stage(calm(), advance("convex_resources"))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await pilot.press(*"RAHq?t")
        assert stage.sheet.query_one(Input).value == "RAHq?t"
        assert stage.app.screen is stage.sheet
        assert not stage.sheet.query_one(Input).cursor_blink


async def test_hold_needs_a_reason() -> None:
    stage = Stage(calm(), hold("convex_courses"))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "HOLD HERE")
        await pilot.press("enter")
        await says(pilot, "reason is needed")
        await pilot.press(*"exam", "enter")
        await _gone(pilot, stage)
    assert isinstance(stage.only, Hold)
    assert (stage.only.flag, stage.only.reason, stage.only.release) == ("convex_courses", "exam", False)


async def test_a_held_flag_is_released() -> None:
    stage = Stage(_flag(held_by="noor", held_reason="exam week"), hold("convex_resources"))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "RELEASE THE HOLD")
        assert "held by noor: exam week" in shown(stage.sheet)
        await pilot.press("enter")
        await _gone(pilot, stage)
    assert isinstance(stage.only, Hold)
    assert stage.only.release


async def test_a_release_accepts_the_change_that_was_shown_and_no_later_one() -> None:
    def raised(after: str) -> Snapshot:
        change = ForeignChange(at=NOW, before="10%", after=after, who="mallory", raised=True)
        return _flag(held_by="mallory", held_reason="changed by someone else", foreign=change)

    stage = Stage(raised("20%"), hold("convex_resources"))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        stage.port.show(raised("80%"))
        await says(pilot, "changed by someone else meanwhile")
        await pilot.press("enter")
        assert stage.port.commands == []
    again = Stage(raised("80%"), hold("convex_resources"))
    async with again.app.run_test() as pilot:
        await again.app.push_screen(again.sheet)
        await says(pilot, "RELEASE THE HOLD")
        await pilot.press("enter")
        await _gone(pilot, again)
    assert isinstance(again.only, Hold)
    assert again.only.accepts is not None and again.only.accepts.after == "80%"


async def test_escape_does_nothing() -> None:
    stage = Stage(calm(), hold("convex_courses"))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await pilot.press(*"exam", "escape")
        await _gone(pilot, stage)
    assert stage.port.commands == []
    assert stage.port.subscribers == 0


def override(signal: str) -> Any:
    return lambda port, clock: OverrideSheet(port, clock, "ines", flag="convex_resources", signal=signal)


async def test_only_undecided_can_be_overridden() -> None:
    stage = Stage(calm(), override("errors"))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "NOT WORSE is not to be overridden")
        await pilot.press(*"because", "enter")
    assert stage.port.commands == []


async def test_an_override_is_for_the_stage_that_was_shown() -> None:
    """Another cockpit moved the flag while the reason was typed."""
    stage = Stage(calm(), override("slow"))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "convex_resources → 25%")
        stage.port.show(one_stage_on(calm(), "convex_resources"))
        await says(pilot, "not the one that was shown any more: look again")
        await pilot.press(*"load test", "enter")
    assert stage.port.commands == []


def one_stage_on(snapshot: Snapshot, key: str) -> Snapshot:
    flags = tuple(
        replace(flag, stage=flag.stage + 1) if flag.key == key and flag.stage is not None else flag
        for flag in snapshot.flags
    )
    return replace(snapshot, seq=snapshot.seq + 1, flags=flags)


async def test_an_override_names_flag_stage_and_signal_and_wants_a_reason() -> None:
    stage = Stage(calm(), override("slow"))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "convex_resources → 25%")
        await pilot.press("enter")
        await says(pilot, "reason is needed")
        await pilot.press(*"load test", "enter")
        await _gone(pilot, stage)
    assert isinstance(stage.only, OverrideVerdict)
    assert (stage.only.flag, stage.only.percent_hundredths, stage.only.signal, stage.only.reason) == (
        "convex_resources",
        2500,
        "slow",
        "load test",
    )


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("make", [advance, hold])
async def test_hostile_text_neither_crashes_nor_leaks(make: Any, text: str) -> None:
    stage = Stage(replace(hostile(text), rollback=None), make(text))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "escape")
        assert shown(stage.sheet).replace("\n", "").isprintable()
