"""A proposal that goes by itself, where the plan says so, when nobody said no in its veto time.

It goes only if a person could have said no: this process showed it for the whole veto time by the steady
clock (a host that slept showed nothing), the journal took vetoes, and the plan flown now still wants it.
And only while its cause and legacy are seen: what is gone, or out of sight, rolls nothing back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from cockpit.core import commands as asked
from cockpit.core.clock import Clock
from cockpit.core.clocks import JUMP_S
from cockpit.core.commands import Command
from cockpit.core.events import MACHINE
from cockpit.core.model import Freshness, Health
from cockpit.core.snapshot import Level, Proposal, Reason
from cockpit.core.spec import AutoRollback
from cockpit.engine.facts import legacy_fact
from cockpit.engine.logbook import Logbook
from cockpit.engine.lookout import tripped
from cockpit.engine.picture import signal_statuses
from cockpit.engine.senses import Senses


class VetoTime:
    """Used from the engine's thread only, by the cockpit that drives."""

    def __init__(
        self, *, logbook: Logbook, senses: Senses, clock: Clock, carry_out: Callable[[Command], None]
    ) -> None:
        self._logbook = logbook
        self._senses = senses
        self._clock = clock
        self._carry_out = carry_out
        self._shown: tuple[datetime, float] | None = None

    def look(self) -> None:
        """Declare the rollback whose veto time is over. Once for each time that a proposal names."""
        proposal = self._waiting()
        if proposal is None or proposal.goes_at is None:
            return
        if self._shown is None or self._shown[0] != proposal.goes_at:
            self._shown = proposal.goes_at, self._clock.monotonic()
        if proposal.due(self._clock.now()) and not self._why_not(proposal):
            command_id = f"veto time of {proposal.signal} until {proposal.goes_at.isoformat()}"
            reason = f"nobody vetoed in time: {proposal.text}"
            goes_at = proposal.goes_at
            command = asked.DeclareRollback(id=command_id, by=MACHINE, reason=reason, goes_at=goes_at)
            self._carry_out(command)

    def reasons(self) -> Iterator[Reason]:
        """That a time is over and nothing goes by itself has to be said: people may be waiting for it."""
        proposal = self._waiting()
        if proposal is None or not proposal.due(self._clock.now()):
            return
        why = self._why_not(proposal)
        if why:
            what = f"is over, but nothing goes by itself: {why}; decide now"
            yield Reason(level=Level.WARN, subject="veto time", what=what, since=proposal.goes_at)

    def _waiting(self) -> Proposal | None:
        flight = self._logbook.flight
        return flight.proposal if flight.rollback is None else None

    def _why_not(self, proposal: Proposal) -> str:
        spec, now = self._senses.plan.rollback, self._clock.now()
        if spec.auto is not AutoRollback.VETO:
            return "the plan leaves it to people now"
        if self._logbook.failure is not None or self._logbook.unsaved:
            return "the journal cannot be written, so nobody could veto"
        if self._shown is None or self._clock.monotonic() - self._shown[1] < spec.veto_s - JUMP_S:
            return "it was not on the screen for its whole time yet"
        statuses = signal_statuses(self._senses, now)
        cause = next((each for each in statuses if each.name == proposal.signal), None)
        if cause is None or cause.reading.freshness(now) is not Freshness.FRESH:
            return f"{proposal.signal} cannot be seen now"
        if legacy_fact(self._senses, now).health is Health.UNKNOWN:
            return "legacy cannot be seen, and no machine sends everybody there unseen"
        return "" if tripped(cause) else "its cause is gone"
