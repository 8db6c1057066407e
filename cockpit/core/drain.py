"""What is left on a side when its traffic is gone: open sockets, queued jobs, undelivered webhooks. Pure.

A gauge is drained after some polls in a row below its limit, each begun after the last flag was at zero,
the newest of them still fresh. Without a reading it never is: the drain then waits for a person, and
nothing but the drain does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from datetime import datetime

from cockpit.core.dataclass import dataclass
from cockpit.core.figures import amount
from cockpit.core.model import Reading, Side
from cockpit.core.rollback import Rollback


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainGauge:
    """One gauge of the plan and what was seen of it.

    polls: oldest first, each the last event folded when it began (a place in the journal, not a time) and
    its number, None where it gave none. needed: so many in a row must be below the limit. flag: whose pages
    it counts, where it counts pages.
    """

    name: str
    side: Side
    below: float
    owner: str = ""
    flag: str = ""
    needed: int = 2
    reading: Reading[float] = field(default_factory=Reading)
    polls: tuple[tuple[int, float | None], ...] = ()


def proved_from(rollback: Rollback) -> int | None:
    """The event that a poll must have begun after; None while a flag of the rollback is not at zero."""
    if not rollback.flipped:
        return None
    return max((flip.way.at_zero_seq for flip in rollback.flips), default=rollback.declared_seq)


def low_in_a_row(gauge: DrainGauge, since: int | None) -> int:
    """How many of the newest polls, one after the other, prove that it is below its limit."""
    count = 0
    for after, value in reversed(gauge.polls):
        if since is None or after < since or value is None or not value < gauge.below:
            break
        count += 1
    return count


def is_drained(gauge: DrainGauge, since: int | None, now: datetime) -> bool:
    return gauge.reading.fresh_value(now) is not None and low_in_a_row(gauge, since) >= gauge.needed


def concerned(gauges: Iterable[DrainGauge], rollback: Rollback) -> tuple[DrainGauge, ...]:
    """Without those that count pages of a flag which is not rolled back."""
    flags = {"", *(flip.flag for flip in rollback.flips)}
    return tuple(each for each in gauges if each.flag in flags)


def undrained(gauges: Iterable[DrainGauge], rollback: Rollback, now: datetime) -> tuple[DrainGauge, ...]:
    """The gauges that the drain step waits for. Those of legacy tell, and hold nothing."""
    since = proved_from(rollback)
    holding = (each for each in concerned(gauges, rollback) if each.side is Side.NEW)
    return tuple(each for each in holding if not is_drained(each, since, now))


def drained_words(gauges: Iterable[DrainGauge], rollback: Rollback) -> str:
    """`sockets 0 (below 1), jobs 2 (below 5)`: the evidence, for the journal."""
    return ", ".join(
        f"{each.name} {amount(each.reading.value)} (below {amount(each.below)})"
        for each in concerned(gauges, rollback)
        if each.side is Side.NEW and each.reading.value is not None
    )
