"""The commands that fly: engine and screen in one process, and what happens when either goes away.

The engine lives in a thread of its own. Whatever happens to the terminal, the process stays until the
engine has finished what a machine can finish of an open rollback.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.cli.life import attend, screen_refusal
from cockpit.cli.looking import journal_to_follow
from cockpit.cli.output import say_error
from cockpit.cli.plans import USAGE, complain, load_plan
from cockpit.cli.wiring import Builder, Offers, identity, operator_name, plan_offers, plan_secrets
from cockpit.core.model import Mode
from cockpit.core.spec import Plan
from cockpit.plan.problems import PlanProblems
from cockpit.plan.secrets import SecretProblem

if TYPE_CHECKING:
    from cockpit.engine.driver_lock import DriverLock
    from cockpit.engine.engine import Engine
    from cockpit.engine.journal_port import Journal
    from cockpit.engine.pilot import Flying
    from cockpit.face.wall import WallApp


def run_fly(path: Path, *, theme: str | None, mouse: bool) -> int:
    from cockpit.engine.engine import Engine
    from cockpit.engine.journal_port import JournalFailure

    try:
        plan = load_plan(path)
        if refuses_screen():
            return USAGE
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
    from cockpit.engine.journal_port import JournalFailure
    from cockpit.engine.pilot import Flying

    try:
        plan = load_plan(path)
        if refuses_screen():
            return USAGE
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
    except (PlanProblems, SecretProblem, JournalFailure) as problem:
        return complain(problem)
    from cockpit.face.wall import WallApp

    app = WallApp(engine, clock, theme=theme, theme_dir=own_themes(os.environ))
    return attend(engine, lambda: _run_wall_app(app), lambda: app.call_later(app.exit))


def _run_wall_app(app: WallApp) -> int:
    app.run(mouse=False)
    return app.return_code or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlightBook:
    """A plan's journal, open, with the lock beside it; a journal in memory has neither place nor lock."""

    journal: Journal
    where: Path | None
    lock: DriverLock | None

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
            journal_path="" if self.where is None else str(self.where),
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


def refuses_screen() -> bool:
    """Whether no screen can be shown here; says why, and what to use instead."""
    refusal = screen_refusal(os.environ)
    if refusal:
        say_error(f"{refusal}: this command needs a screen")
        say_error("`cockpit status PLAN` says how it stands in plain lines,")
        say_error("`cockpit rollback PLAN --reason ...` rolls back without a screen")
    return bool(refusal)


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
