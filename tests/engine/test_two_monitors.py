"""A signal whose sides are counted in two places: compared only when both were read at the same time."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError
from cockpit.core.events import Kind
from cockpit.core.model import Failure, Quality, Sample, Verdict
from cockpit.core.snapshot import SignalStatus
from cockpit.core.spec import Plan, ServiceSpec
from cockpit.engine.in_step import in_step
from cockpit.engine.polls import Polls
from cockpit.engine.questions import expressions
from cockpit.engine.senses import Senses
from cockpit.engine.signal_senses import SignalSenses
from cockpit.engine.sources import Sources
from tests.engine.conftest import POLL_S, World, make_plan
from tests.engine.scripted import HandClock, ScriptedMonitor, down

OLD, NEW = "old", "young"


def source(name: str, interval_s: float) -> ServiceSpec:
    return ServiceSpec(name=name, kind="scripted", settings=None, interval_s=interval_s, timeout_s=2)


def two(plan: Plan, *, old_s: float = 5.0, new_s: float = 5.0) -> Plan:
    """The same plan with its one signal counted by two monitors."""
    (signal,) = plan.signals
    parted = replace(signal, monitor=OLD, legacy=signal.legacy, new=replace(signal.new, monitor=NEW))
    monitors = (*plan.monitors, source(OLD, old_s), source(NEW, new_s))
    return replace(plan, monitors=monitors, signals=(parted,))


class Bench:
    """Signal senses alone, told by hand what each monitor answers and when."""

    def __init__(self, plan: Plan) -> None:
        self.clock = HandClock()
        self.plan = plan
        self.senses = SignalSenses(self.clock)
        self.senses.adopt(plan)
        self.counts = dict.fromkeys(("bad/legacy", "total/legacy", "bad/new", "total/new"), 0.0)

    def grow(self, **by: float) -> None:
        for name, amount in by.items():
            self.counts[name.replace("_", "/")] += amount

    def answers(self, monitor: str) -> Mapping[str, Sample | AdapterError]:
        wanted = expressions(self.plan, monitor)
        return {each: Sample(value=self.counts[each], quality=Quality.GOOD) for each in wanted}

    def answered(self, monitor: str, *, took_s: float = 0.0) -> None:
        asked_at = self.clock.now()
        self.senses.asking(monitor)
        told = self.answers(monitor)
        self.clock.advance(took_s)
        self.senses.take(monitor, told, asked_at, took_s)

    def both(self, times: int = 1, **by: float) -> None:
        for _ in range(times):
            self.clock.advance(5)
            self.grow(**by)
            self.answered(OLD)
            self.answered(NEW)

    @property
    def status(self) -> SignalStatus:
        (signal,) = self.plan.signals
        return self.senses.status(signal, self.clock.now())


@pytest.fixture
def bench() -> Bench:
    return Bench(two(make_plan()))


def test_each_monitor_is_asked_for_its_own_side_alone() -> None:
    plan = two(make_plan())
    assert expressions(plan, OLD) == ("bad/legacy", "total/legacy")
    assert expressions(plan, NEW) == ("bad/new", "total/new")


def test_answers_of_the_same_time_are_compared(bench: Bench) -> None:
    bench.both(13, bad_legacy=1, total_legacy=100, bad_new=30, total_new=100)
    status = bench.status
    assert status.evidence.verdict is Verdict.REGRESSED
    assert (status.legacy.rate_pct, status.new.rate_pct) == (1.0, 30.0)
    assert status.evidence.total_legacy == status.evidence.total_new == 1200
    assert status.reading.failure is None and status.reading.interval_s == 5


def test_one_answer_alone_is_compared_with_nothing(bench: Bench) -> None:
    bench.both(2, total_legacy=100, total_new=100)
    judged = bench.status.evidence.total_legacy
    bench.clock.advance(5)
    bench.grow(total_legacy=100)
    bench.answered(OLD)
    assert bench.status.evidence.total_legacy == judged
    bench.senses.asking(NEW)
    bench.answered(OLD)
    assert bench.status.evidence.total_legacy == judged, "the other's answer is on its way: it is waited for"


def test_answers_of_different_times_are_unknown_and_say_so(bench: Bench) -> None:
    bench.both(4, total_legacy=100, total_new=100)
    judged = bench.status.evidence.total_new
    for _ in range(3):
        bench.clock.advance(6)
        bench.grow(total_legacy=100, total_new=100)
        bench.answered(OLD)
        bench.clock.advance(6)
        bench.answered(NEW)
    status = bench.status
    assert status.evidence.total_new == judged
    assert status.evidence.verdict is Verdict.UNKNOWN
    assert "the two sides were read up to" in status.evidence.text
    failure = status.reading.failure
    assert failure is not None and failure.title == "the two sides were read up to 7 s apart, more than 5 s"
    bench.both(1, total_legacy=100, total_new=100)
    assert bench.status.reading.failure is None
    assert bench.status.evidence.total_legacy == bench.status.evidence.total_new, "what came between counts"


def test_one_pair_that_missed_each_other_is_no_trouble(bench: Bench) -> None:
    bench.both(4, total_legacy=100, total_new=100)
    bench.answered(OLD)
    bench.clock.advance(6)
    bench.answered(NEW)
    assert bench.status.reading.failure is None
    assert bench.status.evidence.verdict is not Verdict.UNKNOWN


def test_a_slow_answer_may_be_of_any_moment_of_its_way(bench: Bench) -> None:
    bench.both(2, total_legacy=100, total_new=100)
    judged = bench.status.evidence.total_new
    bench.clock.advance(4)
    bench.grow(total_legacy=100, total_new=100)
    bench.answered(OLD)
    bench.clock.advance(3)
    bench.answered(NEW, took_s=2.5)
    assert bench.status.evidence.total_new == judged, "asked 3 s apart, read up to 5.5 s apart"


def test_the_one_that_does_not_answer_is_named_and_nothing_is_lost(bench: Bench) -> None:
    bench.both(4, total_legacy=100, total_new=100)
    for _ in range(3):
        bench.clock.advance(5)
        bench.grow(total_legacy=100, total_new=100)
        bench.answered(OLD)
        bench.senses.failed(NEW, Failure(title="connection refused"))
    status = bench.status
    assert status.reading.failure is not None
    assert status.reading.failure.title == "young: connection refused"
    assert status.evidence.verdict is Verdict.UNKNOWN
    assert status.legacy.quality is Quality.GOOD and status.new.quality is Quality.ERROR
    bench.both(1, total_legacy=100, total_new=100)
    assert bench.status.evidence.total_legacy == bench.status.evidence.total_new == 700


def test_what_was_read_before_a_stage_is_not_compared_with_what_came_after(bench: Bench) -> None:
    bench.both(4, total_legacy=100, total_new=100)
    bench.answered(OLD)
    bench.senses.restart_judges()
    bench.answered(NEW)
    assert bench.status.evidence.total_new == 0
    bench.both(1, total_legacy=100, total_new=100)
    bench.both(1, total_legacy=100, total_new=100)
    assert bench.status.evidence.total_new == bench.status.evidence.total_legacy == 100


def test_a_slow_and_a_quick_monitor_are_compared_when_the_slow_one_answers() -> None:
    bench = Bench(two(make_plan(), new_s=30.0))
    for second in range(0, 305, 5):
        bench.clock.advance(5)
        bench.grow(total_legacy=100, total_new=100)
        bench.answered(OLD)
        if second % 30 == 0:
            bench.answered(NEW)
    status = bench.status
    assert status.reading.interval_s == 30 and status.reading.failure is None
    assert status.evidence.total_legacy == status.evidence.total_new > 5000


# --- in step -------------------------------------------------------------------------------------------


def test_monitors_that_are_compared_keep_the_same_moments_and_others_their_own() -> None:
    assert in_step(two(make_plan())) == {"metrics": "metrics", OLD: OLD, NEW: OLD}
    assert in_step(make_plan()) == {"metrics": "metrics"}


def test_a_chain_of_monitors_is_one_step() -> None:
    plan = two(make_plan())
    (signal,) = plan.signals
    link = replace(
        signal,
        name="link",
        legacy=replace(signal.legacy, monitor=NEW),
        new=replace(signal.new, monitor="metrics"),
    )
    assert set(in_step(replace(plan, signals=(signal, link))).values()) == {"metrics"}


def test_pollers_of_monitors_in_step_have_one_grid(world: World) -> None:
    """Every moment of the slower one is a moment of the quick one; the third keeps its own."""
    plan = two(world.plan, old_s=5, new_s=30)
    senses = Senses(plan, world.sources(plan), world.clock, lambda _: None, lambda: 0)
    pollers = {each.name: each for each in Polls(senses, random.Random(1))._pollers(plan)}
    at = {name: each._phase * each._interval_s for name, each in pollers.items()}
    assert at[NEW] % 5 == pytest.approx(at[OLD])
    assert at["metrics"] / POLL_S != pytest.approx(at[OLD] / 5)


def parted(world: World) -> tuple[ScriptedMonitor, ScriptedMonitor, Plan]:
    """A world with two more monitors; legacy's counters come from one, the new side's from the other."""
    old, new = (ScriptedMonitor(world.bell, world.exposure) for _ in range(2))
    return old, new, two(world.plan, old_s=POLL_S, new_s=POLL_S)


def flown(world: World, old: ScriptedMonitor, new: ScriptedMonitor, plan: Plan) -> Sources:
    sources = world.sources(plan)
    return replace(sources, monitors={**sources.monitors, OLD: old, NEW: new})


def test_a_flight_on_two_monitors_judges_and_advances(world: World) -> None:
    old, new, plan = parted(world)
    pilot = world.start(world.flying(plan=plan, sources=lambda plan: flown(world, old, new, plan)))
    pilot.fly_to("writes", 10)
    shot = pilot.until(lambda shot: shot.signals[0].evidence.verdict is Verdict.NOT_WORSE)
    assert set(old.counters) == {"bad/legacy", "total/legacy"}
    assert set(new.counters) == {"bad/new", "total/new"}
    assert shot.signals[0].legacy_history is not None and shot.signals[0].new_history is not None
    new.bad_pct["new"] = 30.0
    pilot.until(lambda shot: shot.proposal is not None)


def test_when_one_of_two_is_lost_the_other_one_is_no_pass(world: World) -> None:
    old, new, plan = parted(world)
    pilot = world.start(world.flying(plan=plan, sources=lambda plan: flown(world, old, new, plan)))
    pilot.until(lambda shot: bool(shot.signals) and shot.signals[0].reading.value is not None)
    new.failing = down("no convex")
    world.clock.advance(60)
    shot = pilot.until(lambda shot: shot.signals[0].reading.failure is not None)
    failure = shot.signals[0].reading.failure
    assert failure is not None and failure.title == "young: no convex"
    pilot.until(lambda shot: shot.signals[0].evidence.verdict is Verdict.UNKNOWN)
    world.bell.until(lambda: bool(world.events(Kind.SOURCE_LOST)))
    assert world.events(Kind.SOURCE_LOST)[0].body["source"] == "monitor/old or young"


# --- whatever comes ------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["answers", "fails", "begins", "restarts", "set back"]),
        st.sampled_from([OLD, NEW]),
        st.floats(0.0, 12.0),
        st.integers(0, 200),
    ),
    max_size=60,
)


@given(STEPS)
def test_nothing_is_counted_twice_and_nothing_that_did_not_happen(
    steps: list[tuple[str, str, float, int]],
) -> None:
    bench = Bench(two(make_plan()))
    for what, monitor, wait_s, grown in steps:
        bench.clock.advance(wait_s)
        bench.grow(total_legacy=grown, total_new=grown, bad_new=grown // 10)
        if what == "answers":
            bench.answered(monitor, took_s=wait_s / 4)
        elif what == "fails":
            bench.senses.asking(monitor)
            bench.senses.failed(monitor, Failure(title="no answer"))
        elif what == "begins":
            bench.senses.asking(monitor)
        elif what == "restarts":
            bench.senses.restart_judges()
        else:
            bench.clock.set_ahead(-wait_s)
            bench.senses.clock_set_back(-wait_s)
        status = bench.status
        happened = bench.counts["total/legacy"]
        assert status.evidence.total_legacy <= happened and status.evidence.total_new <= happened
        assert status.evidence.bad_new <= bench.counts["bad/new"]
        for history in (status.legacy_history, status.new_history):
            assert history is None or history.last_at - bench.clock.now() <= timedelta(seconds=2 * 20)
