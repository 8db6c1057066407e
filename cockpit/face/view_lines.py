"""Small builders of lines that the rollback's screens share, on top of `view`'s words. Pure, no Textual."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from rich.cells import cell_len, chop_cells

from cockpit.face.view import NOTHING, Line, Role, Segment, clip, cut, fit, safe, width_of

_MIDDLE_FROM: Final = 8


def row(*segments: Segment | str) -> Line:
    """One line; plain strings are TEXT. Empty segments vanish, unsafe text is made safe."""
    pairs = ((item, Role.TEXT) if isinstance(item, str) else item for item in segments)
    return tuple((safe(text), role) for text, role in pairs if text)


_BIG = {Role.BAD: Role.BIG_BAD, Role.WARN: Role.BIG_WARN, Role.UNKNOWN: Role.BIG_UNKNOWN}


def blocks(rows: Iterable[str], role: Role) -> tuple[Line, ...]:
    """Block letters in the colour of `role`, never reversed or underlined."""
    return tuple(row((text, _BIG.get(role, role))) for text in rows)


def column(text: str, width: int, role: Role = Role.TEXT) -> Segment:
    """`text` in exactly `width` cells."""
    return fit(safe(text), width), role


def rule(title: str, width: int, note: str = "") -> Line:
    """A thin line across, with a title in it and a note at its end."""
    head: Line = ((f"{title} ", Role.STRONG),) if title else ()
    tail: Line = ((f" {safe(note)}", Role.DIM),) if note else ()
    fill = "─" * max(0, width - width_of(head) - width_of(tail))
    return clip((*head, (fill, Role.RULE), *tail), width)


def wrapped(text: str, width: int, *, limit: int = 1000) -> tuple[str, ...]:
    """`text` broken at spaces into at most `limit` rows of at most `width` cells; the rest is an ellipsis."""
    rows: list[str] = []
    current = ""
    for word in safe(text).split():
        trial = f"{current} {word}" if current else word
        if cell_len(trial) <= width:
            current = trial
            continue
        if current:
            rows.append(current)
        current = cut(word, width)
    if current:
        rows.append(current)
    if len(rows) > limit:
        rows = [*rows[: limit - 1], cut(" ".join(rows[limit - 1 :]), width)]
    return tuple(rows)


def unfolded(text: str, width: int) -> tuple[str, ...]:
    """A line to read and to mark as a whole: where it is too long it goes on below, further in."""
    if cell_len(text) <= width:
        return (text,)
    indent = " " * (len(text) - len(text.lstrip()))
    first, *others = wrapped(text, max(1, width - len(indent) - 2))
    return (f"{indent}{first}", *(f"{indent}  {each}" for each in others))


def named(name: str, width: int) -> str:
    """A name of at most `width` cells: of a long one the middle is left out, because names of one family
    differ at their ends."""
    clean = safe(name)
    if cell_len(clean) <= width or width < _MIDDLE_FROM:
        return cut(clean, width)
    head = chop_cells(clean, width // 2)[0]
    room, start = width - cell_len(head) - 1, len(clean)
    while start and cell_len(clean[start - 1 :]) <= room:
        start -= 1
    return f"{head}…{clean[start:]}"


def joined(items: Iterable[str], separator: str = " · ") -> str:
    return separator.join(item for item in items if item)


def bar(fraction: float, width: int) -> str:
    """A filled part of `width` cells; anything begun shows at least one."""
    filled = min(width, max(0, round(fraction * width)))
    if fraction > 0 and filled == 0:
        filled = 1
    return "━" * filled + "─" * (width - filled)


def mmss(seconds: float) -> str:
    """What has passed: `04:46`, or `1:04:46` from one hour on. Never negative, whole seconds."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{rest:02}" if hours else f"{minute:02}:{rest:02}"


def utc(moment: datetime, now: datetime) -> str:
    """`03:27:07 UTC`, with the date behind it where it is not today's: a narrow screen cuts that."""
    day = "" if moment.date() == now.date() else f" on {moment:%Y-%m-%d}"
    return f"{moment:%H:%M:%S} UTC{day}"


def share(share_pct: float | None) -> str:
    return NOTHING if share_pct is None else f"{share_pct:.3g}%"


def number_of(count: int, one: str, many: str = "") -> str:
    """`1 flag`, `3 flags`."""
    return f"{count} {one}" if count == 1 else f"{count} {many or one + 's'}"
