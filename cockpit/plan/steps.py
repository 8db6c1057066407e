"""The steps of a rollback: the nine that always make sense, and the plan's changes to them.

Budgets are limits counted from declare. Those that a plan does not name are the usual shares of its
whole budget (for 15 minutes: 30 s, 1:00, 1:45, 3:00, 7:00, 10:00, 13:00, 13:00, 15:00).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cockpit.core.dataclass import dataclass
from cockpit.core.spec import StepKey, StepSpec
from cockpit.plan.fields import Step

_USUAL_BUDGET_S: Final = 900.0
ALWAYS: Final = frozenset({StepKey.DECLARE, StepKey.FREEZE, StepKey.PROVE, StepKey.FLIP, StepKey.CLOSE})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Usual:
    key: StepKey
    title: str
    budget_s: float


_USUAL: Final = (
    _Usual(key=StepKey.DECLARE, title="Declare", budget_s=30),
    _Usual(key=StepKey.FREEZE, title="Freeze", budget_s=60),
    _Usual(key=StepKey.PROVE, title="Prove the way back", budget_s=105),
    _Usual(key=StepKey.FLIP, title="Flip the flags", budget_s=180),
    _Usual(key=StepKey.DRAIN, title="Drain the new side", budget_s=420),
    _Usual(key=StepKey.VERIFY, title="Verify the legacy side", budget_s=600),
    _Usual(key=StepKey.RECONCILE, title="Reconcile new-side writes", budget_s=780),
    _Usual(key=StepKey.ANNOUNCE, title="Announce", budget_s=780),
    _Usual(key=StepKey.CLOSE, title="Close", budget_s=900),
)
MACHINE_IDS: Final = tuple(usual.key.value for usual in _USUAL)


def rollback_steps(changes: Sequence[Step], budget_s: float) -> tuple[StepSpec, ...]:
    """The plan's steps in order. Own steps stand where their budget puts them, after flip, before close."""
    by_id = {change.id: change for change in changes}
    machine = [
        _machine_step(usual, by_id.get(usual.key), budget_s)
        for usual in _USUAL
        if usual.key not in by_id or not by_id[usual.key].drop
    ]
    flipped = MACHINE_IDS.index(StepKey.FLIP) + 1
    later = [*machine[flipped:-1], *(_own_step(change) for change in changes if change.id not in MACHINE_IDS)]
    return (*machine[:flipped], *sorted(later, key=lambda step: step.budget_s), machine[-1])


def _machine_step(usual: _Usual, change: Step | None, budget_s: float) -> StepSpec:
    usual_s = usual_budget_s(usual.key, budget_s)
    if change is None:
        return StepSpec(id=usual.key.value, key=usual.key, title=usual.title, budget_s=usual_s)
    return StepSpec(
        id=usual.key.value,
        key=StepKey.MANUAL if change.manual else usual.key,
        title=change.title or usual.title,
        budget_s=usual_s if change.budget is None else change.budget,
        text=change.text,
    )


def _own_step(change: Step) -> StepSpec:
    return StepSpec(
        id=change.id,
        key=StepKey.MANUAL,
        title=change.title or change.id,
        budget_s=change.budget or 0.0,
        text=change.text,
    )


def usual_budget_s(step_id: str, budget_s: float) -> float:
    """The usual share of the whole budget for one of the machine's steps, in whole seconds."""
    usual = next(usual for usual in _USUAL if usual.key == step_id)
    return float(round(usual.budget_s * budget_s / _USUAL_BUDGET_S))
