"""What a process that stands for hours sets aside at the start, and what it never loads.

Each in a process of its own: to collect garbage here would collect what other tests left, and blame this one.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from tests.e2e.conftest import ROOT

ASIDE: Final = """
import gc
from cockpit.cli.thrift import set_start_aside

class Ring:
    def __init__(self):
        self.itself = self
    def __del__(self):
        ended.append(1)

ended = []
Ring()
set_start_aside()
print(*ended, gc.get_freeze_count() > 1000)
Ring()
gc.collect()
print(*ended)
"""
THRESHOLDS: Final = """
import gc
from cockpit.cli.thrift import set_start_aside, wait_for_the_start
usual = gc.get_threshold()
wait_for_the_start()
print(100_000 < gc.get_threshold()[0] < 1_000_000)
set_start_aside()
print(gc.get_threshold()[:2] == usual[:2], 0 < gc.get_threshold()[2] < usual[2])
"""
HEAP: Final = """
from threading import Thread
from cockpit.cli.thrift import share_one_heap
share_one_heap()
made = []
threads = [Thread(target=lambda: made.append(bytes(10**6))) for _ in range(8)]
[each.start() for each in threads], [each.join() for each in threads]
print(sum(map(len, made)))
"""
LOADS: Final = "import sys, cockpit.adapters.http_proxy; print(*sys.modules)"


def said_by(code: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert ran.returncode == 0 and not ran.stderr, ran.stderr
    return ran.stdout


def test_garbage_of_the_start_is_not_kept_and_later_garbage_is_collected() -> None:
    assert said_by(ASIDE) == "1 True\n1 1\n"


def test_the_collector_waits_for_the_start_and_then_looks_at_all_more_often() -> None:
    assert said_by(THRESHOLDS) == "True\nTrue True\n", (
        "rarely and not never; then as usual, but for full looks"
    )


def test_threads_that_share_a_heap_run() -> None:
    assert said_by(HEAP) == "8000000\n"


def test_the_library_for_proxies_brings_no_command_line_and_no_lexers_along() -> None:
    loaded = {name.partition(".")[0] for name in said_by(LOADS).split()}
    assert "httpx" in loaded
    assert not loaded & {"rich", "pygments", "click"}
