"""Snapshots of several cockpits on one plan: beside the driver, offered the seat, asked for a second yes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cockpit.core.approvals import AdvanceRequest, Approval
from cockpit.core.clean import Percent
from cockpit.core.driver import Holder, How, Offer
from cockpit.core.seat_status import Present, SeatStatus
from cockpit.core.snapshot import FlagStatus, GateResult, Snapshot
from tests.face.pictures import ago, ahead, calm, rolling_back

ANA: Final = Holder(
    session="s-ana", operator="ana", host="ops-1", since=ago(754), how=How.GONE, taken_from="dan@ops-3"
)
INES: Final = replace(ANA, session="s-ines", operator="ines", host="bastion-2", how=How.FREE, taken_from="")
EVERYBODY: Final = (
    Present(session="s-ana", name="ana@ops-1", beat_at=ago(0.2)),
    Present(session="s-cleo", name="cleo@ops-2", beat_at=ago(14), silent=True),
    Present(session="s-ines", name="ines@bastion-2", beat_at=ago(0.1)),
)


def seat(holder: Holder | None, *, offer: Offer | None = None, lost_to: Holder | None = None) -> SeatStatus:
    """As the cockpit of ines sees it."""
    return SeatStatus(session="s-ines", holder=holder, offer=offer, present=EVERYBODY, lost_to=lost_to)


def driving() -> Snapshot:
    return replace(calm(), seat=seat(INES))


def beside() -> Snapshot:
    return replace(calm(), seat=seat(ANA))


def silent_driver() -> Snapshot:
    everybody = (replace(EVERYBODY[0], beat_at=ago(8), silent=True), *EVERYBODY[1:])
    return replace(calm(), seat=replace(seat(ANA), present=everybody))


def nobody_drives() -> Snapshot:
    return replace(calm(), seat=seat(None))


def offered() -> Snapshot:
    offer = Offer(session="s-ines", name="ines@bastion-2", at=ago(4))
    return replace(calm(), seat=seat(ANA, offer=offer))


def offering() -> Snapshot:
    return replace(driving(), seat=seat(INES, offer=Offer(session="s-ana", name="ana@ops-1", at=ago(4))))


def seat_lost() -> Snapshot:
    taken = replace(ANA, how=How.SILENCE, taken_from="ines@bastion-2", since=ago(31))
    return replace(calm(), seat=seat(taken, lost_to=taken))


def rolled_back_by_another() -> Snapshot:
    taken = replace(ANA, how=How.ROLLBACK, taken_from="ines@bastion-2", since=ago(192))
    return replace(rolling_back(), seat=seat(taken, lost_to=taken))


def asked() -> Snapshot:
    """ana asks from her cockpit; ines looks at it in hers."""
    return _with_request(beside(), Approval(operator="ana", host="ops-1", session="s-ana", at=ago(72)))


def asking() -> Snapshot:
    asker = Approval(operator="ines", host="bastion-2", session="s-ines", at=ago(72))
    return _with_request(driving(), asker)


def _with_request(snapshot: Snapshot, asker: Approval) -> Snapshot:
    request = AdvanceRequest(
        id="r-1",
        flag="convex_resources",
        percent=Percent(2500),
        before=Percent(1000),
        needed=2,
        lapses_at=ahead(528),
        given=(asker,),
    )
    gate = GateResult(name="approvals", met=False, text=f"1 of 2 people: {asker.name}")
    return replace(snapshot, request=request, flags=tuple(_gated(flag, gate) for flag in snapshot.flags))


def _gated(flag: FlagStatus, gate: GateResult) -> FlagStatus:
    return replace(flag, gates=(*flag.gates, gate))


EVERY: Final[tuple[Callable[[], Snapshot], ...]] = (
    driving,
    beside,
    silent_driver,
    nobody_drives,
    offered,
    offering,
    seat_lost,
    rolled_back_by_another,
    asked,
    asking,
)
