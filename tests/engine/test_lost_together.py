"""Twenty writes on one connection that is lost: nobody knows what became of any, until each was read back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cockpit.core.events import Event, Kind
from cockpit.core.model import WriteOutcome
from tests.engine.conftest import World, declare, flag_spec, make_plan
from tests.engine.scripted import Answer

FLAGS = tuple(f"flag-{number:02}" for number in range(20))
LANDED = frozenset(FLAGS[::2])


@pytest.fixture
def many() -> Iterator[World]:
    plan = replace(make_plan(), flags=tuple(flag_spec(key) for key in FLAGS))
    made = World(plan=plan, percents=dict.fromkeys(FLAGS, 50.0))
    yield made
    made.end()


def story(world: World, flag: str) -> list[str]:
    """What the journal tells of the way to zero of one flag."""
    return [_word(event) for event in world.events() if _of(event, flag)]


def _of(event: Event, flag: str) -> bool:
    switched = event.body.get("action", "kill") == "kill"
    return switched and event.body.get("rollback") is not None and event.body.get("flag") == flag


def _word(event: Event) -> str:
    said = event.body["outcome"] if event.kind is Kind.WRITE_OUTCOME else event.body.get("exposure", "")
    return f"{event.kind.value} {said}".strip()


def test_each_is_read_back_and_only_what_did_not_land_is_written_again(many: World) -> None:
    gate = many.gate()
    for flag in FLAGS:
        lost = Answer(
            gate=gate, outcome=WriteOutcome.UNKNOWN, lands=flag in LANDED, detail="closed without an answer"
        )
        many.service.next_answers(flag, lost)
    pilot = many.start()
    pilot.until(lambda shot: shot.level.value == "ok")
    pilot.done(declare())
    many.bell.until(lambda: gate.held == len(FLAGS), "all of them are out at once")
    gate.open()
    pilot.until(lambda _: pilot.rollback.flipped)
    once = ["write.intent", "write.outcome unknown"]
    for flag in FLAGS:
        again = [] if flag in LANDED else ["flag.seen 5000", "write.intent", "write.outcome done"]
        assert story(many, flag)[: len(once + again) + 1] == [*once, *again, "flag.seen 0"], flag
        assert len(many.service.written(flag, "kill")) == (1 if flag in LANDED else 2)
