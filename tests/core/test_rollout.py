"""Stages and gates: one fact away from "go" is not "go", and the gate says which fact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.clean import FULL, ZERO
from cockpit.core.holds import hold_until, reached_stage
from cockpit.core.model import Failure, ForeignChange, Health, Reading, Side, Verdict
from cockpit.core.rollout import Situation, gates, next_stage, stage_index
from cockpit.core.snapshot import Agreement
from tests.core.sim_rollout import (
    CHAT,
    ERRORS,
    LOGIN,
    NOW,
    PLAN,
    evidence_of,
    facts,
    flag_value,
    fresh,
    pct,
    probe_spec,
    probe_status,
    share_of,
    signal_status,
    situation,
    unmet,
    with_chat,
)

UNREAD: Reading[Any] = Reading(failure=Failure(title="connection refused"), interval_s=5.0)


def only_unmet(now: Situation) -> tuple[str, str]:
    """The name and text of the single gate that is not met."""
    ((name, result),) = unmet(gates(now, "chat")).items()
    return name, result.text


def test_stages_are_found_by_their_percentage() -> None:
    assert [stage_index(CHAT, pct(value)) for value in (0, 5, 25, 100, 12)] == [-1, 0, 1, 2, None]
    assert next_stage(CHAT, ZERO) == CHAT.stages[0]
    assert next_stage(CHAT, pct(12)) == CHAT.stages[1]
    assert next_stage(CHAT, FULL) is None
    assert reached_stage(CHAT, pct(12)) == CHAT.stages[0]
    assert reached_stage(CHAT, pct(4)) is None


def test_hold_time_counts_from_when_the_stage_was_seen() -> None:
    assert hold_until(CHAT, pct(5), NOW, 0.0) == NOW + timedelta(minutes=10)
    assert hold_until(CHAT, FULL, NOW, 0.0) is None
    assert hold_until(CHAT, pct(5), None, 0.0) is None


def test_all_gates_are_met_when_everything_is_known_and_well() -> None:
    results = gates(situation(), "chat")
    assert unmet(results) == {}
    assert [result.name for result in results] == [
        "next stage",
        "no rollback",
        "journal",
        "writer",
        "not held",
        "own changes",
        "plain flag",
        "numbers agree",
        "hold time",
        "needs login",
        "legacy probes",
        "new probes",
        "way back",
        "signal errors",
    ]
    assert all(result.text for result in results)


def test_a_flag_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError, match="search"):
        gates(situation(), "search")


def foreign() -> ForeignChange:
    return ForeignChange(at=NOW, before="5%", after="12%", who="dana", raised=True)


@pytest.mark.parametrize(
    ("change", "name", "text"),
    [
        (lambda now: replace(now, rollback_open=True), "no rollback", "a rollback is open"),
        (lambda now: replace(now, journal_ok=False), "journal", "the journal cannot be written"),
        (
            lambda now: with_chat(now, writable=False),
            "writer",
            "this cockpit has no right to write chat: D takes the seat in one that has it",
        ),
        (lambda now: with_chat(now, writable=False, drives=False), "writer", "this cockpit does not drive"),
        (lambda now: with_chat(now, writing=True), "writer", "a write to chat is not settled yet"),
        (
            lambda now: with_chat(now, held_by="kim", held_reason="lunch"),
            "not held",
            "held by kim: lunch",
        ),
        (
            lambda now: with_chat(now, foreign=foreign()),
            "own changes",
            "dana changed it from 5% to 12%: not acknowledged",
        ),
        (
            lambda now: with_chat(now, configured=fresh(flag_value(5, complexities=("constraints",)))),
            "plain flag",
            "may be killed but not promoted: constraints",
        ),
        (
            lambda now: with_chat(
                now, agreement=Agreement.DIFFER, differs_since=NOW - timedelta(minutes=2), asked=pct(25)
            ),
            "numbers agree",
            "differ for 2 min: asked 25%, configured 5%, observed 5%",
        ),
        (
            lambda now: with_chat(now, agreement=Agreement.UNKNOWN, observed=UNREAD),
            "numbers agree",
            "not all known: asked 5%, configured 5%, observed ?",
        ),
        (
            lambda now: with_chat(now, stage_since=None),
            "hold time",
            "not known since when it is at 5%, 10 min asked",
        ),
        (
            lambda now: replace(now, probes=(probe_status(Side.LEGACY), probe_status(Side.NEW, Health.DOWN))),
            "new probes",
            "ready is down: 503",
        ),
        (
            lambda now: replace(now, probes=(probe_status(Side.LEGACY),)),
            "new probes",
            "ready cannot be seen: no fresh answer",
        ),
        (
            lambda now: replace(now, flags=(now.flags[0], facts(LOGIN, 5))),
            "needs login",
            "login is at 5%, 25% needed first",
        ),
        (
            lambda now: replace(now, flags=(now.flags[0], replace(facts(LOGIN, 100), asked=ZERO))),
            "needs login",
            "login is at 0%, 25% needed first",
        ),
        (lambda now: replace(now, flags=now.flags[:1]), "needs login", "percentage of login not known"),
        (lambda now: replace(now, signals=()), "signal errors", "errors is not watched yet"),
        (
            lambda now: replace(now, signals=(signal_status(Verdict.UNKNOWN),)),
            "signal errors",
            "what was seen",
        ),
        (
            lambda now: replace(now, signals=(replace(signal_status(), reading=fresh(1.0, age_s=30)),)),
            "signal errors",
            "source is not fresh",
        ),
        (
            lambda now: replace(now, signals=(signal_status(Verdict.REGRESSED),)),
            "signal errors",
            "REGRESSED: what was seen",
        ),
        (
            lambda now: replace(
                now, signals=(replace(signal_status(), limit_breached=True, limit_text="new 7% > limit 5%"),)
            ),
            "signal errors",
            "new 7% > limit 5%",
        ),
    ],
)
def test_one_wrong_fact_closes_one_gate_and_says_so(
    change: Callable[[Situation], Situation], name: str, text: str
) -> None:
    assert only_unmet(change(situation())) == (name, text)


def test_a_flag_that_cannot_be_read_leaves_nothing_that_depends_on_its_percentage_met() -> None:
    results = unmet(gates(with_chat(situation(), configured=UNREAD), "chat"))
    assert set(results) == {"next stage", "plain flag", "numbers agree", "hold time", "needs login"}
    assert results["plain flag"].text == "flag never read: connection refused"


def test_a_stale_flag_says_its_age() -> None:
    stale = with_chat(situation(), configured=fresh(flag_value(5), age_s=20))
    assert unmet(gates(stale, "chat"))["plain flag"].text == "flag last read 20 s ago"


def test_at_the_last_stage_there_is_nowhere_to_go() -> None:
    done = replace(situation(), flags=(facts(percent=100), facts(LOGIN, 100)))
    assert unmet(gates(done, "chat"))["next stage"].text == "no stage above 100%"


def test_gates_that_time_will_open_say_when() -> None:
    watch = replace(situation(), watch_until=NOW + timedelta(minutes=20))
    result = unmet(gates(watch, "chat"))["no rollback"]
    assert (result.text, result.met_at) == (
        "watch window after the rollback: 20 min left",
        NOW + timedelta(minutes=20),
    )
    young = with_chat(situation(), stage_since=NOW - timedelta(minutes=4))
    result = unmet(gates(young, "chat"))["hold time"]
    assert (result.text, result.met_at) == ("6 min left of 10 min at 5%", NOW + timedelta(minutes=6))
    spreading = with_chat(situation(), agreement=Agreement.PROPAGATING, differs_since=NOW)
    assert unmet(gates(spreading, "chat"))["numbers agree"].met_at == NOW + timedelta(seconds=30)


def test_probes_must_pass_in_a_row_on_both_backends() -> None:
    few = replace(situation(), probes=(probe_status(Side.LEGACY, passes=1), probe_status(Side.NEW)))
    result = unmet(gates(few, "chat"))["legacy probes"]
    assert (result.text, result.met_at) == ("ready passed 1 of 3 in a row", NOW + timedelta(seconds=10))


def test_the_worst_probe_is_named_and_the_others_are_counted() -> None:
    legacy, new = PLAN.backends
    two = replace(PLAN, backends=(legacy, replace(new, probes=(*new.probes, probe_spec(Side.NEW, "deep")))))
    mixed = replace(
        situation(),
        plan=two,
        probes=(
            probe_status(Side.LEGACY),
            probe_status(Side.NEW, passes=1),
            probe_status(Side.NEW, Health.DEGRADED, name="deep"),
        ),
    )
    result = unmet(gates(mixed, "chat"))["new probes"]
    assert (result.text, result.met_at) == ("deep is degraded (and 1 more)", None)


def test_a_backend_without_a_required_probe_is_not_taken_for_healthy() -> None:
    legacy, new = PLAN.backends
    optional = replace(new, probes=(probe_spec(Side.NEW, required=False),))
    blind = replace(situation(), plan=replace(PLAN, backends=(legacy, optional)))
    assert only_unmet(blind) == (
        "new probes",
        "the plan requires no probe of new: nothing says that it is up",
    )


def test_before_anybody_is_on_new_a_readable_signal_is_enough() -> None:
    start = replace(
        situation(),
        flags=(replace(facts(percent=0), spec=replace(CHAT, depends_on=())), facts(LOGIN, 0)),
        signals=(signal_status(Verdict.UNDECIDED, total_new=0.0),),
    )
    assert unmet(gates(start, "chat")) == {}
    blind = replace(start, signals=(signal_status(Verdict.UNKNOWN),))
    assert only_unmet(blind)[0] == "signal errors"
    regressed = replace(start, signals=(signal_status(Verdict.REGRESSED),))
    assert only_unmet(regressed)[0] == "signal errors"
    other_exposed = replace(start, flags=(start.flags[0], facts(LOGIN, 5)))
    assert only_unmet(other_exposed)[0] == "signal errors"
    other_unknown = replace(start, flags=(start.flags[0], replace(facts(LOGIN, 0), configured=UNREAD)))
    assert only_unmet(other_unknown)[0] == "signal errors"


def test_an_undecided_signal_says_when_it_may_be_decided() -> None:
    seen = signal_status(Verdict.UNDECIDED, forecast_s=300.0, heading=Verdict.NOT_WORSE)
    result = unmet(gates(replace(situation(), signals=(seen,)), "chat"))["signal errors"]
    assert result.text == "UNDECIDED: what was seen"
    assert result.met_at == NOW + timedelta(minutes=5)
    worse = signal_status(Verdict.UNDECIDED, forecast_s=300.0, heading=Verdict.REGRESSED)
    assert unmet(gates(replace(situation(), signals=(worse,)), "chat"))["signal errors"].met_at is None


def test_an_override_counts_for_undecided_for_that_signal_and_that_very_stage_only() -> None:
    undecided = replace(situation(), signals=(signal_status(Verdict.UNDECIDED),))
    given_for = with_chat(undecided, overrides=(("errors", pct(25), "kim"),))
    results = gates(given_for, "chat")
    assert unmet(results) == {}
    assert results[-1].text == "UNDECIDED, overridden by kim: what was seen"
    for wrong in (("errors", pct(100), "kim"), ("slow", pct(25), "kim")):
        assert only_unmet(with_chat(undecided, overrides=(wrong,)))[0] == "signal errors"


@pytest.mark.parametrize(
    "seen",
    [
        signal_status(Verdict.REGRESSED),
        signal_status(Verdict.UNKNOWN),
        signal_status(Verdict.UNDECIDED, total_new=0.0),
        replace(signal_status(Verdict.UNDECIDED), limit_breached=True),
    ],
    ids=["regressed", "unknown", "nothing seen on new", "hard limit"],
)
def test_no_override_gets_past_a_regression_a_blind_eye_or_a_hard_limit(seen: object) -> None:
    now = with_chat(replace(situation(), signals=(seen,)), overrides=(("errors", pct(25), "kim"),))  # type: ignore[arg-type]  # a parameter of any kind
    assert only_unmet(now)[0] == "signal errors"


def test_a_signal_that_is_not_required_blocks_only_when_it_regressed() -> None:
    plan = replace(PLAN, signals=(replace(ERRORS, required=False),))
    now = replace(situation(), plan=plan, signals=(signal_status(Verdict.UNKNOWN),))
    assert unmet(gates(now, "chat")) == {}
    assert only_unmet(replace(now, signals=(signal_status(Verdict.REGRESSED),)))[0] == "signal errors"
    advisory = replace(PLAN, signals=(replace(ERRORS, required=False, proposes_rollback=False),))
    silent = replace(now, plan=advisory, signals=(signal_status(Verdict.REGRESSED),))
    assert unmet(gates(silent, "chat")) == {}


def test_a_dependency_at_its_own_end_is_enough() -> None:
    short = replace(LOGIN, stages=(LOGIN.stages[0],))
    plan = replace(PLAN, flags=(CHAT, short))
    now = replace(situation(), plan=plan, flags=(facts(), facts(short, 5)))
    assert unmet(gates(now, "chat")) == {}


UNKNOWNS: list[Callable[[Situation], Situation]] = [
    lambda now: with_chat(now, configured=UNREAD),
    lambda now: with_chat(now, configured=fresh(flag_value(5), age_s=11)),
    lambda now: with_chat(now, configured=fresh(flag_value(None))),
    lambda now: with_chat(now, agreement=Agreement.UNKNOWN),
    lambda now: with_chat(now, stage_since=None),
    lambda now: replace(now, flags=now.flags[:1]),
    lambda now: replace(now, flags=(now.flags[0], replace(now.flags[-1], configured=UNREAD))),
    lambda now: replace(now, probes=()),
    lambda now: replace(now, probes=tuple(replace(each, reading=UNREAD) for each in now.probes)),
    lambda now: replace(now, probes=tuple(probe_status(side, Health.UNKNOWN) for side in Side)),
    lambda now: replace(now, signals=()),
    lambda now: replace(now, signals=(signal_status(Verdict.UNKNOWN),)),
    lambda now: replace(now, signals=(replace(signal_status(), reading=UNREAD),)),
    lambda now: replace(now, now=NOW + timedelta(seconds=60)),
]


@given(st.lists(st.sampled_from(UNKNOWNS), min_size=1, max_size=4), st.booleans())
def test_gates_are_never_all_met_while_any_fact_is_unknown(
    changes: list[Callable[[Situation], Situation]], overridden: bool
) -> None:
    now = situation()
    for change in changes:
        now = change(now)
    if overridden:
        now = with_chat(now, overrides=(("errors", pct(25), "kim"),))
    results = gates(now, "chat")
    assert unmet(results)
    assert all(result.text and "\n" not in result.text for result in results)


def test_the_situation_used_here_is_what_it_says() -> None:
    assert share_of(5).percent == pct(5) and evidence_of(Verdict.UNDECIDED).verdict is Verdict.UNDECIDED
