"""Forward moves that need more than one person: asked for, approved, declined, withdrawn, lapsed.

The driver's cockpit alone carries an approved move out, and checks every gate again before it does. Where
one is not met by then the request is over and says which: nothing is written later, unseen.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from cockpit.core import approvals
from cockpit.core import commands as asked
from cockpit.core.approvals import LAPSES_AFTER_S, AdvanceRequest
from cockpit.core.clean import Percent, clean_text
from cockpit.core.clock import Clock
from cockpit.core.commands import Command
from cockpit.core.events import MACHINE, Kind
from cockpit.core.rollback import IllegalEvent
from cockpit.engine.identity import Identity
from cockpit.engine.journal_port import Draft, JournalFailure, SequenceConflict
from cockpit.engine.logbook import Logbook
from cockpit.engine.rollback_orders import Refused
from cockpit.engine.seat import Seat


class Approving:
    """Used from the engine's thread only. carry_out: asks and writes the approved move; raises Refused."""

    def __init__(
        self,
        *,
        logbook: Logbook,
        clock: Clock,
        seat: Seat,
        identity: Identity,
        carry_out: Callable[[AdvanceRequest], str],
    ) -> None:
        self._logbook = logbook
        self._clock = clock
        self._seat = seat
        self._identity = identity
        self._carry_out = carry_out
        self.handlers: Mapping[type[Command], Callable[[Any], str]] = {
            asked.ApproveAdvance: self._approve,
            asked.DeclineAdvance: self._decline,
            asked.WithdrawAdvance: self._withdraw,
        }

    def ask(
        self, command: asked.Advance, before: Percent, needed: int, gates: Sequence[str]
    ) -> AdvanceRequest:
        """Journal the request. Raises IllegalEvent, saying why, while another one is open."""
        now, wanted = self._clock.now(), Percent(command.percent_hundredths)
        body = {
            "request": str(uuid.uuid4()),
            "flag": command.flag,
            "percent": wanted.hundredths,
            "before": before.hundredths,
            "needed": needed,
            "lapses_at": (now + timedelta(seconds=LAPSES_AFTER_S)).isoformat(),
            "gates": list(gates),
            **self._here(),
        }
        self._record(command.by, Kind.ADVANCE_REQUESTED, body)
        return self._open()

    def look(self) -> None:
        """The driver's part: an approved move is carried out, one that nobody approved in time lapses."""
        request = self._logbook.flight.request
        if request is None:
            return
        try:
            if request.too_old(self._clock.now()):
                self._end(request, "approved, but this cockpit could not write it in time: ask again")
            elif request.complete:
                self._fly(request)
            elif self._clock.now() >= request.lapses_at:
                self._end(request, f"lapsed: {request.tally} people had approved")
        except SequenceConflict:
            return  # decided again in the next turn, on what somebody else journalled first
        except JournalFailure:
            return  # shown by the journal's own reason line; tried again

    def _fly(self, request: AdvanceRequest) -> None:
        try:
            self._carry_out(request)
        except (Refused, IllegalEvent) as refusal:
            self._end(request, f"approved, but not done: {refusal}")

    def _end(self, request: AdvanceRequest, why: str) -> None:
        body = {"request": request.id, "session": self._identity.session, "why": clean_text(why)}
        self._record(MACHINE, Kind.ADVANCE_WITHDRAWN, body)

    def _open(self) -> AdvanceRequest:
        request = self._logbook.flight.request
        if request is None:
            raise Refused("no request is open")
        return request

    def _asked_for(self, request_id: str) -> AdvanceRequest:
        request = self._open()
        if request.id != request_id:
            raise Refused("another move is asked for by now: look again")
        return request

    def _here(self) -> dict[str, object]:
        return {"session": self._identity.session, "host": self._identity.host}

    def _record(self, actor: str, kind: Kind, body: Mapping[str, object]) -> None:
        self._logbook.append([Draft(kind=kind, body=body)], actor=actor, at=self._clock.now(), must=False)

    def _approve(self, command: asked.ApproveAdvance) -> str:
        request = self._asked_for(command.request)
        refusal = approvals.why_not(
            request, operator=command.by, session=self._identity.session, now=self._clock.now()
        )
        if refusal:
            raise Refused(refusal)
        self._record(command.by, Kind.ADVANCE_APPROVED, {"request": request.id, **self._here()})
        return f"approved: {request.flag} to {request.percent}"

    def _decline(self, command: asked.DeclineAdvance) -> str:
        request, reason = self._asked_for(command.request), clean_text(command.reason)
        if not reason:
            raise Refused("a no needs a reason")
        self._record(
            command.by, Kind.ADVANCE_DECLINED, {"request": request.id, "reason": reason, **self._here()}
        )
        return f"declined: {request.flag} to {request.percent}"

    def _withdraw(self, command: asked.WithdrawAdvance) -> str:
        request = self._asked_for(command.request)
        if not self._seat.taken:
            raise Refused("only the driver withdraws a request; it can be declined here")
        body = {"request": request.id, "session": self._identity.session, "why": "withdrawn by the driver"}
        self._record(command.by, Kind.ADVANCE_WITHDRAWN, body)
        return "withdrawn"
