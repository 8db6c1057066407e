"""The driver's seat and what waits for a second person, in words. Pure."""

from __future__ import annotations

from datetime import datetime

from cockpit.core import approvals
from cockpit.core.approvals import AdvanceRequest
from cockpit.core.seat_status import Present, SeatStatus
from cockpit.core.snapshot import Snapshot
from cockpit.face.view import Line, Role, age, clip, safe, since
from cockpit.face.view_lines import column, row, utc

_HOW = {
    "free": "it was free",
    "handed over": "handed over by {other}",
    "silence": "{other} was silent",
    "gone": "the cockpit of {other} was gone",
    "confirmed": "taken from {other} by a confirmed act",
    "rollback": "by declaring a rollback",
}


def others(snapshot: Snapshot) -> tuple[Present, ...]:
    """The cockpits that the seat could be handed to."""
    seat = snapshot.seat
    if seat is None:
        return ()
    return tuple(each for each in seat.present if each.session != seat.session)


def beat_of(seat: SeatStatus) -> Present | None:
    """The holder's heartbeat; None where the holder is gone."""
    holder = seat.holder
    return next((each for each in seat.present if holder and each.session == holder.session), None)


def takes_from_living(seat: SeatStatus) -> bool:
    """Whether taking the seat now would take it from somebody who is there and did not offer it."""
    beat = beat_of(seat)
    return beat is not None and not beat.silent and not seat.drives and not seat.offered_here


def seat_refusal(snapshot: Snapshot) -> str:
    """Why the seat cannot be taken from here; empty when it can."""
    if snapshot.read_only:
        return "this cockpit only watches: it cannot drive"
    if snapshot.seat is None:
        return "no driver's seat is known of"
    return "this cockpit drives already" if snapshot.seat.drives else ""


def holder_lines(snapshot: Snapshot, now: datetime) -> tuple[Line, ...]:
    """Who drives, since when and how, and when their heart was heard last."""
    seat = snapshot.seat
    if seat is None or seat.holder is None:
        return (row(("driver     ", Role.DIM), ("NOBODY DRIVES", Role.WARN)),)
    holder, beat = seat.holder, beat_of(seat)
    you = "  (this cockpit)" if seat.drives else ""
    how = _HOW[holder.how.value].replace("{other}", safe(holder.taken_from) or "somebody")
    heard: Line = (("GONE: its cockpit does not live any more", Role.WARN),)
    if beat is not None:
        heard = (_beat_words(beat, now),)
    rows = [
        row(("driver     ", Role.DIM), (safe(holder.name), Role.STRONG), (you, Role.OK)),
        row(
            ("since      ", Role.DIM),
            f"{utc(holder.since, now)}, {since(holder.since, now)} ago",
            f" · {how}",
        ),
        row(("heartbeat  ", Role.DIM), *heard),
    ]
    if seat.offer is not None:
        to = "this cockpit" if seat.offered_here else safe(seat.offer.name)
        rows.append(
            row(("offered    ", Role.DIM), (f"to {to}", Role.WARN), f", {since(seat.offer.at, now)} ago")
        )
    return tuple(rows)


def _beat_words(beat: Present, now: datetime) -> tuple[str, Role]:
    old = age(max(0.0, (now - beat.beat_at).total_seconds()))
    return (f"SILENT for {old}", Role.WARN) if beat.silent else (f"heard {old} ago", Role.OK)


def present_lines(snapshot: Snapshot, now: datetime, width: int, chosen: int) -> tuple[Line, ...]:
    """Everybody else who has the journal open; `chosen` is the one the seat would be handed to."""
    rows = [row(("other cockpits on this journal", Role.DIM))]
    for index, each in enumerate(others(snapshot)):
        mark = " ▸ " if index == chosen else "   "
        name = column(safe(each.name), max(16, min(40, width - 30)), Role.STRONG)
        rows.append(clip(row((mark, Role.KEY), name, " ", _beat_words(each, now)), width))
    if len(rows) == 1:
        rows.append(row(("   none", Role.DIM)))
    return tuple(rows)


def take_words(seat: SeatStatus) -> str:
    """What a press does, in capitals where somebody loses something by it."""
    if seat.holder is None:
        return "press D to take the free seat"
    if seat.offered_here:
        return f"press D to take the seat that {safe(seat.holder.name)} offers"
    if takes_from_living(seat):
        return f"press D to TAKE THE SEAT FROM {safe(seat.holder.name)}, WHO IS DRIVING"
    return f"press D to take the seat, {safe(seat.holder.name)} does not answer"


# --- what waits for a second person -------------------------------------------------------------------


def move_words(request: AdvanceRequest) -> str:
    return f"{safe(request.flag)}  {request.before} → {request.percent}"


def request_lines(request: AdvanceRequest, now: datetime) -> tuple[Line, ...]:
    """What is asked for, by whom, who has said yes, and until when."""
    left_s = max(0.0, (request.lapses_at - now).total_seconds())
    return (
        row((move_words(request), Role.STRONG)),
        row(("asked by   ", Role.DIM), safe(request.asker.name), f", {since(request.asker.at, now)} ago"),
        row(
            ("said yes   ", Role.DIM),
            (f"{request.tally} people: ", Role.STRONG),
            ", ".join(safe(given.name) for given in request.given),
        ),
        row(("lapses     ", Role.DIM), f"in {age(left_s)}, at {utc(request.lapses_at, now)}"),
    )


def request_refusal(snapshot: Snapshot, operator: str, now: datetime) -> str:
    """Why this person cannot approve from here; empty when they can."""
    request, seat = snapshot.request, snapshot.seat
    if request is None:
        return "nothing is asked for any more"
    if snapshot.read_only or seat is None:
        return "this cockpit only watches: it approves nothing"
    return approvals.why_not(request, operator=operator, session=seat.session, now=now)
