"""Makes the README's pictures: the real deck on a practice world, exported by the app itself.

    python -m docs.pictures

Flies the chat-sync sample, waits until the judge proposes a rollback, takes the deck, rolls back, takes
the countdown. About two minutes; writes docs/deck.svg and docs/countdown.svg.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from textual.pilot import Pilot

from cockpit.cli.plans import load_plan
from cockpit.cli.practising import DEMO_PLAN, sample_plan
from cockpit.cli.wiring import Builder
from cockpit.core.commands import DeclareRollback
from cockpit.core.model import Mode
from cockpit.core.snapshot import Snapshot
from cockpit.engine.clock import SystemClock
from cockpit.engine.engine import Engine
from cockpit.engine.identity import Identity
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.pilot import Flying
from cockpit.face.app import CockpitApp
from cockpit.practice.server import PracticeServer
from cockpit.practice.staging import stage_demo, start_percents

HERE = Path(__file__).parent
SIZE = (120, 36)
FAULT_AFTER_S = 40.0


async def until(pilot: Pilot[None], engine: Engine, ready: Callable[[Snapshot], object]) -> None:
    while not ready(engine.latest()):
        await pilot.pause(0.5)


async def take(engine: Engine) -> None:
    app = CockpitApp(engine, SystemClock(), "kim", theme="cockpit")
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, engine, lambda snapshot: snapshot.proposal)
        await pilot.pause(8)
        save(app, "deck.svg")
        engine.submit(DeclareRollback(id=str(uuid4()), by="kim"))
        await until(pilot, engine, lambda snapshot: snapshot.rollback and snapshot.rollback.flipped)
        await pilot.pause(20)
        save(app, "countdown.svg")


def save(app: CockpitApp, name: str) -> None:
    (HERE / name).write_text(app.export_screenshot(title="cockpit demo"))


def main() -> None:
    plan, clock = load_plan(sample_plan(DEMO_PLAN)), SystemClock()
    with PracticeServer(plan, seed=3, clock=clock) as practice:
        practice.world.start_at(start_percents(plan, 25))
        stage_demo(practice.world, FAULT_AFTER_S)
        flying = Flying(
            plan=practice.rehome(plan),
            sources=Builder(secret=practice.secret, read_only=False),
            journal=MemoryJournal(),
            clock=clock,
            identity=Identity(operator="kim", host="bastion-2", mode=Mode.DEMO, version="0.1.0"),
        )
        engine = Engine(flying)
        engine.start()
        asyncio.run(take(engine))
        engine.stop_because("the pictures are taken")
        engine.join(5)


if __name__ == "__main__":
    main()
