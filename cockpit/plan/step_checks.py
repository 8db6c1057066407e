"""Whether the rollback of a plan can be done in its time and in its order.

Part of the cross checks: reads the document as it was written, silent on what the fields refuse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from cockpit.plan import fields, values
from cockpit.plan.locate import TomlPath
from cockpit.plan.problems import Report, unknown
from cockpit.plan.shape import default
from cockpit.plan.steps import ALWAYS, MACHINE_IDS, usual_budget_s
from cockpit.plan.tree import Document, Placed, at, items, read
from cockpit.plan.values import duration_text

_NEEDED: Final = ("title", "budget", "text")


def check_rollback(document: Document, report: Report) -> None:
    budget_s = _budget_s(document)
    _check_escalation(document, budget_s, report)
    for placed in items(document, "rollback", "step"):
        _check_step(placed, report)
    _check_budgets(document, budget_s, report)


def _budget_s(document: Document) -> float | None:
    given = at(document, "rollback", "budget")
    usual: float = default(fields.Rollback, "budget")
    return usual if given is None else read(values.budget, given)


def _check_escalation(document: Document, budget_s: float | None, report: Report) -> None:
    escalate = at(document, "rollback", "escalate_after")
    escalate_s = read(values.positive_duration, escalate)
    if escalate_s is not None and budget_s is not None and escalate_s >= budget_s:
        report.add(
            ("rollback", "escalate_after"),
            f"{values.shown(escalate)} leaves no time; "
            f"expected less than the budget of {duration_text(budget_s)}",
        )


def _check_step(placed: Placed, report: Report) -> None:
    path, step = placed
    step_id = step.get("id")
    if not isinstance(step_id, str):
        return
    if step_id not in MACHINE_IDS:
        _check_own_step(placed, step_id, report)
    elif step_id in ALWAYS and step.get("drop") is True:
        report.add((*path, "drop"), f'"{step_id}" cannot be dropped; a rollback is nothing without it')
    elif step_id in ALWAYS and step.get("manual") is True:
        report.add((*path, "manual"), f'"{step_id}" cannot be made manual; only the steps after flip can')
    elif step.get("drop") is True and len(step) > 2:
        others = ", ".join(sorted(key for key in step if key not in ("id", "drop")))
        report.add((*path, "drop"), f"a dropped step has no other keys; expected no {others}")
    elif step.get("manual") is True and not step.get("text"):
        report.add((*path, "text"), "is missing; expected what the person has to do")


def _check_own_step(placed: Placed, step_id: str, report: Report) -> None:
    path, step = placed
    if step.get("manual") is not True:
        words = unknown("step", step_id, MACHINE_IDS)
        end = "" if words.endswith("?") else "."
        report.add((*path, "id"), f"{words}{end} A step of your own needs manual = true")
        return
    if step.get("drop") is True:
        report.add((*path, "drop"), "a step of your own is dropped by leaving it out")
        return
    for key in _NEEDED:
        if not step.get(key):
            report.add((*path, key), "is missing; expected in a step of your own")


def _check_budgets(document: Document, budget_s: float | None, report: Report) -> None:
    """No step may end after the whole, or before a step that it builds on."""
    if budget_s is None:
        return
    changes: dict[str, Placed] = {}
    for path, step in _named_steps(document):
        changes.setdefault(step["id"], (path, step))
    done_id, done_s = "", 0.0
    done_path: TomlPath = ("rollback",)
    for step_id, path, step_s in _machine_budgets(changes, budget_s):
        if path and step_s > budget_s:
            words = f"{duration_text(step_s)} is longer than the whole budget of {duration_text(budget_s)}"
            report.add((*path, "budget"), words)
            continue
        if step_s < done_s:
            words = (
                f'"{step_id}" would have to be done at {duration_text(step_s)}, before "{done_id}" at '
                f"{duration_text(done_s)}; expected rising budgets"
            )
            report.add((*(path or done_path), "budget"), words)
        else:
            done_id, done_path, done_s = step_id, path, step_s
    _check_own_budgets(document, changes, budget_s, report)


def _machine_budgets(changes: Mapping[str, Placed], budget_s: float) -> Iterator[tuple[str, TomlPath, float]]:
    """(id, place, seconds) of the steps that are not dropped; the place is empty for a usual budget."""
    for step_id in MACHINE_IDS:
        path, step = changes.get(step_id, ((), {}))
        given_s = read(values.positive_duration, step.get("budget"))
        if step.get("drop") is True and step_id not in ALWAYS:
            continue
        if given_s is not None:
            yield step_id, path, given_s
        elif "budget" not in step:
            yield step_id, (), usual_budget_s(step_id, budget_s)


def _check_own_budgets(
    document: Document, changes: Mapping[str, Placed], budget_s: float, report: Report
) -> None:
    """A step of one's own stands between flip and close."""
    flip = changes.get("flip", ((), {}))[1]
    flip_s = read(values.positive_duration, flip.get("budget")) or usual_budget_s("flip", budget_s)
    for path, step in _named_steps(document):
        own_s = read(values.positive_duration, step.get("budget"))
        if step["id"] in MACHINE_IDS or own_s is None:
            continue
        if not flip_s <= own_s <= budget_s:
            words = f"expected from {duration_text(flip_s)} (flip) to {duration_text(budget_s)} (all)"
            report.add((*path, "budget"), f"{duration_text(own_s)} does not fit; {words}")


def _named_steps(document: Document) -> Iterator[Placed]:
    for path, step in items(document, "rollback", "step"):
        if isinstance(step.get("id"), str):
            yield path, step
