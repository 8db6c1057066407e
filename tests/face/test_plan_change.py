"""A changed plan: what differs, taking it, setting it aside, and a broken file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.core.commands import TakePlan
from cockpit.core.snapshot import PlanChange, Snapshot
from cockpit.face.screens.plan_change import PlanChangeSheet
from tests.face.pictures import HOSTILE, FakeClock, ScriptedPort, ago, calm, hostile, rolling_back
from tests.face.pictures_rollback import Host, says, shown, until

CHANGE = PlanChange(
    digest="abc123",
    diff=("flag convex_courses: hold of stage 2 is 30 min, was 1 h", "signal slow: new"),
    problems=(),
    seen_at=ago(40),
)
BROKEN = replace(CHANGE, diff=(), problems=("lms.toml:14: flags.0.stagse: unknown, did you mean stages?",))


def changed(change: PlanChange | None, base: Snapshot | None = None) -> Snapshot:
    return replace(base or calm(), plan_change=change)


class Stage:
    def __init__(self, snapshot: Snapshot) -> None:
        self.port = ScriptedPort(snapshot)
        self.app = Host()
        self.sheet = PlanChangeSheet(self.port, FakeClock(), "ines")


@pytest.mark.parametrize(("key", "accept"), [("T", True), ("X", False)])
async def test_take_or_set_aside_the_change_that_was_shown(key: str, accept: bool) -> None:
    stage = Stage(changed(CHANGE))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "the plan changed: 2 differences · seen 40 s ago")
        assert "hold of stage 2 is 30 min, was 1 h" in shown(stage.sheet)
        await pilot.press(key)
        await until(pilot, lambda: len(stage.port.commands) == 1)
    [command] = stage.port.commands
    assert isinstance(command, TakePlan)
    assert (command.digest, command.accept, command.by) == ("abc123", accept, "ines")


async def test_a_newer_change_must_be_seen_before_it_is_taken() -> None:
    stage = Stage(changed(CHANGE))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "signal slow: new")
        stage.port.latest = lambda: changed(replace(CHANGE, digest="newer", diff=("flag gone",)))  # type: ignore[method-assign]
        await pilot.press("T")
        await says(pilot, "flag gone")
    assert stage.port.commands == []


async def test_a_broken_file_can_only_be_read() -> None:
    stage = Stage(changed(BROKEN))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "did you mean stages?")
        assert "the last good plan stays" in shown(stage.sheet)
        await pilot.press("T", "X")
    assert stage.port.commands == []


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (changed(None), "no change waits for an answer"),
        (changed(CHANGE, rolling_back()), "the plan is frozen until it is closed"),
        (replace(changed(CHANGE), read_only=True), "this cockpit only watches"),
    ],
)
async def test_when_nothing_can_be_decided(snapshot: Snapshot, words: str) -> None:
    stage = Stage(snapshot)
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, words)
        await pilot.press("T", "X")
        assert stage.app.screen is stage.sheet
    assert stage.port.commands == []


async def test_a_long_diff_scrolls_and_keeps_its_keys() -> None:
    stage = Stage(changed(replace(CHANGE, diff=tuple(f"line {n}" for n in range(80)))))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "more below")
        await pilot.press(*["down"] * 70)
        await says(pilot, "line 79")
        assert "set it aside" in shown(stage.sheet)


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_neither_crashes_nor_leaks(text: str) -> None:
    stage = Stage(changed(replace(CHANGE, diff=(text,), digest=text), hostile(text)))
    async with stage.app.run_test() as pilot:
        await stage.app.push_screen(stage.sheet)
        await says(pilot, "THE PLAN FILE")
        assert shown(stage.sheet).replace("\n", "").isprintable()
