"""An open rollback in words: time, flags, and what a person has to do. Pure, total, no Textual.

Everything is asked for with the reader's `now`, so that digits move and overrun counts although no
new snapshot arrives. Three things are said first and on one line each, because a person under stress
reads no further: how much time is left, which flags are not at zero, what needs a human now.
The steps are in `view_steps`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cockpit.core.dataclass import dataclass
from cockpit.core.events import Lever
from cockpit.core.model import Health, ProbeValue, Side
from cockpit.core.rollback import Flip, FlipState, Rollback
from cockpit.core.snapshot import FlagStatus, ProbeStatus, Snapshot
from cockpit.face import view
from cockpit.face.view import Line, Role, Segment, Word, clip
from cockpit.face.view_levers import first_lever_words, flag_id, lever_word, zero_text
from cockpit.face.view_lines import column, joined, mmss, named, number_of, row, rule, share

# --- time ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Countdown:
    """The large digits, their word and their role."""

    digits: str
    word: str
    role: Role


def countdown(rollback: Rollback, now: datetime) -> Countdown:
    """`14:59 left`, amber once escalation is due, `+00:42 OVERRUN` past zero; stands still after the end."""
    left_s = rollback.left(now).total_seconds()
    digits = view.countdown(left_s)
    if rollback.cancelled_at is not None:
        return Countdown(digits=digits, word="CANCELLED", role=Role.DIM)
    if rollback.closed_at is not None:
        word, role = ("OVERRUN at close", Role.BAD) if left_s < 0 else ("left at close", Role.OK)
        return Countdown(digits=digits, word=word, role=role)
    if left_s < 0:
        return Countdown(digits=digits, word="OVERRUN", role=Role.BAD)
    role = Role.WARN if rollback.escalates(now) else Role.STRONG
    return Countdown(digits=digits, word="left", role=role)


def clocks(rollback: Rollback, now: datetime) -> tuple[tuple[str, Segment], ...]:
    """The three clocks by name: since first breach, since declare, left (or overrun)."""
    breach: Segment = ("none", Role.DIM)
    if rollback.first_breach_at is not None:
        passed_s = (rollback.end(now) - rollback.first_breach_at).total_seconds()
        breach = (mmss(passed_s), Role.TEXT)
    count = countdown(rollback, now)
    return (
        ("since first breach", breach),
        ("since declare", (mmss(rollback.elapsed(now).total_seconds()), Role.TEXT)),
        (count.word, (count.digits, count.role)),
    )


def scope_words(rollback: Rollback) -> str:
    if rollback.whole:
        return f"ALL {number_of(len(rollback.flips) or len(rollback.flags), 'flag')}"
    return f"ONLY {joined(rollback.flags, ', ')}"


def _jumped(rollback: Rollback, now: datetime) -> tuple[Segment, ...]:
    """After a jump of the wall clock two clocks count: the shorter time stands in large, the other here."""
    if not rollback.clock_jumped_s:
        return ()
    by_wall, by_steady = rollback.wall_left(now), rollback.steady_left(now)
    other, clock = (by_wall, "wall") if by_wall > by_steady else (by_steady, "steady")
    digits = view.countdown(other.total_seconds())
    words = f"CLOCK JUMPED {rollback.clock_jumped_s:+.0f} s: shorter time shown, {clock} clock says {digits}"
    return (words, Role.WARN), (" · ", Role.DIM)


def origin(rollback: Rollback, now: datetime, *, keys: bool = True) -> Line:
    """Scope, who declared it and why; a missing reason says which key gives it."""
    reason: Segment = (rollback.reason, Role.TEXT)
    if not rollback.reason:
        reason = ("reason not given" + (": press e" if rollback.open and keys else ""), Role.WARN)
    return row(
        *_jumped(rollback, now),
        (scope_words(rollback), Role.STRONG),
        (" · declared by ", Role.DIM),
        rollback.declared_by,
        (" · ", Role.DIM),
        reason,
        (f" · commander {rollback.commander}" if rollback.commander else "", Role.DIM),
        (f" · data owner {rollback.data_owner}" if rollback.data_owner else "", Role.DIM),
    )


# --- flags ------------------------------------------------------------------------------------------

_FLIP: Final = {
    FlipState.WAITING: Word("○", "waiting", Role.NOTE),
    FlipState.WRITING: Word("→", "writing", Role.NOTE),
    FlipState.ACCEPTED: Word("→", "accepted, re-reading", Role.NOTE),
    FlipState.UNKNOWN: Word("?", "UNKNOWN, reading back", Role.UNKNOWN),
    FlipState.REFUSED: Word("✗", "refused", Role.BAD),
    FlipState.AT_ZERO: Word("✓", "at zero", Role.OK),
}
_EXHAUSTED: Final = Word("✗", "REFUSED, needs you", Role.BAD)
_TOLD_TO_WAIT: Final = Word("…", "told to wait", Role.WARN)
_TROUBLE: Final = (
    FlipState.REFUSED,
    FlipState.UNKNOWN,
    FlipState.WAITING,
    FlipState.WRITING,
    FlipState.ACCEPTED,
)


def flip_word(flip: Flip) -> Word:
    """How far one flag is on its way to zero, and by which lever; `at zero` means re-read."""
    second = lever_word(flip)
    if second is not None:
        return second
    if flip.state is FlipState.AT_ZERO:
        return Word("✓", zero_text(flip), Role.OK)
    if flip.unsent and flip.state in (FlipState.REFUSED, FlipState.WRITING):
        return Word("✗", f"NOT REACHED, try {flip.attempts}", Role.BAD)
    if flip.state is FlipState.REFUSED and flip.retry_at is not None:
        return _TOLD_TO_WAIT
    return _EXHAUSTED if flip.exhausted else _FLIP[flip.state]


def before_words(flip: Flip) -> str:
    """`25% → 0%`; the target is named only once it is true."""
    before = "?%" if flip.before is None else str(flip.before)
    return f"{before} → {'0%' if flip.at_zero and not flip.by_hand else '…'}"


def drain_words(flip: Flip, limit_pct: float | None, seen_pct: float | None, blind: str = "") -> Segment:
    """How much traffic the new side still gets; `seen_pct` is the newest observation, if there is one.

    blind: why there is none. After a write it is counted anew, and a quiet flag takes its time.
    """
    if flip.drained_at is not None and flip.share_pct is None:
        return "never exposed", Role.OK
    if flip.drained_at is not None:
        return f"drained, {share(flip.share_pct)} left", Role.OK
    newest = flip.share_pct if seen_pct is None else seen_pct
    if not flip.at_zero:
        return ("", Role.DIM) if newest is None else (f"traffic {share(newest)}", Role.DIM)
    if newest is None:
        return blind if "traffic" in blind else joined(("traffic not seen", blind), ": "), Role.UNKNOWN
    if limit_pct is None:
        return f"draining {share(newest)}", Role.NOTE
    against = "<" if newest < limit_pct else "≥"
    return f"draining {share(newest)} {against} {share(limit_pct)}", Role.NOTE


def flip_row(
    flip: Flip,
    width: int,
    *,
    limit_pct: float | None,
    seen_pct: float | None,
    blind: str = "",
    first: str = "",
    focused: bool = False,
) -> Line:
    """One flag in one line, the same columns at every width; order and attempts where there is room.

    first: what the first lever says while the second one holds the flag.
    """
    word, name_width = flip_word(flip), max(12, min(32, width - 58))
    foreign = "raised by someone else, fought once" if flip.fought else ""
    said = first or (flip.second.detail if flip.second is not None else "") or flip.detail or foreign
    detail: Segment = (said, Role.WARN if first else word.role)
    drain = drain_words(flip, limit_pct, seen_pct, blind)
    if first and drain[0] and flip.by_hand:  # the traffic is the only evidence of what was done by hand
        detail = (f"{drain[0]} · {first}" if width >= 100 else drain[0], drain[1])
    elif first and drain[0] and width >= 100:
        detail = (f"{first} · {drain[0]}", Role.WARN)
    order = f"order {flip.layer + 1}, {number_of(flip.attempts, 'write')}"
    return clip(
        row(
            column(str(word), 23, word.role),
            " ",
            column(named(flip.flag, name_width), name_width, Role.ACCENT if focused else Role.STRONG),
            " ",
            column(before_words(flip), 11),
            column(order if width >= 100 else "", 19 if width >= 100 else 0, Role.DIM),
            " ",
            detail if detail[0] else drain,
        ),
        width,
    )


def _why_unseen(status: FlagStatus | None) -> str:
    failure = status.observed.failure if status is not None else None
    return failure.title if failure is not None else ""


def flips_block(
    rollback: Rollback, snapshot: Snapshot, now: datetime, width: int, *, focus: str = ""
) -> tuple[tuple[str, Line], ...]:
    """Every flag as (its focus id, line), in the order in which they are brought to zero, with the newest
    observed traffic."""
    seen: dict[str, float] = {}
    statuses = {status.key: status for status in snapshot.flags}
    for status in snapshot.flags:
        newest = status.observed.fresh_value(now)
        if newest is not None:
            seen[status.key] = newest.percent.value
    ordered = sorted(rollback.flips, key=lambda flip: flip.layer)
    return tuple(
        (
            flag_id(flip.flag),
            flip_row(
                flip,
                width,
                limit_pct=snapshot.drain_below_pct,
                seen_pct=seen.get(flip.flag),
                blind=_why_unseen(statuses.get(flip.flag)),
                first=first_lever_words(flip, statuses.get(flip.flag), now) if rollback.open else "",
                focused=focus == flag_id(flip.flag),
            ),
        )
        for flip in ordered
    )


def legacy_block(snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
    """The required probes of the side that users land on: state, good answers in a row, latency."""
    probes = [
        probe
        for backend in snapshot.backends
        for probe in backend.probes
        if backend.side is Side.LEGACY and probe.required
    ]
    if not probes:
        return ()
    heading = rule("legacy", width, "required probes")
    return (heading, *(clip(_probe_row(probe, now, width), width) for probe in probes))


def _probe_row(probe: ProbeStatus, now: datetime, width: int) -> Line:
    value = probe.reading.fresh_value(now)
    word = view.HEALTH_WORD[Health.UNKNOWN if value is None else value.health]
    return row(
        column(str(word), 23, word.role),
        " ",
        column(probe.name, max(12, min(32, width - 58)), Role.STRONG),
        " ",
        column(view.milliseconds(None if value is None else value.latency_ms), 11),
        " ",
        _probe_words(probe, value, word),
    )


def _probe_words(probe: ProbeStatus, value: ProbeValue | None, word: Word) -> Segment:
    """Good answers in a row while it is well, else what it says, else why it says nothing."""
    if value is None:
        return (probe.reading.failure.title if probe.reading.failure is not None else "never seen", word.role)
    return (f"{probe.passes} good in a row", Role.OK) if probe.passes else (value.detail, word.role)


def not_at_zero(rollback: Rollback, width: int) -> Line:
    """Which flags are not at zero, worst first, on one line."""
    total = len(rollback.flips)
    left = [flip for flip in rollback.flips if not flip.at_zero]
    if rollback.cancelled_at is not None:
        return row(("FLAGS        ", Role.DIM), "none was written: they stand where they stood")
    if not rollback.flips:
        return row(("FLAGS        no flag in this rollback", Role.UNKNOWN))
    if not left and any(flip.lever is Lever.SECOND for flip in rollback.flips):
        return _by_levers(rollback, width)
    if not left:
        every = "the flag re-reads as 0%" if total == 1 else f"all {total} flags re-read as 0%"
        return row(("FLAGS        ", Role.OK), (f"✓ {every}", Role.OK))
    left.sort(key=lambda flip: (_TROUBLE.index(flip.state), flip.layer))
    segments: list[Segment] = [(f"NOT AT ZERO  {len(left)} of {total}: ", Role.BAD)]
    for position, flip in enumerate(left):
        word = flip_word(flip)
        segments.append((" · " if position else "", Role.DIM))
        segments.append((f"{flip.flag} ", Role.STRONG))
        segments.append((word.text, word.role))
    return clip(row(*segments), width)


def _by_levers(rollback: Rollback, width: int) -> Line:
    """Every flag is at zero, but not every one by its own service: say by what."""
    hands = [flip for flip in rollback.flips if flip.by_hand]
    seconds = sum(flip.lever is Lever.SECOND for flip in rollback.flips) - len(hands)
    firsts = len(rollback.flips) - seconds - len(hands)
    parts = [f"{flip.flag} by hand ({flip.second.pulled_by})" for flip in hands if flip.second]
    parts += [f"{seconds} by the second lever"] if seconds else []
    parts += [f"{firsts} by the first"] if firsts else []
    role = Role.WARN if hands else Role.OK
    return clip(row(("FLAGS        ", role), (f"at 0%: {', '.join(parts)}", role)), width)
