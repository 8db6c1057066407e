"""SIGKILL at every line of a rollback: whoever is started next ends it, and the journal tells one story."""

from __future__ import annotations

import json
import multiprocessing
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from cockpit.core.events import Event, Kind
from tests.e2e.conftest import Stage, staged
from tests.e2e.killing import (
    assert_one_story,
    die_at,
    die_flying_at,
    hurried,
    label,
    machine_part_done,
    transactions,
    written,
)
from tests.e2e.terminal import Terminal, wait_until

pytestmark = pytest.mark.timeout(300)

AT_ONCE = 4  # most of a trial waits for polls
TRIES = 6  # every one but the first tries only what is left
NIGHTS = 3
SEVERAL = 4
BY_CHANCE = (Kind.SOURCE_LOST, Kind.SOURCE_BACK, Kind.PROBE_CHANGED)
"""What a busy machine writes into one run and not into the next: nobody has to die there."""
FIRST_WRITE = "write.intent chat_realtime kill back"
ROLLBACK = ("rollback", "--reason", "trial")


@dataclass(frozen=True)
class Death:
    """target: the line at which a process was to die. last: what it had appended last when it did."""

    target: str
    last: tuple[str, ...]


def test_killed_at_any_line_and_started_again_it_ends_well(tmp_path: Path) -> None:
    """Where a kill came too late for every line of a kind, those lines are tried again."""
    lines = undisturbed(tmp_path / "undisturbed")
    together = transactions(lines)
    every = [label(events[-1]) for events in together]
    assert len(every) >= 15
    reached: set[str] = set()
    targets, started = every, 0
    for _ in range(TRIES):
        for death in side_by_side(tmp_path, targets, started):
            reached.update(death.last)
        started += len(targets)
        kinds = set(map(kind, reached))
        targets = [
            target
            for target, events in zip(every, together, strict=True)
            if not {event.kind.value for event in events} <= kinds
        ]
    assert {event.kind.value for event in lines} <= set(map(kind, reached)), f"nobody died at {targets}"


def kind(name: str) -> str:
    return name.split()[0]


def undisturbed(folder: Path) -> list[Event]:
    """What a rollback that nobody disturbs writes, up to its last line but one."""
    folder.mkdir()
    with staged(folder) as plain:
        stage = hurried(plain)
        assert stage.run(*ROLLBACK).returncode == 0
        assert_one_story(stage)
        left_out = (Kind.FLIGHT_ENDED, *BY_CHANCE)
        return [event for event in written(stage) if event.kind not in left_out]


def side_by_side(folder: Path, targets: Sequence[str], first: int) -> list[Death]:
    numbers = range(first, first + len(targets))
    with ProcessPoolExecutor(AT_ONCE, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(partial(trial, folder), targets, numbers))


def trial(parent: Path, target: str, number: int) -> Death:
    """One life that ends at `target`, and one that ends the rollback: without a screen, or with one."""
    folder = parent / f"{number}"
    folder.mkdir()
    with staged(folder) as plain:
        stage = hurried(plain)
        die_at(stage, lambda event: label(event) == target, *ROLLBACK)
        found = written(stage)
        declared = any(event.kind is Kind.ROLLBACK_DECLARED for event in found)
        if declared and number % 2:
            finish_on_a_screen(stage)
        else:
            ended = stage.run(*ROLLBACK)
            assert ended.returncode == 0, f"killed at {target}: {ended.stdout}{ended.stderr}"
        assert_one_story(stage)
        last = transactions(found)[-1] if found else ()
        return Death(target=target, last=tuple(label(event) for event in last))


def finish_on_a_screen(stage: Stage) -> None:
    """A deck lands on the open rollback; nobody touches a key."""
    with Terminal(stage.command("fly"), env=stage.env) as terminal:
        terminal.expect("since declare")
        wait_until(lambda: machine_part_done(written(stage)), "the machine's part")
        terminal.process.terminate()
        wait_until(lambda: terminal.process.poll() is not None, "the process ended")


def test_a_deck_that_dies_again_and_again_still_brings_it_to_its_end(tmp_path: Path) -> None:
    """Each night ends well. One whose first kills came too late to part the first write from its outcome is
    flown again; where all of them came too late, several deaths have to do.
    """
    for number in range(NIGHTS):
        deaths = dies_again_and_again(tmp_path / f"{number}").counts
        if deaths[FIRST_WRITE] >= 2 and deaths.total() >= 8:
            return
    assert deaths.total() >= SEVERAL, f"kills came too late every time: {deaths}"


def dies_again_and_again(folder: Path) -> Deaths:
    folder.mkdir()
    with staged(folder) as plain:
        stage, deaths = hurried(plain), Deaths()
        die_flying_at(stage, deaths, declare=True)
        while not deaths.enough:
            deaths.after(written(stage))
            die_flying_at(stage, deaths)
        finish_on_a_screen(stage)
        assert_one_story(stage)
        ended = stage.run("report", "--json")
        assert ended.returncode == 0, ended.stderr
        (told,) = json.loads(ended.stdout)["rollbacks"]
        assert told["users_safe_at"] is not None, told["users_safe_text"]
        return deaths


class Deaths:
    """Whether a deck is to die at an event: at its first write until three died there, else once a line."""

    LINES = (Kind.WRITE_INTENT, Kind.WRITE_OUTCOME, Kind.FLAG_SEEN)
    LAST = (Kind.STEP_DONE, Kind.STEP_FAILED)

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.enough = False
        self._seq = 0

    def after(self, before: Sequence[Event]) -> None:
        """What the dead had written does not count for the next."""
        self._seq = before[-1].seq

    def __call__(self, event: Event) -> bool:
        name = label(event)
        last = event.kind in self.LAST and event.body["step"] == "reconcile"
        limit = 3 if name == FIRST_WRITE else 1
        spent = self.counts[name] >= limit or not event.body.get("rollback")
        if event.seq <= self._seq or spent or not (last or event.kind in self.LINES):
            return False
        self.counts[name] += 1
        self.enough = last
        return True
