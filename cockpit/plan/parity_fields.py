"""The tables of the plan that say whether the data agree: `[store.NAME]` and `[[parity]]`."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from cockpit.core.dataclass import dataclass
from cockpit.core.parity_rows import FieldKind
from cockpit.core.tables import Bound, Size
from cockpit.plan.written import Duration, Interval, Length, Line, Name, Query, Table, Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Store(Table):
    """Where one side's data lie. The settings of its kind stand in the same table."""

    kind: str
    """Which product it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParitySide(Table):
    """What is asked of one side. Both sides of a check are asked for the same thing."""

    store: Name
    """Which [store.NAME] is asked."""
    count: Query | None = None
    """Rows of this table, with the same filter on both sides, as one number."""
    newest: Query | None = None
    """The time of the newest change."""
    sample: Query | None = None
    """Keys of some rows, the newest and others; on the new side, to find rows that legacy does not have."""
    rows: Query | None = None
    """Rows by their keys."""
    key: Annotated[str, Size(1, 64)] = "id"
    """In `rows`: the field that holds the key that the row has on legacy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityField(Table):
    """One field of a row on both sides, and what the migration made of it."""

    legacy: Annotated[str, Size(1, 64)]
    """The field on legacy."""
    new: Annotated[str, Size(1, 64)]
    """The field on the new side."""
    kind: FieldKind = FieldKind.SAME
    """"same", "instant" (milliseconds on the new side), "enum" or "reference" (to a row of `ids`)."""
    zone: Zone = "UTC"
    """With "instant": the zone of legacy's times where they carry none, such as "Europe/Berlin"."""
    values: dict[str, str | int | bool] = field(default_factory=dict)
    """With "enum": legacy's values and what they became; others stay as they are."""
    ids: Query | None = None
    """With "reference": how the new side tells rows by legacy's keys, as its `rows` do."""
    empty: str | int | bool | None = None
    """What the new side may have where legacy has nothing; absent is always right."""
    show: bool = False
    """Whether examples show the values. Without it they name rows only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityTolerance(Table):
    """How far apart the sides may be without being different."""

    rows: Annotated[int, Bound(ge=0)] = 0
    """Counts: so many rows."""
    pct: Annotated[float, Bound(ge=0, le=100)] = 0.0
    """Counts: so many percent of legacy's rows, where that is more."""
    per_mille: Annotated[float, Bound(ge=0, le=1000)] = 0.0
    """Rows: so many of 1,000 compared rows."""
    lag: Duration = 0.0
    """Newest change: how far the new side may be behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity(Table):
    """One question to both sides: counts, newest changes, or rows field by field."""

    name: Name
    """Short name, unique."""
    title: Line
    """What the screen says."""
    legacy: ParitySide
    """What is asked of the legacy side, before and after the new one."""
    new: ParitySide
    """What is asked of the new side."""
    every: Interval = 300.0
    """Time between two looks."""
    timeout: Length = 30.0
    """How long one look may take; shorter than `every`."""
    tolerance: ParityTolerance = field(default_factory=ParityTolerance)
    """How far apart the sides may be."""
    size: Annotated[int, Bound(ge=1, le=500)] = 50
    """Rows: how many are sampled in one look."""
    field: tuple[ParityField, ...] = ()
    """Rows: the fields that are compared."""
    never_empty: bool = False
    """Counts: the table has rows, so that a count of 0 means that the reader may not see them."""
    required: bool = True
    """Whether forward moves wait for this check."""
