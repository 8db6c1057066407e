"""What happens in directories, told as soon as the system tells it.

    async for names in heard(places, stop, pace): ...      on a loop, with a thread of its own behind it
    for names in told(places, stop, pace): ...             in a thread that may wait

Both give the paths that changed, and an empty set whenever nothing did for `look_every_ms`. They end once
`stop` is set, and raise OSError or RuntimeError where a directory is gone or the system allows no more
watches.

The watcher is that of watchfiles, and nothing else of it is loaded: its package brings anyio and what starts
processes along, 2 MiB in a process that stands for hours.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Final, Protocol

from cockpit.core.dataclass import dataclass

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

_WATCHER: Final = "watchfiles._rust_notify"
"""Documented for direct use: https://watchfiles.helpmanual.io/api/rust_backend/."""


class Stop(Protocol):
    """An event, of threads or of a loop: it is only looked at."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """In milliseconds. What happens within `step` is told together, after `debounce` at the latest."""

    debounce_ms: int
    step_ms: int
    look_every_ms: int


class _Watched:
    """Opens its watch when it is made. Only its own thread may wait, and close it."""

    def __init__(self, places: Iterable[str | Path], pace: Pace) -> None:
        self._pace = pace
        self._watcher = _rust_notify()([str(each) for each in places], False, False, 0, False, False)

    def wait(self, stop: Stop) -> frozenset[str] | None:
        """The paths that changed; None once it was told to stop."""
        pace = self._pace
        found = self._watcher.watch(pace.debounce_ms, pace.step_ms, pace.look_every_ms, stop)
        if found == "timeout":
            return frozenset()
        return None if isinstance(found, str) else frozenset(path for _, path in found)

    def close(self) -> None:
        self._watcher.close()


async def heard(places: Iterable[str | Path], stop: Stop, pace: Pace) -> AsyncGenerator[frozenset[str]]:
    """Closed or cancelled, it leaves `stop` alone. Its thread ends within `step_ms`; nothing waits for it."""
    loop, watched, left = asyncio.get_running_loop(), _Watched(places, pace), _Left(stop)
    # Not the loop's own threads: those are few, and names are looked up in them.
    own = ThreadPoolExecutor(max_workers=1, thread_name_prefix="watch")
    try:
        while (found := await loop.run_in_executor(own, watched.wait, left)) is not None:
            yield found
    finally:
        left.set()
        own.submit(watched.close)
        own.shutdown(wait=False)


def told(places: Iterable[str | Path], stop: Stop, pace: Pace) -> Iterator[frozenset[str]]:
    watched = _Watched(places, pace)
    try:
        while (found := watched.wait(stop)) is not None:
            yield found
    finally:
        watched.close()


class _Left(Event):
    """Set whenever the caller's event is, and by itself."""

    def __init__(self, callers: Stop) -> None:
        super().__init__()
        self._callers = callers

    def is_set(self) -> bool:
        return super().is_set() or self._callers.is_set()


def _rust_notify() -> type[RustNotify]:
    """From its own file: an import statement would load the package around it. Known by its name afterwards,
    so that whoever imports the package all the same gets this one: it may be loaded once."""
    module: Any = sys.modules.get(_WATCHER)
    if module is None:
        package = find_spec("watchfiles")
        spec = None if package is None else PathFinder.find_spec(_WATCHER, package.submodule_search_locations)
        if spec is None or spec.loader is None:
            raise OSError("watchfiles cannot be loaded")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[_WATCHER] = module
    watcher: type[RustNotify] = module.RustNotify
    return watcher
