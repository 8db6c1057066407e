"""Hostile text everywhere: no markup is read, no control byte leaves, nothing falls over."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import stat
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.face.app import CockpitApp
from cockpit.face.crash import write_crash
from cockpit.face.view import Role, text_of
from cockpit.face.widgets import painted
from tests.face import pictures
from tests.face.conftest import Driven, Fly
from tests.face.pictures import HOSTILE, FakeClock, ScriptedPort

EVIL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
DEADLINE_S = 20.0


def assert_clean(driven: Driven) -> None:
    for line in driven.lines:
        assert EVIL.search(line) is None, line
    assert "cannot draw" not in driven.text


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_the_deck_shows_hostile_text_as_text(fly: Fly, text: str, size: tuple[int, int]) -> None:
    async with fly(pictures.hostile(text), size=size) as driven:
        await driven.press("escape")
        assert_clean(driven)
        assert len(driven.lines) == size[1]


@pytest.mark.parametrize("text", HOSTILE)
async def test_every_page_of_details_shows_hostile_text_as_text(fly: Fly, text: str) -> None:
    async with fly(pictures.hostile(text)) as driven:
        await driven.press("escape")
        for panel in ("1", "2", "3", "6"):
            await driven.press(panel, "enter")
            assert not driven.on_deck
            assert_clean(driven)
            await driven.press("escape")
        for key in ("Y", "y", "question_mark", "colon"):
            await driven.press(key)
            assert_clean(driven)
            await driven.press("escape")


async def test_markup_is_shown_letter_by_letter(fly: Fly) -> None:
    async with fly(pictures.hostile("[red]x[/red]")) as driven:
        await driven.press("escape")
        assert "[red]x[/red]" in driven.text


async def test_what_is_copied_is_clean_too(fly: Fly) -> None:
    async with fly(pictures.hostile("\x1b]52;c;ZXZpbA==\x07")) as driven:
        await driven.press("escape", "Y")
        assert EVIL.search(driven.app.clipboard.replace("\n", "")) is None


@given(st.text(max_size=40))
def test_paper_lets_no_control_character_through(text: str) -> None:
    shown = text_of(painted(((text, Role.TEXT),)))
    assert EVIL.search(shown) is None
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs") for char in shown)


# --- the worst ---------------------------------------------------------------------------------------------


def test_a_crash_leaves_a_private_file_without_the_values_of_variables(tmp_path: Path) -> None:
    def fail() -> None:
        password = "hunter2-in-a-local"
        raise ValueError(f"length {len(password)}")

    try:
        fail()
    except ValueError as error:
        path = Path(write_crash(error, tmp_path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_text()
    assert "ValueError: length 18" in content
    assert "locals" not in content
    assert "could not be written" in write_crash(None, tmp_path / "missing")


async def test_a_crash_of_the_app_prints_one_clean_line_and_no_locals(tmp_path: Path) -> None:
    app = CockpitApp(ScriptedPort(pictures.calm()), FakeClock(), "ines", theme="cockpit", crash_dir=tmp_path)
    app.error_console.file = output = io.StringIO()

    def boom() -> None:
        token = "-".join(("s3cret", "token"))
        raise RuntimeError(f"{len(token)} letters")

    with pytest.raises(RuntimeError):
        async with app.run_test() as pilot:
            app.call_later(boom)
            await pilot.pause()
    text = output.getvalue()
    assert "the screen failed (RuntimeError)" in text
    assert "s3cret-token" not in text
    assert "s3cret-token" not in written_crash(tmp_path)
    assert app.return_code == 1


def written_crash(directory: Path) -> str:
    (path,) = directory.glob("cockpit-crash-*")
    return path.read_text()


# --- through a real terminal -------------------------------------------------------------------------

_PROGRAM = """
import sys
from dataclasses import replace
from tests.face import pictures
from tests.face.pictures import FakeClock, ScriptedPort
from cockpit.face.app import CockpitApp
snapshot = replace(pictures.hostile(sys.argv[1]), rollback=None) if sys.argv[1:] else pictures.regressed()
sys.exit(CockpitApp(ScriptedPort(snapshot), FakeClock(), "ines@bastion-2").fly())
"""


def through_terminal(environment: dict[str, str], until: bytes, *arguments: str, times: int = 1) -> bytes:
    """Everything a cockpit writes to a real 80x24 terminal until some bytes were seen and it was quit."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "COLUMNS": "80",
            "LINES": "24",
            **environment,
        },
        start_new_session=True,
    )
    os.close(slave)
    seen, asked = b"", False
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        ready, _, _ = select.select([master], [], [], 0.2)
        try:
            seen += os.read(master, 65536) if ready else b""
        except OSError:
            break
        if seen.count(until) >= times and not asked:
            asked = True
            os.write(master, b"\x11\x11")
    process.kill()
    process.wait()
    os.close(master)
    assert seen.count(until) >= times, seen[-2000:]
    return seen


def test_NO_COLOR_writes_no_colour_at_all() -> None:
    seen = through_terminal({"TERM": "xterm-256color", "NO_COLOR": "1"}, b"DEGRADED")
    colors = [code for code in re.findall(rb"\x1b\[([0-9;]*)m", seen) if _is_color(code)]
    assert colors == []
    assert re.search(rb"\x1b\[[0-9;]*7[0-9;]*m", seen), "nothing is reversed"


def test_sixteen_colours_write_sixteen_colours() -> None:
    seen = through_terminal({"TERM": "xterm"}, b"DEGRADED")
    codes = b";".join(re.findall(rb"\x1b\[([0-9;]*)m", seen))
    assert b"38;2" not in codes
    assert b"38;5" not in codes
    for number in (b"91", b"92", b"93"):
        assert number in codes.split(b";")


def test_no_hostile_byte_reaches_a_real_terminal() -> None:
    evil = "\x1b]52;c;ZXZpbA==\x07\x9b2J\u202e[@click=app.exit]x[/]"
    seen = through_terminal({"TERM": "xterm-256color"}, b"[@click=app.exit]", evil, times=8)
    assert b"\x1b]52" not in seen
    assert b"\xc2\x9b" not in seen
    assert "\u202e".encode() not in seen


def _is_color(code: bytes) -> bool:
    numbers = [int(part or 0) for part in code.split(b";")]
    return any(30 <= number <= 38 or 40 <= number <= 48 or 90 <= number <= 107 for number in numbers)
