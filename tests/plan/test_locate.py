"""Lines of TOML values: hand-written traps, and every document that hypothesis can think of."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from cockpit.plan.locate import TomlPath, locate

TRAPS = '''\
# a comment = "not a key"
title = "a # b"   # [not.a.table]
"quoted key" = 1
'lite.ral' = 2
dotted . "x y".z = [1, 2]
escaped = "quote \\" and [bracket]"
multi = """
[not.a.header]
key = 1 ""\\"
"""
literal = \'\'\'
it\'\'s = 2\'\'\'\'
when = 1979-05-27 07:32:00Z
list = [
  "a", # ]
  { inner = "}", deep = { x = [ 1,
     2 ] } },
]
"tab\\tkey\\u00e9" = 3

[[array]]
name = "first"
[array.sub]
x = 1
[[array.nested]]
y = 1
[[array.nested]]
y = 2

[[array]]
name = "second"
[[array.nested]]
y = 3
[other."a.b"]
z = { }
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("quoted key",), 3),
        (("lite.ral",), 4),
        (("dotted", "x y", "z", 1), 5),
        (("escaped",), 6),
        (("multi",), 7),
        (("literal",), 11),
        (("when",), 13),
        (("list", 0), 15),
        (("list", 1, "inner"), 16),
        (("list", 1, "deep", "x", 1), 17),
        (("tab\tkey\N{LATIN SMALL LETTER E WITH ACUTE}",), 19),
        (("array", 0, "name"), 22),
        (("array", 0, "sub", "x"), 24),
        (("array", 0, "nested", 1, "y"), 28),
        (("array", 1), 30),
        (("array", 1, "nested", 0, "y"), 33),
        (("other", "a.b"), 34),
        (("other", "a.b", "z"), 35),
        (("array", 1, "missing"), 30),
        (("nowhere", 3), 1),
    ],
)
def test_a_value_is_found_at_its_line(path: TomlPath, line: int) -> None:
    tomllib.loads(TRAPS)
    assert locate(TRAPS).line(path) == line


def test_windows_line_ends_count_once() -> None:
    assert locate('a = 1\r\nb = """\r\n"""\r\nc = 2\r\n').line(("c",)) == 4


@pytest.mark.parametrize("text", ["a = ", "[a", "= 1", "a = [1", "a = { b", '"', "]"])
def test_text_that_is_not_toml_does_not_stop_it(text: str) -> None:
    assert locate(text).line(("a",)) == 1


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    TEXT | st.integers(-(2**40), 2**40) | st.booleans() | st.floats() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=20,
)


@given(st.dictionaries(TEXT, VALUES, max_size=5), st.booleans())
def test_every_value_of_every_document_has_a_line_that_holds_its_key(
    document: dict[str, object], multiline: bool
) -> None:
    text = tomli_w.dumps(document, multiline_strings=multiline)
    lines, rows = locate(text), text.replace("\r\n", "\n").split("\n")
    for path in _paths(tomllib.loads(text)):
        assert path in lines
        key = path[-1]
        if isinstance(key, str) and key.isascii() and key.isalnum():
            assert key in rows[lines.line(path) - 1]


def _paths(value: object, path: TomlPath = ()) -> Iterator[TomlPath]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, (*path, index))
