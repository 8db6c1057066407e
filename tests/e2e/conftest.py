"""A plan file that points at a practice world, and the environment to fly it in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cockpit.cli.plans import load_plan
from cockpit.core.spec import Plan
from cockpit.engine.clock import SystemClock
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.paths import journal_path
from cockpit.practice.server import PracticeServer
from cockpit.practice.staging import start_percents

ROOT = Path(__file__).parents[2]
COCKPIT = [sys.executable, "-m", "cockpit"]


@dataclass(frozen=True)
class Stage:
    """A practice world at 25 %, and a plan file that flies it with quick polls."""

    practice: PracticeServer
    plan_path: Path
    env: Mapping[str, str]

    def command(self, *words: str) -> list[str]:
        return [*COCKPIT, *words[:1], str(self.plan_path), *words[1:]]

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


def rehomed(text: str, urls: Mapping[str, str]) -> str:
    """The sample plan's text with its addresses in the practice world and quick polls."""
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
    for name, before, after in (
        ("flags", "2s", "500ms"),
        ("probes", "5s", "500ms"),
        ("signals", "5s", "500ms"),
    ):
        assert f'{name} = "{before}"' in text
        text = text.replace(f'{name} = "{before}"', f'{name} = "{after}"')
    return text.replace('propagation = "20s"', 'propagation = "2s"').replace(
        'propagation = "30s"', 'propagation = "2s"'
    )


def sample() -> Plan:
    return load_plan(ROOT / "sample_configs" / "chat-sync.toml")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    plan_path = tmp_path / "night.toml"
    text = (ROOT / "sample_configs" / "chat-sync.toml").read_text()
    quick = tmp_path / "quick.toml"
    quick.write_text(text.replace('propagation = "20s"', 'propagation = "2s"'))
    with PracticeServer(load_plan(quick), seed=7, clock=SystemClock()) as practice:
        plan_path.write_text(rehomed(text, practice.urls))
        practice.world.start_at(start_percents(sample(), 25))
        yield Stage(
            practice=practice,
            plan_path=plan_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "XDG_STATE_HOME": str(tmp_path / "state"),
                "UNLEASH_READ_TOKEN": "practice-as-reader",
                "UNLEASH_WRITE_TOKEN": "practice-as-driver",
                "COCKPIT_OPERATOR": "kim",
            },
        )
