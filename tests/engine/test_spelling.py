"""Values of the core as JSON: what is read again is what was written, and what is kept says what is."""

from __future__ import annotations

import weakref
from dataclasses import Field, dataclass, fields, replace
from itertools import count
from math import inf, nan

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cockpit.core.flight import Flight
from cockpit.core.history import Blank
from cockpit.core.model import Health, ProbeValue
from cockpit.core.snapshot import Snapshot
from cockpit.engine.parsing import parsed, read
from cockpit.engine.published import Envelope, decode, encode, speller
from cockpit.engine.spelling import Speller
from tests.engine.any_value import any_of
from tests.face import pictures

SLOW = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass(frozen=True)
class Leaf:
    number: float
    points: tuple[float | Blank, ...] = ()


@dataclass(frozen=True)
class Branch:
    leaves: tuple[Leaf, ...]
    best: Leaf | None = None


@dataclass(frozen=True)
class Tree:
    branches: tuple[Branch, ...]
    title: str = ""


def tree(*leaves: Leaf) -> Tree:
    return Tree(branches=(Branch(leaves=leaves),))


@given(flight=any_of(Flight))
@SLOW
def test_any_flight_comes_back_equal(flight: Flight) -> None:
    assert read(parsed(Speller(Flight).spell(flight)), Flight) == flight


@given(first=any_of(Snapshot), second=any_of(Snapshot), keep=st.lists(st.sampled_from(fields(Snapshot))))
@SLOW
def test_what_was_kept_of_the_picture_before_says_what_is(
    first: Snapshot, second: Snapshot, keep: list[Field[object]]
) -> None:
    mixed = replace(second, **{field.name: getattr(first, field.name) for field in keep})
    going_on = speller()
    for picture in (first, mixed, second, first):
        assert going_on.spell(Envelope(snapshot=picture)) == encode(picture)


@given(picture=any_of(Snapshot), other=any_of(Snapshot), most=st.integers(1, 3))
@SLOW
def test_a_picture_that_is_written_bit_by_bit_is_the_same(
    picture: Snapshot, other: Snapshot, most: int
) -> None:
    going_on = speller()
    going_on.spell_some(Envelope(snapshot=other), most)
    told = (going_on.spell_some(Envelope(snapshot=picture), most) for _ in count())
    assert next(each for each in told if each is not None) == encode(picture)


def test_no_more_parts_are_written_at_once_than_wanted() -> None:
    whole, bit_by_bit = tree(*(Leaf(number=each) for each in range(7))), Speller(Tree, parts=(Leaf,))
    assert [bit_by_bit.spell_some(whole, 3) for _ in range(2)] == [None, None]
    assert bit_by_bit.spell_some(whole, 3) == Speller(Tree).spell(whole)
    assert bit_by_bit.spell_some(whole, 1) == Speller(Tree).spell(whole), "all of it is known now"


def test_parts_within_parts_are_written_however_few_are_wanted() -> None:
    whole, bit_by_bit = tree(Leaf(number=1), Leaf(number=2)), Speller(Tree, parts=(Branch, Leaf))
    told = [bit_by_bit.spell_some(whole, 1) for _ in range(3)]
    assert told[-1] == Speller(Tree).spell(whole)


def test_a_part_is_held_as_long_as_it_is_kept_and_no_longer() -> None:
    going_on, leaf, other = Speller(Tree, parts=(Leaf,)), Leaf(number=1), Leaf(number=2)
    watched = weakref.ref(leaf)
    going_on.spell(tree(leaf, other))
    del leaf
    assert watched() is not None, "or its identity could become that of another one"
    going_on.spell(tree(other))
    assert watched() is None


def test_a_picture_that_was_given_up_is_not_held_once_another_is_written() -> None:
    going_on, leaf = Speller(Tree, parts=(Leaf,)), Leaf(number=1)
    watched = weakref.ref(leaf)
    assert going_on.spell_some(tree(leaf, Leaf(number=2)), 1) is None
    del leaf
    going_on.spell(tree())
    assert watched() is None


@pytest.mark.parametrize("number", [inf, -inf, nan])
def test_a_number_that_is_none_is_written_as_what_it_is_wherever_it_stands(number: float) -> None:
    leaf = Leaf(number=number, points=(1.0, Blank.NO_ANSWER, number, -number, Blank.NOT_ASKED))
    odd = Tree(branches=(Branch(leaves=(Leaf(number=0.5), leaf), best=leaf),))
    for parts in ((), (Leaf,), (Branch, Leaf)):
        spelled = Speller(Tree, parts=parts).spell(odd)
        assert b"null" not in spelled.replace(b'"best":null', b"")
        again = read(parsed(spelled), Tree)
        assert str(again) == str(odd)


def test_a_row_that_adds_up_to_nothing_finite_is_written_as_it_is() -> None:
    for points in ((1.7e308, 1.7e308), (inf, -inf), (0.0, nan)):
        again = read(parsed(Speller(Leaf).spell(Leaf(number=0, points=points))), Leaf)
        assert [str(each) for each in again.points] == [str(each) for each in points]


@pytest.mark.parametrize("number", [inf, nan])
def test_a_latency_that_is_no_number_comes_back_as_none(number: float) -> None:
    calm = pictures.calm()
    probe = calm.backends[0].probes[0]
    answer = ProbeValue(health=Health.OK, latency_ms=number)
    odd = replace(probe, reading=replace(probe.reading, value=answer), history=(1.0, None, number))
    backend = replace(calm.backends[0], probes=(odd,))
    again = decode(encode(replace(calm, backends=(backend, *calm.backends[1:]))))
    (seen,) = again.backends[0].probes
    assert seen.reading.value is not None
    assert (str(seen.history), str(seen.reading.value)) == (str(odd.history), str(answer))
