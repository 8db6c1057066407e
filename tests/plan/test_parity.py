"""Parity checks in the plan: what becomes of them, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.core.parity_rows import FieldKind
from cockpit.core.parity_spec import Question
from tests.plan.plans import SMALL, load_text, problems_of

STORES = """
[store.old]
kind = "convex"
url = "https://old.example.com"
instance = "old-1"
key = { env = "OLD_KEY" }
[store.new]
kind = "convex"
url = "https://new.example.com"
instance = "new-1"
key = { env = "NEW_KEY" }
"""
COUNT = """
[[parity]]
name = "chats"
title = "Chats"
every = "1m"
legacy = { store = "old", count = 'parity:chats {"deleted":false}' }
new = { store = "new", count = 'parity:chats {"deleted":false}' }
tolerance = { rows = 3, pct = 0.1 }
never_empty = true
"""
ROWS = """
[[parity]]
name = "message rows"
title = "Messages field by field"
size = 20
required = false
legacy = { store = "old", sample = "m:keys", rows = "m:rows" }
new = { store = "new", sample = "m:newest", rows = "m:byLegacy", key = "originalId" }
tolerance = { per_mille = 5 }
[[parity.field]]
legacy = "role"
new = "role"
kind = "enum"
values = { human = "user" }
show = true
[[parity.field]]
legacy = "sent"
new = "timestamp"
kind = "instant"
zone = "Europe/Berlin"
[[parity.field]]
legacy = "chat_id"
new = "chatId"
kind = "reference"
ids = "m:chatsByLegacy"
"""


def test_a_count_becomes_a_question_to_both_sides(tmp_path: Path) -> None:
    plan = load_text(SMALL + STORES + COUNT, tmp_path)
    (check,) = plan.parity
    assert (check.question, check.interval_s, check.timeout_s) == (Question.COUNT, 60, 30)
    assert check.legacy.ask == 'parity:chats {"deleted":false}'
    assert check.tolerance.of(10_000) == 10
    assert check.never_empty and check.required
    assert [store.name for store in plan.stores] == ["old", "new"]


def test_rows_bring_their_rules(tmp_path: Path) -> None:
    (check,) = load_text(SMALL + STORES + ROWS, tmp_path).parity
    assert (check.question, check.new.key, check.legacy.key) == (Question.ROWS, "originalId", "id")
    assert (check.size, check.per_mille, check.required) == (20, 5, False)
    role, sent, parent = check.fields
    assert (role.kind, role.values, role.shows) == (FieldKind.ENUM, {"human": "user"}, True)
    assert str(sent.zone) == "Europe/Berlin"
    assert (parent.kind, parent.table) == (FieldKind.REFERENCE, "m:chatsByLegacy")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('store = "old", count', 'store = "odl", count', 'unknown store "odl"; did you mean "old"?'),
        ('new = { store = "new", count', 'new = { store = "new", newest', "the same one of count, newest"),
        ('every = "1m"', 'every = "20s"', "expected a timeout below 20s"),
        ('every = "1m"', 'every = "1m"\ntimeout = "2m"', "expected a timeout below 1m"),
        ("rows = 3", "rows = -3", "expected at least 0"),
        ("[[parity]]", COUNT + "[[parity]]", '"chats" is used twice'),
        ("never_empty = true", 'field = [{ legacy = "a", new = "a" }]', "only goes with rows"),
    ],
)
def test_a_wrong_count_is_refused_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert COUNT.count(old) == 1
    problems = problems_of(SMALL + STORES + COUNT.replace(old, new), tmp_path)
    assert len(problems) == 1 and said in problems[0], problems


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('sample = "m:keys", ', "", "parity[message rows].legacy.sample: is missing"),
        ('zone = "Europe/Berlin"', 'zone = "Middle/Earth"', '"Middle/Earth" is no time zone'),
        ('ids = "m:chatsByLegacy"', "", "ids: is missing; expected how the new side tells"),
        ('kind = "enum"\n', "", 'values: only goes with kind = "enum"'),
        ('kind = "instant"', 'kind = "same"', 'zone: only goes with kind = "instant"'),
        ('kind = "enum"', 'kind = "enumm"', "enum"),
    ],
)
def test_wrong_rows_are_refused_with_their_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert ROWS.count(old) == 1
    problems = problems_of(SMALL + STORES + ROWS.replace(old, new), tmp_path)
    assert any(said in problem for problem in problems), problems


def test_rows_without_fields_compare_nothing_and_are_refused(tmp_path: Path) -> None:
    problems = problems_of(SMALL + STORES + ROWS.partition("[[parity.field]]")[0], tmp_path)
    assert len(problems) == 1 and "field: is missing; expected the fields to compare" in problems[0]
