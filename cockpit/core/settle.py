"""After a forward write: read back and let the reading settle what was asked. Never write by itself."""

from __future__ import annotations

from cockpit.core.acts import FlagFact, ReadBack, Record
from cockpit.core.events import Kind
from cockpit.core.flight import FlagFlight


def settle(flag: FlagFlight, fact: FlagFact) -> ReadBack | Record | None:
    """What a written flag needs now: a read that began after the answer, then its record. None: nothing."""
    pending = flag.pending
    if pending is None or not pending.answered or fact.busy:
        return None
    if not fact.known or fact.read_after is None or fact.read_after < pending.seq:
        return ReadBack(flag=flag.key)
    return Record(kind=Kind.FLAG_SEEN, body=seen_body(flag.key, fact))


def set_out(flag: FlagFlight, fact: FlagFact) -> Record | None:
    """The first good reading of a flag is what later changes are compared with."""
    if flag.seen or flag.pending is not None or not fact.known:
        return None
    return Record(kind=Kind.FLAG_SEEN, body=seen_body(flag.key, fact))


def seen_body(key: str, fact: FlagFact) -> dict[str, object]:
    exposure = None if fact.exposure is None else fact.exposure.hundredths
    return {"flag": key, "exposure": exposure, "rollback": None}
