"""The journal's tail, this host, and the footer of keys in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cockpit.core.commands import CommandState, CommandStatus
from cockpit.core.events import MACHINE
from cockpit.core.snapshot import HostStatus, JournalLine, Level, Snapshot
from cockpit.face.view import (
    LEVEL_ROLE,
    LEVEL_WORD,
    NOTHING,
    Line,
    Role,
    Segment,
    Word,
    age,
    clip,
    clock_text,
    merge,
    safe,
    width_of,
)

HOST_STALE_AFTER_S: Final = 30.0
LOAD_WARN_PER_CPU: Final = 1.5
MEMORY_WARN_PCT: Final = 90.0
LAG_WARN_MS: Final = 250.0
SKEW_WARN_S: Final = 2.0

_STATE_WORD: Final = {
    CommandState.QUEUED: Word("·", "queued", Role.NOTE),
    CommandState.RUNNING: Word("·", "running", Role.NOTE),
    CommandState.DONE: Word("✓", "done", Role.OK),
    CommandState.REFUSED: Word("✗", "refused", Role.BAD),
    CommandState.UNKNOWN: Word("?", "outcome unknown", Role.UNKNOWN),
}


def journal_lines(tail: Sequence[JournalLine], width: int, height: int) -> tuple[Line, ...]:
    """The last lines, newest at the bottom."""
    shown = tail[-height:] if height > 0 else ()
    return tuple(journal_line(line, width) for line in shown)


def journal_line(line: JournalLine, width: int) -> Line:
    word = LEVEL_WORD[line.level]
    loud = line.level in (Level.WARN, Level.BAD, Level.UNKNOWN)
    role = LEVEL_ROLE[line.level] if loud else Role.TEXT
    words: Line = (
        (f"{clock_text(line.at)} ", Role.DIM),
        (f"{word.glyph} ", word.role),
        (safe(line.text), role),
    )
    who: Line = ((f"  {safe(line.actor)}", Role.DIM),) if line.actor not in (MACHINE, "") else ()
    return (*words, *who) if width_of(words) + width_of(who) <= width else clip(words, width)


def journal_notes(snapshot: Snapshot) -> Line:
    journal = snapshot.journal
    if not journal.ok:
        return (("✗ CANNOT WRITE", Role.BAD),)
    return ((f"#{journal.last_seq}", Role.DIM),)


def host_line(host: HostStatus | None, now: datetime, width: int) -> Line:
    """This machine in one line; only what is out of the ordinary has a colour."""
    if host is None:
        return (("? host not measured yet", Role.UNKNOWN),)
    old_s = (now - host.sampled_at).total_seconds()
    if old_s > HOST_STALE_AFTER_S:
        return ((f"~ host figures are {age(old_s)} old", Role.UNKNOWN),)
    skew = NOTHING if host.clock_skew_s is None else f"{host.clock_skew_s:+.0f} s"
    skewed = host.clock_skew_s is not None and abs(host.clock_skew_s) > SKEW_WARN_S
    busy = host.load_1m > LOAD_WARN_PER_CPU * max(1, host.cpus)
    figures = (
        (f"load {host.load_1m:.1f} on {host.cpus} cpu", busy),
        (f"memory {host.memory_used_pct:.0f}%", host.memory_used_pct > MEMORY_WARN_PCT),
        (f"loop lag {host.loop_lag_ms:.0f} ms", host.loop_lag_ms > LAG_WARN_MS),
        (f"cockpit {host.own_rss_mib:.0f} MiB", False),
        (f"clock skew {skew}", skewed),
    )
    parts: list[Segment] = [(safe(host.host), Role.DIM)]
    for text, loud in figures:
        parts.append((" · ", Role.RULE))
        parts.append((f"! {text}" if loud else text, Role.WARN if loud else Role.DIM))
    return clip(merge(parts), width)


def command_line(status: CommandStatus, width: int) -> Line:
    """What became of something a person asked for."""
    word = _STATE_WORD[status.state]
    text = f": {safe(status.text)}" if status.text else ""
    return clip(
        (
            (f" {word.glyph} ", word.role),
            (f"{_spoken(status.what)} ", Role.STRONG),
            (word.text, word.role),
            (text, Role.TEXT),
        ),
        width,
    )


def _spoken(what: str) -> str:
    """`close rollback` for the command `CloseRollback`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", safe(what)).lower()
