"""Kill the engine after every journalled event of a rollback; the next one ends it well all the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from cockpit.core import commands as asked
from cockpit.core.events import Event, Kind
from cockpit.core.flight import fold
from cockpit.core.rollback import FlipState
from cockpit.engine.journal_memory import MemoryJournal
from tests.engine.conftest import Pilotage, World, advance, declare, ident
from tests.engine.scripted import LIE, LOST, REFUSE, Answer

STORIES = {
    "plain": {},
    "refused once": {"reads": (REFUSE,)},
    "lied to": {"writes": (LIE,)},
    "lost answer": {"reads": (LOST,), "writes": (LOST,)},
}


def recorded(story: str) -> tuple[Sequence[Event], World]:
    """The journal of one rollback that the machine brought to its end."""
    world = World(percents={"writes": 50.0, "reads": 50.0})
    for key, answers in STORIES[story].items():
        world.service.next_answers(key, *answers)
    with ending(world):
        pilot = world.start()
        pilot.until(lambda shot: shot.level.value == "ok")
        pilot.done(declare())
        pilot.settled("flip", "drain", "verify", "reconcile", "announce")
        return world.events(), world


def prefix(events: Sequence[Event], length: int) -> MemoryJournal:
    journal = MemoryJournal()
    for event in events[:length]:
        journal.append(event.kind, event.body, actor=event.actor, at=event.at, expected_seq=event.seq - 1)
    return journal


def exposures_after(events: Sequence[Event]) -> dict[str, float]:
    """What the flag service holds if every journalled "done" was true and every open intent never arrived."""
    at = {"writes": 50.0, "reads": 50.0}
    for event in events:
        body = event.body
        if event.kind is Kind.FLAG_SEEN and isinstance(body["exposure"], int):
            at[str(body["flag"])] = body["exposure"] / 100
    return at


@pytest.mark.parametrize("story", sorted(STORIES))
@pytest.mark.timeout(240)
def test_killed_after_any_event_the_next_engine_brings_every_flag_to_zero(story: str) -> None:
    events, first = recorded(story)
    begun = next(index for index, event in enumerate(events, 1) if event.kind is Kind.ROLLBACK_DECLARED)
    lengths = [n for n in range(begun, len(events)) if changes(events[n - 1])]
    for length in lengths:
        world = World(
            clock=first.clock, journal=prefix(events, length), percents=exposures_after(events[:length])
        )
        open_intents = {
            str(event.body["flag"])
            for event in events[:length]
            if event.kind is Kind.WRITE_INTENT and not answered(events[:length], event)
        }
        with ending(world):
            bring_to_zero(world.start(), f"{story} cut after {length}")
            check(world, events[:length], open_intents)


def bring_to_zero(pilot: Pilotage, what: str) -> None:
    """A kill that died with its engine counts as one of the machine's tries: then a person presses retry."""
    pilot.until(lambda _: all(each.exhausted or each.at_zero_at for each in pilot.rollback.flips), what)
    for flip in pilot.rollback.flips:
        if flip.exhausted:
            pilot.done(asked.RetryFlag(id=ident(), by="ana", rollback=pilot.rollback.id, flag=flip.flag))
    pilot.until(lambda _: pilot.rollback.flipped, what)
    pilot.engine.leave_now("next")
    assert pilot.engine.join(20)


@contextmanager
def ending(world: World) -> Iterator[World]:
    try:
        yield world
    finally:
        world.end()


def changes(event: Event) -> bool:
    """Whether a cut here differs from one before: steps and lines of the lookout do not act."""
    return event.kind in (
        Kind.ROLLBACK_DECLARED,
        Kind.ROLLBACK_CUT,
        Kind.WRITE_INTENT,
        Kind.WRITE_OUTCOME,
        Kind.FLAG_SEEN,
        Kind.ROLLBACK_DRAINED,
        Kind.STEP_DONE,
        Kind.ANNOUNCE_SENT,
    )


def answered(events: Sequence[Event], intent: Event) -> bool:
    return any(
        event.kind is Kind.WRITE_OUTCOME and event.body["write_id"] == intent.body["write_id"]
        for event in events
    )


def check(world: World, before: Sequence[Event], open_intents: set[str]) -> None:
    events = world.events()
    assert [world.service.exposure(key) for key in ("writes", "reads")] == [0, 0]
    assert sum(event.kind is Kind.ROLLBACK_DECLARED for event in events) == 1
    assert all(each.others_in_flight == 0 for each in world.service.writes)
    after = events[len(before) :]
    intents = [event for event in after if event.kind is Kind.WRITE_INTENT]
    assert len(world.service.writes) <= len(intents), "no write without an intent before it"
    assert [each.flag for each in world.service.writes] == [
        event.body["flag"] for event in intents[: len(world.service.writes)]
    ]
    for flag in open_intents:
        mine = [event for event in after if event.body.get("flag") == flag]
        assert mine[0].kind is Kind.WRITE_OUTCOME and mine[0].body["outcome"] == "unknown"
        nexts = [event.kind for event in mine[1:]]
        first_kill = nexts.index(Kind.WRITE_INTENT) if Kind.WRITE_INTENT in nexts else len(nexts)
        kill_was_open = mine[0].body["action"] == "kill"
        assert not kill_was_open or Kind.FLAG_SEEN in nexts[:first_kill], "read back before it is written"
    rollback = fold(events).rollback
    assert rollback is not None
    assert all(flip.state is FlipState.AT_ZERO for flip in rollback.flips)


@pytest.fixture
def moving() -> Iterator[World]:
    made = World()
    yield made
    made.end()


def test_a_forward_move_cut_off_anywhere_is_never_repeated(moving: World) -> None:
    pilot = moving.start()
    pilot.fly_to("writes", 10)
    pilot.leave()
    events = moving.events()
    cuts = [event.seq for event in events[:-1] if event.kind is not Kind.FLAG_ASKED]
    for length in cuts:  # asked and intended are one transaction
        landed = any(event.kind is Kind.WRITE_OUTCOME for event in events[:length])
        world = World(
            clock=moving.clock,
            journal=prefix(events, length),
            percents={"writes": 10.0 if landed else 0.0, "reads": 0.0},
        )
        with ending(world):
            again = world.start()
            again.ready("writes")
            assert not world.service.writes, "a restart writes nothing by itself"
            assert not world.events(Kind.FLAG_FOREIGN)
            again.done(advance("writes", 50.0 if landed else 10.0))


def test_an_open_rollback_is_resumed_with_its_deadline_and_said_on_the_first_screen(exposed: World) -> None:
    gate = exposed.gate()
    exposed.service.next_answers("reads", Answer(gate=gate))
    pilot = exposed.start()
    pilot.done(declare())
    exposed.bell.until(lambda: gate.held == 1)
    deadline = pilot.rollback.deadline_at
    pilot.engine.leave_now("the terminal died")
    assert pilot.engine.join(20)
    exposed.clock.advance(120)
    again = exposed.start()
    assert again.rollback.deadline_at == deadline
    assert any(reason.subject == "rollback open" for reason in again.now.reasons)
    again.until(lambda _: again.rollback.flipped)
    assert [event.kind for event in exposed.events(Kind.FLIGHT_RESUMED)] == [Kind.FLIGHT_RESUMED]
