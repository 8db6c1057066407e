"""The plan as the core sees it: immutable values with units, built by `cockpit.plan` from TOML.

`settings` fields hold the adapter's own validated settings object; the core never looks inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Final

from cockpit.core.checklist import ItemSpec
from cockpit.core.clean import Percent
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Side
from cockpit.core.parity_spec import ParitySpec, StoreSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a rollout: percent of traffic, who that is, and how long to stay before the next."""

    percent: Percent
    cohort: str = ""
    hold_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PairQuery:
    """Two counters of one backend in the monitoring source's own language: bad events and all events.

    monitor: who is asked for them, where that is not the signal's own monitor.
    """

    bad: str
    total: str
    monitor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficQuery:
    """Where the observed share of one flag comes from: request counters of both sides."""

    monitor: str
    legacy: str
    new: str


WRITE_LIMIT_S: Final = 5.0
"""How long the answer to a write is waited for."""


def second_limit_s(takes_s: float) -> float:
    """The same for a second lever: twice the time that the plan says it takes."""
    return max(WRITE_LIMIT_S, 2 * takes_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLever:
    """Another way to bring a flag to zero: through another service, or by hand as `manual` tells.

    takes_s: how long that takes from the decision to zero, as measured by the authors of the plan.
    """

    takes_s: float
    service: str = ""
    key: str = ""
    manual: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagSpec:
    key: str
    title: str
    service: str
    stages: tuple[Stage, ...]
    depends_on: tuple[str, ...] = ()
    propagation_s: float = 30.0
    traffic: TrafficQuery | None = None
    tolerance_pct: float = 3.0
    note: str = ""
    second: SecondLever | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSpec:
    """`required` probes gate forward moves; `passes` consecutive OK answers verify legacy after a flip."""

    name: str
    kind: str
    side: Side
    settings: object
    interval_s: float
    timeout_s: float
    required: bool = True
    passes: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSpec:
    side: Side
    title: str
    probes: tuple[ProbeSpec, ...]
    nature: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HardLimit:
    """A rate on the new side that is too high whatever legacy does: `breaches` of the last `window` polls."""

    max_pct: float
    breaches: int = 3
    window: int = 5
    min_total: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSpec:
    """Bad events out of a total, per backend, as counters that only grow.

    monitor: who is asked for the sides that name no monitor of their own.
    margin: the "not worse than m times" of the advance verdict. proposes_rollback: whether a
    REGRESSED verdict proposes a rollback or only warns. negligible_pct: a rate on the new side so low
    that the ratio no longer matters; without it a signal with hardly any bad events stays undecided long.
    """

    name: str
    title: str
    monitor: str
    legacy: PairQuery
    new: PairQuery
    margin: float = 2.0
    limit: HardLimit | None = None
    proposes_rollback: bool = True
    required: bool = True
    negligible_pct: float | None = None

    def pair(self, side: Side) -> PairQuery:
        return self.legacy if side is Side.LEGACY else self.new

    def monitor_of(self, side: Side) -> str:
        return self.pair(side).monitor or self.monitor

    def sides_of(self, monitor: str) -> tuple[Side, ...]:
        """The sides that this monitor is asked for."""
        return tuple(side for side in Side if self.monitor_of(side) == monitor)

    @property
    def monitors(self) -> tuple[str, ...]:
        """Everyone who is asked, each once: two where the sides are counted in different places."""
        return tuple(dict.fromkeys(self.monitor_of(side) for side in Side))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """A flag service or a monitoring source, by name and kind. in_new: it is a part of the new backend.
    in_pages: what it switches is built into pages, and clients get it when they reload.
    """

    name: str
    kind: str
    settings: object
    interval_s: float
    timeout_s: float
    in_new: bool = False
    in_pages: bool = False


class HookMoment(StrEnum):
    """PROPOSED: by the judge. FOREIGN: a flag was changed by somebody else. ESCALATED: the way back is not
    proven in time. LOST: the driver's terminal went while a rollback is open."""

    STAGE = "stage"
    HELD = "held"
    FOREIGN = "foreign"
    PROPOSED = "proposed"
    DECLARED = "declared"
    FLIPPED = "flipped"
    ESCALATED = "escalated"
    LOST = "lost"
    CLOSED = "closed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceSpec:
    name: str
    kind: str
    settings: object
    moments: tuple[HookMoment, ...]
    timeout_s: float = 5.0


class StepKey(StrEnum):
    """The steps of a rollback; numbers as in the countdown's table (0 is detection, before declare)."""

    DECLARE = "declare"
    FREEZE = "freeze"
    PROVE = "prove"
    FLIP = "flip"
    DRAIN = "drain"
    VERIFY = "verify"
    RECONCILE = "reconcile"
    ANNOUNCE = "announce"
    CLOSE = "close"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """One line of the rollback. `id` is unique; `budget_s` is its limit counted from declare.

    MANUAL steps are done by a named person and `text` tells what to do; the others are done by evidence.
    """

    id: str
    key: StepKey
    title: str
    budget_s: float
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCounter:
    """A growing counter of writes on the new side, for "how much happened since the cut mark"."""

    name: str
    monitor: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadySpec:
    """A figure that the way back stands on, such as the lag of the reverse sync or the age of a backup.

    unit "s" is shown as a length of time. at_most: the highest value with which one can still go back.
    """

    name: str
    title: str
    monitor: str
    query: str
    at_most: float
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainSpec:
    """Something besides traffic that must run out on a side, such as open sockets or queued jobs.

    below: it counts as drained under this number. owner: whom to ask about what is left. flag: it counts
    pages of this flag that were not reloaded, and only a rollback of it waits for them.
    """

    name: str
    side: Side
    monitor: str
    query: str
    below: float
    owner: str = ""
    flag: str = ""


class AutoRollback(StrEnum):
    """What a REGRESSED verdict or a hard limit leads to: nothing, a proposal, or a rollback unless vetoed."""

    OFF = "off"
    PROPOSE = "propose"
    VETO = "veto"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackSpec:
    """The way back. `steps` are the plan's steps 1-9 in order; flip and close are always among them.

    veto_s: with AutoRollback.VETO, how long a proposal stands before it goes by itself.
    drill_within_s: how old the last passed drill may be; None where the plan does not ask for one.
    """

    budget_s: float = 900.0
    escalate_after_s: float = 720.0
    side_limit_s: float = 2.0
    drain_below_pct: float = 0.5
    drain_polls: int = 2
    steps: tuple[StepSpec, ...] = ()
    write_counters: tuple[WriteCounter, ...] = ()
    point_of_no_return_at: datetime | None = None
    watch_window_s: float = 1800.0
    auto: AutoRollback = AutoRollback.PROPOSE
    veto_s: float = 60.0
    ready: tuple[ReadySpec, ...] = ()
    drain: tuple[DrainSpec, ...] = ()
    drill_within_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSpec:
    """alpha: risk of a false rollback proposal during one stage, however long, shared by all signals."""

    alpha: float = 0.01
    warn_alpha: float = 0.05
    min_total: float = 50.0
    warmup_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything the cockpit flies by. `digest` is the SHA-256 of the file's bytes, `source` its path."""

    title: str
    environment: str
    flag_services: tuple[ServiceSpec, ...]
    monitors: tuple[ServiceSpec, ...]
    backends: tuple[BackendSpec, ...]
    flags: tuple[FlagSpec, ...]
    signals: tuple[SignalSpec, ...]
    rollback: RollbackSpec
    judge: JudgeSpec = field(default_factory=JudgeSpec)
    announce: tuple[AnnounceSpec, ...] = ()
    approvals: int = 1
    stores: tuple[StoreSpec, ...] = ()
    parity: tuple[ParitySpec, ...] = ()
    checklist: tuple[ItemSpec, ...] = ()
    phases: tuple[str, ...] = ()
    digest: str = ""
    source: str = ""
    flags_by_key: Mapping[str, FlagSpec] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "flags_by_key", {flag.key: flag for flag in self.flags})

    def flag(self, key: str) -> FlagSpec:
        """Raises KeyError with the key."""
        return self.flags_by_key[key]

    def read_through(self, flag: str, *, second: bool) -> tuple[ServiceSpec | None, str]:
        """The service of this lever of a flag (None: there is none), and the flag's name there."""
        spec = self.flags_by_key.get(flag)
        name, key = (spec.service, spec.key) if spec is not None else ("", "")
        if second:
            name, key = (
                (spec.second.service, spec.second.key) if spec is not None and spec.second else ("", "")
            )
        return next((each for each in self.flag_services if each.name == name), None), key

    def write_limit_s(self, service: str) -> float:
        """The longest time that a write to this service is given, as first or as second lever."""
        seconds = [flag.second for flag in self.flags if flag.second and flag.second.service == service]
        return max((second_limit_s(second.takes_s) for second in seconds), default=WRITE_LIMIT_S)

    def falls_with_new(self, flag: FlagSpec) -> bool:
        """Whether every lever of the flag is a part of the new backend, which a rollback wants to leave."""
        second = flag.second
        levers = [flag.service] if second is None else [flag.service, second.service]
        inside = {service.name for service in self.flag_services if service.in_new}
        return all(lever in inside for lever in levers)

    def in_pages(self, flag: FlagSpec) -> bool:
        """Whether clients get a change of the flag only when they reload their page."""
        return any(each.in_pages for each in self.flag_services if each.name == flag.service)

    def keys_in(self, service: str) -> tuple[str, ...]:
        """The names of all flags that are read from this service, as the first or the second lever."""
        first = [flag.key for flag in self.flags if flag.service == service]
        second = [flag.second.key for flag in self.flags if flag.second and flag.second.service == service]
        return tuple(dict.fromkeys((*first, *second)))
