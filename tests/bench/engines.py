"""The cockpit without a screen, flying a plan file of a benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cockpit.cli.plans import load_plan
from cockpit.cli.thrift import set_start_aside
from cockpit.cli.wiring import Builder, identity, plan_secrets
from cockpit.core.model import Mode
from cockpit.engine.clock import SystemClock
from cockpit.engine.engine import Engine
from cockpit.engine.flying import Flying
from cockpit.engine.journal import SqliteJournal


@contextmanager
def engine_on(plan_path: Path) -> Iterator[Engine]:
    """Started, its journal beside the plan; at the end it leaves, whatever is open."""
    plan = load_plan(plan_path)
    with closing(SqliteJournal(plan_path.parent / "state" / "bench.journal")) as journal:
        engine = Engine(
            Flying(
                plan=plan,
                sources=Builder(secret=plan_secrets(plan), read_only=False),
                journal=journal,
                clock=SystemClock(),
                identity=identity(Mode.LIVE, read_only=False),
            )
        )
        engine.start()
        set_start_aside()  # as every flight does
        try:
            yield engine
        finally:
            engine.leave_now("measured")
            engine.join()
