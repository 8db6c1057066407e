"""Two people, each in a cockpit of their own on one plan: one drives, the other approves, then rolls back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from cockpit.core.events import Event, Kind
from cockpit.core.flight import fold
from tests.e2e.conftest import FLAGS, Stage
from tests.e2e.flown import ENTER
from tests.e2e.terminal import Terminal, wait_until

pytestmark = pytest.mark.timeout(240)


def journalled(stage: Stage, *kinds: Kind) -> list[Event]:
    with closing(stage.journal()) as journal:
        return [event for event in journal.read() if event.kind in kinds]


def seats(stage: Stage) -> list[tuple[str, object]]:
    return [(event.actor, event.body["how"]) for event in journalled(stage, Kind.DRIVER_TAKEN)]


@contextmanager
def two_people(stage: Stage, *, rows: int = 24) -> Iterator[tuple[Terminal, Terminal]]:
    """kim drives and ines sits beside; both on narrow terminals."""
    with Terminal(stage.command("fly"), env=stage.env, columns=80, rows=rows) as kim:
        kim.expect("data live")
        kim.expect("you drive, kim@")
        env = {**stage.env, "COCKPIT_OPERATOR": "ines"}
        with Terminal(stage.command("fly"), env=env, columns=80, rows=rows) as ines:
            ines.expect("driver kim@")
            yield kim, ines


def second_press(terminal: Terminal, key: str, armed: str) -> None:
    terminal.press(key)
    terminal.expect(armed)
    terminal.press(key)


def test_a_second_person_approves_a_stage_and_then_takes_the_seat_by_a_rollback(stage: Stage) -> None:
    stage = stage.unhurried().changed(("approvals = 1 ", "approvals = 2 "))
    stage.practice.world.start_at(dict.fromkeys(FLAGS, 0.0))
    with two_people(stage) as (kim, ines):
        kim.press("A")
        kim.expect("confirming asks the others")
        kim.expect("✗ OPEN approvals")
        wait_until(lambda: kim.text.count("✗ OPEN") == 1, "every gate but the people", 90)
        kim.press(f"chat_writes{ENTER}")
        kim.expect("1 of 2 people")
        ines.expect("ASKS FOR")
        assert stage.configured() == [0, 0, 0]
        ines.press("A")
        ines.expect("asked by   kim@")
        ines.press(f"chat_writes{ENTER}")
        wait_until(lambda: [round(each) for each in stage.configured()] == [10, 0, 0], "ten percent")
        kim.expect("re-read at 10%")
        [asked] = journalled(stage, Kind.FLAG_ASKED)
        assert asked.actor == "kim" and "2 of 2 people" in str(asked.body["gates"])
        second_press(ines, "R", "press R to roll back")
        ines.expect("all 3 flags re-read as 0%")
        ines.expect("you drive, ines@")
        kim.expect("driver ines@")
        kim.expect("since declare")
        assert stage.configured() == [0, 0, 0]
    assert seats(stage)[:2] == [("kim", "free"), ("ines", "rollback")]
    [declared] = journalled(stage, Kind.ROLLBACK_DECLARED)
    assert declared.actor == "ines"
    with closing(stage.journal()) as journal:
        assert fold(journal.read()).rollback is not None
        assert journal.verify() == []
    told = stage.run("report").stdout
    assert "by declaring a rollback, from kim" in told
    assert "which needs 2 people" in told


def test_a_killed_driver_is_followed_at_once_and_a_stopped_one_finds_out_when_it_wakes(stage: Stage) -> None:
    with two_people(stage) as (kim, ines):
        kim.process.send_signal(signal.SIGSTOP)
        ines.expect("you drive, ines@")
        assert seats(stage)[-1] == ("ines", "silence")
        kim.process.send_signal(signal.SIGCONT)
        kim.expect("SEAT LOST")
        assert "driver ines@" in kim.text and "(silence)" in kim.text
        second_press(kim, "D", "TAKE THE SEAT FROM ines@")
        kim.expect("you drive, kim@")
        ines.expect("SEAT LOST")
        kim.process.kill()
        ines.expect("you drive, ines@")
        status = stage.run("status").stdout
        assert "driver ines@" in status
        ines.press("q")
        wait_until(lambda: ines.process.poll() is not None, "left")
    assert [how for _, how in seats(stage)] == ["free", "silence", "confirmed", "gone"]
    [released] = journalled(stage, Kind.DRIVER_RELEASED)
    assert released.body["why"] == "the cockpit was left"
    assert stage.configured() == [25] * len(FLAGS)
