"""The judge, one update at a time: properties of the evidence and the rules of the verdicts."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.counters import COUNTER_LIMIT, Counts
from cockpit.core.judge import (
    RARE_WEIGHTS,
    WORSE,
    JudgeState,
    Rules,
    as_e,
    candidates_below,
    log_sum,
    rare_gains,
    rules,
    start,
    update,
)
from cockpit.core.spec import JudgeSpec, PairQuery, SignalSpec
from tests.core.sim_traffic import RULES, START

SIGNAL = SignalSpec(
    name="errors",
    title="Errors",
    monitor="prom",
    legacy=PairQuery(bad="lb", total="lt"),
    new=PairQuery(bad="nb", total="nt"),
)


@st.composite
def counts(draw: st.DrawFn, biggest: float = COUNTER_LIMIT) -> Counts:
    total_legacy = draw(st.floats(0, biggest))
    total_new = draw(st.floats(0, biggest))
    return Counts(
        bad_legacy=draw(st.floats(0, total_legacy)),
        total_legacy=total_legacy,
        bad_new=draw(st.floats(0, total_new)),
        total_new=total_new,
    )


def fed(rows: list[Counts], how: Rules = RULES) -> JudgeState:
    state = start(how, START)
    for second, row in enumerate(rows, start=1):
        state = update(state, row, START + timedelta(seconds=second))
    return state


def mean_factor(gains: tuple[float, ...], worse_gains: tuple[float, ...], theta: float) -> list[float]:
    """Mean of each candidate's factor for one bad event that is on new with probability theta."""
    pairs = zip(gains, worse_gains, strict=True)
    return [theta * math.exp(on_new) + (1 - theta) * math.exp(on_legacy) for on_new, on_legacy in pairs]


def one_bad(share: float, *, on_new: bool) -> Counts:
    return Counts(
        bad_legacy=0.0 if on_new else 1.0,
        total_legacy=1000 * (1 - share),
        bad_new=1.0 if on_new else 0.0,
        total_new=1000 * share,
    )


def origin(share: float, ratio: float) -> float:
    return share * ratio / (share * ratio + 1 - share)


@given(st.floats(0.01, 0.99), st.floats(0.01, 1.0))
def test_every_factor_against_no_difference_has_mean_at_most_one_under_all_of_h0(
    share: float, ratio: float
) -> None:
    on_new, on_legacy = (WORSE.gains(one_bad(share, on_new=side)) for side in (True, False))
    assert max(mean_factor(on_new, on_legacy, origin(share, ratio))) <= 1 + 1e-9


@given(st.floats(0.01, 0.99), st.floats(1.1, 5.0), st.floats(1.0, 50.0))
def test_every_mirror_factor_has_mean_at_most_one_for_every_ratio_from_the_margin_up(
    share: float, margin: float, times: float
) -> None:
    below = candidates_below(margin)
    on_new, on_legacy = (below.gains(one_bad(share, on_new=side)) for side in (True, False))
    assert max(mean_factor(on_new, on_legacy, origin(share, margin * times))) <= 1 + 1e-9


@given(st.floats(0.0001, 0.5), st.floats(0.0, 1.0))
def test_every_negligible_factor_has_mean_at_most_one_for_every_rate_from_the_limit_up(
    limit: float, above: float
) -> None:
    rate = limit + above * (1 - limit)
    bad = rare_gains(Counts(bad_new=1, total_new=1), limit)
    fine = rare_gains(Counts(total_new=1), limit)
    assert max(mean_factor(bad, fine, rate)) <= 1 + 1e-9


def test_weights_sum_to_one_and_evidence_starts_at_one() -> None:
    for weights in (
        WORSE.weights,
        candidates_below(2.0).weights,
        candidates_below(0.8).weights,
        RARE_WEIGHTS,
    ):
        assert math.isclose(sum(weights), 1.0)
    state = start(replace(RULES, negligible=0.01), START)
    assert math.isclose(state.log_e_regressed, 0, abs_tol=1e-12)
    assert math.isclose(state.log_e_not_worse, 0, abs_tol=1e-12)


@given(st.lists(counts(), max_size=6), st.sampled_from([None, 0.001, 0.5]))
def test_evidence_is_never_nan_and_never_overflows(rows: list[Counts], negligible: float | None) -> None:
    state = fed(rows, replace(RULES, negligible=negligible))
    for log_e in (state.log_e_regressed, state.log_e_not_worse):
        assert math.isfinite(log_e)
        assert 0 <= as_e(log_e) < math.inf
    assert all(math.isfinite(mass) for mass in (*state.worse.masses, *state.fine.masses))


@given(counts(biggest=1e5), st.floats(0, 1))
def test_more_bad_events_on_new_never_speak_less_for_a_regression(row: Counts, part: float) -> None:
    more = replace(row, bad_new=row.bad_new + part * (row.total_new - row.bad_new))
    few, many = fed([row]), fed([more])
    assert many.log_e_regressed >= few.log_e_regressed - 1e-9
    assert many.log_e_not_worse <= few.log_e_not_worse + 1e-9


@given(st.lists(counts(biggest=1e4), max_size=5), st.lists(st.integers(0, 5), max_size=5), st.data())
def test_polls_without_bad_events_move_no_evidence_wherever_they_fall(
    rows: list[Counts], places: list[int], data: st.DataObject
) -> None:
    mixed = list(rows)
    for place in places:
        mixed.insert(place, Counts(total_legacy=data.draw(st.floats(0, 1e4)), total_new=10))
    plain, padded = fed(rows), fed(mixed)
    assert padded.worse == plain.worse
    assert padded.fine == plain.fine


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=5), st.booleans())
def test_a_side_without_traffic_gives_no_evidence_at_all(totals: list[float], new_idle: bool) -> None:
    rows = [
        Counts(bad_legacy=total, total_legacy=total) if new_idle else Counts(bad_new=total, total_new=total)
        for total in totals
    ]
    state = fed(rows)
    assert state.worse == start(RULES, START).worse
    assert state.not_worse_since is None and state.regressed is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_log_sum_lies_between_the_largest_and_the_largest_times_the_number(logs: list[float]) -> None:
    assert max(logs) - 1e-9 <= log_sum(logs) <= max(logs) + math.log(len(logs)) + 1e-9


def test_regressed_latches_with_its_time_and_ends_with_the_epoch() -> None:
    state = fed([one_bad(0.1, on_new=True)] * 4)
    assert state.regressed is not None
    assert state.regressed.at == START + timedelta(seconds=4)
    good = Counts(bad_legacy=500, total_legacy=9000, total_new=1000)
    later = update(state, good, START + timedelta(seconds=9))
    assert later.log_e_regressed < math.log(RULES.regressed_at)
    assert later.regressed == state.regressed
    assert start(later.rules, START + timedelta(seconds=10)).regressed is None


def test_not_worse_stands_until_half_of_its_log_evidence_is_gone() -> None:
    equal = Counts(bad_legacy=9, total_legacy=900, bad_new=1, total_new=100)
    rows = [equal] * 60
    while fed(rows[:-1]).not_worse_since is not None:
        rows.pop()
    began = fed(rows).not_worse_since
    assert began == START + timedelta(seconds=len(rows))
    states: list[JudgeState] = []
    while not states or states[-1].not_worse_since is not None:
        rows.append(one_bad(0.1, on_new=True))
        states.append(fed(rows))
    *standing, fallen = states
    half = math.log(RULES.not_worse_at) / 2
    assert {state.not_worse_since for state in standing} == {began}
    assert min(state.log_e_not_worse for state in standing) >= half > fallen.log_e_not_worse
    assert fallen.undecided_since == START + timedelta(seconds=len(rows))


def test_not_worse_needs_the_plans_number_of_events_and_regressed_does_not() -> None:
    few = replace(RULES, min_total=5000.0)
    equal = Counts(bad_legacy=90, total_legacy=900, bad_new=10, total_new=100)
    state = fed([equal] * 40, few)
    assert state.log_e_not_worse > math.log(few.not_worse_at)
    assert state.not_worse_since is None
    assert fed([equal] * 51, few).not_worse_since is not None
    bad = Counts(total_legacy=90, bad_new=10, total_new=10)
    assert fed([bad], few).regressed is not None


def test_fractional_counts_are_taken_as_they_are() -> None:
    whole = fed([Counts(bad_legacy=3, total_legacy=90, bad_new=3, total_new=10)])
    halves = Counts(bad_legacy=1.5, total_legacy=45, bad_new=1.5, total_new=5)
    gain_whole = WORSE.gains(Counts(bad_legacy=3, total_legacy=90, bad_new=3, total_new=10))
    assert WORSE.gains(halves) == pytest.approx([gain / 2 for gain in gain_whole])
    assert fed([halves, halves]).log_e_regressed == pytest.approx(whole.log_e_regressed, abs=0.01)


def test_the_rollback_alpha_is_shared_by_the_rollback_signals_and_the_warning_is_not() -> None:
    how = rules(SIGNAL, JudgeSpec(alpha=0.01, warn_alpha=0.05), 4)
    assert how.regressed_at == pytest.approx(400)
    assert how.warning_at == pytest.approx(20)
    assert how.not_worse_at == pytest.approx(20)
    assert rules(SIGNAL, JudgeSpec(alpha=0.01), 0).regressed_at == pytest.approx(100)


@pytest.mark.parametrize(
    "change",
    [
        {"regressed_at": 1.0},
        {"not_worse_at": 0.5},
        {"margin": 0.0},
        {"margin": math.nan},
        {"negligible": 0.0},
        {"negligible": 1.0},
    ],
)
def test_rules_that_would_decide_nothing_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"between|above"):
        replace(RULES, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"bad_new": -1.0},
        {"bad_new": 11.0},
        {"total_legacy": math.nan},
        {"total_new": math.inf},
        {"bad_legacy": 91.0},
    ],
)
def test_counts_that_cannot_be_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="between 0 and their total"):
        replace(Counts(bad_legacy=1, total_legacy=90, bad_new=1, total_new=10), **change)
