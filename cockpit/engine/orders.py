"""What a person's command does: checked against the folded state, journalled, then carried out.

Every command ends as done, refused (with the reason) or unknown; none is lost and none happens twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cockpit.core import commands as asked
from cockpit.core.clean import clean_text
from cockpit.core.clock import Clock
from cockpit.core.commands import Command, CommandState, CommandStatus
from cockpit.core.driver import who_drives
from cockpit.core.events import Kind
from cockpit.core.rollback import IllegalEvent
from cockpit.core.rollout import next_stage
from cockpit.core.snapshot import FlagStatus
from cockpit.engine.advance_orders import AdvanceOrders
from cockpit.engine.checklist_orders import ChecklistOrders
from cockpit.engine.drive import Drive
from cockpit.engine.identity import Identity
from cockpit.engine.journal_port import Draft, JournalFailure, SequenceConflict
from cockpit.engine.logbook import Logbook
from cockpit.engine.rehearsal import Rehearsal
from cockpit.engine.rollback_orders import Refused, RollbackOrders
from cockpit.engine.seat import Seat
from cockpit.engine.seat_orders import SeatOrders
from cockpit.engine.senses import Senses

KEPT: Final = 12
ROUNDS: Final = 50
_ENDS: Final = (CommandState.DONE, CommandState.REFUSED)


class Orders:
    """Used from the engine's thread only. `status_of` gives the flag's status with its gates, as of now."""

    def __init__(
        self,
        *,
        logbook: Logbook,
        senses: Senses,
        drive: Drive,
        clock: Clock,
        status_of: Callable[[str], FlagStatus],
        seat: Seat,
        identity: Identity,
        poll_now: Callable[[], None],
        make_ready: Callable[[Sequence[str]], None],
        take_plan: Callable[[str, bool, Callable[[CommandState, str], None]], str],
    ) -> None:
        self._logbook = logbook
        self._senses = senses
        self._drive = drive
        self._clock = clock
        self._seat = seat
        self._poll_now = poll_now
        self._make_ready = make_ready
        self._take_plan = take_plan
        self._rollback = RollbackOrders(
            logbook=logbook, senses=senses, drive=drive, clock=clock, seat=seat, status_of=status_of
        )
        self._advances = AdvanceOrders(
            logbook=logbook,
            senses=senses,
            drive=drive,
            clock=clock,
            seat=seat,
            identity=identity,
            status_of=status_of,
        )
        self._rehearsal = Rehearsal(
            logbook=logbook, senses=senses, drive=drive, clock=clock, seat=seat, mode=identity.mode
        )
        self._rehearsed = ""
        self._taken: set[str] = set()
        self._statuses: dict[str, CommandStatus] = {}
        self._plans: set[str] = set()
        self._handlers: Mapping[type[Command], Callable[[Any], str]] = {
            asked.Hold: self._hold,
            asked.VetoProposal: self._veto,
            asked.OverrideVerdict: self._override_verdict,
            asked.AddNote: self._note,
            asked.PollNow: self._poll,
            asked.TakePlan: self._plan,
            **self._advances.handlers,
            **self._rollback.handlers,
            **ChecklistOrders(logbook, senses, clock).handlers,
            **SeatOrders(logbook=logbook, drive=drive, clock=clock, seat=seat).handlers,
        }

    @property
    def statuses(self) -> tuple[CommandStatus, ...]:
        return tuple(self._statuses.values())

    def carry_out(self, command: Command) -> None:
        """Do it once; the same id again does nothing."""
        if isinstance(command, asked.MakeReady):
            self._get_ready(command)
            return
        if command.id in self._taken:
            return
        self._taken.add(command.id)
        try:
            text = self._decided(command)
            running = command.id in self._plans or self._advances.running(command.id)
            state = CommandState.RUNNING if running else CommandState.DONE
        except (Refused, ValueError, IllegalEvent) as error:
            text, state = str(error), CommandState.REFUSED
        except JournalFailure as failure:
            text, state = f"the journal cannot be written: {failure.title}", CommandState.REFUSED
        except Exception as error:  # the command edge: one broken command must not swallow those behind it
            text, state = f"the cockpit's own fault: {type(error).__name__}", CommandState.REFUSED
        self._put(_status(command, state, clean_text(text)))

    def _get_ready(self, command: asked.MakeReady) -> None:
        """Again and again while a sheet is open; walked through once."""
        self._make_ready(command.flags)
        if self._rehearsed != command.id:
            self._rehearsed = command.id
            self._rehearsal.walk(command.flags)

    def _decided(self, command: Command) -> str:
        """Decide again, on the newer state, as often as somebody else's event came first."""
        for _ in range(ROUNDS):
            try:
                return self._handlers[type(command)](command)
            except SequenceConflict:
                continue
        raise Refused("others write to the journal all the time; try again")

    def refuse(self, commands: Sequence[Command], why: str) -> None:
        for command in commands:
            if isinstance(command, asked.MakeReady):
                continue
            self._taken.add(command.id)
            self._put(_status(command, CommandState.REFUSED, why))

    def settle(self) -> None:
        """What waits for readings or for people ends here."""
        self._advances.settle(self._turn)

    def look(self) -> None:
        """The driver's part in what waits for approvals."""
        self._advances.look()

    def _put(self, status: CommandStatus) -> None:
        self._statuses.pop(status.id, None)
        self._statuses[status.id] = status
        settled = [each for each in self._statuses.values() if each.state in _ENDS]
        for old in settled[: max(0, len(self._statuses) - KEPT)]:
            del self._statuses[old.id]

    def _turn(self, command_id: str, state: CommandState, text: str) -> None:
        status = self._statuses.get(command_id)
        if status is not None:
            self._put(CommandStatus(id=command_id, what=status.what, state=state, text=text))

    def _record(self, command: Command, kind: Kind, **body: object) -> None:
        draft = Draft(kind=kind, body=body)
        must = self._logbook.flight.rollback is not None
        self._logbook.append([draft], actor=command.by, at=self._clock.now(), must=must)

    def _driving(self) -> None:
        if not self._seat.taken:
            raise Refused(f"{who_drives(self._logbook.flight.seat)}; D takes the seat")

    def _hold(self, command: asked.Hold) -> str:
        self._driving()
        if command.flag not in self._senses.plan.flags_by_key:
            raise Refused(f"the plan has no flag {clean_text(command.flag)}")
        flag = self._logbook.flight.flag(command.flag)
        held = flag.held_by is not None
        if command.release != held:
            raise Refused(f"{command.flag} is {'held already' if held else 'not held'}")
        if command.release and flag.foreign is not None and flag.foreign != command.accepts:
            change = f"{flag.foreign.before} → {flag.foreign.after}"
            raise Refused(f"{command.flag} was changed by someone else meanwhile: {change}; look again")
        if command.release:
            self._record(command, Kind.ROLLOUT_RELEASED, flag=command.flag)
            return f"{command.flag} released"
        reason = clean_text(command.reason)
        if not reason:
            raise Refused("a hold needs a reason")
        self._record(command, Kind.ROLLOUT_HELD, flag=command.flag, reason=reason)
        return f"{command.flag} held"

    def _veto(self, command: asked.VetoProposal) -> str:
        proposal, reason = self._logbook.flight.proposal, clean_text(command.reason)
        if proposal is None:
            raise Refused("nothing is proposed")
        if proposal.signal != command.signal:
            raise Refused(f"another rollback is proposed now, for {proposal.signal}: look again")
        if not reason:
            raise Refused("a veto needs a reason")
        self._record(command, Kind.PROPOSAL_VETOED, signal=proposal.signal, reason=reason)
        return "vetoed"

    def _override_verdict(self, command: asked.OverrideVerdict) -> str:
        self._driving()
        spec, reason = self._senses.plan.flags_by_key.get(command.flag), clean_text(command.reason)
        if spec is None or command.signal not in {signal.name for signal in self._senses.plan.signals}:
            raise Refused("the plan has no such flag or signal")
        if not reason:
            raise Refused("an override needs a reason")
        value = self._senses.flags[command.flag].reading.fresh_value(self._clock.now())
        stage = next_stage(spec, value.exposure) if value is not None and value.exposure is not None else None
        if stage is None:
            raise Refused(f"{command.flag} has no next stage that could be told now")
        if stage.percent.hundredths != command.percent_hundredths:
            raise Refused(
                f"{command.flag} moved meanwhile: its next stage is {stage.percent} now; look again"
            )
        self._record(
            command,
            Kind.VERDICT_OVERRIDDEN,
            flag=command.flag,
            signal=command.signal,
            percent=stage.percent.hundredths,
            reason=reason,
        )
        return f"{command.signal} overridden for {command.flag} → {stage.percent} only"

    def _note(self, command: asked.AddNote) -> str:
        note = clean_text(command.text)
        if not note:
            raise Refused("an empty note")
        self._record(command, Kind.NOTE_ADDED, text=note)
        return "noted"

    def _poll(self, command: asked.PollNow) -> str:
        self._poll_now()
        return "asking every source"

    def _plan(self, command: asked.TakePlan) -> str:
        self._driving()
        if self._logbook.flight.rollback is not None:
            raise Refused("nothing reloads while a rollback is open")

        def ended(state: CommandState, text: str) -> None:
            self._plans.discard(command.id)
            self._turn(command.id, state, text)

        text = self._take_plan(command.digest, command.accept, ended)
        if command.accept:
            self._plans.add(command.id)
        return text


def _status(command: Command, state: CommandState, text: str) -> CommandStatus:
    return CommandStatus(id=command.id, what=type(command).__name__, state=state, text=text)
