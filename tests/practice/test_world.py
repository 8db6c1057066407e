from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.core.model import Side
from cockpit.practice.faults import FaultName, make_fault
from cockpit.practice.leftovers import STREAMS
from cockpit.practice.traffic import REQUESTS, SLOW, SYNC, WRITES, Crowd, Dice, Profile, Series, series
from cockpit.practice.world import FlagSeed, World
from tests.practice.conftest import HandClock


def a_world(clock: HandClock, *, seed: int = 1, percent: float = 0.0, rps: float = 40.0) -> World:
    flags = (
        FlagSeed(key="reads", percent=percent, rps=rps),
        FlagSeed(key="writes", percent=percent, rps=rps),
    )
    return World(flags=flags, seed=seed, clock=clock)


def requests(counters: dict[Series, int], side: Side, outcome: str | None = None) -> int:
    return sum(
        count
        for (name, labels), count in counters.items()
        if name == REQUESTS
        and ("backend", side.value) in labels
        and (outcome is None or ("outcome", outcome) in labels)
    )


def flown(seed: int, pauses_s: Sequence[float]) -> dict[Series, int]:
    """Counters after 60 s of the same events, looked at with these pauses."""
    clock = HandClock()
    world = a_world(clock, seed=seed)
    moments: dict[float, int] = {10.3: 0, 30.0: 1, 41.7: 2}
    passed_s, pause = 0.0, 0
    while passed_s < 60.0:
        to_s = min(passed_s + pauses_s[pause % len(pauses_s)], 60.0, *(m for m in moments if m > passed_s))
        clock.move(to_s - passed_s)
        passed_s, pause = to_s, pause + 1
        act = moments.get(passed_s)
        if act == 0:
            world.set_exposure("reads", 25)
        elif act == 1:
            world.inject(make_fault("error_burst", {"rate": 0.3}, end_s=48.2))
        elif act == 2:
            world.set_exposure("writes", 100)
        else:
            world.settle()
    return world.counters()


def test_every_series_exists_from_the_start_at_zero(clock: HandClock) -> None:
    counters = a_world(clock).counters()
    assert set(counters.values()) == {0}
    assert series(REQUESTS, flag="reads", backend="new", outcome="error") in counters
    assert series(SLOW, flag="writes", backend="legacy") in counters
    assert series(SYNC, backend="new", outcome="ok") in counters
    assert series(WRITES, backend="legacy") in counters
    assert series(STREAMS, backend="new") in counters
    assert len(counters) == 2 * 2 * 2 + 2 * 2 + 2 * 2 + 2 + 3 * 2 + 2


def test_the_same_seed_gives_the_same_counters() -> None:
    assert flown(3, [1.0]) == flown(3, [1.0])
    assert flown(3, [1.0]) != flown(4, [1.0])


@settings(max_examples=12, deadline=None)
@given(st.lists(st.floats(min_value=0.07, max_value=70.0), min_size=1, max_size=6))
def test_how_often_somebody_looks_changes_nothing(pauses_s: list[float]) -> None:
    assert flown(3, pauses_s) == flown(3, [60.0])


def test_traffic_is_as_strong_as_asked(clock: HandClock) -> None:
    world = a_world(clock, percent=25)
    clock.move(600)
    counters = world.counters()
    total = requests(counters, Side.LEGACY) + requests(counters, Side.NEW)
    assert total == pytest.approx(2 * 40 * 600, rel=0.03)
    assert requests(counters, Side.NEW) / total == pytest.approx(0.25, abs=0.01)
    errors = requests(counters, Side.LEGACY, "error") / requests(counters, Side.LEGACY)
    assert errors == pytest.approx(0.006, abs=0.002)


def test_slow_requests_follow_the_latency_distribution(clock: HandClock) -> None:
    world = a_world(clock, percent=50)
    world.inject(make_fault("slow", {"side": "new", "factor": 4}))
    clock.move(300)
    counters = world.counters()
    slow = counters[series(SLOW, flag="reads", backend="new")]
    total = sum(
        counters[series(REQUESTS, flag="reads", backend="new", outcome=each)] for each in ("ok", "error")
    )
    assert slow / total == pytest.approx(world.profile(Side.NEW).slow_rate, abs=0.03)
    assert world.profile(Side.NEW).slow_rate > 0.5
    assert world.profile(Side.LEGACY).slow_rate < 0.02


def test_writes_are_counted_and_carried_over(clock: HandClock) -> None:
    world = a_world(clock, percent=100)
    clock.move(120)
    counters = world.counters()
    synced = [counters[series(SYNC, backend="new", outcome=outcome)] for outcome in ("ok", "error")]
    assert counters[series(WRITES, backend="new")] == sum(synced) > 0
    assert counters[series(WRITES, backend="legacy")] == 0


def test_a_change_is_seen_gradually_and_by_all_after_its_propagation_time(clock: HandClock) -> None:
    world = a_world(clock)
    world.set_exposure("reads", 40)
    seen = []
    for _ in range(8):
        clock.move(0.5)
        seen.append(world.served_pct("reads"))
    assert world.configured_pct("reads") == 40
    assert seen == sorted(seen)
    assert seen == pytest.approx([5, 10, 15, 20, 25, 30, 35, 40])
    assert world.served_pct("writes") == 0


def test_slow_propagation_stretches_it(clock: HandClock) -> None:
    world = a_world(clock, percent=40)
    world.inject(make_fault("slow_propagation", {"factor": 10}))
    world.set_exposure("reads", 0)
    clock.move(4)
    assert world.served_pct("reads") == pytest.approx(36)
    clock.move(36)
    assert world.served_pct("reads") == 0


def test_clients_keep_what_they_know_without_the_flag_service(clock: HandClock) -> None:
    world = a_world(clock, percent=40)
    world.set_exposure("reads", 0)
    world.inject(make_fault("flag_service_down", end_s=30))
    clock.move(30)
    assert world.served_pct("reads") == 40
    clock.move(4)
    assert world.served_pct("reads") == 0


@pytest.mark.parametrize(
    ("name", "params", "side", "error_rate"),
    [
        ("error_burst", {"side": "new", "rate": 0.2}, Side.NEW, 0.2),
        ("error_burst", {"side": "legacy", "rate": 0.2}, Side.LEGACY, 0.2),
        ("outage", {"side": "new"}, Side.NEW, 1.0),
        ("hang", {"side": "legacy"}, Side.LEGACY, 1.0),
        ("legacy_sick", {"rate": 0.4}, Side.LEGACY, 0.4),
        ("convex_paused", {}, Side.NEW, 1.0),
    ],
)
def test_faults_strike_the_traffic_of_their_side_only(
    clock: HandClock, name: str, params: dict[str, str | float | bool], side: Side, error_rate: float
) -> None:
    world = a_world(clock, percent=50)
    world.inject(make_fault(name, params))
    other = Side.NEW if side is Side.LEGACY else Side.LEGACY
    assert world.profile(side).error_rate == error_rate
    assert world.profile(other).error_rate == Profile().error_rate
    clock.move(60)
    counters = world.counters()
    assert requests(counters, side, "error") / requests(counters, side) == pytest.approx(error_rate, abs=0.05)


def test_a_fault_lasts_from_its_start_to_its_end_and_no_longer(clock: HandClock) -> None:
    world = a_world(clock)
    world.inject(make_fault("outage", {"side": "new"}, start_s=5, end_s=10))
    seen = []
    for _ in range(4):
        seen.append(world.active(FaultName.OUTAGE, side=Side.NEW) is not None)
        clock.move(4)
    assert seen == [False, False, True, False]
    assert world.faults() == ()


def test_clear_ends_what_runs_and_calls_off_what_waits(clock: HandClock) -> None:
    world = a_world(clock)
    world.inject(make_fault("outage"))
    world.inject(make_fault("slow", start_s=50))
    world.inject(make_fault("foreign_change", {"on_write": True}))
    assert len(world.faults()) == 3
    assert world.clear(FaultName.OUTAGE) == 1
    assert world.active(FaultName.OUTAGE, side=Side.NEW) is None
    assert world.clear() == 2
    clock.move(60)
    assert world.active(FaultName.SLOW, side=Side.NEW) is None
    assert world.clear() == 0


def test_a_fault_never_begins_in_the_past(clock: HandClock) -> None:
    world = a_world(clock)
    clock.move(20)
    assert world.inject(make_fault("outage", start_s=3)).start_s == 20


def test_a_foreign_change_comes_at_its_time_under_its_name(clock: HandClock) -> None:
    world = a_world(clock, percent=10)
    world.inject(make_fault("foreign_change", {"flag": "reads", "percent": 60, "who": "bot"}, start_s=7))
    clock.move(30)
    assert world.configured_pct("reads") == 60
    assert world.served_pct("reads") == pytest.approx(60)
    event = world.flags.events[-1]
    assert (event["createdBy"], event["createdAt"]) == ("bot", "2026-03-04T03:00:07.000Z")


def test_a_foreign_change_can_lie_in_wait_for_a_write(clock: HandClock) -> None:
    world = a_world(clock, percent=50)
    world.inject(make_fault("foreign_change", {"percent": 50, "on_write": True, "seconds": 2}))
    clock.move(10)
    assert world.configured_pct("writes") == 50
    world.write(lambda store, at: None, ["writes"])
    world.set_exposure("writes", 0)
    clock.move(1.9)
    assert world.configured_pct("writes") == 0
    clock.move(0.2)
    assert world.configured_pct("writes") == 50
    world.write(lambda store, at: None, ["writes"])
    clock.move(10)
    assert world.faults() == ()


def test_shares_may_come_from_outside(clock: HandClock) -> None:
    outside = {"reads": 0.0, "unheard-of": 100.0}
    flags = (FlagSeed(key="reads"),)
    world = World(flags=flags, seed=1, clock=clock, share_source=lambda: outside)
    world.settle()
    outside["reads"] = 30.0
    world.settle()
    world.set_exposure("reads", 99)
    clock.move(5)
    assert world.configured_pct("reads") == 30
    assert world.served_pct("reads") == pytest.approx(30)


def test_flags_can_stand_anywhere_from_the_start(clock: HandClock) -> None:
    world = a_world(clock)
    world.start_at({"reads": 25.0})
    assert world.served_pct("reads") == pytest.approx(25)
    clock.move(1)
    assert world.served_pct("reads") == pytest.approx(25)


def test_the_past_is_kept_for_a_while(clock: HandClock) -> None:
    world = a_world(clock)
    assert world.counters_at(0.0) == world.counters()
    clock.move(100.2)
    now, before = world.counters_at(100.2), world.counters_at(50.2)
    assert now == world.counters()
    assert before is not None and now is not None
    assert requests(before, Side.LEGACY) == pytest.approx(requests(now, Side.LEGACY) / 2, rel=0.1)
    assert world.counters_at(-1.0) is None


@given(st.integers(0, 50), st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 3))
def test_a_crowd_stays_between_what_it_knew_and_what_it_reads(
    turns: int, old: float, new: float, part: float
) -> None:
    crowd = Crowd(old)
    for _ in range(turns):
        crowd.refresh(new, part)
    assert min(old, new) - 1e-9 <= crowd.share <= max(old, new) + 1e-9


def test_dice_have_the_means_they_promise() -> None:
    dice = [Dice(1, "x", step) for step in range(2000)]
    assert sum(each.poisson(3.5) for each in dice) / 2000 == pytest.approx(3.5, rel=0.05)
    assert sum(each.poisson(40.0) for each in dice) / 2000 == pytest.approx(40.0, rel=0.02)
    assert sum(each.binomial(20, 0.25) for each in dice) / 2000 == pytest.approx(5.0, rel=0.05)
    assert Dice(1, "x", 1).poisson(0.0) == 0


@pytest.mark.parametrize(
    ("name", "params", "complaint"),
    [
        ("earthquake", {}, "no fault is called 'earthquake'"),
        ("slow", {"rate": 1.0}, "slow does not take 'rate'"),
        ("error_burst", {"rate": 2.0}, "between 0 and 1"),
        ("slow", {"factor": 0.0}, "above 0"),
        ("outage", {"kind": "meteor"}, "503 or refused"),
        ("hang", {}, "a side or a service"),
        ("outage", {"side": "both"}, "both"),
    ],
)
def test_a_fault_that_cannot_be_says_why(
    name: str, params: dict[str, str | float | bool], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        make_fault(name, params)
