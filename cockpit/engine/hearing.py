"""What an event, whoever journalled it, sets off in this cockpit: it is heard once it is in the journal."""

from __future__ import annotations

from collections.abc import Callable

from cockpit.core.events import Event, Kind
from cockpit.engine.drive import Drive
from cockpit.engine.logbook import Logbook
from cockpit.engine.seat import Seat
from cockpit.engine.senses import Senses


def hearing(*, seat: Seat, drive: Drive, senses: Senses, logbook: Logbook) -> Callable[[Event], None]:
    """To be called with every event, after it was folded. A new stage, somebody else's change or a veto that
    ran out: the evidence starts over."""

    def heard(event: Event) -> None:
        seat.heard(event)
        if seat.taken:
            drive.announce_event(event)
        if event.kind is Kind.PROPOSAL_CLEARED and event.body.get("veto_over"):
            senses.restart_judges()
        if event.kind in (Kind.ROLLBACK_DECLARED, Kind.ROLLBACK_WIDENED):
            drive.declared()
        if event.kind is Kind.LEVER_PULLED:  # in whichever cockpit
            drive.pulled(str(event.body.get("flag")))
        if event.kind in (Kind.FLAG_SEEN, Kind.FLAG_FOREIGN):
            flag = logbook.flight.flag(str(event.body.get("flag")))
            if flag.stage_since == event.at:
                senses.restart_judges()
                senses.restart_share(flag.key)

    return heard
