"""The flight: everything the journal knows, folded into one value.

`apply` takes events in order. What a flag was asked, held, overridden, what was last seen of it, the
open rollback and the proposal are all facts of the journal; readings are not in here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Final

from cockpit.core import approvals, checklist, driver, rollback_fold
from cockpit.core.approvals import AdvanceRequest
from cockpit.core.body import instant, number, objects, optional_instant, percent, text
from cockpit.core.checklist import Signatures
from cockpit.core.clean import ZERO, Percent
from cockpit.core.dataclass import dataclass, replace
from cockpit.core.driver import DriverSeat
from cockpit.core.events import Event, Kind, second_lever
from cockpit.core.model import ForeignChange
from cockpit.core.rollback import IllegalEvent, Rollback
from cockpit.core.snapshot import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingWrite:
    """A write that no read has settled yet. answered: its outcome is journalled, so none is in flight.

    seq: the event that changed it last; only a read that began after it settles anything.
    """

    write_id: str
    action: str
    percent: Percent | None
    at: datetime
    seq: int = 0
    answered: bool = False
    unknown: bool = False
    detail: str = ""
    limit_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagFlight:
    """asked: what this flight wants; None until it wanted something. seen_*: the last setting that is
    accounted for, so that any other reading is a foreign change. overrides: (signal, stage percent, who).
    second: an unanswered write through the second lever. wall_ahead_s: by how much the wall clock has jumped
    since `stage_since`, as far as a cockpit saw it.
    """

    key: str
    asked: Percent | None = None
    asked_at: datetime | None = None
    asked_by: str = ""
    asked_before: Percent | None = None
    seen: bool = False
    seen_exposure: Percent | None = None
    seen_at: datetime | None = None
    seen_seq: int = 0
    stage_since: datetime | None = None
    wall_ahead_s: float = 0.0
    held_by: str | None = None
    held_reason: str = ""
    overrides: tuple[tuple[str, Percent, str], ...] = ()
    pending: PendingWrite | None = None
    second: PendingWrite | None = None
    trouble: str = ""
    foreign: ForeignChange | None = None

    @property
    def writing(self) -> bool:
        """Whether a write through either lever is unanswered."""
        return (self.pending is not None and not self.pending.answered) or self.second is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """ahead_since_closed_s: by how much the wall clock has jumped since the last rollback was closed."""

    last_seq: int = 0
    opened_at: datetime | None = None
    plan_digest: str = ""
    environment: str = ""
    flags: Mapping[str, FlagFlight] = field(default_factory=dict)
    rollback: Rollback | None = None
    closed: tuple[Rollback, ...] = ()
    ahead_since_closed_s: float = 0.0
    proposal: Proposal | None = None
    first_breach_at: datetime | None = None
    clock_jump: tuple[datetime, float] | None = None
    seat: DriverSeat = field(default_factory=DriverSeat)
    signatures: Signatures = field(default_factory=dict)
    request: AdvanceRequest | None = None

    def flag(self, key: str) -> FlagFlight:
        return self.flags.get(key) or FlagFlight(key=key)

    @property
    def last_closed(self) -> Rollback | None:
        return self.closed[-1] if self.closed else None


def fold(events: Iterable[Event], start: Flight | None = None) -> Flight:
    flight = start or Flight()
    for event in events:
        flight = apply(flight, event)
    return flight


def apply(flight: Flight, event: Event) -> Flight:
    """Fold one event. Raises IllegalEvent (changing nothing) when it cannot follow what was before."""
    if event.seq != flight.last_seq + 1:
        raise IllegalEvent(f"event {event.seq} after {flight.last_seq}")
    moved = replace(flight, last_seq=event.seq)
    if flight.rollback is not None and rollback_fold.concerns(flight.rollback, event):
        moved = _with_rollback(moved, rollback_fold.apply(flight.rollback, event))
    rollback_open = flight.rollback is not None
    request = approvals.apply(moved.request, event, moved.seat, rollback_open=rollback_open)
    if request is not moved.request:
        moved = replace(moved, request=request)
    if driver.concerns(event):
        return replace(moved, seat=driver.apply(moved.seat, event))
    step = _FOLDS.get(event.kind)
    return step(moved, event) if step is not None else moved


def _with_rollback(flight: Flight, rollback: Rollback) -> Flight:
    if rollback.open:
        return replace(flight, rollback=rollback)
    if rollback.closed_at is not None:
        closed = (*flight.closed, rollback)
        return replace(flight, rollback=None, closed=closed, ahead_since_closed_s=0.0)
    return replace(flight, rollback=None, flags={**flight.flags, **_unasked(flight, rollback)})


def _unasked(flight: Flight, rollback: Rollback) -> Mapping[str, FlagFlight]:
    """A cancelled rollback wrote nothing: its flags are asked what they were asked before, and what held
    them holds them still."""
    flags = [flight.flag(key) for key in rollback.flags]
    return {flag.key: replace(flag, asked=flag.asked_before) for flag in flags}


def _with_flag(flight: Flight, flag: FlagFlight) -> Flight:
    return replace(flight, flags={**flight.flags, flag.key: flag})


def _flag(flight: Flight, event: Event) -> FlagFlight:
    return flight.flag(text(event.body, "flag"))


def _opened(flight: Flight, event: Event) -> Flight:
    """Another environment is another flight: nothing that was asked, seen or held there counts here.

    An open rollback stays, in its own environment: see `elsewhere`.
    """
    digest, environment = text(event.body, "plan_digest"), text(event.body, "environment")
    if elsewhere(flight, environment):
        if flight.rollback is not None:
            return flight
        flight = Flight(last_seq=flight.last_seq, clock_jump=flight.clock_jump, seat=flight.seat)
    opened_at = flight.opened_at or event.at
    return replace(flight, opened_at=opened_at, plan_digest=digest, environment=environment)


def elsewhere(flight: Flight, environment: str) -> bool:
    """Whether what the flight knows was true of another environment than this one."""
    return flight.opened_at is not None and flight.environment != environment


def _plan_taken(flight: Flight, event: Event) -> Flight:
    return replace(flight, plan_digest=text(event.body, "digest"))


def _asked(flight: Flight, event: Event) -> Flight:
    if flight.rollback is not None:
        raise IllegalEvent("no forward move while a rollback is open")
    driver.require(flight.seat, event.body)
    flag = _flag(flight, event)
    asked = replace(
        flag,
        asked=percent(event.body, "percent"),
        asked_at=event.at,
        asked_by=event.actor,
        asked_before=percent(event.body, "before"),
        trouble="",
    )
    return _with_flag(flight, asked)


def _intent(flight: Flight, event: Event) -> Flight:
    """The second lever's write stands beside what the first one has pending, and never moves forward."""
    driver.require(flight.seat, event.body)
    flag = _flag(flight, event)
    if flag.writing:
        raise IllegalEvent(f"{flag.key} has a write in flight")
    if second_lever(event):
        if text(event.body, "action") != "kill":
            raise IllegalEvent(f"{flag.key}: a second lever only ever goes to zero")
        return _with_flag(flight, replace(flag, second=_pending(event)))
    if flight.rollback is not None and text(event.body, "action") == "set":
        raise IllegalEvent("no forward write while a rollback is open")
    pending = _pending(event)
    if pending.action == "kill":
        flag = replace(flag, foreign=None, held_by=None, held_reason="", overrides=())
    return _with_flag(flight, replace(flag, pending=pending))


def _pending(event: Event) -> PendingWrite:
    limit_s = event.body.get("limit_s")
    return PendingWrite(
        write_id=text(event.body, "write_id"),
        action=text(event.body, "action"),
        percent=percent(event.body, "percent"),
        at=event.at,
        seq=event.seq,
        limit_s=float(limit_s) if isinstance(limit_s, int | float) else 0.0,
    )


def _outcome(flight: Flight, event: Event) -> Flight:
    flag = _flag(flight, event)
    if second_lever(event):
        if flag.second is None or flag.second.write_id != text(event.body, "write_id"):
            raise IllegalEvent(f"{flag.key} has no such write in flight through its second lever")
        return _with_flag(flight, replace(flag, second=None))
    if flag.pending is None or flag.pending.write_id != text(event.body, "write_id"):
        raise IllegalEvent(f"{flag.key} has no such write in flight")
    outcome, detail = text(event.body, "outcome"), text(event.body, "detail")
    if outcome == "refused":
        return _with_flag(flight, _refused(flag, detail))
    if flag.pending.action == "zero" and outcome == "done":
        return _with_flag(flight, replace(flag, pending=None))
    answered = replace(flag.pending, answered=True, unknown=outcome == "unknown", detail=detail)
    pending = replace(answered, at=event.at, seq=event.seq)
    return _with_flag(flight, replace(flag, pending=pending, trouble=detail if pending.unknown else ""))


def _refused(flag: FlagFlight, detail: str) -> FlagFlight:
    """A refused forward move asks for nothing any more; a refused kill still wants zero. What was asked
    before it is forgotten where a rollback was declared and cancelled meanwhile: then it is what was seen."""
    if flag.pending is not None and flag.pending.action == "set" and flag.asked == flag.pending.percent:
        before = flag.seen_exposure if flag.asked_before == flag.asked else flag.asked_before
        flag = replace(flag, asked=before)
    return replace(flag, pending=None, trouble=detail)


def _seen(flight: Flight, event: Event) -> Flight:
    """What the second lever's service says is no setting of the flag itself."""
    if second_lever(event):
        return flight
    flag = _flag(flight, event)
    if flag.pending is not None and not flag.pending.answered:
        raise IllegalEvent(f"{flag.key} has a write in flight: a read now proves nothing")
    exposure = percent(event.body, "exposure")
    changed = not flag.seen or exposure != flag.seen_exposure
    seen = replace(
        flag,
        seen=True,
        seen_exposure=exposure,
        seen_at=event.at,
        seen_seq=event.seq,
        stage_since=event.at if changed else flag.stage_since,
        wall_ahead_s=0.0 if changed else flag.wall_ahead_s,
        pending=None,
        overrides=() if changed else flag.overrides,
    )
    pending = flag.pending
    moved = pending is not None and pending.action == "set" and flag.asked == pending.percent
    if pending is not None and moved and exposure != pending.percent:
        trouble = f"asked {pending.percent}, but it reads {'unclear' if exposure is None else exposure}"
        seen = replace(seen, asked=exposure, trouble=trouble)
    elif pending is not None:
        seen = replace(seen, trouble="")
    return _with_flag(flight, seen)


def _foreign(flight: Flight, event: Event) -> Flight:
    flag, body = _flag(flight, event), event.body
    change = ForeignChange(
        at=event.at,
        before=text(body, "before"),
        after=text(body, "after"),
        who=text(body, "who") or None,
        raised=bool(body.get("raised")),
    )
    reason = f"changed by someone else: {change.before} → {change.after}"
    return _with_flag(
        flight,
        replace(
            flag,
            foreign=change,
            seen=True,
            seen_exposure=percent(body, "exposure"),
            seen_at=event.at,
            seen_seq=event.seq,
            stage_since=event.at,
            wall_ahead_s=0.0,
            overrides=(),
            held_by=flag.held_by or event.actor,
            held_reason=flag.held_reason or reason,
        ),
    )


def _held(flight: Flight, event: Event) -> Flight:
    return _with_flag(
        flight, replace(_flag(flight, event), held_by=event.actor, held_reason=text(event.body, "reason"))
    )


def _released(flight: Flight, event: Event) -> Flight:
    """Releasing a hold also accepts a foreign change: the flag is now asked to be what it is."""
    flag = _flag(flight, event)
    if flag.foreign is not None:
        flag = replace(flag, asked=flag.seen_exposure, asked_at=event.at, asked_by=event.actor, foreign=None)
    return _with_flag(flight, replace(flag, held_by=None, held_reason=""))


def _overridden(flight: Flight, event: Event) -> Flight:
    flag, stage = _flag(flight, event), percent(event.body, "percent")
    if stage is None:
        raise IllegalEvent("an override is for one stage")
    row = (text(event.body, "signal"), stage, event.actor)
    return _with_flag(flight, replace(flag, overrides=(*flag.overrides, row)))


def _proposed(flight: Flight, event: Event) -> Flight:
    body = event.body
    proposal = Proposal(
        signal=text(body, "signal"),
        text=text(body, "text"),
        value=text(body, "value"),
        limit=text(body, "limit"),
        since=instant(body, "since"),
        goes_at=optional_instant(body, "goes_at"),
    )
    return replace(flight, proposal=proposal, first_breach_at=flight.first_breach_at or proposal.since)


def _proposal_cleared(flight: Flight, event: Event) -> Flight:
    return replace(flight, proposal=None, first_breach_at=None)


def _vetoed(flight: Flight, event: Event) -> Flight:
    if flight.proposal is None:
        raise IllegalEvent("there is no proposal to veto")
    vetoed = replace(
        flight.proposal, vetoed_by=event.actor, veto_reason=text(event.body, "reason"), vetoed_at=event.at
    )
    return replace(flight, proposal=vetoed)


def _clock_jumped(flight: Flight, event: Event) -> Flight:
    """Every stage that stands already has stood shorter or longer than the wall clock now says."""
    by_s = number(event.body, "by_s")
    flags = {key: replace(flag, wall_ahead_s=flag.wall_ahead_s + by_s) for key, flag in flight.flags.items()}
    ahead_s = flight.ahead_since_closed_s + by_s
    return replace(flight, clock_jump=(event.at, by_s), flags=flags, ahead_since_closed_s=ahead_s)


def _signed(flight: Flight, event: Event) -> Flight:
    return replace(flight, signatures=checklist.signed(flight.signatures, event))


def _withdrawn(flight: Flight, event: Event) -> Flight:
    return replace(flight, signatures=checklist.withdrawn(flight.signatures, event))


def _declared(flight: Flight, event: Event) -> Flight:
    if flight.rollback is not None:
        raise IllegalEvent("a rollback is open already")
    rollback = rollback_fold.declared(event)
    flags = _asked_to_zero(flight, rollback.flags, event)
    return replace(flight, flags=flags, rollback=rollback, proposal=None, first_breach_at=None)


def _widened(flight: Flight, event: Event) -> Flight:
    if flight.rollback is None or not rollback_fold.concerns(flight.rollback, event):
        raise IllegalEvent("there is no such rollback to widen")
    added = [text(row, "flag") for row in objects(event.body, "flags")]
    return replace(flight, flags=_asked_to_zero(flight, added, event), proposal=None, first_breach_at=None)


def _asked_to_zero(flight: Flight, keys: Iterable[str], event: Event) -> Mapping[str, FlagFlight]:
    flags = dict(flight.flags)
    for key in keys:
        flag = flight.flag(key)
        flags[key] = replace(
            flag, asked=ZERO, asked_at=event.at, asked_by=event.actor, asked_before=flag.asked
        )
    return flags


_FOLDS: Final[Mapping[Kind, Callable[[Flight, Event], Flight]]] = {
    Kind.FLIGHT_OPENED: _opened,
    Kind.FLIGHT_RESUMED: _opened,
    Kind.PLAN_TAKEN: _plan_taken,
    Kind.FLAG_ASKED: _asked,
    Kind.WRITE_INTENT: _intent,
    Kind.WRITE_OUTCOME: _outcome,
    Kind.FLAG_SEEN: _seen,
    Kind.FLAG_FOREIGN: _foreign,
    Kind.ROLLOUT_HELD: _held,
    Kind.ROLLOUT_RELEASED: _released,
    Kind.VERDICT_OVERRIDDEN: _overridden,
    Kind.PROPOSAL_RAISED: _proposed,
    Kind.PROPOSAL_CLEARED: _proposal_cleared,
    Kind.PROPOSAL_VETOED: _vetoed,
    Kind.CHECK_SIGNED: _signed,
    Kind.CHECK_WITHDRAWN: _withdrawn,
    Kind.ROLLBACK_DECLARED: _declared,
    Kind.ROLLBACK_WIDENED: _widened,
    Kind.CLOCK_JUMPED: _clock_jumped,
}
