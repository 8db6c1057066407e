"""The cockpit's own `dataclass` against the standard library's: what differs is when it is made."""

from __future__ import annotations

import ast
import copy
import dataclasses
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest

from cockpit.core import dataclass as ours
from cockpit.core.model import Reading
from cockpit.core.rollback import Flip, Way

SOURCE = Path(ours.__file__).parents[1]
T = TypeVar("T")


class Plain:
    """Words of its own."""

    name: str
    size: float = 1.5
    parts: tuple[str, ...] = dataclasses.field(default_factory=lambda: ("a", "b"))
    note: str = dataclasses.field(default="", compare=False, repr=False)
    total: int = dataclasses.field(init=False, compare=False, default=0)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a name is needed")
        object.__setattr__(self, "total", len(self.parts))


class Empty:
    pass


class Named:
    text: str

    def __repr__(self) -> str:
        return "<hidden>"

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 7


def both(plain: type, **options: bool) -> tuple[Any, Any]:
    """The class as the standard library makes it, and as the cockpit does."""
    made: list[Any] = [
        make(frozen=True, slots=True, **options)(type(plain.__name__, plain.__bases__, body(plain)))
        for make in (dataclasses.dataclass, ours.dataclass)
    ]
    return made[0], made[1]


def body(plain: type) -> dict[str, Any]:
    """Fields are copied: the standard library writes into them."""
    left_out = ("__dict__", "__weakref__")
    return {name: copy.copy(value) for name, value in vars(plain).items() if name not in left_out}


def outcome(act: Callable[[], object]) -> object:
    try:
        return act()
    except Exception as error:  # what it raises is what is compared
        return type(error), str(error)


CALLS: list[Callable[[Any], object]] = [
    lambda made: repr(made(name="x")),
    lambda made: repr(made(name="x", size=2, parts=())),
    lambda made: made(name="x") == made(name="x", note="other"),
    lambda made: made(name="x") == made(name="y"),
    lambda made: made(name="x") == "x",
    lambda made: made(name="x").__eq__("x"),
    lambda made: hash(made(name="x")) == hash(made(name="x", note="other")),
    lambda made: hash(made(name="x", parts=[])),
    lambda made: repr(dataclasses.replace(made(name="x"), size=3)),
    lambda made: dataclasses.replace(made(name="x"), total=3),
    lambda made: dataclasses.replace(made(name="x"), nothing=3),
    lambda made: dataclasses.asdict(made(name="x")),
    lambda made: repr(copy.copy(made(name="x"))),
    lambda made: repr(copy.deepcopy(made(name="x"))),
    lambda made: made(name=""),
    lambda made: made(),
    lambda made: repr(made("x")),
    lambda made: made(nothing=1),
    lambda made: made(name="x", total=4),
    lambda made: made("x", name="y"),
    lambda made: repr(made("x", 2.0, note="n")),
    lambda made: made("x", 2.0, (), "n", 5),
    lambda made: made("x", 2.0, (), "n", 5, 6),
    lambda made: made("x", size=1, nothing=2),
    lambda made: {repr(made(name="x", size=1)) for _ in range(40)},
    lambda made: {repr(made("x", note="n")) for _ in range(40)},
    lambda made: setattr(made(name="x"), "size", 2),
    lambda made: delattr(made(name="x"), "size"),
    lambda made: hasattr(made(name="x"), "__dict__"),
    lambda made: made(name="x").total,
    lambda made: [(each.name, each.type, each.init, each.kw_only) for each in dataclasses.fields(made)],
    lambda made: (made.__doc__, made.__match_args__, made.__slots__, made.__name__, made.__qualname__),
    lambda made: (made.__dataclass_params__.frozen, made.__init__.__name__, made.__eq__.__qualname__),
]


@pytest.mark.parametrize("kw_only", [True, False])
@pytest.mark.parametrize("call", range(len(CALLS)))
def test_it_does_what_the_standard_library_does(call: int, kw_only: bool) -> None:
    """Each on classes that nobody has called before, and once more on classes that somebody has."""
    standard, quick = both(Plain, kw_only=kw_only)
    expected = outcome(lambda: CALLS[call](standard))
    assert outcome(lambda: CALLS[call](quick)) == expected
    assert outcome(lambda: CALLS[call](quick)) == expected


def test_a_class_without_fields_and_one_with_its_own_methods() -> None:
    for plain, texts in ((Empty, {}), (Named, {"text": "x"})):
        standard, quick = both(plain)
        assert repr(quick(**texts)) == repr(standard(**texts))
        assert (quick(**texts) == quick(**texts)) is (standard(**texts) == standard(**texts)) is True
        assert hash(quick(**texts)) == hash(standard(**texts))


def test_what_was_used_is_compiled_when_there_is_time_for_it() -> None:
    _, made = both(Plain, kw_only=True)
    before = made(name="x")
    late = made.__init__
    ours.compile_used()
    assert made.__init__ is not late and made.__init__.__code__.co_varnames[:2] == ("self", "name")
    assert made(name="x") == before and made(name="x").total == 2


@ours.dataclass(frozen=True, slots=True, kw_only=True)
class Base(Generic[T]):
    value: T
    note: str = ""

    def told(self) -> str:
        return f"{self.value} {self.note}"


@ours.dataclass(frozen=True, slots=True, kw_only=True)
class Derived(Base[int]):
    more: int = 3


def test_values_are_inherited_pickled_and_copied() -> None:
    derived = Derived(value=1, note="n")
    assert (derived.value, derived.note, derived.more, derived.told()) == (1, "n", 3, "1 n")
    assert pickle.loads(pickle.dumps(derived)) == derived == copy.deepcopy(derived)
    assert dataclasses.replace(derived, value=2) == Derived(value=2, note="n")
    assert derived != Base(value=1, note="n")
    assert [each.name for each in dataclasses.fields(Derived)] == ["value", "note", "more"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        derived.more = 4  # type: ignore[misc]  # frozen, and that is the point
    match derived:
        case Base(value=1):
            pass
        case _:
            pytest.fail("a pattern finds its base")


REPLACED: list[Callable[[Callable[..., Any], Any], object]] = [
    lambda replace, made: repr(replace(made(name="x", note="n"), size=3, parts=())),
    lambda replace, made: replace(made(name="x"), name=""),
    lambda replace, made: replace(made(name="x"), total=3),
    lambda replace, made: replace(made(name="x"), nothing=3),
    lambda replace, made: replace(made(name="x"), parts=(1, 2, 3)).total,
]


@pytest.mark.parametrize("call", range(len(REPLACED)))
def test_replace_is_the_standard_librarys(call: int) -> None:
    _, made = both(Plain, kw_only=True)
    act = REPLACED[call]
    theirs = outcome(lambda: act(dataclasses.replace, made))
    mine = outcome(lambda: act(ours.replace, made))
    assert mine == theirs


def test_what_is_replaced_leaves_the_old_one_as_it_was() -> None:
    old = Derived(value=1, note="n")
    new = ours.replace(old, value=2)
    assert (type(new), new, old) == (Derived, Derived(value=2, note="n"), Derived(value=1, note="n"))
    with pytest.raises(TypeError, match="unexpected keyword argument 'nothing'"):
        ours.replace(old, nothing=1)  # type: ignore[call-arg]  # that is the point
    assert ours.replace(Flip(flag="a", layer=0), layer=1) == Flip(flag="a", layer=1)


def test_a_class_with_its_own_way_of_being_made_is_made_that_way() -> None:
    @ours.dataclass(frozen=True, slots=True)
    class Doubled:
        count: int

        def __init__(self, count: int) -> None:
            object.__setattr__(self, "count", 2 * count)

    assert ours.replace(Doubled(1), count=3).count == 6


def test_a_name_that_is_no_field_is_refused_in_words() -> None:
    """The standard library of Python 3.11 stumbles here over a class that it has replaced."""
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'nothing'"):
        Derived(value=1).__setattr__("nothing", 2)


def test_no_unfrozen_class_may_stand_on_a_frozen_one() -> None:
    with pytest.raises(TypeError, match="frozen"):
        dataclasses.dataclass(type("Loose", (Base,), {}))


def test_a_class_on_a_frozen_one_has_the_guard_that_all_share() -> None:
    assert Derived.__setattr__ is Base.__setattr__
    assert Derived.__dataclass_params__.frozen  # type: ignore[attr-defined]  # unknown to the stubs


def test_a_class_on_a_frozen_one_of_the_standard_library_is_frozen_by_it() -> None:
    @dataclasses.dataclass(frozen=True)
    class Foreign:
        value: int

    @ours.dataclass(frozen=True, slots=True)
    class Ours(Foreign):
        more: int = 0

    assert Ours(1) == Ours(1, more=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Ours(1).value = 2  # type: ignore[misc]  # frozen, and that is the point


def test_while_a_class_is_made_in_one_thread_others_see_what_is_frozen() -> None:
    found: list[object] = []

    class Watched(Base[int]):
        def __init_subclass__(cls) -> None:
            other = threading.Thread(target=lambda: found.append(outcome(_loose)))
            other.start()
            other.join()

    ours.dataclass(frozen=True, slots=True)(type("Made", (Watched,), {}))
    assert len(found) == 2, "the class as it was written, and the one with slots"
    assert all("cannot inherit non-frozen" in str(each) for each in found)


def _loose() -> object:
    return dataclasses.dataclass(type("Loose", (Base,), {}))


def test_other_kinds_are_the_standard_librarys() -> None:
    @ours.dataclass(slots=True)
    class Tally:
        count: int = 0

    tally = Tally()
    tally.count += 1
    assert tally == Tally(1)

    @ours.dataclass(frozen=True, slots=True, order=True)
    class Rank:
        place: int

    assert Rank(1) < Rank(2)


def test_the_classes_of_the_core_are_dataclasses() -> None:
    reading = Reading(value=1.5)
    assert dataclasses.is_dataclass(reading) and dataclasses.replace(reading, value=2.5).value == 2.5
    assert issubclass(Flip, Way) and "flag" in Flip.__dataclass_fields__


def test_every_class_of_the_cockpit_is_made_here() -> None:
    """One that takes the standard library's decorator by habit costs every start ten times as much."""
    offences = [
        f"{file.relative_to(SOURCE.parent)}:{node.lineno}"
        for file in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "dataclasses"
        if "dataclass" in {alias.name for alias in node.names} and not node.col_offset
    ]
    assert offences == []
