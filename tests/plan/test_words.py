"""Every way in which a model can refuse a value has words of our own."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from cockpit.plan.fields import Document
from cockpit.plan.problems import unknown
from cockpit.plan.values import duration_text
from cockpit.plan.words import _words


@pytest.mark.parametrize("path", [("title",), ("flag", 0, "stages"), ("no", "such", "place")])
def test_no_kind_of_error_speaks_with_the_librarys_voice(path: tuple[str | int, ...]) -> None:
    limits = dict.fromkeys(("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length"), 1)
    context: dict[str, Any] = {**limits, "error": ValueError("our own words")}
    for kind in get_args(ErrorType):
        error = ErrorDetails(type=kind, loc=path, msg="Input should be a Model", input={}, ctx=context)
        words = _words(error, Document, path)
        assert words, kind
        assert not re.search(r"Input|Model|pydantic|None|function-|\bdict\b", words), kind


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
