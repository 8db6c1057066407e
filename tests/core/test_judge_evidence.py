"""From the judge's state to a verdict, a sentence and a forecast."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.counters import Counts
from cockpit.core.evidence import FORECAST_LIMIT_S, Quiet, Sight, evidence, forecast_of
from cockpit.core.judge import JudgeState, Rules, start, update
from cockpit.core.model import Side, Verdict
from tests.core.sim_traffic import RULES, START

EQUAL = Counts(bad_legacy=1.8, total_legacy=180, bad_new=0.2, total_new=20)
TRIPLE = Counts(bad_legacy=1.8, total_legacy=180, bad_new=0.6, total_new=20)
LOST = Sight(trouble="new bad events: no data", trouble_since=START)


def after(row: Counts, polls: int, how: Rules = RULES, every_s: float = 10.0) -> JudgeState:
    state = start(how, START)
    for poll in range(1, polls + 1):
        state = update(state, row, START + timedelta(seconds=every_s * poll))
    return state


def until(row: Counts, verdict: Verdict) -> tuple[JudgeState, float]:
    """Feed the same interval every 10 s until the verdict; returns the state and the seconds it took."""
    state, seconds = start(RULES, START), 0.0
    while evidence(state, START).verdict is not verdict:
        seconds += 10
        state = update(state, row, START + timedelta(seconds=seconds))
    return state, seconds


def test_a_regression_says_both_rates_the_ratio_and_the_evidence() -> None:
    state, _ = until(TRIPLE, Verdict.REGRESSED)
    seen = evidence(state, START)
    assert seen.text.startswith("new 3.0% vs legacy 1.0%: 3.0x, E ")
    assert seen.text.endswith(" of 100")
    assert seen.e_regressed >= seen.threshold == 100
    assert seen.fill_regressed == 1.0
    assert seen.warning and seen.forecast_s is None
    assert seen.since == state.regressed.at if state.regressed else False


def test_a_regression_is_still_told_when_the_source_is_lost_and_when_the_trouble_is_over() -> None:
    state, seconds = until(TRIPLE, Verdict.REGRESSED)
    lost = evidence(state, START, LOST)
    assert lost.verdict is Verdict.REGRESSED
    assert lost.text.endswith("cannot see now: new bad events: no data")
    calm = Counts(bad_legacy=100, total_legacy=9000, bad_new=0, total_new=1000)
    for poll in range(1, 60):
        state = update(state, calm, START + timedelta(seconds=seconds + 10 * poll))
    over = evidence(state, START)
    assert over.verdict is Verdict.REGRESSED
    assert "3.0x" in over.text and "; now new 0.0" in over.text


def test_not_worse_says_the_margin_and_loses_its_say_when_the_source_is_lost() -> None:
    state, _ = until(EQUAL, Verdict.NOT_WORSE)
    seen = evidence(state, START)
    assert "not worse than 2x" in seen.text and seen.text.endswith("of 20")
    assert seen.fill_not_worse == 1.0 and seen.threshold_not_worse == 20
    lost = evidence(state, START, LOST)
    assert lost.verdict is Verdict.UNKNOWN
    assert lost.text == "cannot judge: new bad events: no data"
    assert lost.since == START and lost.forecast_s is None


def test_not_worse_loses_its_say_when_a_side_has_no_traffic_any_more() -> None:
    state, _ = until(EQUAL, Verdict.NOT_WORSE)
    quiet = Quiet(side=Side.NEW, since=START, ever=True)
    seen = evidence(state, START + timedelta(minutes=3), Sight(quiet=(quiet,)))
    assert seen.verdict is Verdict.UNDECIDED
    assert seen.text == "no traffic on new for 3 min: nothing to compare"


def test_nothing_on_new_yet_is_undecided_and_said() -> None:
    quiet = Quiet(side=Side.NEW, since=START, ever=False)
    seen = evidence(start(RULES, START), START, Sight(quiet=(quiet,)))
    assert seen.verdict is Verdict.UNDECIDED
    assert seen.text == "no traffic on new yet: nothing to compare"
    assert seen.forecast_s is None


def test_too_little_traffic_tells_how_much_is_needed_and_when_it_will_be_there() -> None:
    state = after(Counts(bad_legacy=10, total_legacy=20, bad_new=0, total_new=1), 12)
    seen = evidence(state, START)
    assert "too little traffic: 12 of 50 events needed on new" in seen.text
    assert seen.heading is Verdict.NOT_WORSE
    assert seen.forecast_s == pytest.approx(380, rel=0.05)


def test_no_bad_event_on_either_side_promises_nothing() -> None:
    seen = evidence(after(Counts(total_legacy=900, total_new=100), 10), START)
    assert seen.verdict is Verdict.UNDECIDED
    assert seen.text == "no bad events on either side in 1000 on new; no verdict in sight at this traffic"
    assert seen.forecast_s is None


def test_no_bad_event_on_either_side_is_enough_where_the_plan_names_a_negligible_rate() -> None:
    how = replace(RULES, negligible=0.005)
    row = Counts(total_legacy=900, total_new=100)
    early = evidence(after(row, 3, how), START)
    assert early.heading is Verdict.NOT_WORSE and early.forecast_s is not None
    late = evidence(after(row, 3 + round(early.forecast_s / 10) + 1, how), START)
    assert late.verdict is Verdict.NOT_WORSE
    assert "not worse than 2x or below 0.5%" in late.text


def test_warming_up_is_said_with_the_time_left() -> None:
    sight = Sight(warm_until=START + timedelta(seconds=40))
    assert evidence(start(RULES, START), START, sight).text == "warming up, judged in 40 s"


@pytest.mark.parametrize(
    ("row", "verdict"), [(TRIPLE, Verdict.REGRESSED), (EQUAL, Verdict.NOT_WORSE)], ids=["worse", "equal"]
)
def test_the_forecast_is_when_the_verdict_comes_if_the_present_rates_go_on(
    row: Counts, verdict: Verdict
) -> None:
    """Traffic without chance: the forecast made early must hit the moment that really comes."""
    _, took_s = until(row, verdict)
    early = after(row, 3)
    seen = evidence(early, START)
    assert seen.heading is verdict and seen.forecast_s is not None
    assert 30 + seen.forecast_s == pytest.approx(took_s, rel=0.3)
    assert f"heading to {verdict.words}" in seen.text


def test_the_forecast_after_a_quiet_day_counts_on_the_weight_that_starts_late() -> None:
    state = after(EQUAL, 2000)
    day_end = START + timedelta(seconds=20_000)
    quick = Counts(bad_legacy=18, total_legacy=1800, bad_new=18, total_new=200)
    for poll in range(1, 4):
        state = update(state, quick, day_end + timedelta(seconds=10 * poll))
    seen = forecast_of(state)
    polls = 0
    while state.regressed is None:
        polls += 1
        state = update(state, quick, day_end + timedelta(seconds=30 + 10 * polls))
    assert seen.regressed_s is not None
    assert seen.regressed_s <= 10 * polls * 3 + 30


def test_the_warning_comes_before_the_alarm() -> None:
    state, polls = start(RULES, START), 0
    while not evidence(state, START).warning:
        polls += 1
        state = update(state, TRIPLE, START + timedelta(seconds=10 * polls))
    seen = evidence(state, START)
    assert seen.verdict is Verdict.UNDECIDED
    assert 20 <= seen.e_regressed < 100
    assert 0.6 < seen.fill_regressed < 1


@given(
    st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1), st.floats(0, 1e9), st.floats(0, 1)), max_size=5),
    st.sampled_from([None, 0.01]),
)
def test_whatever_the_counts_the_evidence_can_be_shown(
    rows: list[tuple[float, float, float, float]], negligible: float | None
) -> None:
    state = start(replace(RULES, negligible=negligible), START)
    for poll, (legacy, bad_legacy, new, bad_new) in enumerate(rows, start=1):
        row = Counts(
            bad_legacy=legacy * bad_legacy, total_legacy=legacy, bad_new=new * bad_new, total_new=new
        )
        state = update(state, row, START + timedelta(seconds=5 * poll))
    seen = evidence(state, START + timedelta(seconds=60))
    assert 0 <= seen.fill_regressed <= 1 and 0 <= seen.fill_not_worse <= 1
    assert seen.forecast_s is None or 0 <= seen.forecast_s <= FORECAST_LIMIT_S
    assert seen.text and "nan" not in seen.text and "inf" not in seen.text
