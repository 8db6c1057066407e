"""Whoever changes the file, and however they put it in its place, it is heard of at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from cockpit.adapters.flags import file_watch
from cockpit.adapters.flags.file_watch import stirs
from tests.adapters.flags.crew import until


@asynccontextmanager
async def listening(path: Path) -> AsyncIterator[list[None]]:
    heard: list[None] = []

    async def listen() -> None:
        async with aclosing(stirs(path)) as news:
            async for each in news:
                heard.append(each)

    task = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()


async def heard_of(path: Path, change: Callable[[int], object]) -> None:
    """Change it until it is heard of: when the system begins to watch, nobody is told."""
    numbers = count()
    async with listening(path) as heard:

        def changed() -> bool:
            change(next(numbers))
            return bool(heard)

        await until(changed)


async def test_written_in_place(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    path.write_text("{}")
    await heard_of(path, lambda number: path.write_text(f'{{"n": {number}}}'))


async def test_replaced_by_another_file(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    path.write_text("{}")

    def replace(number: int) -> None:
        beside = tmp_path / f".new-{number}"
        beside.write_text(f'{{"n": {number}}}')
        beside.rename(path)

    await heard_of(path, replace)


async def test_a_file_that_a_mounted_folder_is_swapped_under(tmp_path: Path) -> None:
    """As Kubernetes does it: the file is a link into `..data`, and only that link changes."""

    def mount(number: int) -> None:
        folder = tmp_path / f"..{number}"
        folder.mkdir()
        (folder / "flags.json").write_text(f'{{"n": {number}}}')
        link = tmp_path / "..data_tmp"
        link.symlink_to(folder.name)
        link.rename(tmp_path / "..data")

    mount(1000)
    path = tmp_path / "flags.json"
    path.symlink_to(os.path.join("..data", "flags.json"))
    await heard_of(path, mount)


async def test_a_folder_that_comes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_watch, "LOOK_AGAIN_S", 0.02)
    folder = tmp_path / "later"

    def change(number: int) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "flags.json").write_text(f'{{"n": {number}}}')

    await heard_of(folder / "flags.json", change)
