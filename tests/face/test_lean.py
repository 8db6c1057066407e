"""What Textual loads for a palette that is switched off, and is not loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from cockpit.core import textual_release
from cockpit.face import lean

ROOT: Final = Path(__file__).parents[2]
PALETTES: Final = {
    *("textual.widgets._option_list", "textual.widgets._select", "textual.widgets._tree"),
    *("textual.widgets._button", "textual.types"),
}
LOAD: Final = """
import json, sys
from cockpit.face.lean import lighten
done = lighten()
from cockpit.face.app import CockpitApp
loaded = sorted(name for name in sys.modules if name.startswith("textual"))
%s
print(json.dumps({"done": done, "loaded": loaded, "found": found}))
"""


def told(then: str = "found = None", before: str = "") -> Any:
    """By a process of its own, after the deck's app was loaded."""
    ran = subprocess.run(
        [sys.executable, "-c", before + LOAD % then],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    return json.loads(ran.stdout)


def test_a_deck_is_loaded_without_what_a_palette_needs() -> None:
    answer = told()
    assert answer["done"]
    assert not PALETTES & set(answer["loaded"])


def test_whoever_asks_for_more_gets_the_true_module() -> None:
    asked = """
from textual.command import CommandList
import textual.command
from textual.widget import Widget
found = [CommandList.__module__, issubclass(textual.command.CommandPalette, object),
         textual.command.CommandPalette.__module__, issubclass(CommandList, Widget)]
"""
    assert told(asked)["found"] == ["textual.command", True, "textual.command", True]


def test_a_picture_of_the_screen_is_saved_where_it_always_was() -> None:
    asked = """
import textual.app
ours = textual.app.user_downloads_path()
import platformdirs
found = [str(ours) == str(platformdirs.user_downloads_path()), hasattr(platformdirs, "user_config_path")]
"""
    assert told(asked)["found"] == [True, True]


def test_nothing_is_changed_in_a_textual_that_is_loaded_already() -> None:
    answer = told(before="import textual.app\n")
    assert not answer["done"]
    assert "textual.widgets._option_list" in answer["loaded"]


def test_an_unknown_textual_is_loaded_whole() -> None:
    answer = told(before="from cockpit.core import textual_release\ntextual_release.KNOWN = frozenset()\n")
    assert not answer["done"]
    assert "textual.widgets._option_list" in answer["loaded"]


def test_the_release_is_read_without_metadata_and_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lean.installed_release() == lean._by_metadata()
    assert not textual_release.unknown_release(lean.installed_release())
    monkeypatch.setattr(lean, "find_spec", lambda name: None)
    assert lean.installed_release() == "without a version"
