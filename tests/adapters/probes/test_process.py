"""The process probe, with real programs: by name, number and pid file; gone, zombie, restarted, several."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import psutil
import pytest

from cockpit.adapters.base import RefusedByService, Unreachable
from cockpit.adapters.http import Web
from cockpit.adapters.probes.process import ProcessProbe, ProcessProbeSettings, build
from cockpit.core.model import Fault, Health
from cockpit.plan.problems import PlanProblems
from tests.adapters.probes.hostile import assert_harmless
from tests.adapters.probes.rig import the_token
from tests.tables import written


def probe_of(web: Web, *, timeout_s: float = 20.0, **settings: object) -> ProcessProbe:
    return build(written(ProcessProbeSettings, settings), web, the_token, timeout_s)


@pytest.fixture
def legacy(tmp_path: Path) -> Path:
    """A program with a name that no other has on this host."""
    sleep = shutil.which("sleep")
    assert sleep is not None
    path = tmp_path / f"legacy-{token_hex(4)}"
    shutil.copy(sleep, path)
    return path


@contextmanager
def started(program: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([program, *(arguments or ("300",))]) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_a_program_that_runs_is_ok_and_tells_what_it_takes(web: Web, legacy: Path) -> None:
    probe = probe_of(web, program=legacy.name)
    with started(legacy) as process:
        first, second = await probe.probe(), await probe.probe()
    facts, later = dict(first.facts), dict(second.facts)
    assert (first.health, first.detail) == (Health.OK, "runs")
    assert facts["pid"] == str(process.pid)
    assert facts["since"].endswith(" UTC")
    assert facts["memory"].endswith(" MB")
    assert facts["open files"].isdigit()
    assert (facts["CPU"], later["CPU"]) == ("not measured yet", "0 %")
    assert_harmless(first)


async def test_a_program_that_ended_is_down(web: Web, legacy: Path) -> None:
    probe = probe_of(web, program=legacy.name)
    with started(legacy):
        assert (await probe.probe()).health is Health.OK
    value = await probe.probe()
    assert (value.health, value.detail) == (Health.DOWN, f"{legacy.name} does not run")


async def test_a_restart_is_told(web: Web, legacy: Path) -> None:
    probe = probe_of(web, program=legacy.name)
    with started(legacy):
        assert "restarted" not in dict((await probe.probe()).facts)["since"]
    with started(legacy):
        assert dict((await probe.probe()).facts)["since"].endswith("UTC, restarted")
        assert "restarted" not in dict((await probe.probe()).facts)["since"]


async def test_several_of_a_name_are_told_and_an_argument_tells_them_apart(web: Web, legacy: Path) -> None:
    with started(legacy, "300") as first, started(legacy, "301"):
        both = await probe_of(web, program=legacy.name).probe()
        one = await probe_of(web, program=legacy.name, argument="300").probe()
    assert both.detail == "runs (2 of them)"
    assert dict(both.facts)["matches"].startswith("2, all counted")
    assert (one.detail, dict(one.facts)["pid"]) == ("runs", str(first.pid))


async def test_a_zombie_is_down(web: Web, legacy: Path) -> None:
    with started(legacy) as process:
        probe = probe_of(web, pid=process.pid)
        assert (await probe.probe()).health is Health.OK
        psutil.Process(process.pid).kill()
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            pass
        value = await probe.probe()
    assert (value.health, value.detail) == (Health.DOWN, f"process {process.pid} is a zombie")


async def test_a_pid_file_is_followed_and_its_absence_means_stopped(
    web: Web, legacy: Path, tmp_path: Path
) -> None:
    file = tmp_path / "legacy.pid"
    probe = probe_of(web, pid_file=str(file))
    assert (await probe.probe()).detail == "the one in pid_file does not run"
    with started(legacy) as process:
        file.write_text(f"{process.pid}\n")
        assert dict((await probe.probe()).facts)["pid"] == str(process.pid)
        other = await probe_of(web, pid_file=str(file), program="another-program").probe()
    assert other.health is Health.DOWN


@pytest.mark.parametrize("content", ["", "not a number", "-5", "99999999999", "\x00" * 100])
async def test_a_pid_file_without_a_number_is_unknown(web: Web, tmp_path: Path, content: str) -> None:
    file = tmp_path / "legacy.pid"
    file.write_text(content)
    with pytest.raises(RefusedByService) as caught:
        await probe_of(web, pid_file=str(file)).probe()
    assert caught.value.failure.fault is Fault.PLAN
    assert_harmless(caught.value)


async def test_a_folder_as_pid_file_is_unknown(web: Web, tmp_path: Path) -> None:
    with pytest.raises(RefusedByService):
        await probe_of(web, pid_file=str(tmp_path)).probe()


async def test_too_much_memory_is_degraded(web: Web) -> None:
    value = await probe_of(web, pid=psutil.Process().pid, memory_limit_mb=1).probe()
    assert value.health is Health.DEGRADED
    assert value.detail.endswith("MB, the limit is 1 MB")


async def test_what_the_system_hides_is_said_and_is_no_fault(
    web: Web, legacy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(self: psutil.Process) -> int:
        raise psutil.AccessDenied(self.pid)

    monkeypatch.setattr(psutil.Process, "num_fds", hidden)
    with started(legacy):
        value = await probe_of(web, program=legacy.name).probe()
    assert (value.health, dict(value.facts)["open files"]) == (Health.OK, "not known: no right to see them")


async def test_a_process_table_that_hangs_is_unknown(web: Web, tmp_path: Path) -> None:
    """A pid file on a dead network share: here a FIFO that nobody writes to."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    try:
        with pytest.raises(Unreachable) as caught:
            await probe_of(web, pid_file=str(fifo), timeout_s=0.2).probe()
    finally:
        fifo.write_text("1")
    assert caught.value.failure.title == "the process table was not read within 0.2 s"


@pytest.mark.parametrize(
    "wrong",
    [{}, {"pid": 0}, {"pid": 2**31}, {"pid": 1, "pid_file": "/x"}, {"pid_file": "x.pid"}, {"program": ""}],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems):
        written(ProcessProbeSettings, wrong)
