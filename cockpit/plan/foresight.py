"""What a good plan will not be able to tell on its way. `cockpit check` says it; it refuses no plan."""

from __future__ import annotations

from cockpit.core.clean import FULL
from cockpit.core.dataclass import dataclass
from cockpit.core.spec import FlagSpec, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """One thing that somebody should know before the night."""

    subject: str
    text: str


def foresee(plan: Plan) -> tuple[Warned, ...]:
    """Everything of the plan itself that is worth a warning; nothing is asked for it."""
    return tuple(_unjudged(flag) for flag in plan.flags if _is_switch(flag) and not _limited(plan))


def _is_switch(flag: FlagSpec) -> bool:
    """On or off for everybody, as a variable of the build is: no stage at which both sides serve it."""
    return all(stage.percent == FULL for stage in flag.stages)


def _limited(plan: Plan) -> bool:
    """Whether any figure of the new side alone could propose a rollback."""
    return any(signal.limit is not None and signal.proposes_rollback for signal in plan.signals)


def _unjudged(flag: FlagSpec) -> Warned:
    text = (
        "it goes from 0% to 100% at once, then nobody is left on legacy to compare with, and no signal that "
        "proposes a rollback has a limit: nothing but probes and people would notice"
    )
    return Warned(subject=f"flag {flag.key}", text=text)
