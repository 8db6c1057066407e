"""What a rollback needs from a person now, most urgent first, and which keys do something. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cockpit.core.acts import step_of
from cockpit.core.dataclass import dataclass
from cockpit.core.drain import DrainGauge, undrained
from cockpit.core.figures import amount
from cockpit.core.rollback import Rollback, Step, StepState, open_lines
from cockpit.core.snapshot import FlagStatus
from cockpit.core.spec import StepKey
from cockpit.face import view
from cockpit.face.view import Line, Role, Segment, clip
from cockpit.face.view_drain import why_blind
from cockpit.face.view_levers import KEY, offers
from cockpit.face.view_lines import joined, mmss, row

_LATE: Final = "look, or o overrides"

# --- what needs a person ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that waits for a person; `how` names the key that answers it, or `what` does and `spoken`
    says the same where there is no key. `why` comes last, because a narrow screen cuts it."""

    what: str
    how: str = ""
    why: str = ""
    role: Role
    spoken: str = ""

    @property
    def text(self) -> str:
        return joined((joined((self.what, self.how), ": "), self._because), " ")

    @property
    def said(self) -> str:
        """The same where there is no key to press."""
        return self.spoken or joined((self.what, self._because), " ")

    @property
    def _because(self) -> str:
        return f"({self.why})" if self.why else ""


def asks(rollback: Rollback) -> bool:
    """Whether the one question of the countdown waits for its answer."""
    unanswered = bool(rollback.question) and rollback.answered_go is None
    return rollback.open and unanswered and not rollback.flip_begun


def held(rollback: Rollback) -> bool:
    """A person said "hold": nothing is written until "go" or cancel."""
    return rollback.open and rollback.answered_go is False and not rollback.flip_begun


def needs(
    rollback: Rollback, now: datetime, flags: Sequence[FlagStatus] = (), gauges: Sequence[DrainGauge] = ()
) -> tuple[Need, ...]:
    """What needs a human now, most urgent first. Empty while the machine works alone.

    flags: where their second levers and the offers of them stand. gauges: what the step drain waits for.
    """
    if not rollback.open:
        return ()
    found = [*_urgent_needs(rollback, now, flags), *_step_needs(rollback, now, gauges)]
    if not open_lines(rollback):
        found.append(Need(what="every line is done", how="C signs and closes", role=Role.WARN))
    missing = _missing_names(rollback)
    if missing:
        found.append(Need(what=f"not given yet: {missing}", how="press e", role=Role.NOTE))
    return tuple(found)


def _urgent_needs(rollback: Rollback, now: datetime, flags: Sequence[FlagStatus]) -> list[Need]:
    found: list[Need] = []
    offered = offers(rollback, flags)
    for each in offered:
        what = f"{KEY} pulls the second lever of {each.flag} ({each.name}, {view.age(each.lever.takes_s)})"
        spoken = f"{each.flag}: {each.lever.offer}; second lever {each.name} is offered"
        found.append(Need(what=what, how=each.lever.offer, role=Role.BAD, spoken=spoken))
    found.extend(_pulled_in_vain(rollback, flags))
    if asks(rollback):
        found.append(Need(what="legacy looks down", how="g goes anyway · h holds", role=Role.BAD))
    if held(rollback):
        found.append(Need(what="HELD by a person", how="g goes anyway · c cancels", role=Role.BAD))
    barred = {flag.key: flag.second.barred for flag in flags if flag.second is not None}
    first = {flag.key: flag.barred for flag in flags}
    for flip in rollback.flips:
        if flip.flag in {each.flag for each in offered}:
            continue
        why_not = f"; its second lever: {barred[flip.flag]}" if barred.get(flip.flag) else ""
        if flip.needs_person:
            how = f"{first.get(flip.flag) or 'F retries'}, or set it to 0% by hand{why_not}"
            found.append(Need(what=f"{flip.flag} is refused", how=how, why=flip.detail, role=Role.BAD))
        elif flip.unsent and not flip.at_zero:
            what = f"{flip.flag} is not reached"
            goes_on = "F tries at once" if flip.rare else "the machine goes on"
            how = f"{goes_on}, try {flip.attempts}; or set it to 0% by hand{why_not}"
            found.append(Need(what=what, how=how, why=flip.detail, role=Role.BAD))
    if escalation(rollback, now):
        found.append(Need(what="page a second person, look at plan B", role=Role.BAD))
    return found


def _pulled_in_vain(rollback: Rollback, flags: Sequence[FlagStatus]) -> list[Need]:
    """A second lever that no pull from here brings to zero: what bars it says what helps."""
    barred = {flag.key: flag.second.barred for flag in flags if flag.second is not None}
    return [
        Need(what=flip.flag, how=barred[flip.flag], role=Role.BAD)
        for flip in rollback.flips
        if barred.get(flip.flag) and flip.second is not None and flip.second.used_up and not flip.at_zero
    ]


def _step_needs(rollback: Rollback, now: datetime, gauges: Sequence[DrainGauge]) -> list[Need]:
    failed = [
        Need(what=f"{step.title} failed", how="o overrides", why=step.evidence, role=Role.BAD)
        for step in rollback.steps
        if step.state is StepState.FAILED
    ]
    asking = [
        Need(what=step.title, how="do it, then enter", role=Role.WARN)
        for step in rollback.steps
        if step.state is StepState.ASKING and step.key is not StepKey.CLOSE
    ]
    late = [
        Need(what=f"{step.title} is late{_left(step, rollback, gauges, now)}", how=_LATE, role=Role.WARN)
        for step in rollback.steps
        if step.machine and step.state is StepState.RUNNING and step.late(rollback.declared_at, now)
    ]
    return [*failed, *asking, *_blind(rollback, gauges, now), *late]


def _left(step: Step, rollback: Rollback, gauges: Sequence[DrainGauge], now: datetime) -> str:
    """What a late drain waits for besides traffic, as far as it can be seen."""
    if step.key is not StepKey.DRAIN:
        return ""
    numbers = ((each, each.reading.fresh_value(now)) for each in undrained(gauges, rollback, now))
    seen = joined((f"{each.name} {amount(number)}" for each, number in numbers if number is not None), ", ")
    return f" ({seen})" if seen else ""


def _blind(rollback: Rollback, gauges: Sequence[DrainGauge], now: datetime) -> list[Need]:
    """Gauges that the open drain waits for and that nobody can read: no evidence will ever settle it."""
    drain = step_of(rollback, StepKey.DRAIN)
    if drain is None or drain.settled or not rollback.flipped:
        return []
    found: list[Need] = []
    for gauge in undrained(gauges, rollback, now):
        if gauge.reading.fresh_value(now) is None:
            what = f"the drain cannot see {gauge.name}"
            how = f"o overrides it · {f'ask {gauge.owner}' if gauge.owner else 'look by hand'}"
            found.append(Need(what=what, how=how, why=why_blind(gauge), role=Role.WARN))
    return found


def _missing_names(rollback: Rollback) -> str:
    reconciles = any(step.key is StepKey.RECONCILE for step in rollback.steps)
    return joined(
        (
            "" if rollback.reason else "the reason",
            "" if rollback.commander else "a commander",
            "" if rollback.data_owner or not reconciles else "a data owner",
        ),
        ", ",
    )


def needs_row(
    rollback: Rollback,
    now: datetime,
    width: int,
    *,
    keys: bool = True,
    flags: Sequence[FlagStatus] = (),
    gauges: Sequence[DrainGauge] = (),
) -> Line:
    """The most urgent need on one line, and how many more; `keys` False where there is no key to press."""
    found = needs(rollback, now, flags, gauges)
    if not found:
        calm = "nothing: the machine works" if rollback.open else "nothing"
        return row((f"{'NEEDS YOU' if keys else 'NEEDS':<13}", Role.DIM), (calm, Role.DIM))
    first = found[0]
    label: Segment = (f"{'NEEDS YOU' if keys else 'NEEDS':<13}", first.role)
    more = f"  +{len(found) - 1} more" if len(found) > 1 else ""
    text = first.text if keys else first.said
    return (*clip(row(label, (text, first.role)), width - len(more)), *row((more, Role.DIM)))


def escalation(rollback: Rollback, now: datetime) -> str:
    """Banner words once escalation is due and drain or legacy is not verified; empty otherwise."""
    waiting = [
        step.title
        for step in rollback.steps
        if step.key in (StepKey.DRAIN, StepKey.VERIFY) and not step.settled
    ]
    if not rollback.open or not rollback.escalates(now) or not waiting:
        return ""
    after = mmss((rollback.escalate_at - rollback.declared_at).total_seconds())
    return f"ESCALATE: page backup, plan B · {' and '.join(waiting)} not done after {after}"


# --- what is allowed now -----------------------------------------------------------------------------


def cancel_refusal(rollback: Rollback) -> str:
    """Why it cannot be cancelled; empty while it can."""
    if not rollback.open:
        return "this rollback has ended: nothing to cancel"
    if rollback.flip_begun:
        return "too late to cancel: a flag write has left. Forward again is a new move, with gates"
    return ""


def close_refusal(rollback: Rollback) -> tuple[str, ...]:
    """The lines that keep it from being closed; empty when it can be signed."""
    if not rollback.open:
        return ("this rollback has ended already",)
    return tuple(
        f"{step.number} {step.title}: {step.state.value}" + (f" ({step.evidence})" if step.evidence else "")
        for step in open_lines(rollback)
    )


def retryable(rollback: Rollback) -> tuple[str, ...]:
    """The flags for which `F` does something."""
    return tuple(flip.flag for flip in rollback.flips if rollback.open and flip.retryable)
