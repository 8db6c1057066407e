"""`cockpit rollback`: the rollback without a screen, for scripts and for the worst night.

It passes no gate. It waits a moment for a first look at the legacy side, because a sick one is a question
that a script cannot answer; it goes ahead without a journal, loudly, where none can be had; and a lost
line or a signal ends it only when the machine's part is done. A second signal that somebody sent on
purpose leaves at once: the journal says where it stood, and the next cockpit on the plan goes on.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from cockpit.cli.flying import FlightBook, flight_journal
from cockpit.cli.looking import monotonic
from cockpit.cli.output import STANDARD_ERROR, STANDARD_OUTPUT, let_go, say, say_error
from cockpit.cli.plans import USAGE, complain, load_plan
from cockpit.cli.who import operator_name
from cockpit.core.commands import CommandState, DeclareRollback, PullSecondLever
from cockpit.core.drain import undrained
from cockpit.core.levers import told
from cockpit.core.model import Side
from cockpit.core.rollback import Rollback, StepState, layers
from cockpit.core.snapshot import SecondLeverStatus, Snapshot
from cockpit.core.spec import Plan, StepKey
from cockpit.core.waiting import Wait, waiting_line, waits
from cockpit.plan.problems import PlanProblems, unknown
from cockpit.plan.secrets import SecretProblem

if TYPE_CHECKING:
    from cockpit.engine.engine import Engine

FIRST_SIGHT_S: Final = 3.0
LOOK_S: Final = 1.0
STANDS_S: Final = 2.0
AGAIN_S: Final = 15.0
UNPROVED: Final = 3


def run_rollback(path: Path, *, flags: tuple[str, ...], reason: str, second_lever: bool = False) -> int:
    from cockpit.engine.journal_port import JournalFailure

    try:
        plan = load_plan(path)
        wrong = [unknown("flag", key, [flag.key for flag in plan.flags]) for key in _strange(plan, flags)]
        for words in wrong:
            say_error(f"{path.name}: {words}")
        if wrong:
            return USAGE
        try:
            with flight_journal(path) as book:
                return _fly_back(plan, book, flags, reason, second_lever)
        except JournalFailure as failure:
            say_error(f"{failure}")
            say_error("NO JOURNAL: rolling back all the same. Nothing is recorded and no deck will show it;")
            say_error("keep these lines.")
            with _no_journal() as book:
                return _fly_back(plan, book, flags, reason, second_lever)
    except (PlanProblems, SecretProblem) as problem:
        return complain(problem)


def _strange(plan: Plan, flags: tuple[str, ...]) -> tuple[str, ...]:
    known = {flag.key for flag in plan.flags}
    return tuple(key for key in flags if key not in known)


@contextmanager
def _no_journal() -> Iterator[FlightBook]:
    from cockpit.engine.journal_memory import MemoryJournal

    journal = MemoryJournal()
    try:
        yield FlightBook(journal=journal, where=None)
    finally:
        journal.close()


def _fly_back(plan: Plan, book: FlightBook, flags: tuple[str, ...], reason: str, second_lever: bool) -> int:
    from cockpit.engine.engine import Engine

    engine = Engine(replace(book.flying(plan), recalls=False))
    engine.start()
    with _ears(engine) as ears:
        try:
            needs = {flag.key: flag.depends_on for flag in plan.flags}
            taken_along = layers(needs, flags or tuple(needs))
            pulled = frozenset(key for key, _ in taken_along) if second_lever else frozenset()
            return _roll_back(engine, ears, flags, reason, pulled)
        finally:
            engine.leave_now("the headless rollback ended")
            engine.join()
            for words in engine.last_words:
                _Teller.alarm(words)


class _Ears:
    """Signals: the first asks the engine to end when the machine's part is done, the second at once.

    A hang-up is nobody's wish and comes twice from kernel and shell: another one never counts.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._heard: int | None = None

    def interrupted(self) -> bool:
        return self._heard is not None

    def code(self) -> int:
        """The exit code of a process that ends because of what was heard; 1 when nothing was."""
        return 1 if self._heard is None else 128 + self._heard

    def hear(self, number: int, frame: FrameType | None) -> None:
        why = f"signal {signal.Signals(number).name}"
        if self._heard is not None:
            if number != signal.SIGHUP:
                self._engine.leave_now(why)
        else:
            self._heard = number
            self._engine.stop_because(why)


@contextmanager
def _ears(engine: Engine) -> Iterator[_Ears]:
    ears = _Ears(engine)
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    numbers = [number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN]  # nohup
    before = {number: signal.signal(number, ears.hear) for number in numbers}
    try:
        yield ears
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Teller:
    """New lines of the journal, as they come. Nobody has to be there to read them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._told = max((line.seq for line in snapshot.tail if line.at < snapshot.started_at), default=0)

    def tell(self, snapshot: Snapshot) -> None:
        for line in snapshot.tail:
            if line.seq > self._told:
                self._told = line.seq
                self.say(f"{line.at:%H:%M:%S}  {line.text}")

    @staticmethod
    def say(line: str) -> None:
        try:
            say(line)
        except OSError:
            let_go(STANDARD_OUTPUT)

    @staticmethod
    def alarm(line: str) -> None:
        try:
            say_error(line)
        except OSError:
            let_go(STANDARD_ERROR)


def _roll_back(
    engine: Engine, ears: _Ears, flags: tuple[str, ...], reason: str, pulled: Collection[str]
) -> int:
    """Declare, then tell every change until the machine's part is done; 0 only when users are safe.

    pulled: the flags whose second levers may be pulled.
    """
    changed = threading.Event()
    unsubscribe = engine.subscribe(changed.set)
    teller = _Teller(engine.latest())
    command = DeclareRollback(id=str(uuid4()), by=operator_name(os.environ), flags=flags, reason=reason)
    try:
        _first_look(engine, changed, ears)
        if ears.interrupted():
            teller.alarm("ended before anything was declared")
            return ears.code()
        engine.submit(command)
        levers, waiting = _Levers(engine, command.by, teller, pulled), _Waiting(teller)
        warned = False
        while True:
            alive = engine.alive
            snapshot = engine.latest()
            teller.tell(snapshot)
            code = None if levers.pulls(snapshot) else _end(snapshot, command, teller)
            if code is not None:
                return code
            waiting.tell(snapshot)
            if not alive:
                break
            if ears.interrupted() and not warned:
                warned = True
                teller.alarm("the machine's steps go on until they are done; once more leaves at once")
            changed.wait(LOOK_S)
            changed.clear()
    finally:
        unsubscribe()
    teller.alarm("left before the rollback was done: a cockpit that flies this plan goes on with it")
    return ears.code()


class _Waiting:
    """What it waits for: a line when that has changed and stands for a moment, its figures now and then."""

    def __init__(self, teller: _Teller) -> None:
        self._teller = teller
        self._since_s = self._told_s = monotonic()
        self._seen: tuple[str, ...] = ()
        self._told: tuple[str, ...] = ()
        self._line: tuple[Wait, ...] = ()

    def tell(self, snapshot: Snapshot) -> None:
        if snapshot.rollback is None or _asks(snapshot.rollback):
            return
        waited = waits(snapshot.rollback, snapshot.gauges, snapshot.engine_at)
        names, now_s = tuple(wait.what for wait in waited), monotonic()
        if names != self._seen:
            self._seen, self._since_s = names, now_s
        news = names != self._told and now_s - self._since_s >= STANDS_S
        moved = names == self._told and waited != self._line and now_s - self._told_s >= AGAIN_S
        if waited and (news or moved):
            self._told, self._line, self._told_s = names, waited, now_s
            self._teller.say(waiting_line(snapshot, waited))


class _Levers:
    """Second levers: pulled by themselves once each when that was asked for this flag, else told of once.

    A rollback that is open already may be about more flags than this script was asked to bring back.
    """

    def __init__(self, engine: Engine, by: str, teller: _Teller, pulled: Collection[str]) -> None:
        self._engine = engine
        self._by = by
        self._teller = teller
        self._pulled = pulled
        self._done: dict[str, str] = {}
        self._since_s: dict[str, float] = {}

    def pulls(self, snapshot: Snapshot) -> bool:
        """Take what is offered and stays so for a moment: one read that failed is no failed lever.

        True while a pull is near or has not been answered.
        """
        offered = {
            flag.key: flag.second
            for flag in snapshot.flags
            if flag.second is not None and flag.second.offer and flag.key not in self._done
        }
        now_s = monotonic()
        self._since_s = {key: self._since_s.get(key, now_s) for key in offered}
        for key, lever in offered.items():
            if now_s - self._since_s[key] >= STANDS_S:
                self._take(key, lever, snapshot)
        near = [key for key, lever in offered.items() if key not in self._done and not lever.manual]
        if any(key in self._pulled for key in near):
            return True
        waiting = {command_id for command_id in self._done.values() if command_id}
        answered = {status.id for status in snapshot.commands if status.state is not CommandState.QUEUED}
        return bool(waiting - answered)

    def _take(self, flag: str, lever: SecondLeverStatus, snapshot: Snapshot) -> None:
        self._done[flag] = ""
        self._teller.alarm(f"{flag}: {lever.offer}")
        if lever.manual:
            self._teller.alarm(f"{flag}: second lever by hand: {lever.manual} (then L on the deck)")
        elif flag in self._pulled and snapshot.rollback is not None:
            of = snapshot.rollback.id
            command = PullSecondLever(id=str(uuid4()), by=self._by, rollback=of, flag=flag)
            self._done[flag] = command.id
            self._engine.submit(command)
        else:
            self._teller.alarm(f"{flag}: --second-lever or L on the deck pulls {lever.service}")


def _first_look(engine: Engine, changed: threading.Event, ears: _Ears) -> None:
    """What a sick legacy and the counters say, if they say it soon; an open rollback waits for nothing."""
    until_s = monotonic() + FIRST_SIGHT_S
    while engine.alive and not ears.interrupted() and monotonic() < until_s:
        snapshot = engine.latest()
        if snapshot.rollback is not None or _looked(snapshot):
            return
        changed.wait(0.1)
        changed.clear()


def _looked(snapshot: Snapshot) -> bool:
    """Whether legacy's probes and every signal were asked at least once."""
    probes = [probe for each in snapshot.backends if each.side is Side.LEGACY for probe in each.probes]
    return all(probe.reading.attempted_at is not None for probe in probes) and all(
        signal.reading.attempted_at is not None for signal in snapshot.signals
    )


def _end(snapshot: Snapshot, command: DeclareRollback, teller: _Teller) -> int | None:
    """The exit code once there is nothing left to wait for."""
    state = next((each for each in snapshot.commands if each.id == command.id), None)
    if state is None:
        return None
    rollback = snapshot.rollback
    if rollback is None:
        teller.alarm(f"refused: {state.text}" if state.state is CommandState.REFUSED else "it was closed")
        return 1
    wanted = command.flags or tuple(flag.key for flag in snapshot.flags)
    missing = [key for key in wanted if key not in rollback.flags]
    if missing:
        teller.alarm(f"refused: {state.text}, and it is not about {', '.join(missing)}")
        return 1
    if _asks(rollback):
        teller.alarm(f"{rollback.question} Answer on the deck: cockpit fly {snapshot.plan_source}")
        return 1
    over = _time_over(snapshot, rollback)
    unseen = {flag.key for flag in snapshot.flags if not flag.observable}
    ended = over or machine_part_over(rollback, unseen)
    return _say_result(rollback, snapshot, teller) if ended else None


def _time_over(snapshot: Snapshot, rollback: Rollback) -> bool:
    """Past its deadline; a rollback that was found open gets its whole time once more, however late it is."""
    budget, now = rollback.deadline_at - rollback.declared_at, snapshot.engine_at
    return rollback.left(now) < timedelta() and now - snapshot.started_at > budget


def _asks(rollback: Rollback) -> bool:
    """Whether the flip waits for a person, which a script is not."""
    return bool(rollback.question) and not rollback.answered_go and not rollback.flip_begun


def machine_part_over(rollback: Rollback, unseen: Collection[str] = ()) -> bool:
    """Nothing is left that evidence alone could still bring about soon: only people can go on.

    unseen: flags whose traffic nobody counts, so that no evidence will ever call them drained.
    """
    waiting = [step for step in rollback.steps if step.machine and not step.settled]
    refused = any(flip.needs_person for flip in rollback.flips)
    dark = any(flip.at_zero and flip.drained_at is None and flip.flag in unseen for flip in rollback.flips)
    ended = all(
        flip.needs_person or flip.drained_at is not None or (flip.at_zero and flip.flag in unseen)
        for flip in rollback.flips
    )
    peoples = {*(_AFTER_FLIP if refused else ()), *(_AFTER_DRAIN if refused or dark else ())}
    stuck = all(step.state is StepState.FAILED or step.key in peoples for step in waiting)
    return (ended and stuck) or all(step.state is StepState.FAILED for step in waiting)


_AFTER_FLIP: Final = frozenset({StepKey.FLIP, StepKey.VERIFY, StepKey.ANNOUNCE})
_AFTER_DRAIN: Final = frozenset({StepKey.DRAIN, StepKey.RECONCILE})


def _say_result(rollback: Rollback, snapshot: Snapshot, teller: _Teller) -> int:
    """0: users are back, by evidence. 1: a flag is not at zero. 3: all are, but the drain is not proved."""
    for flip in rollback.flips:
        teller.say(f"{flip.flag}: {told(flip)}")
    for flag in snapshot.flags:
        if flag.second is not None and flag.second.offer:
            name = flag.second.service or flag.second.manual
            how = "L on the deck" if flag.second.manual else "--second-lever, or L on the deck"
            teller.say(f"{flag.key}: its second lever is offered: {name} ({how})")
    for step in rollback.steps:
        if not step.settled:
            evidence = f" ({step.evidence})" if step.evidence else ""
            teller.say(f"still open: {step.number} {step.title}{evidence}")
    if not rollback.flipped:
        teller.say("NOT every flag is proved to be back")
        return 1
    open_flags = [flip.flag for flip in rollback.flips if flip.drained_at is None]
    if open_flags:
        words = f"every flag is at zero, but no traffic proves that {', '.join(open_flags)} drained"
        teller.say(f"{words}: look, then settle the open lines on the deck (cockpit fly)")
        return UNPROVED
    left = [each.name for each in undrained(snapshot.gauges, rollback, snapshot.engine_at)]
    if left and any(step.key is StepKey.DRAIN and not step.settled for step in rollback.steps):
        teller.say(f"traffic is back on legacy, but the new side is not drained: {', '.join(left)}")
        return UNPROVED
    teller.say("users are back on legacy")
    return 0
