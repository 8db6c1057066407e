"""The driver's seat: at most one holder, nothing moves but by its hand, what is illegal changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cockpit.core import driver
from cockpit.core.driver import DriverSeat, How, asked_way_in, taken_body, way_in, who_drives
from cockpit.core.events import Event, Kind
from cockpit.core.flight import Flight, apply
from cockpit.core.rollback import IllegalEvent

AT = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
NAMES = {"s1": "ana", "s2": "ben", "s3": "cleo"}


def seat_event(kind: Kind, actor: str = "ana", /, **body: object) -> Event:
    return Event(seq=1, at=AT, actor=actor, kind=kind, body=body)


def taken(seat: DriverSeat, session: str, how: How) -> DriverSeat:
    body = taken_body(seat, session, "host-1", how)
    return driver.apply(seat, Event(seq=1, at=AT, actor=NAMES[session], kind=Kind.DRIVER_TAKEN, body=body))


def held(session: str = "s1") -> DriverSeat:
    return taken(DriverSeat(), session, How.FREE)


def test_a_free_seat_is_taken_and_names_its_holder() -> None:
    seat = held()
    assert seat.holder is not None
    assert (seat.holder.name, seat.holder.how, seat.holder.since) == ("ana@host-1", How.FREE, AT)
    assert who_drives(seat) == "ana@host-1 drives since 04:05:06 UTC"
    assert who_drives(DriverSeat()) == "nobody drives"


def test_of_two_takers_of_one_seat_the_second_is_told_who_was_first() -> None:
    before = DriverSeat()
    stale = taken_body(before, "s2", "host-2", How.FREE)
    with pytest.raises(IllegalEvent, match="ana@host-1 drives since 04:05:06 UTC"):
        driver.apply(held(), seat_event(Kind.DRIVER_TAKEN, "ben", **stale))


@pytest.mark.parametrize("how", [How.SILENCE, How.GONE, How.CONFIRMED, How.ROLLBACK])
def test_a_held_seat_changes_hands_and_the_event_says_from_whom(how: How) -> None:
    seat = taken(held(), "s2", how)
    assert seat.holder is not None
    assert (seat.holder.operator, seat.holder.how, seat.holder.taken_from) == ("ben", how, "ana@host-1")


def test_what_is_not_free_cannot_be_taken_as_free_and_the_other_way_round() -> None:
    with pytest.raises(IllegalEvent, match="not free"):
        taken(held(), "s2", How.FREE)
    with pytest.raises(IllegalEvent, match="only be taken as free"):
        taken(DriverSeat(), "s2", How.SILENCE)
    with pytest.raises(IllegalEvent, match="drives already"):
        taken(held(), "s1", How.ROLLBACK)
    with pytest.raises(IllegalEvent, match="has not offered"):
        taken(held(), "s2", How.HANDED_OVER)


def test_an_offer_is_taken_by_the_one_it_was_made_to_or_goes_away() -> None:
    offered = driver.apply(
        held(), seat_event(Kind.DRIVER_OFFERED, session="s1", to="s2", to_name="ben@host-2")
    )
    assert asked_way_in(offered, "s2", present=("s1", "s2", "s3"), silent=()) is How.HANDED_OVER
    assert asked_way_in(offered, "s3", present=("s1", "s2", "s3"), silent=()) is How.CONFIRMED
    assert taken(offered, "s2", How.HANDED_OVER).offer is None
    for who in ("s1", "s2"):
        assert driver.apply(offered, seat_event(Kind.DRIVER_DECLINED, session=who)).offer is None
    with pytest.raises(IllegalEvent, match="not offered"):
        driver.apply(offered, seat_event(Kind.DRIVER_DECLINED, session="s3"))
    with pytest.raises(IllegalEvent, match="another cockpit"):
        driver.apply(held(), seat_event(Kind.DRIVER_OFFERED, session="s1", to="s1", to_name="x"))


def test_only_the_holder_releases_and_offers() -> None:
    with pytest.raises(IllegalEvent, match="ana@host-1 drives"):
        driver.apply(held(), seat_event(Kind.DRIVER_RELEASED, session="s2"))
    with pytest.raises(IllegalEvent, match="ana@host-1 drives"):
        driver.apply(held(), seat_event(Kind.DRIVER_OFFERED, session="s2", to="s3"))
    assert driver.apply(held(), seat_event(Kind.DRIVER_RELEASED, session="s1")).holder is None


@pytest.mark.parametrize(
    ("present", "silent", "released", "how"),
    [
        (("s1", "s2"), (), False, None),
        (("s1", "s2"), ("s1",), False, How.SILENCE),
        (("s2",), (), False, How.GONE),
        (("s2",), (), True, None),
    ],
)
def test_a_waiting_cockpit_takes_the_seat_by_itself_only_from_nobody(
    present: tuple[str, ...], silent: tuple[str, ...], released: bool, how: How | None
) -> None:
    assert way_in(held(), "s2", present=present, silent=silent, released_here=released) is how
    assert way_in(held(), "s1", present=present, silent=silent, released_here=released) is None


def test_a_free_seat_is_not_taken_back_by_who_released_it_unless_asked() -> None:
    free = driver.apply(held(), seat_event(Kind.DRIVER_RELEASED, session="s1"))
    assert way_in(free, "s1", present=("s1",), silent=(), released_here=True) is None
    assert way_in(free, "s2", present=("s1", "s2"), silent=(), released_here=False) is How.FREE
    assert asked_way_in(free, "s1", present=("s1",), silent=()) is How.FREE


def test_bodies_without_a_session_pass_only_while_no_seat_was_ever_told_of() -> None:
    driver.require(DriverSeat(), {})
    for seat in (held(), driver.apply(held(), seat_event(Kind.DRIVER_RELEASED, session="s1"))):
        with pytest.raises(IllegalEvent, match="does not drive"):
            driver.require(seat, {})
    driver.require(held(), {"session": "s1"})
    with pytest.raises(IllegalEvent, match="nobody drives"):
        driver.require(DriverSeat(), {"session": "s1"})


SESSIONS = st.sampled_from(sorted(NAMES))


class Cockpits(RuleBasedStateMachine):
    """Three cockpits that try anything at any time, often on a state that is not the newest any more."""

    def __init__(self) -> None:
        super().__init__()
        self.flight = Flight()
        self.old = self.flight
        self.holder: str | None = None
        self.writers: list[tuple[str, str | None]] = []
        self.accepted = 0

    def tries(self, kind: Kind, session: str, body: dict[str, object]) -> bool:
        before = self.flight
        at = AT + timedelta(seconds=before.last_seq)
        event = Event(seq=before.last_seq + 1, at=at, actor=NAMES[session], kind=kind, body=body)
        try:
            self.flight = apply(before, event)
        except IllegalEvent as refusal:
            assert self.flight is before
            assert str(refusal)
            return False
        self.accepted += 1
        return True

    @rule(session=SESSIONS, how=st.sampled_from(How), stale=st.booleans())
    def take(self, session: str, how: How, stale: bool) -> None:
        seen = self.old if stale else self.flight
        if self.tries(Kind.DRIVER_TAKEN, session, taken_body(seen.seat, session, "h", how)):
            assert self.holder != session
            self.holder = session

    @rule(session=SESSIONS)
    def release(self, session: str) -> None:
        if self.tries(Kind.DRIVER_RELEASED, session, {"session": session}):
            assert self.holder == session
            self.holder = None

    @rule(session=SESSIONS, to=SESSIONS)
    def offer(self, session: str, to: str) -> None:
        if self.tries(Kind.DRIVER_OFFERED, session, {"session": session, "to": to, "to_name": to}):
            assert self.holder == session != to

    @rule(session=SESSIONS)
    def decline(self, session: str) -> None:
        self.tries(Kind.DRIVER_DECLINED, session, {"session": session})

    @rule(session=SESSIONS, flag=st.sampled_from("ab"), carried=st.booleans())
    def write(self, session: str, flag: str, carried: bool) -> None:
        number = f"w{len(self.writers)}"
        body = {"flag": flag, "write_id": number, "action": "set", "percent": 1000}
        if carried:
            body["session"] = session
        if self.tries(Kind.WRITE_INTENT, session, body):
            self.writers.append((session if carried else "", self.holder))
            self.tries(Kind.WRITE_OUTCOME, session, {**body, "outcome": "done"})

    @rule()
    def fall_behind(self) -> None:
        self.old = self.flight

    @invariant()
    def one_holder_and_nobody_elses_hand(self) -> None:
        holder = self.flight.seat.holder
        assert (holder.session if holder is not None else None) == self.holder
        assert all(writer == (at_the_time or "") for writer, at_the_time in self.writers)
        assert self.flight.last_seq == self.accepted, "nothing lost, nothing doubled"


TestCockpits = Cockpits.TestCase
