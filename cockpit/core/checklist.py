"""The checklist: what people have looked at and put their names to. Pure.

A signature is one person's word, with a note of what was seen. It holds for the item as it was worded when
it was signed, and no longer than the plan says; after that it is shown as what it is, and counts for nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from cockpit.core.body import text
from cockpit.core.clean import ZERO, Percent
from cockpit.core.dataclass import dataclass, replace
from cockpit.core.events import Event


class ItemState(StrEnum):
    """EXPIRED: signed too long ago. CHANGED: worded differently since, or signed in another environment."""

    OPEN = "open"
    SIGNED = "signed"
    EXPIRED = "expired"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSpec:
    """One line of the checklist.

    flags: whose forward moves need it, empty for all. from_percent: stages of at least so much need it.
    evidence: what has to be noted with the signature; empty where the name is enough. valid_s: how long a
    signature holds, None for the whole cutover.
    """

    name: str
    title: str
    phase: str = ""
    flags: tuple[str, ...] = ()
    from_percent: Percent = ZERO
    evidence: str = ""
    valid_s: float | None = None

    @property
    def wording(self) -> str:
        """SHA-256 of what a person who signs has read."""
        return hashlib.sha256(f"{self.title}\0{self.evidence}".encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """environment: what the plan was flown in then; empty where an older cockpit did not note it."""

    item: str
    wording: str
    by: str
    at: datetime
    note: str
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemStatus:
    """An item and its signature, the last one given; by, at and note are empty while nobody ever signed."""

    name: str
    title: str
    phase: str
    flags: tuple[str, ...]
    from_percent: Percent
    evidence: str
    state: ItemState
    by: str = ""
    at: datetime | None = None
    note: str = ""
    expires_at: datetime | None = None


Signatures = Mapping[str, Signature]


def signed(signatures: Signatures, event: Event) -> Signatures:
    """After a CHECK_SIGNED event."""
    body = event.body
    item = text(body, "item")
    made = Signature(
        item=item,
        wording=text(body, "wording"),
        by=event.actor,
        at=event.at,
        note=text(body, "note"),
        environment=text(body, "environment"),
    )
    return {**signatures, item: made}


def withdrawn(signatures: Signatures, event: Event) -> Signatures:
    """After a CHECK_WITHDRAWN event."""
    item = text(event.body, "item")
    return {name: each for name, each in signatures.items() if name != item}


def item_status(
    spec: ItemSpec, signature: Signature | None, now: datetime, *, environment: str
) -> ItemStatus:
    """What was looked at in another environment says nothing about this one."""
    bare = ItemStatus(
        name=spec.name,
        title=spec.title,
        phase=spec.phase,
        flags=spec.flags,
        from_percent=spec.from_percent,
        evidence=spec.evidence,
        state=ItemState.OPEN,
    )
    if signature is None:
        return bare
    expires_at = None if spec.valid_s is None else signature.at + timedelta(seconds=spec.valid_s)
    elsewhere = signature.environment not in ("", environment)
    if elsewhere or signature.wording != spec.wording:
        state = ItemState.CHANGED
    elif expires_at is not None and now >= expires_at:
        state = ItemState.EXPIRED
    else:
        state = ItemState.SIGNED
    return replace(
        bare, state=state, by=signature.by, at=signature.at, note=signature.note, expires_at=expires_at
    )


def needed(items: Iterable[ItemStatus], flag: str, percent: Percent) -> tuple[ItemStatus, ...]:
    """The items that have to be signed before this stage of this flag."""
    return tuple(
        item for item in items if (not item.flags or flag in item.flags) and percent >= item.from_percent
    )
