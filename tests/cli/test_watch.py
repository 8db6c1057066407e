"""`cockpit watch` and `cockpit wall` beside a real driver: without a credential, without a request."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from cockpit.practice.gate import Gate
from tests.e2e.conftest import Stage
from tests.e2e.terminal import Terminal, wait_until

OBSERVERS = 20
INNOCENT = {"tried": [], "loaded": [], "tls_contexts": 0}
OWN = "READ-ONLY · LIVE · production"


def poor(stage: Stage) -> Stage:
    """The same place for somebody who has no secret at all."""
    return replace(stage, env={name: stage.env[name] for name in ("PATH", "HOME", "XDG_STATE_HOME")})


@contextmanager
def flying(stage: Stage) -> Iterator[Terminal]:
    with Terminal(stage.command("fly"), env=stage.env) as driver:
        driver.expect("data live")
        yield driver


def kill(terminal: Terminal) -> None:
    terminal.process.send_signal(signal.SIGKILL)
    terminal.process.wait()


def leave(terminal: Terminal) -> int | None:
    terminal.press("q")
    wait_until(lambda: terminal.process.poll() is not None, "it ends")
    return terminal.process.returncode


def observed(stage: Stage, report: Path, *words: str) -> list[str]:
    """A command that is watched for what it does, see `tests.cli.observer`."""
    command, *rest = words
    return [sys.executable, "-m", "tests.cli.observer", str(report), command, str(stage.plan_path), *rest]


def said(report: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {}
    return told


@dataclass
class Crowd:
    """Observers without a screen, each in a process of its own."""

    reports: list[Path]

    def told(self) -> list[dict[str, Any]]:
        return [said(report) for report in self.reports]

    def all_say(self, **expected: str) -> None:
        def agreed() -> bool:
            return all(
                all(words in str(told.get(key, "-")) for key, words in expected.items())
                for told in self.told()
            )

        wait_until(agreed, f"every observer says {expected}")

    def all_follow(self, *, after: str = "") -> None:
        """Every one has a picture of a flight that began after that instant, and no trouble."""
        wait_until(
            lambda: all(told.get("started_at", "") > after and not told["trouble"] for told in self.told()),
            "every one follows",
        )


@contextmanager
def crowd(stage: Stage, place: Path) -> Iterator[Crowd]:
    reports = [place / f"observer-{number}.json" for number in range(OBSERVERS)]
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    observed(stage, report, "-"), env=poor(stage).env, stdin=subprocess.PIPE, stderr=None
                )
            )
            for report in reports
        ]
        try:
            yield Crowd(reports)
        finally:
            for process in started:
                assert process.stdin is not None
                process.stdin.close()
        assert [process.wait() for process in started] == [0] * OBSERVERS


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every request that any practice server has had, by path."""
    had: list[str] = []
    answer = Gate.__call__

    async def counted(gate: Gate, scope: Scope, receive: Receive, send: Send) -> None:
        had.append(str(scope.get("path")))
        await answer(gate, scope, receive, send)

    monkeypatch.setattr(Gate, "__call__", counted)
    return had


def settled(requests: list[str]) -> int:
    """How many there were once those that were on their way have arrived."""
    counts = [-1, *[0] * 9]

    def still() -> bool:
        counts.append(len(requests))
        return len(set(counts[-10:])) == 1

    wait_until(still, "no more requests")
    return len(requests)


@pytest.mark.timeout(180)
def test_twenty_observers_ask_nobody_and_follow_one_driver_after_the_other(
    stage: Stage, tmp_path: Path, requests: list[str]
) -> None:
    with crowd(stage, tmp_path) as observers:
        observers.all_say(trouble="There is no journal yet")
        assert requests == []
        with flying(stage) as driver:
            observers.all_follow()
            assert requests
            kill(driver)
            before = settled(requests)
            observers.all_say(trouble="nobody publishes")
            assert len(requests) == before
        (first,) = {told["started_at"] for told in observers.told()}
        with flying(stage):
            observers.all_follow(after=first)
        for told in observers.told():
            assert {key: told[key] for key in INNOCENT} == INNOCENT


def test_a_watcher_sees_what_the_driver_sees_and_can_touch_nothing(stage: Stage, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with Terminal(observed(stage, report, "watch"), env=poor(stage).env) as watcher:
        watcher.expect("waiting for a driver: There is no journal yet")
        with flying(stage) as driver:
            watcher.expect("READ-ONLY · production")
            watcher.expect("driver kim@")
            watcher.expect("data live")
            driver.expect("Advance")
            assert "Advance" not in watcher.text and "Roll back" not in watcher.text
            stage.inject("outage")
            watcher.expect("DOWN     http actions")
            stage.clear()
            watcher.press("RRAHOPn")
            watcher.expect("not now, read-only: nothing in this cockpit can touch a service")
            watcher.press("r")
            watcher.expect("Poll everything now: not now")
            touched = {"rollback.declared", "flag.asked", "rollout.held", "verdict.overridden", "note.added"}
            assert not touched & set(stage.kinds())
            kill(driver)
            watcher.expect("DRIVER SILENT")
            watcher.expect("nobody publishes for")
            watcher.expect(": everything below is ")
        with flying(stage):
            watcher.expect("data live")
            assert "DRIVER SILENT" not in watcher.text
        assert leave(watcher) == 0
    assert said(report) == INNOCENT


def test_a_watcher_lands_on_the_driver_s_countdown_and_comes_back_to_it(stage: Stage) -> None:
    with flying(stage) as driver, Terminal(poor(stage).command("watch"), env=poor(stage).env) as watcher:
        watcher.expect("driver kim@")
        assert stage.run("rollback", "--reason", "a drill of the war room").returncode == 0
        driver.expect("C close")
        watcher.expect("declared by kim · a drill of the war room")
        assert "C close" not in watcher.text
        watcher.press("\x1b")
        watcher.expect("R shows it")
        watcher.press("R")
        watcher.expect("declared by kim · a drill of the war room")


def published(stage: Stage) -> object:
    with closing(stage.journal()) as journal:
        return journal.latest_published()


def test_the_wall_follows_without_a_secret(stage: Stage, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with flying(stage) as driver:
        wait_until(lambda: published(stage), "a picture")
        with Terminal(observed(stage, report, "wall"), env=poor(stage).env) as wall:
            wall.expect("READ-ONLY WALL · production")
            wall.expect("alive, data")
            kill(driver)
            wall.expect("nobody publishes for")
            wall.expect("it said")
            assert leave(wall) == 0
    assert said(report) == INNOCENT


def test_a_wall_that_nobody_has_flown_for_asks_by_itself_until_somebody_does(
    stage: Stage, requests: list[str]
) -> None:
    env: Mapping[str, str] = {**poor(stage).env, "UNLEASH_READ_TOKEN": "practice-as-reader"}
    with Terminal(stage.command("wall"), env=env) as wall:
        wall.expect("READ-ONLY WALL · LIVE · production")
        wall.expect("alive, data")
        assert requests
        with flying(stage) as driver:
            wall.expect("READ-ONLY WALL · production")
            kill(driver)
            settled(requests)
            wall.expect("nobody publishes for")


def test_without_a_secret_a_wall_waits_for_a_driver(stage: Stage) -> None:
    with Terminal(stage.command("wall"), env=poor(stage).env) as wall:
        wall.expect("cannot ask the services by myself: ")
        wall.expect("waiting for a driver: There is no journal yet")
        with flying(stage):
            wall.expect("READ-ONLY WALL · production")


@pytest.mark.timeout(180)
def test_poll_asks_while_nobody_publishes(stage: Stage) -> None:
    env = {**poor(stage).env, "UNLEASH_READ_TOKEN": "practice-as-reader"}
    with Terminal(stage.command("watch", "--poll"), env=env) as watcher:
        watcher.expect(OWN)
        with flying(stage) as driver:
            watcher.expect("driver kim@")
            kill(driver)
            watcher.expect("DRIVER SILENT")
            watcher.expect(OWN)
            watcher.expect("data live")
        assert leave(watcher) == 0


def test_waiting_can_be_left(stage: Stage) -> None:
    with Terminal(poor(stage).command("watch"), env=poor(stage).env) as watcher:
        watcher.expect("waiting for a driver")
        watcher.press("\x03")
        wait_until(lambda: watcher.process.poll() is not None, "it ends")
        assert watcher.process.returncode == 3
        assert "Traceback" not in watcher.text


def test_status_follow_stops_asking_once_somebody_flies(stage: Stage, requests: list[str]) -> None:
    following = subprocess.Popen(
        stage.command("status", "--follow", "--json"), env=stage.env, stdout=subprocess.PIPE, text=True
    )
    with following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["read_only"] is True
        with flying(stage) as driver:
            while json.loads(following.stdout.readline())["read_only"]:
                assert following.poll() is None
            kill(driver)
            settled(requests)
        following.send_signal(signal.SIGINT)
        following.communicate()
        assert following.returncode == 0
