"""A whole migration flown forward in the practice world: the plan of a sample with its waits cut short, a
driver, and as many approvers beside it as the plan asks for. Nothing is pushed: every gate opens by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from cockpit.cli.flying import flight_journal
from cockpit.cli.plans import load_plan
from cockpit.cli.practising import stand_ins
from cockpit.cli.wiring import Builder
from cockpit.core.checklist import ItemState
from cockpit.core.clean import Percent
from cockpit.core.commands import (
    Advance,
    ApproveAdvance,
    CloseRollback,
    CommandState,
    CommandStatus,
    DoStep,
    SignItem,
)
from cockpit.core.events import Event
from cockpit.core.rollout import next_stage
from cockpit.core.snapshot import Snapshot
from cockpit.core.spec import BackendSpec, FlagSpec, Plan, StepKey
from cockpit.engine.clock import SystemClock
from cockpit.engine.engine import Engine
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_port import Break
from cockpit.engine.paths import journal_path
from cockpit.practice.server import PracticeServer
from tests.flying import OPERATOR, Cockpit, configured_pct, flag_of, rollback_of

APPROVERS = ("sam", "alex")
ALL_RPS = 64000.0
"""Requests a second of all flags together: the judge needs its evidence within a second or two."""
HOLD_S = 1.0
POLL_S = 0.5
BESIDE_S = 2.0
PROPAGATION_S = 0.5
TRIES = 5
PATIENCE_S = 150.0
"""On a machine with much else to do, polls of half a second go stale and gates close again."""


def hurried(plan: Plan, *, poll_s: float = POLL_S) -> Plan:
    """The same plan with every wait cut short. What a gate asks for stays what it is."""

    def soon(wanted_s: float) -> float:
        return min(wanted_s, poll_s)

    def backend(spec: BackendSpec) -> BackendSpec:
        probes = [replace(each, interval_s=soon(each.interval_s), timeout_s=5.0) for each in spec.probes]
        return replace(spec, probes=tuple(probes))

    def flag(spec: FlagSpec) -> FlagSpec:
        stages = [replace(each, hold_s=min(each.hold_s, HOLD_S)) for each in spec.stages]
        return replace(spec, stages=tuple(stages), propagation_s=20.0)

    services = [replace(each, interval_s=soon(each.interval_s), timeout_s=5.0) for each in plan.flag_services]
    monitors = [replace(each, interval_s=soon(each.interval_s), timeout_s=5.0) for each in plan.monitors]
    return replace(
        plan,
        flag_services=tuple(services),
        monitors=tuple(monitors),
        backends=tuple(backend(each) for each in plan.backends),
        flags=tuple(flag(each) for each in plan.flags),
        judge=replace(plan.judge, warmup_s=0.0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """`people` fly beside each other, the driver first."""

    plan: Plan
    path: Path
    env: Mapping[str, str]
    practice: PracticeServer
    people: Sequence[Cockpit]

    @property
    def driver(self) -> Cockpit:
        return self.people[0]

    def sign_all(self) -> None:
        """Put a name to every item of the checklist, each where it lies."""
        signing = [
            SignItem(id=str(uuid4()), by=OPERATOR, item=item.name, note="seen in the practice world")
            for item in self.plan.checklist
        ]
        for sign in signing:
            self.driver.engine.submit(sign)
        signed = {item.name for item in self.plan.checklist}
        self.driver.wait("every item signed", lambda picture: signed == _signed(picture))

    def advance(self, spec: FlagSpec) -> CommandStatus:
        """The next stage, once all its gates but the people's are met; then the others say yes.

        On a busy machine a reading may go stale in between: the driver waits for the gates and asks again.
        """
        for _ in range(TRIES):
            picture = self.driver.wait(f"gates of {spec.key} open", lambda picture: _open(picture, spec.key))
            value = flag_of(picture, spec.key).configured.value
            assert value is not None and value.exposure is not None
            stage = next_stage(spec, value.exposure)
            assert stage is not None
            ended = self._ask(spec.key, stage.percent.hundredths)
            if ended.state is CommandState.DONE:
                break
        return ended

    def _ask(self, flag: str, percent: int) -> CommandStatus:
        command = Advance(id=str(uuid4()), by=OPERATOR, flag=flag, percent_hundredths=percent)
        if len(self.people) == 1:
            return self.driver.order(command)
        self.driver.engine.submit(command)
        asked = self.driver.wait(
            "asked for, or refused", lambda picture: picture.request or _refused(picture, command)
        )
        if asked.request is not None:
            request = asked.request.id
            for who, beside in zip(APPROVERS, self.people[1:], strict=False):
                beside.wait("the request", lambda picture: picture.request and picture.request.id == request)
                yes = ApproveAdvance(id=str(uuid4()), by=who, request=request)
                assert beside.order(yes).state is CommandState.DONE
        return self.driver.end_of(command)

    def configured(self, key: str) -> Percent:
        """What the flag service has stored."""
        return Percent.parse(round(self.practice.world.configured_pct(key), 6))

    def arrived(self, picture: Snapshot) -> bool:
        """Every flag is read at its last stage."""
        last = {flag.key: max(stage.percent for stage in flag.stages) for flag in self.plan.flags}
        return all(configured_pct(flag, picture) == last[flag.key].value for flag in picture.flags)

    def finish(self) -> None:
        """What only people do: each their step, and the signature under it all."""
        picture = self.driver.pictures[-1]
        of = rollback_of(picture).id
        for step in rollback_of(picture).steps:
            if not step.machine and step.key is not StepKey.CLOSE and not step.settled:
                done = DoStep(id=str(uuid4()), by=OPERATOR, rollback=of, step=step.id, note="done")
                assert self.driver.order(done).state is CommandState.DONE, step
        close = CloseRollback(id=str(uuid4()), by=OPERATOR, rollback=of, note="flown there and back")
        ended = self.driver.order(close)
        assert ended.state is CommandState.DONE, ended

    def report(self, *words: str) -> str:
        """`cockpit report` as a process of its own."""
        argv = [sys.executable, "-m", "cockpit", "report", str(self.path), *words]
        told = subprocess.run(argv, env=dict(self.env), capture_output=True, text=True, timeout=60)
        assert (told.returncode, told.stderr) == (0, ""), told
        return told.stdout

    def events(self) -> Sequence[Event]:
        journal = SqliteJournal(journal_path(self.path, self.env), read_only=True)
        try:
            return journal.read()
        finally:
            journal.close()

    def breaks(self) -> Sequence[Break]:
        """Where the journal's chain of hashes does not hold."""
        journal = SqliteJournal(journal_path(self.path, self.env), read_only=True)
        try:
            return journal.verify()
        finally:
            journal.close()


def _open(picture: Snapshot, key: str) -> bool:
    """Every gate of the flag but the one of the people is met."""
    gates = flag_of(picture, key).gates
    return bool(gates) and all(gate.met or gate.name == "approvals" for gate in gates)


def _refused(picture: Snapshot, command: Advance) -> bool:
    return any(one.id == command.id and one.state is CommandState.REFUSED for one in picture.commands)


def _signed(picture: Snapshot) -> set[str]:
    return {item.name for item in picture.checklist if item.state is ItemState.SIGNED}


@contextmanager
def flight(sample: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flight]:
    """Everything at 0 %, nobody has signed anything, the journal empty."""
    path = folder / sample.name
    path.write_bytes(sample.read_bytes())
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "COCKPIT_OPERATOR": OPERATOR,
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    plan = hurried(load_plan(path))
    crowd = replace(plan, flags=tuple(replace(flag, propagation_s=PROPAGATION_S) for flag in plan.flags))
    with ExitStack() as stack:
        practice = stack.enter_context(
            PracticeServer(crowd, seed=5, clock=SystemClock(), rps=ALL_RPS / len(plan.flags))
        )
        people = []
        for who in (OPERATOR, *APPROVERS)[: plan.approvals]:
            monkeypatch.setenv("COCKPIT_OPERATOR", who)
            seen = plan if who == OPERATOR else hurried(load_plan(path), poll_s=BESIDE_S)
            people.append(stack.enter_context(_flying(path, practice.rehome(seen, stand_ins()), practice)))
        yield Flight(plan=plan, path=path, env=env, practice=practice, people=people)


@contextmanager
def _flying(path: Path, plan: Plan, practice: PracticeServer) -> Iterator[Cockpit]:
    """The cockpit without its screen, wired as `cockpit fly` does it, in the practice world."""
    with flight_journal(path) as book:
        sources = Builder(secret=practice.secret, read_only=False)
        engine = Engine(replace(book.flying(plan), plan=plan, sources=sources))
        engine.start()
        cockpit = Cockpit(engine, within_s=PATIENCE_S)
        try:
            yield cockpit
        finally:
            engine.stop()
            ended = engine.join(20)
            cockpit.close()
    assert ended, "the engine did not end"
    assert engine.failed is None
