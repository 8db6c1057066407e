"""A link that breaks in the middle of a rollback: ssh killed or stalled, tmux left or killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence

import psutil
import pytest

from cockpit.core.events import Event, Kind
from tests.e2e.conftest import Stage
from tests.e2e.killing import flying, machine_part_done, written
from tests.e2e.ssh_server import SshServer, ssh_server
from tests.e2e.terminal import Terminal, wait_until
from tests.e2e.test_terminal import roll_back
from tests.e2e.tmux import Tmux, tmux

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def sshd() -> Iterator[SshServer]:
    with ssh_server() as server:
        yield server


@pytest.fixture(autouse=True)
def no_survivor(stage: Stage) -> Iterator[None]:
    """A cockpit that goes on alone does so for ever where a failed test took its world away."""
    yield
    for process in flying(stage):
        process.kill()


def declared(stage: Stage) -> None:
    wait_until(lambda: "rollback.declared" in stage.kinds(), "declared")


def drained(stage: Stage) -> None:
    wait_until(lambda: stage.kinds().count("rollback.drained") == 3, "all flags are drained")


def the_cockpit(stage: Stage) -> psutil.Process:
    """The process that flies the stage, wherever it was started from."""
    (found,) = flying(stage)
    return found


def gone(process: psutil.Process) -> None:
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "it ended")


def assert_finished_alone(stage: Stage) -> list[Event]:
    """Nobody was there any more, and yet the machine's part was done and the flight signed out."""
    events = written(stage)
    kinds = [event.kind for event in events]
    assert kinds[-1] is Kind.FLIGHT_ENDED
    assert kinds.count(Kind.OPERATOR_LOST) == kinds.count(Kind.ROLLBACK_DECLARED) == 1
    assert machine_part_done(events)
    assert stage.configured() == [0, 0, 0]
    return events


def at(events: Sequence[Event], kind: Kind) -> int:
    """The number of the last event of a kind."""
    return max(event.seq for event in events if event.kind is kind)


def test_a_killed_ssh_client_does_not_stop_the_rollback(stage: Stage, sshd: SshServer) -> None:
    with Terminal(sshd.command(stage, "fly"), env=stage.env) as terminal:
        roll_back(terminal)
        declared(stage)
        cockpit = the_cockpit(stage)
        terminal.process.kill()
        gone(cockpit)
    events = assert_finished_alone(stage)
    assert at(events, Kind.OPERATOR_LOST) < at(events, Kind.ROLLBACK_DRAINED), "it went on alone"
    with Terminal(sshd.command(stage, "fly"), env=stage.env) as terminal:
        terminal.expect("all 3 flags re-read as 0%")
        terminal.expect("since declare")
        assert stage.kinds().count("rollback.declared") == 1


def test_a_stalled_ssh_link_that_dies_later_does_not_stop_the_rollback(stage: Stage, sshd: SshServer) -> None:
    with Terminal(sshd.command(stage, "fly"), env=stage.env) as terminal:
        roll_back(terminal)
        declared(stage)
        cockpit = the_cockpit(stage)
        terminal.process.send_signal(signal.SIGSTOP)
        drained(stage)
        assert "operator.lost" not in stage.kinds(), "a link that hangs is not a link that is gone"
        terminal.process.kill()
        gone(cockpit)
    assert_finished_alone(stage)


def test_tmux_is_left_and_found_again_in_the_middle_of_a_rollback(stage: Stage) -> None:
    with tmux(stage.command("fly"), env=stage.env) as session:
        with Terminal(session.attach(), env=session.env) as terminal:
            roll_back(terminal)
            declared(stage)
            session.do("detach-client")
            wait_until(lambda: terminal.process.poll() is not None, "the client left")
        assert not session.clients
        drained(stage)
        assert "operator.lost" not in stage.kinds()
        with Terminal(session.attach(), env=session.env) as terminal:
            terminal.expect("all 3 flags re-read as 0%")
            terminal.expect("since declare")


def test_a_killed_tmux_server_does_not_stop_the_rollback(stage: Stage) -> None:
    with tmux(stage.command("fly"), env=stage.env) as session:
        roll_back_in(session)
        declared(stage)
        cockpit = the_cockpit(stage)
        session.kill()
        gone(cockpit)
    events = assert_finished_alone(stage)
    assert at(events, Kind.OPERATOR_LOST) < at(events, Kind.ROLLBACK_DRAINED), "it went on alone"


def test_a_rollback_without_a_screen_shows_on_the_deck_that_drives(stage: Stage) -> None:
    with tmux(stage.command("fly"), env=stage.env, rows=81) as session:
        session.expect("data live")
        code = stage.plan_path.with_name("code")
        script = '"$@"; echo $? >"$0"'
        session.split(["sh", "-c", script, str(code), *stage.command("rollback", "--reason", "from below")])
        session.expect("since declare")
        session.expect("from below")
        drained(stage)
        session.expect("all 3 flags re-read as 0%")
        wait_until(lambda: code.exists() and code.read_text(), "the script ended")
    assert code.read_text() == "0\n"
    openings = [event for event in written(stage) if event.kind is Kind.FLIGHT_OPENED]
    assert len(openings) == 1, "the deck flew, the script took the seat for its rollback"
    assert stage.configured() == [0, 0, 0]


def roll_back_in(session: Tmux) -> None:
    session.expect("chat_realtime")
    session.expect("data live")
    session.press("R")
    session.expect("press R to roll back")
    session.press("R")
