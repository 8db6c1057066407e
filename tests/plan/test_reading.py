"""Reading a table by its class: types are strict, places exact, words our own, and no secret is repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field, fields
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.clean import Percent, parse_duration
from cockpit.core.dataclass import dataclass
from cockpit.core.secret import SecretRef
from cockpit.core.tables import After, Before, Bound, Form, JsonValue, Size, Written
from cockpit.plan.fields import Document, Stage
from cockpit.plan.locate import locate
from cockpit.plan.problems import PlanProblems, Problem, Report
from cockpit.plan.reading import read_table
from cockpit.plan.shape import choices, fields_of, is_table, known_keys, needed
from tests.plan.plans import KINDS
from tests.tables import written

CANARY = "hunter2"
PYTHON = re.compile(
    r"\b(None|True|False|SecretRef|dict|tuple|str|int|float|bool|argument)\b(?!\")|<class|object at"
)


def _with_inner(model: type[Written]) -> Iterator[type[Written]]:
    yield model
    for annotation in fields_of(model).values():
        for choice in choices(annotation):
            for each in (choice, *(one for inside in _inside(choice.inner) for one in choices(inside))):
                if is_table(each.base) and each.base is not model:
                    yield from _with_inner(each.base)


def _inside(inner: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each for each in inner if not isinstance(each, str))


FAMILIES = (KINDS.flag_services, KINDS.probes, KINDS.monitors, KINDS.announcers, KINDS.stores)
SETTINGS = dict.fromkeys(
    each for family in FAMILIES for model in family.values() for each in _with_inner(model)
)
CLASSES = [*dict.fromkeys(_with_inner(Document)), *SETTINGS]
PLACES = [(model, key) for model in CLASSES for key in fields_of(model)]

SCALARS = (
    st.text(max_size=12)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.sampled_from([-(10**400), "0s", "1h", "http://[", "http://a:b", "\x1b[2J", "\0", "a" * 500])
)
GARBAGE = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def _problems(model: type[Written], table: Mapping[str, Any]) -> dict[str, str]:
    """What is said of a table, by key."""
    with pytest.raises(PlanProblems) as refused:
        written(model, table)
    return {problem.key: problem.text for problem in refused.value.problems}


def _read(model: type[Written], table: Mapping[str, Any]) -> Written | tuple[Problem, ...]:
    """What comes out of a table: the object, or everything that is wrong with it."""
    report = Report("plan.toml", table, lambda: locate(""))
    made = read_table(table, model, (), report)
    assert (made is None) == bool(report.problems) or SecretRef in _types(model)
    return report.problems if made is None or report.problems else made


def _said(model: type[Written], table: Mapping[str, Any]) -> str:
    """Everything that is said of a table, which must be wrong."""
    found = _read(model, table)
    assert isinstance(found, tuple), found
    return "\n".join(str(problem) for problem in found)


def _types(model: type[Written]) -> set[Any]:
    annotations = (each for one in _with_inner(model) for each in fields_of(one).values())
    return {choice.base for each in annotations for choice in choices(each)}


def test_every_class_of_the_house_is_looked_at() -> None:
    assert len(CLASSES) > 60
    assert all(set(known_keys(model)) == {each.name for each in fields(model)} for model in CLASSES)


@given(place=st.sampled_from(PLACES), value=GARBAGE)
def test_whatever_stands_at_a_key_is_taken_or_refused_at_its_place(
    place: tuple[type[Written], str], value: object
) -> None:
    model, key = place
    found = _read(model, {key: value})
    problems = found if isinstance(found, tuple) else ()
    for problem in problems:
        assert str(problem).isprintable() and problem.text
        whole = not problem.key and len(problems) == 1
        assert whole or problem.key.startswith(key) or problem.key in needed(model)


WRONG: list[object] = [
    3,
    -3,
    2.5,
    "",
    "x\x1b",
    True,
    date(2026, 1, 1),
    [],
    [3],
    ["x", {}],
    {},
    {"a b": 3},
    [{}],
]


@pytest.mark.parametrize("model", CLASSES, ids=lambda model: model.__name__)
def test_no_problem_is_told_in_the_words_of_python(model: type[Written]) -> None:
    for key in fields_of(model):
        for value in WRONG:
            found = _read(model, {key: value})
            for problem in found if isinstance(found, tuple) else ():
                assert not PYTHON.search(problem.text), problem


@pytest.mark.parametrize("model", CLASSES, ids=lambda model: model.__name__)
def test_a_number_that_python_will_not_print_is_refused_like_any_other(model: type[Written]) -> None:
    """TOML reads 0xfff... of any length; Python turns no more than 4300 digits into text."""
    for key in fields_of(model):
        for value in (16**5000, [-(16**5000)]):
            assert "4300" not in _said(model, {key: value})


@given(model=st.sampled_from(CLASSES), data=st.data())
def test_every_key_at_once(model: type[Written], data: st.DataObject) -> None:
    keys = st.sampled_from([*fields_of(model), "titel"])
    _read(model, data.draw(st.dictionaries(keys, GARBAGE, max_size=8)))


def _secrets() -> Iterator[tuple[type[Written], str]]:
    for model, key in PLACES:
        if any(SecretRef in {one.base for one in choices(each)} for each in _at(fields_of(model)[key])):
            yield model, key


def _at(annotation: Any) -> Iterator[Any]:
    yield annotation
    for choice in choices(annotation):
        for inside in _inside(choice.inner):
            yield from _at(inside)


OPENLY: list[object] = [
    CANARY,
    [CANARY],
    [{"env": CANARY}, CANARY],
    {"vault": CANARY},
    {"env": f"{CANARY} !"},
    {"env": [CANARY]},
    {"file": f"{CANARY}\n"},
    {"file": "a", "env": CANARY},
    {"command": CANARY},
    {"command": [CANARY, 3]},
    {"command": ["pass"], "timeout": CANARY[:0]},
    {"Authorization": f"Bearer {CANARY}"},
    {"Cookie": CANARY, "x": 3},
    {"API_TOKEN": CANARY},
    {"x": {"y": CANARY}},
]


@pytest.mark.parametrize(("model", "key"), [*_secrets()], ids=lambda each: getattr(each, "__name__", each))
def test_a_secret_in_the_open_is_refused_and_not_repeated(model: type[Written], key: str) -> None:
    for value in OPENLY:
        found = _read(model, {key: value})
        assert CANARY not in str(found)


ADDRESSES = [
    f"http://user:{CANARY}@host",
    f"http://{CANARY}@host",
    f"http://host:{CANARY}",
    f"ws://host:{CANARY}/",
    f"http://[{CANARY}",
    f"http://host/#{CANARY}",
    f"ftp://{CANARY}",
    f"http://host/ {CANARY}",
]


@pytest.mark.parametrize(
    "model", [model for model in SETTINGS if "url" in fields_of(model)], ids=lambda model: model.__name__
)
def test_an_address_with_a_password_is_refused_and_not_repeated(model: type[Written]) -> None:
    for address in ADDRESSES:
        assert CANARY not in _said(model, {"url": address})


# --- one small class, place by place ------------------------------------------------------------------


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def _even(number: int) -> int:
    if number % 2:
        raise ValueError("an even number is wanted")
    return number // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner(Written):
    low: int = 0
    high: Annotated[int, Bound(lt=10)]

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer(Written):
    text: Annotated[str, Size(1, 3)] = "a"
    whole: int = 0
    number: float = 0.0
    switch: bool = False
    mixed: bool | str = ""
    colour: Colour = Colour.RED
    word: Literal["up", "down"] | None = None
    wait: Annotated[float, Before(parse_duration), Bound(ge=60)] = 60.0
    half: Annotated[int, Bound(ge=0), After(_even)] = 0
    form: Annotated[str, Form("[a-z]+")] | None = None
    inner: Inner | None = None
    many: Annotated[tuple[Inner, ...], Size(0, 2)] = ()
    named: Mapping[Annotated[str, Size(1, 2)], float] = field(default_factory=dict)
    json: JsonValue = None
    secret: str | SecretRef = ""


@pytest.mark.parametrize(
    ("table", "value"),
    [
        ({"number": 3}, 3.0),
        ({"mixed": True}, True),
        ({"mixed": "x"}, "x"),
        ({"colour": "blue"}, Colour.BLUE),
        ({"word": "up"}, "up"),
        ({"wait": "2m"}, 120.0),
        ({"half": 8}, 4),
        ({"inner": {"high": 3}}, Inner(high=3)),
        ({"many": [{"high": 1}, {"high": 2}]}, (Inner(high=1), Inner(high=2))),
        ({"named": {"a": 1}}, {"a": 1.0}),
        ({"json": {"a": [1, 2.5, "x", True]}}, {"a": [1, 2.5, "x", True]}),
        ({"secret": {"env": "NAME"}}, SecretRef(env="NAME")),
        ({"secret": "open"}, "open"),
    ],
)
def test_what_is_read(table: dict[str, object], value: object) -> None:
    (key,) = table
    found = getattr(written(Outer, table), key)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("table", "problems"),
    [
        ({"text": 3}, {"text": "expected text in quotes, not a whole number"}),
        ({"text": ""}, {"text": "is empty; expected at least 1"}),
        ({"text": "four"}, {"text": "has 4 characters; expected at most 3"}),
        ({"whole": True}, {"whole": "expected a whole number, not true or false"}),
        ({"whole": 1.0}, {"whole": "expected a whole number, not a number"}),
        ({"number": False}, {"number": "expected a number, not true or false"}),
        ({"number": float("nan")}, {"number": "nan is not finite; expected a finite number"}),
        ({"switch": 1}, {"switch": "expected true or false, not a whole number"}),
        ({"mixed": 1}, {"mixed": "expected true or false or text in quotes, not a whole number"}),
        ({"colour": "green"}, {"colour": '"green" is not known here; expected one of: red, blue'}),
        ({"colour": 1}, {"colour": "1 is not known here; expected one of: red, blue"}),
        ({"word": "left"}, {"word": '"left" is not known here; expected one of: up, down'}),
        ({"wait": "5s"}, {"wait": '"5s" does not fit; expected at least 1m'}),
        ({"half": 3}, {"half": "an even number is wanted"}),
        ({"half": -2}, {"half": "-2 does not fit; expected at least 0"}),
        ({"form": "a\n"}, {"form": "the text does not have the form that is needed here"}),
        ({"inner": []}, {"inner": "expected a table, not a list"}),
        ({"inner": {}}, {"inner.high": "is missing; expected a whole number"}),
        ({"inner": {"high": 10}}, {"inner.high": "10 does not fit; expected less than 10"}),
        ({"inner": {"high": 1, "hihg": 2}}, {"inner.hihg": 'unknown key "hihg"; did you mean "high"?'}),
        ({"inner": {"high": 1, "low": 2}}, {"inner": "low is above high"}),
        ({"many": {}}, {"many": "expected a list of tables, not a table"}),
        (
            {"many": [{"high": 1}, {"low": "x"}, {"high": 1, "low": 2}]},
            {
                "many": "has 3 entries; expected at most 2",
                "many[2].low": "expected a whole number, not text",
                "many[2].high": "is missing; expected a whole number",
                "many[3]": "low is above high",
            },
        ),
        (
            {"named": {"abc": 1, "a": "x"}},
            {"named.abc": "has 3 characters; expected at most 2", "named.a": "expected a number, not text"},
        ),
        (
            {"json": {"a": [date(2026, 1, 1), float("inf")]}},
            {
                "json.a[1]": "a date or time is not accepted here",
                "json.a[2]": "inf is not finite; expected a finite number",
            },
        ),
        ({"titel": 1, "whole": "x"}, {"whole": "expected a whole number, not text", "titel": "unknown"}),
    ],
)
def test_what_is_said(table: dict[str, object], problems: dict[str, str]) -> None:
    found = _problems(Outer, table)
    assert found.keys() == problems.keys()
    assert all(found[key].startswith(text) for key, text in problems.items()), found


def test_a_percentage_is_read_before_its_type_is_asked_for() -> None:
    assert written(Stage, {"percent": 12.5}).percent == Percent(1250)
