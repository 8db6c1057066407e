"""JSON Pointer, against the examples of RFC 6901 section 5 and random documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.pointer import find, same_scalar, split_pointer

RFC = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", RFC), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2),
        ("/e^f", 3), ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8),
    ],
)  # fmt: skip
def test_the_examples_of_the_standard(pointer: str, value: object) -> None:
    assert find(RFC, pointer) == value


@pytest.mark.parametrize("pointer", ["foo", "/~", "/~2", "/a~", "#/foo", " /foo"])
def test_what_is_no_pointer(pointer: str) -> None:
    with pytest.raises(ValueError):
        split_pointer(pointer)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values, st.data())
def test_every_place_of_a_document_can_be_pointed_at(document: object, data: st.DataObject) -> None:
    pointer, value = "", document
    while isinstance(value, dict | list) and value and data.draw(st.booleans()):
        if isinstance(value, dict):
            key = data.draw(st.sampled_from(sorted(value)))
            pointer += "/" + key.replace("~", "~0").replace("/", "~1")
            value = value[key]
        else:
            index = data.draw(st.integers(0, len(value) - 1))
            pointer += f"/{index}"
            value = value[index]
    assert find(document, pointer) is value


@given(json_values, st.lists(st.text(max_size=3), max_size=4))
def test_a_pointer_into_anything_finds_something_or_raises_lookup_error(
    document: object, path: list[str]
) -> None:
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
    try:
        find(document, pointer)
    except LookupError:
        return


@pytest.mark.parametrize(
    ("found", "expected", "same"),
    [
        (1, 1, True), (1, 1.0, True), (1.0, 1, True), (True, True, True), (None, None, True),
        ("a", "a", True), (True, 1, False), (1, True, False), (0, False, False), ("1", 1, False),
        (1, "1", False), (None, False, False), (None, "", False), ([], None, False), ({}, "", False),
        ("a", "A", False),
    ],
)  # fmt: skip
def test_scalars_are_compared_without_conversion(found: object, expected: str | None, same: bool) -> None:
    assert same_scalar(found, expected) is same
