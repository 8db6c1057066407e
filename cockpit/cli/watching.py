"""`cockpit watch` and `cockpit wall`: the driver's own pictures on other people's screens.

Both follow. They read what the driver publishes beside its journal: no plan is loaded, no secret is read, no
service is asked, however many of them look on. The screen opens with the first picture; until then plain
lines say what is waited for.

Neither falls back on its own to asking the services when the driver falls silent. A screen that quietly
changed from what the driver sees to what this host sees would tell two stories at the worst moment, need
credentials that it had not needed so far, and add load exactly when a service is in trouble. Silence is
shown in large words instead, with its age, and `--poll` is how somebody asks for the other thing: with it
this screen asks every service by itself, read-only, while nobody publishes.

The one exception is a wall on a plan that nobody has ever flown here: there is no other story, so it asks
by itself where the plan's read credentials can be had, and follows as soon as a driver publishes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cockpit.cli.output import say, say_error
from cockpit.cli.screens import refuses_screen, show_deck, show_wall
from cockpit.cli.thrift import share_one_heap
from cockpit.core.clean import clean_text

if TYPE_CHECKING:
    from cockpit.cli.life import Backstage
    from cockpit.core.clock import Clock
    from cockpit.engine.follower import Follower
    from cockpit.engine.standby import OwnLook, Rule, Standby

NO_PLAN: Final = 2
NOTHING_SEEN: Final = 3
SAY_AGAIN_S: Final = 10.0

Show = Callable[["Backstage"], int]


def run_watch(path: Path, *, theme: str | None, mouse: bool, poll: bool) -> int:
    """The deck on the driver's pictures; every key that touches is gone."""
    if _lacks(path) or refuses_screen():
        return NO_PLAN

    def show(behind: Backstage) -> int:
        return show_deck(behind, theme=theme, mouse=mouse)

    if poll:
        from cockpit.engine.standby import driver_silent

        return _standing_by(path, driver_silent, show)
    return _following(follower(path), show)


def run_wall(path: Path, *, theme: str | None, poll: bool) -> int:
    """The war-room screen on the driver's pictures."""
    from cockpit.engine.standby import driver_silent, nothing_ever

    def show(behind: Backstage) -> int:
        return show_wall(behind, theme=theme)

    if _lacks(path):
        return NO_PLAN
    if poll or not _ever_published(path):
        return _standing_by(path, driver_silent if poll else nothing_ever, show)
    return NO_PLAN if refuses_screen() else _following(follower(path), show)


def follower(path: Path) -> Follower:
    """Of the journal that belongs to the plan at `path`, which is not opened itself. Not started yet."""
    from cockpit.engine.clock import SystemClock
    from cockpit.engine.follower import Follower
    from cockpit.engine.journal import SqliteJournal
    from cockpit.engine.paths import journal_path

    where = journal_path(path, os.environ)
    return Follower(lambda: SqliteJournal(where, read_only=True), SystemClock())


def _lacks(path: Path) -> bool:
    """Whether there is neither a plan nor a journal of it, which a slip of the pen explains best."""
    from cockpit.engine.paths import journal_path

    if path.exists() or journal_path(path, os.environ).exists():
        return False
    say_error(f"{clean_text(path)}:1: there is no such file")
    return True


def _ever_published(path: Path) -> bool:
    look = follower(path)
    look.start()
    look.stop()
    look.join()
    return look.newest is not None


def _following(behind: Follower, show: Show) -> int:
    from cockpit.engine.clock import SystemClock

    share_one_heap()
    behind.start()
    try:
        wait_in_words(behind, SystemClock())
    except KeyboardInterrupt:
        behind.stop()
        behind.join()
        return NOTHING_SEEN
    return show(behind)


def wait_in_words(behind: Follower, clock: Clock) -> None:
    """Until there is a picture; says what is missing, again whenever that changes, and for how long now."""
    changed = threading.Event()
    unsubscribe = behind.subscribe(changed.set)
    began_s, said = clock.monotonic(), ""
    while behind.newest is None:
        waited = f" (for {clock.monotonic() - began_s:.0f} s now)" if behind.trouble == said else ""
        said = behind.trouble
        say(f"waiting for a driver{waited}: {said}")
        changed.wait(SAY_AGAIN_S)
        changed.clear()
    unsubscribe()


def _standing_by(path: Path, rule: Rule, show: Show) -> int:
    """Follow, and ask the services by oneself where `rule` says so and the plan's secrets can be had."""
    from cockpit.cli.plans import complain, load_plan
    from cockpit.engine.journal_port import JournalFailure
    from cockpit.plan.problems import PlanProblems
    from cockpit.plan.secrets import SecretProblem

    try:
        load_plan(path)
        if refuses_screen():
            return NO_PLAN
        share_one_heap()
        behind = standby(path, rule)
        behind.start()
    except (PlanProblems, JournalFailure) as problem:
        return complain(problem)
    except SecretProblem as problem:
        say_error(f"cannot ask the services by myself: {problem}")
        return _following(follower(path), show)
    return show(behind)


def standby(path: Path, rule: Rule) -> Standby:
    """Of the plan at `path`, loaded anew for every own look. Not started yet."""
    from cockpit.adapters.base import AdapterError
    from cockpit.engine.clock import SystemClock
    from cockpit.engine.journal_port import JournalFailure
    from cockpit.engine.standby import Standby
    from cockpit.plan.problems import PlanProblems
    from cockpit.plan.secrets import SecretProblem

    ours = (PlanProblems, SecretProblem, JournalFailure, AdapterError)
    return Standby(follower(path), lambda: own_look(path), rule, SystemClock(), ours=ours)


def own_look(path: Path) -> OwnLook:
    """A started read-only engine: no writer, no hook, no write secret."""
    from cockpit.cli.journaling import journal_to_follow
    from cockpit.cli.looking import looker
    from cockpit.cli.plans import load_plan
    from cockpit.engine.standby import OwnLook

    plan = load_plan(path)
    journal = journal_to_follow(path)
    try:
        return OwnLook(engine=looker(plan, journal), release=journal.close)
    except BaseException:
        journal.close()
        raise
