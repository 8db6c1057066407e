"""A plan file that is being edited: a new plan, or its problems, whenever its content changes.

The directory is watched, not the file: editors and configuration mounts put a new file, or a new
link, in the place of the old one. Where the file system tells nobody, a look every two seconds does.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from cockpit.core.spec import Plan
from cockpit.plan.kinds import Kinds
from cockpit.plan.load import parse, read_plan_file
from cockpit.plan.problems import PlanProblems

_Place = tuple[str, int, int]

_DEBOUNCE_MS: Final = 300
_STEP_MS: Final = 100
_LOOK_EVERY_MS: Final = 2_000


async def watch(
    path: Path, kinds: Kinds, stop: asyncio.Event, *, seen: str | None = None
) -> AsyncGenerator[Plan | PlanProblems]:
    """Yield what the file says each time its content has changed, until `stop` is set.

    `seen` is the digest of the plan that the caller already has; None takes the present content as
    seen. A file that is gone or cannot be read is PlanProblems, and the watch goes on.
    """
    known = (await asyncio.to_thread(_content, path))[0] if seen is None else seen
    while not stop.is_set():
        places = await asyncio.to_thread(_directories, path)
        async with aclosing(_stirs(places, stop)) as stirs:
            async for _ in stirs:
                digest, content = await asyncio.to_thread(_content, path)
                if digest != known:
                    known = digest
                    yield await asyncio.to_thread(_judged, content, path, kinds)
                if await asyncio.to_thread(_directories, path) != places:
                    break


async def _stirs(places: frozenset[_Place], stop: asyncio.Event) -> AsyncGenerator[None]:
    """One item at once, then one for everything that happens in `places`, and one now and then."""
    # Not at the top: most commands read a plan and never watch one.
    from cockpit.watch.directories import Pace, heard

    yield
    pace = Pace(debounce_ms=_DEBOUNCE_MS, step_ms=_STEP_MS, look_every_ms=_LOOK_EVERY_MS)
    try:
        async with aclosing(heard([name for name, _, _ in places], stop, pace)) as changes:
            async for _ in changes:
                yield
    except (OSError, RuntimeError):
        # The directory is gone, or the system allows no more watches: look by the clock.
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_EVERY_MS / 1000)


def _content(path: Path) -> tuple[str, bytes | PlanProblems]:
    """The content with its digest; for an unreadable file the problem, with its text as the digest."""
    try:
        content = read_plan_file(path)
    except PlanProblems as problems:
        return str(problems), problems
    return sha256(content).hexdigest(), content


def _judged(content: bytes | PlanProblems, path: Path, kinds: Kinds) -> Plan | PlanProblems:
    if isinstance(content, PlanProblems):
        return content
    try:
        return parse(content, path, kinds)
    except PlanProblems as problems:
        return problems


def _directories(path: Path) -> frozenset[_Place]:
    """Where the file stands, and where it really stands if it is a link; with their inodes, so that
    a directory that was replaced is noticed."""
    places = set()
    for name in (path.absolute().parent, Path(os.path.realpath(path)).parent):
        with suppress(OSError):
            status = name.stat()
            places.add((str(name), status.st_dev, status.st_ino))
    return frozenset(places)
