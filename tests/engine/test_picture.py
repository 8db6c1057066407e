"""How loud a picture is, and that it says "I cannot see" and "it is broken" apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.core.model import Health, Side
from cockpit.core.snapshot import Level, Reason
from cockpit.core.spec import Plan
from cockpit.engine.facts import worst_health
from cockpit.engine.published import decode, encode
from cockpit.engine.reasons import worst_level
from tests.engine.conftest import World, declare, make_plan, seen_at
from tests.engine.scripted import down


def line(level: Level) -> Reason:
    return Reason(level=level, subject="x", what="y")


@pytest.mark.parametrize(
    ("levels", "worst"),
    [
        ((), Level.OK),
        ((Level.NOTE,), Level.OK),
        ((Level.WARN, Level.NOTE), Level.WARN),
        ((Level.UNKNOWN, Level.WARN), Level.UNKNOWN),
        ((Level.BAD, Level.UNKNOWN), Level.BAD),
    ],
)
def test_the_level_is_that_of_the_first_reason_and_notes_alone_are_well(
    levels: tuple[Level, ...], worst: Level
) -> None:
    assert worst_level(tuple(line(level) for level in levels)) is worst


@pytest.mark.parametrize(
    ("healths", "worst"),
    [
        ([], Health.UNKNOWN),
        ([Health.OK, Health.OK], Health.OK),
        ([Health.OK, Health.DEGRADED], Health.DEGRADED),
        ([Health.DEGRADED, Health.UNKNOWN], Health.UNKNOWN),
        ([Health.UNKNOWN, Health.DOWN], Health.DOWN),
    ],
)
def test_unknown_beats_well_and_down_beats_all(healths: list[Health], worst: Health) -> None:
    assert worst_health(healths) is worst


def optional_probe(plan: Plan) -> Plan:
    backends = tuple(
        replace(each, probes=tuple(replace(probe, required=False) for probe in each.probes))
        if each.side is Side.NEW
        else each
        for each in plan.backends
    )
    return replace(plan, backends=backends)


def test_a_probe_that_is_not_required_is_told_but_makes_no_alarm(exposed: World) -> None:
    pilot = exposed.start(exposed.flying(plan=optional_probe(make_plan())))
    pilot.until(lambda shot: seen_at(shot, "writes") == 50)
    exposed.cast.new.says(Health.UNKNOWN, "does not know")
    shot = pilot.until(lambda shot: any(each.what == "does not know" for each in shot.reasons))
    assert {each.level for each in shot.reasons if each.subject.startswith("new")} == {Level.NOTE}
    exposed.cast.new.failing = down("401")
    exposed.clock.advance(1)
    pilot.until(lambda shot: any("cannot be seen: 401" in each.what for each in shot.reasons))
    pilot.until(lambda shot: shot.level is Level.OK)


def test_reasons_come_worst_first(exposed: World) -> None:
    exposed.cast.new.says(Health.DOWN, "dead")
    exposed.cast.legacy.failing = down("no route")
    pilot = exposed.start()
    shot = pilot.until(lambda shot: {Level.BAD, Level.UNKNOWN} <= {each.level for each in shot.reasons})
    levels = [each.level for each in shot.reasons]
    order = [Level.BAD, Level.UNKNOWN, Level.WARN, Level.NOTE]
    assert levels == sorted(levels, key=order.index)


def test_observers_get_the_very_picture_that_the_driver_sees(exposed: World) -> None:
    pilot = exposed.start()
    pilot.done(declare())
    pilot.settled("flip")
    exposed.bell.until(lambda: exposed.journal.latest_published() is not None)
    published = exposed.journal.latest_published()
    assert published is not None
    seen = decode(published[0])
    assert seen.operator == "ana" and not seen.read_only
    drawn = pilot.now
    assert decode(encode(drawn)) == drawn


def test_snapshots_are_numbered_without_gaps_or_repeats(exposed: World) -> None:
    pilot = exposed.start()
    seqs: list[int] = []
    stop = pilot.engine.subscribe(lambda: seqs.append(pilot.engine.latest().seq))
    exposed.bell.until(lambda: len(seqs) > 5)
    stop()
    got = list(seqs)
    assert got == list(range(got[0], got[0] + len(got)))


def test_observers_too_are_told_what_legacy_is(exposed: World) -> None:
    plan = make_plan()
    legacy = replace(plan.backends[0], nature="Mock data")
    pilot = exposed.start(exposed.flying(plan=replace(plan, backends=(legacy, *plan.backends[1:]))))
    seen = decode(encode(pilot.now))
    assert [backend.nature for backend in seen.backends] == ["Mock data", ""]
