"""How an event becomes bytes, and how each event is chained to the one before.

Canonical JSON: UTF-8, keys sorted by code point, no blanks, no escapes except those that JSON demands,
numbers as Python's `repr` writes them, neither NaN nor infinities.

    at    = UTC with six decimals, "2031-02-03T04:05:06.000007+00:00"
    link  = canonical JSON of the list [seq, at, actor, kind, body]
    hash  = lower-case hex SHA-256 of (hash of the event before, 64 ASCII characters) + link
    The hash before event 1 is sixty-four zeros.

The chain shows that an event was changed, removed from the middle or moved. It cannot show that events
are missing at the end; who must prove that keeps the last hash somewhere else (the report prints it).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from cockpit.core.clean import clean_text
from cockpit.core.events import Event, Kind
from cockpit.engine.journal_port import Break, Draft, FailureKind, JournalFailure

GENESIS: Final = "0" * 64
BODY_LIMIT: Final = 64 * 1024
ACTOR_LIMIT: Final = 120
DEPTH_LIMIT: Final = 16
_LARGEST_INTEGER: Final = 2**63 - 1
_KINDS: Final = {kind.value: kind for kind in Kind}


class Row(NamedTuple):
    """One event exactly as it is stored; `body` is canonical JSON text."""

    seq: int
    at: str
    actor: str
    kind: str
    body: str
    hash: str


def rows(
    drafts: Iterable[Draft], *, actor: str, at: datetime, last_seq: int, last_hash: str
) -> tuple[Row, ...]:
    """The rows that follow `last_seq`. Raises JournalFailure(UNFIT) for what must not be written."""
    instant, chained = instant_text(at), []
    for seq, draft in enumerate(drafts, last_seq + 1):
        name, body = _actor(draft.actor or actor), body_text(draft.body)
        last_hash = link_hash(last_hash, seq, instant, name, draft.kind.value, body)
        chained.append(Row(seq=seq, at=instant, actor=name, kind=draft.kind.value, body=body, hash=last_hash))
    return tuple(chained)


def link_hash(previous: str, seq: int, at: str, actor: str, kind: str, body: str) -> str:
    link = f"[{seq},{_canonical(at)},{_canonical(actor)},{_canonical(kind)},{body}]"
    return hashlib.sha256(previous.encode("ascii") + link.encode("utf-8", "surrogatepass")).hexdigest()


def link_of(event: Event, actor: str) -> tuple[int, str, str, str, str]:
    """What of an event is chained: seq, at, actor, kind and body as they are stored. Raises UNFIT."""
    return event.seq, instant_text(event.at), _actor(actor), event.kind.value, body_text(event.body)


def event(row: Row) -> Event:
    """Raises JournalFailure: CORRUPT for a row that cannot be read, NEWER for a kind nobody here knows."""
    seq, at, actor, kind, body, digest = row
    try:
        instant, content = _instant(at), _object(json.loads(body))
    except (TypeError, ValueError):
        raise _corrupt(seq) from None
    if kind not in _KINDS:
        raise _unknown_kind(seq, kind)
    return Event(seq=seq, at=instant, actor=actor, kind=_KINDS[kind], body=content, hash=digest)


def events(stored: Sequence[Row]) -> list[Event]:
    """The same for many rows: one pass of the JSON parser over all bodies halves the time of a resume."""
    try:
        bodies = json.loads(f"[{','.join([row[4] for row in stored])}]")
        if len(bodies) != len(stored):
            raise ValueError
        return [
            Event(seq=row[0], at=_instant(row[1]), actor=row[2], kind=_KINDS[row[3]], body=body, hash=row[5])
            for row, body in zip(stored, map(_object, bodies), strict=True)
        ]
    except (KeyError, TypeError, ValueError):
        return [event(row) for row in stored]


def breaks(stored: Iterable[Row]) -> Iterator[Break]:
    """Walk the rows in order and name each one that is not what was written after its predecessor."""
    expected_seq, previous = 1, GENESIS
    for row in stored:
        if row.seq != expected_seq:
            yield Break(seq=row.seq, what=f"event {expected_seq} is missing before this one")
        if row.hash != link_hash(previous, row.seq, row.at, row.actor, row.kind, row.body):
            yield Break(seq=row.seq, what="its hash does not match its content and the event before")
        else:
            try:
                event(row)
            except JournalFailure as failure:
                yield Break(seq=row.seq, what=failure.detail)
        expected_seq, previous = row.seq + 1, row.hash


@lru_cache(maxsize=64)
def _actor(name: str) -> str:
    return clean_text(name, limit=ACTOR_LIMIT)


def instant_text(at: datetime) -> str:
    if at.tzinfo is None:
        raise _unfit("its time has no zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def body_text(body: Mapping[str, object]) -> str:
    """Canonical JSON of a body, cleaned of whatever a terminal would act on."""
    text = _canonical(_plain(body, DEPTH_LIMIT))
    size = len(text.encode())
    if size > BODY_LIMIT:
        raise _unfit(f"its body has {size} bytes, more than {BODY_LIMIT}")
    return text


_canonical: Final[Callable[[object], str]] = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode
"""Made once: an append asks it four times, and making it takes longer than what it does."""


def _plain(value: object, depth: int) -> object:
    """The same value built of nothing but JSON's own types."""
    if depth == 0:
        raise _unfit(f"its body is nested deeper than {DEPTH_LIMIT}")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _printable(value)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        return _plain_object(value, depth)
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    raise _unfit(f"its body holds a {type(value).__name__}, which is no JSON value")


def _plain_object(value: Mapping[object, object], depth: int) -> dict[str, object]:
    plain: dict[str, object] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise _unfit(f"its body has a {type(key).__name__} as a key")
        plain[_printable(key)] = _plain(item, depth - 1)
    if len(plain) != len(value):
        raise _unfit("its body has keys that are the same once they are cleaned")
    return plain


def _printable(text: str) -> str:
    """Callers clean their text; this is the second lock on that door."""
    return str(text) if text.isprintable() else clean_text(text, limit=len(text))


def _number(value: float) -> float:
    if isinstance(value, int):
        if abs(value) > _LARGEST_INTEGER:
            raise _unfit("its body holds an integer of more than 64 bits")
        return int(value)
    if not math.isfinite(value):
        raise _unfit("its body holds a number that is not finite")
    return float(value) + 0.0


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError
    return at


def _object(body: object) -> dict[str, object]:
    if not isinstance(body, dict):
        raise TypeError
    return body


def _unknown_kind(seq: int, kind: str) -> JournalFailure:
    return JournalFailure(
        FailureKind.NEWER,
        "The journal holds an event that this version does not know",
        f"event {seq} is a {clean_text(kind, limit=60)!r}; use the newer cockpit that wrote it",
    )


def _corrupt(seq: int) -> JournalFailure:
    return JournalFailure(
        FailureKind.CORRUPT, "The journal is damaged", f"event {seq} cannot be read as it is stored"
    )


def _unfit(why: str) -> JournalFailure:
    return JournalFailure(FailureKind.UNFIT, "The event cannot be written to the journal", why)
