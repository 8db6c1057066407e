"""The war-room wall as lines: pure, for any size, read across a room. No Textual, no keys, nothing to press.

One huge word says the worst there is. The heartbeat moves only with fresh snapshots and the data's age
grows with the reader's own clock, so that a dead source turns the whole wall STALE, then UNKNOWN,
whatever it said last. Everything slides by a cell now and then, against burn-in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from itertools import chain
from typing import Final

from cockpit.core.dataclass import dataclass
from cockpit.core.model import Mode, Side
from cockpit.core.rollback import Rollback
from cockpit.core.snapshot import FlagStatus, Level, SignalStatus, Snapshot
from cockpit.face.bigtype import Size, big, fitting
from cockpit.face.view import NOTHING, Line, Role, Word, age, clip, cut, pad, percent, safe, width_of
from cockpit.face.view_backends import backend_word, by_side, probe_word
from cockpit.face.view_banner import (
    SILENT_AFTER_S,
    data_age_s,
    driver_words,
    level_now,
    mode_words,
    reason_line,
    silence,
)
from cockpit.face.view_drain import gauges_line
from cockpit.face.view_history import POINTS, plots
from cockpit.face.view_lines import blocks, column, joined, row, rule, utc
from cockpit.face.view_needs import needs_row
from cockpit.face.view_page import LABEL
from cockpit.face.view_rollback import clocks, countdown, not_at_zero, origin
from cockpit.face.view_rollout import configured, flag_word, observed
from cockpit.face.view_signals import side_rates, signal_word
from cockpit.face.view_steps import finish_words

STALE_AFTER_S: Final = SILENT_AFTER_S
UNKNOWN_AFTER_S: Final = 30.0
SLIDE_EVERY_S: Final = 300
_SLIDES: Final = ((0, 0), (1, 0), (1, 1), (0, 1))
_BEATS: Final = 12
CARD_WIDTH: Final = 26
LARGE_CARD_WIDTH: Final = 39
AIRY_FROM_HEIGHT: Final = 28


class Trust(Enum):
    """What the picture is worth by the reader's own clock."""

    LIVE = "live"
    STALE = "stale"
    UNKNOWN = "unknown"


def trust(snapshot: Snapshot, now: datetime) -> Trust:
    old_s = data_age_s(snapshot, now)
    if old_s > UNKNOWN_AFTER_S:
        return Trust.UNKNOWN
    return Trust.STALE if old_s > STALE_AFTER_S else Trust.LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The huge word, its role, and a sentence that says what it rests on."""

    word: str
    role: Role
    words: str = ""


_LEVEL: Final = {
    Level.OK: Verdict(word="OK", role=Role.OK),
    Level.NOTE: Verdict(word="OK", role=Role.OK),
    Level.UNKNOWN: Verdict(word="UNKNOWN", role=Role.UNKNOWN),
    Level.WARN: Verdict(word="WARNING", role=Role.WARN),
    Level.BAD: Verdict(word="BAD", role=Role.BAD),
}
_PROPOSED: Final = Verdict(word="ROLL BACK", role=Role.BAD)
"""Only where a rollback is proposed and nobody vetoed: a journal that cannot be written is BAD, too."""


def open_rollback(snapshot: Snapshot) -> Rollback | None:
    return snapshot.rollback if snapshot.rollback is not None and snapshot.rollback.open else None


def verdict(snapshot: Snapshot, now: datetime) -> Verdict:
    """The worst there is in one word; old data are STALE or UNKNOWN, whatever they said."""
    last = "ROLLING BACK" if open_rollback(snapshot) else _by_level(snapshot, snapshot.level).word
    old = age(data_age_s(snapshot, now))
    heard = silence(snapshot, now)[1] if snapshot.mode is Mode.WATCH else f"nothing heard for {old}"
    words = f"{heard}; it said {last} then"
    match trust(snapshot, now):
        case Trust.UNKNOWN:
            return Verdict(word=f"UNKNOWN {old}", role=Role.UNKNOWN, words=words)
        case Trust.STALE:
            return Verdict(word=f"STALE {old}", role=Role.UNKNOWN, words=words)
    if open_rollback(snapshot):
        return Verdict(word="ROLLING BACK", role=Role.BAD)
    return _by_level(snapshot, level_now(snapshot, now))


def _by_level(snapshot: Snapshot, level: Level) -> Verdict:
    proposal = snapshot.proposal
    proposed = level is Level.BAD and proposal is not None and proposal.vetoed_by is None
    return _PROPOSED if proposed else _LEVEL[level]


def slide(now: datetime) -> tuple[int, int]:
    """How many cells right and down the picture stands now: a small square, one corner every five minutes."""
    return _SLIDES[int(now.timestamp()) // SLIDE_EVERY_S % len(_SLIDES)]


def heartbeat(snapshot: Snapshot, now: datetime) -> Line:
    """A mark that moves with every snapshot and stands still without; its words say which."""
    place = snapshot.seq % _BEATS
    track = "·" * place + "●" + "·" * (_BEATS - 1 - place)
    old = age(data_age_s(snapshot, now))
    if trust(snapshot, now) is Trust.LIVE:
        return row((track, Role.OK), (f"  alive, data {old} old", Role.DIM))
    return row((track, Role.UNKNOWN), (f"  STOPPED: data {old} old ", Role.DOUBT))


# --- the page ------------------------------------------------------------------------------------------


def lines(snapshot: Snapshot, now: datetime, width: int, height: int) -> tuple[Line, ...]:
    """Exactly `height` lines of at most `width` cells: banner on top, heartbeat at the bottom."""
    right, down = slide(now)
    inner = max(1, width - 2)
    room = max(0, height - 3)
    parts = _parts(snapshot, now, inner, height)
    parts.append(_past_part(snapshot, now, inner, room - sum(len(part) + 1 for part in parts if part)))
    if trust(snapshot, now) is not Trust.LIVE:
        loud = 2 if open_rollback(snapshot) else 1
        parts = [*parts[:loud], *(tuple(_doubted(each) for each in part) for part in parts[loud:])]
    body = _filled(parts, room)
    margin = " " * right
    moved: list[Line] = [()] * down
    moved += [row(margin, *each) for each in body]
    moved += [()] * (height - 2 - len(moved))
    page = (_banner(snapshot, now, width), *moved[: height - 2], row(margin, *heartbeat(snapshot, now)))
    return tuple(clip(each, width) for each in page[:height])


def _doubted(shown: Line) -> Line:
    """Old news look like nothing: neither good nor bad."""
    return tuple((text, Role.DIM) for text, _ in shown)


def _filled(parts: Sequence[tuple[Line, ...]], room: int) -> tuple[Line, ...]:
    """As many parts as fit whole, then as much of the next as fits; a blank line between, if all fit so."""
    kept = [part for part in parts if part]
    airy = sum(map(len, kept)) + len(kept) <= room
    blank: tuple[Line, ...] = ((),) if airy else ()
    rows = tuple(chain.from_iterable((*blank, *part) for part in kept))
    if len(rows) <= room or room < 1:
        return rows[:room]
    return (*rows[: room - 1], _more(rows[room - 1 :]))


def _more(hidden: Sequence[Line]) -> Line:
    """How many lines have no place on this wall, and how bad the worst of them is."""
    roles = {role for line in hidden for _, role in line}
    loud = ((Role.BAD, "BAD"), (Role.WARN, "WARNING"), (Role.UNKNOWN, "UNKNOWN"))
    role, word = next((each for each in loud if each[0] in roles), (Role.DIM, ""))
    return row((f"… {len(hidden)} more lines{f', {word} among them' if word else ''}", role))


def _banner(snapshot: Snapshot, now: datetime, width: int) -> Line:
    """READ-ONLY WALL in words, what it looks at, and the time."""
    mode, role = mode_words(snapshot)
    if trust(snapshot, now) is not Trust.LIVE:
        role = Role.DOUBT
    head = f" READ-ONLY WALL · {mode.removeprefix('READ-ONLY · ')} "
    tail = f" {now:%H:%M:%S} UTC "
    who = cut(driver_words(snapshot), max(0, width - len(head) - len(tail) - 2))
    tail = f" {who} {tail}" if who else tail
    room = max(0, width - width_of(((tail, role),)))
    middle = cut(f" {safe(snapshot.plan_title)}", max(0, room - len(head)))
    return row(column(head + middle, room, role), (tail, role))


def _parts(snapshot: Snapshot, now: datetime, width: int, height: int) -> list[tuple[Line, ...]]:
    rollback = open_rollback(snapshot)
    roomy = height >= 36
    parts = [_word_part(snapshot, now, width, height)]
    if rollback is not None:
        parts.append(_countdown_part(rollback, snapshot, now, width, height))
    if rollback is None or roomy:
        parts.append(flag_cards(snapshot, now, width, big_numbers=roomy or rollback is None))
    parts.append(_backend_part(snapshot, now, width, probes=roomy))
    parts.append(_signal_part(snapshot, now, width))
    return parts


def _word_part(snapshot: Snapshot, now: datetime, width: int, height: int) -> tuple[Line, ...]:
    said = verdict(snapshot, now)
    share = 4 if open_rollback(snapshot) else 3
    block = fitting(said.word, width=width, height=max(3, min(15, height // share)))
    reason = row((said.words, Role.STRONG)) if said.words else reason_line(snapshot, now, width)
    return (*blocks(block, said.role), *_air(height), clip(reason, width))


def _air(height: int) -> tuple[Line, ...]:
    return ((),) if height >= AIRY_FROM_HEIGHT else ()


def _countdown_part(
    rollback: Rollback, snapshot: Snapshot, now: datetime, width: int, height: int
) -> tuple[Line, ...]:
    """One large countdown, and beside or below it the clocks; then what is not at zero, what is left on the
    new side, and who is needed.
    """
    count = countdown(rollback, now)
    digits = fitting(count.digits, width=width - 34, height=max(5, height // 4))
    first, second, _ = clocks(rollback, now)
    facts = (
        row((count.word, count.role)),
        row((first[0], Role.DIM), "  ", first[1]),
        row((second[0], Role.DIM), "  ", second[1]),
        row(("deadline", Role.DIM), f"  {utc(rollback.deadline_at, now)}"),
        row(("finish", Role.DIM), "  ", finish_words(rollback, now)),
    )
    offset = max(0, (len(digits) - len(facts)) // 2)
    beside = [()] * offset + list(facts)
    block = tuple(
        row(*text, "   ", *(beside[index] if index < len(beside) else ()))
        for index, text in enumerate(blocks(digits, count.role))
    )
    return (
        *block,
        *_air(height),
        clip(origin(rollback, now, keys=False), width),
        not_at_zero(rollback, width),
        *(part for part in (gauges_line(rollback, snapshot.gauges, now, width),) if part),
        needs_row(rollback, now, width, keys=False, flags=snapshot.flags, gauges=snapshot.gauges),
    )


# --- flags ------------------------------------------------------------------------------------------------


def flag_cards(snapshot: Snapshot, now: datetime, width: int, *, big_numbers: bool) -> tuple[Line, ...]:
    """A card per flag with its percent in block digits while they fit beside each other, else a line each."""
    columns = max(1, width // CARD_WIDTH)
    if not big_numbers or len(snapshot.flags) > columns:
        heading = rule("flags", width, "asked / configured / observed")
        return (heading, *(clip(_flag_line(flag, now), width) for flag in snapshot.flags))
    if not snapshot.flags:
        return ()
    room = width // len(snapshot.flags)
    height = 5 if room >= LARGE_CARD_WIDTH else 3
    cards = [_card(flag, now, min(room, 2 * CARD_WIDTH), height) for flag in snapshot.flags]
    return tuple(tuple(chain.from_iterable(parts)) for parts in zip(*cards, strict=True))


def _card(flag: FlagStatus, now: datetime, width: int, height: int) -> tuple[Line, ...]:
    """Name, big configured percent, observed and asked; every line exactly `width` cells."""
    word = flag_word(flag, now)
    number, role = configured(flag, now)
    known = role is Role.TEXT
    digits = big(number if known else "?", Size.LARGE if height >= 5 else Size.SMALL)
    tone = Role.STRONG if known and word.role in (Role.OK, Role.NOTE) else word.role
    seen, seen_role = observed(flag, now)
    rows = (
        row((cut(flag.title or flag.key, width - 2), Role.STRONG)),
        *blocks((cut(text, width - 1) for text in digits), tone),
        row(("observed ", Role.DIM), (seen, seen_role)),
        row(word.segment, (f" · asked {percent(flag.asked)}", Role.DIM)),
    )
    return tuple(pad(clip(each, width - 2), width) for each in rows)


def _flag_line(flag: FlagStatus, now: datetime) -> Line:
    asked = percent(flag.asked) if flag.asked is not None else NOTHING
    shown, seen = configured(flag, now), observed(flag, now)
    word: Word = flag_word(flag, now)
    return row(
        column(str(word), 12, word.role),
        " ",
        column(flag.title or flag.key, 28, Role.STRONG),
        " ",
        column(asked, 8, Role.DIM),
        column(shown[0], 8, Role.STRONG if shown[1] is Role.TEXT else shown[1]),
        column(seen[0], 8, seen[1]),
    )


# --- backends and signals -----------------------------------------------------------------------------------


def _backend_part(snapshot: Snapshot, now: datetime, width: int, *, probes: bool) -> tuple[Line, ...]:
    return (
        rule("backends", width),
        *(clip(_backend_line(snapshot, side, now, probes=probes), width) for side in (Side.LEGACY, Side.NEW)),
    )


def _backend_line(snapshot: Snapshot, side: Side, now: datetime, *, probes: bool) -> Line:
    backend = by_side(snapshot, side)
    if backend is None:
        return row(column("? UNKNOWN", 12, Role.UNKNOWN), f" {side.upper()} has no probes")
    word = backend_word(backend, now)
    sick = [
        joined((probe.name, probe_word(probe, now).text), " ")
        for probe in backend.probes
        if probe_word(probe, now).role is not Role.OK
    ]
    more = f"  {joined(sick, ', ')}" if sick else f"  {len(backend.probes)} probes OK" if probes else ""
    role = word.role if sick else Role.DIM
    return row(
        column(str(word), 12, word.role),
        (f" {side.upper():<7}", Role.STRONG),
        f" {backend.title}",
        (more, role),
    )


def _signal_part(snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
    if not snapshot.signals:
        return ()
    return (
        rule("is the new side worse?", width, "legacy / new"),
        *(clip(_signal_line(each, now, width), width) for each in snapshot.signals),
    )


_CALM: Final = (Role.OK, Role.NOTE, Role.UNKNOWN, Role.WARN, Role.BAD)
_LOWEST_PLOT: Final = 3
_HIGHEST_PLOT: Final = 6
_PLOT_FRAME: Final = 4


def _past_part(snapshot: Snapshot, now: datetime, width: int, spare: int) -> tuple[Line, ...]:
    """The last half hour of the signal that looks worst, where the wall has lines to spare for it."""
    rows = min(_HIGHEST_PLOT, (spare - _PLOT_FRAME) // 2)
    columns = min(POINTS, width - LABEL)
    told = [each for each in snapshot.signals if each.legacy_history or each.new_history]
    if not told or rows < _LOWEST_PLOT or columns < POINTS // 2:
        return ()
    worst = max(told, key=lambda each: _badness(each, now))
    drawn = plots(worst, now, columns, rows)
    return (rule(f"{worst.title or worst.name} so far", width), *drawn) if len(drawn) + 2 <= spare else ()


def _badness(signal: SignalStatus, now: datetime) -> tuple[int, float]:
    return _CALM.index(signal_word(signal, now).role), signal.evidence.fill_regressed


def _signal_line(signal: SignalStatus, now: datetime, width: int) -> Line:
    word = signal_word(signal, now)
    legacy, new = side_rates(signal, now, Role.STRONG)
    since = ""
    if signal.evidence.since is not None and word.role in (Role.BAD, Role.OK):
        since = f"  for {age((now - signal.evidence.since).total_seconds())}"
    return row(
        column(str(word), 12, word.role),
        " ",
        column(signal.title or signal.name, max(12, min(34, width - 44)), Role.STRONG),
        " ",
        column(legacy[0], 9, legacy[1]),
        column(new[0], 9, new[1]),
        (since, Role.DIM),
    )
