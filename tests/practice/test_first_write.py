"""The first write of a rollback, over real sockets: its connection was open before it was asked for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from cockpit.cli.practising import stand_ins
from cockpit.cli.wiring import Builder
from cockpit.core.commands import AddNote, DeclareRollback, MakeReady
from cockpit.core.model import Mode
from cockpit.core.spec import Plan
from cockpit.engine.clock import SystemClock
from cockpit.engine.engine import Engine
from cockpit.engine.flying import Flying
from cockpit.engine.identity import Identity
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.plan.load import load
from cockpit.practice.server import PracticeServer
from cockpit.practice.staging import start_percents
from tests.adapters.flags.crew import until
from tests.adapters.flags.relay import Relay, relay
from tests.plan.plans import KINDS, SAMPLES

pytestmark = pytest.mark.timeout(120)
HOPELESS_S = 20.0
START_PCT = 25.0


@contextmanager
def flown(plan: Plan, practice: PracticeServer, *, read_only: bool = False) -> Iterator[Engine]:
    identity = Identity(operator="kim", host="here", mode=Mode.LIVE, version="0", read_only=read_only)
    engine = Engine(
        Flying(
            plan=plan,
            sources=Builder(secret=practice.secret, read_only=read_only),
            journal=MemoryJournal(),
            clock=SystemClock(),
            identity=identity,
            rng=random.Random(3),
        )
    )
    engine.start()
    try:
        yield engine
    finally:
        engine.leave_now("the test is over")
        assert engine.join(HOPELESS_S)


def led_by(way: Relay, plan: Plan, practice: PracticeServer) -> Plan:
    """The plan in the practice world, its flags behind the relay and polled once a minute."""
    at_home = practice.rehome(plan, stand_ins())
    services = tuple(
        replace(each, settings=_elsewhere(each.settings, way.url), interval_s=60.0)
        for each in at_home.flag_services
    )
    return replace(at_home, flag_services=services)


def _elsewhere(settings: Any, url: str) -> object:
    return replace(settings, url=url)


def poll_is_in(engine: Engine) -> bool:
    return all(flag.configured.value is not None for flag in engine.latest().flags)


def warm(engine: Engine) -> bool:
    """Whether what was asked for warmth has been answered."""
    return engine._pilot is not None and bool(engine._pilot._warmth._warm_s)


async def test_it_leaves_on_a_connection_that_the_sheet_has_made_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a busy machine two seconds are soon over: they are made longer here."""
    monkeypatch.setattr("cockpit.adapters.http._WRITE_IDLE_S", 9.0)
    plan = load(SAMPLES / "chat-sync.toml", KINDS)
    with PracticeServer(plan, seed=7, clock=SystemClock()) as practice:
        practice.world.start_at(start_percents(plan, START_PCT))
        async with relay(practice.urls["unleash"]) as way:
            with flown(led_by(way, plan, practice), practice) as engine:
                await until(lambda: poll_is_in(engine))
                way.door.close_connections()
                asked = len(way.seen)
                engine.submit(MakeReady(id="sheet", by="kim"))
                await until(lambda: warm(engine))
                ready = way.door.connections
                found: list[int] = []

                async def note() -> None:
                    found.append(way.door.connections)

                way.just_before_a_write(note)
                engine.submit(DeclareRollback(id=str(uuid4()), by="kim"))
                await until(lambda: bool(way.writes))
                assert found == [ready]
                assert way.seen[asked].path == "/health"


async def test_without_a_sheet_nothing_but_polls_arrives() -> None:
    plan = load(SAMPLES / "chat-sync.toml", KINDS)
    with PracticeServer(plan, seed=7, clock=SystemClock()) as practice:
        async with relay(practice.urls["unleash"]) as way:
            with flown(led_by(way, plan, practice), practice) as engine:
                await until(lambda: poll_is_in(engine))
                drawn = engine.latest().seq
                await until(lambda: engine.latest().seq > drawn + 4)
            assert not [each.path for each in way.seen if each.path == "/health"]


async def test_a_cockpit_that_only_looks_asks_nothing_even_if_it_is_told_to() -> None:
    plan = load(SAMPLES / "chat-sync.toml", KINDS)
    with PracticeServer(plan, seed=7, clock=SystemClock()) as practice:
        async with relay(practice.urls["unleash"]) as way:
            with flown(led_by(way, plan, practice), practice, read_only=True) as engine:
                await until(lambda: poll_is_in(engine))
                engine.submit(MakeReady(id="sheet", by="kim"))
                engine.submit(AddNote(id="note", by="kim", text="behind it"))
                await until(lambda: bool(engine.latest().commands))
                (refused,) = engine.latest().commands
                assert (refused.id, refused.text) == ("note", "this cockpit is read-only")
            assert not [each.path for each in way.seen if each.path == "/health"]
