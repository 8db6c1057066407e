"""The wall: one huge word, a heartbeat that visibly stops, and no way to touch anything."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from cockpit.core.model import Mode
from cockpit.core.snapshot import JournalHealth, Level, Reason, Snapshot
from cockpit.face.bigtype import big
from cockpit.face.view import Role, text_of
from cockpit.face.view_wall import SLIDE_EVERY_S, Trust, heartbeat, slide, trust, verdict
from cockpit.face.view_wall import lines as wall_lines
from cockpit.face.wall import WallApp
from tests.face.pictures import (
    EVERY,
    HOSTILE,
    NOW,
    FakeClock,
    ScriptedPort,
    calm,
    hostile,
    overrun,
    regressed,
    rolling_back,
    stale,
    unknown_all,
)
from tests.face.pictures_rollback import EVERY_ROLLBACK, WARDROBE, refused, says, shown, until

SIZES = [(80, 24), (120, 40), (200, 50)]


def after(seconds: float) -> str:
    """The huge word of a calm picture, read this long after the engine spoke last."""
    return verdict(calm(), calm().engine_at + timedelta(seconds=seconds)).word


@pytest.mark.parametrize(
    ("picture", "word"),
    [
        (calm, "OK"),
        (stale, "WARNING"),
        (unknown_all, "UNKNOWN"),
        (regressed, "ROLL BACK"),
        (rolling_back, "ROLLING BACK"),
        (overrun, "ROLLING BACK"),
    ],
)
def test_one_word_says_the_worst(picture: Callable[[], Snapshot], word: str) -> None:
    assert verdict(picture(), NOW).word == word


def test_rolling_back_is_only_advised_where_it_is_proposed() -> None:
    shown = regressed()
    assert shown.proposal is not None
    assert verdict(replace(shown, proposal=replace(shown.proposal, vetoed_by="kim")), NOW).word == "BAD"
    lost = JournalHealth(ok=False, path="x", last_seq=3, detail="disk full")
    why = Reason(level=Level.BAD, subject="journal", what="cannot be written", value="disk full")
    assert verdict(replace(calm(), level=Level.BAD, journal=lost, reasons=(why,)), NOW).word == "BAD"


def test_old_data_are_stale_then_unknown_whatever_they_said() -> None:
    assert [after(seconds) for seconds in (0, 5, 6, 30, 31, 7200)] == [
        "OK",
        "OK",
        "STALE 6 s",
        "STALE 30 s",
        "UNKNOWN 31 s",
        "UNKNOWN 2 h",
    ]
    assert verdict(calm(), NOW + timedelta(seconds=60)).role is Role.UNKNOWN


def test_the_banner_says_once_that_nothing_can_be_touched() -> None:
    following = replace(calm(), mode=Mode.WATCH, read_only=True)
    for width in (80, 120, 200):
        first = text_of(wall_lines(following, NOW, width, 24)[0])
        assert first.startswith(" READ-ONLY WALL · production ")
        assert first.count("READ-ONLY") == 1


def test_a_clock_that_runs_behind_is_not_an_age() -> None:
    assert trust(calm(), NOW - timedelta(hours=1)) is Trust.LIVE


def test_the_heartbeat_moves_with_snapshots_and_never_with_the_clock() -> None:
    beats = {text_of(heartbeat(replace(calm(), seq=seq), NOW)) for seq in range(12)}
    assert len(beats) == 12
    later = NOW + timedelta(seconds=3)
    assert text_of(heartbeat(calm(), NOW)).split()[0] == text_of(heartbeat(calm(), later)).split()[0]
    assert "STOPPED: data 20 s old" in text_of(heartbeat(calm(), NOW + timedelta(seconds=20)))


def test_the_picture_slides_by_single_cells_and_comes_back() -> None:
    places = [slide(NOW + timedelta(seconds=SLIDE_EVERY_S * step)) for step in range(5)]
    assert places[0] == places[4]
    assert len(set(places)) == 4
    assert all(abs(a - c) + abs(b - d) == 1 for (a, b), (c, d) in pairwise(places))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("picture", [*EVERY, *EVERY_ROLLBACK])
def test_whatever_happens_word_time_and_heartbeat_are_there(
    picture: Callable[[], Snapshot], size: tuple[int, int]
) -> None:
    snapshot, (width, height) = picture(), size
    for step in range(4):
        now = NOW + timedelta(seconds=SLIDE_EVERY_S * step)
        drawn = [text_of(line) for line in wall_lines(snapshot, now, width, height)]
        assert len(drawn) == height
        assert drawn[0].startswith(" READ-ONLY WALL · ")
        assert drawn[0].rstrip().endswith("UTC")
        assert "data" in drawn[-1]
        assert any("█" in text for text in drawn)


def test_during_a_rollback_the_countdown_is_the_largest_thing() -> None:
    drawn = "\n".join(text_of(line) for line in wall_lines(refused(), NOW, 80, 24))
    assert "NOT AT ZERO  2 of 3" in drawn
    assert "NEEDS        convex_courses is refused" in drawn
    assert "F retries" not in drawn, "a wall has no keys to press"
    assert "since first breach" in drawn


def test_old_news_lose_their_colours() -> None:
    drawn = wall_lines(calm(), NOW + timedelta(seconds=20), 120, 40)
    roles = {role for line in drawn for _, role in line}
    assert Role.OK not in roles
    assert Role.DOUBT in roles


def test_no_flag_no_signal_no_probe() -> None:
    empty = replace(calm(), flags=(), signals=(), backends=())
    drawn = "\n".join(text_of(line) for line in wall_lines(empty, NOW, 80, 24))
    assert "LEGACY has no probes" in drawn


def test_more_flags_than_cards_become_lines() -> None:
    flags = tuple(replace(calm().flags[0], key=f"f{n}", title=f"Flag {n}") for n in range(9))
    drawn = "\n".join(text_of(line) for line in wall_lines(replace(calm(), flags=flags), NOW, 120, 40))
    assert "asked / configured / observed" in drawn
    assert "Flag 8" in drawn


class Stage:
    def __init__(self, snapshot: Snapshot) -> None:
        self.port = ScriptedPort(snapshot)
        self.clock = FakeClock()
        self.app = WallApp(self.port, self.clock, theme="cockpit")


async def test_the_app_ticks_by_itself_and_marks_itself_stale() -> None:
    stage = Stage(calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await says(pilot, "alive, data 0 s old")
        stage.clock.advance(12)
        await says(pilot, "STOPPED: data 12 s old")
        stage.clock.advance(40)
        await says(pilot, "nothing heard for 52 s; it said OK then")
        stage.port.show(replace(calm(), engine_at=stage.clock.now()))
        await says(pilot, "alive, data 0 s old")


async def test_the_countdown_moves_by_the_clock_alone() -> None:
    stage = Stage(rolling_back(elapsed_s=192))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "since declare  03:12" in shown(stage.app.screen))
        stage.clock.advance(3)
        await until(pilot, lambda: "since declare  03:15" in shown(stage.app.screen))


async def test_no_key_touches_anything() -> None:
    stage = Stage(regressed())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await says(pilot, "READ-ONLY WALL")
        assert stage.app.focused is None
        await pilot.press("R", "R", "A", "H", "enter", "space", "escape", "tab", "ctrl+p")
        stage.clock.advance(1)
        await pilot.press("R", "question_mark")
        await says(pilot, "nothing here can touch a service")
        assert len(stage.app.screen_stack) == 1
        before = stage.app.theme
        await pilot.press("t")
        assert stage.app.theme != before
    assert stage.port.commands == []
    assert stage.port.subscribers == 0


async def test_q_leaves() -> None:
    stage = Stage(calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q")
    assert stage.app.return_code == 0


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_neither_crashes_nor_leaks(text: str) -> None:
    for snapshot in (hostile(text), replace(hostile(text), rollback=None)):
        stage = Stage(snapshot)
        async with stage.app.run_test(size=(80, 24)) as pilot:
            await says(pilot, "READ-ONLY WALL")
            assert shown(stage.app.screen).replace("\n", "").isprintable()


def test_block_letters_are_never_reversed_or_underlined_in_any_theme() -> None:
    for skin in WARDROBE.skins.values():
        inks = skin.inks()
        for role in (Role.BIG_BAD, Role.BIG_WARN, Role.BIG_UNKNOWN, Role.STRONG, Role.OK):
            assert not inks[role].reverse
            assert not inks[role].underline


def test_huge_words_are_drawn_in_blocks() -> None:
    drawn = [text_of(line) for line in wall_lines(rolling_back(), NOW, 80, 24)]
    assert any(big("ROLLING BACK")[0].rstrip() in text for text in drawn)


PROBE = """
import sys
import cockpit.face.wall
print("\\n".join(sorted(name for name in sys.modules if name.startswith("cockpit."))))
print("\\n".join(sys.modules[n].__file__ for n in sys.modules if n.startswith("cockpit.face")))
"""


def test_nothing_that_the_wall_imports_can_hand_a_command_over() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    names = [line for line in done.stdout.split() if not line.endswith(".py")]
    assert "cockpit.face.wall" in names
    forbidden = (
        "cockpit.face.port",
        "cockpit.face.app",
        "cockpit.face.screens",
        "cockpit.engine",
        "cockpit.adapters",
    )
    assert [name for name in names if name.startswith(forbidden)] == []
    for path in (line for line in done.stdout.split() if line.endswith(".py")):
        source = Path(path).read_text(encoding="utf-8")
        assert not re.search(r"\bsubmit\b", source), path
        made = re.findall(r"from cockpit\.core\.commands import (.+)", source)
        assert all(set(re.findall(r"\w+", names)) <= {"CommandState", "CommandStatus"} for names in made), (
            path
        )
