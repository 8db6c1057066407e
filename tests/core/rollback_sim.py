"""A rollback without an engine: the pure machine against a flag service that may do anything.

`Sim` keeps the truth (what users really get), journals like the engine does, and lets a test choose what
every write and read does. It checks after every event what must never be broken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cockpit.core.acts import Act, Action, Announce, Facts, FlagFact, LegacyFact, ReadBack, Record, Write
from cockpit.core.clean import Percent
from cockpit.core.events import MACHINE, Event, Kind, Lever
from cockpit.core.flight import Flight, apply
from cockpit.core.model import Health
from cockpit.core.rollback import FlipState, Rollback, all_dependants, layers
from cockpit.core.rollback_steps import decide
from cockpit.core.spec import HookMoment, RollbackSpec, StepKey

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
SPEC = RollbackSpec()
STEPS = [
    ("declare", StepKey.DECLARE, 30, True),
    ("freeze", StepKey.FREEZE, 60, True),
    ("prove", StepKey.PROVE, 105, True),
    ("flip", StepKey.FLIP, 180, True),
    ("drain", StepKey.DRAIN, 420, True),
    ("verify", StepKey.VERIFY, 600, True),
    ("reconcile", StepKey.RECONCILE, 780, True),
    ("announce", StepKey.ANNOUNCE, 780, True),
    ("close", StepKey.CLOSE, 900, False),
]


@dataclass
class InFlight:
    """One write that was sent. `lands` is what it will do to the flag when it arrives."""

    write_id: str
    flag: str
    action: Action
    lever: Lever = Lever.FIRST


@dataclass
class Sim:
    """truth: exposure in hundredths per flag. Time moves one second with every event."""

    depends_on: Mapping[str, Sequence[str]]
    truth: dict[str, int]
    hooks: tuple[tuple[str, tuple[HookMoment, ...]], ...] = ()
    legacy: Health = Health.OK
    now: datetime = START
    flight: Flight = field(default_factory=Flight)
    journal: list[Event] = field(default_factory=list)
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    facts: dict[str, FlagFact] = field(default_factory=dict)
    announcing: set[tuple[str, str]] = field(default_factory=set)
    good_probes: list[int] = field(default_factory=list)
    shares: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    counters: dict[str, float | None] = field(default_factory=lambda: {"writes": 10.0})
    awaited: set[str] = field(default_factory=set)
    writes: int = 0
    second: dict[str, int] = field(default_factory=dict)
    second_facts: dict[str, FlagFact] = field(default_factory=dict)

    def declare(self, chosen: Sequence[str] = ()) -> None:
        scope = layers(self.depends_on, chosen or tuple(self.depends_on))
        self.record(
            Kind.ROLLBACK_DECLARED,
            {
                "rollback": "r1",
                "flags": [
                    {
                        "flag": key,
                        "layer": layer,
                        "waits_for": list(all_dependants(self.depends_on).get(key, ())),
                        "before": self.truth[key],
                    }
                    for key, layer in scope
                ],
                "whole": True,
                "deadline_at": (self.now + timedelta(seconds=900)).isoformat(),
                "escalate_at": (self.now + timedelta(seconds=720)).isoformat(),
                "first_breach_at": None,
                "reason": "test",
                "steps": [
                    {"id": name, "key": key.value, "title": name, "budget_s": budget, "machine": machine}
                    for name, key, budget, machine in STEPS
                ],
            },
            actor="driver",
        )

    def widen(self, chosen: Sequence[str] = ()) -> None:
        """More flags (none named: all the others) come along; nothing where there are none left."""
        scope = layers(self.depends_on, chosen or tuple(self.depends_on))
        added = [(key, layer) for key, layer in scope if key not in self.rollback.flags]
        rows = [
            {
                "flag": key,
                "layer": layer,
                "waits_for": list(all_dependants(self.depends_on).get(key, ())),
                "before": self.truth[key],
            }
            for key, layer in added
        ]
        if rows:
            body = {"rollback": "r1", "flags": rows, "whole": not chosen, "reason": ""}
            self.record(Kind.ROLLBACK_WIDENED, body, actor="driver")

    @property
    def rollback(self) -> Rollback:
        assert self.flight.rollback is not None
        return self.flight.rollback

    def record(self, kind: Kind, body: Mapping[str, object], *, actor: str = MACHINE) -> None:
        self.now += timedelta(seconds=1)
        event = Event(seq=self.flight.last_seq + 1, at=self.now, actor=actor, kind=kind, body=body)
        self.flight = apply(self.flight, event)
        self.journal.append(event)
        self.check()

    def check(self) -> None:
        """What must hold after every event."""
        rollback = self.flight.rollback
        if rollback is None:
            return
        assert rollback.deadline_at == START + timedelta(seconds=900), "the deadline moved"
        for flip in rollback.flips:
            ways = [flip, *([flip.second] if flip.second is not None else [])]
            assert sum(way.write_id is not None for way in ways) <= 1, "both levers of one flag write at once"
            if flip.by_hand:
                assert flip.second is not None and flip.second.state is FlipState.WAITING
            pending = self.in_flight.get(flip.flag)
            if pending is not None and pending.lever is Lever.SECOND:
                continue
            if pending is not None and flip.write_id is not None:
                assert flip.write_id == pending.write_id, "two writes of one flag"
            if flip.state is FlipState.AT_ZERO:
                assert flip.at_zero_at is not None

    def world(self) -> Facts:
        facts = {
            key: FlagFact(
                exposure=fact.exposure,
                known=fact.known,
                read_after=fact.read_after,
                back_after=fact.back_after,
                shares=tuple(self.shares.get(key, ())),
                observable=True,
                busy=key in self.in_flight,
            )
            for key, fact in ((key, self.facts.get(key, FlagFact())) for key in self.depends_on)
        }
        legacy = LegacyFact(health=self.legacy, text="probe", passes=(("probe", 3, tuple(self.good_probes)),))
        return Facts(
            seconds={key: self.second_facts.get(key, FlagFact()) for key in self.second},
            flags=facts,
            legacy=legacy,
            counters=dict(self.counters),
            awaited=frozenset(self.awaited),
            hooks=self.hooks,
            announcing=frozenset(self.announcing),
        )

    def acts(self) -> tuple[Act, ...]:
        return decide(self.rollback, self.world(), SPEC, self.now)

    def turn(self) -> tuple[list[str], int]:
        """Do what is decided until only the outside is waited for; flags to read back, events recorded."""
        reads: list[str] = []
        self.second_reads: list[str] = []
        recorded = 0
        for _ in range(200):
            if self.flight.rollback is None:
                return reads, recorded
            acts = self.acts()
            reads = [act.flag for act in acts if isinstance(act, ReadBack) and act.lever is Lever.FIRST]
            backs = [act for act in acts if isinstance(act, ReadBack)]
            self.second_reads = [act.flag for act in backs if act.lever is Lever.SECOND]
            doing = [act for act in acts if isinstance(act, Record | Write)]
            self.announcing |= {(act.hook, act.moment) for act in acts if isinstance(act, Announce)}
            if not doing:
                return reads, recorded
            recorded += len(doing)
            for act in doing:
                self.do(act)
        raise AssertionError("the machine never comes to rest")

    def do(self, act: Record | Write) -> None:
        if isinstance(act, Record):
            self.record(act.kind, act.body)
            return
        assert act.flag not in self.in_flight, "a second write while one is in flight"
        self.writes += 1
        order = InFlight(write_id=f"w{self.writes}", flag=act.flag, action=act.action)
        order.lever = act.lever
        body = {"write_id": order.write_id, "flag": act.flag, "action": act.action, "rollback": "r1"}
        self.record(Kind.WRITE_INTENT, {**body, "percent": None, "lever": act.lever})
        self.in_flight[act.flag] = order

    def answer(self, flag: str, outcome: str, *, lands: bool, **more: object) -> None:
        """The write's answer arrives (or its time is over)."""
        order = self.in_flight.pop(flag)
        if lands and order.action is Action.KILL:
            (self.second if order.lever is Lever.SECOND else self.truth)[flag] = 0
        more = {"lever": order.lever, **more}
        body = {"write_id": order.write_id, "flag": flag, "action": order.action, "outcome": outcome}
        self.record(Kind.WRITE_OUTCOME, {**body, "detail": "", "took_s": 0.1, "rollback": "r1", **more})

    def read(self, flag: str, *, back: bool = False) -> None:
        """A good read that begins now; back: the first one after one that failed."""
        exposure, after = Percent(self.truth[flag]), self.flight.last_seq
        known = self.facts.get(flag, FlagFact())
        back_after = after if back else known.back_after
        self.facts[flag] = FlagFact(exposure=exposure, known=True, read_after=after, back_after=back_after)

    def read_second(self, flag: str) -> None:
        """A good read of the second lever's service that begins now."""
        self.now += timedelta(seconds=1)
        exposure = Percent(self.second[flag])
        self.second_facts[flag] = FlagFact(exposure=exposure, known=True, read_after=self.flight.last_seq)

    def exposed(self, flag: str) -> int:
        """What users really get: nothing, as soon as one of the levers is at zero."""
        return min(self.truth[flag], self.second.get(flag, 10_000))

    def pull(self, flag: str) -> None:
        body = {
            "rollback": "r1",
            "flag": flag,
            "service": "balancer",
            "key": flag,
            "takes_s": 40.0,
            "why": "",
        }
        self.record(Kind.LEVER_PULLED, body, actor="driver")

    def by_hand(self, flag: str) -> None:
        body = {"rollback": "r1", "flag": flag, "manual": "weight 0", "takes_s": 240.0, "note": "done"}
        self.record(Kind.LEVER_BY_HAND, body, actor="driver")

    def observe(self, flag: str) -> None:
        """One monitoring poll of this flag's traffic share."""
        self.shares.setdefault(flag, []).append((self.flight.last_seq, self.exposed(flag) / 100))

    def probe(self) -> None:
        self.good_probes.append(self.flight.last_seq)

    def crash(self) -> None:
        """The process dies and a new one folds the journal: answers in flight are lost for good."""
        flight = Flight()
        for event in self.journal:
            flight = apply(flight, event)
        assert flight == self.flight, "state is not a fold of the journal"
        lost, self.in_flight, self.facts, self.announcing = self.in_flight, {}, {}, set()
        self.second_facts = {}
        for flag, order in lost.items():
            body = {"write_id": order.write_id, "flag": flag, "action": order.action, "outcome": "unknown"}
            rest: dict[str, object] = {"detail": "", "took_s": 0.0, "lost": True, "rollback": "r1"}
            rest["lever"] = order.lever
            self.record(Kind.WRITE_OUTCOME, {**body, **rest})

    def record_retry(self, flag: str) -> None:
        self.record(Kind.FLAG_RETRIED, {"rollback": "r1", "flag": flag}, actor="driver")

    def record_answer(self, *, go: bool) -> None:
        self.record(Kind.ROLLBACK_ANSWERED, {"rollback": "r1", "go": go}, actor="driver")

    def record_announced(self, hook: str, moment: str, *, ok: bool, event_id: str = "") -> None:
        kind = Kind.ANNOUNCE_SENT if ok else Kind.ANNOUNCE_FAILED
        self.announcing.discard((hook, moment))
        self.record(kind, {"rollback": "r1", "hook": hook, "moment": moment, "event_id": event_id})
