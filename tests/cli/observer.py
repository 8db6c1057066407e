"""An observer that is itself observed: it fails on every way out of its process, and tells what it loaded.

python -m tests.cli.observer REPORT COMMAND PLAN [...]     the real command; REPORT is written at its end
python -m tests.cli.observer REPORT - PLAN                 no screen; REPORT is written at every change
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cockpit.engine.follower import Follower

WAYS_OUT = frozenset(
    {
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "subprocess.Popen",
        "os.system",
        "os.posix_spawn",
        "os.exec",
        "os.fork",
    }
)
NOT_NEEDED = (
    "httpx",
    "httpcore",
    "cockpit.adapters",
    "cockpit.plan",
    "cockpit.practice",
    "cockpit.core.secret",
    "cockpit.cli.wiring",
    "cockpit.engine.engine",
    "cockpit.engine.pilot",
    "cockpit.engine.effects",
)
tried: list[str] = []


def refuse_ways_out(event: str, arguments: tuple[object, ...]) -> None:
    if event in WAYS_OUT:
        tried.append(event)
        raise RuntimeError(f"an observer tried {event}")


def confession() -> dict[str, object]:
    """What an observer must not have done or loaded; every value is empty for a good one."""
    gc.unfreeze()  # what was set aside is looked at, too
    return {
        "tried": tried,
        "loaded": sorted(name for name in sys.modules if name.startswith(NOT_NEEDED)),
        "tls_contexts": sum(isinstance(each, ssl.SSLContext) for each in gc.get_objects()),
    }


def write(report: Path, told: dict[str, object]) -> None:
    draft = report.with_name(f".{report.name}")
    draft.write_text(json.dumps(told))
    os.replace(draft, report)


def follow(report: Path, plan: Path) -> None:
    """Follow until standard input ends."""
    from cockpit.cli.watching import follower

    behind = follower(plan)
    behind.subscribe(lambda: write(report, state(behind)))
    behind.start()
    write(report, state(behind))
    sys.stdin.read()
    behind.stop()
    behind.join()


def state(behind: Follower) -> dict[str, object]:
    newest = behind.newest
    seen = {} if newest is None else {"seq": newest.seq, "started_at": newest.started_at.isoformat()}
    return {"trouble": behind.trouble, **seen, **confession()}


def main() -> None:
    report, command, plan = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    sys.addaudithook(refuse_ways_out)
    if command == "-":
        follow(report, plan)
        return
    from cockpit.cli import main as cockpit

    atexit.register(lambda: write(report, confession()))
    sys.argv = ["cockpit", *sys.argv[2:]]
    cockpit()


if __name__ == "__main__":
    main()
