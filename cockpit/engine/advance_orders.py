"""Moving a flag forward: every gate is checked, then it is asked for and written in one transaction.

Where the plan asks for more than one person, the move is first journalled as a request, and is carried out
here once enough people have approved: by the same checks, on what is known then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cockpit.core import commands as asked
from cockpit.core.approvals import GATE, AdvanceRequest
from cockpit.core.clean import Percent, clean_text
from cockpit.core.clock import Clock
from cockpit.core.clocks import ClockPair
from cockpit.core.commands import Command, CommandState
from cockpit.core.driver import who_drives
from cockpit.core.events import Kind
from cockpit.core.model import FlagValue
from cockpit.core.rollout import next_stage
from cockpit.core.snapshot import FlagStatus
from cockpit.core.wording import line
from cockpit.engine.approving import Approving
from cockpit.engine.drive import Drive
from cockpit.engine.identity import Identity
from cockpit.engine.journal_port import Draft
from cockpit.engine.logbook import Logbook
from cockpit.engine.rollback_orders import Refused
from cockpit.engine.seat import Seat
from cockpit.engine.senses import Senses
from cockpit.engine.write_orders import forward, intent

Turn = Callable[[str, CommandState, str], None]


class AdvanceOrders:
    """Used from the engine's thread only. `status_of` gives the flag's status with its gates, as of now."""

    def __init__(
        self,
        *,
        logbook: Logbook,
        senses: Senses,
        drive: Drive,
        clock: Clock,
        seat: Seat,
        identity: Identity,
        status_of: Callable[[str], FlagStatus],
    ) -> None:
        self._logbook = logbook
        self._senses = senses
        self._drive = drive
        self._clock = clock
        self._seat = seat
        self._status_of = status_of
        self._approving = Approving(
            logbook=logbook, clock=clock, seat=seat, identity=identity, carry_out=self._approved
        )
        self._moves: dict[str, tuple[str, str, Percent]] = {}
        self._requests: dict[str, str] = {}
        self.handlers: Mapping[type[Command], Callable[[Any], str]] = {
            asked.Advance: self._advance,
            **self._approving.handlers,
        }

    def running(self, command_id: str) -> bool:
        moves = {move_id for move_id, _, _ in self._moves.values()}
        return command_id in moves or command_id in self._requests.values()

    def look(self) -> None:
        """The driver's part in what waits for approvals."""
        self._approving.look()

    def settle(self, turn: Turn) -> None:
        """Forward moves end when their flag's write is settled by a reading, requests when they are over."""
        for request_id, command_id in list(self._requests.items()):
            request = self._logbook.flight.request
            if request is None or request.id != request_id:
                del self._requests[request_id]
                turn(command_id, CommandState.REFUSED, self._why_over(request_id))
        for key, (command_id, write_id, percent) in list(self._moves.items()):
            flag = self._logbook.flight.flag(key)
            if flag.pending is not None and flag.pending.write_id == write_id:
                if flag.pending.unknown:
                    turn(command_id, CommandState.UNKNOWN, f"{flag.pending.detail}; reading back")
                continue
            del self._moves[key]
            if flag.seen_exposure == percent and flag.asked == percent:
                turn(command_id, CommandState.DONE, f"{key} re-read at {percent}")
                self._tell_stage(key, write_id)
            else:
                turn(command_id, CommandState.REFUSED, flag.trouble or "not done")

    def _why_over(self, request_id: str) -> str:
        """Of the event that names the request; else what it asked for changed under it."""
        for event in reversed(self._logbook.kept):
            if event.body.get("request") == request_id and event.kind is not Kind.ADVANCE_REQUESTED:
                return f"{event.actor}: {line(event)[0]}"
        return "the request is over: the flag, the plan or the driver changed"

    def _tell_stage(self, key: str, write_id: str) -> None:
        flag = self._logbook.flight.flag(key)
        before = "?" if flag.asked_before is None else str(flag.asked_before)
        self._drive.announce_stage(key, before, str(flag.asked), flag.asked_by, write_id)

    def _advance(self, command: asked.Advance) -> str:
        wanted, needed = Percent(command.percent_hundredths), self._senses.plan.approvals
        status, value, before = self._checked(command.flag, wanted, approved=False)
        if needed > 1:
            gates = [gate.text for gate in status.gates if gate.name != GATE]
            request = self._approving.ask(command, before, needed, gates)
            self._requests[request.id] = command.id
            return f"asked for, {request.tally} people so far; a second person approves with A"
        return self._write(command.by, command.id, command.flag, wanted, status, value, before)

    def _approved(self, request: AdvanceRequest) -> str:
        status, value, before = self._checked(request.flag, request.percent, approved=True)
        command_id = self._requests.pop(request.id, request.id)
        return self._write(
            request.asker.operator,
            command_id,
            request.flag,
            request.percent,
            status,
            value,
            before,
            request=request.id,
        )

    def _checked(
        self, flag: str, wanted: Percent, *, approved: bool
    ) -> tuple[FlagStatus, FlagValue, Percent]:
        """The flag, its reading and its percentage, if it may go there now; else raises Refused."""
        if not self._seat.taken:
            raise Refused(f"{who_drives(self._logbook.flight.seat)}; D takes the seat")
        if self._logbook.flight.rollback is not None:
            raise Refused("no forward move while a rollback is open")
        if self._logbook.failure is not None or self._logbook.unsaved:
            raise Refused("no forward move while the journal cannot be written")
        spec = self._senses.plan.flags_by_key.get(flag)
        if spec is None:
            raise Refused(f"the plan has no flag {clean_text(flag)}")
        status = self._status_of(flag)
        value = status.configured.fresh_value(self._clock.now())
        if value is None or value.exposure is None:
            raise Refused(f"{flag} cannot be read plainly now")
        stage = next_stage(spec, value.exposure)
        if stage is None or stage.percent != wanted:
            raise Refused(f"the next stage is {stage.percent if stage else 'none'}, not {wanted}")
        open_gates = [gate for gate in status.gates if not gate.met and (approved or gate.name != GATE)]
        if open_gates:
            raise Refused(f"{len(open_gates)} gates not met: {open_gates[0].text}")
        return status, value, value.exposure

    def _write(
        self,
        by: str,
        command_id: str,
        flag: str,
        wanted: Percent,
        status: FlagStatus,
        value: FlagValue,
        before: Percent,
        *,
        request: str | None = None,
    ) -> str:
        order = forward(flag, wanted, value, self._senses.plan, ClockPair.of(self._clock))
        body = {
            "flag": flag,
            "percent": wanted.hundredths,
            "before": before.hundredths,
            "gates": [gate.text for gate in status.gates],
            "session": self._drive.session,
            "request": request,
        }
        drafts = [Draft(kind=Kind.FLAG_ASKED, body=body), intent(order, self._drive.session)]
        self._logbook.append(drafts, actor=by, at=self._clock.now(), must=False)
        self._moves[flag] = (command_id, order.write_id, wanted)
        self._drive.start(order)
        return f"writing {flag} {before} → {wanted}"
