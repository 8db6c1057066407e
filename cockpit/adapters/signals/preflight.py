"""What `cockpit check` says of one expression of a monitoring source."""

from __future__ import annotations

from cockpit.adapters.base import AdapterError, Preflight
from cockpit.core.clean import clean_text
from cockpit.core.model import Fault, Quality, Sample


def judge_expression(expression: str, outcome: Sample | AdapterError) -> Preflight:
    """False: the plan must change. None: the source could not tell now."""
    subject, question = clean_text(expression, limit=80), "gives one number"
    if isinstance(outcome, AdapterError):
        ok = False if outcome.failure.fault is Fault.PLAN else None
        return Preflight(subject=subject, question=question, ok=ok, detail=in_words(outcome))
    if outcome.value is not None:
        return Preflight(subject=subject, question=question, ok=True, detail=f"{outcome.value:g}")
    ok = False if outcome.quality is Quality.ERROR else None
    return Preflight(subject=subject, question=question, ok=ok, detail=outcome.note)


def in_words(error: AdapterError) -> str:
    return clean_text(f"{error.failure.title}: {error.failure.detail}".rstrip(": "))
