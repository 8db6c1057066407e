"""`cockpit status`: what it says and how it exits, with and without a cockpit that flies."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.conftest import FLAGS, Stage
from tests.e2e.terminal import Terminal, wait_until


def test_a_healthy_world_is_0(stage: Stage) -> None:
    told = stage.unhurried().run("status")
    assert (told.returncode, told.stderr) == (0, "")
    first, *lines = told.stdout.splitlines()
    assert first == "OK  Chat sync to Convex in production"
    for flag in FLAGS:
        assert any(line.startswith(f"flag {flag}: asked -, configured 25%") for line in lines)
    assert "legacy Node + PostgreSQL + Redis: ok" in lines
    assert "new Convex: ok" in lines
    assert stage.kinds() == []


def test_json_is_one_object_of_finite_numbers(stage: Stage) -> None:
    told = stage.unhurried().run("status", "--json")
    assert told.returncode == 0 and told.stdout.count("\n") == 1

    def refuse(literal: str) -> float:
        raise AssertionError(literal)

    picture = json.loads(told.stdout, parse_constant=refuse)
    assert picture["level"] == "ok" and picture["read_only"] is True
    assert [flag["key"] for flag in picture["flags"]] == list(FLAGS)


@pytest.mark.parametrize(
    ("fault", "params", "said"),
    [
        (
            "flag_service_down",
            {"kind": "refused"},
            "UNKNOWN  chat_reads: flag cannot be read: connection refused",
        ),
        ("flag_service_down", {"kind": "503"}, "UNKNOWN  chat_reads: flag cannot be read: "),
        ("metrics_down", {"kind": "refused"}, "UNKNOWN  Failed requests: cannot be seen: connection refused"),
        ("hang", {"service": "prometheus"}, "UNKNOWN  Failed requests: cannot be seen: no answer"),
        ("garbage", {"service": "unleash", "kind": "html"}, "cannot be read: HTML instead of JSON"),
        ("wrong_instance", {}, "new deployment: "),
    ],
)
def test_what_cannot_be_seen_is_3(stage: Stage, fault: str, params: dict[str, str], said: str) -> None:
    stage.inject(fault, **params)
    told = stage.run("status")
    assert said in told.stdout
    assert told.returncode == (1 if fault == "wrong_instance" else 3), told.stdout


@pytest.mark.parametrize(
    ("fault", "subject"), [("outage", "new http actions"), ("legacy_sick", "legacy sync api")]
)
def test_a_side_that_is_down_is_1(stage: Stage, fault: str, subject: str) -> None:
    stage.inject(fault)
    told = stage.run("status")
    assert told.returncode == 1
    assert f"BAD  {subject}: DOWN: " in told.stdout


def test_a_broken_plan_is_2(stage: Stage) -> None:
    told = stage.changed(("[judge]", "[jugde]")).run("status")
    assert told.returncode == 2 and told.stdout == ""
    assert 'unknown key "jugde"; did you mean "judge"?' in told.stderr


def test_it_needs_no_write_secret(stage: Stage) -> None:
    env = {name: value for name, value in stage.env.items() if name != "UNLEASH_WRITE_TOKEN"}
    told = Stage(practice=stage.practice, plan_path=stage.plan_path, env=env).unhurried().run("status")
    assert told.returncode == 0


def test_a_journal_that_cannot_be_read_is_3_in_words(stage: Stage) -> None:
    assert stage.run("rollback", "--reason", "x").returncode == 0
    (journal,) = stage.plan_path.parent.glob("state/cutover-cockpit/*.journal")
    journal.write_bytes(b"no journal at all, but long enough to be looked at" * 100)
    for command in ("status", "report"):
        told = stage.run(command)
        assert told.returncode == 3 and told.stdout == ""
        assert told.stderr.startswith("The journal is damaged")


@contextmanager
def following(stage: Stage, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        stage.command("status", "--follow", *words),
        env=dict(stage.env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"ended without {text!r}: {lines}")


def test_follow_tells_changes_until_interrupted(stage: Stage) -> None:
    with following(stage) as process:
        _read_until(process, "OK  Chat sync to Convex")
        stage.inject("outage")
        _read_until(process, "BAD  new http actions: DOWN: ")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")


def test_follow_json_is_one_object_per_line(stage: Stage) -> None:
    with following(stage, "--json") as process:
        _read_until(process, '"level":"ok"')
        stage.inject("outage")
        lines = _read_until(process, '"level":"bad"')
        pictures: list[dict[str, Any]] = [json.loads(line) for line in lines]
        assert [each["seq"] for each in pictures] == sorted(each["seq"] for each in pictures)


def test_a_regression_is_1_while_a_cockpit_flies(stage: Stage) -> None:
    with Terminal(stage.command("fly"), env=stage.env) as terminal:
        terminal.expect("data live")
        stage.inject("error_burst", side="new", rate=0.5)
        wait_until(lambda: stage.run("status").returncode == 1, "status says that it is bad")
        wait_until(lambda: "signal errors: REGRESSED" in stage.run("status").stdout, "the verdict")
        told = stage.run("status")
        assert told.returncode == 1
        assert "BAD  rollback proposed: Failed requests: " in told.stdout
        terminal.expect("ROLLBACK PROPOSED")
