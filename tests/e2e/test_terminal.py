"""What happens to a rollback when the terminal is cut, stalled or told to go."""

from __future__ import annotations

import signal
from contextlib import closing

import pytest

from tests.e2e.conftest import Stage
from tests.e2e.terminal import Terminal, wait_until

pytestmark = pytest.mark.timeout(180)


def roll_back(terminal: Terminal) -> None:
    """Two presses of one key, the second after the sheet says that it is armed."""
    terminal.expect("chat_realtime")
    terminal.expect("data live")
    terminal.press("R")
    terminal.expect("press R to roll back")
    terminal.press("R")


def test_two_presses_of_one_key_bring_every_flag_to_zero(stage: Stage) -> None:
    with Terminal(stage.command("fly"), env=stage.env) as terminal:
        roll_back(terminal)
        terminal.expect("all 3 flags re-read as 0%")
        flags = ("chat_writes", "chat_reads", "chat_realtime")
        assert [stage.practice.world.configured_pct(flag) for flag in flags] == [0, 0, 0]


def test_a_cut_terminal_does_not_stop_the_rollback(stage: Stage) -> None:
    with Terminal(stage.command("fly"), env=stage.env) as terminal:
        terminal.expect("UNDECIDED")  # the monitor was asked, so the counters of the cut are known
        roll_back(terminal)
        wait_until(lambda: "rollback.declared" in stage.kinds(), "declared")
        terminal.cut()
        wait_until(lambda: terminal.process.poll() is not None, "the process ended", 120)
        kinds = stage.kinds()
    assert kinds[-1] == "flight.ended"
    assert "operator.lost" in kinds
    assert kinds.count("rollback.drained") == 3
    with closing(stage.journal()) as journal:
        events = journal.read()
    assert {"flip", "drain", "verify"} <= {e.body["step"] for e in events if e.kind == "step.done"}
    counted = [event for event in events if event.body.get("step") == "reconcile"]
    assert counted[-1].kind in ("step.done", "step.failed"), "counted, or told that a counter gave no answer"
    assert terminal.process.returncode == 128 + signal.SIGHUP


def test_a_stalled_terminal_does_not_stop_the_rollback(stage: Stage) -> None:
    with Terminal(stage.command("fly"), env=stage.env) as terminal:
        terminal.expect("data live")
        terminal.press("R")
        terminal.expect("press R to roll back")
        terminal.stall()
        terminal.press("R")
        wait_until(lambda: stage.kinds().count("rollback.drained") == 3, "drained while nobody reads", 120)
        terminal.resume()
        terminal.expect("all 3 flags re-read as 0%")


def test_sigterm_while_the_terminal_is_stalled_finishes_the_rollback_first(stage: Stage) -> None:
    with Terminal(stage.command("fly"), env=stage.env) as terminal:
        roll_back(terminal)
        wait_until(lambda: "rollback.declared" in stage.kinds(), "declared")
        terminal.stall()
        terminal.process.send_signal(signal.SIGTERM)
        wait_until(lambda: terminal.process.poll() is not None, "the process ended", 120)
        assert terminal.process.returncode == 128 + signal.SIGTERM
        kinds = stage.kinds()
        assert kinds.count("rollback.drained") == 3 and kinds[-1] == "flight.ended"


def test_sigterm_without_a_rollback_gives_the_terminal_back(stage: Stage) -> None:
    with Terminal(stage.command("fly"), env=stage.env) as terminal:
        terminal.expect("data live")
        terminal.process.send_signal(signal.SIGTERM)
        wait_until(lambda: terminal.process.poll() is not None, "the process ended", 20)
        assert terminal.process.returncode == 128 + signal.SIGTERM
        wait_until(lambda: b"\x1b[?1049l" in terminal.raw, "the alternate screen is left", 5)
        assert terminal.raw.rfind(b"\x1b[?25h") > terminal.raw.rfind(b"\x1b[?25l"), "the cursor is back"


def test_the_next_cockpit_lands_on_the_open_countdown(stage: Stage) -> None:
    with Terminal(stage.command("fly"), env=stage.env) as terminal:
        roll_back(terminal)
        terminal.expect("all 3 flags re-read as 0%")
        terminal.process.send_signal(signal.SIGKILL)
        terminal.process.wait()
    with Terminal(stage.command("fly"), env=stage.env) as terminal:
        terminal.expect("all 3 flags re-read as 0%")
        terminal.expect("since declare")
        assert stage.kinds().count("rollback.declared") == 1
