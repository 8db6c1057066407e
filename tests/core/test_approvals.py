"""More than one person for a forward move: who counts, and what ends a request before anything is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cockpit.core.approvals import AdvanceRequest, why_not
from cockpit.core.driver import How, taken_body
from cockpit.core.events import Event, Kind
from cockpit.core.flight import Flight, apply
from cockpit.core.rollback import IllegalEvent

AT = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
MOVE = {"flag": "writes", "percent": 2500, "before": 1000}


class Told:
    """A flight with ana in the seat, told event by event."""

    def __init__(self) -> None:
        self.flight = Flight()
        opened = {"plan_digest": "d", "environment": "test"}
        self.tell(Kind.DRIVER_TAKEN, "ana", **taken_body(self.flight.seat, "s1", "ops-1", How.FREE))
        self.tell(Kind.FLIGHT_OPENED, "ana", **opened)

    def tell(self, kind: Kind, actor: str, /, *, after_s: Any = 0, **body: Any) -> None:
        seq = self.flight.last_seq + 1
        at = AT + timedelta(seconds=after_s)
        self.flight = apply(self.flight, Event(seq=seq, at=at, actor=actor, kind=kind, body=body))

    def open(self) -> AdvanceRequest | None:
        return self.flight.request

    def ask(self, needed: int = 2) -> None:
        lapses_at = (AT + timedelta(seconds=600)).isoformat()
        said = {"request": "r1", "needed": needed, "lapses_at": lapses_at, "session": "s1", "host": "ops-1"}
        self.tell(Kind.ADVANCE_REQUESTED, "ana", **MOVE, **said)

    def approve(self, actor: str, session: str, *, after_s: float = 5, request: str = "r1") -> None:
        body = {"request": request, "session": session, "host": "ops-2"}
        self.tell(Kind.ADVANCE_APPROVED, actor, after_s=after_s, **body)

    def write(self, **other: object) -> None:
        body = {**MOVE, "request": "r1", "session": "s1", **other}
        self.tell(Kind.FLAG_ASKED, "ana", **body)


@pytest.fixture
def told() -> Told:
    made = Told()
    made.ask()
    return made


def test_the_one_who_asks_counts_and_a_second_person_completes_it(told: Told) -> None:
    request = told.open()
    assert request is not None
    assert (request.tally, request.complete, request.asker.name) == ("1 of 2", False, "ana@ops-1")
    told.approve("ben", "s2")
    assert (request := told.open()) is not None and request.complete
    told.write()
    assert told.open() is None
    assert told.flight.flag("writes").asked is not None


def test_nothing_is_asked_before_enough_people_have_said_yes(told: Told) -> None:
    with pytest.raises(IllegalEvent, match="1 of 2 people"):
        told.write()


def test_what_is_written_is_exactly_what_was_approved(told: Told) -> None:
    told.approve("ben", "s2")
    for other in ({"percent": 10_000}, {"flag": "reads"}):
        with pytest.raises(IllegalEvent, match="approved was writes to 25%"):
            told.write(**other)
    with pytest.raises(IllegalEvent, match="not open any more"):
        told.write(request="r2")


@pytest.mark.parametrize(
    ("actor", "session", "words"),
    [
        ("ben", "s1", "this cockpit has said yes already"),
        ("ana", "s2", "another person has to approve"),
        ("ANA", "s2", "another person has to approve"),
    ],
)
def test_approvers_are_different_people_in_different_cockpits(
    told: Told, actor: str, session: str, words: str
) -> None:
    before = told.flight
    with pytest.raises(IllegalEvent, match=words):
        told.approve(actor, session)
    assert told.flight is before


def test_three_people_are_three(told: Told) -> None:
    made = Told()
    made.ask(needed=3)
    made.approve("ben", "s2")
    with pytest.raises(IllegalEvent, match="2 of 3"):
        made.write()
    with pytest.raises(IllegalEvent, match="ben has said yes already"):
        made.approve("ben", "s3")
    made.approve("cleo", "s3")
    made.write()


def test_a_yes_after_it_lapsed_or_to_another_request_counts_for_nothing(told: Told) -> None:
    with pytest.raises(IllegalEvent, match="lapsed"):
        told.approve("ben", "s2", after_s=600)
    with pytest.raises(IllegalEvent, match="not open"):
        told.approve("ben", "s2", request="older")
    request = told.open()
    assert request is not None
    assert why_not(request, operator="ben", session="s2", now=AT) == ""


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.PLAN_TAKEN, {"digest": "e"}),
        (Kind.DRIVER_RELEASED, {"session": "s1"}),
        (Kind.FLAG_FOREIGN, {"flag": "writes", "before": "10%", "after": "5%", "exposure": 500}),
        (Kind.ROLLOUT_HELD, {"flag": "writes", "reason": "wait"}),
        (Kind.FLAG_SEEN, {"flag": "writes", "exposure": 2500}),
        (Kind.ADVANCE_DECLINED, {"request": "r1", "session": "s2", "reason": "not tonight"}),
        (Kind.ADVANCE_WITHDRAWN, {"request": "r1", "session": "s1", "why": "lapsed"}),
    ],
)
def test_a_request_ends_with_what_people_said_yes_to(told: Told, kind: Kind, body: dict[str, object]) -> None:
    told.approve("ben", "s2")
    told.tell(kind, "ben", **body)
    assert told.open() is None
    with pytest.raises(IllegalEvent):
        told.write()


def test_another_driver_ends_it(told: Told) -> None:
    taken = taken_body(told.flight.seat, "s2", "ops-2", How.CONFIRMED)
    told.tell(Kind.DRIVER_TAKEN, "ben", **taken)
    assert told.open() is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.ROLLOUT_HELD, {"flag": "reads", "reason": "wait"}),
        (Kind.FLAG_SEEN, {"flag": "writes", "exposure": 1000}),
        (Kind.NOTE_ADDED, {"text": "soon"}),
    ],
)
def test_what_does_not_concern_it_leaves_it_open(told: Told, kind: Kind, body: dict[str, object]) -> None:
    told.tell(kind, "ben", **body)
    assert told.open() is not None


def test_one_request_at_a_time_and_only_by_the_driver(told: Told) -> None:
    until = f"{AT + timedelta(seconds=600):%H:%M:%S} UTC"
    said = f"open already: writes to 25%, asked for by ana@ops-1; it lapses at {until}"
    with pytest.raises(IllegalEvent, match=said):
        told.ask()
    free = Told()
    body = {"request": "r", "needed": 2, "lapses_at": AT.isoformat(), "session": "s9", "host": "h"}
    with pytest.raises(IllegalEvent, match="ana@ops-1 drives"):
        free.tell(Kind.ADVANCE_REQUESTED, "ben", **MOVE, **body)
