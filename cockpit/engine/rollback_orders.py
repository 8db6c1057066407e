"""The commands of a rollback: declare, answer, tick, override, retry, explain, close, cancel.

Each is checked against the folded state and then journalled; the drive carries out what follows from it.
Declaring passes no gate and needs nobody's permission.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cockpit.core import commands as asked
from cockpit.core.clean import clean_text
from cockpit.core.clock import Clock
from cockpit.core.commands import Command
from cockpit.core.driver import How
from cockpit.core.events import Kind
from cockpit.core.rollback import Rollback, Step, all_dependants, layers, open_lines
from cockpit.core.rollback_steps import is_machine
from cockpit.core.snapshot import FlagStatus
from cockpit.core.spec import HookMoment, StepKey
from cockpit.engine.drive import Drive
from cockpit.engine.journal_port import Draft
from cockpit.engine.logbook import Logbook
from cockpit.engine.seat import Seat
from cockpit.engine.senses import Senses


class Refused(Exception):
    """The command cannot be done now; the text says why."""


class RollbackOrders:
    """Used from the engine's thread only."""

    def __init__(
        self,
        *,
        logbook: Logbook,
        senses: Senses,
        drive: Drive,
        clock: Clock,
        seat: Seat,
        status_of: Callable[[str], FlagStatus],
    ) -> None:
        self._status_of = status_of
        self._logbook = logbook
        self._senses = senses
        self._drive = drive
        self._clock = clock
        self._seat = seat
        self.handlers: Mapping[type[Command], Callable[[Any], str]] = {
            asked.DeclareRollback: self._declare,
            asked.CancelRollback: self._cancel,
            asked.AnswerSickLegacy: self._answer,
            asked.DoStep: self._do_step,
            asked.OverrideStep: self._override_step,
            asked.RetryFlag: self._retry,
            asked.PullSecondLever: self._pull,
            asked.GiveReason: self._explain,
            asked.CloseRollback: self._close,
        }

    def _record(self, command: Command, kind: Kind, **body: object) -> None:
        """A rollback's events happen even while they cannot be written."""
        draft = Draft(kind=kind, body=body)
        self._logbook.append([draft], actor=command.by, at=self._clock.now(), must=True)

    def _meant(self, command: asked.OnRollback) -> Rollback:
        """The open rollback, if it is the one that the person saw: another cockpit may have ended that
        one and declared the next while a reason was typed."""
        rollback = self._logbook.flight.rollback
        if rollback is None:
            raise Refused("no rollback is open")
        if rollback.id != command.rollback:
            raise Refused("that rollback is over, and this was not said of the one that is open now")
        return rollback

    def _declare(self, command: asked.DeclareRollback) -> str:
        """Passes no gate. Anybody may, from any state, until the plan's point of no return.

        While one is open, flags that it does not have yet are added to it: there is one countdown.
        Declaring takes the driver's seat in the same transaction: who declares carries it out.
        """
        plan, flight, now = self._senses.plan, self._logbook.flight, self._clock.now()
        if command.goes_at is not None:
            self._nobody_said_no(command.goes_at, now)
        needs = {flag.key: flag.depends_on for flag in plan.flags}
        scope = layers(needs, [key for key in command.flags or needs if key in needs])
        if flight.rollback is not None:
            scope = tuple((key, layer) for key, layer in scope if key not in flight.rollback.flags)
            if not scope:
                raise Refused(f"a rollback is open already, declared by {flight.rollback.declared_by}")
        limit = plan.rollback.point_of_no_return_at
        if limit is not None and now >= limit:
            raise Refused(
                f"the point of no return was {limit:%Y-%m-%d %H:%M} UTC: legacy cannot take traffic"
            )
        unknown = [key for key in command.flags if key not in needs]
        if unknown:
            raise Refused(f"the plan has no flag {clean_text(unknown[0])}")
        needed_by = all_dependants(needs)
        rows: list[dict[str, object]] = [
            {
                "flag": key,
                "layer": layer,
                "waits_for": list(needed_by.get(key, ())),
                "before": self._before(key, now),
            }
            for key, layer in scope
        ]
        if flight.rollback is not None:
            return self._widen(command, flight.rollback, rows)
        return self._begin(command, rows, now)

    def _nobody_said_no(self, goes_at: datetime, now: datetime) -> None:
        """What goes by itself is asked about again whenever somebody else's event came first: that may have
        been a veto, and who took the seat has a veto time of its own."""
        proposal, opened = self._logbook.flight.proposal, self._logbook.flight.rollback
        still = proposal is not None and proposal.goes_at == goes_at and proposal.due(now)
        if not still or opened is not None or not self._seat.taken:
            raise Refused("it does not go by itself any more: somebody decided otherwise")

    def _widen(
        self, command: asked.DeclareRollback, rollback: Rollback, rows: list[dict[str, object]]
    ) -> str:
        every = {*rollback.flags, *(row["flag"] for row in rows)}
        body = dict[str, object](
            rollback=rollback.id,
            flags=rows,
            whole=every >= self._senses.plan.flags_by_key.keys(),
            reason=clean_text(command.reason),
        )
        self._drive.declare([Draft(kind=Kind.ROLLBACK_WIDENED, body=body)], actor=command.by)
        return f"the open rollback widened by {len(rows)} to {len(every)} flags"

    def _begin(self, command: asked.DeclareRollback, rows: list[dict[str, object]], now: datetime) -> str:
        plan, flight = self._senses.plan, self._logbook.flight
        breach = flight.first_breach_at
        body = dict[str, object](
            rollback=str(uuid.uuid4()),
            flags=rows,
            whole=len(rows) == len(plan.flags),
            deadline_at=(now + timedelta(seconds=plan.rollback.budget_s)).isoformat(),
            escalate_at=(now + timedelta(seconds=plan.rollback.escalate_after_s)).isoformat(),
            first_breach_at=breach.isoformat() if breach is not None else None,
            reason=clean_text(command.reason) or (flight.proposal.text if flight.proposal else ""),
            steps=self._steps(),
        )
        declared = Draft(kind=Kind.ROLLBACK_DECLARED, body=body)
        seat = self._seat_for([str(each["flag"]) for each in rows])
        self._drive.declare([*seat, declared], actor=command.by)
        return f"rollback of {len(rows)} flags declared"

    def _seat_for(self, flags: Sequence[str]) -> tuple[Draft, ...]:
        """The seat, unless it is taken here already, or a living driver can write flags that this cockpit
        cannot: then that one carries it out."""
        if self._seat.taken:
            return ()
        blind = not all(self._drive.writable(self._senses.plan.flag(key).service) for key in flags)
        return () if blind and not self._seat.alone else (self._seat.draft(How.ROLLBACK),)

    def _before(self, key: str, now: datetime) -> int | None:
        """None where it is not known now: an old reading, or a write that nobody saw land."""
        if self._logbook.flight.flag(key).pending is not None:
            return None
        value = self._senses.flags[key].reading.fresh_value(now)
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
        rollback = self._meant(command)
        if rollback.flip_begun:
            raise Refused("the first write has left: going on is a new forward move, with gates")
        self._record(
            command, Kind.ROLLBACK_CANCELLED, rollback=rollback.id, reason=clean_text(command.reason)
        )
        self._drive.announce_all(HookMoment.CANCELLED, rollback)
        return "rollback cancelled, nothing was written"

    def _answer(self, command: asked.AnswerSickLegacy) -> str:
        rollback = self._meant(command)
        if not rollback.question:
            raise Refused("nothing was asked")
        if rollback.flip_begun:
            raise Refused("the flip is on its way already")
        self._record(command, Kind.ROLLBACK_ANSWERED, rollback=rollback.id, go=command.go)
        return "going on" if command.go else "holding the flip"

    def _do_step(self, command: asked.DoStep) -> str:
        rollback = self._meant(command)
        step = _step(rollback, command.step)
        if step.machine:
            raise Refused("evidence does this step; it can be overridden with a reason, not ticked")
        if step.key is StepKey.CLOSE:
            raise Refused("close is signed with its own key")
        evidence = clean_text(command.note) or "acknowledged"
        self._record(command, Kind.STEP_DONE, rollback=rollback.id, step=step.id, evidence=evidence)
        return evidence

    def _override_step(self, command: asked.OverrideStep) -> str:
        rollback = self._meant(command)
        step, reason = _step(rollback, command.step), clean_text(command.reason)
        if not step.machine:
            raise Refused("a person does this step; acknowledge it instead")
        if not reason:
            raise Refused("an override needs a reason")
        if step.key is StepKey.FLIP and not rollback.flip_begun:
            raise Refused("the flip has not been tried yet")
        self._record(command, Kind.STEP_OVERRIDDEN, rollback=rollback.id, step=step.id, reason=reason)
        return reason

    def _retry(self, command: asked.RetryFlag) -> str:
        rollback = self._meant(command)
        flip = next((flip for flip in rollback.flips if flip.flag == command.flag), None)
        if flip is None or not flip.retryable:
            raise Refused(f"{clean_text(command.flag)} has nothing to retry")
        known = command.flag in self._senses.plan.flags_by_key
        barred = self._status_of(command.flag).barred if known else ""
        if barred:
            raise Refused(f"{flip.detail}: {barred}")
        self._record(command, Kind.FLAG_RETRIED, rollback=rollback.id, flag=command.flag)
        return f"trying {command.flag} again"

    def _pull(self, command: asked.PullSecondLever) -> str:
        """Only while it is offered: a lever that is pulled beside one that works would hide which one did."""
        rollback, key = self._meant(command), clean_text(command.flag)
        flip = next((flip for flip in rollback.flips if flip.flag == command.flag), None)
        spec = self._senses.plan.flags_by_key.get(command.flag)
        if flip is None or spec is None or spec.second is None:
            raise Refused(f"{key} has no second lever in this rollback")
        status = self._status_of(command.flag).second
        if status is None or not status.offer:
            why = status.barred if status is not None else ""
            raise Refused(why or f"the second lever of {key} is not offered now: the first one is at work")
        second, body = (
            spec.second,
            {"rollback": rollback.id, "flag": command.flag, "takes_s": spec.second.takes_s},
        )
        if second.manual:
            note = clean_text(command.note)
            if not note:
                raise Refused("say what was done, and by whom if it was not you")
            self._record(command, Kind.LEVER_BY_HAND, **body, manual=second.manual, note=note)
            return f"{key}: done by hand, told by {command.by}; the drain has to prove it"
        self._record(
            command, Kind.LEVER_PULLED, **body, service=second.service, key=second.key, why=status.offer
        )
        return f"{key}: second lever {second.service} pulled"

    def _explain(self, command: asked.GiveReason) -> str:
        rollback = self._meant(command)
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
        rollback, now = self._meant(command), self._clock.now()
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


def _step(rollback: Rollback, step_id: str) -> Step:
    """The step, while it is open."""
    try:
        step = rollback.step(step_id)
    except KeyError:
        raise Refused(f"there is no step {clean_text(step_id)}") from None
    if step.settled:
        raise Refused(f"{step.title} is {step.state} already")
    return step
