"""The countdown's whole page as lines: pure, for any width and height. No Textual.

From the top, whatever happens: banner, time, flags not at zero, what needs a person. The rest (each
flag, each step) gets what room is left and scrolls to the focused step. Before there is a rollback the
page says that it was declared and not yet answered, after its end it is the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Final

from cockpit.core.commands import CommandState, CommandStatus
from cockpit.core.dataclass import dataclass
from cockpit.core.rollback import Rollback
from cockpit.core.snapshot import Snapshot
from cockpit.face.bigtype import Size, big
from cockpit.face.view import Line, Role, Segment, clip, pad, width_of
from cockpit.face.view_banner import banner
from cockpit.face.view_drain import gauges_block
from cockpit.face.view_journal import journal_lines
from cockpit.face.view_levers import KEY, offer_block, offers
from cockpit.face.view_lines import blocks, column, joined, row, rule, utc, wrapped
from cockpit.face.view_needs import asks, escalation, held, needs_row, retryable
from cockpit.face.view_result import result_block
from cockpit.face.view_rollback import clocks, countdown, flips_block, legacy_block, not_at_zero, origin
from cockpit.face.view_steps import finish_words, steps_block

TWO_COLUMNS_FROM: Final = 150
AIRY_FROM_HEIGHT: Final = 36
JOURNAL_LINES: Final = 10
_NOTED_FROM: Final = 4
"""Lines that the body needs before one of them may say what is out of sight."""


class Phase(Enum):
    """What the page is about. DECLARING: submitted, no answer yet. NONE: there is no rollback at all."""

    NONE = "none"
    DECLARING = "declaring"
    REFUSED = "refused"
    OPEN = "open"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the page follows: the declaring command, if it was declared here, and the rollback once seen."""

    declare_id: str | None = None
    declared_at: datetime | None = None
    rollback_id: str | None = None


def status_of(snapshot: Snapshot, command_id: str | None) -> CommandStatus | None:
    return next((status for status in snapshot.commands if status.id == command_id), None)


def followed(snapshot: Snapshot, watched: Watched) -> Rollback | None:
    """The rollback that the page shows: an open one first, else the one it saw, else the last closed.

    While a declare of this screen is unanswered, an older closed rollback is not shown in its place.
    """
    if snapshot.rollback is not None and snapshot.rollback.open:
        return snapshot.rollback
    ended = [each for each in (snapshot.rollback, snapshot.last_closed) if each is not None]
    if watched.rollback_id is not None:
        return next((each for each in ended if each.id == watched.rollback_id), None)
    return ended[0] if ended and watched.declare_id is None else None


def phase(snapshot: Snapshot, watched: Watched) -> Phase:
    rollback = followed(snapshot, watched)
    if rollback is not None:
        return Phase.OPEN if rollback.open else Phase.ENDED
    if watched.declare_id is None:
        return Phase.NONE
    status = status_of(snapshot, watched.declare_id)
    return Phase.REFUSED if status is not None and status.state is CommandState.REFUSED else Phase.DECLARING


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything that decides the picture. `said` is the last answer to a key, `keys` the bottom line."""

    snapshot: Snapshot
    watched: Watched
    now: datetime
    width: int
    height: int
    focus: str = ""
    scroll: int = 0
    said: Line = ()
    keys: Line = ()


def lines(page: Page) -> tuple[Line, ...]:
    """Exactly `height` lines of at most `width` cells."""
    inner = replace(page, width=max(1, page.width - 2))
    top = banner(page.snapshot, page.now, page.width)
    head = _head(inner)
    foot = tuple(part for part in (page.said, page.keys) if part)
    room = max(0, page.height - 1 - len(head) - len(foot))
    body = _window(_body(inner, room), page.focus, page.scroll, room, inner.width)
    blank: tuple[Line, ...] = ((),) * (room - len(body))
    middle = (row(" ", *each) if each else () for each in (*head, *body, *blank))
    shown = (top, *middle, *foot)[: page.height]
    return tuple(clip(each, page.width) for each in shown)


def _head(page: Page) -> tuple[Line, ...]:
    rollback = followed(page.snapshot, page.watched)
    if rollback is None:
        return ((), *_no_rollback(page))
    air: tuple[Line, ...] = ((),) if page.height >= AIRY_FROM_HEIGHT else ()
    acts = not page.snapshot.read_only
    rows: list[Line] = [*air, *_clock_block(rollback, page), *air, origin(rollback, page.now, keys=acts)]
    loud = escalation(rollback, page.now)
    if loud:
        rows.append(row(column(f" {loud}", page.width, Role.ALARM)))
    rows.extend(_question(rollback, page.width))
    rows.extend(offer_block(offers(rollback, page.snapshot.flags), page.focus, page.width))
    rows.append(not_at_zero(rollback, page.width))
    if rollback.open:
        rows.append(_needs_row(rollback, page))
    return tuple(rows)


def _needs_row(rollback: Rollback, page: Page) -> Line:
    shown = page.snapshot
    acts = not shown.read_only
    return needs_row(rollback, page.now, page.width, keys=acts, flags=shown.flags, gauges=shown.gauges)


def _no_rollback(page: Page) -> tuple[Line, ...]:
    now, watched = page.now, page.watched
    match phase(page.snapshot, watched):
        case Phase.REFUSED:
            status = status_of(page.snapshot, watched.declare_id)
            why = wrapped(status.text if status else "", page.width - 4)
            headline = row(column(" THE ROLLBACK WAS REFUSED", page.width, Role.ALARM))
            return (
                headline,
                (),
                *(row(f"  {text}") for text in why),
                (),
                row("  escape goes back to the deck"),
            )
        case Phase.DECLARING:
            waited_s = 0.0 if watched.declared_at is None else (now - watched.declared_at).total_seconds()
            waiting = row(("the engine has the command and did not answer yet", Role.TEXT))
            late = row((f" {waited_s:.0f} s without an answer: is the engine alive?", Role.ALARM))
            return (
                *blocks(big("declaring"), Role.WARN),
                (),
                late if waited_s > 3 else waiting,
            )
        case _:
            return (row(("no rollback in this flight", Role.DIM)),)


def size_for(width: int, height: int) -> Size:
    """The digits grow with the screen and never take more than about a fifth of its height."""
    if width >= 160 and height >= 46:
        return Size.HUGE
    return Size.LARGE if width >= 100 and height >= 32 else Size.SMALL


def _clock_block(rollback: Rollback, page: Page) -> tuple[Line, ...]:
    """The big digits, and beside them the three clocks, the deadline and the projected finish."""
    now = page.now
    count = countdown(rollback, now)
    digits = big(count.digits, size_for(page.width, page.height))
    first, second, third = clocks(rollback, now)
    facts: tuple[tuple[tuple[str, Segment], tuple[str, Segment]], ...] = (
        (first, ("deadline", (utc(rollback.deadline_at, now), Role.TEXT))),
        (second, ("escalate", (utc(rollback.escalate_at, now), Role.TEXT))),
        (third, ("finish", finish_words(rollback, now))),
    )
    room = max(0, page.width - len(digits[0]) - 3)
    beside = [_fact_row(left, right, room) for left, right in facts]
    if len(digits) >= 5:
        beside = [each for fact in beside for each in (fact, ())][:-1]
    return _beside(digits, beside, count.role)


def _fact_row(left: tuple[str, Segment], right: tuple[str, Segment], room: int) -> Line:
    (name, (value, role)), (other, shown) = left, right
    strong = Role.STRONG if role is Role.TEXT else role
    first = row(column(name, 18, Role.DIM), " ", column(value, 7, strong))
    return row(*first, " ", column(other, 9, Role.DIM), shown) if room >= 48 else first


def _beside(digits: Sequence[str], facts: Sequence[Line], role: Role) -> tuple[Line, ...]:
    """Facts stand to the right of the digits, centred on their height."""
    offset = max(0, (len(digits) - len(facts)) // 2)
    rows: list[Line] = []
    for position, text in enumerate(blocks(digits, role)):
        fact = facts[position - offset] if 0 <= position - offset < len(facts) else ()
        rows.append(row(*text, "   ", *fact))
    return tuple(rows)


def _question(rollback: Rollback, width: int) -> tuple[Line, ...]:
    """The one question of the countdown, as a choice of two that cannot be overlooked."""
    if not asks(rollback):
        return ()
    asked = [
        row(column(f" {text}", width, Role.ALARM)) for text in wrapped(rollback.question, width - 2, limit=3)
    ]
    go = row(
        ("  g ", Role.KEY), ("GO ANYWAY", Role.BAD), "  the flags go to 0% now, users land on legacy as it is"
    )
    hold = row(
        ("  h ", Role.KEY),
        ("HOLD", Role.STRONG),
        "       nothing is written until somebody says go or cancels",
    )
    return (*asked, go, hold)


Block = tuple[tuple[str, Line], ...]


def _body(page: Page, room: int) -> Block:
    """Flags, steps, counts and legacy; with air between them where there is room for it."""
    rollback = followed(page.snapshot, page.watched)
    if rollback is None:
        return ()
    if page.width >= TWO_COLUMNS_FROM:
        left_width = (page.width - 3) * 2 // 5
        right_width = page.width - 3 - left_width
        left = _stacked(_side_parts(rollback, page, left_width), page, left_width, room)
        return _beside_each_other(left, left_width, _step_part(rollback, page, right_width))
    flags, *others = _side_parts(rollback, page, page.width)
    steps = _step_part(rollback, page, page.width)
    counted, *last = others
    parts = (flags, steps, *others) if rollback.open else (counted, flags, steps, *last)
    return _stacked(parts, page, page.width, room)


def _stacked(parts: Sequence[Block], page: Page, width: int, room: int) -> Block:
    """Parts below each other and the journal last, a blank line between them if all of it fits then."""
    kept = [part for part in parts if part]
    kept.append(_journal_part(page, width, room - sum(len(part) for part in kept)))
    airy = sum(len(part) for part in kept) + len(kept) <= room
    blank: Block = (("", ()),)
    return tuple(each for part in kept for each in (*(blank if airy else ()), *part))


def _side_parts(rollback: Rollback, page: Page, width: int) -> tuple[Block, ...]:
    """Flags first, then what was counted and how it ended, what is left to drain, legacy by its probes."""
    note = "" if rollback.open else "as they were at the end"
    heading = ("", rule("flags", width, note))
    flags = (heading, *flips_block(rollback, page.snapshot, page.now, width, focus=page.focus))
    counted = result_block(rollback, page.snapshot, page.now, width)
    gauges = gauges_block(rollback, page.snapshot, page.now, width) if rollback.open else ()
    legacy = legacy_block(page.snapshot, page.now, width) if rollback.open else ()
    others = (tuple(("", each) for each in part) for part in (counted, gauges, legacy))
    return (flags, *others)


def _journal_part(page: Page, width: int, room: int) -> Block:
    """The newest lines: as many as the room below everything else takes, so that none of them is cut off;
    ten where one has to scroll to see any."""
    count = room - 1 if 1 < room <= JOURNAL_LINES else JOURNAL_LINES
    shown = (rule("journal", width), *journal_lines(page.snapshot.tail, width, count))
    return tuple(("", each) for each in shown)


def _step_part(rollback: Rollback, page: Page, width: int) -> Block:
    settled = sum(step.settled for step in rollback.steps)
    heading = rule("steps", width, f"{settled} of {len(rollback.steps)} done")
    return (("", heading), *steps_block(rollback, page.now, width, focus=page.focus))


def _beside_each_other(left: Block, left_width: int, right: Block) -> Block:
    """Two columns; a row keeps the key of its right side. Air above the left is matched on the right."""
    if left and not left[0][1]:
        right = (("", ()), *right)
    rows: list[tuple[str, Line]] = []
    for index in range(max(len(left), len(right))):
        first = left[index][1] if index < len(left) else ()
        key, second = right[index] if index < len(right) else ("", ())
        rows.append((key, (*pad(first, left_width), ("   ", Role.TEXT), *second)))
    return tuple(rows)


def _window(body: Block, focus: str, scroll: int, room: int, width: int) -> tuple[Line, ...]:
    """The part of the body that fits: all of it, or a part moved so that the focused step is in it, and below
    it what is out of sight."""
    rows = [each for _, each in body]
    if len(rows) <= room or room <= 0:
        return tuple(rows[:room])
    if room >= _NOTED_FROM:
        room -= 1
    focused = [index for index, (key, _) in enumerate(body) if focus and key == focus]
    top = min(scroll, len(rows) - room)
    if focused:
        top = min(max(top, focused[-1] - room + 1), focused[0])
    top = max(0, top)
    shown = tuple(rows[top : top + room])
    return (*shown, _out_of_sight(top, rows[top + room :], width)) if room >= _NOTED_FROM - 1 else shown


def _out_of_sight(above: int, below: Sequence[Line], width: int) -> Line:
    """That there is more, how much, and what it is about."""
    titles = [title for title in map(_title, below) if title]
    named = f": {joined(titles, ', ')}" if titles else ""
    parts = (f"↑ {above} more" if above else "", f"↓ {len(below)} more{named}" if below else "")
    head: Line = ((f"{joined(parts)} ", Role.KEY),)
    tail: Line = ((" pgup pgdn", Role.DIM),)
    fill = max(0, width - width_of(head) - width_of(tail))
    return clip((*head, ("─" * fill, Role.RULE), *tail), width)


def _title(line: Line) -> str:
    """What a rule across the page is titled; nothing of any other line."""
    return line[0][0].strip() if len(line) > 1 and line[1][1] is Role.RULE else ""


def key_line(keys: Sequence[tuple[str, str]], width: int) -> Line:
    """`enter done  o override …  escape deck`: as many as fit from the left, and always the way out."""
    kept = list(keys)
    while len(kept) > 1 and width_of(_key_words(kept)) > width:
        del kept[-2]
    return clip(_key_words(kept), width)


def _key_words(keys: Sequence[tuple[str, str]]) -> Line:
    segments: list[Segment] = []
    for key, word in keys:
        segments.extend(((f" {key} ", Role.KEY), (f"{word} ", Role.DIM)))
    return row(*segments)


def keys_for(
    rollback: Rollback | None, *, read_only: bool, widens: bool = False, offered: bool = False
) -> tuple[tuple[str, str], ...]:
    """What can be pressed now. Watching shows no key that touches. widens: flags of the plan are left out.
    offered: a second lever is."""
    always = (("y", "text"), ("escape", "deck"))
    if rollback is None or not rollback.open or read_only:
        return always
    question = (("g", "go anyway"), ("h", "hold")) if asks(rollback) or held(rollback) else ()
    cancel = () if rollback.flip_begun else (("c", "cancel"),)
    retry = (("F", "retry flag"),) if retryable(rollback) else ()
    lever = ((KEY, "second lever"),) if offered else ()
    wider = (("R", "more flags"),) if widens else ()
    acts = (("enter", "done"), ("o", "override"), ("e", "reason, names"), ("C", "close"))
    seat = (("D", "seat"),)  # after what moves the rollback: a narrow line drops it before those
    return (*question, *lever, *cancel, *retry, *wider, *acts, *seat, *always)


def answer_line(status: CommandStatus | None, what: str) -> Line:
    """What became of the last key: queued, done, refused and why."""
    if status is None:
        return row((" … ", Role.NOTE), f"{what}: handed to the engine")
    match status.state:
        case CommandState.REFUSED:
            return row((" REFUSED ", Role.ALARM), (f" {what}: {status.text}", Role.BAD))
        case CommandState.UNKNOWN:
            return row((" UNKNOWN ", Role.DOUBT), (f" {what}: {status.text}", Role.UNKNOWN))
        case CommandState.DONE:
            return row((" ✓ ", Role.OK), joined((what, status.text), ": "))
        case _:
            return row((" … ", Role.NOTE), f"{what}: {status.state.value}")
