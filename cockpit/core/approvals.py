"""Going forward with more than one person: a forward move that is asked for, and who has said yes to it.

One request is open at a time. Approvers are different people in different cockpits, and who asks counts as
one of them. A request ends by itself with everything that was not known when people said yes: another
driver, another plan, a rollback, and any change of the flag. A rollback never comes here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from cockpit.core import driver
from cockpit.core.body import instant, number, percent, text
from cockpit.core.clean import Percent
from cockpit.core.dataclass import dataclass, replace
from cockpit.core.driver import DriverSeat
from cockpit.core.events import Event, Kind
from cockpit.core.rollback import IllegalEvent

LAPSES_AFTER_S: Final = 600.0
CARRIED_OUT_WITHIN_S: Final = 60.0
"""After the last yes. The driver's cockpit takes a quarter of a second; one that stood still or could not
write its journal for longer does not go forward on what people said long ago."""
GATE: Final = "approvals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's yes, from one cockpit."""

    operator: str
    host: str
    session: str
    at: datetime

    @property
    def name(self) -> str:
        return f"{self.operator}@{self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceRequest:
    """needed: how many people, with the one who asks. given: theirs, the asker's first."""

    id: str
    flag: str
    percent: Percent
    before: Percent
    needed: int
    lapses_at: datetime
    given: tuple[Approval, ...]

    @property
    def asker(self) -> Approval:
        return self.given[0]

    @property
    def complete(self) -> bool:
        return len(self.given) >= self.needed

    def too_old(self, now: datetime) -> bool:
        """Whether its last yes was said so long ago that it is no order any more."""
        return self.complete and (now - self.given[-1].at).total_seconds() > CARRIED_OUT_WITHIN_S

    @property
    def tally(self) -> str:
        return f"{len(self.given)} of {self.needed}"


def apply(
    request: AdvanceRequest | None, event: Event, seat: DriverSeat, *, rollback_open: bool
) -> AdvanceRequest | None:
    """Fold one event into the open request. Raises IllegalEvent, or ValueError for a broken body."""
    if event.kind is Kind.ADVANCE_REQUESTED:
        return _requested(request, event, seat, rollback_open=rollback_open)
    if event.kind in _ANSWERS:
        if request is None or text(event.body, "request") != request.id:
            raise IllegalEvent("that request is not open any more")
        return _ANSWERS[event.kind](request, event)
    if event.kind is Kind.FLAG_ASKED and text(event.body, "request"):
        _require_approved(request, event)
    if request is None:
        return None
    return None if _ends(request, event) else request


def why_not(request: AdvanceRequest, *, operator: str, session: str, now: datetime) -> str:
    """Why this person cannot approve it from this cockpit; empty when they can."""
    if now >= request.lapses_at:
        return f"the request has lapsed at {request.lapses_at:%H:%M:%S} UTC"
    if any(given.session == session for given in request.given):
        return "this cockpit has said yes already: another person approves from their own"
    if any(given.operator.casefold() == operator.casefold() for given in request.given):
        return f"{operator} has said yes already: another person has to approve"
    return ""


def _require_approved(request: AdvanceRequest | None, event: Event) -> None:
    """A forward move that names a request is exactly what enough people have said yes to."""
    body = event.body
    if request is None or text(body, "request") != request.id:
        raise IllegalEvent("that request is not open any more")
    if (text(body, "flag"), percent(body, "percent")) != (request.flag, request.percent):
        raise IllegalEvent(f"approved was {request.flag} to {request.percent}")
    if not request.complete:
        raise IllegalEvent(f"{request.tally} people have approved")


def _requested(
    request: AdvanceRequest | None, event: Event, seat: DriverSeat, *, rollback_open: bool
) -> AdvanceRequest:
    driver.require(seat, event.body)
    if rollback_open:
        raise IllegalEvent("no forward move while a rollback is open")
    if request is not None:
        asked = f"{request.flag} to {request.percent}, asked for by {request.asker.name}"
        raise IllegalEvent(
            f"a request is open already: {asked}; it lapses at {request.lapses_at:%H:%M:%S} UTC"
        )
    body = event.body
    wanted, before = percent(body, "percent"), percent(body, "before")
    if wanted is None or before is None:
        raise ValueError("percent: expected whole hundredths of a percent")
    return AdvanceRequest(
        id=text(body, "request"),
        flag=text(body, "flag"),
        percent=wanted,
        before=before,
        needed=int(number(body, "needed")),
        lapses_at=instant(body, "lapses_at"),
        given=(_approval(event),),
    )


def _approval(event: Event) -> Approval:
    body = event.body
    return Approval(operator=event.actor, host=text(body, "host"), session=text(body, "session"), at=event.at)


def _approved(request: AdvanceRequest, event: Event) -> AdvanceRequest:
    approval = _approval(event)
    refusal = why_not(request, operator=approval.operator, session=approval.session, now=event.at)
    if refusal:
        raise IllegalEvent(refusal)
    return replace(request, given=(*request.given, approval))


def _over(request: AdvanceRequest, event: Event) -> None:
    return None


_ANSWERS: Final[Mapping[Kind, Callable[[AdvanceRequest, Event], AdvanceRequest | None]]] = {
    Kind.ADVANCE_APPROVED: _approved,
    Kind.ADVANCE_DECLINED: _over,
    Kind.ADVANCE_WITHDRAWN: _over,
}
_END_ANY: Final = frozenset(
    {Kind.ROLLBACK_DECLARED, Kind.PLAN_TAKEN, Kind.DRIVER_TAKEN, Kind.DRIVER_RELEASED, Kind.FLIGHT_OPENED}
)
_END_OF_FLAG: Final = frozenset(
    {Kind.FLAG_ASKED, Kind.FLAG_FOREIGN, Kind.ROLLOUT_HELD, Kind.ROLLOUT_RELEASED}
)


def _ends(request: AdvanceRequest, event: Event) -> bool:
    if event.kind in _END_ANY:
        return True
    if event.body.get("flag") != request.flag:
        return False
    if event.kind is Kind.FLAG_SEEN:
        return percent(event.body, "exposure") != request.before
    return event.kind in _END_OF_FLAG
