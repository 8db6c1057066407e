"""Whatever happens in a watched directory is told, and the watch leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import aclosing
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from cockpit.watch.directories import Pace, heard, told
from tests.adapters.flags.crew import until

QUICK: Final = Pace(debounce_ms=100, step_ms=10, look_every_ms=50)
LIMIT_S: Final = 30


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("watch")]


async def until_none_is_left() -> None:
    await until(lambda: not watchers())


async def test_what_changed_is_heard_by_its_path_and_nothing_too(tmp_path: Path) -> None:
    numbers, stop = count(), asyncio.Event()
    changed, quiet = False, False
    async with asyncio.timeout(LIMIT_S), aclosing(heard([tmp_path], stop, QUICK)) as changes:
        async for paths in changes:
            changed, quiet = changed or str(tmp_path / "plan.toml") in paths, quiet or not paths
            if changed and quiet:
                break
            if quiet:
                (tmp_path / "plan.toml").write_text(f"n = {next(numbers)}")
    assert not stop.is_set()
    await until_none_is_left()


async def test_stop_ends_the_hearing(tmp_path: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    async with asyncio.timeout(LIMIT_S):
        assert [paths async for paths in heard([tmp_path], stop, QUICK) if paths] == []
    await until_none_is_left()


async def test_one_that_is_cancelled_ends_its_thread_and_leaves_the_callers_event_alone(
    tmp_path: Path,
) -> None:
    stop = asyncio.Event()

    async def listen() -> None:
        async with aclosing(
            heard([tmp_path], stop, Pace(debounce_ms=100, step_ms=10, look_every_ms=0))
        ) as changes:
            async for _ in changes:
                pass

    listening = asyncio.create_task(listen())
    await until(lambda: bool(watchers()))
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert listening.cancelled() and not stop.is_set()
    await until_none_is_left()


async def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        await anext(heard([tmp_path / "none"], asyncio.Event(), QUICK))
    assert not watchers()


def test_a_thread_that_may_wait_is_told_and_stops(tmp_path: Path) -> None:
    numbers, stop = count(), threading.Event()
    found: Iterator[frozenset[str]] = told([tmp_path], stop, QUICK)
    while not (paths := next(found)):
        (tmp_path / "night.toml").write_text(f"n = {next(numbers)}")
    assert paths == {str(tmp_path / "night.toml")}
    stop.set()
    assert list(found) == []


LOADS: Final = """
import json, sys, threading
from cockpit.watch.directories import Pace, told
stop = threading.Event()
stop.set()
assert list(told([sys.argv[1]], stop, Pace(debounce_ms=1, step_ms=1, look_every_ms=1))) == []
ours = {name for name, module in sys.modules.items() if module}
import watchfiles
assert watchfiles.main.RustNotify is sys.modules["watchfiles._rust_notify"].RustNotify
print(json.dumps(sorted(ours)))
"""


def test_a_watch_loads_the_watcher_alone_and_the_package_can_be_loaded_beside_it(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADS, str(tmp_path)], capture_output=True, text=True, timeout=50
    )
    assert ran.returncode == 0, ran.stderr
    loaded = set(json.loads(ran.stdout))
    assert "watchfiles._rust_notify" in loaded
    assert not {name for name in loaded if name.partition(".")[0] in ("anyio", "multiprocessing")}
    assert "watchfiles" not in loaded
