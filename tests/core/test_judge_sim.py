"""What the judge's error rates and speeds really are, by simulation with fixed seeds.

The figures to meet: watched for an hour every 15 s at 20 req/s with 10 % on new and 1 % errors, at most
alpha false alarms; a threefold rise found after a median of 2.8 min (alpha .05) and 4.2 min (.01), a
twofold one after 8.8 and 13.2 min; at 5 req/s a threefold one after 10.8 and 16.2 min.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from cockpit.core.counters import Counts
from cockpit.core.judge import start, update
from tests.core.sim_traffic import (
    POLL_S,
    RULES,
    START,
    World,
    alarms,
    many,
    middle,
    most_allowed,
    not_worse,
    regressed,
    steady,
)


def swinging(poll: int) -> float:
    """A shared error swing of +-60 % with a period of ten minutes."""
    return 0.01 * (1 + 0.6 * math.sin(2 * math.pi * poll * POLL_S / 600))


def climbing(poll: int) -> float:
    """A share that changes with every poll, as during a ramp."""
    return (0.02, 0.1, 0.5, 0.25, 0.9)[poll % 5]


def test_false_alarms_stay_below_alpha_when_nothing_is_wrong() -> None:
    runs = 700
    at_05, at_01 = many(steady(), regressed, runs=runs)
    assert alarms(at_05) <= most_allowed(runs, 0.05) and alarms(at_05) / runs <= 0.05
    assert alarms(at_01) <= most_allowed(runs, 0.01) and alarms(at_01) / runs <= 0.01


@pytest.mark.parametrize(
    "world",
    [
        World(base=swinging),
        World(share=climbing),
        World(share=climbing, base=swinging),
        steady(share=0.5, base=0.3),
        steady(ratio=0.7),
    ],
    ids=["shared swing", "moving share", "both", "many errors", "new is better"],
)
def test_no_shared_trouble_and_no_ramp_raises_false_alarms(world: World) -> None:
    runs = 200
    at_05, at_01 = many(world, regressed, runs=runs)
    assert alarms(at_05) <= most_allowed(runs, 0.05)
    assert alarms(at_01) <= most_allowed(runs, 0.01)


def test_a_shared_error_swing_does_not_slow_detection() -> None:
    world = World(base=swinging, ratio=lambda poll: 3.0)
    at_05, at_01 = many(world, regressed, runs=200)
    assert 1.75 <= middle(at_05) <= 4.0
    assert 3.0 <= middle(at_01) <= 5.5


@pytest.mark.parametrize(
    ("rps", "ratio", "runs", "minutes", "low", "high"),
    [
        (20, 3.0, 300, 60, (2.25, 3.5), (3.5, 5.0)),
        (20, 2.0, 200, 60, (7.0, 11.0), (11.0, 16.0)),
        (5, 3.0, 200, 90, (8.5, 12.5), (13.0, 18.0)),
    ],
    ids=["3x at 20/s", "2x at 20/s", "3x at 5/s"],
)
def test_a_real_rise_is_found_in_minutes(
    rps: int, ratio: float, runs: int, minutes: float, low: tuple[float, float], high: tuple[float, float]
) -> None:
    at_05, at_01 = many(steady(rps=rps, ratio=ratio), regressed, runs=runs, minutes=minutes)
    assert low[0] <= middle(at_05) <= low[1]
    assert high[0] <= middle(at_01) <= high[1]
    assert alarms(at_01) >= 0.95 * runs


def test_trouble_after_a_quiet_working_day_is_still_found_in_minutes() -> None:
    """A plain product of likelihood ratios needs about three quarters of an hour here."""
    quiet = 8 * 240
    world = World(ratio=lambda poll: 1.0 if poll < quiet else 4.0)
    _, at_01 = many(world, regressed, runs=24, minutes=8 * 60 + 60)
    assert middle(at_01) - 8 * 60 <= 12


@pytest.mark.parametrize(
    ("share", "errors_05", "errors_01"),
    [(0.10, 3, 4), (0.25, 4, 5), (0.50, 7, 9)],
    ids=["10 %", "25 %", "50 %"],
)
def test_how_many_errors_on_new_alone_raise_the_alarm(share: float, errors_05: int, errors_01: int) -> None:
    """All errors from the new side, none from legacy: a handful is enough and fewer are not."""
    crossed = {}
    for threshold in (20.0, 100.0):
        state, errors = start(replace(RULES, regressed_at=threshold), START), 0
        while state.regressed is None:
            errors += 1
            one = Counts(total_legacy=1000 * (1 - share), bad_new=1, total_new=1000 * share)
            state = update(state, one, START + timedelta(seconds=errors))
        crossed[threshold] = errors
    assert crossed == {20.0: errors_05, 100.0: errors_01}


@pytest.mark.parametrize("ratio", [2.0, 3.0], ids=["at the margin", "beyond it"])
@pytest.mark.parametrize("world", [steady(), World(share=climbing, base=swinging)], ids=["steady", "moving"])
def test_not_worse_is_hardly_ever_said_of_a_side_that_is_m_times_worse(world: World, ratio: float) -> None:
    runs = 250
    worse = replace(world, ratio=lambda poll: ratio)
    (at_05,) = many(worse, not_worse, (20.0,), runs=runs, minutes=45)
    assert alarms(at_05) <= most_allowed(runs, 0.05)


@pytest.mark.parametrize(
    ("rps", "share", "runs", "bounds"),
    [
        (20, 0.10, 200, (8.0, 11.0)),
        (20, 0.25, 200, (4.0, 6.0)),
        (20, 0.50, 200, (3.25, 5.0)),
        (5, 0.10, 100, (25.0, 37.0)),
    ],
    ids=["10 %", "25 %", "50 %", "10 % at 5/s"],
)
def test_an_equal_side_is_called_not_worse_in_minutes(
    rps: int, share: float, runs: int, bounds: tuple[float, float]
) -> None:
    (at_05,) = many(steady(rps=rps, share=share), not_worse, (20.0,), runs=runs, minutes=120)
    assert bounds[0] <= middle(at_05) <= bounds[1]


def test_a_negligible_rate_lets_a_clean_side_through_and_no_bad_one() -> None:
    rules = replace(RULES, negligible=0.005)
    (clean,) = many(steady(base=0.0), not_worse, (20.0,), runs=1, minutes=60, rules=rules)
    assert clean[0] <= 12
    runs = 250
    at_the_rate = World(base=lambda poll: 0.0025, ratio=lambda poll: 2.0)
    (passed,) = many(at_the_rate, not_worse, (20.0,), runs=runs, minutes=45, rules=rules)
    assert alarms(passed) <= most_allowed(runs, 0.05)
