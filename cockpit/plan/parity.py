"""Parity checks of the plan: what their keys say about each other, and the core's values made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from cockpit.core.parity import Tolerance
from cockpit.core.parity_rows import FieldKind, FieldRule
from cockpit.core.parity_spec import ParitySpec, Question, SideQuery
from cockpit.plan import parity_fields, values
from cockpit.plan.problems import Report, unknown
from cockpit.plan.shape import default
from cockpit.plan.tree import Document, Placed, inner, inner_items, items, read, subtables, texts

_SIDES: Final = ("legacy", "new")


def parity_specs(checks: tuple[parity_fields.Parity, ...]) -> tuple[ParitySpec, ...]:
    """Checked parity tables as the core's values."""
    return tuple(_spec(check) for check in checks)


def check_parity(document: Document, report: Report) -> None:
    """Every cross check, each reporting on its own."""
    stores = [str(path[1]) for path, _ in subtables(document, "store")]
    checks = list(items(document, "parity"))
    for side in _SIDES:
        for path, name in texts(inner(checks, side), "store"):
            if name not in stores:
                report.add(path, unknown("store", name, stores))
    for check in checks:
        _check_question(check, report)
        _check_patience(check, report)
    for path, rule in inner_items(checks, "field"):
        _check_field((path, rule), report)


def _check_question(check: Placed, report: Report) -> None:
    """One question, the same to both sides, and everything that it needs."""
    path, table = check
    legacy_side, new_side = (table.get(side) for side in _SIDES)
    if not isinstance(legacy_side, dict) or not isinstance(new_side, dict):
        return
    legacy, new = _asked(legacy_side), _asked(new_side)
    if len(legacy) != 1 or legacy != new:
        report.add(path, "expected the same one of count, newest and rows on both sides")
        return
    if legacy == ["rows"]:
        if "sample" not in legacy_side:
            report.add((*path, "legacy", "sample"), "is missing; expected the keys of some rows")
        if not table.get("field"):
            report.add((*path, "field"), "is missing; expected the fields to compare")
    elif table.get("field"):
        report.add((*path, "field"), "only goes with rows")


def _asked(side: Mapping[str, object]) -> list[str]:
    return [question.value for question in Question if question.value in side]


def _check_patience(check: Placed, report: Report) -> None:
    """A look that may outlast its interval would never be over."""
    path, table = check
    every_s = read(values.interval, table.get("every", _default("every")))
    timeout_s = read(values.positive_duration, table.get("timeout", _default("timeout")))
    if every_s is not None and timeout_s is not None and timeout_s >= every_s:
        longest = values.duration_text(every_s)
        key = "timeout" if "timeout" in table else "every"
        report.add((*path, key), f"a look may not last as long as every; expected a timeout below {longest}")


def _default(key: str) -> str:
    return values.duration_text(default(parity_fields.Parity, key))


def _check_field(rule: Placed, report: Report) -> None:
    path, table = rule
    kind = table.get("kind", FieldKind.SAME.value)
    needs = {"ids": FieldKind.REFERENCE, "values": FieldKind.ENUM, "zone": FieldKind.INSTANT}
    for key, owner in needs.items():
        if key in table and kind != owner.value:
            report.add((*path, key), f'only goes with kind = "{owner}"')
    if kind == FieldKind.REFERENCE.value and "ids" not in table:
        report.add(
            (*path, "ids"), "is missing; expected how the new side tells the rows that are referred to"
        )


def _spec(check: parity_fields.Parity) -> ParitySpec:
    legacy, new = _side(check.legacy), _side(check.new)
    tolerance = check.tolerance
    return ParitySpec(
        name=check.name,
        title=check.title,
        question=_question(check.legacy),
        legacy=legacy,
        new=new,
        interval_s=check.every,
        timeout_s=check.timeout,
        tolerance=Tolerance(rows=tolerance.rows, percent=tolerance.pct),
        per_mille=tolerance.per_mille,
        max_lag_s=tolerance.lag,
        size=check.size,
        fields=tuple(_rule(each) for each in check.field),
        never_empty=check.never_empty,
        required=check.required,
    )


def _question(side: parity_fields.ParitySide) -> Question:
    given: Iterator[Question] = (each for each in Question if getattr(side, each.value) is not None)
    return next(given)


def _side(side: parity_fields.ParitySide) -> SideQuery:
    return SideQuery(
        store=side.store,
        ask=side.count or side.newest or "",
        sample=side.sample or "",
        rows=side.rows or "",
        key=side.key,
    )


def _rule(rule: parity_fields.ParityField) -> FieldRule:
    mapped: dict[str, Any] = dict(rule.values)
    return FieldRule(
        legacy=rule.legacy,
        new=rule.new,
        kind=rule.kind,
        zone=_zone(rule.zone),
        values=mapped,
        table=rule.ids or "",
        empty=rule.empty,
        shows=rule.show,
    )


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)
