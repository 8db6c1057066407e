"""What the rollback is decided by, and what can be decided: facts in, acts out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import StrEnum

from cockpit.core.clean import Percent
from cockpit.core.dataclass import dataclass
from cockpit.core.drain import DrainGauge
from cockpit.core.events import Kind, Lever
from cockpit.core.model import Health
from cockpit.core.rollback import Rollback, Step, StepState
from cockpit.core.spec import HookMoment, StepKey


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagFact:
    """What is known of one flag now.

    exposure: of the last good read. read_after: the last event that was folded when that read began; it
    proves what was true after that event. shares: observed share in percent per poll, oldest first, each
    with the same. These are places in the journal, not times: a clock may be set back.
    busy: a write is in flight, of this process or of the one that drove before. trouble: why it cannot
    be read, if so.
    back_after: as read_after, of the first good read after one that failed or of all: it is reached again.
    forward_unsettled: a forward write of it was given up unanswered and may still land.
    """

    exposure: Percent | None = None
    known: bool = False
    read_after: int | None = None
    back_after: int | None = None
    shares: tuple[tuple[int, float], ...] = ()
    observable: bool = False
    busy: bool = False
    trouble: str = ""
    forward_unsettled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyFact:
    """Required legacy probes: their worst health, and per probe how many good answers in a row are needed.

    passes: (probe, needed, the good answers in a row, oldest first: the last event folded when each began).
    """

    health: Health
    text: str
    passes: tuple[tuple[str, int, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """seconds: flags as their pulled second lever reads them. hooks: (name, moments). announcing: hooks in
    flight. counters: write counters of the new side now, and counted_after the last event folded when the
    reading of each began (without that it is taken as it is). awaited: counters whose first answer may still
    come: nobody can say yet that they cannot be read. gauges: what besides traffic has to drain.
    """

    flags: Mapping[str, FlagFact]
    legacy: LegacyFact
    seconds: Mapping[str, FlagFact] = field(default_factory=dict)
    counters: Mapping[str, float | None] = field(default_factory=dict)
    counted_after: Mapping[str, int] = field(default_factory=dict)
    awaited: frozenset[str] = frozenset()
    gauges: tuple[DrainGauge, ...] = ()
    hooks: tuple[tuple[str, tuple[HookMoment, ...]], ...] = ()
    announcing: frozenset[tuple[str, str]] = frozenset()


class Action(StrEnum):
    KILL = "kill"
    ZERO = "zero"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Append this event."""

    kind: Kind
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Journal the intent, then write."""

    flag: str
    action: Action
    lever: Lever = Lever.FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """Read this flag now; its reading will be the proof."""

    flag: str
    lever: Lever = Lever.FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    hook: str
    moment: HookMoment


Act = Record | Write | ReadBack | Announce


def step_of(rollback: Rollback, key: StepKey) -> Step | None:
    """The rollback's step of this kind, if its plan has one."""
    return next((step for step in rollback.steps if step.key is key), None)


def record(rollback: Rollback, kind: Kind, **body: object) -> Record:
    return Record(kind=kind, body={"rollback": rollback.id, **body})


def start(rollback: Rollback, step: Step) -> Iterator[Act]:
    """The step begins, unless it has begun."""
    if step.state is StepState.WAITING:
        yield record(rollback, Kind.STEP_STARTED, step=step.id)


def done(rollback: Rollback, step: Step, evidence: str) -> Record:
    return record(rollback, Kind.STEP_DONE, step=step.id, evidence=evidence)
