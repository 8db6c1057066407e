"""`cockpit rollback` when the night is at its worst: real processes, a real journal, a practice world."""

from __future__ import annotations

import signal
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from cockpit.core.events import Kind
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.paths import journal_path
from tests.e2e.conftest import FLAGS, Stage
from tests.e2e.terminal import wait_until

pytestmark = pytest.mark.timeout(120)


def abandoned(stage: Stage, *, minutes: float, environment: str = "") -> None:
    """The journal of a cockpit that was killed right after the declare, so many minutes ago."""
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    place = journal_path(stage.plan_path, stage.env)
    journal = SqliteJournal(place)
    steps = [
        {"id": "flip", "key": "flip", "title": "Flip", "budget_s": 180, "machine": True},
        {"id": "drain", "key": "drain", "title": "Drain", "budget_s": 420, "machine": True},
        {"id": "close", "key": "close", "title": "Close", "budget_s": 900, "machine": False},
    ]
    opened = {
        "plan_title": "x",
        "plan_digest": "d",
        "environment": environment or "production",
        "mode": "live",
    }
    journal.append(Kind.FLIGHT_OPENED, opened, actor="ben", at=at, expected_seq=0)
    journal.append(
        Kind.ROLLBACK_DECLARED,
        {
            "rollback": "r1",
            "flags": [{"flag": key, "layer": 0, "waits_for": [], "before": 2500} for key in FLAGS],
            "whole": True,
            "deadline_at": (at + timedelta(minutes=15)).isoformat(),
            "escalate_at": (at + timedelta(minutes=12)).isoformat(),
            "first_breach_at": None,
            "reason": "errors",
            "steps": steps,
        },
        actor="ben",
        at=at,
        expected_seq=1,
    )
    journal.close()


def test_a_rollback_left_open_past_its_deadline_is_still_carried_out(stage: Stage) -> None:
    """Its fifteen minutes are over, which is no reason to leave every flag where it is."""
    abandoned(stage, minutes=40)
    told = stage.run("rollback", "--reason", "again")
    assert stage.configured() == [0, 0, 0], told.stdout + told.stderr
    assert told.stdout.splitlines()[-1] == "users are back on legacy"
    assert told.returncode == 0


def test_a_line_that_is_cut_twice_ends_nothing(stage: Stage) -> None:
    """Kernel and shell both say SIGHUP when a session dies: nobody pressed anything twice."""
    with _start(stage) as process:
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "operator.lost" in stage.kinds(), "the first was heard")
        process.send_signal(signal.SIGHUP)
        said, errors = process.communicate(timeout=60)
    assert stage.configured() == [0, 0, 0]
    assert said.splitlines()[-1] == "users are back on legacy"
    assert process.returncode == 0 and "Traceback" not in errors


def test_an_open_rollback_of_another_environment_is_not_carried_out_here(stage: Stage) -> None:
    """The rehearsal in staging was never signed off; then the plan file was pointed at production."""
    abandoned(stage, minutes=40, environment="staging")
    told = stage.run("rollback", FLAGS[-1], "--reason", "only this one")
    assert "staging" in told.stderr and "NO JOURNAL" in told.stderr
    assert stage.configured() == [25, 25, 0], "what nobody asked for here stays where it is"
    status = stage.run("status")
    assert status.returncode == 3 and "staging" in status.stderr


def _start(stage: Stage) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        stage.command("rollback", "--reason", "x"),
        env=dict(stage.env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: "rollback.declared" in stage.kinds(), "declared")
    return process
