"""Ending a cockpit at a chosen line of its journal, and what has to be true of the journal in the end.

Nothing in the product helps: the journal is watched from outside, read-only, and the process gets a
SIGKILL. A kill may come a few lines late; what the dead process had written tells where it really died.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from cockpit.core.events import Event, Kind
from cockpit.core.flight import fold
from cockpit.core.report import report
from cockpit.core.rollback import FlipState, Rollback, StepState
from cockpit.core.spec import StepKey
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.paths import journal_path
from tests.e2e.conftest import FLAGS, Stage
from tests.e2e.terminal import Terminal
from tests.e2e.test_terminal import roll_back

TICK_S = 0.0005
LIFE_LIMIT_S = 40.0
DRIVER = "driver"
ACTIONS = {"feature-environment-disabled": "kill", "feature-strategy-update": "zero"}
_NAMED = ("flag", "action", "step", "hook", "moment")

BELL = f"""
[[announce]]
name = "bell"
kind = "command"
command = ["{sys.executable}", "-c", ""]
on = ["declared", "flipped"]

[[rollback.write_counter]]"""


def hurried(stage: Stage) -> Stage:
    """The same stage with a rollback that takes a second or two, and with somebody to tell."""
    return stage.brief().changed(("[[rollback.write_counter]]", BELL))


def label(event: Event) -> str:
    """What an event is called in every run, whatever its number there: "write.intent chat_reads kill"."""
    names = [str(event.body[key]) for key in _NAMED if key in event.body]
    return " ".join([event.kind.value, *names, *(["back"] if event.body.get("rollback") else [])])


def transactions(events: Sequence[Event]) -> list[tuple[Event, ...]]:
    """Events that were appended together, which no kill can part: they carry the same instant."""
    groups: list[tuple[Event, ...]] = []
    for event in events:
        if groups and groups[-1][-1].at == event.at:
            groups[-1] = (*groups[-1], event)
        else:
            groups.append((event,))
    return groups


@contextmanager
def looking_on(stage: Stage) -> Iterator[SqliteJournal]:
    journal = stage.journal()
    try:
        yield journal
    finally:
        journal.close()


def written(stage: Stage) -> list[Event]:
    with looking_on(stage) as journal:
        return journal.read()


def watch(stage: Stage, wanted: Callable[[Event], bool], alive: Callable[[], bool]) -> bool:
    """Return at the moment at which a wanted event is in the journal; False when the process ended first."""
    deadline, pause = time.monotonic() + LIFE_LIMIT_S, threading.Event()
    where: Path = journal_path(stage.plan_path, stage.env)
    while not where.exists():
        assert time.monotonic() < deadline, "no journal"
        if not alive():
            return False
        pause.wait(TICK_S)
    with looking_on(stage) as journal:
        seen = 0
        while True:
            ended = not alive()
            for event in journal.read(seen):
                seen = event.seq
                if wanted(event):
                    return True
            if ended:
                return False
            assert time.monotonic() < deadline, "the event never came"
            pause.wait(TICK_S)


def die_at(stage: Stage, wanted: Callable[[Event], bool], *words: str) -> bool:
    """Run a command without a screen and kill it at a wanted event; False when it ended by itself first."""
    with subprocess.Popen(
        stage.command(*words),
        env=dict(stage.env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            return watch(stage, wanted, lambda: process.poll() is None)
        finally:
            process.kill()


def die_flying_at(stage: Stage, wanted: Callable[[Event], bool], *, declare: bool = False) -> None:
    """The same for a deck; `declare` with two presses of one key."""
    with Terminal(stage.command("fly"), env=stage.env) as terminal:
        if declare:
            roll_back(terminal)
        assert watch(stage, wanted, lambda: terminal.process.poll() is None), terminal.text
        terminal.process.kill()


def machine_part_done(events: Sequence[Event]) -> bool:
    rollback = fold(events).rollback
    over = (StepState.DONE, StepState.OVERRIDDEN, StepState.FAILED)
    return rollback is not None and all(step.state in over for step in rollback.steps if step.machine)


def assert_one_story(stage: Stage) -> Rollback:
    """The flags are at zero, and the journal tells of one whole rollback that got them there."""
    with looking_on(stage) as journal:
        assert journal.verify() == []
        events = journal.read()
    assert stage.configured() == [0, 0, 0]
    assert stored(stage) == ["0", "0", "0"]
    assert sum(event.kind is Kind.ROLLBACK_DECLARED for event in events) == 1
    assert_writes_in_order(events)
    assert_nothing_written_in_secret(stage, events)
    rollback = fold(events).rollback
    assert rollback is not None
    assert all(flip.state is FlipState.AT_ZERO and flip.drained_at for flip in rollback.flips)
    assert_machine_steps_done(rollback)
    (told,) = report(events, made_at=events[-1].at).rollbacks
    assert told.users_safe_at is not None, told.users_safe_text
    return rollback


def stored(stage: Stage) -> list[str]:
    """The percentages that would count if somebody switched the flags on again."""
    world = stage.practice.world
    with world.lock:
        places = [(world.seeds[flag].project, flag, world.seeds[flag].environment) for flag in FLAGS]
        return [world.flags.environment(*place).strategies[0].parameters["rollout"] for place in places]


def assert_machine_steps_done(rollback: Rollback) -> None:
    """One exception: who declared and died before any counter was read leaves the counting to people."""
    counted = rollback.cut_mark.counters if rollback.cut_mark is not None else ()
    uncounted = any(count is None for _, count in counted)
    for step in rollback.steps:
        if step.machine and step.key is StepKey.RECONCILE and uncounted:
            assert step.state is StepState.FAILED and "count by hand" in step.evidence
        elif step.machine:
            assert step.state is StepState.DONE, f"{step.title}: {step.state} {step.evidence}"


def assert_writes_in_order(events: Sequence[Event]) -> None:
    """Every outcome has its intent before it, and no flag has two intents without an outcome between."""
    open_writes: dict[object, object] = {}
    for event in events:
        flag, write_id = event.body.get("flag"), event.body.get("write_id")
        if event.kind is Kind.WRITE_INTENT:
            assert flag not in open_writes, f"two intents of {flag} without an outcome between them"
            open_writes[flag] = write_id
        elif event.kind is Kind.WRITE_OUTCOME:
            assert open_writes.pop(flag, None) == write_id, f"{label(event)} without its intent"
    assert not open_writes, "a write that nobody answered for"


def assert_nothing_written_in_secret(stage: Stage, events: Sequence[Event]) -> None:
    """The flag service changed no flag more often than was intended and journalled."""
    intended = Counter(
        (str(event.body["flag"]), str(event.body["action"]))
        for event in events
        if event.kind is Kind.WRITE_INTENT
    )
    with stage.practice.world.lock:
        changes = [event for event in stage.practice.world.flags.events if event["createdBy"] == DRIVER]
    made = Counter((str(each["featureName"]), ACTIONS[str(each["type"])]) for each in changes)
    assert made.keys() >= {(flag, "kill") for flag in FLAGS}
    assert all(count <= intended[change] for change, count in made.items()), (made, intended)


def flying(stage: Stage) -> list[psutil.Process]:
    """Every process that flies the stage; the plan's path is an argument of theirs and of nobody else's."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if str(stage.plan_path) in words and "fly" in words and words[0] == sys.executable:
                found.append(process)
    return found
