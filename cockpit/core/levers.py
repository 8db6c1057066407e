"""When the second lever of a flag is offered and why, and by which lever a flag went. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cockpit.core.acts import FlagFact
from cockpit.core.clean import clean_text
from cockpit.core.driver import DriverSeat
from cockpit.core.events import Lever
from cockpit.core.rollback import Flip, FlipState, Rollback, SecondWay

SLOW_S: Final = 15.0
"""A first lever that has not brought the flag to zero by then is offered the second, whatever it says."""


def offer(rollback: Rollback, flip: Flip, fact: FlagFact, now: datetime) -> str:
    """Why the second lever is offered now; empty while it is not.

    As soon as the first said no for the last time, at once when its service is down (nothing leaves, or it
    cannot be read), when it lies, and when it takes too long. Not before the flip has begun: until then a
    question about a sick legacy may be open.
    """
    waits = flip.second is not None and not flip.second.used_up
    if not rollback.open or not rollback.flip_begun or flip.at_zero or waits:
        return ""
    if flip.used_up:
        return f"the first lever gave up: {flip.detail}" if flip.detail else "the first lever gave up"
    if flip.lied:
        return "the first lever lies: it accepted, and did not change"
    if flip.unsent:
        return f"the first lever is not reached: {flip.detail}"
    if fact.trouble:
        return f"the first lever cannot be read: {fact.trouble}"
    if flip.began_at is not None and (now - flip.began_at).total_seconds() >= SLOW_S:
        return f"the first lever takes longer than {SLOW_S:g} s"
    return ""


def no_right(who: str, service: str) -> str:
    """Why a write was not even tried. It is journalled with the driver's name: others read it, too."""
    return f"{who} has no right to write to {service}"


def barred(second: SecondWay | None, service: str, seat: DriverSeat, session: str, *, writable: bool) -> str:
    """Why the second lever cannot be pulled from here; empty when it can. writable: this process could
    write it.

    The driver writes it, whoever pulls. Where that one had no right to, pulling it again helps nothing:
    a cockpit that has the right takes the seat first.
    """
    failed, here = second is not None and second.used_up, seat.held_by(session)
    if not writable:
        elsewhere = ": D takes the seat in one that has it, L then pulls it there" if failed and here else ""
        return no_right("this cockpit", service) + elsewhere
    if second is None or not failed or here or seat.holder is None:
        return ""
    why = no_right(seat.holder.name, service)
    return f"D takes the seat, then L pulls it: the driver {why}" if second.detail == clean_text(why) else ""


def first_barred(flip: Flip, service: str, seat: DriverSeat, session: str, *, writable: bool) -> str:
    """What helps where the driver had no right to write the first lever, so that no retry does; empty where
    that is not the matter. The flip's own detail says who has no right.
    """
    if not flip.used_up or flip.at_zero or seat.holder is None:
        return ""
    if seat.held_by(session):
        return "" if writable else "D takes the seat in one that has it, F then retries there"
    refused = flip.detail == clean_text(no_right(seat.holder.name, service))
    return "D takes the seat, F then retries" if writable and refused else ""


def told(flip: Flip) -> str:
    """How far one flag is, for lines without a screen: state, lever, time, and what the first lever says."""
    second = flip.second
    if second is None or flip.lever is Lever.FIRST:
        took = f" after {flip.took_s:.1f} s" if flip.at_zero and flip.took_s is not None else ""
        tries = f", try {flip.attempts}" if flip.unsent else ""
        return f"{flip.state}{took}{tries}" + (f" ({flip.detail})" if flip.detail else "")
    if flip.by_hand:
        return f"by hand on {second.pulled_by}'s word ({second.note}); {_first(flip)}"
    if second.works:
        took = "" if second.took_s is None else f" after {second.took_s:.1f} s"
        return f"at zero by the second lever ({second.service}){took}; {_first(flip)}"
    detail = f" ({second.detail})" if second.detail else ""
    return f"second lever ({second.service}) {second.state}{detail}; {_first(flip)}"


def _first(flip: Flip) -> str:
    if flip.state is FlipState.AT_ZERO:
        return "the first lever reads zero too"
    return f"the first lever: {flip.state}" + (f" ({flip.detail})" if flip.detail else "")
