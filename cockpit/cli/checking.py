"""`cockpit check` and `cockpit schema`. Offline, nothing that could ask a service is loaded."""

from __future__ import annotations

import json
from pathlib import Path

from cockpit.cli.output import say, say_folded
from cockpit.cli.plans import complain, load_plan
from cockpit.cli.wiring import kinds
from cockpit.core.clean import clean_text
from cockpit.plan.problems import PlanProblems
from cockpit.plan.secrets import SecretProblem


def run_check(path: Path, *, offline: bool) -> int:
    try:
        plan = load_plan(path)
        if offline:
            from cockpit.plan.foresight import foresee

            counts = f"{_count(len(plan.flags), 'flag')}, {_count(len(plan.signals), 'signal')}"
            say(f"{clean_text(path)}: a good plan ({counts})")
            for warned in foresee(plan):
                say_folded(f"warn  {warned.subject}: {warned.text}", hanging=6)
            return 0
        from cockpit.cli.preflight import preflight

        return preflight(plan)
    except (PlanProblems, SecretProblem) as problem:
        return complain(problem)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def run_schema() -> int:
    from cockpit.plan.schema import json_schema

    say(json.dumps(json_schema(kinds()), indent=2))
    return 0
