"""`cockpit rollback`: the rollback of scripts and of the worst night."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from cockpit.engine.paths import journal_path
from tests.e2e.conftest import FLAGS, Stage
from tests.e2e.terminal import Terminal, wait_until

pytestmark = pytest.mark.timeout(240)


def test_all_flags_come_back(stage: Stage) -> None:
    stage = stage.unhurried()
    told = stage.run("rollback", "--reason", "errors on the new side")
    assert (told.returncode, told.stderr) == (0, "")
    assert stage.configured() == [0, 0, 0]
    lines = told.stdout.splitlines()
    assert any(
        "ROLLBACK declared for all flags" in line and "errors on the new side" in line for line in lines
    )
    assert all(any(line.startswith(f"{flag}: at zero after ") for line in lines) for flag in FLAGS)
    assert any(line.startswith("still open: ") and "Unsynced devices" in line for line in lines)
    assert lines[-1] == "users are back on legacy"
    assert "cut mark set: writes" in told.stdout and "not counted" not in told.stdout
    assert stage.kinds()[-1] == "flight.ended"


def test_one_flag_takes_its_dependants_and_nothing_else(stage: Stage) -> None:
    stage = stage.brief()
    told = stage.run("rollback", "chat_reads", "--reason", "reads are wrong")
    assert told.returncode == 0
    assert stage.configured() == [25, 0, 0]
    assert "chat_writes: at zero" not in told.stdout


def test_a_flag_that_the_plan_does_not_name_is_2(stage: Stage) -> None:
    told = stage.run("rollback", "chat_raeds", "--reason", "x")
    assert told.returncode == 2 and told.stdout == ""
    assert 'unknown flag "chat_raeds"; did you mean "chat_reads"?' in told.stderr
    assert stage.configured() == [25, 25, 25] and stage.kinds() == []


def test_a_sick_legacy_is_a_question_that_no_script_answers(stage: Stage) -> None:
    stage.inject("legacy_sick")
    told = stage.run("rollback", "--reason", "x")
    assert told.returncode == 1
    assert "Legacy is down by its own probes" in told.stderr
    assert f"Answer on the deck: cockpit fly {stage.plan_path}" in told.stderr
    assert stage.configured() == [25, 25, 25]
    assert "rollback.asked" in stage.kinds() and stage.kinds()[-1] == "flight.ended"


def test_a_service_that_refuses_is_1_and_said_per_flag(stage: Stage) -> None:
    told = stage.run("rollback", "--reason", "x", UNLEASH_WRITE_TOKEN="viewer-token")
    assert told.returncode == 1
    assert told.stdout.splitlines()[-1] == "NOT every flag is proved to be back"
    assert "chat_realtime: refused (" in told.stdout
    assert "viewer-token" not in told.stdout
    assert stage.configured() == [25, 25, 25]


def test_an_open_rollback_of_other_flags_is_widened(stage: Stage) -> None:
    stage = stage.brief()
    assert stage.run("rollback", "chat_realtime", "--reason", "x").returncode == 0
    told = stage.run("rollback", "--reason", "everything")
    assert told.returncode == 0, told.stderr
    assert "ROLLBACK widened to all flags (now also chat_reads, chat_writes)" in told.stdout
    assert told.stdout.splitlines()[-1] == "users are back on legacy"
    assert stage.configured() == [0, 0, 0]
    assert stage.kinds().count("rollback.widened") == 1
    again = stage.run("rollback", "chat_realtime", "--reason", "again")
    assert again.returncode == 0 and again.stdout.splitlines()[-1] == "users are back on legacy"
    assert stage.kinds().count("rollback.declared") == 1


@pytest.mark.parametrize("place", ["nowhere", "damaged"])
def test_a_rollback_needs_no_journal(stage: Stage, place: str) -> None:
    stage = stage.brief()
    env = {"XDG_STATE_HOME": "/proc/nowhere"} if place == "nowhere" else {}
    journal = journal_path(stage.plan_path, stage.env)
    journal.parent.mkdir(mode=0o700, parents=True)
    journal.write_bytes(b"this is no journal" * 300)
    journal.chmod(0o600)
    told = stage.run("rollback", "--reason", "x", **env)
    assert told.returncode == 0
    assert "NO JOURNAL: rolling back all the same" in told.stderr
    assert told.stdout.splitlines()[-1] == "users are back on legacy"
    assert stage.configured() == [0, 0, 0]


def test_what_lies_where_heartbeats_lie_does_not_hold_up_a_rollback(stage: Stage) -> None:
    stage = stage.brief()
    journal = journal_path(stage.plan_path, stage.env)
    journal.parent.mkdir(mode=0o700, parents=True)
    dead = journal.with_name(f"{journal.name}.seat.dead")
    dead.symlink_to("/etc/hostname")
    told = stage.run("rollback", "--reason", "x")
    assert told.returncode == 0
    assert stage.configured() == [0, 0, 0]


def test_beside_a_deck_that_flies_it_takes_the_seat_and_gives_it_back(stage: Stage) -> None:
    with Terminal(stage.command("fly"), env=stage.env) as terminal:
        terminal.expect("data live")
        told = stage.run("rollback", "--reason", "by script", COCKPIT_OPERATOR="robot")
        assert told.returncode == 0
        terminal.expect("all 3 flags re-read as 0%")
        terminal.expect("since declare")
        assert stage.configured() == [0, 0, 0]
        wait_until(lambda: "flight.resumed" in stage.kinds(), "the deck drives again")
    with closing(stage.journal()) as journal:
        events = journal.read()
    taken = [(event.actor, event.body["how"]) for event in events if event.kind == "driver.taken"]
    assert taken == [("kim", "free"), ("robot", "rollback"), ("kim", "free")]
    assert stage.kinds().count("flight.opened") == 1
    (declared,) = [event for event in events if event.kind == "rollback.declared"]
    assert declared.actor == "robot" and declared.body["reason"] == "by script"


@contextmanager
def _start(stage: Stage) -> Iterator[subprocess.Popen[str]]:
    """A rollback without a screen that has been declared; it does not outlive the test."""
    process = subprocess.Popen(
        stage.command("rollback", "--reason", "x"),
        env=dict(stage.env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            wait_until(lambda: "rollback.declared" in stage.kinds(), "declared")
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_lets_the_machine_finish(stage: Stage, number: signal.Signals) -> None:
    with _start(stage) as process:
        process.send_signal(number)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.splitlines()[-1] == "users are back on legacy"
    assert "once more leaves at once" in errors and "Traceback" not in errors
    assert stage.configured() == [0, 0, 0]


def test_a_second_signal_leaves_and_the_next_one_goes_on(stage: Stage) -> None:
    stage = stage.brief()
    stage.inject("hang", service="unleash")
    with _start(stage) as process:
        process.send_signal(signal.SIGINT)
        wait_until(lambda: "operator.lost" in stage.kinds(), "the first signal was heard")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert "a cockpit that flies this plan goes on with it" in errors
    assert stage.configured() == [25, 25, 25]
    stage.clear()
    assert stage.run("rollback", "--reason", "x").returncode == 0
    assert stage.configured() == [0, 0, 0]
    assert stage.kinds().count("rollback.declared") == 1


def test_a_reader_who_leaves_does_not_stop_it(stage: Stage) -> None:
    stage = stage.brief()
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        stage.command("rollback", "--reason", "x"),
        env=dict(stage.env),
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert stage.configured() == [0, 0, 0]


def test_a_drain_without_an_end_is_waited_for_and_says_so_with_the_time_left(stage: Stage) -> None:
    gauge = """
[[rollback.drain]]
name = "sockets"
side = "new"
monitor = "prom"
query = 'sum(cutover_requests_total{backend="new"})'
below = 1
owner = "ana"
"""
    stage = stage.unhurried()
    stage.plan_path.write_text(stage.plan_path.read_text() + gauge)
    with _start(stage) as process:
        assert process.stdout is not None
        said = next(line for line in process.stdout if line.startswith("waiting, ") and "sockets" in line)
        assert " left: " in said and "sockets below 1 on the new side: " in said and "ask ana" in said
        wait_until(lambda: "rollback.drained" in stage.kinds(), "the traffic is gone")
        assert process.poll() is None, "it goes on waiting"
    assert stage.configured() == [0, 0, 0]
