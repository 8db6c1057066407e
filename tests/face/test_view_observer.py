"""What an observer's screen says where the driver's would say something else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cockpit.core.model import Mode
from cockpit.core.snapshot import FOLLOWING, NOBODY_PUBLISHES, Level, PlanChange, Reason, Snapshot
from cockpit.face.actions import BY_ID, READ_ONLY
from cockpit.face.keys import footer_actions, offered, why_not
from cockpit.face.view import text_of
from cockpit.face.view_banner import banner, level_now, reason_line, strips
from cockpit.face.view_wall import lines
from tests.face import pictures
from tests.face.pictures import NOW


def followed(snapshot: Snapshot, trouble: str = "") -> Snapshot:
    why = (Reason(level=Level.UNKNOWN, subject=FOLLOWING, what=trouble),) if trouble else ()
    return replace(snapshot, mode=Mode.WATCH, read_only=True, reasons=(*why, *snapshot.reasons))


@pytest.mark.parametrize("trouble", ["", NOBODY_PUBLISHES])
def test_a_silent_driver_is_the_loudest_thing(trouble: str) -> None:
    silent, later = followed(pictures.calm(), trouble), NOW + timedelta(seconds=42)
    assert "DRIVER SILENT 42 s: nobody publishes" in text_of(banner(silent, later, 80))
    assert text_of(reason_line(silent, later, 100)).endswith(
        "nobody publishes for 42 s: everything below is 42 s old"
    )
    assert level_now(silent, later) is Level.UNKNOWN
    wall = "\n".join(map(text_of, lines(silent, later, 120, 40)))
    assert "nobody publishes for 42 s; it said OK then" in wall


def test_not_seeing_the_driver_is_not_the_driver_s_silence() -> None:
    blind, later = followed(pictures.calm(), "The journal is damaged: x"), NOW + timedelta(seconds=42)
    assert "DRIVER OUT OF SIGHT 42 s" in text_of(banner(blind, later, 80))
    assert "The journal is damaged: x: everything below is 42 s old" in text_of(
        reason_line(blind, later, 100)
    )
    assert level_now(followed(pictures.calm(), "The journal is damaged"), NOW) is Level.UNKNOWN


def test_a_clock_that_was_set_back_makes_no_old_picture_young() -> None:
    """The follower's steady clock knows of the silence, though the picture seems to come from the future."""
    heard, now = NOW - timedelta(hours=1), NOW - timedelta(minutes=59)
    why = Reason(level=Level.UNKNOWN, subject=FOLLOWING, what=NOBODY_PUBLISHES, since=heard)
    calm = followed(pictures.calm())
    silent = replace(calm, reasons=(why, *calm.reasons))
    assert "DRIVER SILENT 60 s" in text_of(banner(silent, now, 80))
    wall = "\n".join(map(text_of, lines(silent, now, 120, 40)))
    assert "STOPPED: data" in wall and "alive" not in wall


def test_whose_picture_it_is_stands_in_the_banner() -> None:
    calm = pictures.calm()
    assert f"driver {calm.operator}@{calm.host}" in text_of(banner(followed(calm), NOW, 160))
    assert "driver" not in text_of(banner(calm, NOW, 160))


def test_an_observer_is_offered_the_open_countdown_and_no_other_act() -> None:
    rollback, poll = BY_ID["rollback.open"], BY_ID["poll.now"]
    calm, rolling = followed(pictures.calm()), followed(pictures.rolling_back())
    assert why_not(rollback, calm) == READ_ONLY and why_not(poll, calm) == READ_ONLY
    assert why_not(rollback, rolling) == "" and rollback in footer_actions(rolling)
    assert [action.id for action in BY_ID.values() if action.touches and offered(action, rolling)] == [
        "rollback.open"
    ]


def test_a_changed_plan_is_told_without_a_key_that_an_observer_lacks() -> None:
    change = PlanChange(digest="d", diff=("flag a: stages",), problems=(), seen_at=NOW)
    changed = replace(pictures.calm(), plan_change=change)
    assert "P shows it" in text_of(strips(changed, NOW, 120)[0])
    assert "P shows it" not in text_of(strips(followed(changed), NOW, 120)[0])
