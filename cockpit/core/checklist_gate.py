"""Whether people have signed what the plan wants signed before a forward move."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cockpit.core.checklist import ItemState, ItemStatus, needed
from cockpit.core.clean import Percent
from cockpit.core.snapshot import GateResult


def checklist_gate(items: Iterable[ItemStatus], flag: str, percent: Percent) -> Iterator[GateResult]:
    """One gate for everything that has to be signed before this stage; none where nothing is."""
    asked = needed(items, flag, percent)
    unsigned = [item for item in asked if item.state is not ItemState.SIGNED]
    if not asked:
        return
    if not unsigned:
        yield GateResult(name="checklist", met=True, text=f"{len(asked)} of {len(asked)} signed")
        return
    first = unsigned[0]
    why = "" if first.state is ItemState.OPEN else f" ({first.state})"
    more = f", and {len(unsigned) - 1} more" if len(unsigned) > 1 else ""
    text = f"{len(unsigned)} of {len(asked)} not signed: {first.title}{why}{more}"
    yield GateResult(name="checklist", met=False, text=text)
