"""The poll bench still runs; what it measures here means nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.poll_cost import main

HTTP = ("probe http", "flags unleash, 3 flags", "monitor prometheus")


def test_it_polls_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = tmp_path / "costs.json"
    assert main(["--only", "practice", "local", "hosted", "--polls", "2", "--json", str(told)]) == 0
    found = json.loads(told.read_text())
    by = {each["name"]: each for each in found["costs"]}
    assert found["left_out"] == []
    assert [by[name]["requests"] for name in HTTP] == [1, 3, 1]
    assert by["probe tcp"]["requests"] == 0 and not by["probe tcp"]["same_server"]
    printed = capsys.readouterr().out
    assert all(name in printed for name in by)
    assert all(each["wall_ratio"] > 0 for each in found["costs"])
