"""The driver's seat as a journalled lease: who holds it, to whom it is offered, and who may take it how.

The seat is a fold of four event kinds. At most one session holds it; whatever moves or writes carries the
session that wants it, and an event of any other session than the holder's cannot follow: a cockpit that
lost the seat cannot write, however late it finds out. `way_in` decides what a session may do about it now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from cockpit.core.body import text
from cockpit.core.dataclass import dataclass, replace
from cockpit.core.events import Event, Kind
from cockpit.core.rollback import IllegalEvent

SILENT_AFTER_S: Final = 10.0
SILENT_IN_ROLLBACK_AFTER_S: Final = 3.0


class How(StrEnum):
    """How the seat was gained: nobody had it, it was offered, its holder was silent or gone, a person
    took it from a living one by a confirmed act, or declared a rollback."""

    FREE = "free"
    HANDED_OVER = "handed over"
    SILENCE = "silence"
    GONE = "gone"
    CONFIRMED = "confirmed"
    ROLLBACK = "rollback"


_FROM_SOMEBODY: Final = frozenset({How.HANDED_OVER, How.SILENCE, How.GONE, How.CONFIRMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One session in the seat. taken_from: who held it until then, empty for nobody."""

    session: str
    operator: str
    host: str
    since: datetime
    how: How
    taken_from: str = ""

    @property
    def name(self) -> str:
        return f"{self.operator}@{self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The seat, offered by its holder to one session, which takes or declines it."""

    session: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverSeat:
    """known: the journal has told of a holder at least once; older journals never do."""

    holder: Holder | None = None
    offer: Offer | None = None
    known: bool = False

    def held_by(self, session: str) -> bool:
        return self.holder is not None and self.holder.session == session


def apply(seat: DriverSeat, event: Event) -> DriverSeat:
    """Fold one event of the seat. Raises IllegalEvent, naming who drives, or ValueError for a broken body."""
    return _FOLDS[event.kind](seat, event)


def concerns(event: Event) -> bool:
    return event.kind in _FOLDS


def require(seat: DriverSeat, body: Mapping[str, object]) -> None:
    """Raises IllegalEvent unless this body is the holder's own. A journal that never told of a holder,
    from an older cockpit, has bodies without a session, and these are tolerated there."""
    session = text(body, "session")
    if seat.held_by(session) or (not seat.known and not session):
        return
    raise IllegalEvent(f"{who_drives(seat)}; this cockpit does not drive")


def who_drives(seat: DriverSeat) -> str:
    """`kim@host drives since 03:00:00 UTC`, or that nobody does."""
    holder = seat.holder
    return "nobody drives" if holder is None else f"{holder.name} drives since {holder.since:%H:%M:%S} UTC"


def way_in(
    seat: DriverSeat, session: str, *, present: Collection[str], silent: Collection[str], released_here: bool
) -> How | None:
    """How this session may take the seat by itself now; None: it sits beside.

    present: the sessions whose cockpits live. silent: those of them that have not beaten for too long.
    released_here: a person gave the seat up here, so that it is not taken back unasked.
    """
    holder = seat.holder
    if holder is not None and holder.session == session:
        return None
    if released_here:
        return None
    if holder is None:
        return How.FREE
    if holder.session not in present:
        return How.GONE
    return How.SILENCE if holder.session in silent else None


def asked_way_in(
    seat: DriverSeat, session: str, *, present: Collection[str], silent: Collection[str]
) -> How | None:
    """How this session takes the seat when a person wants it; None: it holds it already."""
    if seat.held_by(session):
        return None
    if seat.offer is not None and seat.offer.session == session:
        return How.HANDED_OVER
    itself = way_in(seat, session, present=present, silent=silent, released_here=False)
    return itself or How.CONFIRMED


def taken_body(seat: DriverSeat, session: str, host: str, how: How) -> dict[str, object]:
    """The body of the event by which this session takes the seat from whoever holds it in `seat`."""
    holder = seat.holder
    return {
        "session": session,
        "host": host,
        "how": how.value,
        "from": None if holder is None else holder.session,
        "from_name": "" if holder is None else holder.name,
    }


def _taken(seat: DriverSeat, event: Event) -> DriverSeat:
    body, holder = event.body, seat.holder
    session, how = text(body, "session"), How(text(body, "how"))
    if not session:
        raise IllegalEvent("nobody can take the seat without a session")
    if holder is not None and holder.session == session:
        raise IllegalEvent("this cockpit drives already")
    if text(body, "from") != ("" if holder is None else holder.session):
        raise IllegalEvent(f"{who_drives(seat)}: the seat is not taken from whom it was to be taken")
    if how is How.FREE and holder is not None:
        raise IllegalEvent(f"{who_drives(seat)}: the seat is not free")
    if how in _FROM_SOMEBODY and holder is None:
        raise IllegalEvent("nobody drives: the seat can only be taken as free")
    if how is How.HANDED_OVER and (seat.offer is None or seat.offer.session != session):
        raise IllegalEvent(f"{who_drives(seat)} and has not offered this cockpit the seat")
    taken = Holder(
        session=session,
        operator=event.actor,
        host=text(body, "host"),
        since=event.at,
        how=how,
        taken_from="" if holder is None else holder.name,
    )
    return DriverSeat(holder=taken, known=True)


def _released(seat: DriverSeat, event: Event) -> DriverSeat:
    require(seat, event.body)
    return DriverSeat(known=True)


def _offered(seat: DriverSeat, event: Event) -> DriverSeat:
    body = event.body
    require(seat, body)
    to = text(body, "to")
    if not to or seat.held_by(to):
        raise IllegalEvent("the seat is offered to another cockpit than the one that drives")
    return replace(seat, offer=Offer(session=to, name=text(body, "to_name"), at=event.at))


def _declined(seat: DriverSeat, event: Event) -> DriverSeat:
    """By the one it was offered to, or withdrawn by the holder."""
    session, offer = text(event.body, "session"), seat.offer
    if offer is None or (session != offer.session and not seat.held_by(session)):
        raise IllegalEvent("the seat is not offered to this cockpit")
    return replace(seat, offer=None)


_FOLDS: Final[Mapping[Kind, Callable[[DriverSeat, Event], DriverSeat]]] = {
    Kind.DRIVER_TAKEN: _taken,
    Kind.DRIVER_RELEASED: _released,
    Kind.DRIVER_OFFERED: _offered,
    Kind.DRIVER_DECLINED: _declined,
}
