"""Demo and drill: a practice world, a real engine and the real deck in one process. Nothing is real."""

from __future__ import annotations

import os
import random
import shlex
import socket
from collections.abc import Callable
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cockpit.cli.output import say, say_error, say_folded
from cockpit.cli.plans import USAGE, complain, load_plan
from cockpit.cli.screens import refuses_screen, show_deck
from cockpit.cli.thrift import share_one_heap
from cockpit.cli.wiring import Builder, identity
from cockpit.core.clean import clean_text
from cockpit.core.drill import Debrief, debrief
from cockpit.core.flight import Flight
from cockpit.core.model import Mode
from cockpit.core.phrases import span
from cockpit.core.report import report
from cockpit.core.report_markdown import markdown
from cockpit.core.spec import Plan
from cockpit.plan.problems import PlanProblems

if TYPE_CHECKING:
    from cockpit.engine.journal_memory import MemoryJournal
    from cockpit.practice.rehome import StandIns
    from cockpit.practice.server import PracticeServer

DEMO_PLAN: Final = "chat-sync.toml"
DEMO_START_PCT: Final = 25.0
Hint = Callable[[Flight, datetime], str]


def sample_plan(name: str) -> Path:
    """A plan that ships with the cockpit: from the wheel, or from the source tree it runs in."""
    packed = Path(str(files("cockpit"))) / "_sample_configs" / name
    return packed if packed.exists() else Path(__file__).parents[2] / "sample_configs" / name


def run_demo(*, fault_after_s: float, seed: int | None, theme: str | None, mouse: bool) -> int:
    from cockpit.engine.clock import SystemClock
    from cockpit.practice.server import PracticeServer
    from cockpit.practice.staging import stage_demo, start_percents

    try:
        plan = load_plan(sample_plan(DEMO_PLAN))
    except PlanProblems as problems:
        return complain(problems)
    if refuses_screen():
        return USAGE
    share_one_heap()
    with PracticeServer(plan, seed=_seed(seed), clock=SystemClock()) as practice:
        practice.world.start_at(start_percents(plan, DEMO_START_PCT))
        fault_at = stage_demo(practice.world, fault_after_s)
        code, journal = _practise(plan, practice, Mode.DEMO, _demo_hint(fault_at), theme, mouse=mouse)
    events = journal.read()
    flown = report(events, made_at=SystemClock().now())
    say(markdown(flown).rstrip() if flown.rollbacks else "Nothing was rolled back. That was the demo.")
    return code


def run_drill(path: Path | None, *, scenario: str | None, seed: int | None, theme: str | None) -> int:
    from cockpit.engine.clock import SystemClock
    from cockpit.practice.scenarios import SCENARIOS
    from cockpit.practice.server import PracticeServer
    from cockpit.practice.staging import stage

    if scenario is not None and scenario not in SCENARIOS:
        say_error(f"no scenario {scenario!r}; there are {', '.join(sorted(SCENARIOS))}")
        return USAGE
    try:
        plan = load_plan(path or sample_plan(DEMO_PLAN))
    except PlanProblems as problems:
        return complain(problems)
    if refuses_screen():
        return USAGE
    share_one_heap()
    chosen_seed = _seed(seed)
    chosen = SCENARIOS[scenario or random.Random(f"{chosen_seed}/draw").choice(sorted(SCENARIOS))]
    with PracticeServer(plan, seed=chosen_seed, clock=SystemClock()) as practice:
        fault_at = stage(practice.world, chosen, plan)
        code, journal = _practise(plan, practice, Mode.DRILL, _drill_hint, theme, mouse=False)
    events = journal.read()
    if events[-1].at < fault_at:
        say("The drill was left before anything went wrong: nothing to debrief.")
    else:
        result = debrief(events, chosen, fault_at)
        for line in debrief_lines(result):
            say_folded(line)
        if path is not None:
            _keep(path, result, plan, chosen_seed, events[-1].at)
    words = [clean_text(path, limit=1000)] if path else []
    words += [scenario] if scenario else []
    say(f"the same drill again: {shlex.join(['cockpit', 'drill', *words, '--seed', str(chosen_seed)])}")
    return code


def _keep(path: Path, result: Debrief, plan: Plan, seed: int, at: datetime) -> None:
    """Record the drill of a team's own plan: a way back is worth what its last trial is."""
    from cockpit.cli.drill_record import drills, record, record_path, trend
    from cockpit.engine.journal_port import JournalFailure

    kept = record_path(path, os.environ)
    before = trend(drills(kept), result.scenario.name)
    try:
        record(kept, result, at=at, plan_digest=plan.digest, seed=seed, host=socket.gethostname())
    except (OSError, JournalFailure) as trouble:
        say_error(f"the drill could not be recorded: {clean_text(trouble)}")
        return
    say(f"recorded in {clean_text(kept, limit=1000)}" + (f"; {before}" if before else ""))


def _seed(seed: int | None) -> int:
    return random.SystemRandom().randrange(1_000_000) if seed is None else seed


def _practise(
    plan: Plan, practice: PracticeServer, mode: Mode, hint: Hint, theme: str | None, *, mouse: bool
) -> tuple[int, MemoryJournal]:
    """Fly `plan` in the practice world until the deck is left; the exit code and what was journalled."""
    from cockpit.engine.clock import SystemClock
    from cockpit.engine.engine import Engine
    from cockpit.engine.flying import Flying
    from cockpit.engine.journal_memory import MemoryJournal

    journal = MemoryJournal()
    engine = Engine(
        Flying(
            plan=practice.rehome(plan, stand_ins()),
            sources=Builder(secret=practice.secret, read_only=False),
            journal=journal,
            clock=SystemClock(),
            identity=identity(mode, read_only=False),
            hint=hint,
        )
    )
    engine.start(patiently=True)
    return show_deck(engine, theme=theme, mouse=mouse, standing=engine.seen), journal


def stand_ins() -> StandIns:
    """For kinds that the practice world has no double of; its secrets open everything there."""
    from cockpit.adapters.flags.unleash_settings import UnleashSettings
    from cockpit.adapters.probes.settings import HttpProbeSettings
    from cockpit.adapters.signals.settings import PrometheusSettings
    from cockpit.core.secret import SecretRef
    from cockpit.practice.rehome import StandIns

    token = SecretRef(env="PRACTICE")
    return StandIns(
        lever=lambda url: UnleashSettings(url=url, environment="production", token=token, write_token=token),
        probe=lambda url: HttpProbeSettings(url=url),
        monitor=lambda url: PrometheusSettings(url=url),
    )


def _demo_hint(fault_at: datetime) -> Hint:
    def hint(flight: Flight, now: datetime) -> str:
        if flight.rollback is not None:
            return "Watch the steps. What needs you: arrows and enter. C signs it off, escape shows the deck."
        if flight.closed:
            return "That was a rollback. q leaves and prints its report."
        if flight.proposal is not None:
            return "The judge proposes to roll back. Press R, let go, and press R again."
        if now < fault_at:
            left_s = round((fault_at - now).total_seconds())
            return (
                f"All is well; the new side goes bad in {left_s} s. Meanwhile: arrows, enter, ? for all keys."
            )
        return "The new side is failing; the judge collects evidence. R, let go, R rolls back at any time."

    return hint


def _drill_hint(flight: Flight, now: datetime) -> str:
    if flight.closed:
        return "Drill over. q leaves and shows the debrief."
    return "Drill: something may go wrong. Decide and act as you would for real; q ends it."


def debrief_lines(result: Debrief) -> tuple[str, ...]:
    """The debrief in plain lines."""
    lines = [
        f"DRILL  {result.scenario.title}: {'passed' if result.passed else 'not passed'}",
        result.scenario.story,
        "",
    ]
    for measure in result.measures:
        took = span(measure.seconds) if measure.seconds is not None else "never"
        budget = f" of {span(measure.budget_s)}" if measure.budget_s is not None else ""
        lines.append(f"  {took + budget:>14}  {measure.name}{'  LATE' if measure.late else ''}")
    if result.late:
        lines.append(f"  late: {', '.join(step.title for step in result.late)}")
    if result.missed:
        lines.append(f"  not done: {', '.join(step.title for step in result.missed)}")
    lines.extend(["", *result.sentences, "", "What a good player does:"])
    lines.extend(f"  {position}. {act}" for position, act in enumerate(result.scenario.good_play, start=1))
    return tuple(lines)
