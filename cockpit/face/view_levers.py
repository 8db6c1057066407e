"""The levers of a rollback in words: by which one each flag went, and the offer of the second. Pure.

An offer names the key, the flag, the lever and its time before it says why, so that what counts stands on
the narrowest screen. What was done by hand never looks like what a machine has re-read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cockpit.core.clean import ZERO
from cockpit.core.dataclass import dataclass
from cockpit.core.events import Lever
from cockpit.core.rollback import Flip, FlipState, Rollback, SecondWay
from cockpit.core.snapshot import FlagStatus, SecondLeverStatus
from cockpit.face.view import Line, Role, Word, age, clip
from cockpit.face.view_lines import column, row, wrapped

KEY: Final = "L"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One flag whose second lever waits for a person."""

    flag: str
    lever: SecondLeverStatus

    @property
    def name(self) -> str:
        return self.lever.service or "by hand"


def offers(rollback: Rollback, flags: Sequence[FlagStatus]) -> tuple[Offer, ...]:
    """In the order in which flags go to zero."""
    levers = {flag.key: flag.second for flag in flags if flag.second is not None and flag.second.offer}
    order = sorted(rollback.flips, key=lambda flip: flip.layer) if rollback.open else []
    return tuple(Offer(flag=flip.flag, lever=levers[flip.flag]) for flip in order if flip.flag in levers)


def chosen(found: Sequence[Offer], focus: str) -> Offer | None:
    """The offer that the key takes: that of the focused flag, else the first."""
    return next((each for each in found if flag_id(each.flag) == focus), found[0] if found else None)


def not_offered(rollback: Rollback, flags: Sequence[FlagStatus], focus: str) -> str:
    """Why the key does nothing: what bars the focused flag's lever, else any flag's."""
    down = {flip.flag for flip in rollback.flips if not flip.at_zero}
    found = {flag_id(flag.key): flag.second.barred for flag in flags if flag.second and flag.key in down}
    why = found.get(focus) or next((barred for barred in found.values() if barred), "")
    return why or "no second lever is offered: the first one is still at work, or has none beside it"


def flag_id(flag: str) -> str:
    """How the focus names a flag's row; steps go by their own ids."""
    return f"flag:{flag}"


def offer_block(found: Sequence[Offer], focus: str, width: int) -> tuple[Line, ...]:
    """What failed, which key helps, what it does and how long it takes."""
    offer = chosen(found, focus)
    if offer is None:
        return ()
    lever, more = offer.lever, f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    failed = wrapped(f"{offer.flag}{more}: {lever.offer}", width - 2, limit=2)
    rows = [row(column(f" {text}", width, Role.ALARM)) for text in failed]
    takes = f"takes {age(lever.takes_s)}"
    key = (f"  {KEY} ", Role.KEY)
    if lever.manual:
        told = wrapped(lever.manual, width - 6, limit=2)
        rows.append(row(key, ("SECOND LEVER BY HAND", Role.BAD), f"  {takes}: do this, then press {KEY}"))
        rows.extend(row("    ", (text, Role.STRONG)) for text in told)
    else:
        words = f"  by {lever.service}, {takes}: {offer.flag} goes to 0% there"
        rows.append(row(key, ("SECOND LEVER", Role.BAD), words))
    return tuple(clip(each, width) for each in rows)


def lever_word(flip: Flip) -> Word | None:
    """How far the second lever is, where it is the one that counts; None while the first one does."""
    second = flip.second
    if second is None or flip.lever is Lever.FIRST:
        return None
    if flip.by_hand:
        return Word("☻", f"BY HAND, {second.pulled_by}", Role.WARN)
    if second.works:
        return Word("✓", f"at zero, 2nd{_took(second.took_s)}", Role.OK)
    if second.unsent:
        return Word("✗", f"2nd NOT REACHED, {second.attempts}", Role.BAD)
    if second.used_up:
        return Word("✗", "BOTH FAILED, needs you", Role.BAD)
    return _SECOND[second.state]


_SECOND: Final = {
    FlipState.WAITING: Word("→", "2nd lever pulled", Role.NOTE),
    FlipState.WRITING: Word("→", "2nd lever, writing", Role.NOTE),
    FlipState.ACCEPTED: Word("→", "2nd lever, re-reading", Role.NOTE),
    FlipState.UNKNOWN: Word("?", "2nd lever UNKNOWN", Role.UNKNOWN),
    FlipState.REFUSED: Word("→", "2nd refused, again", Role.WARN),
    FlipState.AT_ZERO: Word("→", "2nd lever, re-reading", Role.NOTE),
}


def zero_text(flip: Flip) -> str:
    """`at zero 0.4 s`: the time from the first intent to the read that saw it."""
    return f"at zero{_took(flip.took_s)}"


def _took(took_s: float | None) -> str:
    if took_s is None:
        return ""
    return f" {took_s:.1f} s" if took_s < 60 else f" {age(took_s)}"


def first_lever_words(flip: Flip, status: FlagStatus | None, now: datetime) -> str:
    """What the first lever says while the second holds the flag; empty where there is nothing to say."""
    if not flip.second_works:
        return ""
    value = status.configured.fresh_value(now) if status is not None else None
    if status is None or value is None or status.configured.failure is not None:
        return "1st not readable"
    if value.exposure == ZERO:
        return "1st reads 0% too"
    reads = "?" if value.exposure is None else str(value.exposure)
    return f"1st still reads {reads}"


def second_words(second: SecondWay | None) -> str:
    """For the incident text: the second lever in one clause."""
    if second is None:
        return ""
    if second.by_hand:
        return f"by hand, {second.pulled_by}: {second.note}"
    return f"second lever {second.service} pulled by {second.pulled_by}"
