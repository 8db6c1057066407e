"""`cockpit status`: looks, and loads neither a screen nor a writer.

It says what the deck says, because it reads the same snapshot: the one that the driving cockpit
published, while it is fresh, and then not even the plan is read; otherwise one of its own making, without any
write secret.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cockpit.cli.journaling import journal_to_follow
from cockpit.cli.output import say, say_error
from cockpit.core.clean import ZERO
from cockpit.core.levers import told
from cockpit.core.model import Mode
from cockpit.core.snapshot import FlagStatus, Level, Snapshot

if TYPE_CHECKING:
    from cockpit.core.spec import Plan
    from cockpit.engine.engine import Engine
    from cockpit.engine.journal_port import Journal

FIRST_LOOK_S: Final = 15.0
UNKNOWN: Final = 3
EXIT_BY_LEVEL: Final = {Level.OK: 0, Level.NOTE: 0, Level.WARN: 0, Level.BAD: 1, Level.UNKNOWN: UNKNOWN}


def run_status(path: Path, *, as_json: bool, follow: bool) -> int:
    from cockpit.engine.journal_port import JournalFailure

    try:
        if follow:
            return _with_plan(path, lambda plan: _follow(plan, path, as_json=as_json))
        journal = journal_to_follow(path)
        try:
            snapshot = _published(journal)
            if snapshot is None:
                return _with_plan(path, lambda plan: _told(_own_look(plan, journal), as_json=as_json))
        finally:
            journal.close()
    except JournalFailure as failure:
        say_error(str(failure))
        return UNKNOWN
    return _told(snapshot, as_json=as_json)


def _with_plan(path: Path, act: Callable[[Plan], int]) -> int:
    """For who has to look; who follows needs no plan, be it under somebody's pen at this moment."""
    from cockpit.cli.plans import complain, load_plan
    from cockpit.plan.problems import PlanProblems
    from cockpit.plan.secrets import SecretProblem

    try:
        return act(load_plan(path))
    except (PlanProblems, SecretProblem) as problem:
        return complain(problem)


def _told(snapshot: Snapshot, *, as_json: bool) -> int:
    _tell(snapshot, as_json=as_json)
    return EXIT_BY_LEVEL[snapshot.level]


def _published(journal: Journal) -> Snapshot | None:
    """The driver's newest picture while it is fresh; None: nobody drives."""
    from cockpit.engine.clock import SystemClock
    from cockpit.engine.follower import fresh_snapshot
    from cockpit.engine.journal_port import JournalFailure
    from cockpit.engine.published import SnapshotTrouble

    try:
        return fresh_snapshot(journal, SystemClock().now())
    except (SnapshotTrouble, JournalFailure) as trouble:
        say_error(f"the published picture cannot be read, looking by myself: {trouble}")
        return None


def looker(plan: Plan, journal: Journal) -> Engine:
    """A started engine that only looks: no writer, no hook, no write secret. Raises what stops it."""
    from cockpit.cli.wiring import Builder, identity, plan_secrets
    from cockpit.engine.clock import SystemClock
    from cockpit.engine.engine import Engine
    from cockpit.engine.flying import Flying

    engine = Engine(
        Flying(
            plan=plan,
            sources=Builder(secret=plan_secrets(plan), read_only=True),
            journal=journal,
            clock=SystemClock(),
            identity=identity(Mode.LIVE, read_only=True),
            recalls=False,
        )
    )
    engine.start()
    return engine


def _own_look(plan: Plan, journal: Journal) -> Snapshot:
    """Poll every source once, counters of exposed flags twice, for at most FIRST_LOOK_S; what that shows."""
    engine = looker(plan, journal)
    changed = threading.Event()
    unsubscribe = engine.subscribe(changed.set)
    deadline = monotonic() + FIRST_LOOK_S
    while not _seen(engine.latest()) and monotonic() < deadline:
        changed.wait(0.1)
        changed.clear()
    unsubscribe()
    _end(engine)
    return engine.latest()


def monotonic() -> float:
    from cockpit.engine.clock import SystemClock

    return SystemClock().monotonic()


def _seen(snapshot: Snapshot) -> bool:
    """Whether every source was asked, what the way back stands on was seen, and every share of traffic told
    that counters can tell soon."""
    asked = (
        all(flag.configured.attempted_at is not None for flag in snapshot.flags)
        and all(probe.reading.attempted_at is not None for each in snapshot.backends for probe in each.probes)
        and all(signal.reading.attempted_at is not None for signal in snapshot.signals)
        and all(check.reading.attempted_at is not None for check in snapshot.parity)
        and not any(line.level is Level.UNKNOWN and not line.told_elsewhere for line in snapshot.way_back)
    )
    blind = any(signal.reading.failure is not None for signal in snapshot.signals)
    return asked and (blind or all(_share_told(flag) for flag in snapshot.flags))


def _share_told(flag: FlagStatus) -> bool:
    value = flag.configured.value
    hidden = value is None or value.exposure == ZERO or not flag.observable
    return hidden or flag.observed.value is not None


def _follow(plan: Plan, path: Path, *, as_json: bool) -> int:
    """A picture in lines whenever something worth saying changed; ends with ctrl+c.

    Looks by itself only while nobody publishes; a journal that comes into being later is found.
    """
    from cockpit.engine.journal_memory import MemoryJournal

    journal, engine = journal_to_follow(path), None
    told: tuple[str, ...] = ()
    waiting = threading.Event()
    try:
        while True:
            if isinstance(journal, MemoryJournal):
                journal = journal_to_follow(path)
            snapshot = _published(journal)
            if snapshot is None:
                engine = engine or looker(plan, journal)
                snapshot = engine.latest()
            elif engine is not None:
                _end(engine)
                engine = None
            lines = status_lines(snapshot, snapshot.engine_at)
            if lines != told:
                told = lines
                _tell(snapshot, as_json=as_json)
            waiting.wait(0.5)
    except KeyboardInterrupt:
        return 0
    finally:
        if engine is not None:
            _end(engine)
        journal.close()


def _end(engine: Engine) -> None:
    engine.stop()
    engine.join()


def _tell(snapshot: Snapshot, *, as_json: bool) -> None:
    if as_json:
        from cockpit.engine.snapshot_json import as_json as to_json

        say(json.dumps(to_json(snapshot), ensure_ascii=False, separators=(",", ":")))
        return
    for line in status_lines(snapshot, snapshot.engine_at):
        say(line)


def status_lines(snapshot: Snapshot, now: datetime) -> tuple[str, ...]:
    """Plain lines for eyes, ears and scripts: one thing per line, the worst first."""
    rollback = snapshot.rollback
    lines = [f"{snapshot.level.upper()}  {snapshot.plan_title} in {snapshot.environment}"]
    if rollback is not None:
        left_s = round(rollback.left(now).total_seconds())
        words = f"{abs(left_s) // 60}:{abs(left_s) % 60:02} {'left' if left_s >= 0 else 'OVERRUN'}"
        lines.append(f"rollback open since {rollback.declared_at:%H:%M:%S} UTC, {words}")
        lines.extend(f"  {flip.flag}: {told(flip)}" for flip in rollback.flips)
    lines.extend(_driver_lines(snapshot))
    for reason in snapshot.reasons:
        limit = f", limit {reason.limit}" if reason.limit else ""
        value = f" ({reason.value}{limit})" if reason.value else ""
        lines.append(f"{reason.level.upper()}  {reason.subject}: {reason.what}{value}")
    for flag in snapshot.flags:
        value_now = flag.configured.fresh_value(now)
        share = flag.observed.fresh_value(now)
        configured = value_now.exposure if value_now is not None else None
        lines.append(
            f"flag {flag.key}: asked {flag.asked if flag.asked is not None else '-'}, "
            f"configured {configured if configured is not None else 'unknown'}, "
            f"observed {share.percent if share is not None else 'unknown'}"
        )
    lines.extend(f"{backend.side} {backend.title}: {backend.health}" for backend in snapshot.backends)
    lines.extend(
        f"signal {signal.name}: {signal.evidence.verdict.words} ({signal.evidence.text})"
        for signal in snapshot.signals
    )
    return tuple(lines)


def _driver_lines(snapshot: Snapshot) -> tuple[str, ...]:
    """Who drives; nothing where the picture does not know of a seat."""
    seat = snapshot.seat
    if seat is None or seat.holder is None:
        return ()
    since = f"since {seat.holder.since:%Y-%m-%d %H:%M:%S} UTC"
    return (f"driver {seat.holder.name} {since}{'' if seat.holder_lives else ', no heartbeat'}",)
