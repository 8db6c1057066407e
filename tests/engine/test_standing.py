"""A write that was decided a while ago: what another cockpit journalled meanwhile counts when it leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cockpit.core.clocks import ClockPair
from cockpit.core.driver import How, taken_body
from cockpit.core.events import Kind
from cockpit.engine.effects import WriteOrder
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.journal_port import Draft
from cockpit.engine.logbook import Logbook
from cockpit.engine.standing import Standing
from tests.engine.scripted import START

KILL = WriteOrder(
    write_id="w1",
    flag="writes",
    service="flags",
    key="writes",
    action="kill",
    percent=None,
    expected=None,
    rollback="r1",
    timeout_s=5.0,
    intended=ClockPair(wall=START, steady_s=0.0),
)
FORWARD = replace(KILL, action="set", rollback=None)


class Hands:
    """This cockpit, which drives, and another one on the same journal."""

    def __init__(self) -> None:
        journal = MemoryJournal()
        self.here, self.there = Logbook(journal), Logbook(journal)
        self.standing = Standing(self.here, "here")
        self.takes("here", How.FREE)

    def takes(self, session: str, how: How) -> None:
        self.there.catch_up()
        self.journals(Kind.DRIVER_TAKEN, taken_body(self.there.flight.seat, session, "ops-1", how))

    def declares(self, rollback: str) -> None:
        ends = (START + timedelta(seconds=900)).isoformat()
        body = {"rollback": rollback, "flags": [], "whole": True, "reason": "", "steps": []}
        self.journals(
            Kind.ROLLBACK_DECLARED,
            {**body, "deadline_at": ends, "escalate_at": ends, "first_breach_at": None},
        )

    def journals(self, kind: Kind, body: dict[str, object]) -> None:
        self.there.catch_up()
        self.there.append([Draft(kind=kind, body=body)], actor="ben", at=START, must=False)


@pytest.fixture
def hands() -> Hands:
    return Hands()


def test_a_step_forward_stands_until_somebody_declares(hands: Hands) -> None:
    assert hands.standing.why_not(FORWARD) == ""
    hands.declares("r1")
    assert hands.standing.why_not(FORWARD) == "a rollback was declared"


def test_a_rollbacks_write_stands_until_that_rollback_is_over(hands: Hands) -> None:
    hands.declares("r1")
    assert hands.standing.why_not(KILL) == ""
    hands.journals(Kind.ROLLBACK_CLOSED, {"rollback": "r1", "note": "", "overrun_s": 0.0})
    assert hands.standing.why_not(KILL) == "its rollback is over"
    hands.declares("r2")
    assert hands.standing.why_not(KILL) == "its rollback is over"


@pytest.mark.parametrize("order", [FORWARD, KILL])
def test_nothing_stands_once_another_cockpit_drives(hands: Hands, order: WriteOrder) -> None:
    if order.rollback:
        hands.declares("r1")
    hands.takes("there", How.CONFIRMED)
    assert "ben@ops-1 drives since" in hands.standing.why_not(order)
