"""What a rollback without a screen says that it waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from cockpit.core.drain import DrainGauge
from cockpit.core.model import Health, Reading, Side
from cockpit.core.rollback import MACHINE_ATTEMPTS, FlipState
from cockpit.core.waiting import waits
from tests.core.rollback_sim import Sim


def sockets(sim: Sim, value: float | None, *, owner: str = "ana") -> DrainGauge:
    observed = None if value is None else sim.now
    reading = Reading(value=value, observed_at=observed, interval_s=5.0)
    return DrainGauge(name="sockets", side=Side.NEW, below=5, owner=owner, reading=reading)


def said(sim: Sim, *gauges: DrainGauge) -> list[str]:
    return [wait.text for wait in waits(sim.rollback, gauges, sim.now)]


def test_each_thing_in_its_turn_until_nothing_is_left() -> None:
    sim = Sim(depends_on={"writes": (), "reads": ("writes",)}, truth={"writes": 1000, "reads": 1000})
    sim.declare()
    sim.turn()
    assert said(sim) == ["writes to be re-read as 0%", "reads to be re-read as 0%"] or said(sim) == [
        "reads to be re-read as 0%",
        "writes to be re-read as 0%",
    ]
    for flag in ("reads", "writes"):
        sim.answer(flag, "done", lands=True)
        sim.read(flag)
        sim.turn()
    waited = said(sim, sockets(sim, 412))
    assert waited[:2] == ["the traffic of reads to drain", "the traffic of writes to drain"]
    assert "sockets below 5 on the new side: 412, ask ana" in waited
    assert "legacy's probes in a row" in waited
    sim.legacy = Health.OK
    for _ in range(4):
        sim.probe()
        for flag in ("reads", "writes"):
            sim.observe(flag)
        sim.turn()
    assert said(sim, sockets(sim, 3)) == []


def test_a_gauge_that_cannot_be_read_says_so() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    sim.turn()
    sim.answer("writes", "done", lands=True)
    sim.read("writes")
    sim.turn()
    assert "sockets below 5 on the new side: not read" in said(sim, sockets(sim, None, owner=""))
    old = replace(sockets(sim, 2), reading=Reading(value=2.0, observed_at=sim.now, interval_s=5.0))
    sim.now += timedelta(minutes=5)
    assert "sockets below 5 on the new side: not read, ask ana" in said(sim, old), "not what it was then"


def test_what_only_a_person_can_go_on_with_is_not_waited_for() -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    sim.turn()
    (flip,) = sim.rollback.flips
    refused = replace(flip, state=FlipState.REFUSED, attempts=MACHINE_ATTEMPTS, lost=0, write_id=None)
    assert waits(replace(sim.rollback, flips=(refused,)), (), sim.now) == ()
