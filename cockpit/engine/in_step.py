"""Which monitors keep the same moments: those between which a signal is compared."""

from __future__ import annotations

from collections.abc import Mapping

from cockpit.core.spec import Plan


def in_step(plan: Plan) -> Mapping[str, str]:
    """For every monitor the one whose moments it keeps: the first in the plan that it is compared with.

    Directly or through others: a and b, b and c are three in step. A monitor that is compared with nobody
    keeps its own.
    """
    step = {monitor.name: monitor.name for monitor in plan.monitors}
    for signal in plan.signals:
        joined = {step[name] for name in signal.monitors}
        first = next(name for name in step if name in joined)
        step = {name: first if kept in joined else kept for name, kept in step.items()}
    return step
