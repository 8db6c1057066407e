"""The doors of the house: help, version, wrong words, odd outputs, and what a command must not load."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from cockpit import __version__
from tests.e2e.conftest import COCKPIT, ROOT, Stage, run
from tests.plan.json_check import faults

SCREENS = ("demo", "fly", "watch", "wall", "drill")
COMMANDS = (*SCREENS, "announce", "check", "status", "rollback", "report", "journal", "schema")
ENV = {"PATH": os.environ["PATH"]}


def cockpit(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run([*COCKPIT, *words], env={**ENV, **env})


def test_help_names_every_command() -> None:
    told = cockpit("--help")
    assert told.returncode == 0 and told.stderr == ""
    listed = [line.split()[0] for line in told.stdout.split("Commands:")[1].splitlines() if line.strip()]
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str) -> None:
    told = cockpit(command, "-h")
    assert told.returncode == 0
    assert told.stdout.startswith(f"Usage: cockpit {command}")


def test_version() -> None:
    assert cockpit("--version").stdout == f"cockpit, version {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("status",),
        ("rollback", "plan.toml"),
        ("demo", "--fault-after", "nan"),
        ("demo", "--fault-after", "inf"),
        ("demo", "--fault-after", "-1"),
        ("demo", "--seed", "x"),
        ("drill", str(ROOT / "sample_configs" / "minimal.toml"), "no-such-scenario"),
    ],
)
def test_a_wrong_command_line_is_2_and_said_on_stderr(words: tuple[str, ...]) -> None:
    told = cockpit(*words)
    assert told.returncode == 2
    assert told.stdout == "" and told.stderr


@pytest.mark.parametrize("command", ["fly", "watch", "wall", "check", "status", "rollback", "drill"])
def test_a_plan_that_is_not_there_is_2(command: str, tmp_path: Path) -> None:
    missing = tmp_path / "no.toml"
    told = cockpit(command, str(missing), *(("--reason", "x") if command == "rollback" else ()))
    assert told.returncode == 2 and told.stdout == ""
    assert told.stderr.startswith(f"{missing}:1: there is no such file")


@pytest.mark.parametrize("command", SCREENS)
def test_a_screen_is_not_drawn_where_there_is_none(command: str, stage: Stage) -> None:
    words = [*COCKPIT, command] if command in ("demo", "drill") else stage.command(command)
    told = run(words, env=stage.env)
    assert told.returncode == 2 and told.stdout == ""
    assert "standard input is not a terminal" in told.stderr
    assert "cockpit status PLAN" in told.stderr
    assert "\x1b" not in told.stderr
    assert stage.kinds() == []


def test_schema_is_a_schema_of_the_samples() -> None:
    told = cockpit("schema")
    assert told.returncode == 0 and told.stderr == ""
    schema = json.loads(told.stdout)
    for name in ("minimal.toml", "chat-sync.toml"):
        plan = tomllib.loads((ROOT / "sample_configs" / name).read_text())
        assert list(faults(plan, schema, schema)) == []
    assert list(faults({"title": 5}, schema, schema))


@pytest.mark.parametrize("words", [("--help",), ("schema",)])
def test_a_reader_who_leaves_early_hears_no_more(words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run([*COCKPIT, *words], env=ENV, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert "Traceback" not in ended.stderr


def test_a_full_disk_is_said() -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run([*COCKPIT, "schema"], env=ENV, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1
    assert ended.stderr == "standard output cannot be written: No space left on device\n"


def test_an_output_of_ascii_gets_escapes(tmp_path: Path) -> None:
    plan = tmp_path / "nächtlich.toml"
    plan.write_text((ROOT / "sample_configs" / "minimal.toml").read_text())
    told = cockpit("check", str(plan), "--offline", PYTHONIOENCODING="ascii")
    assert told.returncode == 0
    assert r"n\xe4chtlich.toml: a good plan" in told.stdout


def test_a_plan_name_cannot_paint(tmp_path: Path) -> None:
    plan = tmp_path / "\x1b[31mred.toml"
    for words in (("check", str(plan)), ("report", str(plan))):
        assert "\x1b" not in cockpit(*words).stderr
    plan.write_text((ROOT / "sample_configs" / "minimal.toml").read_text())
    told = cockpit("check", str(plan), "--offline")
    assert told.returncode == 0 and "\x1b" not in told.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("check", "--offline"),
        ("status",),
        ("status", "--json"),
        ("report",),
        ("rollback", "--reason", "x"),
    ],
    ids=" ".join,
)
def test_a_command_without_a_screen_loads_no_textual(words: tuple[str, ...], stage: Stage) -> None:
    _, _, *rest = stage.command(*words)
    command = [COCKPIT[0], "-X", "importtime", "-m", *rest]
    ended = subprocess.run(
        command, env=dict(stage.env), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=50
    )
    loaded = {line.rsplit("|", 1)[1].strip() for line in ended.stderr.splitlines() if "|" in line}
    assert "cockpit.cli.main" in loaded
    assert not [name for name in loaded if name.split(".")[0] == "textual" or name.startswith("cockpit.face")]
