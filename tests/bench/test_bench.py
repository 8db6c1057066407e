"""The benchmarks still run and the runner gathers what they tell; what they measure here means nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import __main__ as runner
from tests.bench import (
    fan_out,
    first_paint,
    follow_delay,
    journal_append,
    key_echo,
    key_to_wire,
    poll_rate,
    resume,
    soak,
)
from tests.bench.goals import Row, all_met, percentiles, read, tell

MET = Row(goal="P7", what="an append", wanted="<= 2.5x", figure="2|3x", beside="a write", met=True)
MISSED = Row(goal="P9", what="resume", wanted="<= 300 ms", figure="301 ms", met=False)
UNKNOWN = Row(goal="P1", what="bytes", wanted="", figure="not measured: why")


def test_what_a_benchmark_tells_is_read_back(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    tell(told, [MET, MISSED, UNKNOWN], more=[1, 2])
    assert read(told) == [MET, MISSED, UNKNOWN]
    assert json.loads(told.read_text())["more"] == [1, 2]


def test_only_a_missed_goal_is_a_failure() -> None:
    assert all_met([MET, UNKNOWN]) == 0
    assert all_met([MET, MISSED]) == 1


def test_percentiles_lie_between_neighbours() -> None:
    assert percentiles([7.0]) == (7.0, 7.0, 7.0)
    assert percentiles([float(each) for each in range(101)]) == (50.0, 90.0, 99.0)


def test_the_table_can_be_pasted() -> None:
    head, _, first, second, third = runner.markdown([MET, MISSED, UNKNOWN])
    assert head == "| goal | what | wanted | figure | met | beside, same run |"
    assert first == "| P7 | an append | <= 2.5x | 2\\|3x | met | a write |"
    assert "| MISSED |" in second and "| - |" in third
    assert [line.split()[0] for line in runner.table([MET, MISSED])] == ["goal", "P7", "P9"]


def test_a_benchmark_that_is_not_there_or_fails_is_told_and_not_left_out() -> None:
    (missing,) = runner.run(runner.Benchmark(goal="P1", module="no_such_benchmark"), quick=True)
    assert missing.met is None and "no such benchmark" in missing.figure
    wrong = runner.Benchmark(goal="P7", module="journal_append", quick=("--no-such-option",))
    (failed,) = runner.run(wrong, quick=True)
    assert failed.met is None and failed.figure == "not measured: told nothing, exit 2"


def test_the_runner_gathers_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = tmp_path / "all.json"
    assert runner.main(["--quick", "--only", "P7", "--markdown", "--json", str(told)]) in (0, 1)
    found = json.loads(told.read_text())
    assert [row["goal"] for row in found["rows"]] == ["P7"]
    assert "| P7 | an append of 200 bytes to the journal |" in capsys.readouterr().out
    assert any("CPUs" in line for line in found["machine"])


def test_the_journal_is_measured_beside_its_floor(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    arguments = ["--directory", str(tmp_path), "--count", "260", "--json", str(told)]
    assert journal_append.main(arguments) in (0, 1)
    (row,) = read(told)
    assert (row.goal, row.beside.partition(":")[0]) == ("P7", "write + fdatasync")


def test_resuming_is_measured_with_the_right_state(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    arguments = ["--directory", str(tmp_path), "--events", "6000", "--json", str(told)]
    assert resume.main(arguments) in (0, 1)
    (row,) = read(told)
    assert row.goal == "P9" and "WRONG" not in row.figure


def test_the_observer_is_measured(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    arguments = ["--count", "5", "--news", "3", "--cost-s", "1", "--json", str(told)]
    assert follow_delay.main(arguments) in (0, 1)
    assert [row.goal for row in read(told)] == ["P10", "P10"]


def test_the_first_frame_and_the_commands_without_one_are_measured(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    assert first_paint.main(["--count", "1", "--json", str(told)]) in (0, 1)
    assert [row.goal for row in read(told)] == ["P4", "P4", "P4"]
    assert all(samples for samples in json.loads(told.read_text())["milliseconds"].values())


def test_a_short_soak_holds_everything_it_counts(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    assert soak.main(["--minutes", "0.25", "--json", str(told)]) in (0, 1)
    assert [row.goal for row in read(told)] == ["P8", "P8", "P8"]
    deck = json.loads(told.read_text())["deck"]
    assert min(deck["threads"]) > 2 and min(deck["tasks"]) > 2 and min(deck["files"]) > 3


def test_a_slope_is_told_with_its_error() -> None:
    at_s = [60.0 * minute for minute in range(12)]
    course = soak.Course(at_s=at_s, rss_kib=[1000 + 7 * minute for minute in range(12)], files=[3] * 12)
    slope, error = course.slope()
    assert (round(slope, 6), round(error, 6)) == (7.0, 0.0)
    assert soak.flat([9, 9, 9, 4, 5, 6, 3, 3, 3, 5, 5, 7]) == (6, 7)


def test_a_key_is_seen_to_echo_on_every_program(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    assert key_echo.main(["--keys", "4", "--polls", "20", "--json", str(told)]) in (0, 1)
    assert [row.goal for row in read(told)] == ["P3", "P3"]


def test_the_rollback_key_is_measured_to_the_wire(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    arguments = ["--count", "1", "--polls", "20", "--stall-s", "1", "--only", "fast", "stalled"]
    assert key_to_wire.main([*arguments, "--json", str(told)]) in (0, 1)
    assert [row.what.rpartition(", ")[2] for row in read(told)] == ["fast", "stalled"]
    assert all("never" not in row.figure for row in read(told))


def test_a_rollback_is_measured_beside_raw_streams(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    assert fan_out.main(["--flags", "2", "--rounds", "1", "--json", str(told)]) in (0, 1)
    (row,) = read(told)
    assert (row.goal, row.met) == ("P6", None)
    (figures,) = json.loads(told.read_text())["ms"]
    assert all(len(figures[part]) == 1 for part in ("floor", "bare", "ours"))


def test_polling_is_measured_and_everything_is_polled(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    assert poll_rate.main(["--targets", "5", "--seconds", "2", "--json", str(told)]) in (0, 1)
    assert [row.goal for row in read(told)] == ["P5", "P5"]
    costs = {cost["name"]: cost for cost in json.loads(told.read_text())["costs"]}
    assert costs["the cockpit"]["polls_per_s"] > 0 and costs["the cockpit"]["late_ms"] is not None
