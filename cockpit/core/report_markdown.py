"""The record in words: Markdown that people paste into the review of the night.

Every text that came from outside is escaped: it cannot make a heading, a table cell, a link, an image or
HTML. What was not recorded is said to be so. An open rollback is called open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from cockpit.core.clean import clean_text
from cockpit.core.model import Mode
from cockpit.core.phrases import count_text, span
from cockpit.core.recorded import NOT_RECORDED
from cockpit.core.report_values import (
    FlagRecord,
    MoveRecord,
    Report,
    RollbackRecord,
    RollbackResult,
    SessionRecord,
    StepRecord,
    TimelineRecord,
    WideningRecord,
    WriteRecord,
)
from cockpit.core.rollback import StepState

BREAKS_SHOWN: Final = 5
_SPECIAL: Final = re.compile(r"([\\`*_\[\]|~$!])")
_AT_THE_START: Final = re.compile(r"^(?:([#+=-])|(\d+)([.)])(?=\s|$))")
_LINK: Final = re.compile(r"(:)(//)|(www)(\.)", re.IGNORECASE)
_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_NOT_REAL: Final = {
    Mode.DRILL.value: "DRILL: nothing here was real",
    Mode.DEMO.value: "DEMO: nothing here was real",
}


_FACT_HEAD: Final = ("what", "recorded")


def escape(text: str) -> str:
    """One line of text that Markdown shows as it is, in a paragraph, a list or a table cell."""
    escaped = _SPECIAL.sub(r"\\\1", clean_text(text, limit=4000).translate(_ENTITIES))
    unlinked = _LINK.sub(lambda found: "\\".join(part for part in found.groups() if part), escaped)
    return _AT_THE_START.sub(
        lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", unlinked
    )


def markdown(report: Report) -> str:
    """The whole report, ending in a newline."""
    parts = [
        *_head(report),
        *(line for number, one in enumerate(report.rollbacks, 1) for line in _rollback(number, one)),
        *_moves(report.moves),
        *_foreign(report),
        *_section("Verdicts, limits and proposals", report.judgements),
        *_section("Notes", report.notes),
        *_section("Timeline", report.timeline),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def _head(report: Report) -> Iterator[str]:
    yield f"# Cutover record: {_said(report.title)}"
    yield ""
    if report.mode in _NOT_REAL:
        yield from (f"**{_NOT_REAL[report.mode]}**", "")
    if report.breaks:
        yield from (f"**The journal is not as it was written: {_broken(report.breaks)}**", "")
    for number, one in enumerate(report.rollbacks, 1):
        yield f"**Rollback {number}: {_headline(one)}**"
        yield ""
    flown = [_session(session) for session in report.sessions]
    yield from _table(
        _FACT_HEAD,
        [
            ("Environment", _said(report.environment)),
            ("Mode", _said(report.mode)),
            ("Plan digest", _said(report.plan_digest)),
            ("Flown by", "; ".join(flown) or NOT_RECORDED),
            ("Everyone who acted", escape(", ".join(report.operators)) or NOT_RECORDED),
            ("First and last event", f"{_when(report.first_at)} to {_when(report.last_at)}"),
            ("Ended", _ended(report)),
            ("Journal", f"{report.events} events, last hash {_said(report.last_hash)}"),
            ("This record made", _when(report.made_at)),
        ],
    )
    yield from ("All times are UTC.", "")


def _broken(breaks: Sequence[str]) -> str:
    more = len(breaks) - BREAKS_SHOWN
    shown = [escape(each) for each in breaks[:BREAKS_SHOWN]]
    return "; ".join([*shown, f"and {more} more"] if more > 0 else shown)


def _session(session: SessionRecord) -> str:
    verb = "resumed" if session.resumed else "opened"
    who = f"{escape(session.operator)}@{_said(session.host)}"
    return f"{who} ({verb} {_when(session.at)}, cockpit {_said(session.version)})"


def _ended(report: Report) -> str:
    if report.ended_at is None:
        return "no"
    return f"{_when(report.ended_at)}: {_said(report.ended_why)}"


def _headline(record: RollbackRecord) -> str:
    if record.result is RollbackResult.OPEN:
        over = f", {span(record.overrun_s)} over time" if record.overrun_s else ""
        return f"OPEN since {_when(record.declared_at)}{over}"
    if record.result is RollbackResult.CANCELLED:
        return "CANCELLED before any flag was written"
    took = NOT_RECORDED if record.close_s is None else span(record.close_s)
    if record.overrun_s is None:
        return f"CLOSED after {took}, overrun {NOT_RECORDED}"
    return f"CLOSED after {took}, {f'{span(record.overrun_s)} over time' if record.overrun_s else 'in time'}"


def _rollback(number: int, record: RollbackRecord) -> Iterator[str]:
    yield f"## Rollback {number}: {_headline(record)}"
    yield ""
    yield from _facts(record)
    yield from _clocks(record)
    yield from _titled("Steps", _STEP_HEAD, [_step(step) for step in record.steps])
    yield from _titled("Flags", _FLAG_HEAD, [_flag(flag) for flag in record.flags])
    writes = [_write(flag.flag, write) for flag in record.flags for write in flag.writes]
    yield from _titled("Flag writes", _WRITE_HEAD, writes)
    yield from _data(record)
    told = [
        (
            _when(one.at),
            escape(one.hook),
            escape(one.moment),
            "sent" if one.sent else "FAILED",
            escape(one.detail),
        )
        for one in record.announcements
    ]
    yield from _titled("Announcements", ("at", "hook", "moment", "result", "detail"), told)
    owed = [(escape(item.what), item.role, _said(item.owner)) for item in record.open_items]
    yield from _titled("Left to do", ("what", "role", "owner"), owed)


def _facts(record: RollbackRecord) -> Iterator[str]:
    scope = {True: "all flags", False: "some flags", None: NOT_RECORDED}[record.whole]
    rows = [
        ("Scope", f"{scope}: {escape(', '.join(flag.flag for flag in record.flags)) or NOT_RECORDED}"),
        ("Reason", _said(record.reason)),
        ("Declared", f"{_when(record.declared_at)} by {_said(record.declared_by)}"),
        *(("Widened", _widening(one)) for one in record.widened),
        ("Deadline", _when(record.deadline_at)),
        ("Commander", _said(record.commander)),
        ("Data owner", _said(record.data_owner)),
    ]
    if record.question:
        rows.append(("Asked", f"{escape(record.question)} Answer: {_said(record.answer)}"))
    if record.escalated_at is not None:
        rows.append(("Escalated", _when(record.escalated_at)))
    if record.result is not RollbackResult.OPEN:
        verb = "Closed" if record.result is RollbackResult.CLOSED else "Cancelled"
        note = f": {escape(record.ended_note)}" if record.ended_note else ""
        rows.append((verb, f"{_when(record.ended_at)} by {_said(record.ended_by)}{note}"))
    yield from _table(_FACT_HEAD, rows)


def _widening(one: WideningRecord) -> str:
    return f"{_when(one.at)} by {_said(one.by)}: also {escape(', '.join(one.flags)) or NOT_RECORDED}"


def _clocks(record: RollbackRecord) -> Iterator[str]:
    still = "OPEN" if record.result is RollbackResult.OPEN else NOT_RECORDED
    if record.result is RollbackResult.CANCELLED:
        still = "cancelled"
    safe = still if record.safe_s is None else span(record.safe_s)
    if record.result is not RollbackResult.CANCELLED and record.users_safe_text:
        safe = f"{safe} ({escape(record.users_safe_text)})"
    detection = NOT_RECORDED if record.detection_s is None else span(record.detection_s)
    closing = still if record.close_s is None else span(record.close_s)
    declared = _when(record.declared_at)
    rows = [
        ("first breach to declare (detection)", _when(record.first_breach_at), declared, detection, "none"),
        ("declare to users safe", declared, _when(record.users_safe_at), safe, _span(record.budget_s)),
        ("declare to close", declared, _when(record.ended_at), closing, _span(record.budget_s)),
    ]
    yield from _titled("Three clocks", ("clock", "from", "to", "took", "limit"), rows)


_STEP_HEAD: Final = ("step", "state", "budget", "actual", "late", "by", "evidence or reason")


def _step(step: StepRecord) -> tuple[str, ...]:
    state = "**OVERRIDDEN**" if step.state is StepState.OVERRIDDEN else step.state.value
    if step.reopened:
        state = f"{state}, reopened {step.reopened}x"
    return (
        escape(step.title),
        state,
        _span(step.budget_s),
        "not done" if step.actual_s is None else span(step.actual_s),
        {True: "**LATE**", False: "no", None: NOT_RECORDED}[step.late],
        escape(step.done_by),
        escape(step.evidence),
    )


_FLAG_HEAD: Final = (
    "flag",
    "before",
    "lever",
    "writes",
    "re-read at zero",
    "intent to re-read",
    "seen drained",
    "share then",
    "raised again",
)


def _flag(flag: FlagRecord) -> tuple[str, ...]:
    share = (
        ""
        if flag.drained_at is None
        else "not observed"
        if flag.share_pct is None
        else f"{flag.share_pct:g}%"
    )
    return (
        escape(flag.flag),
        _pct(flag.before_pct),
        _lever(flag),
        str(len(flag.writes)),
        _clock(flag.second_at if flag.lever == "second" else flag.at_zero_at, "**no**"),
        "" if flag.took_s is None else f"{flag.took_s:.1f} s",
        _clock(flag.drained_at, "**no**"),
        f"{share} ({escape(flag.drain_note)})" if flag.drain_note else share,
        f"**{flag.raised_again}x**" if flag.raised_again else "no",
    )


def _lever(flag: FlagRecord) -> str:
    """By which lever it went; where two were used, also how the first one ended."""
    if not flag.lever:
        return "**none**"
    if flag.hand_at is not None and flag.lever == "by hand":
        return f"**by hand**, {escape(flag.hand_by)}: {escape(flag.hand_note)}"
    if flag.second_service:
        first = "too" if flag.at_zero_at is not None else "**not**"
        pulled = f"second ({escape(flag.second_service)}), pulled by {escape(flag.pulled_by)}"
        return f"{pulled}; the first {first} at zero" if flag.lever == "second" else f"first; {pulled}"
    return flag.lever


_WRITE_HEAD: Final = ("flag", "lever", "action", "left", "outcome", "took", "detail")


def _write(flag: str, write: WriteRecord) -> tuple[str, ...]:
    return (
        escape(flag),
        f"{escape(write.lever)} ({escape(write.service)})" if write.service else escape(write.lever),
        escape(write.action),
        _clock(write.at, NOT_RECORDED),
        escape(write.outcome) or "**no answer recorded**",
        NOT_RECORDED if write.took_s is None else f"{write.took_s:.2f} s",
        escape(write.detail),
    )


def _data(record: RollbackRecord) -> Iterator[str]:
    if record.cut_at is None:
        yield from ("### Data", "", f"Cut mark: {NOT_RECORDED}.", "")
        return
    counted = {delta.name: delta for delta in record.deltas}
    marks = dict(record.counters)
    rows = []
    for name in dict.fromkeys([*marks, *counted]):
        delta = counted.get(name)
        since = NOT_RECORDED if delta is None else count_text(delta.count)
        rows.append((escape(name), count_text(marks.get(name)), since, escape(delta.note) if delta else ""))
    yield from ("### Data", "", f"Cut mark: {_when(record.cut_at)}.", "")
    if rows:
        yield from _table(("counter", "at the cut mark", "new-side writes since", "note"), rows)


def _moves(moves: Sequence[MoveRecord]) -> Iterator[str]:
    head = ("at", "flag", "from", "to", "by", "outcome", "then read", "gates", "overrides")
    yield from _titled("Forward moves", head, [_move(move) for move in moves], level=2)


def _move(move: MoveRecord) -> tuple[str, ...]:
    outcome = escape(move.outcome) or "**no answer recorded**"
    seen = f"{_pct(move.seen_pct)} at {_clock(move.seen_at, '')}" if move.seen_at else NOT_RECORDED
    return (
        _when(move.at),
        escape(move.flag),
        _pct(move.before_pct),
        _pct(move.asked_pct),
        escape(move.by),
        f"{outcome}: {escape(move.detail)}" if move.detail else outcome,
        seen,
        escape("; ".join(move.gates)) or NOT_RECORDED,
        escape("; ".join(move.overrides)) or "none",
    )


def _foreign(report: Report) -> Iterator[str]:
    raised = {True: "raised", False: "lowered", None: NOT_RECORDED}
    rows = [
        (
            _when(one.at),
            escape(one.flag),
            escape(one.before),
            escape(one.after),
            raised[one.raised],
            _said(one.who),
        )
        for one in report.foreign
    ]
    yield from _titled("Changes by others", ("at", "flag", "from", "to", "direction", "who"), rows, level=2)


def _section(title: str, rows: Sequence[TimelineRecord]) -> Iterator[str]:
    cells = [
        (str(row.seq), _when(row.at), escape(row.actor), row.level.value, escape(row.text)) for row in rows
    ]
    yield from _titled(title, ("#", "at (UTC)", "who", "level", "what"), cells, level=2)


def _titled(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, level: int = 3
) -> Iterator[str]:
    yield f"{'#' * level} {title}"
    yield ""
    if rows:
        yield from _table(head, rows)
    else:
        yield from ("None recorded.", "")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Cells are escaped already."""
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _said(text: str) -> str:
    return escape(text) or NOT_RECORDED


def _when(at: datetime | None) -> str:
    return NOT_RECORDED if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _clock(at: datetime | None, missing: str) -> str:
    return missing if at is None else at.astimezone(UTC).strftime("%H:%M:%S")


def _span(seconds: float | None) -> str:
    return NOT_RECORDED if seconds is None else span(seconds)


def _pct(percent: float | None) -> str:
    return NOT_RECORDED if percent is None else f"{percent:g}%"
