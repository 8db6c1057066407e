"""A forward move that waits for a second person: yes by typing the flag's name, no with a reason.

The one who asked sees who has answered, and can withdraw.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import uuid4

from textual.binding import Binding, BindingType

from cockpit.core.approvals import GATE, AdvanceRequest
from cockpit.core.clock import Clock
from cockpit.core.commands import ApproveAdvance, DeclineAdvance, WithdrawAdvance
from cockpit.core.snapshot import Snapshot
from cockpit.face.port import Port
from cockpit.face.screens.reason import Answers, Field, Form
from cockpit.face.view import Line, Role
from cockpit.face.view_lines import row
from cockpit.face.view_seat import request_lines, request_refusal
from cockpit.face.view_sheets import flag_of, gate_lines

_OWN_GATES = (GATE, "writer")


class RequestSheet(Form):
    """`asked` is the request as it was shown: an answer is to that one and to no other."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f3", "refuse", "decline or withdraw", priority=True),
    ]

    def __init__(self, port: Port, clock: Clock, operator: str, asked: AdvanceRequest) -> None:
        super().__init__(
            port,
            clock,
            title="A SECOND PERSON IS ASKED TO APPROVE",
            fields=(Field(name="flag", label="flag", exactly=asked.flag),),
        )
        self._operator = operator
        self._asked = asked

    def _open(self, snapshot: Snapshot) -> AdvanceRequest | None:
        request = snapshot.request
        return request if request is not None and request.id == self._asked.id else None

    def more_words(self, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
        request = self._open(snapshot)
        if request is None:
            return (row((self._asked.flag, Role.STRONG), (": this is not asked for any more", Role.WARN)),)
        flag = flag_of(snapshot, request.flag)
        seen = () if flag is None else gate_lines(flag, now, width, but=_OWN_GATES)
        key, act = ("F3 ", "withdraw the request" if self._mine(snapshot) else "decline, with a reason")
        return (*request_lines(request, now), row((key, Role.KEY), (act, Role.DIM)), (), *seen)

    def _mine(self, snapshot: Snapshot) -> bool:
        return snapshot.seat is not None and snapshot.seat.session == self._asked.asker.session

    def refusal(self, snapshot: Snapshot, now: datetime) -> str:
        if self._open(snapshot) is None:
            return "this is not asked for any more"
        return request_refusal(snapshot, self._operator, now)

    def send(self, answers: Answers) -> None:
        self.port.submit(ApproveAdvance(id=str(uuid4()), by=self._operator, request=self._asked.id))

    def action_refuse(self) -> None:
        snapshot = self.port.latest()
        if self._open(snapshot) is None or snapshot.read_only:
            return
        if self._mine(snapshot):
            self.port.submit(WithdrawAdvance(id=str(uuid4()), by=self._operator, request=self._asked.id))
            self.dismiss(None)
            return
        form = Form(
            self.port,
            self.clock,
            title="DECLINE WHAT IS ASKED FOR",
            explain=f"{self._asked.flag} to {self._asked.percent}, asked by {self._asked.asker.name}",
            fields=(Field(name="reason", label="reason", required=True),),
        )

        def answered(answers: Answers | None) -> None:
            if answers is not None:
                no = DeclineAdvance(
                    id=str(uuid4()), by=self._operator, request=self._asked.id, reason=answers["reason"]
                )
                self.port.submit(no)
                self.dismiss(None)

        self.app.push_screen(form, answered)
