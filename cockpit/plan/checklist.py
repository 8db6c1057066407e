"""The checklist of the plan: its tables, what their keys say about each other, and the core's values."""

from __future__ import annotations

from typing import Annotated

from cockpit.core.checklist import ItemSpec
from cockpit.core.clean import ZERO
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import Size
from cockpit.plan.problems import Report, unknown
from cockpit.plan.tree import Document, items, texts
from cockpit.plan.values import shown
from cockpit.plan.written import FlagKey, Length, Line, Name, Share, Table, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Table):
    """One thing that a person looks at and puts their name to."""

    name: Name
    """Short name, unique."""
    title: Line
    """What is true once it is signed."""
    phase: Line | None = None
    """Which of the plan's phases it belongs to."""
    flags: tuple[FlagKey, ...] = ()
    """Flags whose forward moves need it. Without this, all of them."""
    from_percent: Share | None = None
    """Only stages of at least this percentage need it. Without this, every stage."""
    evidence: Text = ""
    """What has to be noted with the signature: a figure with its window and source, a link, a ticket."""
    valid: Length | None = None
    """How long a signature holds. Without this, for the whole cutover."""


Phases = Annotated[tuple[Line, ...], Size(0, 100)]


def item_specs(checks: tuple[Check, ...]) -> tuple[ItemSpec, ...]:
    return tuple(
        ItemSpec(
            name=check.name,
            title=check.title,
            phase=check.phase or "",
            flags=check.flags,
            from_percent=check.from_percent or ZERO,
            evidence=check.evidence,
            valid_s=check.valid,
        )
        for check in checks
    )


def check_checklist(document: Document, report: Report) -> None:
    flags = [key for _, key in texts(items(document, "flag"), "key")]
    written = document.get("phases")
    phases = written if isinstance(written, list) else []
    for index, phase in enumerate(phases):
        if isinstance(phase, str) and phase in phases[:index]:
            report.add(("phases", index), f"{shown(phase)} is used twice; expected a name of its own")
    known = [phase for phase in phases if isinstance(phase, str)]
    for path, table in items(document, "check"):
        named, wanted = table.get("phase"), table.get("flags")
        if isinstance(named, str) and known and named not in known:
            report.add((*path, "phase"), unknown("phase", named, known))
        for index, key in enumerate(wanted if isinstance(wanted, list) else ()):
            if isinstance(key, str) and key not in flags:
                report.add((*path, "flags", index), unknown("flag", key, flags))
