"""The lines that say in one second whether to worry: banner, reason, strips, notice.

All take `now` from the reader's clock. What they say of the engine's silence depends on nothing that
the engine sends, so a dead engine cannot look calm.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from rich.cells import cell_len

from cockpit.core.model import Health, Mode, Verdict
from cockpit.core.rollback import Rollback
from cockpit.core.snapshot import FOLLOWING, NOBODY_PUBLISHES, Level, Proposal, Reason, Snapshot
from cockpit.face.view import (
    LEVEL_ORDER,
    LEVEL_WORD,
    VERDICT_WORD,
    Line,
    Role,
    Segment,
    age,
    clip,
    clock_text,
    cut,
    pad,
    safe,
    since,
    width_of,
    worst,
)
from cockpit.face.view_lines import wrapped
from cockpit.face.view_needs import needs
from cockpit.face.view_rollback import countdown
from cockpit.face.view_signals import signal_word

SILENT_AFTER_S: Final = 5.0
MENTION_AGE_AFTER_S: Final = 3.0
NAME_WIDTH: Final = 24

_MODE: Final = {
    Mode.LIVE: ("LIVE", Role.LIVE),
    Mode.DEMO: ("DEMO - practice world", Role.DEMO),
    Mode.DRILL: ("DRILL - nothing here is real", Role.DRILL),
    Mode.WATCH: ("READ-ONLY", Role.WATCH),
}


def data_age_s(snapshot: Snapshot, now: datetime) -> float:
    """By the reader's clock; an observer's own word that no picture came counts too, so that a clock which
    was set back makes no old picture young."""
    since = [reason.since for reason in snapshot.reasons if reason.subject == FOLLOWING and reason.since]
    return max(0.0, *((now - at).total_seconds() for at in (snapshot.engine_at, *since)))


def silent(snapshot: Snapshot, now: datetime) -> bool:
    return data_age_s(snapshot, now) > SILENT_AFTER_S


def silence(snapshot: Snapshot, now: datetime) -> tuple[str, str]:
    """The silence in large words and as a clause; an observer tells a silent driver from not seeing one."""
    old = age(data_age_s(snapshot, now))
    if snapshot.mode is not Mode.WATCH:
        return f"ENGINE SILENT {old}", f"the engine said nothing for {old}"
    blind = next((each.what for each in snapshot.reasons if each.subject == FOLLOWING), NOBODY_PUBLISHES)
    if blind == NOBODY_PUBLISHES:
        return f"DRIVER SILENT {old}: {NOBODY_PUBLISHES}", f"{NOBODY_PUBLISHES} for {old}"
    return f"DRIVER OUT OF SIGHT {old}", safe(blind)


def mode_words(snapshot: Snapshot) -> tuple[str, Role]:
    """The mode in words: what is real here, and whether anything can be touched."""
    words, role = _MODE[snapshot.mode]
    if snapshot.mode in (Mode.LIVE, Mode.WATCH):
        words = f"{words} · {safe(snapshot.environment)}"
    if snapshot.read_only and snapshot.mode is not Mode.WATCH:
        words, role = f"READ-ONLY · {words}", Role.WATCH
    return words, role


def banner(snapshot: Snapshot, now: datetime, width: int) -> Line:
    """One full line of the mode's colour: mode, plan, who, UTC, how old the data are."""
    mode, role = mode_words(snapshot)
    data_s = data_age_s(snapshot, now)
    data = f"data {age(data_s)} old" if data_s >= MENTION_AGE_AFTER_S else "data live"
    if silent(snapshot, now):
        mode, role, data = f"{silence(snapshot, now)[0]} · {mode}", Role.ALARM, ""
    right = "  ".join(part for part in (driver_words(snapshot), f"{clock_text(now)} UTC", data) if part)
    return _ends(((f" {mode} ", role),), f" {safe(snapshot.plan_title)}", f" {right} ", width, role)


def driver_words(snapshot: Snapshot) -> str:
    """Who holds the driver's seat, on which host; for a picture of an older cockpit, who made it."""
    seat = snapshot.seat
    if seat is None or (seat.holder is None and snapshot.mode is Mode.WATCH):
        maker = f"{safe(snapshot.operator)}@{safe(snapshot.host)}" if snapshot.operator else ""
        return f"driver {maker}" if maker and snapshot.mode is Mode.WATCH else maker
    if seat.holder is None:
        return "nobody drives"
    name = cut(safe(seat.holder.name), NAME_WIDTH)
    if not seat.holder_lives:
        return f"driver {name}, no heartbeat"
    if snapshot.read_only or not seat.drives:
        return f"driver {name}"
    return f"you drive, {name}"


def _ends(head: Line, middle: str, right: str, width: int, role: Role) -> Line:
    """Exactly `width` cells: head and right end whole, the middle gives way; where even they do not fit, the
    right end is cut."""
    tail: Line = ((right, role),)
    room = max(0, width - width_of(head) - width_of(tail))
    body = pad(((middle, role),), room)
    line = clip(tuple((text, role) for text, _ in (*head, *body, *tail)), width)
    return (*line, (" " * (width - width_of(line)), role)) if width_of(line) < width else line


# --- the reason line ---------------------------------------------------------------------------------

_BLOCK: Final = {
    Level.OK: Role.OK,
    Level.NOTE: Role.NOTE,
    Level.UNKNOWN: Role.DOUBT,
    Level.WARN: Role.CAUTION,
    Level.BAD: Role.ALARM,
}


def level_now(snapshot: Snapshot, now: datetime) -> Level:
    """The engine's level, never better than what the reader's own clock says about its silence."""
    if silent(snapshot, now):
        return worst((snapshot.level, Level.UNKNOWN))
    return worst((snapshot.level, *(reason.level for reason in snapshot.reasons)))


def worst_reason(snapshot: Snapshot) -> Reason | None:
    return max(snapshot.reasons, key=lambda reason: LEVEL_ORDER.index(reason.level), default=None)


def _first_told(snapshot: Snapshot) -> Reason | None:
    """The worst reason; of several as bad, one that the strip of the open proposal does not tell anyway."""
    worst_one, proposal = worst_reason(snapshot), snapshot.proposal
    if worst_one is None or proposal is None or proposal.vetoed_by is not None:
        return worst_one
    as_bad = (each for each in snapshot.reasons if each.level is worst_one.level)
    return next((each for each in as_bad if each.what != proposal.text), worst_one)


def reason_line(snapshot: Snapshot, now: datetime, width: int, *, above_strips: bool = False) -> Line:
    """The worst thing there is: what tripped, value, limit, since when, and how many more.

    above_strips: the strips stand below, and what they tell is not told twice where there is more.
    """
    level = level_now(snapshot, now)
    block: Segment = (f" {LEVEL_WORD[level]} ", _BLOCK[level])
    if silent(snapshot, now):
        words: Line = ((f" {silence(snapshot, now)[1]}", Role.STRONG),)
        words += ((f": everything below is {age(data_age_s(snapshot, now))} old", Role.TEXT),)
        return clip((block, *words), width)
    reason = _first_told(snapshot) if above_strips else worst_reason(snapshot)
    if reason is None:
        calm = calm_words(snapshot, now, width - width_of((block,)) - 1)
        return clip((block, (f" {calm}", Role.DIM)), width)
    others = len(snapshot.reasons) - 1
    more: Line = ((f" +{others} more", Role.STRONG),) if others else ()
    words = reason_words(reason, now)
    return (*clip((block, (" ", Role.TEXT), *words), max(0, width - width_of(more))), *more)


def reason_words(reason: Reason, now: datetime) -> Line:
    value = f" {safe(reason.value)}" if reason.value else ""
    limit = f" (limit {safe(reason.limit)})" if reason.limit else ""
    lasting = f" for {since(reason.since, now)}" if reason.since is not None else ""
    return (
        (f"{safe(reason.subject)}: ", Role.STRONG),
        (safe(reason.what), Role.TEXT),
        (value, LEVEL_WORD[reason.level].role),
        (limit, Role.TEXT),
        (lasting, Role.DIM),
    )


def calm_words(snapshot: Snapshot, now: datetime, width: int) -> str:
    """What was looked at, in numbers: quiet is only good news when something was seen. Where not all of it
    fits, the numbers do."""
    probes = [probe for backend in snapshot.backends for probe in backend.probes]
    values = [probe.reading.fresh_value(now) for probe in probes]
    healthy = sum(value is not None and value.health is Health.OK for value in values)
    read = sum(flag.configured.fresh_value(now) is not None for flag in snapshot.flags)
    not_worse = VERDICT_WORD[Verdict.NOT_WORSE]
    good = sum(signal_word(signal, now) is not_worse for signal in snapshot.signals)
    calm = snapshot.level is Level.OK
    judged = (
        f"{good} of {len(snapshot.signals)} signals NOT WORSE" if snapshot.signals else "no signal compared"
    )
    numbers = f"{read} of {len(snapshot.flags)} flags read · {healthy} of {len(probes)} probes OK · {judged}"
    words = f"{'nothing tripped' if calm else 'no reason given'} · {numbers}"
    return words if not calm or cell_len(words) <= width else numbers


# --- strips: what must not be overlooked ----------------------------------------------------------------


def strips(snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
    """Zero to six full lines between reason and panels, the most urgent first."""
    lines = [
        _rollback_strip(snapshot, now, width),
        _proposal_strip(snapshot, now, width),
        _journal_strip(snapshot, width),
        _seat_strip(snapshot, width),
        _request_strip(snapshot, now, width),
        _plan_strip(snapshot, width),
    ]
    return tuple(line for line in lines if line)


def _strip(role: Role, head: str, words: str, key: str, width: int) -> Line:
    tail = f" {key} " if key else ""
    return _ends(((f" {head}  ", role),), words, tail, width, role)


def _rollback_strip(snapshot: Snapshot, now: datetime, width: int) -> Line:
    rollback = snapshot.rollback
    if rollback is None or not rollback.open:
        return ()
    time = countdown(rollback, now)
    role = Role.ALARM if time.role is Role.BAD else Role.CAUTION
    words = rollback_words(rollback, snapshot, now)
    return _strip(role, f"ROLLBACK  {time.digits} {time.word}", words, "R shows it", width)


def rollback_words(rollback: Rollback, snapshot: Snapshot, now: datetime) -> str:
    """Where an open rollback stands: whether it waits for a person, flags, step."""
    waiting = needs(rollback, now, snapshot.flags, snapshot.gauges)
    parts = ["NEEDS YOU"] if any(need.role in (Role.BAD, Role.WARN) for need in waiting) else []
    at_zero = sum(flip.at_zero for flip in rollback.flips)
    parts.append(f"{at_zero} of {len(rollback.flips)} flags at zero")
    step = next((step for step in rollback.steps if not step.settled), None)
    if step is not None:
        parts.append(safe(step.title))
    return " · ".join(parts)


def _proposal_strip(snapshot: Snapshot, now: datetime, width: int) -> Line:
    proposal = snapshot.proposal
    if proposal is None or (snapshot.rollback is not None and snapshot.rollback.open):
        return ()
    words = _proposed_words(proposal, snapshot, now)
    if proposal.vetoed_by is not None:
        by = f"vetoed by {safe(proposal.vetoed_by)}: {safe(proposal.veto_reason)}"
        return _strip(Role.CAUTION, "ROLLBACK VETOED", f"{words} · {by}", "", width)
    key = "" if snapshot.read_only else "R roll back"
    if proposal.goes_at is not None:
        left_s = max(0, round((proposal.goes_at - now).total_seconds()))
        key = "" if snapshot.read_only else "R now, or veto there"
        return _strip(Role.ALARM, f"ROLLS BACK BY ITSELF IN {left_s} s", words, key, width)
    return _strip(Role.ALARM, "ROLLBACK PROPOSED", words, key, width)


def _proposed_words(proposal: Proposal, snapshot: Snapshot, now: datetime) -> str:
    """What tripped and since when; then, as far as there is room, by how much."""
    for_how_long = f"for {since(proposal.since, now)}"
    signal = next((each for each in snapshot.signals if each.name == proposal.signal), None)
    if signal is None:
        return f"{safe(proposal.text)}, {for_how_long}"
    how = safe(proposal.text.removeprefix(f"{signal.title}: "))
    return f"{safe(signal.title)} {signal_word(signal, now).text}, {for_how_long} · {how}"


def _journal_strip(snapshot: Snapshot, width: int) -> Line:
    if snapshot.journal.ok:
        return ()
    words = f"rollback still works, forward moves are refused · {safe(snapshot.journal.detail)}"
    return _strip(Role.ALARM, "JOURNAL CANNOT BE WRITTEN", words, "", width)


def _seat_strip(snapshot: Snapshot, width: int) -> Line:
    """What about the driver's seat concerns the person at this cockpit just now."""
    seat = snapshot.seat
    if seat is None or snapshot.read_only or seat.drives:
        return ()
    if seat.holder is None:
        return _strip(Role.CAUTION, "NOBODY DRIVES", "the driver's seat is free", "D takes it", width)
    name = safe(seat.holder.name)
    if seat.offered_here:
        return _strip(Role.CAUTION, "THE SEAT IS OFFERED TO YOU", f"by {name}", "D answers", width)
    if seat.lost_to is not None:
        words = f"{name} drives since {clock_text(seat.holder.since)} UTC ({seat.holder.how})"
        return _strip(Role.CAUTION, "SEAT LOST", words, "D shows it", width)
    return ()


def _request_strip(snapshot: Snapshot, now: datetime, width: int) -> Line:
    request = snapshot.request
    if request is None or now >= request.lapses_at:
        return ()
    words = f"{safe(request.flag)} {request.before} → {request.percent} · {request.tally} people"
    words += f" · for {since(request.asker.at, now)}"
    key = "" if snapshot.read_only else "A answers"
    return _strip(Role.CAUTION, f"{safe(request.asker.name)} ASKS FOR", words, key, width)


def _plan_strip(snapshot: Snapshot, width: int) -> Line:
    change = snapshot.plan_change
    if change is None:
        return ()
    key = "" if snapshot.read_only else "P shows it"
    if change.problems:
        words = f"{len(change.problems)} problems, flying by the last good one: {safe(change.problems[0])}"
        return _strip(Role.CAUTION, "PLAN FILE BROKEN", words, key, width)
    words = "; ".join(safe(each) for each in change.diff[:3])
    return _strip(Role.CAUTION, "PLAN FILE CHANGED", words, key, width)


def paused_strip(paused_s: float, width: int) -> Line:
    words = "this is a still picture; polling, judge and countdown go on"
    return _strip(Role.CAUTION, f"PICTURE PAUSED {age(paused_s)}", words, "space goes on", width)


def hint_lines(hint: str, width: int) -> tuple[Line, ...]:
    """What the practice world suggests to press, on at most two lines."""
    rows = wrapped(hint, max(10, width - 4), limit=2) if hint else ()
    return tuple(
        ((" » " if index == 0 else "   ", Role.KEY), (text, Role.NOTE)) for index, text in enumerate(rows)
    )
