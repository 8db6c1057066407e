"""What is wrong with a value, in words for the author of the plan."""

from __future__ import annotations

import re
from typing import Any, Final

from cockpit.core.tables import Bound, Form, Size
from cockpit.plan.shape import Choice, expected
from cockpit.plan.values import duration_text, shown, toml_type

_FORM: Final = "the text does not have the form that is needed here"


def wrong_kind(value: object, annotation: Any) -> str:
    """Another type or another choice belongs at the place."""
    words = expected(annotation)
    if words.startswith("one of"):
        return f"{shown(value)} is not known here; expected {words}"
    if words == "another value":
        return f"{toml_type(value)} is not accepted here"
    return f"expected {words}, not {toml_type(value)}"


def misfit(value: object, mark: object, written: object) -> str:
    """Why a value of the right type does not fit; empty when it does. `written`: as it stands in the plan."""
    if isinstance(mark, Bound) and isinstance(value, int | float):
        return _beyond(value, mark, written)
    if isinstance(mark, Form) and isinstance(value, str) and not re.fullmatch(mark.pattern, value):
        return _FORM
    return ""


def _beyond(value: float, bound: Bound, written: object) -> str:
    limits = (
        (bound.gt, "more than", bound.gt is not None and value > bound.gt),
        (bound.ge, "at least", bound.ge is not None and value >= bound.ge),
        (bound.lt, "less than", bound.lt is not None and value < bound.lt),
        (bound.le, "at most", bound.le is not None and value <= bound.le),
    )
    for limit, words, fits in limits:
        if limit is not None and not fits:
            wanted = duration_text(limit) if isinstance(written, str) else f"{limit:g}"
            return f"{shown(written)} does not fit; expected {words} {wanted}"
    return ""


def wrong_size(value: object, choice: Choice) -> str:
    """Why a text, list or table is too short or too long; empty when it is neither."""
    unit = "characters" if choice.base is str else "entries"
    for mark in choice.marks:
        if isinstance(mark, Size) and isinstance(value, str | list | tuple | dict):
            length = len(value)
            found = f"has {length} {unit}" if length else "is empty"
            if length < mark.least:
                return f"{found}; expected at least {mark.least}"
            if mark.most is not None and length > mark.most:
                return f"{found}; expected at most {mark.most}"
    return ""
