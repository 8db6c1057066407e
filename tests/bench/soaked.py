"""A program that counts its own asyncio tasks, which nobody can count from outside.

    python -m tests.bench.soaked FILE cockpit ARGUMENT ...     the command, counted
    python -m tests.bench.soaked FILE plain                    the smallest Textual app, counted

The last line of FILE is the newest count.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from pathlib import Path
from typing import Final

EVERY_S: Final = 10.0


def count(told: Path) -> None:
    """Every task of every loop that has not ended; a daemon thread's whole life.

    Asked of asyncio: the collector does not show what was set aside.
    """
    pause = threading.Event()
    while not pause.wait(EVERY_S):
        tasks = sum(not each.done() for each in every_task())
        with told.open("a") as file:
            file.write(f"{tasks}\n")


def every_task() -> list[asyncio.Task[object]]:
    """asyncio hands out those of one loop at a time, and of its book only the name is private."""
    book: weakref.WeakSet[asyncio.Task[object]] = getattr(
        asyncio.tasks, "_all_tasks" if sys.version_info < (3, 12) else "_scheduled_tasks"
    )
    return list(book)


def main() -> None:
    told, what = Path(sys.argv[1]), sys.argv[2]
    threading.Thread(target=count, args=(told,), name="soak-count", daemon=True).start()
    if what == "plain":
        from tests.bench.plain_app import PlainApp

        PlainApp().run(mouse=False)
        return
    from cockpit.cli import main as cockpit

    sys.argv = sys.argv[2:]
    cockpit()


if __name__ == "__main__":
    main()
