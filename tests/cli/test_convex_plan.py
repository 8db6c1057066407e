"""The sample plan whose flags live in Convex: checked, and brought back from 50 %, in the practice world."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cockpit.cli.plans import load_plan
from cockpit.engine.clock import SystemClock
from cockpit.practice.server import PracticeServer
from tests.e2e.conftest import ROOT, Stage

pytestmark = pytest.mark.timeout(240)
TEXT = (ROOT / "sample_configs" / "convex.toml").read_text()
HURRIED = "\n[rollback]\ndrain_below_pct = 5\n"
SECOND = re.compile(r"\[flag\.second\].*?\n\n", re.DOTALL)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    plan_path = tmp_path / "courses.toml"
    with PracticeServer(
        load_plan(ROOT / "sample_configs" / "convex.toml"), seed=7, clock=SystemClock()
    ) as practice:
        text = TEXT
        for before, after in (
            ("https://happy-otter-123.convex.cloud", practice.urls["convex"]),
            ("https://prometheus.example.com", practice.urls["prometheus"]),
            ("https://courses.example.com", practice.urls["legacy"]),
            ('propagation = "5s" ', 'propagation = "1s" '),
            ('query = "table_size:courses"', 'query = "table_size:chats"'),
        ):
            assert before in text
            text = text.replace(before, after)
        plan_path.write_text(text)
        practice.world.start_at({"convex_courses": 50})
        yield Stage(
            practice=practice,
            plan_path=plan_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "XDG_STATE_HOME": str(tmp_path / "state"),
                "CONVEX_READ_KEY": "prod:happy-otter-123|viewer-read",
                "CONVEX_VIEW_KEY": "prod:happy-otter-123|viewer-look",
                "CONVEX_WRITE_KEY": "prod:happy-otter-123|practice-write",
                "COCKPIT_OPERATOR": "kim",
            },
        )


def at_percent(stage: Stage) -> float:
    return stage.practice.world.configured_pct("convex_courses")


def hurry(stage: Stage) -> None:
    """A coarse idea of drained, for rollbacks that come to their end."""
    stage.plan_path.write_text(stage.plan_path.read_text() + HURRIED)


def test_check_says_what_each_key_may_do_and_finds_nothing_wrong(stage: Stage) -> None:
    told = stage.run("check")
    lines = told.stdout.splitlines()
    assert not [line for line in lines if line.startswith("FAIL")], told.stdout
    for said in (
        "it is the deployment happy-otter-123: it is",
        "the token may run its query: it may ViewData, ViewMetrics, ViewLogs, RunInternalQueries",
        "the write token may run its mutations: it may do everything",
        "second lever: by hand, 3m",
        "the key may ViewData",
    ):
        assert any(said in line for line in lines), (said, told.stdout)
    assert "the way back works while" not in told.stdout


def test_check_says_which_monitor_counts_which_side(stage: Stage) -> None:
    ours = re.compile(r"(?m)^new = \{ bad = .*$")
    counted = 'new = { monitor = "documents", bad = "table_size:jobs", total = "table_size:chats" }'
    stage.plan_path.write_text(ours.sub(counted, stage.plan_path.read_text()))
    lines = stage.run("check").stdout.splitlines()
    both = next(line for line in lines if "signal errors" in line)
    assert both.startswith("ok")
    assert "two monitors: legacy by prom, new by documents; both are asked in the same moment" in both
    assert any("documents: table_size:jobs" in line and "gives one number" in line for line in lines)


def test_check_warns_of_a_way_back_that_goes_down_with_the_new_side(stage: Stage) -> None:
    stage.plan_path.write_text(SECOND.sub("\n", stage.plan_path.read_text()))
    told = stage.run("check")
    assert told.returncode == 3
    assert re.search(
        r"(?m)^\?.* the way back works while the new backend is down: its lever is a part", told.stdout
    )


def test_check_refuses_another_deployment(stage: Stage) -> None:
    stage.inject("wrong_instance")
    told = stage.run("check")
    assert told.returncode == 1
    assert "wrong deployment: somebody-elses-deployment answers, the plan says happy-otter-123" in told.stdout


def test_a_rollback_brings_the_flag_home(stage: Stage) -> None:
    hurry(stage)
    told = stage.run("rollback", "--reason", "errors on the new side")
    assert (told.returncode, told.stderr) == (0, "")
    assert at_percent(stage) == 0
    assert "convex_courses: at zero" in told.stdout
    assert told.stdout.splitlines()[-1] == "users are back on legacy"


def test_a_rollback_gets_home_though_no_write_is_answered(stage: Stage) -> None:
    """What nobody answered is read back and found to be done."""
    hurry(stage)
    stage.inject("flag_service_write_timeout")
    told = stage.run("rollback", "--reason", "errors on the new side")
    assert at_percent(stage) == 0
    assert "convex_courses: at zero" in told.stdout


def test_a_paused_deployment_is_no_success(stage: Stage) -> None:
    """The lever is inside: nothing that is shown may claim that the users are back."""
    stage.inject("convex_paused")
    told = stage.run("rollback", "--reason", "it is paused")
    assert told.returncode == 1
    assert at_percent(stage) == 50
    assert "users are back on legacy" not in told.stdout
