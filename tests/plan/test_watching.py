"""Watching a plan file through everything that editors, links and configuration mounts do to it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from cockpit.core.spec import Plan
from cockpit.plan.load import load
from cockpit.plan.problems import PlanProblems
from cockpit.plan.watching import watch
from tests.plan.plans import KINDS, SMALL, changed

OTHER = changed("percent = 50", "percent = 25")
Seen = AsyncGenerator[Plan | PlanProblems]


@asynccontextmanager
async def _watched(path: Path, seen: str | None = None) -> AsyncIterator[Seen]:
    stop = asyncio.Event()
    async with aclosing(watch(path, KINDS, stop, seen=seen)) as changes:
        yield changes
        stop.set()


async def _next(changes: Seen) -> Plan | PlanProblems:
    async with asyncio.timeout(30):
        return await anext(changes)


def _percent(found: Plan | PlanProblems) -> float:
    assert isinstance(found, Plan), found
    return found.flag("chat_reads").stages[0].percent.value


def _plan_file(directory: Path, text: str = SMALL) -> tuple[Path, str]:
    path = directory / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path, load(path, KINDS).digest


async def test_a_file_written_in_place_is_seen(tmp_path: Path) -> None:
    path, digest = _plan_file(tmp_path)
    async with _watched(path, digest) as changes:
        path.write_text(OTHER, encoding="utf-8")
        assert _percent(await _next(changes)) == 25


async def test_a_change_before_the_watch_began_is_seen(tmp_path: Path) -> None:
    path, digest = _plan_file(tmp_path)
    path.write_text(OTHER, encoding="utf-8")
    async with _watched(path, digest) as changes:
        assert _percent(await _next(changes)) == 25


async def test_a_file_put_in_its_place_is_seen_and_the_same_content_is_not(tmp_path: Path) -> None:
    path, digest = _plan_file(tmp_path)
    async with _watched(path, digest) as changes:
        later = asyncio.ensure_future(_next(changes))
        for text in (SMALL, OTHER):
            (tmp_path / "new").write_text(text, encoding="utf-8")
            os.replace(tmp_path / "new", path)
        assert _percent(await later) == 25


async def test_broken_missing_and_back(tmp_path: Path) -> None:
    path, digest = _plan_file(tmp_path)
    async with _watched(path, digest) as changes:
        path.write_text("title = ", encoding="utf-8")
        broken = await _next(changes)
        assert isinstance(broken, PlanProblems) and "not TOML" in str(broken)
        path.unlink()
        gone = await _next(changes)
        assert isinstance(gone, PlanProblems) and "there is no such file" in str(gone)
        path.write_text(SMALL, encoding="utf-8")
        assert _percent(await _next(changes)) == 50


async def test_the_links_of_a_configuration_mount_are_followed(tmp_path: Path) -> None:
    for name, text in (("..v1", SMALL), ("..v2", OTHER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.toml").write_text(text, encoding="utf-8")
    (tmp_path / "..data").symlink_to("..v1")
    (tmp_path / "plan.toml").symlink_to("..data/plan.toml")
    path = tmp_path / "plan.toml"
    async with _watched(path, load(path, KINDS).digest) as changes:
        (tmp_path / "..next").symlink_to("..v2")
        os.replace(tmp_path / "..next", tmp_path / "..data")
        assert _percent(await _next(changes)) == 25


async def test_a_file_behind_a_link_elsewhere_is_seen(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    real, digest = _plan_file(tmp_path / "there")
    (tmp_path / "here" / "plan.toml").symlink_to(real)
    async with _watched(tmp_path / "here" / "plan.toml", digest) as changes:
        real.write_text(OTHER, encoding="utf-8")
        assert _percent(await _next(changes)) == 25


async def test_a_directory_that_goes_and_comes_back_is_watched_again(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    path, digest = _plan_file(tmp_path / "config")
    async with _watched(path, digest) as changes:
        shutil.rmtree(tmp_path / "config")
        assert isinstance(await _next(changes), PlanProblems)
        (tmp_path / "config").mkdir()
        path.write_text(OTHER, encoding="utf-8")
        assert _percent(await _next(changes)) == 25


async def test_stop_ends_the_watch(tmp_path: Path) -> None:
    path, digest = _plan_file(tmp_path)
    stop = asyncio.Event()
    changes = watch(path, KINDS, stop, seen=digest)
    waiting = asyncio.ensure_future(anext(changes, None))
    asyncio.get_running_loop().call_later(0.05, stop.set)
    async with asyncio.timeout(30):
        assert await waiting is None


async def test_a_cancelled_watch_leaves_the_callers_event_alone(tmp_path: Path) -> None:
    path, digest = _plan_file(tmp_path)
    stop = asyncio.Event()
    async with aclosing(watch(path, KINDS, stop, seen=digest)) as changes:
        waiting = asyncio.ensure_future(anext(changes, None))
        asyncio.get_running_loop().call_later(0.3, waiting.cancel)
        assert await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    assert not stop.is_set()
