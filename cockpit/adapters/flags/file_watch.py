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
    from watchfiles import Change, awatch

    names = {path.name, *(place.name for place in places)}

    def ours(change: Change, changed: str) -> bool:
        name = Path(changed).name
        return name in names or name.startswith(MOUNTED)

    changes = awatch(
        *sorted({place.parent for place in places}),
        watch_filter=ours,
        debounce=STEP_MS * 2,
        step=STEP_MS,
        rust_timeout=LOOK_EVERY_MS,
        yield_on_timeout=True,
        recursive=False,
    )
    async with aclosing(changes):
        try:
            async for found in changes:
                if found:
                    yield
                if await asyncio.to_thread(_places, path) != places:
                    return
        except* (OSError, RuntimeError):
            await asyncio.sleep(LOOK_AGAIN_S)


def _places(path: Path) -> tuple[Path, ...]:
    """Where the file stands, and where it really stands if it is a link."""
    return (path.absolute(), Path(os.path.realpath(path)))
