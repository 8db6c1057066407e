"""Human judgement in place of evidence: over an UNDECIDED verdict, or over a machine's step.

Both need a typed reason, count once, and are written to the journal with a name.
"""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from cockpit.core.clean import Percent
from cockpit.core.clock import Clock
from cockpit.core.commands import OverrideVerdict
from cockpit.core.model import Verdict
from cockpit.core.rollback import Step
from cockpit.core.snapshot import SignalStatus, Snapshot
from cockpit.face.port import Port
from cockpit.face.screens.reason import Answers, Field, Form
from cockpit.face.view import VERDICT_WORD, Line, Role
from cockpit.face.view_lines import joined, row, wrapped
from cockpit.face.view_sheets import flag_of, next_stage


def step_override(port: Port, clock: Clock, step: Step) -> Form:
    """Accept a machine step of a rollback without its evidence. The answer is `reason`."""
    return Form(
        port,
        clock,
        title=f"OVERRIDE: {step.title}",
        explain=joined(
            ("The machine has not seen this done.", step.evidence, "Your reason is recorded."), " "
        ),
        fields=(Field(name="reason", label="reason", required=True),),
    )


class OverrideSheet(Form):
    """Your judgement over one UNDECIDED signal, for one flag's next stage only."""

    def __init__(self, port: Port, clock: Clock, operator: str, *, flag: str, signal: str) -> None:
        super().__init__(
            port,
            clock,
            title="OVERRIDE UNDECIDED",
            explain="The judge cannot tell yet. Your judgement counts for the next stage of this flag only.",
            fields=(Field(name="reason", label="reason", required=True),),
        )
        self._operator = operator
        self._flag = flag
        self._signal = signal
        self._for = self._next(port.latest())

    def _next(self, snapshot: Snapshot) -> Percent | None:
        flag = flag_of(snapshot, self._flag)
        stage = next_stage(flag) if flag is not None else None
        return None if stage is None else stage.percent

    def _status(self, snapshot: Snapshot) -> SignalStatus | None:
        return next((each for each in snapshot.signals if each.name == self._signal), None)

    def more_words(self, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
        status = self._status(snapshot)
        to = f" → {self._for}" if self._for is not None else ""
        aim = row(("flag    ", Role.DIM), (f"{self._flag}{to}", Role.STRONG))
        if status is None:
            return (aim,)
        word = VERDICT_WORD[status.evidence.verdict]
        verdict = row(("signal  ", Role.DIM), (f"{status.title}  ", Role.STRONG), word.segment)
        return (aim, verdict, *(row(text) for text in wrapped(status.evidence.text, width, limit=3)))

    def refusal(self, snapshot: Snapshot, now: datetime) -> str:
        status = self._status(snapshot)
        if status is None:
            return "this signal is no longer in the plan"
        if status.evidence.verdict is not Verdict.UNDECIDED:
            return f"{VERDICT_WORD[status.evidence.verdict].text} is not to be overridden: only UNDECIDED is"
        if self._for is None or self._next(snapshot) != self._for:
            return "its next stage is not the one that was shown any more: look again"
        return ""

    def send(self, answers: Answers) -> None:
        if self._for is None:
            return
        self.port.submit(
            OverrideVerdict(
                id=str(uuid4()),
                by=self._operator,
                flag=self._flag,
                percent_hundredths=self._for.hundredths,
                signal=self._signal,
                reason=answers["reason"],
            )
        )
