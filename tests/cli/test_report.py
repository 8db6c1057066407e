"""`cockpit report`: the record, from the journal alone."""

from __future__ import annotations

import json

from tests.e2e.conftest import FLAGS, Stage


def test_without_a_journal_it_is_3(stage: Stage) -> None:
    told = stage.run("report")
    assert told.returncode == 3 and told.stdout == ""
    assert "never flown from here" in told.stderr


def test_after_a_rollback(stage: Stage) -> None:
    stage = stage.brief()
    assert stage.run("rollback", "--reason", "p99 of reads tripled").returncode == 0
    before = stage.kinds()
    told = stage.run("report")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("# ")
    for said in (
        "p99 of reads tripled",
        "kim",
        "declare to users safe",
        *(flag.replace("_", r"\_") for flag in FLAGS),
    ):
        assert said in told.stdout
    assert "practice-as" not in told.stdout
    record = json.loads(stage.run("report", "--json").stdout)
    (rollback,) = record["rollbacks"]
    assert rollback["reason"] == "p99 of reads tripled"
    assert stage.kinds() == before


def test_the_plan_may_be_broken_or_gone_and_the_record_still_be_read(stage: Stage) -> None:
    stage = stage.brief()
    assert stage.run("rollback", "--reason", "x").returncode == 0
    stage.plan_path.write_text("this is no plan")
    assert stage.run("report").returncode == 0
    stage.plan_path.unlink()
    assert stage.run("report").returncode == 0
