"""The light of the way back on the screen: where everybody looks, and on the page of a flag."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.core.snapshot import Level, Snapshot, WayBackLine
from cockpit.face.subject import Subject, Topic
from cockpit.face.view import text_of
from cockpit.face.view_detail import detail_lines
from cockpit.face.view_rollout import rollout_notes
from tests.face.pictures import HOSTILE, NOW, calm


def with_line(level: Level, text: str = "2 min, at most 60 s", title: str = "reverse sync lag") -> Snapshot:
    return replace(calm(), way_back=(WayBackLine(level=level, title=title, text=text),))


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (Level.BAD, "✗ WAY BACK: reverse sync lag  R rolls back"),
        (Level.UNKNOWN, "? WAY BACK: reverse sync lag  R rolls back"),
        (Level.WARN, "R rolls back"),
        (Level.OK, "R rolls back"),
    ],
)
def test_the_heading_of_the_rollout_says_whether_one_can_still_go_back(level: Level, said: str) -> None:
    assert text_of(rollout_notes(with_line(level))) == said


def test_the_page_of_a_flag_tells_every_line() -> None:
    lines = detail_lines(Subject(Topic.FLAG, "convex_courses"), with_line(Level.BAD), NOW, 100)
    said = "\n".join(text_of(line) for line in lines)
    assert "Can we still go back?" in said
    assert "✗ BAD" in said and "reverse sync lag: 2 min, at most 60 s" in said


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    snapshot = with_line(Level.BAD, text, text)
    assert text_of(rollout_notes(snapshot)).isprintable()
    for line in detail_lines(Subject(Topic.FLAG, "convex_courses"), snapshot, NOW, 100):
        assert text_of(line).isprintable()


def test_a_flag_without_a_lever_elsewhere_says_so() -> None:
    base = calm()
    for falls in (False, True):
        flags = tuple(replace(flag, falls_with_new=falls) for flag in base.flags)
        lines = detail_lines(Subject(Topic.FLAG, flags[0].key), replace(base, flags=flags), NOW, 100)
        said = "\n".join(text_of(each) for each in lines)
        assert ("goes down with the new backend: it has no lever elsewhere" in said) is falls
