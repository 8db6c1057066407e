"""Tells when a file may have been changed, so that nobody has to wait for the next poll to see it.

The directory is watched, not the file: editors and configuration mounts put a new file, or a new link, in
the place of the old one. Where the system tells nothing (a network disk, no watches left) the polls do.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Final

STEP_MS: Final = 50
LOOK_EVERY_MS: Final = 2_000
LOOK_AGAIN_S: Final = 5.0
MOUNTED: Final = ".."
"""Kubernetes swaps the link `..data` beside the file, and nothing else, when a mounted file changes."""


async def stirs(path: Path) -> AsyncGenerator[None]:
    """One item whenever the file may hold something else, until it is closed or cancelled."""
    while True:
        places = await asyncio.to_thread(_places, path)
        async with aclosing(_stirs(path, places)) as changes:
            async for _ in changes:
                yield


async def _stirs(path: Path, places: tuple[Path, ...]) -> AsyncGenerator[None]:
    """Ends when the file stands somewhere else, and a while after its directory cannot be watched."""
    # Not at the top: most commands read a file once.
    from cockpit.watch.directories import Pace, heard

    names = {path.name, *(place.name for place in places)}
    parents = sorted({place.parent for place in places})
    pace = Pace(debounce_ms=STEP_MS * 2, step_ms=STEP_MS, look_every_ms=LOOK_EVERY_MS)
    try:
        async with aclosing(heard(parents, asyncio.Event(), pace)) as changes:
            async for paths in changes:
                if any(_ours(Path(each).name, names) for each in paths):
                    yield
                if await asyncio.to_thread(_places, path) != places:
                    return
    except (OSError, RuntimeError):
        await asyncio.sleep(LOOK_AGAIN_S)


def _ours(name: str, names: set[str]) -> bool:
    return name in names or name.startswith(MOUNTED)


def _places(path: Path) -> tuple[Path, ...]:
    """Where the file stands, and where it really stands if it is a link."""
    return (path.absolute(), Path(os.path.realpath(path)))
