"""Holds: over only when wall clock and steady clock both say so, and what the last stage's holds up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.clean import FULL, Percent
from cockpit.core.events import Event, Kind
from cockpit.core.flight import Flight, apply
from cockpit.core.holds import hold_until, watch_until
from cockpit.core.rollout import Situation, gates
from cockpit.core.spec import FlagSpec, Stage
from tests.core.rollback_sim import Sim
from tests.core.sim_rollout import CHAT, LOGIN, NOW, facts, pct, situation, unmet

HOLD_S = 600.0
BAKED = replace(LOGIN, stages=(Stage(percent=pct(5)), Stage(percent=FULL, hold_s=HOLD_S)))
NIGHTS = st.lists(st.tuples(st.floats(0, 900), st.integers(-7200, 7200)), max_size=6).map(tuple)
"""(seconds that really pass, seconds by which the wall clock then jumps), one after the other."""


class Night:
    """A journal by a wall clock that jumps; `steady_s` is the time that really passed since the stage."""

    def __init__(self) -> None:
        self.flight, self.seq = Flight(), 0
        self.wall, self.steady_s = NOW, 0.0
        self.record(Kind.FLAG_SEEN, {"flag": "login", "exposure": FULL.hundredths})
        self.began = self.wall

    def record(self, kind: Kind, body: dict[str, object]) -> None:
        self.seq += 1
        event = Event(seq=self.seq, at=self.wall, actor="cockpit", kind=kind, body=body)
        self.flight = apply(self.flight, event)

    def passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady_s += seconds

    def jumps(self, by_s: float) -> None:
        self.wall += timedelta(seconds=by_s)
        self.record(Kind.CLOCK_JUMPED, {"by_s": by_s, "rollback": None})

    @property
    def over(self) -> bool:
        flag = self.flight.flag("login")
        until = hold_until(BAKED, FULL, flag.stage_since, flag.wall_ahead_s)
        assert until is not None
        return self.wall >= until


@given(night=NIGHTS)
def test_a_hold_is_over_when_both_clocks_say_so_and_then_at_once(
    night: tuple[tuple[float, int], ...],
) -> None:
    flown = Night()
    for seconds, by_s in night:
        flown.passes(seconds)
        if by_s:
            flown.jumps(by_s)
        by_the_wall_s = (flown.wall - flown.began).total_seconds()
        both_s = min(by_the_wall_s, flown.steady_s)
        if abs(both_s - HOLD_S) > 0.001:  # instants are kept to the microsecond
            assert flown.over == (both_s >= HOLD_S)


def test_a_new_stage_knows_nothing_of_jumps_before_it() -> None:
    night = Night()
    night.jumps(3600)
    night.record(Kind.FLAG_SEEN, {"flag": "login", "exposure": 500})
    night.record(Kind.FLAG_SEEN, {"flag": "login", "exposure": FULL.hundredths})
    night.passes(HOLD_S)
    assert night.over


def test_a_jump_ahead_and_back_again_leaves_the_hold_as_it_was() -> None:
    night = Night()
    night.jumps(3600)
    assert not night.over
    night.jumps(-3600)
    night.passes(HOLD_S)
    assert night.over


@pytest.mark.parametrize(("by_s", "longer_s"), [(600.0, 600.0), (-600.0, 0.0)])
def test_the_watch_window_after_a_rollback_counts_by_the_same_rule(by_s: float, longer_s: float) -> None:
    sim = Sim(depends_on={"writes": ()}, truth={"writes": 1000})
    sim.declare()
    closed = replace(sim.rollback, closed_at=NOW)
    flight = replace(sim.flight, rollback=None, closed=(closed,))
    event = Event(
        seq=flight.last_seq + 1,
        at=NOW,
        actor="cockpit",
        kind=Kind.CLOCK_JUMPED,
        body={"by_s": by_s, "rollback": None},
    )
    assert watch_until(apply(flight, event), 1800) == NOW + timedelta(seconds=1800 + longer_s)
    assert watch_until(Flight(), 1800) is None


def depending(
    spec: FlagSpec = BAKED, *, at: float = 100, minutes: float = 4, chat_at: float = 25
) -> Situation:
    """Login stands at `at` since so many minutes; chat wants its next stage."""
    login = replace(facts(spec, at), stage_since=NOW - timedelta(minutes=minutes))
    return replace(situation(), flags=(facts(CHAT, chat_at), login))


def needs_login(now: Situation) -> tuple[str, object] | None:
    gate = unmet(gates(now, "chat")).get("needs login")
    return (gate.text, gate.met_at) if gate is not None else None


def test_a_flag_waits_for_the_hold_of_the_last_stage_that_it_builds_on() -> None:
    waits = depending(minutes=4)
    assert needs_login(waits) == (
        "login is at 100%, hold: 6 min left of 10 min",
        NOW + timedelta(minutes=6),
    )
    assert needs_login(depending(minutes=10)) is None
    assert needs_login(depending(LOGIN, minutes=0)) is None, "no hold is asked for"


def test_a_stage_that_needs_less_than_all_of_it_does_not_wait() -> None:
    """Chat at 5 % wants 25 %: login was there on its way, and what it holds now is more than that."""
    assert needs_login(depending(minutes=1, chat_at=5)) is None


def test_a_switch_without_stages_between_is_waited_for_from_its_first_moment() -> None:
    switch = replace(LOGIN, stages=(Stage(percent=pct(25), hold_s=HOLD_S),))
    assert needs_login(depending(switch, at=25, minutes=1, chat_at=25)) is not None
    assert needs_login(depending(switch, at=25, minutes=1, chat_at=5)) is not None


def test_a_last_stage_of_unknown_age_is_waited_for() -> None:
    now = depending()
    chat, login = now.flags
    blind = replace(now, flags=(chat, replace(login, stage_since=None)))
    assert needs_login(blind) == ("login is at 100%, not known since when, hold of 10 min asked", None)


@pytest.mark.parametrize("ahead_s", [0.0, 3600.0])
def test_a_clock_set_ahead_does_not_open_the_gate_of_what_depends(ahead_s: float) -> None:
    now = depending(minutes=11)
    chat, login = now.flags
    jumped = replace(now, flags=(chat, replace(login, wall_ahead_s=ahead_s)))
    assert (needs_login(jumped) is None) == (not ahead_s)


def test_the_hold_of_the_flag_itself_counts_the_jump_too() -> None:
    now = situation()
    chat, login = now.flags
    young = replace(chat, stage_since=NOW - timedelta(minutes=11), wall_ahead_s=300.0)
    gate = unmet(gates(replace(now, flags=(young, login)), "chat"))["hold time"]
    assert gate.text == "4 min left of 10 min at 5%; the clock was set 5 min ahead, that does not count"
    assert gate.met_at == NOW + timedelta(minutes=4)
    assert Percent.parse(5) == chat.asked
