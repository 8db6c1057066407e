"""Signing the checklist: from any cockpit that flies, by a person with a name, never by the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cockpit.core import commands as asked
from cockpit.core.checklist import ItemSpec
from cockpit.core.clean import clean_text
from cockpit.core.clock import Clock
from cockpit.core.commands import Command
from cockpit.core.events import Kind
from cockpit.engine.journal_port import Draft
from cockpit.engine.logbook import Logbook
from cockpit.engine.rollback_orders import Refused
from cockpit.engine.senses import Senses


class ChecklistOrders:
    """Used from the engine's thread only."""

    def __init__(self, logbook: Logbook, senses: Senses, clock: Clock) -> None:
        self._logbook = logbook
        self._senses = senses
        self._clock = clock
        self.handlers: Mapping[type[Command], Callable[[Any], str]] = {
            asked.SignItem: self._sign,
            asked.WithdrawSignature: self._withdraw,
        }

    def _sign(self, command: asked.SignItem) -> str:
        spec, note = self._item(command.item), clean_text(command.note)
        if spec.evidence and not note:
            raise Refused(f"a note is needed: {spec.evidence}")
        body = {
            "item": spec.name,
            "title": spec.title,
            "wording": spec.wording,
            "environment": self._senses.plan.environment,
            "note": note,
        }
        self._record(command, Kind.CHECK_SIGNED, body)
        return f"signed: {spec.title}"

    def _withdraw(self, command: asked.WithdrawSignature) -> str:
        spec, reason = self._item(command.item), clean_text(command.reason)
        if spec.name not in self._logbook.flight.signatures:
            raise Refused("nobody has signed it")
        if not reason:
            raise Refused("a withdrawal needs a reason")
        body = {"item": spec.name, "title": spec.title, "reason": reason}
        self._record(command, Kind.CHECK_WITHDRAWN, body)
        return f"signature withdrawn: {spec.title}"

    def _item(self, name: str) -> ItemSpec:
        for spec in self._senses.plan.checklist:
            if spec.name == name:
                return spec
        raise Refused(f"the plan has no checklist item {clean_text(name)}")

    def _record(self, command: Command, kind: Kind, body: Mapping[str, object]) -> None:
        must = self._logbook.flight.rollback is not None
        draft = Draft(kind=kind, body=body)
        self._logbook.append([draft], actor=command.by, at=self._clock.now(), must=must)
