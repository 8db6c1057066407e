"""Signing a checklist item, and taking a signature back. Both are journalled with a name."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from cockpit.core.checklist import ItemState, ItemStatus
from cockpit.core.clock import Clock
from cockpit.core.commands import SignItem, WithdrawSignature
from cockpit.core.snapshot import Snapshot
from cockpit.face.port import Port
from cockpit.face.screens.reason import Answers, Field, Form
from cockpit.face.view import Line, Role
from cockpit.face.view_checklist import ITEM_WORD
from cockpit.face.view_lines import row, wrapped

_NOTE = "note"


class SignSheet(Form):
    """An open item is signed, a signed one is withdrawn; which of both is fixed when the sheet opens."""

    def __init__(self, port: Port, clock: Clock, operator: str, item: ItemStatus) -> None:
        self._withdraws = item.state is ItemState.SIGNED
        needed = self._withdraws or bool(item.evidence)
        label = "reason" if self._withdraws else "what was seen"
        super().__init__(
            port,
            clock,
            title="WITHDRAW A SIGNATURE" if self._withdraws else "SIGN A CHECK",
            explain="" if self._withdraws else f"To be noted: {item.evidence}" if item.evidence else "",
            fields=(Field(name=_NOTE, label=label, required=needed),),
        )
        self._operator = operator
        self._item = item.name
        self._read = (item.title, item.evidence)

    def _status(self, snapshot: Snapshot) -> ItemStatus | None:
        return next((each for each in snapshot.checklist if each.name == self._item), None)

    def more_words(self, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
        status = self._status(snapshot)
        if status is None:
            return ()
        signed = f"  by {status.by}: {status.note}" if status.at is not None else ""
        return (
            *(row((text, Role.STRONG)) for text in wrapped(status.title, width, limit=3)),
            row(ITEM_WORD[status.state].segment, (signed, Role.DIM)),
            row(("your name  ", Role.DIM), (self._operator, Role.STRONG)),
        )

    def refusal(self, snapshot: Snapshot, now: datetime) -> str:
        """What is signed is what was read: not what the plan has become under the sheet."""
        status = self._status(snapshot)
        if status is None:
            return "this check is no longer in the plan"
        if (status.title, status.evidence) != self._read:
            return "the plan words this check differently now: leave, and read it again"
        if (status.state is ItemState.SIGNED) is not self._withdraws:
            return f"it is {ITEM_WORD[status.state].text} now: leave, and look again"
        return ""

    def send(self, answers: Answers) -> None:
        command_id, words = str(uuid4()), answers[_NOTE]
        if self._withdraws:
            withdrawal = WithdrawSignature(id=command_id, by=self._operator, item=self._item, reason=words)
            self.port.submit(withdrawal)
        else:
            self.port.submit(SignItem(id=command_id, by=self._operator, item=self._item, note=words))
