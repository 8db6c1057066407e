"""The README is generated or tested where it can be: keys, commands, samples, the two commands."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from cockpit.adapters import table
from cockpit.cli.main import cli
from cockpit.face.keys import keys_markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def between(start: str, end: str = "<!-- end -->") -> str:
    return README.split(start, 1)[1].split(end, 1)[0].strip()


def test_the_key_table_is_the_registry_s() -> None:
    """`python -m tests.test_readme` writes it."""
    assert between("<!-- keys -->") == keys_markdown().strip()


def test_every_command_is_in_the_readme_and_every_command_named_there_exists() -> None:
    named = set(re.findall(r"cockpit (demo|[a-z]+)(?= |`|\n)", README))
    commands = set(cli.list_commands(click.Context(cli)))
    assert commands <= named
    assert {name for name in named if name in commands} == commands


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)h][^)]*)\)", README))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_every_adapter_is_in_the_table_of_integrations() -> None:
    rows = README.split("## Connected to", 1)[1].split("##", 1)[0]
    kinds = [*table.FLAG_SERVICES, *table.PROBES, *table.MONITORS, *table.ANNOUNCERS]
    assert [kind for kind in kinds if f"`{kind}`" not in rows] == []


def test_every_row_of_it_says_what_it_was_tested_against_and_when() -> None:
    section = README.split("## Connected to", 1)[1].split("##", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| what")]
    said = re.compile(r"\*\*(Real|Doubles?)\*\*.*\(20\d\d-\d\d\) \|$")
    assert len(rows) > 20
    assert [row for row in rows if not said.search(row)] == []


def test_the_two_commands_use_the_lock_file() -> None:
    commands = re.findall(r"^python3 -m venv.*$", README, flags=re.MULTILINE)
    assert len(commands) == 2
    assert all("-c requirements.lock" in command for command in commands)


def write_keys() -> None:
    old = README.split("<!-- keys -->", 1)[1].split("<!-- end -->", 1)[0]
    text = README.replace(f"<!-- keys -->{old}<!-- end -->", f"<!-- keys -->\n{keys_markdown()}<!-- end -->")
    (ROOT / "README.md").write_text(text)


if __name__ == "__main__":
    write_keys()
