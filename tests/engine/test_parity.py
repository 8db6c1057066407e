"""Parity in flight: what is asked in which order, what the picture says, and what waits for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cockpit.adapters.base import AdapterError
from cockpit.core.parity import Match, Tolerance
from cockpit.core.parity_rows import FieldKind, FieldRule
from cockpit.core.parity_spec import ParitySpec, Question, SideQuery, StoreSpec
from cockpit.core.snapshot import Level, ParityStatus, Snapshot
from cockpit.core.spec import Plan
from cockpit.engine.parity_look import look
from cockpit.engine.published import decode, encode
from cockpit.engine.snapshot_json import as_json
from cockpit.engine.sources import Sources
from tests.engine.conftest import Pilotage, World, advance
from tests.engine.scripted_store import ScriptedStore

COUNT = ParitySpec(
    name="chats",
    title="Chats",
    question=Question.COUNT,
    legacy=SideQuery(store="pg", ask="chats"),
    new=SideQuery(store="convex", ask="chats"),
    interval_s=0.02,
    timeout_s=20.0,
)
ROWS = replace(
    COUNT,
    question=Question.ROWS,
    legacy=SideQuery(store="pg", sample="some", rows="rows"),
    new=SideQuery(store="convex", sample="some", rows="rows", key="originalId"),
    size=3,
    fields=(
        FieldRule(legacy="title", new="title"),
        FieldRule(legacy="chat", new="chatId", kind=FieldKind.REFERENCE, table="chats"),
    ),
)


def stores(**changes: object) -> tuple[ScriptedStore, ScriptedStore]:
    log: list[str] = []
    return ScriptedStore("legacy", log), ScriptedStore("new", log)


async def test_legacy_is_counted_before_and_after_the_new_side() -> None:
    legacy, new = stores()
    counts = iter([10, 12])
    legacy.counted, new.counted = lambda: next(counts), lambda: 11
    value = await look(COUNT, legacy, new)
    assert legacy.log == ["legacy count chats", "new count chats", "legacy count chats"]
    assert value.match is Match.NOISE


async def test_tolerance_and_knowledge_of_the_plan_reach_the_judgement() -> None:
    legacy, new = stores()
    legacy.counted, new.counted = lambda: 10, lambda: 8
    assert (await look(COUNT, legacy, new)).match is Match.DIFFERENT
    tolerant = replace(COUNT, tolerance=Tolerance(rows=2))
    assert (await look(tolerant, legacy, new)).match is Match.TOLERATED
    new.counted = lambda: 0
    assert (await look(replace(COUNT, never_empty=True), legacy, new)).match is Match.UNKNOWN


async def test_the_newest_change_is_asked_in_the_same_order() -> None:
    legacy, new = stores()
    legacy.changed = new.changed = datetime(2026, 1, 1, tzinfo=UTC)
    value = await look(replace(COUNT, question=Question.NEWEST), legacy, new)
    assert [line.split()[0] for line in legacy.log] == ["legacy", "new", "legacy"]
    assert value.match is Match.EQUAL


async def test_rows_parents_and_surplus_are_asked_for_by_their_legacy_keys() -> None:
    legacy, new = stores()
    legacy.keys, new.keys = ("m1", "m2"), ("m2", "m9")
    legacy.held = {"rows": {"m1": {"title": "a", "chat": "c1"}, "m2": {"title": "b", "chat": "c1"}}}
    new.held = {
        "rows": {"m1": {"title": "a", "chatId": "k1"}, "m2": {"title": "B", "chatId": "k1"}},
        "chats": {"c1": {"_id": "k1"}},
    }
    value = await look(ROWS, legacy, new)
    assert legacy.log == [
        "legacy sample some 3",
        "legacy rows rows m1,m2 by id",
        "new rows rows m1,m2 by originalId",
        "new rows chats c1 by originalId",
        "legacy rows rows m1,m2 by id",
        "new sample some 3",
        "legacy rows rows m2,m9 by id",
    ]
    assert [each.what for each in value.differences] == [
        "1 rows of the new side are not on legacy",
        "title differs in 1 of 2 rows",
    ]


async def test_a_side_that_cannot_be_asked_is_an_error_and_no_finding() -> None:
    legacy, new = stores()
    new.trouble = "no answer"
    with pytest.raises(AdapterError, match="no answer"):
        await look(COUNT, legacy, new)


# --- in flight -----------------------------------------------------------------------------------


def flown(world: World, legacy: ScriptedStore, new: ScriptedStore, **changes: object) -> Pilotage:
    plan = replace(
        world.plan,
        signals=(),
        stores=tuple(StoreSpec(name=name, kind="scripted", settings=None) for name in ("pg", "convex")),
        parity=(replace(COUNT, **changes),),  # type: ignore[arg-type]
    )

    def sources(flown_by: Plan) -> Sources:
        return replace(world.sources(flown_by), stores={"pg": legacy, "convex": new})

    return world.start(world.flying(plan=plan, sources=sources))


def only(snapshot: Snapshot) -> ParityStatus:
    (check,) = snapshot.parity
    return check


def found(snapshot: Snapshot, match: Match) -> bool:
    value = only(snapshot).reading.value
    return value is not None and value.match is match


def test_data_that_differ_are_bad_and_hold_every_forward_move_until_they_agree(world: World) -> None:
    legacy, new = stores()
    legacy.counted, new.counted = lambda: 10, lambda: 3
    deck = flown(world, legacy, new)
    shot = deck.until(lambda shot: found(shot, Match.DIFFERENT))
    reason = next(reason for reason in shot.reasons if reason.subject == "Chats")
    assert (reason.level, shot.level) == (Level.BAD, Level.BAD)
    assert "7 rows fewer" in reason.what
    assert "parity chats" in [gate.name for gate in deck.flag("writes").gates if not gate.met]
    assert "gates not met" in deck.refused(advance("writes", 10))
    new.counted = lambda: 10
    deck.fly_to("writes", 10)
    assert not [reason for reason in deck.now.reasons if reason.subject == "Chats"]


def test_what_is_not_required_warns_and_holds_nothing(world: World) -> None:
    legacy, new = stores()
    legacy.counted, new.counted = lambda: 10, lambda: 3
    deck = flown(world, legacy, new, required=False)
    shot = deck.until(lambda shot: found(shot, Match.DIFFERENT))
    assert next(reason for reason in shot.reasons if reason.subject == "Chats").level is Level.WARN
    deck.fly_to("writes", 10)


def test_a_store_that_cannot_be_asked_is_unknown_and_closes_the_gate(world: World) -> None:
    legacy, new = stores()
    legacy.trouble = "the database refuses the connection"
    deck = flown(world, legacy, new)
    shot = deck.until(lambda shot: only(shot).reading.failure is not None)
    reason = next(reason for reason in shot.reasons if reason.subject == "Chats")
    assert (reason.level, "refuses the connection" in reason.what) == (Level.UNKNOWN, True)
    unmet = "chats: the database refuses the connection"
    deck.until(lambda _: [g.text for g in deck.flag("writes").gates if not g.met] == [unmet])
    assert "refuses the connection" in deck.refused(advance("writes", 10))


def test_an_old_finding_closes_the_gate_again(world: World) -> None:
    legacy, new = stores()
    deck = flown(world, legacy, new)
    deck.ready("writes")
    legacy.trouble = "no answer"
    deck.until(lambda shot: only(shot).reading.failure is not None)
    world.clock.advance(1)
    deck.until(
        lambda _: any(gate.name == "parity chats" and not gate.met for gate in deck.flag("writes").gates)
    )


def test_observers_and_scripts_are_told_the_same(world: World) -> None:
    legacy, new = stores()
    legacy.counted, new.counted = lambda: 10, lambda: 3
    shot = flown(world, legacy, new).until(lambda shot: found(shot, Match.DIFFERENT))
    assert decode(encode(shot)).parity == shot.parity
    told = as_json(shot)["parity"]
    assert isinstance(told, list)
    assert (told[0]["match"], told[0]["apart"], told[0]["compared"]) == ("different", -7.0, 10)


def test_a_store_is_closed_with_the_flight(world: World) -> None:
    legacy, new = stores()
    deck = flown(world, legacy, new)
    deck.until(lambda shot: found(shot, Match.EQUAL))
    deck.leave()
    assert "legacy close" in legacy.log and "new close" in legacy.log
