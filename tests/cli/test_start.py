"""What a command loads before it answers: a screen only for who wants one, a network library only to ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from cockpit.core.events import Kind
from cockpit.engine.clock import SystemClock
from cockpit.engine.follower import FRESH_S
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.paths import journal_path
from cockpit.engine.published import encode
from tests.e2e.conftest import ROOT, Stage
from tests.e2e.terminal import Terminal, wait_until
from tests.face.pictures import calm

SAMPLE: Final = ROOT / "sample_configs" / "chat-sync.toml"
SCREEN: Final = frozenset({"textual", "rich"})
NETWORK: Final = frozenset({"httpx", "httpcore", "anyio", "psycopg", "websockets", "asyncio"})
LOADS: Final = """
import json, sys
report = sys.argv.pop(1)
from cockpit.cli import main
try:
    main()
finally:
    with open(report, "w") as told:
        json.dump(sorted(name for name, module in sys.modules.items() if module), told)
"""


def loaded(place: Path, *words: str, code: int = 0, env: Mapping[str, str] | None = None) -> set[str]:
    """The packages that `cockpit WORDS` had loaded when it ended."""
    report = place / "loaded.json"
    ran = subprocess.run(
        [sys.executable, "-c", LOADS, str(report), *words],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "XDG_STATE_HOME": str(place / "state"),
            **(env or {}),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    names: list[str] = json.loads(report.read_text())
    return {name.partition(".")[0] for name in names} | {
        name for name in names if name.startswith("cockpit.")
    }


UNTIL_IT_STANDS: Final = """
import json, sys
report = sys.argv.pop(1)
from cockpit.cli import main
from cockpit.engine.engine import Engine

def seen(engine):
    with open(report, "w") as told:
        json.dump(sorted(name for name, module in sys.modules.items() if module), told)
    Engine.stop(engine)

Engine.seen = seen
sys.argv = ["cockpit", "fly", sys.argv[1]]
main()
"""


def test_a_deck_stands_before_anything_is_loaded_to_ask_with(stage: Stage, tmp_path: Path) -> None:
    report = tmp_path / "loaded.json"
    command = [sys.executable, "-c", UNTIL_IT_STANDS, str(report), str(stage.plan_path)]
    with Terminal(command, env=stage.env, columns=80, rows=24) as terminal:
        terminal.expect("q Quit")
        wait_until(report.exists, "the deck stood")
        terminal.press("q")
        assert terminal.process.wait(60) == 0
    found = set(json.loads(report.read_text()))
    assert "textual.app" in found
    late = {"httpx", "httpcore", "h11", "anyio", "psutil", "watchfiles", "cockpit.adapters.http"}
    assert not found & late
    assert "cockpit.adapters.flags.unleash" not in found
    assert not found & {"cockpit.face.doors", "cockpit.face.screens.countdown", "textual.widgets._input"}
    assert not found & {"importlib.metadata", "textual.widgets._option_list", "textual.widgets._select"}


PRESSED: Final = """
import sys, threading
report = sys.argv.pop(1)
from cockpit.cli import main
from cockpit.face.app import PAGES, CockpitApp
load = CockpitApp._load_pages

def loading(app, names):
    load(app, names)
    if not names[1:]:
        with open(report, "w"):
            sys.addaudithook(heard)

def heard(event, arguments):
    if event == "import" and threading.current_thread() is threading.main_thread():
        with open(report, "a") as told:
            told.write(arguments[0] + "\\n")

CockpitApp._load_pages = loading
sys.argv = ["cockpit", "fly", sys.argv[1]]
main()
"""


def test_a_rollback_waits_for_nothing_to_be_loaded(stage: Stage, tmp_path: Path) -> None:
    report = tmp_path / "loaded"
    command = [sys.executable, "-c", PRESSED, str(report), str(stage.plan_path)]
    with Terminal(command, env=stage.env, columns=80, rows=24) as terminal:
        wait_until(report.exists, "every page was loaded")
        terminal.expect("data live")
        terminal.press("R")
        terminal.expect("press R to roll back")
        terminal.press("R")
        terminal.expect("all 3 flags re-read as 0%")
        terminal.press("q")
        terminal.expect("ROLLBACK IS OPEN")
    assert report.read_text() == ""


def drive(plan: Path, place: Path) -> None:
    """Publish as a driver does, by a clock ahead of ours: a busy machine may look at it late."""
    ahead = SystemClock().now() + timedelta(seconds=0.9 * FRESH_S)
    with closing(SqliteJournal(journal_path(plan, {"XDG_STATE_HOME": str(place / "state")}))) as journal:
        journal.publish(encode(replace(calm(), engine_at=ahead)), ahead)


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("fly", "--help")])
def test_help_loads_nothing_but_the_command_line(words: tuple[str, ...], tmp_path: Path) -> None:
    found = loaded(tmp_path, *words)
    assert not found & (SCREEN | NETWORK | {"pydantic", "sqlite3"})
    assert not any(name.startswith(("cockpit.plan", "cockpit.core", "cockpit.engine")) for name in found)


def test_a_plan_is_checked_offline_with_the_kinds_that_it_names(tmp_path: Path) -> None:
    found = loaded(tmp_path, "check", "--offline", str(SAMPLE))
    unneeded = {"sqlite3", "pydantic", "cockpit.core.snapshot", "cockpit.engine.engine"}
    assert not found & (SCREEN | NETWORK | unneeded)
    named = {
        name for name in found if name.startswith(("cockpit.adapters.flags.", "cockpit.adapters.probes."))
    }
    assert named == {
        "cockpit.adapters.flags.unleash_settings",
        "cockpit.adapters.probes.settings",
    }


def test_a_report_needs_the_journal_alone(tmp_path: Path) -> None:
    found = loaded(tmp_path, "report", str(SAMPLE), code=3)
    assert not found & (SCREEN | NETWORK)
    assert not any(name.startswith(("cockpit.plan", "cockpit.adapters")) for name in found)


def test_the_journal_is_verified_without_a_screen_or_an_adapter(tmp_path: Path) -> None:
    found = loaded(tmp_path, "journal", "verify", str(SAMPLE), code=2)
    assert not found & (SCREEN | NETWORK)
    assert not any(name.startswith(("cockpit.plan", "cockpit.adapters")) for name in found)


def test_status_reads_what_the_driver_published_and_loads_nothing_to_ask_with(tmp_path: Path) -> None:
    drive(SAMPLE, tmp_path)
    found = loaded(tmp_path, "status", str(SAMPLE))
    assert not found & (SCREEN | NETWORK | {"cockpit.engine.engine", "pydantic", "subprocess"})
    assert not any(name.startswith(("cockpit.adapters", "cockpit.plan")) for name in found)


@pytest.mark.parametrize("words", [("status",), ("check",), ("rollback", "--reason", "a drill of the doors")])
def test_whoever_asks_without_a_screen_loads_none(
    words: tuple[str, ...], stage: Stage, tmp_path: Path
) -> None:
    stage = stage.unhurried()
    found = loaded(tmp_path, words[0], str(stage.plan_path), *words[1:], env=stage.env)
    assert "cockpit.adapters.http1" in found, "it did ask"
    assert "textual" not in found and "cockpit.face" not in found


def test_status_beside_a_flying_cockpit_does_not_mind_a_plan_under_the_pen(tmp_path: Path) -> None:
    plan = tmp_path / "night.toml"
    plan.write_text("title = ")
    loaded(tmp_path, "status", str(plan), code=2)
    drive(plan, tmp_path)
    loaded(tmp_path, "status", str(plan))


UNUSED: Final = frozenset(
    {
        *("httpx", "httpcore", "anyio", "idna", "urllib.request", "http.client", "http.cookiejar"),
        *("pydantic", "email", "importlib.metadata", "zipfile", "csv", "calendar"),
        *("watchfiles", "multiprocessing", "psycopg", "websockets", "h2"),
        *("pygments", "markdown_it", "rich.progress", "cockpit.adapters.http_proxy", "cockpit.practice"),
    }
)
"""What a flight over plain HTTP never needs: each of it would stay in memory for as long as it lasts."""


def test_a_flight_loads_nothing_that_it_does_not_use(stage: Stage, tmp_path: Path) -> None:
    report = tmp_path / "loaded.json"
    command = [sys.executable, "-c", LOADS, str(report), "fly", str(stage.plan_path)]
    with Terminal(command, env={**stage.env, "PYTHONPATH": str(ROOT)}) as terminal:
        terminal.expect("NEW Convex")
        wait_until(lambda: Kind.FLAG_SEEN.value in stage.kinds(), "a flag was read")
        terminal.process.terminate()
        terminal.process.wait(50)
    found = set(json.loads(report.read_text()))
    assert {"cockpit.adapters.http1", "textual"} <= found, "it flew"
    assert not found & UNUSED
