"""What `status --json` prints while a cockpit flies is what its deck shows in the same moment."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest

from tests.e2e.conftest import FLAGS, QUICK, Stage
from tests.e2e.flown import Flown, flown
from tests.e2e.terminal import wait_until

pytestmark = pytest.mark.timeout(120)

LEVEL = {"ok": "✓ OK", "bad": "✗ BAD", "unknown": "? UNKNOWN", "warn": "! WARNING"}
EXIT = {"ok": 0, "note": 0, "warn": 0, "bad": 1, "unknown": 3}
HEALTH = {"ok": "✓ OK", "degraded": "! DEGRADED", "down": "✗ DOWN", "unknown": "? UNKNOWN"}
VERDICT = {
    "REGRESSED": "✗ REGRESSED",
    "NOT_WORSE": "✓ NOT WORSE",
    "UNDECIDED": "○ UNDECIDED",
    "UNKNOWN": "? UNKNOWN",
}


def differences(picture: dict[str, Any], screen: str) -> list[str]:
    """What the JSON says and the deck does not; empty when both say the same."""
    lines = screen.splitlines()
    wanted = [(LEVEL[picture["level"]], lines[1])]
    if picture["reasons"]:
        worst = picture["reasons"][0]
        wanted.append((f"{worst['subject']}: {worst['what'][:40]}", lines[1]))
        others = len(picture["reasons"]) - 1
        wanted.append((f"+{others} more" if others else "", lines[1]))
    for flag in picture["flags"]:
        row = _row(lines, flag["key"])
        wanted.append((_percent(flag["configured_pct"]), row))
        wanted.append((_percent(flag["observed_pct"], digits=1), row))
    for backend in picture["backends"]:
        wanted.append((HEALTH[backend["health"]], _row(lines, backend["side"].upper())))
        for probe in backend["probes"]:
            wanted.append((HEALTH[probe["health"]], _row(lines, probe["name"])))
    for signal in picture["signals"]:
        wanted.append((VERDICT[signal["verdict"]], _row(lines[15:], signal["title"])))
    return [f"{text!r} in {row!r}" for text, row in wanted if text not in row]


def _row(lines: list[str], text: str) -> str:
    """The first row that names it; the heading of a panel (`1 Rollout ...`) may name it, too."""
    return next((line for line in lines[2:] if text in line and not line[:1].isdigit()), "")


def _percent(value: float | None, *, digits: int = 0) -> str:
    if value is None:
        return "—"
    return f"{value:.{digits}f}%" if value % 1 else f"{value:g}%"


def agree(stage: Stage, deck: Flown, *, level: str) -> None:
    """Both may be a moment apart: one of the screens shown while status was asked has to say the same."""
    found: list[str] = ["never looked"]

    def look() -> bool:
        told, screens = _asked(stage, deck)
        picture = json.loads(told.stdout)
        assert picture["mode"] == "live" and told.returncode == EXIT[picture["level"]]
        nearest: list[str] = min((differences(picture, screen) for screen in screens), key=len)
        found[:] = nearest
        if picture["level"] != level:
            found.append(f"level {picture['level']}")
        return not found

    try:
        wait_until(look, "both say the same", 40)
    except AssertionError:
        raise AssertionError(f"{found}\n{deck.terminal.text}") from None


def _asked(stage: Stage, deck: Flown) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """What status said, and every screen that was seen while it was on its way."""
    screens = [deck.terminal.text]
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(stage.run, "status", "--json")
        while not asked.done():
            wait([asked], timeout=0.05)
            if deck.terminal.text != screens[-1]:
                screens.append(deck.terminal.text)
        return asked.result(), screens


def test_the_deck_and_status_say_the_same(stage: Stage) -> None:
    slower = stage.changed((f'signals = "{QUICK}"', 'signals = "3s"'))
    with flown(slower) as deck:
        deck.wait_until_well()
        agree(slower, deck, level="ok")
        stage.inject("flag_service_down", kind="refused")
        agree(slower, deck, level="unknown")
        stage.clear()
        deck.wait_until_well()
        stage.inject("outage", side="legacy")
        agree(slower, deck, level="bad")


def test_the_countdown_and_status_say_the_same(stage: Stage) -> None:
    with flown(stage) as deck:
        deck.wait_until_well()
        deck.press("R")
        deck.shows("press R to roll back")
        deck.press("R")
        deck.shows("all 3 flags re-read as 0%", "observed below 5%")
        picture = json.loads(stage.run("status", "--json").stdout)
        rollback = picture["rollback"]
        assert [flag["key"] for flag in rollback["flags"]] == list(reversed(FLAGS))
        assert {flag["state"] for flag in rollback["flags"]} == {"at zero"}
        deck.shows(f"deadline {rollback['deadline_at'][11:19]}", f"declared by {rollback['declared_by']}")
        for step in rollback["steps"]:
            deck.shows(step["title"])
        lines = stage.run("status").stdout.splitlines()
        assert lines[0].startswith("BAD  Chat sync to Convex")
        assert lines[1].startswith("rollback open since ") and lines[1].endswith(" left")
