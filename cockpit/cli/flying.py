"""The commands that fly: engine and screen in one process, and what happens when either goes away.

The engine lives in a thread of its own. Whatever happens to the terminal, the process stays until the
engine has finished what a machine can finish of an open rollback.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from cockpit.cli.life import attend
from cockpit.cli.looking import journal_to_follow
from cockpit.cli.plans import complain, load_plan, say, say_error
from cockpit.cli.wiring import Builder, Offers, identity, operator_name, plan_offers, plan_secrets
from cockpit.core.commands import CommandState, DeclareRollback
from cockpit.core.model import Mode
from cockpit.core.rollback import FlipState, Rollback, StepState
from cockpit.core.spec import Plan
from cockpit.plan.problems import PlanProblems
from cockpit.plan.secrets import SecretProblem

if TYPE_CHECKING:
    from cockpit.engine.driver_lock import DriverLock
    from cockpit.engine.engine import Engine
    from cockpit.engine.journal import SqliteJournal
    from cockpit.engine.pilot import Flying
    from cockpit.face.wall import WallApp


def run_fly(path: Path, *, theme: str | None, mouse: bool) -> int:
    from cockpit.engine.engine import Engine
    from cockpit.engine.journal_port import JournalFailure

    try:
        plan = load_plan(path)
        with flight_journal(path) as book:
            engine = Engine(book.flying(plan, plan_offers(path)))
            engine.start()
            return show_deck(engine, theme=theme, mouse=mouse)
    except (PlanProblems, SecretProblem, JournalFailure) as problem:
        return complain(problem)


def run_wall(path: Path, *, theme: str | None) -> int:
    """Polls by itself, without any writer, hook or write secret in the process."""
    from cockpit.engine.clock import SystemClock
    from cockpit.engine.engine import Engine
    from cockpit.engine.pilot import Flying

    try:
        plan = load_plan(path)
        clock = SystemClock()
        engine = Engine(
            Flying(
                plan=plan,
                sources=Builder(secret=plan_secrets(plan), read_only=True),
                journal=journal_to_follow(path),
                clock=clock,
                identity=identity(Mode.LIVE, read_only=True),
            )
        )
        engine.start()
    except (PlanProblems, SecretProblem) as problem:
        return complain(problem)
    from cockpit.face.wall import WallApp

    app = WallApp(engine, clock, theme=theme, theme_dir=own_themes(os.environ))
    return attend(engine, lambda: _run_wall_app(app), lambda: app.call_later(app.exit))


def _run_wall_app(app: WallApp) -> int:
    app.run(mouse=False)
    return app.return_code or 0


def run_rollback(path: Path, *, flags: tuple[str, ...], reason: str) -> int:
    from cockpit.engine.engine import Engine
    from cockpit.engine.journal_port import JournalFailure

    try:
        plan = load_plan(path)
        with flight_journal(path) as book:
            engine = Engine(book.flying(plan))
            engine.start()
            try:
                return _roll_back(engine, flags, reason)
            finally:
                engine.stop_because("the headless rollback ended")
                engine.join()
    except (PlanProblems, SecretProblem, JournalFailure) as problem:
        return complain(problem)


def _roll_back(engine: Engine, flags: tuple[str, ...], reason: str) -> int:
    """Declare, then tell every change until the machine's part is done; 0 only when users are safe."""
    changed = threading.Event()
    unsubscribe = engine.subscribe(changed.set)
    command = DeclareRollback(id=str(uuid4()), by=operator_name(os.environ), flags=flags, reason=reason)
    engine.submit(command)
    told = 0
    try:
        while engine.alive:
            changed.wait(1.0)
            changed.clear()
            snapshot = engine.latest()
            for line in snapshot.tail:
                if line.seq > told:
                    told = line.seq
                    say(f"{line.at:%H:%M:%S}  {line.text}")
            state = next((each for each in snapshot.commands if each.id == command.id), None)
            if state is not None and state.state is CommandState.REFUSED and snapshot.rollback is None:
                say_error(f"refused: {state.text}")
                return 1
            rollback = snapshot.rollback
            if rollback is not None and _asks(rollback):
                say_error(f"{rollback.question} Answer on the deck: cockpit fly {snapshot.plan_source}")
                return 1
            if rollback is not None and machine_part_over(rollback):
                return _say_result(rollback)
    finally:
        unsubscribe()
    say_error("the engine ended before the rollback was done")
    return 1


def _asks(rollback: Rollback) -> bool:
    """Whether the flip waits for a person, which a script is not."""
    return bool(rollback.question) and not rollback.answered_go and not rollback.flip_begun


def machine_part_over(rollback: Rollback) -> bool:
    """Nothing is left that evidence alone could still bring about soon."""
    waiting = [step for step in rollback.steps if step.machine and not step.settled]
    stuck = any(flip.exhausted for flip in rollback.flips)
    return stuck or all(step.state is StepState.FAILED for step in waiting)


def _say_result(rollback: Rollback) -> int:
    for flip in rollback.flips:
        say(f"{flip.flag}: {flip.state}" + (f" ({flip.detail})" if flip.detail else ""))
    for step in rollback.steps:
        if not step.settled:
            say(f"still open: {step.number} {step.title}" + (f" ({step.evidence})" if step.evidence else ""))
    at_zero = all(flip.state is FlipState.AT_ZERO for flip in rollback.flips)
    drained = all(flip.drained_at is not None for flip in rollback.flips)
    say("users are back on legacy" if at_zero and drained else "NOT every flag is proved to be back")
    return 0 if at_zero and drained else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FlightBook:
    """A plan's journal, open, with the lock beside it."""

    journal: SqliteJournal
    where: Path
    lock: DriverLock

    def flying(self, plan: Plan, offers: Offers | None = None) -> Flying:
        from cockpit.engine.clock import SystemClock
        from cockpit.engine.pilot import Flying

        return Flying(
            plan=plan,
            sources=Builder(secret=plan_secrets(plan), read_only=False),
            journal=self.journal,
            clock=SystemClock(),
            identity=identity(Mode.LIVE, read_only=False),
            lock=self.lock,
            plan_offers=offers,
            journal_path=str(self.where),
        )


@contextmanager
def flight_journal(path: Path) -> Iterator[FlightBook]:
    """The journal of the plan at `path`. Raises JournalFailure when it cannot be had."""
    from cockpit.engine.driver_lock import DriverLock
    from cockpit.engine.journal import SqliteJournal
    from cockpit.engine.paths import journal_path

    where = journal_path(path, os.environ)
    journal = SqliteJournal(where)
    try:
        yield FlightBook(journal=journal, where=where, lock=DriverLock(where))
    finally:
        journal.close()


def own_themes(environ: Mapping[str, str]) -> Path:
    """Where themes are watched: the user's own directory, else the shipped ones."""
    from cockpit.face.themes import themes_dir

    root = environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    own = Path(root) / "cutover-cockpit" / "themes"
    return own if own.is_dir() else themes_dir()


def show_deck(engine: Engine, *, theme: str | None, mouse: bool) -> int:
    """The deck on a started engine, until it is left; the exit code."""
    from cockpit.engine.clock import SystemClock
    from cockpit.face.app import CockpitApp

    app = CockpitApp(
        engine,
        SystemClock(),
        operator_name(os.environ),
        theme=theme,
        theme_dir=own_themes(os.environ),
        mouse=mouse,
    )
    return attend(engine, app.fly, lambda: app.call_later(app.exit))
