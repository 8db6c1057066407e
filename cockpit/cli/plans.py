"""Loading the plan for a command, and saying what is wrong with it on stderr, never on a screen."""

from __future__ import annotations

from pathlib import Path

from cockpit.cli.output import say_error
from cockpit.cli.wiring import kinds
from cockpit.core.spec import Plan
from cockpit.plan.load import load
from cockpit.plan.problems import PlanProblems
from cockpit.plan.secrets import SecretProblem

USAGE = 2
NOT_DONE = 1


def load_plan(path: Path) -> Plan:
    """Raises PlanProblems with every problem at once."""
    return load(path, kinds())


def complain(problem: Exception) -> int:
    """Print what is wrong and return the exit code for it: the user's plan and secrets, or anything else."""
    for line in str(problem).splitlines() or [type(problem).__name__]:
        say_error(line)
    if isinstance(problem, PlanProblems):
        count = len(problem.problems)
        say_error(f"{count} problem{'s' if count != 1 else ''} in the plan; nothing was started")
    return USAGE if isinstance(problem, PlanProblems | SecretProblem) else NOT_DONE
