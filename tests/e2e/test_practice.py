"""Demo, drill and wall in a real terminal, with the keys that a person has."""

from __future__ import annotations

import re

import pytest

from cockpit.practice.scenarios import SCENARIOS
from tests.e2e.conftest import COCKPIT, FLAGS, Stage
from tests.e2e.flown import DOWN, ENTER, ESCAPE
from tests.e2e.terminal import Terminal, wait_until

SOON = "68"
"""A seed that adds a sixth of a second to the scenario's own time."""

pytestmark = pytest.mark.timeout(150)


def said_after(terminal: Terminal) -> str:
    """What was printed once the screen had been left."""
    return bytes(terminal.raw).decode().rsplit("\x1b[?1049l", 1)[1]


def ended(terminal: Terminal) -> int | None:
    wait_until(lambda: terminal.process.poll() is not None, f"the end\n{terminal.text}", 30)
    return terminal.process.returncode


def test_the_demo_from_calm_to_its_report(stage: Stage) -> None:
    """Only what the hints say is pressed."""
    command = [*COCKPIT, "demo", "--fault-after", "5", "--seed", "3"]
    with Terminal(command, env=stage.env) as terminal:
        terminal.expect("DEMO - practice world")
        terminal.expect("All is well; the new side goes bad in")
        terminal.expect("ROLLBACK PROPOSED")
        terminal.press("R")
        terminal.expect("press R to roll back")
        terminal.press("R")
        terminal.expect("all 3 flags re-read as 0%")
        for step in ("Unsynced devices", "Announce"):
            terminal.expect(f"NEEDS YOU    {step}: do it, then enter")
            terminal.press(ENTER)
            terminal.expect(f"DONE BY YOU: {step}")
            terminal.press(ENTER)
        terminal.expect("every line is done: C signs and closes")
        terminal.press("C")
        terminal.expect("enter send")
        terminal.press(f"it was a drill{ENTER}")
        terminal.expect("closed by kim")
        terminal.press(ESCAPE)
        terminal.expect("That was a rollback. q leaves and prints its report.")
        terminal.press("q")
        assert ended(terminal) == 0
        report = said_after(terminal)
    assert "# Cutover record: Chat sync to Convex" in report
    assert re.search(r"\| declare to users safe \| [^|]+ \| [^|]+ \| \d+:\d\d \| 15:00 \|", report)
    assert "it was a drill" in report
    for flag in FLAGS:
        escaped = flag.replace("_", r"\_")
        assert re.search(rf"\| {re.escape(escaped)} \| 25% \|", report)
    assert "Traceback" not in report


def test_a_demo_that_is_left_at_once_has_nothing_to_report(stage: Stage) -> None:
    with Terminal([*COCKPIT, "demo"], env=stage.env) as terminal:
        terminal.expect("All is well; the new side goes bad in")
        terminal.press("q")
        assert ended(terminal) == 0
        assert "Nothing was rolled back." in said_after(terminal)


def test_a_drill_that_is_left_early_says_so_and_touches_nothing(stage: Stage) -> None:
    with Terminal(stage.command("drill", "error-burst", "--seed", "5"), env=stage.env) as terminal:
        terminal.expect("DRILL - nothing here is real")
        terminal.press("R")
        terminal.expect("press R to roll back")
        terminal.press("R")
        terminal.expect("all 3 flags re-read as 0%")
        terminal.press("q")
        terminal.expect("LEAVE THE COCKPIT?")
        terminal.press("L")
        ended(terminal)
        told = said_after(terminal)
    assert "left before anything went wrong: nothing to debrief" in told
    assert f"the same drill again: cockpit drill {stage.plan_path} error-burst --seed 5" in told
    assert stage.configured() == [25, 25, 25], "a drill touches nothing of the plan's own services"
    assert stage.kinds() == []


def test_a_drill_hides_its_scenario_and_debriefs(stage: Stage) -> None:
    scenario = SCENARIOS["sick-legacy"]
    with Terminal(stage.command("drill", scenario.name, "--seed", SOON), env=stage.env) as terminal:
        terminal.expect("Drill: something may go wrong.")
        terminal.expect("✗ BAD  legacy sync api: DOWN")
        assert scenario.title not in terminal.text and scenario.name not in terminal.text
        terminal.press("q")
        assert ended(terminal) == 0
        told = said_after(terminal)
    assert f"DRILL  {scenario.title}: not passed" in told
    assert scenario.story[:40] in told
    assert "What a good player does:" in told
    assert f"sick-legacy --seed {SOON}" in told


def test_the_wall_shows_the_countdown_and_has_no_key_that_touches(stage: Stage) -> None:
    assert stage.run("rollback", "--reason", "by script").returncode == 0
    before = stage.kinds()
    with Terminal(stage.command("wall"), env=stage.env) as terminal:
        terminal.expect("READ-ONLY WALL")
        terminal.expect("nobody publishes for")
        terminal.expect("it said ROLLING BACK then")
        terminal.expect("ALL 3 flags · declared by kim · by script")
        terminal.expect("all 3 flags re-read as 0%")
        for key in ("R", "A", "H", "C", "e", "n", "x", ENTER, ESCAPE, DOWN, "\t", " "):
            terminal.press(key)
        terminal.press("?")
        terminal.expect("nothing here can touch a service")
        terminal.press("t")
        assert "press R" not in terminal.text
        terminal.press("q")
        assert ended(terminal) == 0
    assert stage.kinds() == before
