"""A snapshot with a checklist: signed, open, expired and reworded items, and a phase without any."""

from __future__ import annotations

from dataclasses import replace

from cockpit.core.checklist import ItemState, ItemStatus
from cockpit.core.clean import ZERO
from cockpit.core.snapshot import Snapshot
from tests.face.parts import ago, ahead
from tests.face.pictures import calm

PHASES = ("2.1 Socket infrastructure", "2.2 Tutoring", "4.2 Analytics")


def item(
    name: str, title: str, state: ItemState, *, phase: str = PHASES[0], evidence: str = ""
) -> ItemStatus:
    signed = state is not ItemState.OPEN
    return ItemStatus(
        name=name,
        title=title,
        phase=phase,
        flags=("convex_live_sessions",),
        from_percent=ZERO,
        evidence=evidence,
        state=state,
        by="ana" if signed else "",
        at=ago(7200) if signed else None,
        note="run 7: 52 sockets for 10 min" if signed else "",
        expires_at=ahead(3600) if state is ItemState.SIGNED else ago(60) if signed else None,
    )


def checklist() -> Snapshot:
    items = (
        item("connect", "Connect and close", ItemState.SIGNED),
        item("jwt", "JWT is checked on connect", ItemState.OPEN, evidence="a link to the test run"),
        item("load", "50 sockets at once", ItemState.EXPIRED, evidence="figure, window and source"),
        item("flow", "A full tutoring session", ItemState.CHANGED, phase=PHASES[1]),
        item("other", "Support knows the texts", ItemState.OPEN, phase=""),
    )
    return replace(calm(), checklist=items, phases=PHASES)
