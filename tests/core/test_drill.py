from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from cockpit.core.drill import Debrief, Expected, Measure, Scenario, ScheduledFault, debrief
from cockpit.core.events import MACHINE, Event, Kind

FAULT_AT = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)
SCENARIO = Scenario(
    name="error-burst",
    title="Errors",
    story="Errors.",
    faults=(ScheduledFault(at_s=45, name="error_burst"), ScheduledFault(at_s=30, name="slow")),
    good_play=("Declare.",),
)
CALM = Scenario(
    name="dark",
    title="Dark",
    story="Dark.",
    faults=(ScheduledFault(at_s=10, name="metrics_down"),),
    good_play=("Stay.",),
    expected=Expected.STAY,
)
STEPS = [
    ("declare", 30, False),
    ("flip", 180, True),
    ("drain", 420, True),
    ("verify", 600, True),
    ("reconcile", 780, False),
    ("close", 900, False),
]


class Journal:
    """Writes events at seconds after the fault."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, at_s: float, kind: Kind, body: Mapping[str, object], actor: str = MACHINE) -> None:
        at = FAULT_AT + timedelta(seconds=at_s)
        self.events.append(Event(seq=len(self.events) + 1, at=at, actor=actor, kind=kind, body=body))

    def declare(self, at_s: float, flags: Sequence[str] = ("writes", "reads"), rollback: str = "r1") -> None:
        at = FAULT_AT + timedelta(seconds=at_s)
        rows = [{"flag": flag, "layer": 0, "before": 2500} for flag in flags]
        steps = [
            {"id": key, "key": key, "title": key.title(), "budget_s": budget, "text": "", "machine": machine}
            for key, budget, machine in STEPS
        ]
        body = {
            "rollback": rollback,
            "flags": rows,
            "whole": True,
            "deadline_at": (at + timedelta(seconds=900)).isoformat(),
            "escalate_at": (at + timedelta(seconds=720)).isoformat(),
            "first_breach_at": None,
            "reason": "",
            "steps": steps,
        }
        self.add(at_s, Kind.ROLLBACK_DECLARED, body, actor="ann")

    def kill(self, at_s: float, flag: str, rollback: str = "r1") -> None:
        write = f"w{len(self.events)}"
        intent = {"write_id": write, "flag": flag, "action": "kill", "percent": 0, "rollback": rollback}
        outcome = intent | {"outcome": "done", "detail": "", "took_s": 0.1}
        self.add(at_s, Kind.WRITE_INTENT, intent)
        self.add(at_s + 0.1, Kind.WRITE_OUTCOME, outcome)

    def seen(self, at_s: float, flag: str, exposure: int = 0, rollback: str = "r1") -> None:
        self.add(at_s, Kind.FLAG_SEEN, {"flag": flag, "exposure": exposure, "rollback": rollback})

    def drained(self, at_s: float, flag: str, rollback: str = "r1") -> None:
        self.add(
            at_s, Kind.ROLLBACK_DRAINED, {"rollback": rollback, "flag": flag, "share_pct": 0.0, "note": ""}
        )

    def done(self, at_s: float, step: str, rollback: str = "r1") -> None:
        self.add(at_s, Kind.STEP_DONE, {"rollback": rollback, "step": step, "evidence": "seen"})

    def close(self, at_s: float, rollback: str = "r1") -> None:
        self.add(at_s, Kind.ROLLBACK_CLOSED, {"rollback": rollback, "note": "", "overrun_s": 0}, actor="ann")


def a_good_rollback() -> Journal:
    """Declared 40 s after the fault, flags at zero at 43, drained at 60, verified at 70, closed at 300."""
    journal = Journal()
    journal.add(28, Kind.PROPOSAL_RAISED, {"signal": "errors", "text": "t", "value": "v", "limit": "l"})
    journal.declare(40)
    journal.done(40, "declare")
    for flag, at_s in (("writes", 41.0), ("reads", 42.0)):
        journal.kill(at_s, flag)
        journal.seen(at_s + 1, flag)
    journal.done(43, "flip")
    journal.drained(55, "writes")
    journal.drained(60, "reads")
    journal.done(60, "drain")
    journal.done(70, "verify")
    journal.done(200, "reconcile")
    journal.close(300)
    return journal


def told(journal: Journal, scenario: Scenario = SCENARIO) -> Debrief:
    return debrief(journal.events, scenario, FAULT_AT)


def seconds(judged: Debrief) -> dict[str, float | None]:
    return {measure.name: measure.seconds for measure in judged.measures}


def test_a_scenario_begins_with_its_first_fault() -> None:
    assert SCENARIO.fault_at_s == 30


def test_a_good_rollback_is_timed_step_by_step() -> None:
    judged = told(a_good_rollback())
    assert judged.passed
    assert judged.rollback == "r1"
    assert seconds(judged) == {
        "fault to declare": 40,
        "proposal to declare": 12,
        "declare to first write": 1,
        "declare to all flags at zero": 3,
        "declare to drained": 20,
        "declare to legacy verified": 30,
        "declare to closed": 260,
    }
    budgets = {measure.name: measure.budget_s for measure in judged.measures}
    assert budgets["declare to all flags at zero"] == 180
    assert budgets["declare to closed"] == 900
    assert (judged.late, judged.missed, judged.overrun_s) == ((), (), 0.0)
    assert judged.sentences == (
        "ann declared 40.0 s after the fault began, 12.0 s after the cockpit proposed it.",
        "All 2 flags were read back at 0% 3.0 s after declare.",
        "Users were proven safe on legacy 1:10 min after the fault began.",
        "Closed with 10:40 min of the budget left.",
    )


def test_nobody_did_anything() -> None:
    journal = Journal()
    journal.add(75, Kind.NOTE_ADDED, {"text": "hm"})
    judged = told(journal)
    assert not judged.passed
    assert (judged.rollback, judged.measures, judged.steps, judged.overrun_s) == (None, (), (), None)
    assert judged.sentences == ("Nobody declared a rollback in the 1:15 min recorded after the fault began.",)
    assert "in the 0.00 s recorded" in told(Journal()).sentences[0]


def test_a_veto_is_named() -> None:
    journal = Journal()
    journal.add(-5, Kind.PROPOSAL_VETOED, {"signal": "errors", "reason": "before it all"}, actor="cy")
    journal.add(30, Kind.PROPOSAL_RAISED, {"signal": "errors"})
    journal.add(35, Kind.PROPOSAL_VETOED, {"signal": "errors", "reason": "known noise"}, actor="bo")
    judged = told(journal)
    assert judged.sentences[1:] == (
        "bo vetoed the proposed rollback 35.0 s after the fault began: known noise.",
    )


def test_late_and_missed_and_overridden_steps_are_told_apart() -> None:
    journal = Journal()
    journal.declare(10, flags=("reads",))
    journal.done(50, "declare")
    journal.kill(11, "reads")
    journal.seen(12, "reads")
    journal.done(12, "flip")
    journal.drained(700, "reads")
    journal.done(700, "drain")
    journal.add(
        701, Kind.STEP_OVERRIDDEN, {"rollback": "r1", "step": "verify", "reason": "seen by hand"}, actor="ann"
    )
    judged = told(journal)
    assert not judged.passed
    assert [step.id for step in judged.late] == ["declare", "drain", "verify"]
    assert [step.id for step in judged.missed] == ["reconcile", "close"]
    assert [step.overridden for step in judged.steps] == [False, False, False, True, False, False]
    assert judged.overrun_s is None
    assert judged.sentences == (
        "ann declared 10.0 s after the fault began.",
        "The flag was read back at 0% 2.0 s after declare.",
        "Late: Declare, 10.0 s over its 0:30.",
        "Late: Drain, 4:30 min over its 7:00.",
        "Late: Verify, 1:31 min over its 10:00.",
        "Overridden, so not proven: Verify.",
        "Never settled: Reconcile, Close.",
        "It was never proven that users were safe on legacy: legacy not verified.",
        "The rollback was not closed.",
    )
    drained = next(measure for measure in judged.measures if measure.name == "declare to drained")
    assert drained.late
    assert seconds(judged)["declare to legacy verified"] is None


def test_going_on_although_legacy_was_sick_can_still_pass() -> None:
    journal = a_good_rollback()
    place = next(n for n, event in enumerate(journal.events) if event.body.get("step") == "reconcile")
    event = journal.events[place]
    body = {"rollback": "r1", "step": "reconcile", "reason": "by hand"}
    journal.events[place] = Event(
        seq=event.seq, at=event.at, actor="ann", kind=Kind.STEP_OVERRIDDEN, body=body
    )
    judged = told(journal)
    assert judged.passed
    assert "Overridden, so not proven: Reconcile." in judged.sentences


def test_a_plan_is_held_to_the_steps_it_has() -> None:
    journal = a_good_rollback()
    dropped = ("drain", "verify")
    declared = next(event for event in journal.events if event.kind is Kind.ROLLBACK_DECLARED)
    steps = [
        {"id": key, "key": key, "title": key.title(), "budget_s": budget, "text": "", "machine": machine}
        for key, budget, machine in STEPS
        if key not in dropped
    ]
    lean = Journal()
    for event in journal.events:
        body = {**event.body, "steps": steps} if event is declared else event.body
        if body.get("step") not in dropped:
            lean.add((event.at - FAULT_AT).total_seconds(), event.kind, body, event.actor)
    judged = told(lean)
    assert judged.passed
    assert "Users were proven safe on legacy 43.0 s after the fault began." in judged.sentences


def test_overrun_is_never_hidden() -> None:
    journal = a_good_rollback()
    journal.events.pop()
    journal.close(40 + 900 + 65)
    judged = told(journal)
    assert judged.overrun_s == 65
    assert not judged.passed
    assert judged.sentences[-1] == "Closed 1:05 min over the budget."


def test_a_flag_that_somebody_raised_again_counts_from_its_second_zero() -> None:
    journal = Journal()
    journal.declare(0, flags=("reads",))
    journal.kill(1, "reads")
    journal.seen(2, "reads")
    journal.seen(5, "reads", exposure=2500)
    journal.kill(6, "reads")
    journal.seen(8, "reads")
    judged = told(journal)
    assert seconds(judged)["declare to all flags at zero"] == 8
    assert "Somebody else raised reads while it was being rolled back." in judged.sentences


def test_flags_that_never_got_there_are_named() -> None:
    journal = Journal()
    journal.declare(0)
    journal.kill(1, "reads")
    journal.seen(2, "reads")
    judged = told(journal)
    assert seconds(judged)["declare to all flags at zero"] is None
    assert "Never read back at 0%: writes." in judged.sentences
    assert (
        "It was never proven that users were safe on legacy: a flag not at 0%, traffic not seen to drain, "
        "legacy not verified." in judged.sentences
    )


def test_declared_and_nothing_written() -> None:
    journal = Journal()
    journal.declare(5)
    assert "No flag write ever left." in told(journal).sentences


def test_a_cancelled_rollback_moved_nothing() -> None:
    journal = Journal()
    journal.declare(5)
    journal.add(6, Kind.ROLLBACK_CANCELLED, {"rollback": "r1", "reason": "slip"}, actor="ann")
    judged = told(journal)
    assert not judged.passed
    assert judged.sentences[-1] == "The rollback was cancelled before its first write: no flag was moved."


def test_the_rollback_that_answers_the_fault_counts() -> None:
    journal = Journal()
    journal.declare(-100, rollback="r0")
    journal.kill(-99, "reads", rollback="r0")
    for event in a_good_rollback().events:
        journal.add((event.at - FAULT_AT).total_seconds(), event.kind, event.body, event.actor)
    judged = told(journal)
    assert judged.rollback == "r1"
    assert judged.passed


def test_a_rollback_before_the_fault_answers_nothing() -> None:
    journal = Journal()
    journal.declare(-20)
    judged = told(journal)
    assert not judged.passed
    assert judged.sentences[0] == (
        "The rollback was declared 20.0 s before anything went wrong, so it answers nothing in this scenario."
    )


def test_keeping_still_can_be_right() -> None:
    quiet = told(Journal(), CALM)
    assert quiet.passed
    assert quiet.sentences == (
        "No rollback was declared, and none was called for: nothing was shown to be broken.",
    )
    rash = told(a_good_rollback(), CALM)
    assert not rash.passed
    assert rash.sentences[0].endswith(
        "Nothing was shown to be broken: this one cost a cutover that was going well."
    )


def test_a_proposal_that_went_away_is_not_counted() -> None:
    journal = Journal()
    journal.add(5, Kind.PROPOSAL_RAISED, {"signal": "errors"})
    journal.add(9, Kind.PROPOSAL_CLEARED, {"signal": "errors"})
    journal.declare(20)
    assert seconds(told(journal))["proposal to declare"] is None


def test_events_that_make_no_sense_are_passed_over() -> None:
    journal = a_good_rollback()
    journal.add(301, Kind.FLAG_SEEN, {"flag": "reads", "exposure": 100, "rollback": "r1"})
    journal.add(302, Kind.ROLLBACK_DECLARED, {"rollback": "r2"})
    journal.add(303, Kind.FLAG_SEEN, {"flag": "reads", "exposure": "lots", "rollback": "r1"})
    assert told(journal) == told(a_good_rollback())


@pytest.mark.parametrize(
    ("measure", "late"),
    [
        (Measure(name="x", seconds=None, budget_s=1), False),
        (Measure(name="x", seconds=2), False),
        (Measure(name="x", seconds=1, budget_s=1), False),
        (Measure(name="x", seconds=2, budget_s=1), True),
    ],
)
def test_late_needs_a_time_and_a_budget(measure: Measure, late: bool) -> None:
    assert measure.late is late
