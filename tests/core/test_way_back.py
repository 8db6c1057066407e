"""The light of the way back: what makes it red, what makes it unknown, and what only is good to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.model import Failure, Health, Reading
from cockpit.core.snapshot import Level, WayBackLine
from cockpit.core.spec import ReadySpec
from cockpit.core.way_back import LeverFact, WayBackFacts, way_back, way_back_gate
from tests.core.sim_rollout import NOW, PLAN

LAG = ReadySpec(name="lag", title="reverse sync lag", monitor="prom", query="lag", at_most=60, unit="s")
GOOD = LeverFact(flag="chat", readable=True, writable=True, second="haproxy, 40 s", second_readable=True)

OTHER = replace(GOOD, flag="login")


def seen(value: float | None, *, age_s: float = 1, trouble: str = "") -> Reading[float]:
    return Reading(
        value=value,
        observed_at=None if value is None else NOW - timedelta(seconds=age_s),
        failure=Failure(title=trouble) if trouble else None,
        interval_s=5,
    )


FACTS = WayBackFacts(
    now=NOW,
    legacy=Health.OK,
    legacy_text="api ok",
    levers=(GOOD,),
    figures=((LAG, seen(12.0)),),
    last_drill_at=NOW - timedelta(days=3),
    drives=True,
)


def levels(facts: WayBackFacts, **rollback: object) -> dict[str, Level]:
    plan = replace(PLAN, rollback=replace(PLAN.rollback, **rollback))  # type: ignore[arg-type]  # fields by name
    return {line.title: line.level for line in way_back(plan, facts)}


def is_open(facts: WayBackFacts, **rollback: object) -> bool:
    plan = replace(PLAN, rollback=replace(PLAN.rollback, **rollback))  # type: ignore[arg-type]  # fields by name
    return way_back_gate(way_back(plan, facts)).met


def test_a_way_back_of_which_all_is_known_and_well_is_open() -> None:
    assert set(levels(FACTS).values()) == {Level.OK}
    assert is_open(FACTS)


@pytest.mark.parametrize(
    ("changes", "title", "level", "open_"),
    [
        ({"legacy": Health.DOWN}, "legacy", Level.BAD, False),
        ({"legacy": Health.UNKNOWN}, "legacy", Level.UNKNOWN, False),
        ({"legacy": Health.DEGRADED}, "legacy", Level.WARN, True),
        ({"levers": (replace(GOOD, readable=False),)}, "lever chat", Level.UNKNOWN, False),
        ({"levers": (replace(GOOD, writable=False), OTHER)}, "lever chat", Level.BAD, False),
        ({"levers": (replace(GOOD, writable=False),)}, "lever chat", Level.WARN, True),
        ({"levers": (replace(GOOD, writable=False),), "drives": False}, "lever chat", Level.OK, True),
        ({"levers": (replace(GOOD, second=""),)}, "second lever chat", Level.NOTE, True),
        (
            {"levers": (replace(GOOD, second="", falls_with_new=True),)},
            "second lever chat",
            Level.WARN,
            True,
        ),
        ({"levers": (replace(GOOD, second_readable=False),)}, "second lever chat", Level.WARN, True),
        ({"levers": (replace(GOOD, second_writable=False),)}, "second lever chat", Level.WARN, True),
        ({"figures": ((LAG, seen(61.0)),)}, "reverse sync lag", Level.BAD, False),
        ({"figures": ((LAG, seen(60.0)),)}, "reverse sync lag", Level.OK, True),
        ({"figures": ((LAG, seen(None, trouble="no data")),)}, "reverse sync lag", Level.UNKNOWN, False),
        ({"figures": ((LAG, seen(1.0, age_s=11)),)}, "reverse sync lag", Level.UNKNOWN, False),
        ({"last_drill_at": None}, "last drill", Level.NOTE, True),
    ],
)
def test_each_thing_that_the_way_back_stands_on(
    changes: dict[str, object], title: str, level: Level, open_: bool
) -> None:
    facts = replace(FACTS, **changes)  # type: ignore[arg-type]  # fields by name
    assert levels(facts)[title] is level
    assert is_open(facts) is open_


def test_a_plan_may_ask_for_a_fresh_drill() -> None:
    week = timedelta(days=7).total_seconds()
    assert is_open(FACTS, drill_within_s=week)
    assert not is_open(replace(FACTS, last_drill_at=NOW - timedelta(days=8)), drill_within_s=week)
    assert not is_open(replace(FACTS, last_drill_at=None), drill_within_s=week)


def test_the_point_of_no_return_is_told_before_it_is_passed() -> None:
    title = "point of no return"
    assert title not in levels(FACTS)
    assert levels(FACTS, point_of_no_return_at=NOW + timedelta(days=2))[title] is Level.OK
    assert levels(FACTS, point_of_no_return_at=NOW + timedelta(hours=5))[title] is Level.WARN
    assert levels(FACTS, point_of_no_return_at=NOW)[title] is Level.BAD


def lines_of(*found: Level) -> Sequence[WayBackLine]:
    return [WayBackLine(level=level, title="t", text="x") for level in found]


@given(st.lists(st.sampled_from(list(Level)), max_size=6))
def test_red_and_unknown_shut_the_gate_and_nothing_else_does(found: list[Level]) -> None:
    assert way_back_gate(lines_of(*found)).met is not bool({Level.BAD, Level.UNKNOWN} & set(found))


def test_the_worst_comes_first_and_the_gate_names_it() -> None:
    bad = replace(FACTS, legacy=Health.UNKNOWN, figures=((LAG, seen(90.0)),))
    lines = way_back(PLAN, bad)
    assert [line.level for line in lines[:2]] == [Level.BAD, Level.UNKNOWN]
    assert way_back_gate(lines).text == "way back: reverse sync lag: 2 min, at most 60 s (and 1 more)"
