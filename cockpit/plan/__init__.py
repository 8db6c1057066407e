"""The user's plan: TOML in, an immutable `cockpit.core.spec.Plan` or all of its problems out.

Imports the core only. Adapters are known by their settings classes, handed in as `Kinds`.
"""

from __future__ import annotations

from cockpit.plan.change import describe_change
from cockpit.plan.kinds import Kinds
from cockpit.plan.load import load
from cockpit.plan.problems import PlanProblems, Problem
from cockpit.plan.schema import json_schema
from cockpit.plan.secrets import SecretProblem, resolve
from cockpit.plan.watching import watch

__all__ = [
    "Kinds",
    "PlanProblems",
    "Problem",
    "SecretProblem",
    "describe_change",
    "json_schema",
    "load",
    "resolve",
    "watch",
]
