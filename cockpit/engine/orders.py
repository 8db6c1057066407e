"""What a person's command does: checked against the folded state, journalled, then carried out.

Every command ends as done, refused (with the reason) or unknown; none is lost and none happens twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from cockpit.core import commands as asked
from cockpit.core.clean import Percent, clean_text
from cockpit.core.clock import Clock
from cockpit.core.commands import Command, CommandState, CommandStatus
from cockpit.core.events import Kind
from cockpit.core.rollback import Rollback, dependants, layers, open_lines
from cockpit.core.rollback_steps import is_machine
from cockpit.core.rollout import next_stage
from cockpit.core.snapshot import FlagStatus
from cockpit.core.spec import HookMoment
from cockpit.engine.drive import Drive, intent_body
from cockpit.engine.journal_port import Draft, JournalFailure, SequenceConflict
from cockpit.engine.logbook import Logbook
from cockpit.engine.senses import Senses

KEPT: Final = 12


class Refused(Exception):
    """The command cannot be done now; the text says why."""


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
        may_act: Callable[[], bool],
        poll_now: Callable[[], None],
        take_plan: Callable[[str, bool], str],
    ) -> None:
        self._logbook = logbook
        self._senses = senses
        self._drive = drive
        self._clock = clock
        self._status_of = status_of
        self._may_act = may_act
        self._poll_now = poll_now
        self._take_plan = take_plan
        self._statuses: dict[str, CommandStatus] = {}
        self._moves: dict[str, tuple[str, str, Percent]] = {}
        self._handlers: Mapping[type[Command], Callable[[Any], str]] = {
            asked.Advance: self._advance,
            asked.Hold: self._hold,
            asked.DeclareRollback: self._declare,
            asked.CancelRollback: self._cancel,
            asked.AnswerSickLegacy: self._answer,
            asked.DoStep: self._do_step,
            asked.OverrideStep: self._override_step,
            asked.RetryFlag: self._retry,
            asked.GiveReason: self._explain,
            asked.CloseRollback: self._close,
            asked.VetoProposal: self._veto,
            asked.OverrideVerdict: self._override_verdict,
            asked.AddNote: self._note,
            asked.PollNow: self._poll,
            asked.TakePlan: self._plan,
        }

    @property
    def statuses(self) -> tuple[CommandStatus, ...]:
        return tuple(self._statuses.values())

    def queued(self, command: Command) -> None:
        self._statuses.setdefault(command.id, _status(command, CommandState.QUEUED, ""))

    def carry_out(self, command: Command) -> None:
        """Do it once; the same id again does nothing."""
        known = self._statuses.get(command.id)
        if known is not None and known.state is not CommandState.QUEUED:
            return
        try:
            text = self._handlers[type(command)](command)
            running = command.id in {command_id for command_id, _, _ in self._moves.values()}
            state = CommandState.RUNNING if running else CommandState.DONE
        except (Refused, ValueError) as error:
            text, state = str(error), CommandState.REFUSED
        except SequenceConflict:
            text, state = "somebody else acted first; look again", CommandState.REFUSED
        except JournalFailure as failure:
            text, state = f"the journal cannot be written: {failure.title}", CommandState.REFUSED
        self._put(_status(command, state, text))

    def refuse(self, command: Command, why: str) -> None:
        self._put(_status(command, CommandState.REFUSED, why))

    def settle(self) -> None:
        """Forward moves end when their flag's write is settled by a reading."""
        for key, (command_id, write_id, percent) in list(self._moves.items()):
            flag = self._logbook.flight.flag(key)
            if flag.pending is not None and flag.pending.write_id == write_id:
                if flag.pending.unknown:
                    self._turn(command_id, CommandState.UNKNOWN, f"{flag.pending.detail}; reading back")
                continue
            del self._moves[key]
            if flag.seen_exposure == percent and flag.asked == percent:
                self._turn(command_id, CommandState.DONE, f"{key} re-read at {percent}")
                self._tell_stage(key, write_id)
            else:
                self._turn(command_id, CommandState.REFUSED, flag.trouble or "not done")

    def _tell_stage(self, key: str, write_id: str) -> None:
        flag = self._logbook.flight.flag(key)
        before = "?" if flag.asked_before is None else str(flag.asked_before)
        self._drive.announce_stage(key, before, str(flag.asked), flag.asked_by, write_id)

    def _put(self, status: CommandStatus) -> None:
        self._statuses.pop(status.id, None)
        self._statuses[status.id] = status
        while len(self._statuses) > KEPT:
            self._statuses.pop(next(iter(self._statuses)))

    def _turn(self, command_id: str, state: CommandState, text: str) -> None:
        status = self._statuses.get(command_id)
        if status is not None:
            self._put(CommandStatus(id=command_id, what=status.what, state=state, text=text))

    def _record(self, command: Command, kind: Kind, **body: object) -> None:
        draft = Draft(kind=kind, body=body)
        must = self._logbook.flight.rollback is not None or kind is Kind.ROLLBACK_DECLARED
        self._logbook.append([draft], actor=command.by, at=self._clock.now(), must=must)

    def _open_rollback(self) -> Rollback:
        rollback = self._logbook.flight.rollback
        if rollback is None:
            raise Refused("no rollback is open")
        return rollback

    def _driving(self) -> None:
        if not self._may_act():
            raise Refused("another cockpit on this host drives this plan")

    def _advance(self, command: asked.Advance) -> str:
        self._driving()
        if self._logbook.flight.rollback is not None:
            raise Refused("no forward move while a rollback is open")
        if self._logbook.failure is not None or self._logbook.unsaved:
            raise Refused("no forward move while the journal cannot be written")
        spec = self._senses.plan.flags_by_key.get(command.flag)
        if spec is None:
            raise Refused(f"the plan has no flag {clean_text(command.flag)}")
        status, wanted = self._status_of(command.flag), Percent(command.percent_hundredths)
        value = status.configured.fresh_value(self._clock.now())
        if value is None or value.exposure is None:
            raise Refused(f"{command.flag} cannot be read plainly now")
        stage = next_stage(spec, value.exposure)
        if stage is None or stage.percent != wanted:
            raise Refused(f"the next stage is {stage.percent if stage else 'none'}, not {wanted}")
        unmet = [gate.text for gate in status.gates if not gate.met]
        if unmet:
            raise Refused(f"{len(unmet)} gates not met: {unmet[0]}")
        order = self._drive.forward_order(command.flag, wanted, value)
        drafts = [
            Draft(
                kind=Kind.FLAG_ASKED,
                body={
                    "flag": command.flag,
                    "percent": wanted.hundredths,
                    "before": value.exposure.hundredths,
                },
            ),
            Draft(kind=Kind.WRITE_INTENT, body=intent_body(order)),
        ]
        self._logbook.append(drafts, actor=command.by, at=self._clock.now(), must=False)
        self._moves[command.flag] = (command.id, order.write_id, wanted)
        self._drive.start(order)
        return f"writing {command.flag} {value.exposure} -> {wanted}"

    def _hold(self, command: asked.Hold) -> str:
        self._driving()
        if command.flag not in self._senses.plan.flags_by_key:
            raise Refused(f"the plan has no flag {clean_text(command.flag)}")
        held = self._logbook.flight.flag(command.flag).held_by is not None
        if command.release != held:
            raise Refused(f"{command.flag} is {'held already' if held else 'not held'}")
        if command.release:
            self._record(command, Kind.ROLLOUT_RELEASED, flag=command.flag)
            return f"{command.flag} released"
        reason = clean_text(command.reason)
        if not reason:
            raise Refused("a hold needs a reason")
        self._record(command, Kind.ROLLOUT_HELD, flag=command.flag, reason=reason)
        return f"{command.flag} held"

    def _declare(self, command: asked.DeclareRollback) -> str:
        """Passes no gate. Anybody may, from any state, until the plan's point of no return."""
        plan, flight, now = self._senses.plan, self._logbook.flight, self._clock.now()
        if flight.rollback is not None:
            raise Refused(f"a rollback is open already, declared by {flight.rollback.declared_by}")
        limit = plan.rollback.point_of_no_return_at
        if limit is not None and now >= limit:
            raise Refused(
                f"the point of no return was {limit:%Y-%m-%d %H:%M} UTC: legacy cannot take traffic"
            )
        unknown = [key for key in command.flags if key not in plan.flags_by_key]
        if unknown:
            raise Refused(f"the plan has no flag {clean_text(unknown[0])}")
        needs = {flag.key: flag.depends_on for flag in plan.flags}
        scope = layers(needs, command.flags or tuple(needs))
        breach = flight.first_breach_at
        self._record(
            command,
            Kind.ROLLBACK_DECLARED,
            rollback=str(uuid.uuid4()),
            flags=[
                {
                    "flag": key,
                    "layer": layer,
                    "waits_for": list(dependants(needs, key)),
                    "before": self._before(key),
                }
                for key, layer in scope
            ],
            whole=len(scope) == len(plan.flags),
            deadline_at=(now + timedelta(seconds=plan.rollback.budget_s)).isoformat(),
            escalate_at=(now + timedelta(seconds=plan.rollback.escalate_after_s)).isoformat(),
            first_breach_at=breach.isoformat() if breach is not None else None,
            reason=clean_text(command.reason) or (flight.proposal.text if flight.proposal else ""),
            steps=self._steps(),
        )
        self._drive.declared()
        return f"rollback of {len(scope)} flags declared"

    def _before(self, key: str) -> int | None:
        value = self._senses.flags[key].reading.value
        exposure = value.exposure if value is not None else None
        return None if exposure is None else exposure.hundredths

    def _steps(self) -> list[dict[str, object]]:
        plan = self._senses.plan
        return [
            {
                "id": step.id,
                "key": step.key.value,
                "title": step.title,
                "budget_s": step.budget_s,
                "text": step.text,
                "machine": is_machine(step.key, plan.rollback, hooks=bool(plan.announce)),
            }
            for step in plan.rollback.steps
        ]

    def _cancel(self, command: asked.CancelRollback) -> str:
        rollback = self._open_rollback()
        if rollback.flip_begun:
            raise Refused("the first write has left: going on is a new forward move, with gates")
        self._record(
            command, Kind.ROLLBACK_CANCELLED, rollback=rollback.id, reason=clean_text(command.reason)
        )
        self._drive.announce_all(HookMoment.CANCELLED, rollback)
        return "rollback cancelled, nothing was written"

    def _answer(self, command: asked.AnswerSickLegacy) -> str:
        rollback = self._open_rollback()
        if not rollback.question:
            raise Refused("nothing was asked")
        self._record(command, Kind.ROLLBACK_ANSWERED, rollback=rollback.id, go=command.go)
        return "going on" if command.go else "holding the flip"

    def _do_step(self, command: asked.DoStep) -> str:
        rollback = self._open_rollback()
        step = _step(rollback, command.step)
        if step.machine:
            raise Refused("evidence does this step; it can be overridden with a reason, not ticked")
        if step.id in {line.id for line in rollback.steps if line.key.value == "close"}:
            raise Refused("close is signed with its own key")
        evidence = clean_text(command.note) or "acknowledged"
        self._record(command, Kind.STEP_DONE, rollback=rollback.id, step=step.id, evidence=evidence)
        return f"{step.title}: done"

    def _override_step(self, command: asked.OverrideStep) -> str:
        rollback = self._open_rollback()
        step, reason = _step(rollback, command.step), clean_text(command.reason)
        if not step.machine:
            raise Refused("a person does this step; acknowledge it instead")
        if not reason:
            raise Refused("an override needs a reason")
        if step.key.value == "flip" and not rollback.flip_begun:
            raise Refused("the flip has not been tried yet")
        self._record(command, Kind.STEP_OVERRIDDEN, rollback=rollback.id, step=step.id, reason=reason)
        return f"{step.title}: overridden"

    def _retry(self, command: asked.RetryFlag) -> str:
        rollback = self._open_rollback()
        flip = next((flip for flip in rollback.flips if flip.flag == command.flag), None)
        if flip is None or not flip.exhausted:
            raise Refused(f"{clean_text(command.flag)} has nothing to retry")
        self._record(command, Kind.FLAG_RETRIED, rollback=rollback.id, flag=command.flag)
        return f"trying {command.flag} again"

    def _explain(self, command: asked.GiveReason) -> str:
        rollback = self._open_rollback()
        self._record(
            command,
            Kind.ROLLBACK_EXPLAINED,
            rollback=rollback.id,
            reason=clean_text(command.reason),
            commander=clean_text(command.commander),
            data_owner=clean_text(command.data_owner),
        )
        return "noted"

    def _close(self, command: asked.CloseRollback) -> str:
        rollback, now = self._open_rollback(), self._clock.now()
        waiting = open_lines(rollback)
        if waiting:
            raise Refused(f"still open: {', '.join(step.title for step in waiting)}")
        overrun_s = max(0.0, -rollback.left(now).total_seconds())
        self._record(
            command,
            Kind.ROLLBACK_CLOSED,
            rollback=rollback.id,
            note=clean_text(command.note),
            overrun_s=round(overrun_s, 1),
        )
        self._drive.announce_all(HookMoment.CLOSED, rollback)
        return "rollback closed"

    def _veto(self, command: asked.VetoProposal) -> str:
        proposal, reason = self._logbook.flight.proposal, clean_text(command.reason)
        if proposal is None:
            raise Refused("nothing is proposed")
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
        self._record(
            command,
            Kind.VERDICT_OVERRIDDEN,
            flag=command.flag,
            signal=command.signal,
            percent=stage.percent.hundredths,
            reason=reason,
        )
        return f"{command.signal} overridden for {command.flag} -> {stage.percent} only"

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
        return self._take_plan(command.digest, command.accept)


def _step(rollback: Rollback, step_id: str) -> Any:
    try:
        return rollback.step(step_id)
    except KeyError:
        raise Refused(f"there is no step {clean_text(step_id)}") from None


def _status(command: Command, state: CommandState, text: str) -> CommandStatus:
    return CommandStatus(id=command.id, what=type(command).__name__, state=state, text=text)
