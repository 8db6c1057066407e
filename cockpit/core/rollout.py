"""Stages and gates: where a flag stands in its rollout, and what is still missing for the next stage.

Gates are for forward moves only; a rollback never comes here. A gate is met by evidence that is there
and fresh. Whatever is not known is not met, and says so in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Final

from cockpit.core.approvals import GATE, AdvanceRequest
from cockpit.core.checklist import ItemStatus
from cockpit.core.checklist_gate import checklist_gate
from cockpit.core.clean import ZERO, Percent
from cockpit.core.dataclass import dataclass
from cockpit.core.figures import length
from cockpit.core.holds import hold_left, hold_until, reached_stage, set_ahead_words
from cockpit.core.model import FlagValue, ForeignChange, Freshness, Health, Reading, Side, Verdict
from cockpit.core.parity_gate import parity_gate
from cockpit.core.snapshot import (
    Agreement,
    GateResult,
    ParityStatus,
    ProbeStatus,
    Share,
    SignalStatus,
    WayBackLine,
)
from cockpit.core.spec import FlagSpec, Plan, ProbeSpec, SignalSpec, Stage
from cockpit.core.way_back import way_back_gate


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagFacts:
    """One flag as it is known now. overrides: (signal, stage percent, who) given for its present stage.

    wall_ahead_s: by how much the wall clock has jumped since `stage_since`.
    """

    spec: FlagSpec
    asked: Percent | None
    configured: Reading[FlagValue]
    observed: Reading[Share]
    agreement: Agreement
    differs_since: datetime | None = None
    stage_since: datetime | None = None
    wall_ahead_s: float = 0.0
    held_by: str | None = None
    held_reason: str = ""
    foreign: ForeignChange | None = None
    overrides: tuple[tuple[str, Percent, str], ...] = ()
    writing: bool = False
    writable: bool = False
    drives: bool = True

    def hold_until(self, percent: Percent | None) -> datetime | None:
        """When its hold at this percentage ends; None where none is asked or its begin is unknown."""
        if percent is None:
            return None
        return hold_until(self.spec, percent, self.stage_since, self.wall_ahead_s)

    def hold_left(self, percent: Percent, now: datetime) -> tuple[str, datetime | None]:
        """What is left of it in words, and until when; empty when it is over."""
        return hold_left(self.spec, percent, self.stage_since, self.wall_ahead_s, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything the gates look at. The plan says what must be there; what is missing here is unknown.

    watch_until: end of the watch window after the last rollback.
    """

    now: datetime
    plan: Plan
    flags: tuple[FlagFacts, ...]
    probes: tuple[ProbeStatus, ...]
    signals: tuple[SignalStatus, ...]
    parity: tuple[ParityStatus, ...]
    checklist: tuple[ItemStatus, ...]
    way_back: tuple[WayBackLine, ...]
    journal_ok: bool
    rollback_open: bool
    watch_until: datetime | None = None
    request: AdvanceRequest | None = None
    shared: tuple[GateResult, ...] = field(init=False, repr=False, compare=False)
    """The gates that look at no flag: of the probes and the way back. Once, however many flags there are."""
    exposed: bool = field(init=False, repr=False, compare=False)
    """Some flag sends (or may send) traffic to the new side, so that there is something to judge."""
    by_key: Mapping[str, FlagFacts] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exposed = any(_exposure(each, self.now) != ZERO for each in self.flags)
        probes = (_probes_gate(self, side) for side in Side)
        object.__setattr__(self, "by_key", {flag.spec.key: flag for flag in self.flags})
        object.__setattr__(self, "exposed", exposed)
        object.__setattr__(self, "shared", (*probes, way_back_gate(self.way_back)))

    def flag(self, key: str) -> FlagFacts | None:
        return self.by_key.get(key)


def stage_index(spec: FlagSpec, percent: Percent) -> int | None:
    """The stage with exactly this percentage; -1 for 0 % that is no stage, None where it is none."""
    for index, stage in enumerate(spec.stages):
        if stage.percent == percent:
            return index
    return -1 if percent == ZERO else None


def next_stage(spec: FlagSpec, percent: Percent) -> Stage | None:
    """The first stage above this percentage, None at the end."""
    return min(
        (stage for stage in spec.stages if stage.percent > percent),
        key=lambda stage: stage.percent,
        default=None,
    )


def gates(situation: Situation, key: str) -> tuple[GateResult, ...]:
    """Every condition for moving one flag to its next stage, the most telling first.

    Raises KeyError with the key when the situation has no such flag.
    """
    flag = situation.flag(key)
    if flag is None:
        raise KeyError(key)
    exposure = _exposure(flag, situation.now)
    results = [_stage_gate(flag, exposure)]
    results.extend(gate(situation, flag) for gate in _PLAIN_GATES)
    results.append(_hold_gate(situation, flag, exposure))
    results.extend(_dependency_gate(situation, flag, exposure, key) for key in flag.spec.depends_on)
    results.extend(situation.shared)
    results.extend(_signal_gates(situation, flag, exposure))
    stage = next_stage(flag.spec, exposure) if exposure is not None else None
    if stage is not None:
        results.extend(checklist_gate(situation.checklist, key, stage.percent))
    if situation.plan.approvals > 1:
        results.append(_approvals_gate(situation, flag, exposure))
    results.extend(parity_gate(status, situation.now) for status in situation.parity if status.required)
    return tuple(results)


def _approvals_gate(situation: Situation, flag: FlagFacts, exposure: Percent | None) -> GateResult:
    """The people; a request for another flag or stage says nothing about this one."""
    needed, request = situation.plan.approvals, situation.request
    stage = next_stage(flag.spec, exposure) if exposure is not None else None
    if request is None or stage is None or (request.flag, request.percent) != (flag.spec.key, stage.percent):
        return _unmet(GATE, f"{needed} people needed: advancing asks the others first")
    names = ", ".join(given.name for given in request.given)
    if not request.complete or situation.now >= request.lapses_at:
        return _unmet(GATE, f"{request.tally} people: {names}; lapses {request.lapses_at:%H:%M:%S} UTC")
    return _met(GATE, f"{request.tally} people: {names}")


def _met(name: str, text: str) -> GateResult:
    return GateResult(name=name, met=True, text=text)


def _unmet(name: str, text: str, met_at: datetime | None = None) -> GateResult:
    return GateResult(name=name, met=False, text=text, met_at=met_at)


def _exposure(flag: FlagFacts, now: datetime) -> Percent | None:
    value = flag.configured.fresh_value(now)
    return value.exposure if value is not None else None


def _stage_gate(flag: FlagFacts, exposure: Percent | None) -> GateResult:
    name = "next stage"
    if exposure is None:
        return _unmet(name, f"{flag.spec.key}: present percentage not known")
    stage = next_stage(flag.spec, exposure)
    if stage is None:
        return _unmet(name, f"no stage above {exposure}")
    return _met(name, f"{exposure} → {stage.percent}" + (f" ({stage.cohort})" if stage.cohort else ""))


def _rollback_gate(situation: Situation, flag: FlagFacts) -> GateResult:
    name, until = "no rollback", situation.watch_until
    if situation.rollback_open:
        return _unmet(name, "a rollback is open")
    if until is not None and situation.now < until:
        left = length((until - situation.now).total_seconds())
        return _unmet(name, f"watch window after the rollback: {left} left", until)
    return _met(name, "no rollback open, no watch window")


def _journal_gate(situation: Situation, flag: FlagFacts) -> GateResult:
    if not situation.journal_ok:
        return _unmet("journal", "the journal cannot be written")
    return _met("journal", "journal writable")


def _writer_gate(situation: Situation, flag: FlagFacts) -> GateResult:
    if not flag.writable:
        right = f"has no right to write {flag.spec.key}: D takes the seat in one that has it"
        return _unmet("writer", f"this cockpit {right if flag.drives else 'does not drive'}")
    if flag.writing:
        return _unmet("writer", f"a write to {flag.spec.key} is not settled yet")
    return _met("writer", f"{flag.spec.key} can be written")


def _held_gate(situation: Situation, flag: FlagFacts) -> GateResult:
    if flag.held_by is None:
        return _met("not held", "not held")
    reason = f": {flag.held_reason}" if flag.held_reason else ""
    return _unmet("not held", f"held by {flag.held_by}{reason}")


def _foreign_gate(situation: Situation, flag: FlagFacts) -> GateResult:
    change = flag.foreign
    if change is None:
        return _met("own changes", "no change by others")
    who = change.who or "somebody"
    return _unmet("own changes", f"{who} changed it from {change.before} to {change.after}: not acknowledged")


def _plain_gate(situation: Situation, flag: FlagFacts) -> GateResult:
    value = flag.configured.fresh_value(situation.now)
    if value is None:
        return _unmet("plain flag", _not_fresh("flag", flag.configured, situation.now))
    if value.complexities or value.exposure is None or value.percent is None:
        why = ", ".join(value.complexities) or "no plain percentage"
        return _unmet("plain flag", f"may be killed but not promoted: {why}")
    return _met("plain flag", "one plain percentage")


def _agreement_gate(situation: Situation, flag: FlagFacts) -> GateResult:
    name, since = "numbers agree", flag.differs_since
    if flag.configured.fresh_value(situation.now) is None:
        return _unmet(name, _not_fresh("flag", flag.configured, situation.now))
    numbers = _numbers(flag, situation.now)
    match flag.agreement:
        case Agreement.AGREE:
            return _met(name, numbers)
        case Agreement.PROPAGATING:
            met_at = since + timedelta(seconds=flag.spec.propagation_s) if since is not None else None
            return _unmet(name, f"still spreading: {numbers}", met_at)
        case Agreement.DIFFER:
            lasting = f" for {length((situation.now - since).total_seconds())}" if since is not None else ""
            return _unmet(name, f"differ{lasting}: {numbers}")
        case Agreement.UNKNOWN:
            return _unmet(name, f"not all known: {numbers}")


def _numbers(flag: FlagFacts, now: datetime) -> str:
    exposure = _exposure(flag, now)
    words = f"asked {flag.asked if flag.asked is not None else 'nothing'}"
    words += f", configured {exposure if exposure is not None else '?'}"
    if flag.spec.traffic is None:
        return f"{words}, traffic not observable"
    share = flag.observed.fresh_value(now)
    return f"{words}, observed {share.percent if share is not None else '?'}"


def _not_fresh(what: str, reading: Reading[FlagValue] | Reading[Share], now: datetime) -> str:
    age = reading.age_s(now)
    seen = f"last read {length(age)} ago" if age is not None else "never read"
    return f"{what} {seen}" + (f": {reading.failure.title}" if reading.failure is not None else "")


_PLAIN_GATES: Final[tuple[Callable[[Situation, FlagFacts], GateResult], ...]] = (
    _rollback_gate,
    _journal_gate,
    _writer_gate,
    _held_gate,
    _foreign_gate,
    _plain_gate,
    _agreement_gate,
)


def _hold_gate(situation: Situation, flag: FlagFacts, exposure: Percent | None) -> GateResult:
    name = "hold time"
    if exposure is None:
        return _unmet(name, "present stage not known")
    stage = reached_stage(flag.spec, exposure)
    if stage is None or not stage.hold_s:
        return _met(name, f"no hold at {exposure}")
    until = flag.hold_until(exposure)
    if until is None:
        return _unmet(name, f"not known since when it is at {exposure}, {length(stage.hold_s)} asked")
    if situation.now < until:
        left = length((until - situation.now).total_seconds())
        words = f"{left} left of {length(stage.hold_s)} at {exposure}{set_ahead_words(flag.wall_ahead_s)}"
        return _unmet(name, words, until)
    return _met(name, f"{length(stage.hold_s)} at {exposure} over")


def _dependency_gate(
    situation: Situation, flag: FlagFacts, exposure: Percent | None, needed_key: str
) -> GateResult:
    """What a flag depends on must be as far as the flag would be, or at its own end, and have held that."""
    name = f"needs {needed_key}"
    stage = next_stage(flag.spec, exposure) if exposure is not None else None
    other = situation.flag(needed_key)
    there = _exposure(other, situation.now) if other is not None else None
    if other is None or there is None or stage is None:
        return _unmet(name, f"percentage of {needed_key if there is None else flag.spec.key} not known")
    if other.asked is not None and other.asked < there:
        there = other.asked
    end = max((each.percent for each in other.spec.stages), default=stage.percent)
    needed = min(stage.percent, end)
    if there < needed:
        return _unmet(name, f"{needed_key} is at {there}, {needed} needed first")
    left, met_at = other.hold_left(there, situation.now) if needed == end else ("", None)
    if left:
        return _unmet(name, f"{needed_key} is at {there}, {left}", met_at)
    return _met(name, f"{needed_key} is at {there}")


def _probes_gate(situation: Situation, side: Side) -> GateResult:
    """All required probes of one backend: OK, fresh, and often enough in a row."""
    name = f"{side} probes"
    specs = [
        probe
        for backend in situation.plan.backends
        if backend.side is side
        for probe in backend.probes
        if probe.required
    ]
    if not specs:
        return _unmet(name, f"the plan requires no probe of {side}: nothing says that it is up")
    statuses = {(each.side, each.name): each for each in situation.probes}
    results = [_probe_gate(statuses.get((spec.side, spec.name)), spec, situation.now) for spec in specs]
    unmet = [result for result in results if not result.met]
    if not unmet:
        return _met(name, f"{len(specs)} of {len(specs)} OK")
    times = [result.met_at for result in unmet if result.met_at is not None]
    met_at = max(times) if len(times) == len(unmet) else None
    more = f" (and {len(unmet) - 1} more)" if len(unmet) > 1 else ""
    worst = next((result for result in unmet if result.met_at is None), unmet[0])
    return _unmet(name, worst.text + more, met_at)


def _probe_gate(status: ProbeStatus | None, spec: ProbeSpec, now: datetime) -> GateResult:
    value = status.reading.fresh_value(now) if status is not None else None
    if status is None or value is None:
        failure = status.reading.failure if status is not None else None
        return _unmet(
            spec.name, f"{spec.name} cannot be seen: {failure.title if failure else 'no fresh answer'}"
        )
    if value.health is not Health.OK:
        return _unmet(
            spec.name, f"{spec.name} is {value.health}" + (f": {value.detail}" if value.detail else "")
        )
    missing = spec.passes - status.passes
    if missing > 0:
        met_at = now + timedelta(seconds=missing * spec.interval_s)
        return _unmet(spec.name, f"{spec.name} passed {status.passes} of {spec.passes} in a row", met_at)
    return _met(spec.name, f"{spec.name} OK")


def _signal_gates(situation: Situation, flag: FlagFacts, exposure: Percent | None) -> list[GateResult]:
    """One gate per signal that the plan requires or lets propose a rollback."""
    stage = next_stage(flag.spec, exposure) if exposure is not None else None
    statuses = {status.name: status for status in situation.signals}
    results = []
    for spec in situation.plan.signals:
        if not spec.required and not spec.proposes_rollback:
            continue
        name, status = f"signal {spec.name}", statuses.get(spec.name)
        if status is None:
            results.append(_unmet(name, f"{spec.name} is not watched yet"))
        else:
            bad = _tripped(name, status)
            results.append(bad or _judged(situation, flag, spec, status, stage))
    return results


def _tripped(name: str, status: SignalStatus) -> GateResult | None:
    """What no override gets past."""
    if status.evidence.verdict is Verdict.REGRESSED:
        return _unmet(name, f"REGRESSED: {status.evidence.text}")
    if status.limit_breached:
        return _unmet(name, status.limit_text)
    return None


def _judged(
    situation: Situation, flag: FlagFacts, spec: SignalSpec, status: SignalStatus, stage: Stage | None
) -> GateResult:
    name, evidence, now = f"signal {spec.name}", status.evidence, situation.now
    if not spec.required:
        return _met(name, "no regression (not required)")
    if evidence.verdict is Verdict.UNKNOWN or status.reading.freshness(now) is not Freshness.FRESH:
        return _unmet(name, evidence.text if evidence.verdict is Verdict.UNKNOWN else "source is not fresh")
    if evidence.verdict is Verdict.NOT_WORSE:
        return _met(name, evidence.text)
    if not situation.exposed:
        return _met(name, "readable; nothing on new to judge yet")
    who = _overridden_by(flag, spec, stage)
    if who is not None and evidence.total_new > 0:
        return _met(name, f"UNDECIDED, overridden by {who}: {evidence.text}")
    met_at = None
    if evidence.heading is Verdict.NOT_WORSE and evidence.forecast_s is not None:
        met_at = now + timedelta(seconds=evidence.forecast_s)
    refused = "override not possible without any event on new; " if who is not None else ""
    return _unmet(name, f"UNDECIDED: {refused}{evidence.text}", met_at)


def _overridden_by(flag: FlagFacts, spec: SignalSpec, stage: Stage | None) -> str | None:
    """Who overrode this signal for exactly the stage that comes next."""
    if stage is None:
        return None
    wanted = (spec.name, stage.percent)
    return next((who for name, percent, who in flag.overrides if (name, percent) == wanted), None)
