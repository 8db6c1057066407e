"""What the engine calls: one signal from counters to a status, one flag's traffic to a share."""

from __future__ import annotations

import random
from dataclasses import asdict, replace
from datetime import datetime, timedelta

import pytest

from cockpit.core.clean import Percent
from cockpit.core.model import Quality, Reading, Sample, Verdict
from cockpit.core.snapshot import Share, SignalStatus
from cockpit.core.spec import HardLimit, JudgeSpec, PairQuery, Plan, RollbackSpec, SignalSpec
from cockpit.core.tracker import (
    ShareTracker,
    SignalTracker,
    observe,
    observe_share,
    restart,
    restart_share,
    share,
    share_note,
    start_signal,
    status,
)
from tests.core.sim_traffic import START
from tests.core.test_counters import four, sample

SIGNAL = SignalSpec(
    name="errors",
    title="Errors",
    monitor="prom",
    legacy=PairQuery(bad="lb", total="lt"),
    new=PairQuery(bad="nb", total="nt"),
    limit=HardLimit(max_pct=30.0),
)
PLAN = Plan(
    title="Move",
    environment="production",
    flag_services=(),
    monitors=(),
    backends=(),
    flags=(),
    signals=(SIGNAL,),
    rollback=RollbackSpec(),
)


class Flight:
    """A tracker with simulated traffic, polled every 5 s."""

    def __init__(self, plan: Plan = PLAN, *, seed: int = 4) -> None:
        self.now: datetime = START
        self.tracker: SignalTracker = start_signal(plan.signals[0], plan, START)
        self.totals = [0.0, 0.0, 0.0, 0.0]
        self.rng = random.Random(seed)
        self.poll()

    def poll(self, *, readable: bool = True) -> None:
        self.now += timedelta(seconds=5)
        legacy_bad, legacy, new_bad, new = self.totals
        row = (legacy_bad, legacy, new_bad, new) if readable else (None, None, None, None)
        self.tracker = observe(self.tracker, four(row), self.now)

    def fly(
        self, polls: int, *, legacy: int = 90, new: int = 10, base: float = 0.02, ratio: float = 1.0
    ) -> None:
        for _ in range(polls):
            self.totals[0] += sum(self.rng.random() < base for _ in range(legacy))
            self.totals[1] += legacy
            self.totals[2] += sum(self.rng.random() < base * ratio for _ in range(new))
            self.totals[3] += new
            self.poll()

    @property
    def status(self) -> SignalStatus:
        return self.at(0)

    def verdict(self) -> Verdict:
        return self.status.evidence.verdict

    def at(self, later_s: float) -> SignalStatus:
        return status(self.tracker, SIGNAL, self.now + timedelta(seconds=later_s), Reading(interval_s=5.0))


def test_equal_sides_become_not_worse_and_a_much_worse_new_side_regressed() -> None:
    equal = Flight()
    equal.fly(240)
    assert equal.verdict() is Verdict.NOT_WORSE
    worse = Flight()
    worse.fly(60, ratio=5.0)
    assert worse.verdict() is Verdict.REGRESSED
    assert worse.status.evidence.since is not None
    assert worse.status.legacy.rate_pct == pytest.approx(2, abs=1.5)
    assert worse.status.new.rate_pct == pytest.approx(10, abs=7)


def test_one_lost_poll_changes_no_verdict_and_a_lost_source_makes_it_unknown() -> None:
    flight = Flight()
    flight.fly(240)
    flight.poll(readable=False)
    assert flight.verdict() is Verdict.NOT_WORSE
    flight.poll(readable=False)
    flight.poll(readable=False)
    seen = flight.status.evidence
    assert seen.verdict is Verdict.UNKNOWN
    assert seen.text == "cannot judge: legacy bad events: no data and new bad events: no data"
    assert seen.since == flight.now - timedelta(seconds=15)
    flight.fly(2)
    assert flight.verdict() is Verdict.NOT_WORSE


def test_a_dead_engine_shows_as_unknown_too() -> None:
    flight = Flight()
    flight.fly(240)
    assert flight.at(10).evidence.verdict is Verdict.NOT_WORSE
    silent = flight.at(11).evidence
    assert silent.verdict is Verdict.UNKNOWN
    assert silent.text == "cannot judge: no answer for 11 s"


def test_nothing_read_yet_is_unknown() -> None:
    tracker = start_signal(SIGNAL, PLAN, START)
    seen = status(tracker, SIGNAL, START, Reading(interval_s=5.0))
    assert seen.evidence.verdict is Verdict.UNKNOWN
    assert "not read yet" in seen.evidence.text


def test_no_traffic_on_new_is_undecided_however_long_it_lasts() -> None:
    flight = Flight()
    flight.fly(200, new=0)
    seen = flight.status.evidence
    assert seen.verdict is Verdict.UNDECIDED
    assert seen.text == "no traffic on new yet: nothing to compare"


def test_traffic_that_ends_on_one_side_takes_not_worse_away() -> None:
    flight = Flight()
    flight.fly(240)
    flight.fly(30, new=0)
    seen = flight.status.evidence
    assert seen.verdict is Verdict.UNDECIDED
    assert seen.text.startswith("no traffic on new for 3 min")


def test_traffic_that_ends_on_both_sides_is_unknown() -> None:
    flight = Flight()
    flight.fly(240)
    flight.fly(30, legacy=0, new=0)
    seen = flight.status.evidence
    assert seen.verdict is Verdict.UNKNOWN
    assert seen.text == "cannot judge: no events on either side for 3 min"


def test_a_rare_signal_is_not_called_silent_between_its_events() -> None:
    flight = Flight()
    for _ in range(12):
        flight.fly(1, legacy=1, new=1)
        flight.fly(23, legacy=0, new=0)
    assert flight.verdict() is Verdict.UNDECIDED
    assert "too little traffic" in flight.status.evidence.text


def test_a_restart_forgets_verdict_limit_and_the_interval_that_spans_the_change() -> None:
    flight = Flight()
    flight.fly(40, ratio=30.0)
    assert flight.verdict() is Verdict.REGRESSED
    assert flight.status.limit_breached and flight.status.limit_since is not None
    flight.totals[2] += 1000
    flight.totals[3] += 1000
    flight.tracker = restart(flight.tracker, flight.now)
    flight.fly(2)
    after = flight.status
    assert after.evidence.verdict is Verdict.UNDECIDED
    assert not after.limit_breached
    assert after.evidence.total_new == 10


def test_warm_up_judges_nothing_and_the_hard_limit_watches_all_the_same() -> None:
    plan = replace(PLAN, judge=JudgeSpec(warmup_s=60.0))
    flight = Flight(plan)
    flight.fly(10, ratio=40.0)
    assert flight.verdict() is Verdict.UNDECIDED
    assert flight.status.evidence.text.startswith("warming up, judged in")
    assert flight.status.evidence.total_new == 0
    assert flight.status.limit_breached
    flight.fly(2)
    assert "warming up" not in flight.status.evidence.text
    flight.fly(200)
    assert flight.verdict() is Verdict.NOT_WORSE
    flight.tracker = restart(flight.tracker, flight.now)
    flight.fly(3)
    assert "warming up" in flight.status.evidence.text


def test_only_signals_that_propose_a_rollback_share_alpha() -> None:
    quiet = replace(SIGNAL, name="slow", proposes_rollback=False)
    plan = replace(PLAN, signals=(SIGNAL, replace(SIGNAL, name="logins"), quiet))
    tracker = start_signal(SIGNAL, plan, START)
    assert status(tracker, SIGNAL, START, Reading()).evidence.threshold == pytest.approx(200)


def test_trackers_are_plain_values() -> None:
    flight = Flight()
    flight.fly(3)
    assert asdict(flight.tracker)["judge"]["rules"]["margin"] == 2.0
    assert asdict(ShareTracker())["recent"] == ()


def shared(
    rows: list[tuple[float | None, float | None]],
    *,
    every_s: float = 5.0,
    tracker: ShareTracker | None = None,
) -> tuple[ShareTracker, datetime]:
    """One row of (legacy, new) totals per poll."""
    tracker, now = tracker or ShareTracker(), START
    for number, (legacy, new) in enumerate(rows):
        now = START + timedelta(seconds=every_s * number)
        tracker = observe_share(tracker, sample(legacy), sample(new), now)
    return tracker, now


def growing(polls: int, legacy: float, new: float) -> list[tuple[float | None, float | None]]:
    return [(legacy * poll, new * poll) for poll in range(polls)]


def test_the_share_is_that_of_the_last_whole_intervals() -> None:
    assert share(*shared(growing(10, 90, 10))) == Share(
        percent=Percent(1000), legacy_events=270, new_events=30, window_s=15.0
    )


def test_a_source_scraped_less_often_than_read_does_not_flutter() -> None:
    """Legacy is scraped at polls 0, 3, 6 ..., new at polls 1, 4, 7 ...; the truth is 10 % all the time."""
    rows = [(900.0 * (poll // 3), 100.0 * ((poll + 2) // 3)) for poll in range(60)]
    seen = []
    for polls in range(15, 60):
        found = share(*shared([*rows[:polls]]))
        assert found is not None
        seen.append(found.percent.value)
    assert min(seen) >= 9.0 and max(seen) <= 11.2


def test_a_drained_new_side_reads_zero_within_the_window() -> None:
    rows = growing(10, 50, 50)
    drained: list[tuple[float | None, float | None]] = [(450 + 100 * poll, 450) for poll in range(1, 12)]
    found = share(*shared([*rows, *drained]))
    assert found is not None and found.percent == Percent(0)
    assert found.legacy_events > 0


def test_no_traffic_is_no_share() -> None:
    tracker, now = shared(growing(10, 0, 0))
    assert share(tracker, now) is None
    assert share_note(tracker, now) == "no traffic on either side yet"
    ended = [*growing(10, 90, 10), *[(810.0, 90.0)] * 30]
    tracker, now = shared(ended)
    assert share(tracker, now) is None
    assert share_note(tracker, now) == "no traffic on either side lately"


def test_too_few_events_are_no_share() -> None:
    tracker, now = shared(growing(8, 1, 1))
    assert share(tracker, now) is None
    assert share_note(tracker, now) == "too little traffic: 14 of 20 events needed"


def test_what_cannot_be_read_is_no_share_and_says_why() -> None:
    tracker, now = shared([*growing(10, 90, 10), (900, None)])
    assert share(tracker, now) is None
    assert share_note(tracker, now) == "new events: no data"
    tracker = observe_share(tracker, sample(900), None, now)
    assert share_note(tracker, now) == "new events: query failed"


def test_a_reset_is_left_out_and_the_share_goes_on() -> None:
    rows = [*growing(10, 90, 10), (900.0, 3.0), (990.0, 13.0), (1080.0, 23.0), (1170.0, 33.0)]
    found = share(*shared(rows))
    assert found is not None and found.percent == Percent(1000)


def test_an_interval_longer_than_five_minutes_says_nothing_about_now() -> None:
    blind: list[tuple[float | None, float | None]] = [(None, None)] * 70
    tracker, now = shared([*growing(10, 90, 10), *blind, (9000, 9000)])
    assert share(tracker, now) is None


def test_a_restart_forgets_the_share_and_keeps_the_beat() -> None:
    tracker, now = shared(growing(10, 90, 10))
    fresh = restart_share(tracker)
    assert share(fresh, now) is None
    assert fresh.patience_s == tracker.patience_s == 10.0


def test_a_share_is_never_outside_0_to_100_percent() -> None:
    rng = random.Random(9)
    tracker, now = ShareTracker(), START
    for _ in range(500):
        now += timedelta(seconds=rng.choice([1, 5, 30, 400]))
        values = [rng.choice([None, 0.0, rng.random() * 1e6, 2.0**60, -1.0]) for _ in range(2)]
        legacy, new = (Sample(value=value, quality=Quality.GOOD) for value in values)
        tracker = observe_share(tracker, legacy, new, now)
        found = share(tracker, now)
        assert found is None or 0 <= found.percent.value <= 100
        assert (found is None) == bool(share_note(tracker, now))
