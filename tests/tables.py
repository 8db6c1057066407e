"""Settings as a plan gives them: read from a table by the plan's own reader, or refused in its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from cockpit.core.tables import Written
from cockpit.plan.locate import locate
from cockpit.plan.problems import PlanProblems, Report
from cockpit.plan.reading import read_table

T = TypeVar("T", bound=Written)


def written(model: type[T], table: Mapping[str, Any]) -> T:
    """Raises PlanProblems with everything that is wrong in the table."""
    report = Report("plan.toml", table, lambda: locate(""))
    made = read_table(table, model, (), report)
    if made is None or report.problems:
        raise PlanProblems(report.problems)
    return made
