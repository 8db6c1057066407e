"""The rollback as a value: its flips, its steps, its clocks, and the order in which flags go to zero.

`rollback_fold` says how journalled events change it, `rollback_steps` what to do next.
Budgets are limits, never waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cockpit.core.clean import Percent
from cockpit.core.dataclass import dataclass
from cockpit.core.events import Lever
from cockpit.core.spec import HookMoment, StepKey

MACHINE_ATTEMPTS: Final = 2
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 5.0
STEADY_TRIES: Final = 60
RARE_PAUSE_S: Final = 30.0
LONGEST_WAIT_S: Final = 60.0
LOST: Final = "lost"
PROVED_AT_ZERO: Final = frozenset({StepKey.FLIP, StepKey.DRAIN, StepKey.VERIFY, StepKey.RECONCILE})
TOLD_OF_ITS_FLAGS: Final = frozenset({HookMoment.DECLARED, HookMoment.FLIPPED})


class FlipState(StrEnum):
    """How far one flag is on its way to zero. AT_ZERO means re-read, not merely accepted."""

    WAITING = "waiting"
    WRITING = "writing"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    AT_ZERO = "at zero"


def pause_s(unsent: int) -> float:
    """How long to wait after so many writes in a row that never left: 0.25 s, doubled up to 5 s.

    After some five minutes of that each pause is a quarter longer, up to 30 s: a service that is down all
    night fills no journal. Whatever says that it is back ends the pause (`rollback_flip`).
    """
    if unsent <= STEADY_TRIES:
        return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(unsent - 1, 10))
    return min(RARE_PAUSE_S, LONGEST_PAUSE_S * 1.25 ** min(unsent - STEADY_TRIES, 10))


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to bring one flag to zero, and how far that is.

    lost: attempts that nobody said no to: the cockpit ended before the answer, no byte left, or the service
    asked to wait. unsent: how many of the last attempts in a row never left. retry_at: not before this
    instant again. tried_seq: the intent of the last attempt. began_at: when the first was journalled. lied:
    accepted once and re-read as something else than zero. changed_seq, at_zero_seq: the events that
    changed it last and that saw it at zero; only what began after them proves anything, whatever the clocks
    say. changed_jumped_s: how far the clock had jumped by then.
    """

    state: FlipState = FlipState.WAITING
    attempts: int = 0
    lost: int = 0
    unsent: int = 0
    retry_at: datetime | None = None
    tried_seq: int = 0
    write_id: str | None = None
    detail: str = ""
    lied: bool = False
    began_at: datetime | None = None
    changed_at: datetime | None = None
    changed_seq: int = 0
    changed_jumped_s: float = 0.0
    at_zero_at: datetime | None = None
    at_zero_seq: int = 0

    @property
    def used_up(self) -> bool:
        """The service has said no as often as the machine asks by itself."""
        return self.state is FlipState.REFUSED and self.attempts - self.lost >= MACHINE_ATTEMPTS

    @property
    def took_s(self) -> float | None:
        """From the first intent to the read that saw zero; None before that."""
        if self.began_at is None or self.at_zero_at is None:
            return None
        return (self.at_zero_at - self.began_at).total_seconds()

    @property
    def rare(self) -> bool:
        """Nothing has left for minutes, so that its tries are far apart: a person may ask for one now."""
        return self.state is FlipState.REFUSED and self.unsent > STEADY_TRIES

    def pauses(self, now: datetime) -> bool:
        """Whether the next try has to wait. A clock that was set back does not make the pause longer."""
        if self.retry_at is None or self.changed_at is None:
            return False
        return self.changed_at <= now < self.retry_at


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondWay(Way):
    """The second lever of one flag, since a person pulled it or told what was done by hand.

    service, key: where it is written and re-read; empty when it was done by hand. takes_s: what the plan says
    it takes. note: what the person said who did it.
    """

    service: str = ""
    key: str = ""
    manual: str = ""
    takes_s: float
    pulled_by: str
    pulled_at: datetime
    note: str = ""

    @property
    def by_hand(self) -> bool:
        return not self.service

    @property
    def works(self) -> bool:
        """It is at zero: re-read, or by hand on somebody's word."""
        return self.at_zero_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip(Way):
    """A flag waits until every flag that depends on it (waits_for) is at zero; layer 0 waits for none.

    stored: what came of storing 0%, empty before that, LOST where its
    cockpit ended or it never left.
    """

    flag: str
    layer: int
    waits_for: tuple[str, ...] = ()
    before: Percent | None = None
    drained_at: datetime | None = None
    share_pct: float | None = None
    fought: bool = False
    stored: str = ""
    second: SecondWay | None = None

    @property
    def second_works(self) -> bool:
        return self.second is not None and self.second.works

    @property
    def at_zero(self) -> bool:
        """By one of its levers; by which one, `lever` says."""
        return self.state is FlipState.AT_ZERO or self.second_works

    @property
    def lever(self) -> Lever | None:
        """The lever that the flag went by: of two at zero the one that came first. None before that."""
        if self.second is None or not self.second.works:
            return Lever.FIRST if self.state is FlipState.AT_ZERO else None
        first = self.state is FlipState.AT_ZERO and self.at_zero_seq < self.second.at_zero_seq
        return Lever.FIRST if first else Lever.SECOND

    @property
    def by_hand(self) -> bool:
        """At zero on a person's word alone: nothing was re-read."""
        return self.lever is Lever.SECOND and self.second is not None and self.second.by_hand

    @property
    def way(self) -> Way:
        """The way that the flag went to zero by, else the first."""
        return self.second if self.lever is Lever.SECOND and self.second is not None else self

    @property
    def in_flight(self) -> bool:
        """Whether a write through either lever is unanswered: there is never more than one."""
        return self.write_id is not None or (self.second is not None and self.second.write_id is not None)

    @property
    def exhausted(self) -> bool:
        """The machine has had its own tries; a person has to press retry or use another lever.

        Once the second lever works the first is tried on in the background, unless somebody fights over it.
        """
        return self.used_up and (self.fought or not self.second_works)

    @property
    def retryable(self) -> bool:
        """Whether a person's word brings a try that the machine would not make by itself, or not soon."""
        second = self.second is not None and self.second.rare
        return self.exhausted or (not self.at_zero and (self.rare or second))

    @property
    def needs_person(self) -> bool:
        """Neither lever got it to zero, and the machine has no try left."""
        pulled = self.second is not None and not self.second.used_up
        return self.exhausted and not self.at_zero and not pulled


class StepState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    ASKING = "asking"
    DONE = "done"
    OVERRIDDEN = "overridden"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """machine: done by evidence only, may be overridden but not ticked. `evidence` is what was seen."""

    id: str
    key: StepKey
    number: int
    title: str
    budget_s: float
    machine: bool
    text: str = ""
    state: StepState = StepState.WAITING
    evidence: str = ""
    started_at: datetime | None = None
    done_at: datetime | None = None
    done_seq: int = 0
    done_by: str = ""

    @property
    def settled(self) -> bool:
        return self.state in (StepState.DONE, StepState.OVERRIDDEN)

    def late(self, declared_at: datetime, now: datetime) -> bool:
        """Whether the step went (or is going) past its budget, counted from declare."""
        end = self.done_at if self.settled and self.done_at is not None else now
        return (end - declared_at).total_seconds() > self.budget_s


@dataclass(frozen=True, slots=True, kw_only=True)
class CutMark:
    """The moment of the flip and the counters at it; values None where a counter could not be read.

    late: counters that were read for the first time after that moment, and when: what was written on the new
    side in between is in no count.
    """

    at: datetime
    counters: tuple[tuple[str, float | None], ...] = ()
    late: tuple[tuple[str, datetime], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """Writes counted on the new side since the cut mark; None: not counted, and `note` says why."""

    name: str
    count: float | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """One rollback from declare to close. The countdown is `deadline_at - now`, nothing else.

    widened: when and by whom more flags were added to it. clock_jumped_s: by how much the wall clock jumped
    since declare, measured against the steady clock of the cockpit that flew. Of the time without a cockpit
    only what the journal proves is in it: a clock set back behind its last event.
    """

    id: str
    flags: tuple[str, ...]
    whole: bool
    declared_at: datetime
    deadline_at: datetime
    escalate_at: datetime
    declared_by: str
    declared_seq: int = 0
    reason: str = ""
    commander: str = ""
    data_owner: str = ""
    first_breach_at: datetime | None = None
    flips: tuple[Flip, ...] = ()
    steps: tuple[Step, ...] = ()
    question: str = ""
    answered_go: bool | None = None
    answered_by: str = ""
    cut_mark: CutMark | None = None
    deltas: tuple[Delta, ...] = ()
    announced: tuple[tuple[str, str, bool], ...] = ()
    widened: tuple[tuple[datetime, str], ...] = ()
    escalated_at: datetime | None = None
    clock_jumped_s: float = 0.0
    cancelled_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str = ""

    @property
    def open(self) -> bool:
        return self.closed_at is None and self.cancelled_at is None

    def left(self, now: datetime) -> timedelta:
        """Time left; negative is overrun. Stops at close or cancel.

        After a jump of the wall clock there are two answers, and the smaller one is the safe one: set back,
        the wall clock stretches the time (then the steady clock counts), set ahead, it shortens it.
        """
        return min(self.wall_left(now), self.steady_left(now))

    def wall_left(self, now: datetime) -> timedelta:
        """Until the deadline by the wall clock, as it is now."""
        return self.deadline_at - self.end(now)

    def steady_left(self, now: datetime) -> timedelta:
        """What is left of the budget by the steady clock: every journalled jump taken out again."""
        return self.wall_left(now) + timedelta(seconds=self.clock_jumped_s)

    def elapsed(self, now: datetime) -> timedelta:
        """Since declare; after a jump the longer one of wall clock and steady clock."""
        passed = self.end(now) - self.declared_at
        return max(passed, passed - timedelta(seconds=self.clock_jumped_s))

    def end(self, now: datetime) -> datetime:
        """The instant at which all its clocks stand: close, cancel, or now."""
        return self.closed_at or self.cancelled_at or now

    def escalates(self, now: datetime) -> bool:
        """Whether the time to page a second person has come."""
        return self.elapsed(now) >= self.escalate_at - self.declared_at

    @property
    def flipped(self) -> bool:
        """Every flag at zero by one of its levers: re-read, or by hand on a person's word."""
        return all(flip.at_zero for flip in self.flips)

    @property
    def flip_begun(self) -> bool:
        """Whether a write may have left: from here on there is no cancel."""
        return any(
            flip.attempts or flip.write_id is not None or flip.stored or flip.second is not None
            for flip in self.flips
        )

    def step(self, step_id: str) -> Step:
        """Raises KeyError with the id."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)


class IllegalEvent(Exception):
    """An event that cannot happen in this state; the state is unchanged."""


def all_dependants(depends_on: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """For every flag that others name among what they depend on: those others, in the plan's order."""
    found: dict[str, list[str]] = {}
    for other, needs in depends_on.items():
        for key in dict.fromkeys(needs):
            found.setdefault(key, []).append(other)
    return found


def layers(depends_on: Mapping[str, Sequence[str]], chosen: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Which flags a rollback of `chosen` takes to zero, and in which order.

    A flag takes every flag that depends on it along: reads must not stay on a side that gets no
    writes. Layer 0 goes first; a flag's layer is one more than the highest of its dependants'.
    """
    found, needed_by = dict[str, int](), all_dependants(depends_on)

    def layer(key: str) -> int:
        if key not in found:
            found[key] = 1 + max((layer(other) for other in needed_by.get(key, ())), default=-1)
        return found[key]

    for key in chosen:
        layer(key)
    order = {key: place for place, key in enumerate(depends_on)}
    return tuple(sorted(found.items(), key=lambda item: (item[1], order[item[0]])))


def announcement_id(rollback: Rollback, moment: str, hook: str) -> str:
    """Made of rollback, moment and hook, so that a repeated post can be recognised; a rollback that was
    widened is told anew."""
    wider = f":wider{len(rollback.widened)}" if rollback.widened and moment in TOLD_OF_ITS_FLAGS else ""
    return f"{rollback.id}:{moment}:{hook}{wider}"


def open_lines(rollback: Rollback) -> tuple[Step, ...]:
    """The steps that keep the rollback from being closed."""
    return tuple(step for step in rollback.steps if step.key is not StepKey.CLOSE and not step.settled)
