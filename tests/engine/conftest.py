"""A scripted world with real engines in it: their own threads and loops, hand-driven time, no network."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

import pytest

from cockpit.core import commands as asked
from cockpit.core.clean import Percent
from cockpit.core.commands import Command, CommandState, CommandStatus
from cockpit.core.events import Event, Kind
from cockpit.core.model import Mode, Side
from cockpit.core.rollback import Flip, Rollback
from cockpit.core.snapshot import FlagStatus, Snapshot
from cockpit.core.spec import (
    AnnounceSpec,
    BackendSpec,
    FlagSpec,
    HookMoment,
    JudgeSpec,
    PairQuery,
    Plan,
    ProbeSpec,
    RollbackSpec,
    SecondLever,
    ServiceSpec,
    SignalSpec,
    Stage,
    StepKey,
    StepSpec,
    TrafficQuery,
    WriteCounter,
)
from cockpit.engine.engine import Engine
from cockpit.engine.flying import Flying
from cockpit.engine.identity import Identity
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.journal_port import Journal
from cockpit.engine.sources import Sources
from tests.engine.scripted import (
    Bell,
    Cast,
    Gate,
    HandClock,
    ScriptedHook,
    ScriptedMonitor,
    ScriptedProbe,
    ScriptedService,
)

POLL_S = 0.03
HOPELESS_S = 20.0

STEPS = (
    StepSpec(id="declare", key=StepKey.DECLARE, title="Declare", budget_s=30),
    StepSpec(id="freeze", key=StepKey.FREEZE, title="Freeze", budget_s=60),
    StepSpec(id="prove", key=StepKey.PROVE, title="Prove the way back", budget_s=105),
    StepSpec(id="flip", key=StepKey.FLIP, title="Flip", budget_s=180),
    StepSpec(id="drain", key=StepKey.DRAIN, title="Drain", budget_s=420),
    StepSpec(id="verify", key=StepKey.VERIFY, title="Verify legacy", budget_s=600),
    StepSpec(id="reconcile", key=StepKey.RECONCILE, title="Reconcile", budget_s=780),
    StepSpec(id="jobs", key=StepKey.MANUAL, title="Stop the jobs", budget_s=780, text="stop them"),
    StepSpec(id="announce", key=StepKey.ANNOUNCE, title="Announce", budget_s=780),
    StepSpec(id="close", key=StepKey.CLOSE, title="Close", budget_s=900),
)
MOMENTS = tuple(HookMoment)


def flag_spec(key: str, *, needs: tuple[str, ...] = ()) -> FlagSpec:
    return FlagSpec(
        key=key,
        title=key.title(),
        service="flags",
        stages=tuple(Stage(percent=Percent.parse(each)) for each in (10, 50, 100)),
        depends_on=needs,
        traffic=TrafficQuery(monitor="metrics", legacy=f"{key}/legacy", new=f"{key}/new"),
    )


def probe_spec(side: Side) -> ProbeSpec:
    return ProbeSpec(
        name="health", kind="scripted", side=side, settings=None, interval_s=POLL_S, timeout_s=HOPELESS_S
    )


def make_plan() -> Plan:
    """`reads` depends on `writes`: writes goes forward first and back last."""
    return Plan(
        title="Scripted",
        environment="test",
        flag_services=(_source("flags"),),
        monitors=(_source("metrics"),),
        backends=tuple(BackendSpec(side=side, title=side, probes=(probe_spec(side),)) for side in Side),
        flags=(flag_spec("writes"), flag_spec("reads", needs=("writes",))),
        signals=(
            SignalSpec(
                name="errors",
                title="Errors",
                monitor="metrics",
                legacy=PairQuery(bad="bad/legacy", total="total/legacy"),
                new=PairQuery(bad="bad/new", total="total/new"),
            ),
        ),
        rollback=RollbackSpec(
            steps=STEPS,
            side_limit_s=0.1,
            write_counters=(WriteCounter(name="orders", monitor="metrics", query="orders"),),
        ),
        judge=JudgeSpec(),
        announce=(
            AnnounceSpec(name="chat", kind="scripted", settings=None, moments=MOMENTS, timeout_s=20.0),
        ),
        digest="d" * 64,
        source="/plans/scripted.toml",
    )


def _source(name: str) -> ServiceSpec:
    return ServiceSpec(name=name, kind="scripted", settings=None, interval_s=POLL_S, timeout_s=HOPELESS_S)


@dataclass
class World:
    """One scripted surrounding for one or more engines on it."""

    bell: Bell = field(default_factory=Bell)
    clock: HandClock = field(default_factory=HandClock)
    plan: Plan = field(default_factory=make_plan)
    journal: Journal = field(default_factory=MemoryJournal)
    percents: Mapping[str, float] = field(default_factory=lambda: {"writes": 0.0, "reads": 0.0})
    engines: list[Engine] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cast = self.new_cast()

    def new_cast(self) -> Cast:
        service = ScriptedService(self.bell, self.percents)
        return Cast(
            service=service,
            monitor=ScriptedMonitor(self.bell, self.exposure),
            legacy=ScriptedProbe(self.bell),
            new=ScriptedProbe(self.bell),
            hook=ScriptedHook(self.bell),
            backup=ScriptedService(
                self.bell, {f"pool-{key}": pct or 100.0 for key, pct in self.percents.items()}
            ),
        )

    def exposure(self, key: str) -> float:
        """What users really get: nothing, as soon as one of the levers is at zero."""
        pool = self.cast.backup.exposure(f"pool-{key}")
        return self.cast.service.exposure(key) if pool else 0.0

    @property
    def backup(self) -> ScriptedService:
        """The service of second levers, in a plan that has some."""
        return self.cast.backup

    @property
    def service(self) -> ScriptedService:
        return self.cast.service

    def gate(self) -> Gate:
        """A shut gate that is opened at the end of the test at the latest."""
        gate = Gate(self.bell)
        gate.shut()
        self.cast.gates.append(gate)
        return gate

    def sources(self, plan: Plan, *, writers: bool = True, cast: Cast | None = None) -> Sources:
        cast = cast or self.cast
        cast.sources_built += 1

        async def release() -> None:
            cast.released += 1

        return Sources(
            readers={"flags": cast.service, "backup": cast.backup},
            monitors={"metrics": cast.monitor},
            probes={(Side.LEGACY, "health"): cast.legacy, (Side.NEW, "health"): cast.new},
            writers={"flags": cast.service, "backup": cast.backup} if writers else {},
            announcers={"chat": cast.hook} if writers else {},
            close=release,
        )

    def flying(
        self,
        *,
        operator: str = "ana",
        read_only: bool = False,
        writers: bool = True,
        journal: Journal | None = None,
        plan: Plan | None = None,
        cast: Cast | None = None,
        sources: Callable[[Plan], Sources] | None = None,
    ) -> Flying:
        return Flying(
            plan=plan or self.plan,
            sources=sources
            or (lambda plan: self.sources(plan, writers=writers and not read_only, cast=cast)),
            journal=journal or self.journal,
            clock=self.clock,
            identity=Identity(
                operator=operator, host="test-host", mode=Mode.LIVE, version="0", read_only=read_only
            ),
            journal_path="/state/test.journal",
            rng=random.Random(7),
        )

    def start(self, flying: Flying | None = None) -> Pilotage:
        engine = Engine(flying or self.flying())
        engine.subscribe(self.bell.tell)
        engine.start()
        self.engines.append(engine)
        return Pilotage(self, engine)

    def events(self, *kinds: Kind) -> list[Event]:
        return [event for event in self.journal.read() if not kinds or event.kind in kinds]

    def end(self) -> None:
        """Everything may go on now; an open rollback's time is over. Every thread has to end."""
        self.cast.open_all()
        for engine in self.engines:
            engine.stop()
        self.clock.advance(10_000)
        for engine in self.engines:
            assert engine.join(DEADLINE_S), "an engine never ended"
        self.journal.close()
        assert not [each for each in threading.enumerate() if each.name == "cockpit-engine"]


DEADLINE_S = 20.0


@dataclass
class Pilotage:
    """One engine, and words for what tests do to it."""

    world: World
    engine: Engine

    @property
    def now(self) -> Snapshot:
        return self.engine.latest()

    @property
    def rollback(self) -> Rollback:
        rollback = self.now.rollback
        assert rollback is not None
        return rollback

    def flag(self, key: str) -> FlagStatus:
        return next(flag for flag in self.now.flags if flag.key == key)

    def flip(self, key: str) -> Flip:
        return next(flip for flip in self.rollback.flips if flip.flag == key)

    def until(self, condition: Callable[[Snapshot], bool], what: str = "") -> Snapshot:
        """Wait for a snapshot that meets the condition; that snapshot."""
        found: list[Snapshot] = []

        def met() -> bool:
            snapshot = self.engine.latest()
            if condition(snapshot):
                found.append(snapshot)
            elif not self.engine.alive:
                raise AssertionError(f"the engine ended: {self.engine.failed!r}")
            return bool(found)

        self.world.bell.until(met, what)
        return found[0]

    def status(self, command: Command) -> CommandStatus | None:
        return next((each for each in self.now.commands if each.id == command.id), None)

    def give(self, command: Command, state: CommandState) -> CommandStatus:
        """Submit, and wait until the command is in `state` (another end fails at once)."""
        self.engine.submit(command)
        return self.ends(command, state)

    def ends(self, command: Command, state: CommandState) -> CommandStatus:
        ended = (CommandState.DONE, CommandState.REFUSED)
        self.until(lambda _: (s := self.status(command)) is not None and (s.state in (state, *ended)))
        status = self.status(command)
        assert status is not None
        assert status.state is state, status
        return status

    def done(self, command: Command) -> CommandStatus:
        return self.give(command, CommandState.DONE)

    def refused(self, command: Command) -> str:
        return self.give(command, CommandState.REFUSED).text

    def ready(self, key: str) -> None:
        """Wait until every gate of the flag's next stage is met."""
        try:
            self.until(lambda _: all(gate.met for gate in self.flag(key).gates))
        except AssertionError:
            unmet = [gate for gate in self.flag(key).gates if not gate.met]
            raise AssertionError(f"gates of {key} never met: {unmet}") from None

    def fly_to(self, key: str, percent: float) -> None:
        self.ready(key)
        self.done(advance(key, percent))

    def settled(self, *steps: str) -> None:
        """Wait until these steps of the rollback are done."""
        self.until(
            lambda shot: (
                shot.rollback is not None and all(shot.rollback.step(step).settled for step in steps)
            ),
            f"steps {steps}",
        )

    def leave(self, why: str = "the test is over") -> None:
        self.engine.stop_because(why)
        assert self.engine.join(DEADLINE_S), "the engine never ended"


def ident() -> str:
    return str(uuid4())


def advance(flag: str, percent: float, *, by: str = "ana") -> asked.Advance:
    return asked.Advance(id=ident(), by=by, flag=flag, percent_hundredths=Percent.parse(percent).hundredths)


def declare(*flags: str, reason: str = "errors", by: str = "ana") -> asked.DeclareRollback:
    return asked.DeclareRollback(id=ident(), by=by, flags=flags, reason=reason)


def note(text: str = "a note", *, by: str = "ana") -> asked.AddNote:
    return asked.AddNote(id=ident(), by=by, text=text)


def seen_at(snapshot: Snapshot, key: str) -> float | None:
    """Percent that the snapshot says is configured."""
    value = next(flag for flag in snapshot.flags if flag.key == key).configured.value
    return None if value is None or value.exposure is None else value.exposure.value


def later(at: datetime, seconds: float) -> datetime:
    from datetime import timedelta

    return at + timedelta(seconds=seconds)


def with_second_levers(plan: Plan) -> Plan:
    """`reads` by another service, `writes` by hand."""
    levers = {
        "reads": SecondLever(service="backup", key="pool-reads", takes_s=40.0),
        "writes": SecondLever(manual="Set the pool's weight to 0 (runbook 7)", takes_s=240.0),
    }
    flags = tuple(replace(flag, second=levers[flag.key]) for flag in plan.flags)
    return replace(plan, flag_services=(*plan.flag_services, _source("backup")), flags=flags)


def without_signals(plan: Plan) -> Plan:
    return replace(plan, signals=())


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.end()


@pytest.fixture
def exposed() -> Iterator[World]:
    """A world in which both flags send half of the traffic to the new side already."""
    made = World(percents={"writes": 50.0, "reads": 50.0})
    yield made
    made.end()
