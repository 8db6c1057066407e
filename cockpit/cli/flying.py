"""The commands that fly: engine and screen in one process, and what happens when either goes away.

The engine lives in a thread of its own. Whatever happens to the terminal, the process stays until the
engine has finished what a machine can finish of an open rollback.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.cli.ahead import fetch_ahead
from cockpit.cli.output import say_error
from cockpit.cli.plans import NOT_DONE, USAGE, complain, load_plan
from cockpit.cli.screens import refuses_screen, show_deck
from cockpit.cli.thrift import share_one_heap
from cockpit.cli.wiring import Builder, Offers, Secrets, identity, plan_offers, plan_secrets
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Mode
from cockpit.core.spec import Plan
from cockpit.plan.problems import PlanProblems
from cockpit.plan.secrets import SecretProblem

if TYPE_CHECKING:
    from cockpit.engine.flying import Flying
    from cockpit.engine.journal_port import Journal


def run_fly(path: Path, *, theme: str | None, mouse: bool) -> int:
    from cockpit.adapters.base import AdapterError
    from cockpit.engine.engine import Engine
    from cockpit.engine.journal_port import JournalFailure

    try:
        plan = load_plan(path)
        if refuses_screen():
            return USAGE
        share_one_heap()
        with flight_journal(path) as book:
            ahead = fetch_ahead(plan, plan_secrets(plan))
            engine = Engine(book.flying(plan, plan_offers(path), ahead))
            engine.start(patiently=ahead is not None)
            return show_deck(engine, theme=theme, mouse=mouse, standing=engine.seen)
    except (PlanProblems, SecretProblem, JournalFailure) as problem:
        return complain(problem)
    except AdapterError as error:
        say_error(f"{error.failure.title} {error.failure.detail}".strip())
        return NOT_DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class FlightBook:
    """A plan's journal, open; a journal in memory has no place."""

    journal: Journal
    where: Path | None

    def flying(self, plan: Plan, offers: Offers | None = None, secrets: Secrets | None = None) -> Flying:
        """secrets: where the plan's are had from, if not from where it says."""
        from cockpit.engine.clock import SystemClock
        from cockpit.engine.flying import Flying
        from cockpit.engine.rescue import RescueFiles

        return Flying(
            plan=plan,
            sources=Builder(secret=secrets or plan_secrets(plan), read_only=False),
            journal=self.journal,
            clock=SystemClock(),
            identity=identity(Mode.LIVE, read_only=False),
            plan_offers=offers,
            journal_path="" if self.where is None else str(self.where),
            last_drill_at=self._last_drill_at(plan),
            rescue=None if self.where is None else RescueFiles(self.where, os.environ),
        )

    def _last_drill_at(self, plan: Plan) -> datetime | None:
        from cockpit.cli.drill_record import last_passed, record_path
        from cockpit.engine.clock import SystemClock

        return last_passed(record_path(Path(plan.source), os.environ), SystemClock().now())


@contextmanager
def flight_journal(path: Path) -> Iterator[FlightBook]:
    """The journal of the plan at `path`. Raises JournalFailure when it cannot be had."""
    from cockpit.engine.journal import SqliteJournal
    from cockpit.engine.paths import journal_path

    where = journal_path(path, os.environ)
    journal = SqliteJournal(where)
    try:
        yield FlightBook(journal=journal, where=where)
    finally:
        journal.close()
