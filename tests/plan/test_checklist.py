"""The checklist in the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.core.clean import ZERO, Percent
from tests.plan.plans import SMALL, load_text, problems_of

CHECKS = """
[[check]]
name = "jwt"
title = "JWT is checked on connect"
phase = "2.1 Sockets"
flags = ["chat_reads"]
from_percent = 25
evidence = "link to the test run"
valid = "2w"
[[check]]
name = "load"
title = "50 sockets at once"
"""
PHASES = 'phases = ["2.1 Sockets", "4.2 Analytics"]\n'


def test_checks_become_items(tmp_path: Path) -> None:
    plan = load_text(PHASES + SMALL + CHECKS, tmp_path)
    assert plan.phases == ("2.1 Sockets", "4.2 Analytics")
    jwt, load = plan.checklist
    assert (jwt.phase, jwt.flags, jwt.from_percent) == ("2.1 Sockets", ("chat_reads",), Percent(2500))
    assert (jwt.valid_s, "link" in jwt.evidence) == (1_209_600, True)
    assert (load.phase, load.flags, load.from_percent, load.valid_s) == ("", (), ZERO, None)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('phase = "2.1 Sockets"', 'phase = "2.1 Socket"', 'unknown phase "2.1 Socket"; did you mean'),
        ('flags = ["chat_reads"]', 'flags = ["chat_raeds"]', 'unknown flag "chat_raeds"'),
        ('name = "load"', 'name = "jwt"', '"jwt" is used twice'),
        ('valid = "2w"', 'valid = "0s"', "no time at all"),
    ],
)
def test_a_wrong_check_is_refused_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert CHECKS.count(old) == 1
    problems = problems_of(PHASES + SMALL + CHECKS.replace(old, new), tmp_path)
    assert len(problems) == 1 and said in problems[0], problems


def test_a_phase_stands_once(tmp_path: Path) -> None:
    twice = PHASES.replace("4.2 Analytics", "2.1 Sockets")
    assert "used twice" in problems_of(twice + SMALL + CHECKS, tmp_path)[0]
