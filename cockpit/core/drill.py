"""Drills as values: what will go wrong and when, and how the player did, computed from the journal.

A scenario's faults are data; the practice world knows what to do with their names. `debrief` reads the
same events as the rest of the cockpit and adds nothing to them: what the journal does not prove is
said to be missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.events import Event, Kind
from cockpit.core.phrases import span
from cockpit.core.recorded import Recorded
from cockpit.core.rollback import FlipState, IllegalEvent, Rollback, Step, StepState
from cockpit.core.rollback_fold import apply, concerns, declared
from cockpit.core.spec import StepKey

FaultParam = str | float | bool


class Expected(StrEnum):
    """What the situation asks for: bring users back, or keep still because nothing is shown to be broken."""

    ROLL_BACK = "roll back"
    STAY = "stay"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledFault:
    """A fault of the practice world, `at_s` seconds into the drill; `for_s` None lasts to its end."""

    at_s: float
    name: str
    params: Mapping[str, FaultParam] = field(default_factory=dict)
    for_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One drill. The player sees name and nothing else before the debrief.

    start_pct: where every flag stands when the drill begins. story: what happened, told afterwards.
    good_play: what a good player does, in order.
    """

    name: str
    title: str
    story: str
    faults: tuple[ScheduledFault, ...]
    good_play: tuple[str, ...]
    expected: Expected = Expected.ROLL_BACK
    start_pct: float = 25.0

    @property
    def fault_at_s(self) -> float:
        """When the first thing goes wrong, in seconds from the start of the drill."""
        return min(fault.at_s for fault in self.faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One length of time. `seconds` is None when it never came to that, budget None where there is none."""

    name: str
    seconds: float | None
    budget_s: float | None = None

    @property
    def late(self) -> bool:
        return self.seconds is not None and self.budget_s is not None and self.seconds > self.budget_s


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """took_s is counted from declare, as the budget is; None: never settled."""

    id: str
    title: str
    budget_s: float
    took_s: float | None
    overridden: bool

    @property
    def late(self) -> bool:
        return self.took_s is not None and self.took_s > self.budget_s

    @property
    def missed(self) -> bool:
        return self.took_s is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Debrief:
    """How it went. overrun_s is 0 within the budget and None when the rollback was never closed.

    passed: what the scenario asked for was done in time, and users were proven safe. A step that was
    overridden proves nothing, but is held against nobody where the rest was proven.
    """

    scenario: Scenario
    fault_at: datetime
    rollback: str | None
    passed: bool
    measures: tuple[Measure, ...]
    steps: tuple[StepResult, ...]
    overrun_s: float | None
    sentences: tuple[str, ...]

    @property
    def late(self) -> tuple[StepResult, ...]:
        return tuple(step for step in self.steps if step.late)

    @property
    def missed(self) -> tuple[StepResult, ...]:
        return tuple(step for step in self.steps if step.missed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One rollback out of the journal, with the two instants that its value does not hold."""

    rollback: Rollback
    first_write_at: datetime | None = None
    proposed_at: datetime | None = None

    def since_declare(self, at: datetime | None) -> float | None:
        return None if at is None else (at - self.rollback.declared_at).total_seconds()

    def step(self, key: StepKey) -> Step | None:
        return next((step for step in self.rollback.steps if step.key is key), None)

    def budget_s(self, key: StepKey) -> float | None:
        step = self.step(key)
        return None if step is None else step.budget_s

    @property
    def all_zero_at(self) -> datetime | None:
        return _last([flip.at_zero_at for flip in self.rollback.flips])

    @property
    def all_drained_at(self) -> datetime | None:
        return _last([flip.drained_at for flip in self.rollback.flips])

    @property
    def verified_at(self) -> datetime | None:
        step = self.step(StepKey.VERIFY)
        return step.done_at if step is not None and step.state is StepState.DONE else None

    @property
    def proofs(self) -> tuple[tuple[datetime | None, str], ...]:
        """What the plan asks to be proven before users count as safe: when it was, and its lack in words."""
        proofs = [(self.all_zero_at, "a flag not at 0%")]
        if self.step(StepKey.DRAIN) is not None:
            proofs.append((self.all_drained_at, "traffic not seen to drain"))
        if self.step(StepKey.VERIFY) is not None:
            proofs.append((self.verified_at, "legacy not verified"))
        return tuple(proofs)

    @property
    def safe_at(self) -> datetime | None:
        """When users were proven to be safe; None while one proof is missing."""
        return _last([at for at, _ in self.proofs])


def debrief(events: Sequence[Event], scenario: Scenario, fault_at: datetime) -> Debrief:
    """Judge a drill by its journal. `fault_at` is when the first fault really began.

    The rollback that counts is the first one declared after the fault; without one, the last before it.
    """
    runs = list(_runs(events))
    answering = [run for run in runs if run.rollback.declared_at >= fault_at]
    run = answering[0] if answering else runs[-1] if runs else None
    steps = () if run is None else tuple(_step_result(run, step) for step in run.rollback.steps)
    overrun_s = None if run is None else _overrun_s(run.rollback)
    passed = _passed(scenario, run, bool(answering), steps, overrun_s)
    return Debrief(
        scenario=scenario,
        fault_at=fault_at,
        rollback=None if run is None else run.rollback.id,
        passed=passed,
        measures=() if run is None else _measures(run, fault_at),
        steps=steps,
        overrun_s=overrun_s,
        sentences=tuple(_sentences(events, scenario, fault_at, run, bool(answering), steps, overrun_s)),
    )


def _runs(events: Sequence[Event]) -> Iterator[_Run]:
    proposed_at: datetime | None = None
    for place, event in enumerate(events):
        if event.kind is Kind.PROPOSAL_RAISED:
            proposed_at = proposed_at or event.at
        elif event.kind in (Kind.PROPOSAL_CLEARED, Kind.PROPOSAL_VETOED):
            proposed_at = None
        elif event.kind is Kind.ROLLBACK_DECLARED:
            run = _followed(event, events[place + 1 :], proposed_at)
            if run is not None:
                yield run


def _followed(first: Event, later: Sequence[Event], proposed_at: datetime | None) -> _Run | None:
    """The rollback as its events leave it; None where its first event cannot be read."""
    try:
        rollback = declared(first)
    except ValueError:
        return None
    first_write_at: datetime | None = None
    for event in later:
        if not concerns(rollback, event):
            continue
        if event.kind is Kind.WRITE_INTENT:
            first_write_at = first_write_at or event.at
        try:
            rollback = apply(rollback, event)
        except (IllegalEvent, ValueError):
            continue
    return _Run(rollback=rollback, first_write_at=first_write_at, proposed_at=proposed_at)


def _measures(run: _Run, fault_at: datetime) -> tuple[Measure, ...]:
    rollback = run.rollback
    since_fault = (rollback.declared_at - fault_at).total_seconds()
    proposal = None if run.proposed_at is None else (rollback.declared_at - run.proposed_at).total_seconds()
    return (
        Measure(name="fault to declare", seconds=since_fault),
        Measure(name="proposal to declare", seconds=proposal),
        Measure(name="declare to first write", seconds=run.since_declare(run.first_write_at)),
        Measure(
            name="declare to all flags at zero",
            seconds=run.since_declare(run.all_zero_at),
            budget_s=run.budget_s(StepKey.FLIP),
        ),
        Measure(
            name="declare to drained",
            seconds=run.since_declare(run.all_drained_at),
            budget_s=run.budget_s(StepKey.DRAIN),
        ),
        Measure(
            name="declare to legacy verified",
            seconds=run.since_declare(run.verified_at),
            budget_s=run.budget_s(StepKey.VERIFY),
        ),
        Measure(
            name="declare to closed",
            seconds=run.since_declare(rollback.closed_at),
            budget_s=(rollback.deadline_at - rollback.declared_at).total_seconds(),
        ),
    )


def _step_result(run: _Run, step: Step) -> StepResult:
    return StepResult(
        id=step.id,
        title=step.title,
        budget_s=step.budget_s,
        took_s=run.since_declare(step.done_at) if step.settled else None,
        overridden=step.state is StepState.OVERRIDDEN,
    )


def _overrun_s(rollback: Rollback) -> float | None:
    if rollback.closed_at is None:
        return None
    return max(0.0, -rollback.left(rollback.closed_at).total_seconds())


def _passed(
    scenario: Scenario,
    run: _Run | None,
    answered: bool,
    steps: Sequence[StepResult],
    overrun_s: float | None,
) -> bool:
    if scenario.expected is Expected.STAY:
        return run is None
    if run is None or not answered:
        return False
    return run.safe_at is not None and not any(step.missed for step in steps) and overrun_s == 0.0


def _sentences(
    events: Sequence[Event],
    scenario: Scenario,
    fault_at: datetime,
    run: _Run | None,
    answered: bool,
    steps: Sequence[StepResult],
    overrun_s: float | None,
) -> Iterator[str]:
    if run is None:
        yield _without_rollback(events, scenario, fault_at)
        yield from _vetoes(events, fault_at)
        return
    yield _about_declare(scenario, run, fault_at, answered)
    yield from _vetoes(events, fault_at)
    if run.rollback.cancelled_at is not None:
        yield "The rollback was cancelled before its first write: no flag was moved."
        return
    yield from _about_flags(run)
    yield from _about_steps(steps)
    yield _about_safety(run, fault_at)
    yield _about_end(run, overrun_s)


def _without_rollback(events: Sequence[Event], scenario: Scenario, fault_at: datetime) -> str:
    if scenario.expected is Expected.STAY:
        return "No rollback was declared, and none was called for: nothing was shown to be broken."
    recorded_s = max(0.0, (events[-1].at - fault_at).total_seconds()) if events else 0.0
    return f"Nobody declared a rollback in the {_took(recorded_s)} recorded after the fault began."


def _vetoes(events: Sequence[Event], fault_at: datetime) -> Iterator[str]:
    for event in events:
        if event.kind is Kind.PROPOSAL_VETOED and event.at >= fault_at:
            said = Recorded(event.body)
            who, why = clean_text(event.actor), said.text("reason")
            yield f"{who} vetoed the proposed rollback {_after(fault_at, event.at)}: {why}."


def _about_declare(scenario: Scenario, run: _Run, fault_at: datetime, answered: bool) -> str:
    rollback = run.rollback
    if not answered:
        early_s = (fault_at - rollback.declared_at).total_seconds()
        return (
            f"The rollback was declared {_took(early_s)} before anything went wrong, "
            "so it answers nothing in this scenario."
        )
    text = f"{clean_text(rollback.declared_by)} declared {_after(fault_at, rollback.declared_at)}"
    if run.proposed_at is not None:
        waited_s = (rollback.declared_at - run.proposed_at).total_seconds()
        text += f", {_took(waited_s)} after the cockpit proposed it"
    if scenario.expected is Expected.STAY:
        return f"{text}. Nothing was shown to be broken: this one cost a cutover that was going well."
    return f"{text}."


def _about_flags(run: _Run) -> Iterator[str]:
    flips, zero_s = run.rollback.flips, run.since_declare(run.all_zero_at)
    if run.first_write_at is None:
        yield "No flag write ever left."
    elif zero_s is not None:
        count = "The flag was" if len(flips) == 1 else f"All {len(flips)} flags were"
        yield f"{count} read back at 0% {_took(zero_s)} after declare."
    else:
        left = [flip.flag for flip in flips if flip.state is not FlipState.AT_ZERO]
        yield f"Never read back at 0%: {', '.join(clean_text(flag) for flag in left)}."
    for flip in flips:
        if flip.fought:
            yield f"Somebody else raised {clean_text(flip.flag)} while it was being rolled back."


def _about_steps(steps: Sequence[StepResult]) -> Iterator[str]:
    for step in steps:
        title = clean_text(step.title)
        if step.late and step.took_s is not None:
            yield f"Late: {title}, {_took(step.took_s - step.budget_s)} over its {span(step.budget_s)}."
        if step.overridden:
            yield f"Overridden, so not proven: {title}."
    missed = [clean_text(step.title) for step in steps if step.missed]
    if missed:
        yield f"Never settled: {', '.join(missed)}."


def _about_safety(run: _Run, fault_at: datetime) -> str:
    if run.safe_at is not None:
        return f"Users were proven safe on legacy {_after(fault_at, run.safe_at)}."
    gaps = [words for at, words in run.proofs if at is None]
    return f"It was never proven that users were safe on legacy: {', '.join(gaps)}."


def _about_end(run: _Run, overrun_s: float | None) -> str:
    if overrun_s is None:
        return "The rollback was not closed."
    if overrun_s > 0:
        return f"Closed {_took(overrun_s)} over the budget."
    left_s = run.rollback.left(run.rollback.deadline_at).total_seconds()
    return f"Closed with {_took(left_s)} of the budget left."


def _last(moments: Sequence[datetime | None]) -> datetime | None:
    """The latest; None as soon as one is missing, or there are none."""
    known = [moment for moment in moments if moment is not None]
    return max(known) if known and len(known) == len(moments) else None


def _after(fault_at: datetime, at: datetime) -> str:
    return f"{_took((at - fault_at).total_seconds())} after the fault began"


def _took(seconds: float) -> str:
    if abs(seconds) >= 60:
        return f"{span(seconds)} min"
    return f"{seconds:.2f} s" if abs(seconds) < 1 else f"{seconds:.1f} s"
