"""The record of drills: what is kept, what counts as passed, and that nothing that lies there is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cockpit.cli.drill_record import KEPT, drills, last_passed, record, record_path, trend
from cockpit.core.drill import Debrief, Measure, StepResult
from cockpit.practice.scenarios import SCENARIOS

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SCENARIO = next(iter(SCENARIOS.values()))


def flown(*, passed: bool = True, zero_s: float | None = 4.2) -> Debrief:
    step = StepResult(id="drain", title="Drain", budget_s=420, took_s=None, overridden=False)
    return Debrief(
        scenario=SCENARIO,
        fault_at=NOW,
        rollback="r1",
        passed=passed,
        measures=(Measure(name="declare to all flags at zero", seconds=zero_s, budget_s=180),),
        steps=(step,),
        overrun_s=None,
        sentences=(),
    )


def keep(path: Path, at: datetime, *, passed: bool = True) -> None:
    record(path, flown(passed=passed), at=at, plan_digest="d" * 64, seed=7, host="bastion")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return record_path(tmp_path / "plan.toml", {"XDG_STATE_HOME": str(tmp_path / "state")})


def test_a_drill_is_kept_with_what_never_happened_left_out(path: Path) -> None:
    keep(path, NOW)
    (row,) = drills(path)
    assert (row["at"], row["scenario"], row["passed"], row["seed"]) == (NOW, SCENARIO.name, True, 7)
    assert row["seconds"] == {"declare to all flags at zero": 4.2}
    assert (row["missed"], "overrun_s" in row) == (["drain"], False)
    assert path.stat().st_mode & 0o777 == 0o600


def test_only_a_passed_drill_that_is_over_counts(path: Path) -> None:
    assert last_passed(path, NOW) is None
    keep(path, NOW - timedelta(days=9))
    keep(path, NOW - timedelta(days=2), passed=False)
    keep(path, NOW + timedelta(days=1))
    assert last_passed(path, NOW) == NOW - timedelta(days=9)


def test_the_oldest_are_forgotten_and_the_newest_stay(path: Path) -> None:
    for day in range(KEPT + 3):
        keep(path, NOW + timedelta(days=day))
    rows = drills(path)
    assert (len(rows), rows[0]["at"], rows[-1]["at"]) == (
        KEPT,
        NOW + timedelta(days=3),
        NOW + timedelta(days=KEPT + 2),
    )


@pytest.mark.parametrize(
    "written",
    [
        b"\xff\xfe",
        b"drill = 5",
        b"[[drill]]\nat = 5\npassed = true",
        b"[[drill]]\nat = 2026-01-01T00:00:00\npassed = true",
        b"[[drill]]\nat = 2026-01-01T00:00:00Z\npassed = 'yes'",
        b"[[drill]]\npassed = true",
        b"not toml at all",
    ],
)
def test_what_cannot_be_read_proves_nothing(path: Path, written: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(written)
    assert last_passed(path, NOW) is None


def test_a_directory_that_others_can_write_is_refused(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o777)
    with pytest.raises(Exception, match="trusted"):
        keep(path, NOW)
    assert not path.exists()


def test_the_trend_is_of_the_same_scenario(path: Path) -> None:
    assert trend(drills(path), SCENARIO.name) == ""
    keep(path, NOW - timedelta(days=2), passed=False)
    keep(path, NOW)
    said = trend(drills(path), SCENARIO.name)
    assert said == "before: 1 of 2 passed, last 2026-11-01, flags at zero after 4.2 s"
    assert trend(drills(path), "another") == ""
