"""A parity check as the plan asks for it: one question to both sides, and how far apart answers may be."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from cockpit.core.dataclass import dataclass
from cockpit.core.parity import Tolerance
from cockpit.core.parity_rows import FieldRule


class Question(StrEnum):
    COUNT = "count"
    NEWEST = "newest"
    ROWS = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSpec:
    """Where data lie. `settings` is the adapter's own; the core never looks inside."""

    name: str
    kind: str
    settings: object


@dataclass(frozen=True, slots=True, kw_only=True)
class SideQuery:
    """Expressions in the store's own language; empty where the question does not need one.

    ask: the count or the newest change. sample, rows: keys of some rows, rows by keys. key: the field of
    such a row that holds legacy's key.
    """

    store: str
    ask: str = ""
    sample: str = ""
    rows: str = ""
    key: str = "id"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParitySpec:
    """tolerance is for counts, per_mille for rows, max_lag_s for newest changes. size: rows in one sample."""

    name: str
    title: str
    question: Question
    legacy: SideQuery
    new: SideQuery
    interval_s: float
    timeout_s: float
    tolerance: Tolerance = field(default_factory=Tolerance)
    per_mille: float = 0.0
    max_lag_s: float = 0.0
    size: int = 50
    fields: tuple[FieldRule, ...] = ()
    never_empty: bool = False
    required: bool = True
