"""A plan file that points at a practice world, and the environment to fly it in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cockpit.cli.plans import load_plan
from cockpit.core.spec import Plan
from cockpit.engine.clock import SystemClock
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.paths import journal_path
from cockpit.practice.faults import Param, make_fault
from cockpit.practice.server import PracticeServer
from cockpit.practice.staging import start_percents

ROOT = Path(__file__).parents[2]
FLAGS = ("chat_writes", "chat_reads", "chat_realtime")
COCKPIT = [sys.executable, "-m", "cockpit"]
QUICK = "1s"
"""How often a staged plan polls. A poll has three quarters of it for its answer: with half a second many
found none on a machine that runs other tests beside it, and a rollback waits for three good ones in a row."""


@dataclass(frozen=True)
class Stage:
    """A practice world at 25 %, and a plan file that flies it with quick polls."""

    practice: PracticeServer
    plan_path: Path
    env: Mapping[str, str]

    def command(self, *words: str) -> list[str]:
        return [*COCKPIT, *words[:1], str(self.plan_path), *words[1:]]

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A command on this plan to its end, without a terminal; `env` adds to the environment."""
        return run(self.command(*words), env={**self.env, **env})

    def changed(self, *changes: tuple[str, str]) -> Stage:
        """The same stage with another plan file, in which each first text stands for the second."""
        text = self.plan_path.read_text()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        path = self.plan_path.with_name("changed.toml")
        path.write_text(text)
        return replace(self, plan_path=path)

    def unhurried(self, every: str = "2s") -> Stage:
        """Polls that a machine with much else to do answers in time: their time limit is a part of `every`.
        What looks once, as `check` does, waits for no second one and may have much of it.
        """
        return self.changed(
            *((f'{name} = "{QUICK}"', f'{name} = "{every}"') for name in ("flags", "probes", "signals"))
        )

    def brief(self) -> Stage:
        """A rollback of two or three seconds, where a test asks for its end and not for its way there."""
        return self.changed(
            ("drain_polls = 2", "drain_polls = 1"),
            ("drain_below_pct = 5", "drain_below_pct = 20"),
            ("passes = 3", "passes = 1"),
        )

    def inject(self, name: str, **params: Param) -> None:
        self.practice.world.inject(make_fault(name, params))

    def clear(self) -> None:
        self.practice.world.clear()

    def configured(self) -> list[float]:
        return [self.practice.world.configured_pct(flag) for flag in FLAGS]

    def journal(self) -> SqliteJournal:
        return SqliteJournal(journal_path(self.plan_path, self.env), read_only=True)

    def kinds(self) -> list[str]:
        """The kinds of everything journalled so far; empty before the journal exists."""
        if not journal_path(self.plan_path, self.env).exists():
            return []
        journal = self.journal()
        try:
            return [event.kind.value for event in journal.read()]
        finally:
            journal.close()


def run(command: Sequence[str], *, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Without a terminal, to its end; nothing that a command says may be a traceback."""
    ended = subprocess.run(
        command, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=80
    )
    assert "Traceback" not in ended.stderr + ended.stdout, ended.stderr
    return ended


def rehomed(text: str, urls: Mapping[str, str]) -> str:
    """The sample plan's text with its addresses in the practice world, without TLS, with quick polls."""
    homes = {
        "https://unleash.example.com": urls["unleash"],
        "https://prometheus.example.com": urls["prometheus"],
        "https://chat.example.com": urls["legacy"],
        "https://happy-otter-123.convex.cloud": urls["convex"],
        "https://happy-otter-123.convex.site": urls["new"],
    }
    for before, after in homes.items():
        assert before in text
        text = text.replace(before, after)
    for name, before in (("flags", "2s"), ("probes", "5s"), ("signals", "5s")):
        assert f'{name} = "{before}"' in text
        text = text.replace(f'{name} = "{before}"', f'{name} = "{QUICK}"')
    return quick(re.sub(r"(?m)^tls_days.*\n", "", text))


def quick(text: str) -> str:
    """Clients that see a change at once, and a coarse idea of drained, so that a drain takes seconds."""
    assert "drain_below_pct = 0.5" in text
    assert "below = 5  " in text
    text = text.replace("drain_below_pct = 0.5", "drain_below_pct = 5").replace("below = 5  ", "below = 90 ")
    return re.sub(r'propagation = "\d+s"', 'propagation = "1s"', text)


def sample() -> Plan:
    return load_plan(ROOT / "sample_configs" / "chat-sync.toml")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path) as stage:
        yield stage


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A stage whose plan and state lie in `folder`."""
    plan_path = folder / "night.toml"
    text = (ROOT / "sample_configs" / "chat-sync.toml").read_text()
    plan_path.write_text(quick(text))
    with PracticeServer(load_plan(plan_path), seed=7, clock=SystemClock()) as practice:
        plan_path.write_text(rehomed(text, practice.urls))
        practice.world.start_at(start_percents(sample(), 25))
        yield Stage(
            practice=practice,
            plan_path=plan_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "XDG_STATE_HOME": str(folder / "state"),
                "UNLEASH_READ_TOKEN": "practice-as-reader",
                "UNLEASH_WRITE_TOKEN": "practice-as-driver",
                "COCKPIT_OPERATOR": "kim",
            },
        )
