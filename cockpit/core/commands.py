"""What a person can ask the engine to do. Each command is a value with an id of its own.

Submitting the same id twice does the thing once. Commands say what is wanted, never how.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from cockpit.core.dataclass import dataclass
from cockpit.core.model import ForeignChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """id: unique per act (uuid text). by: the operator's name as shown in the journal."""

    id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance(Command):
    """Move one flag forward to `percent`, which must be its next stage. Passes the gates."""

    flag: str
    percent_hundredths: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveAdvance(Command):
    """A second person's yes to the forward move that was asked for, from their own cockpit."""

    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineAdvance(Command):
    """A person's no to it, with a reason."""

    request: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawAdvance(Command):
    """The driver does not ask for it any more."""

    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeSeat(Command):
    """Take the driver's seat from `seen`, the session that the person saw in it (empty: nobody).

    confirmed: a person meant to take it from a cockpit that lives.
    """

    seen: str
    confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSeat(Command):
    """Offer the seat to the cockpit of this session, which takes it or declines."""

    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineSeat(Command):
    """Not to take the seat that is offered here; by the driver: to withdraw the offer."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSeat(Command):
    """Leave the seat free. This cockpit does not take it back by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Command):
    """Stop the ramp of one flag here; `release` undoes it.

    accepts: the change by somebody else that a release takes over, as it was shown; None where none was. One
    that nobody was shown is never accepted.
    """

    flag: str
    reason: str
    release: bool = False
    accepts: ForeignChange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclareRollback(Command):
    """Start the countdown and flip. Empty `flags` means all flags. Passes no gate.

    goes_at: the end of the veto time by which it goes by itself, and only then; None: a person asks for it.
    """

    flags: tuple[str, ...] = ()
    reason: str = ""
    goes_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeReady(Command):
    """A sheet is open whose next key may roll these flags back (empty: all): what that needs is made ready,
    for a moment. Said again while it stays open; it changes nothing and is not answered."""

    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRollback(Command):
    """What a person decides about the rollback that was shown, by its id. It does nothing to a later one."""

    rollback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRollback(OnRollback):
    """Only possible before the first flag write has left."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSickLegacy(OnRollback):
    """The one question of the countdown: roll back onto a legacy that its probes call down?"""

    go: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DoStep(OnRollback):
    """Acknowledge a manual step, with a note."""

    step: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideStep(OnRollback):
    """Accept a machine step without its evidence; needs a reason."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryFlag(OnRollback):
    """Try again to bring one flag to zero after the machine's own attempts were refused."""

    flag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSecondLever(OnRollback):
    """Bring one flag to zero by its second lever. Where a person is the lever, `note` tells what was done."""

    flag: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveReason(OnRollback):
    """Name the reason (and the people) of an open rollback after the flip is on its way."""

    reason: str = ""
    commander: str = ""
    data_owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRollback(OnRollback):
    """Sign the rollback off. Refused while a line above is open."""

    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VetoProposal(Command):
    """A named person says no to the rollback that this signal proposes, with a reason. A proposal of another
    one that came meanwhile stands: nobody has looked at it."""

    signal: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideVerdict(Command):
    """Human judgement over UNDECIDED for one flag's next stage only: `percent`, as it was shown."""

    flag: str
    percent_hundredths: int
    signal: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNote(Command):
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollNow(Command):
    """Ask every source at once; rate-limited by the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakePlan(Command):
    """Take (or set aside) the changed plan whose digest was shown."""

    digest: str
    accept: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SignItem(Command):
    """Put one's name to a checklist item; `note` says what was seen."""

    item: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawSignature(Command):
    """Take the signature of an item back, whoever gave it; needs a reason."""

    item: str
    reason: str


class CommandState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStatus:
    """What became of a command: `text` says why it was refused or what was done."""

    id: str
    what: str
    state: CommandState
    text: str = ""
