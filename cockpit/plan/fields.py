"""The plan as people write it: one model per TOML table, one docstring per key.

The docstrings are the reference: editors show them through the JSON Schema. The models only check
what can be said about one key; what keys say about each other is in `checks`. Keys of an adapter
stand in the same tables beside ours and are described by the adapter's own settings class.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, ClassVar, Final

from cockpit.core.dataclass import dataclass
from cockpit.core.model import Side
from cockpit.core.spec import AutoRollback, HookMoment
from cockpit.core.tables import Bound, Size
from cockpit.plan.checklist import Check, Phases
from cockpit.plan.parity_fields import Parity, Store
from cockpit.plan.written import (
    Budget,
    Duration,
    FlagKey,
    Instant,
    Interval,
    Length,
    Line,
    Name,
    Query,
    Share,
    Table,
    Text,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll(Table):
    """How often the cockpit asks. Every source may say its own `interval`."""

    flags: Interval = 2.0
    """Time between two readings of a flag service."""
    probes: Interval = 5.0
    """Time between two probes of a backend."""
    signals: Interval = 5.0
    """Time between two questions to a monitoring source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge(Table):
    """How sure the judge must be before it speaks."""

    alpha: Annotated[float, Bound(gt=0, le=0.5)] = 0.01
    """Risk of a false rollback proposal per stage, shared by the signals that may propose one."""
    warn_alpha: Annotated[float, Bound(gt=0, le=0.5)] = 0.05
    """The same risk for a warning; not below `alpha`."""
    min_total: Annotated[float, Bound(ge=1)] = 50.0
    """Events that each side must have had before any verdict."""
    warmup: Duration = 0.0
    """Time after a stage begins in which events are not judged: caches are cold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Table):
    """A flag service or a monitoring source. The settings of its kind stand in the same table."""

    kind: str
    """Which product it is."""
    interval: Interval | None = None
    """Time between two polls, instead of the one in [poll]."""
    timeout: Length | None = None
    """How long one poll may take; shorter than the interval. Default: three quarters of it, at most 5s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Table):
    """One health question to one backend. The settings of its kind stand in the same table."""

    name: Name
    """What the screen calls it; unique within its backend."""
    kind: str
    """How it asks."""
    interval: Interval | None = None
    """Time between two probes, instead of the one in [poll]."""
    timeout: Length | None = None
    """How long one probe may take; shorter than the interval. Default: three quarters of it, at most 5s."""
    required: bool = True
    """Whether this probe stands in the way of a forward move while it is not OK."""
    passes: Annotated[int, Bound(ge=1, le=100)] = 3
    """OK answers in a row that prove the legacy side healthy after a rollback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend(Table):
    """One side of the migration."""

    title: Line
    """What people call this side."""
    nature: Text = ""
    """What is special about it and must be said before a rollback, such as "mock data"."""
    probe: Annotated[tuple[Probe, ...], Size(1)]
    """Health questions, at least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends(Table):
    """The two sides."""

    legacy: Backend
    """Where the users come from, and where a rollback brings them."""
    new: Backend
    """Where the users go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(Table):
    """Two growing counters of one side."""

    monitor: Name | None = None
    """Which [monitor.NAME] counts this side, where it is not the one that the signal names."""
    bad: Query
    """Counter of bad events."""
    total: Query
    """Counter of all events, the bad ones among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Table):
    """A rate on the new side that is too high whatever the legacy side does."""

    max_pct: Annotated[float, Bound(gt=0, le=100)]
    """Highest bearable share of bad events on the new side, in percent."""
    breaches: Annotated[int, Bound(ge=1, le=100)] = 3
    """How many of the last `window` polls must be above it."""
    window: Annotated[int, Bound(ge=1, le=100)] = 5
    """How many polls are looked at."""
    min_total: Annotated[float, Bound(ge=1)] = 20.0
    """Events that a poll must have had to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(Table):
    """A count of bad events out of a total, compared between the sides."""

    name: Name
    """Short name, unique."""
    title: Line
    """What the screen says."""
    monitor: Name | None = None
    """Which [monitor.NAME] answers the queries. Not needed where both sides name their own."""
    legacy: Pair
    """The counters of the legacy side."""
    new: Pair
    """The counters of the new side."""
    margin: Annotated[float, Bound(gt=1, le=100)] = 2.0
    """The judge lets a stage advance once the new side is shown to be not this many times worse."""
    negligible_pct: Annotated[float, Bound(gt=0, le=100)] | None = None
    """Percent of bad events on the new side that nobody minds: shown to be below it, a stage may advance."""
    limit: Limit | None = None
    """A hard limit beside the comparison."""
    proposes_rollback: bool = True
    """Whether a regression proposes a rollback; with false it only warns."""
    required: bool = True
    """Whether forward moves wait for this signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic(Table):
    """Where the observed share of a flag comes from: two growing counters of requests."""

    monitor: Name
    """Which [monitor.NAME] answers the queries."""
    legacy: Query
    """Counter of requests that the legacy side served."""
    new: Query
    """Counter of requests that the new side served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Table):
    """One step of the rollout."""

    percent: Share
    """Share of users sent to the new side."""
    cohort: Text = ""
    """Who that is, in words."""
    hold: Duration = 0.0
    """How long to stay here before the next stage; at the last one, before flags that depend on this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Second(Table):
    """The second lever of a flag, for the night when the first one fails: exactly one of service, manual."""

    either: ClassVar[tuple[str, ...]] = ("service", "manual")

    service: Name | None = None
    """Another [flag_service.NAME] that takes the users off the new side, such as a load balancer."""
    key: FlagKey | None = None
    """The flag's name in that service. Default: the same as in the first."""
    manual: Line | None = None
    """What a person does by hand, and where that is written down."""
    takes: Length
    """How long it takes from the decision to zero, as you have measured it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldBundle(Table):
    """Users who do not get a change before they reload their page, counted.

    In a rollback of the flag the step drain waits for them, as for a gauge of [[rollback.drain]].
    """

    monitor: Name
    """Which [monitor.NAME] answers the query."""
    query: Query
    """One number: how many clients run another bundle than the one that is served now."""
    below: Annotated[float, Bound(gt=0)] = 1.0
    """They count as gone while fewer than this are left; some pages are never reloaded."""
    owner: Line | None = None
    """Whom to ask about those who are left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag(Table):
    """One switch between the sides."""

    key: FlagKey
    """The flag's name in its service."""
    title: Line
    """What the screen calls it."""
    service: Name
    """Which [flag_service.NAME] holds it."""
    stages: Annotated[tuple[Stage, ...], Size(1)]
    """The way forward; percentages rise."""
    depends_on: tuple[FlagKey, ...] = ()
    """Flags that must be ahead of this one. A rollback takes this flag back before them."""
    propagation: Length = 30.0
    """How long a change takes to reach every client; until then a difference is not a fault."""
    tolerance_pct: Annotated[float, Bound(gt=0, le=50)] = 3.0
    """By how many percentage points configured and observed share may differ."""
    traffic: Traffic | None = None
    """Without it the observed share of this flag is unknown, and drain cannot be seen."""
    note: Text = ""
    """What the driver must know about this flag."""
    old_bundle: OldBundle | None = None
    """For a switch that is built into pages: who still runs the old ones."""
    second: Second | None = None
    """Offered in a rollback when the first lever fails, or at once when its service is down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCounter(Table):
    """A growing counter of writes on the new side, read at the flip and after it."""

    name: Name
    """What is counted; unique."""
    monitor: Name
    """Which [monitor.NAME] answers the query."""
    query: Query
    """The counter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready(Table):
    """A figure that the way back stands on; above its limit, or unseen, no flag goes forward."""

    name: Name
    """Short name, unique."""
    title: Line
    """What the screen says, such as "reverse sync lag" or "age of the backup"."""
    monitor: Name
    """Which [monitor.NAME] answers the query."""
    query: Query
    """One number."""
    at_most: Annotated[float, Bound(ge=0)]
    """The highest value with which one can still go back."""
    unit: Annotated[str, Size(0, 12)] = ""
    """Of the number; "s" is shown as a length of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain(Table):
    """What besides traffic has to run out in a rollback: open sockets, queued jobs, undelivered webhooks.

    The step drain is done only when every gauge of the new side is below its limit, seen after the flip.
    """

    name: Name
    """What is counted; unique."""
    side: Side
    """"new" holds the step drain until it is drained; "legacy" is only shown."""
    monitor: Name
    """Which [monitor.NAME] answers the query."""
    query: Query
    """One number: how many are left."""
    below: Annotated[float, Bound(gt=0)]
    """It is drained while fewer than this are left, such as 1 for none at all."""
    owner: Line | None = None
    """Whom to ask about what is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Table):
    """A change to the steps of the rollback.

    The machine's steps are declare, freeze, prove, flip, drain, verify, reconcile, announce, close.
    """

    id: Name
    """One of the machine's steps, or a new name for a step of your own."""
    title: Line | None = None
    """What the screen calls the step. Needed for a step of your own."""
    budget: Length | None = None
    """Limit of the step, counted from declare. Needed for a step of your own."""
    text: Text = ""
    """What to do, for the person who does it. Needed for a manual step."""
    manual: bool = False
    """A named person does it and says so, instead of the machine. Needed for a step of your own."""
    drop: bool = False
    """Leave the step out. Not possible for declare, freeze, prove, flip and close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback(Table):
    """The way back and its countdown."""

    budget: Budget = 900.0
    """From declare to users safe on legacy."""
    escalate_after: Length | None = None
    """When to call for backup if the way back is not proven by then. Default: four fifths of the budget."""
    side_limit: Length = 2.0
    """Longest time that one of the checks beside the flip is waited for."""
    drain_below_pct: Annotated[float, Bound(gt=0, le=50)] = 0.5
    """A flag is drained when its observed share on the new side is below this."""
    drain_polls: Annotated[int, Bound(ge=1, le=100)] = 2
    """For so many polls in a row."""
    point_of_no_return: Instant | None = None
    """From this instant on the legacy side cannot take the users back."""
    watch_window: Duration = 1800.0
    """How long after a rollback nobody may try again."""
    auto_rollback: AutoRollback = AutoRollback.PROPOSE
    """What a regression leads to: "propose" asks a person, "veto" goes by itself unless vetoed, "off"."""
    veto_time: Length = 60.0
    """With "veto": how long a person has to say no."""
    write_counter: tuple[WriteCounter, ...] = ()
    """What was written on the new side since the flip, for the reconciliation."""
    ready: tuple[Ready, ...] = ()
    """Figures that the way back stands on: lag of the reverse sync, age of the backup, room on legacy."""
    drain: tuple[Drain, ...] = ()
    """What besides traffic has to run out before the step drain is done."""
    drill_within: Length | None = None
    """How old the last passed drill of this plan may be, such as "30d", before no flag goes forward."""
    step: tuple[Step, ...] = ()
    """Changes to the steps; see the step table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce(Table):
    """Who is told, and when. The settings of its kind stand in the same table."""

    name: Name
    """Short name, unique."""
    kind: str
    """How the message is delivered."""
    on: Annotated[tuple[HookMoment, ...], Size(1)]
    """The moments that are announced; `lost` is a driver's terminal that went while a rollback is open."""
    timeout: Length = 5.0
    """How long one delivery may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document(Table):
    """A cutover plan: what moves from where to where, how one sees that it goes well, and the way back."""

    title: Line
    """What this migration is called."""
    environment: Line
    """Where it happens, such as "production". Stands in the banner."""
    approvals: Annotated[int, Bound(ge=1, le=5)] = 1
    """How many people must approve a forward move: the driver and others, each in a cockpit of their own. A
    rollback never needs more than one."""
    poll: Poll = field(default_factory=Poll)
    """How often the cockpit asks."""
    judge: Judge = field(default_factory=Judge)
    """How sure the judge must be."""
    flag_service: Annotated[dict[Name, Source], Size(1)]
    """Flag services by name."""
    monitor: dict[Name, Source] = field(default_factory=dict)
    """Monitoring sources by name."""
    backend: Backends
    """The two sides."""
    flag: Annotated[tuple[Flag, ...], Size(1)]
    """The switches, at least one."""
    signal: tuple[Signal, ...] = ()
    """What is compared between the sides."""
    rollback: Rollback = field(default_factory=Rollback)
    """The way back."""
    announce: tuple[Announce, ...] = ()
    """Who is told."""
    store: dict[Name, Store] = field(default_factory=dict)
    """Where the data lie, by name: what parity checks count and read."""
    parity: tuple[Parity, ...] = ()
    """Whether the data of both sides agree."""
    phases: Phases = ()
    """The phases of the migration in their order; one without any check is shown as such."""
    check: tuple[Check, ...] = ()
    """What people sign before a flag may go forward."""


TIMEOUT_SHARE: Final = 0.75
TIMEOUT_LIMIT_S: Final = 5.0


def default_timeout_s(interval_s: float) -> float:
    """A poll must be over before the next one begins."""
    return min(TIMEOUT_LIMIT_S, TIMEOUT_SHARE * interval_s)
