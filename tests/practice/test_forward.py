"""All five migrations, from 0 % through every stage to the last one and back, in the practice world."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cockpit.core.clean import ZERO, Percent
from cockpit.core.commands import CommandState
from cockpit.core.events import Event, Kind
from tests.flying import machine_part_done
from tests.plan.plans import SAMPLES
from tests.practice.forward import Flight, flight

MIGRATIONS = ("lms-flags", "tutor-bluegreen", "chat-sync", "tutor-bake", "neon-auth")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", MIGRATIONS)
def test_a_migration_flies_to_its_end_and_back(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with flight(SAMPLES / f"{name}.toml", tmp_path, monkeypatch) as flown:
        flown.sign_all()
        for spec in flown.plan.flags:
            for stage in spec.stages:
                ended = flown.advance(spec)
                assert ended.state is CommandState.DONE, ended
                assert flown.configured(spec.key) == stage.percent
        everywhere = flown.driver.wait("the last stage of every flag", flown.arrived)
        assert everywhere.rollback is None and everywhere.proposal is None
        flown.driver.declare(reason="the whole way back")
        flown.driver.wait("the machine's part is over", machine_part_done)
        flown.finish()
        assert all(flown.configured(spec.key) == ZERO for spec in flown.plan.flags)
    stages = [(flag.key, stage.percent) for flag in flown.plan.flags for stage in flag.stages]
    assert moves(flown.events()) == stages, "every stage once, in order, and nothing that nobody asked for"
    assert_holds_kept(flown)
    assert flown.breaks() == []
    assert_record(flown, stages)


def moves(events: Sequence[Event]) -> list[tuple[str, Percent]]:
    """What was written forward, from the intents themselves."""
    intents = [event.body for event in events if event.kind is Kind.WRITE_INTENT]
    forward = [body for body in intents if body["action"] == "set"]
    assert len(intents) - len(forward) >= len({body["flag"] for body in intents})
    return [(str(body["flag"]), Percent(int(str(body["percent"])))) for body in forward]


def assert_holds_kept(flown: Flight) -> None:
    """Nothing followed a stage before its hold was over: neither the flag's next one nor a dependant's."""
    reached: dict[tuple[str, object], datetime] = {}
    for event in flown.events():
        flag = str(event.body.get("flag"))
        if event.kind is Kind.FLAG_SEEN:
            reached.setdefault((flag, event.body["exposure"]), event.at)
        if event.kind is not Kind.FLAG_ASKED:
            continue
        spec, before = flown.plan.flag(flag), event.body["before"]
        own = [(spec, stage) for stage in spec.stages if stage.percent.hundredths == before]
        needed = [flown.plan.flag(key) for key in spec.depends_on]
        last = [(each, each.stages[-1]) for each in needed if (each.key, 10_000) in reached]
        for builds_on, stage in (*own, *last):
            since = reached[builds_on.key, stage.percent.hundredths]
            assert event.at - since >= timedelta(seconds=stage.hold_s), (flag, builds_on.key)


def assert_record(flown: Flight, stages: Sequence[tuple[str, Percent]]) -> None:
    """What `cockpit report` makes of it is what was flown."""
    record = json.loads(flown.report("--json"))
    (rollback,) = record["rollbacks"]
    assert record["breaks"] == []
    told = [(move["flag"], move["asked_pct"], move["seen_pct"], move["outcome"]) for move in record["moves"]]
    assert told == [(key, percent.value, percent.value, "done") for key, percent in stages]
    assert all(move["gates"] for move in record["moves"])
    last = {key: percent.value for key, percent in stages}
    assert {flag["flag"]: flag["before_pct"] for flag in rollback["flags"]} == last
    assert rollback["users_safe_at"] is not None and rollback["result"] == "CLOSED"
    page = flown.report()
    assert "the whole way back" in page and "declare to users safe" in page
