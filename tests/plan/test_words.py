"""Words for what is wrong, and lengths of time as people write them."""

from __future__ import annotations

import pytest

from cockpit.plan.problems import unknown
from cockpit.plan.values import duration_text


def test_the_nearest_name_wins_over_the_list() -> None:
    assert unknown("key", "Titel", ["title", "flag"]) == 'unknown key "Titel"; did you mean "title"?'
    assert unknown("key", "x", ["title", "flag"]) == 'unknown key "x"; expected one of: flag, title'
    assert unknown("monitor", "x", []) == 'unknown monitor "x"; the plan names none'


def test_an_unknown_key_cannot_write_to_the_terminal() -> None:
    assert unknown("key", "\x1b[2J", []).isprintable()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "250ms"), (1.5, "1.5s"), (60, "1m"), (90, "1m30s"), (3600, "1h"), (90061, "1d1h1m1s")],
)
def test_durations_read_as_people_write_them(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
