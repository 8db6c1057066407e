"""Whatever stands in the file: a plan or PlanProblems comes out, the same one each time."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.core.clean import clean_text
from cockpit.core.spec import Plan
from cockpit.plan.load import parse
from cockpit.plan.locate import TomlPath
from cockpit.plan.problems import PlanProblems
from tests.plan.plans import KINDS, SAMPLES, SMALL

PATH = Path("plan.toml")
CHAT_SYNC = (SAMPLES / "chat-sync.toml").read_text(encoding="utf-8")
SCALARS = (
    st.text(max_size=20)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.datetimes()
    | st.dates()
    | st.sampled_from(["30s", "main", "prom", "unleash", "http", "chat_writes", "flip", "", "\x1b[2J"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "name", "id", "env", "stages", "percent", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def _outcome(content: bytes) -> Plan | tuple[str, ...]:
    try:
        return parse(content, PATH, KINDS)
    except PlanProblems as problems:
        assert problems.problems
        lines = content.count(b"\n") + 1
        for problem in problems.problems:
            assert 1 <= problem.line <= lines
            assert clean_text(problem, limit=5000) == str(problem)
        return tuple(str(problem) for problem in problems.problems)


def _paths(value: object, path: TomlPath = ()) -> Iterator[TomlPath]:
    children: Iterator[tuple[str | int, object]] = iter(())
    if isinstance(value, dict):
        children = iter(value.items())
    elif isinstance(value, list):
        children = iter(enumerate(value))
    for key, item in children:
        yield (*path, key)
        yield from _paths(item, (*path, key))


PATHS = sorted(_paths(tomllib.loads(CHAT_SYNC)), key=str)


def _with(path: TomlPath, value: object) -> dict[str, Any]:
    document = tomllib.loads(CHAT_SYNC)
    here: Any = document
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = value
    return document


def _without(path: TomlPath) -> dict[str, Any]:
    document = tomllib.loads(CHAT_SYNC)
    here: Any = document
    for part in path[:-1]:
        here = here[part]
    del here[path[-1]]
    return document


@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    assert _outcome(content) == _outcome(content)


@given(st.dictionaries(st.sampled_from([*tomllib.loads(CHAT_SYNC), "x"]), VALUES, max_size=6))
@settings(max_examples=200)
def test_any_document(document: dict[str, Any]) -> None:
    content = _toml(document)
    assert _outcome(content) == _outcome(content)


@given(st.sampled_from(PATHS), VALUES)
@settings(max_examples=300)
def test_a_good_plan_with_any_value_anywhere(path: TomlPath, value: object) -> None:
    content = _toml(_with(path, value))
    assert _outcome(content) == _outcome(content)


@pytest.mark.parametrize("text", [SMALL, CHAT_SYNC], ids=["small", "chat-sync"])
@given(data=st.data())
@settings(max_examples=100)
def test_a_good_plan_cut_or_overwritten_anywhere(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    content = (text[:start] + data.draw(st.text(max_size=5)) + text[end:]).encode("utf-8", "surrogatepass")
    assert _outcome(content) == _outcome(content)


@pytest.mark.parametrize("number", ["0x" + "f" * 5000, "9" * 400])
def test_a_good_plan_with_a_number_beyond_all_bounds_anywhere(number: str) -> None:
    """Python prints no such number, and no float can hold it."""
    for path in PATHS:
        found = _outcome(_toml(_with(path, "NUMBER")).replace(b'"NUMBER"', number.encode(), 1))
        if not isinstance(found, Plan):
            assert "4300" not in "".join(found)


def test_a_good_plan_without_any_one_key() -> None:
    """Each key is either optional or reported missing; nothing else may break."""
    for path in PATHS:
        found = _outcome(_toml(_without(path)))
        if not isinstance(found, Plan):
            assert all(": " in line for line in found)


def _toml(document: dict[str, Any]) -> bytes:
    return tomli_w.dumps(document).encode("utf-8", "surrogatepass")
