"""Commands: real programs that read, write, fail, hang, ignore signals and leave children behind."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import psutil
import pytest

from cockpit.adapters.announce.command import CommandAnnouncer, build
from cockpit.adapters.announce.settings import CommandSettings
from cockpit.adapters.base import AdapterError, RefusedByService, ServiceTrouble, Unreachable
from cockpit.adapters.http import Web
from cockpit.core.model import Fault
from tests.adapters.announce.test_webhook import NEWS
from tests.adapters.probes.hostile import EVIL, assert_harmless
from tests.adapters.probes.rig import the_token
from tests.tables import written


def announcer(
    web: Web, *argv: str, timeout_s: float = 20.0, pass_env: tuple[str, ...] = ()
) -> CommandAnnouncer:
    settings = written(CommandSettings, {"command": list(argv), "pass_env": list(pass_env)})
    return build(settings, web, the_token, timeout_s)


def python(program: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program, *arguments)


def sh(program: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", program)


async def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    give_up_at = monotonic() + within_s
    while not condition():
        assert monotonic() < give_up_at
        await asyncio.sleep(0.01)


async def failure_of(running: CommandAnnouncer) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        await running.announce(NEWS)
    assert_harmless(caught.value)
    return caught.value


async def test_the_program_gets_the_announcement_on_standard_input(web: Web, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    receipt = await announcer(web, *sh(f"cat > {seen}")).announce(NEWS)
    assert receipt == "sh ended well"
    body = json.loads(seen.read_text())
    assert (body["event_id"], body["moment"], body["at"]) == (
        "5f2c0a",
        "declared",
        "2026-11-20T12:00:00+00:00",
    )


async def test_arguments_are_never_read_by_a_shell(web: Web, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    program = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
    text = f"$(touch {trap}); `touch {trap}` | > {trap}"
    await announcer(web, *python(program, str(tmp_path / "out"), text)).announce(NEWS)
    assert (tmp_path / "out").read_text() == text
    assert not trap.exists()


async def test_a_program_that_reads_nothing_and_prints_much_is_no_trouble(web: Web) -> None:
    program = "import sys; sys.stdout.write('x' * 5_000_000); sys.stderr.write('y' * 5_000_000)"
    assert await announcer(web, *python(program)).announce(NEWS)


async def test_failure_shows_exit_code_and_first_line_of_standard_error(web: Web) -> None:
    error = await failure_of(announcer(web, *sh("echo; echo '  no such room' >&2; echo more >&2; exit 3")))
    assert isinstance(error, ServiceTrouble)
    assert (error.failure.title, error.failure.detail) == ("sh ended with exit code 3", "no such room")


async def test_hostile_words_of_the_program_are_cleaned(web: Web) -> None:
    program = "import sys; sys.stderr.buffer.write(sys.argv[1].encode() + b'\\xff\\xfe'); sys.exit(1)"
    text = EVIL.replace("\x00", "").replace("\ud83d", "")
    error = await failure_of(announcer(web, *python(program, text)))
    assert error.failure.detail


async def test_death_by_signal_is_named(web: Web) -> None:
    error = await failure_of(announcer(web, *sh("kill -SEGV $$")))
    assert error.failure.title == "sh was ended by SIGSEGV"


@pytest.mark.parametrize("name", ["/no/such/program", "/etc/passwd", "/"])
async def test_what_cannot_be_started_is_the_plans_fault(web: Web, name: str) -> None:
    error = await failure_of(announcer(web, name))
    assert isinstance(error, RefusedByService)
    assert error.failure.fault is Fault.PLAN
    assert not error.failure.retryable and not error.sent


async def test_past_its_time_the_whole_group_is_gone(web: Web, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = f"sleep 300 & echo $! > {pids}; echo $$ >> {pids}; wait"
    error = await failure_of(announcer(web, *sh(program), timeout_s=0.5))
    assert isinstance(error, Unreachable)
    assert "did not end within 0.5 s" in error.failure.title
    await until(lambda: not any(_alive(int(pid)) for pid in pids.read_text().split()))


async def test_a_program_that_ignores_the_polite_signal_is_killed(web: Web, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program = (
        "import os, pathlib, signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\n"
        "signal.pause()"
    )
    await failure_of(announcer(web, *python(program, str(pid)), timeout_s=2.0))
    assert not _alive(int(pid.read_text()))


async def test_a_child_left_behind_with_our_pipe_does_not_hold_us(web: Web, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    try:
        receipt = await announcer(web, *sh(f"sleep 300 & echo $! > {pid}; exit 0"), timeout_s=20).announce(
            NEWS
        )
        assert receipt == "sh ended well"
    finally:
        os.kill(int(pid.read_text()), 9)


async def test_a_cancelled_announcement_leaves_no_process(web: Web, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    task = asyncio.create_task(announcer(web, *sh(f"echo $$ > {pid}; exec sleep 300")).announce(NEWS))
    await until(lambda: pid.exists() and bool(pid.read_text()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _alive(int(pid.read_text()))


async def test_the_loop_goes_on_while_the_program_runs(web: Web, tmp_path: Path) -> None:
    fifo = tmp_path / "gate"
    os.mkfifo(fifo)
    task = asyncio.create_task(announcer(web, *sh(f"read line < {fifo}")).announce(NEWS))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not task.done()
    await asyncio.to_thread(fifo.write_text, "go\n")
    assert await task == "sh ended well"


async def test_only_a_plain_environment_and_what_is_named_is_handed_over(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNLEASH_TOKEN", "throwaway")
    monkeypatch.setenv("SLACK_ROOM", "ops")
    out = tmp_path / "env"
    await announcer(web, *sh(f"env > {out}"), pass_env=("SLACK_ROOM", "NOT_SET")).announce(NEWS)
    names = {line.split("=", 1)[0] for line in out.read_text().splitlines()}
    assert "UNLEASH_TOKEN" not in names and "NOT_SET" not in names
    assert {"PATH", "SLACK_ROOM"} <= names


async def test_no_room_for_the_input_is_told_as_our_own_fault(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no" / "such" / "folder"))
    error = await failure_of(announcer(web, *sh("cat")))
    assert error.failure.fault is Fault.COCKPIT
    assert error.failure.retryable and not error.sent


async def test_no_descriptor_is_left_open(web: Web) -> None:
    running = announcer(web, *sh("exit 1"))
    await failure_of(running)
    before = psutil.Process().num_fds()
    for _ in range(5):
        await failure_of(running)
        await failure_of(announcer(web, "/no/such/program"))
    await until(lambda: psutil.Process().num_fds() <= before)


def test_it_works_on_a_loop_in_another_thread() -> None:
    """The engine's loop does not run in the main thread, where signals of children arrive."""
    receipts: list[str] = []
    running = CommandAnnouncer(sh("cat >/dev/null"), environment={"PATH": os.environ["PATH"]}, timeout_s=20)
    thread = threading.Thread(target=lambda: receipts.append(asyncio.run(running.announce(NEWS))))
    thread.start()
    thread.join(30)
    assert receipts == ["sh ended well"]


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
