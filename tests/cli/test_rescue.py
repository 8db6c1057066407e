"""A real disk that is full during a real headless rollback: nothing of it is lost."""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

import pytest

from cockpit.engine.journal import SqliteJournal
from cockpit.engine.paths import journal_path
from tests.e2e.conftest import COCKPIT, Stage, run
from tests.engine.disks import mounted

pytestmark = pytest.mark.timeout(240)


def fill(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file:
        for size in (65_536, 4096, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)


def test_what_a_full_disk_did_not_take_is_kept_and_taken_in_by_the_next_cockpit(
    stage: Stage, tmp_path: Path
) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk:
        stage = stage.unhurried()
        home = tmp_path / "rescue-home"
        home.mkdir()
        env = {"XDG_STATE_HOME": str(disk / "state"), "HOME": str(home), "XDG_RUNTIME_DIR": ""}
        where = journal_path(stage.plan_path, {**stage.env, **env})
        with closing(SqliteJournal(where)):  # somebody has it open: its files are all there
            fill(disk / "ballast")
            told = stage.run("rollback", "--reason", "the worst night", **env)
        assert told.returncode == 0, told.stderr
        assert stage.configured() == [0, 0, 0]
        assert "NOT IN THE JOURNAL" in told.stderr, told.stderr
        (kept,) = [*home.glob("*.rescue"), *where.parent.glob("*.rescue")]
        assert str(kept) in told.stderr
        (disk / "ballast").unlink()
        verify = [*COCKPIT, "journal", "verify", str(stage.plan_path)]
        checked = run(verify, env={**stage.env, **env})
        assert checked.returncode == 0 and str(kept) in checked.stdout
        again = stage.run("rollback", "--reason", "again", **env)
        assert again.returncode == 0, again.stderr
        assert not kept.exists()
        report = stage.run("report", **env)
        assert "the worst night" in report.stdout
        verified = run(verify, env={**stage.env, **env})
        assert verified.returncode == 0 and "NOT IN THE JOURNAL" not in verified.stdout
