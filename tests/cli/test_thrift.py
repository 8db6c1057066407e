"""What a process that stands for hours sets aside at the start, and what it never loads."""

from __future__ import annotations

import gc
import subprocess
import sys

from cockpit.cli.thrift import set_start_aside, wait_for_the_start
from tests.e2e.conftest import ROOT

LOADS = "import sys, cockpit.adapters.http; print(*sys.modules)"


class Ring:
    """A cycle that only the collector can take apart."""

    def __init__(self, ended: list[int]) -> None:
        self.itself, self.ended = self, ended

    def __del__(self) -> None:
        self.ended.append(1)


def test_what_the_start_built_is_set_aside_and_later_garbage_is_collected() -> None:
    ended: list[int] = []
    before, thresholds = gc.get_freeze_count(), gc.get_threshold()
    try:
        Ring(ended)
        set_start_aside()
        assert ended == [1], "garbage of the start is not kept"
        assert gc.get_freeze_count() > before
        Ring(ended)
        gc.collect()
        assert ended == [1, 1]
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def test_the_collector_waits_for_the_start_and_then_looks_as_usual() -> None:
    usual = gc.get_threshold()
    try:
        wait_for_the_start()
        assert 100_000 < gc.get_threshold()[0] < 1_000_000, "rarely, and not never"
        set_start_aside()
        assert gc.get_threshold() == usual
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def test_threads_that_share_a_heap_run() -> None:
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            "from threading import Thread\n"
            "from cockpit.cli.thrift import share_one_heap\n"
            "share_one_heap()\n"
            "made = []\n"
            "threads = [Thread(target=lambda: made.append(bytes(10**6))) for _ in range(8)]\n"
            "[each.start() for each in threads], [each.join() for each in threads]\n"
            "print(sum(map(len, made)))\n",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert ran.stdout == "8000000\n"
    assert not ran.stderr


def test_an_http_client_brings_no_command_line_and_no_lexers_along() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADS], cwd=ROOT, capture_output=True, text=True, timeout=50, check=True
    )
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert "httpx" in loaded
    assert not loaded & {"rich", "pygments", "click"}
