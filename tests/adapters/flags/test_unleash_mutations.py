"""Whatever a server answers, the parser gives a flag in clean text or an error of ours, and never more
exposure than is stored."""

from __future__ import annotations

import copy
import unicodedata
from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError
from cockpit.adapters.flags.unleash_answers import newest_change, stored_flag
from cockpit.core.clean import ZERO

HOSTILE = st.sampled_from(["\x1b[2J", "\u202eevil", "\ud800", "x" * 5000, "[/]", "", "0", "100", "1e1", "٣"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | HOSTILE
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)

PLAIN: dict[str, Any] = {
    "name": "f",
    "archived": False,
    "dependencies": [{"feature": "parent", "enabled": True}],
    "environments": [
        {
            "name": "production",
            "enabled": True,
            "variants": [],
            "strategies": [
                {
                    "id": "01A",
                    "name": "flexibleRollout",
                    "disabled": False,
                    "constraints": [{"contextName": "region"}],
                    "segments": [1],
                    "variants": [],
                    "parameters": {"rollout": "10", "stickiness": "default", "groupId": "f"},
                }
            ],
        }
    ],
}


def paths(node: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(node, dict):
        inner = list(node.items())
    elif isinstance(node, list):
        inner = list(enumerate(node))
    return [here, *(path for key, value in inner for path in paths(value, (*here, key)))]


def put(root: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(root)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return changed


def assert_clean(text: str) -> None:
    assert len(text) < 1000
    assert not {unicodedata.category(char) for char in text} & {"Cc", "Cf", "Cs", "Co"}, ascii(text)


@given(path=st.sampled_from(paths(PLAIN)), value=JSON)
def test_one_mutation_is_a_flag_or_our_error(path: tuple[str | int, ...], value: Any) -> None:
    try:
        found = stored_flag(put(PLAIN, path, value), key="f", environment="production").value
    except AdapterError as error:
        assert_clean(error.failure.title)
        return
    for each in fields(found):
        content = getattr(found, each.name)
        for text in content if isinstance(content, tuple) else (content,):
            if isinstance(text, str):
                assert_clean(text)


@given(stored=SCALARS)
def test_a_percentage_is_what_is_stored_or_none(stored: Any) -> None:
    body = put(PLAIN, ("environments", 0, "strategies", 0, "parameters", "rollout"), stored)
    body["environments"][0]["strategies"][0] |= {"constraints": [], "segments": []}
    percent = stored_flag(body, key="f", environment="production").value.percent
    if percent is None:
        return
    assert float(stored) == percent.value
    assert not isinstance(stored, bool)


@given(strategies=st.lists(st.sampled_from(["0", "100", "abc"]), min_size=2, max_size=4))
def test_several_strategies_are_zero_only_together(strategies: list[str]) -> None:
    one = PLAIN["environments"][0]["strategies"][0]
    several = [put(one, ("parameters", "rollout"), rollout) for rollout in strategies]
    value = stored_flag(
        put(PLAIN, ("environments", 0, "strategies"), several), key="f", environment="production"
    ).value
    assert value.percent == (ZERO if set(strategies) == {"0"} else None)
    assert value.complexities


@given(body=JSON, event=JSON)
def test_an_audit_log_is_an_author_or_our_error(body: Any, event: Any) -> None:
    for answer in (
        body,
        {"events": [event]},
        {"events": [{"type": "feature-strategy-update", "createdBy": event}]},
    ):
        try:
            author, moment = newest_change(answer)
        except AdapterError as error:
            assert_clean(error.failure.title)
            continue
        assert moment is None or moment.tzinfo is not None
        if author is not None:
            assert_clean(author)
