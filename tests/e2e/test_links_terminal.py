"""A terminal that is gone without a word, and a cockpit that was stopped for a while."""

from __future__ import annotations

import shlex
import signal

import psutil
import pytest

from cockpit.core.events import Kind
from cockpit.core.flight import fold
from tests.e2e.conftest import Stage
from tests.e2e.killing import assert_writes_in_order, flying, label, machine_part_done, stored, written
from tests.e2e.terminal import Terminal, wait_until
from tests.e2e.test_terminal import roll_back

pytestmark = pytest.mark.timeout(180)

OLD_S = 3.0
PICTURES = 12
BUSY_S_PER_PICTURE = 0.125
DEAF = {
    "ignored": ["env", "--ignore-signal=HUP"],
    "blocked": ["env", "--block-signal=HUP"],
}


@pytest.mark.parametrize("how", DEAF)
def test_a_hang_up_that_nobody_hears_is_noticed_without_a_busy_loop(stage: Stage, how: str) -> None:
    """Nobody may read keys from a line that is gone in a busy loop; a quarter of a CPU would be too much."""
    stage.inject("metrics_down")
    with Terminal([*DEAF[how], *stage.command("fly")], env=stage.env) as terminal:
        terminal.expect("chat_realtime")
        terminal.press("R")
        terminal.expect("press R to roll back")
        terminal.press("R")
        wait_until(lambda: flipped(stage), "every flag is at zero")
        cockpit = psutil.Process(terminal.process.pid)
        terminal.cut()
        wait_until(lambda: "operator.lost" in stage.kinds(), "noticed")
        before_s = busy_s(cockpit)
        pictures(stage, PICTURES)
        assert busy_s(cockpit) - before_s < PICTURES * BUSY_S_PER_PICTURE
        assert terminal.process.poll() is None, "the drain is not seen yet: the machine's part is not done"
        stage.clear()
        wait_until(lambda: terminal.process.poll() is not None, "the process ended", 120)
    events = written(stage)
    assert events[-1].kind is Kind.FLIGHT_ENDED
    assert terminal.process.returncode == 128 + signal.SIGHUP


def test_a_stopped_cockpit_reads_everything_again_before_it_trusts_anything(stage: Stage) -> None:
    """While it stood still somebody raised a flag that it had seen at zero, and clients follow the flag."""
    with Terminal(stage.command("fly"), env=stage.env) as terminal:
        roll_back(terminal)
        wait_until(
            lambda: flipped(stage) and at_rest(stage), "every flag is at zero, and so is what it stores"
        )
        stopped_at = stand_still(terminal.process.pid, stage)
        stage.practice.world.set_exposure("chat_reads", 60, who="alex")
        terminal.process.send_signal(signal.SIGCONT)
        wait_until(lambda: seen_raised(stage), "the raise is seen")
        wait_until(lambda: machine_part_done(written(stage)), "the machine's part", 120)
        terminal.expect("all 3 flags re-read as 0%")
        events = written(stage)
        terminal.process.terminate()
        wait_until(lambda: terminal.process.poll() is not None, "the process ended")
    assert stage.configured() == [0, 0, 0]
    assert stored(stage) == ["0", "0", "0"], "the raise does not lie in wait for the next switch on"
    assert_writes_in_order(events)
    story = [
        label(event) for event in events if event.seq > stopped_at and event.body.get("flag") == "chat_reads"
    ]
    kill = story.index("write.intent chat_reads kill back")
    assert story.index("rollback.drained chat_reads back") > kill, "it drained after it was brought back"
    assert Kind.CLOCK_JUMPED not in [event.kind for event in events], "both clocks went on alike"


def test_a_cockpit_under_job_control_goes_on_in_the_foreground(stage: Stage) -> None:
    """The shell has the terminal while the cockpit is stopped; `fg` brings screen and rollback back."""
    shell = ["bash", "--noprofile", "--norc", "-i"]
    with Terminal(shell, env={**stage.env, "PS1": "shell> "}) as terminal:
        terminal.expect("shell>")
        terminal.press(f"{shlex.join(stage.command('fly'))}\r")
        roll_back(terminal)
        wait_until(lambda: "rollback.declared" in stage.kinds(), "declared")
        (cockpit,) = flying(stage)
        cockpit.send_signal(signal.SIGTSTP)
        wait_until(lambda: cockpit.status() == psutil.STATUS_STOPPED, "it stands still")
        terminal.expect("Stopped")
        terminal.press("fg\r")
        terminal.expect("all 3 flags re-read as 0%")
        wait_until(lambda: machine_part_done(written(stage)), "the machine's part")
        terminal.expect("since declare")
        cockpit.terminate()
        terminal.expect("shell>")
    assert stage.configured() == [0, 0, 0]


def stand_still(pid: int, stage: Stage) -> int:
    """Stop a process until everything that it has read is old; the number of its last event."""
    process, world = psutil.Process(pid), stage.practice.world
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "it stands still")
    began_s = world.now_s
    wait_until(lambda: world.now_s - began_s > OLD_S, "what it has read is old")
    return written(stage)[-1].seq


def seen_raised(stage: Stage) -> bool:
    seen = [event for event in written(stage) if event.kind is Kind.FLAG_SEEN and event.body.get("rollback")]
    return any(event.body["flag"] == "chat_reads" and event.body["exposure"] == 6000 for event in seen)


def flipped(stage: Stage) -> bool:
    return any(label(event) == "step.done flip back" for event in written(stage))


def at_rest(stage: Stage) -> bool:
    """No write is on its way or to come, which a process that is stopped would send when it goes on."""
    pending = [each.pending for each in fold(written(stage)).flags.values()]
    return stored(stage) == ["0", "0", "0"] and pending == [None, None, None]


def busy_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def pictures(stage: Stage, count: int) -> None:
    """Wait until so many more pictures were published: the engine works and is not merely alive."""
    marks: set[str] = set()
    journal = stage.journal()

    def look() -> bool:
        marks.add(journal.published_mark())
        return len(marks) > count

    try:
        wait_until(look, f"{count} pictures")
    finally:
        journal.close()
