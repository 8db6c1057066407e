"""The journal of two cockpits, read as a stranger would: who drove, who asked, who wrote.

`Record` follows the lines by itself. It uses the product's fold for what both must believe, and its own
reading of the lines for what nobody may do.
"""

from __future__ import annotations

from collections.abc import Sequence

from cockpit.core import commands as asked
from cockpit.core.commands import Command
from cockpit.core.events import Event, Kind
from cockpit.core.flight import Flight, apply
from cockpit.core.rollback import layers
from cockpit.core.spec import Plan
from tests.engine.stepping import Cockpit, SteppedJournal
from tests.safety.pair import Sent

_WRITE_EVENTS = (Kind.WRITE_INTENT, Kind.WRITE_OUTCOME)
_ENDS = (Kind.ROLLBACK_CANCELLED, Kind.ROLLBACK_CLOSED)


class Record:
    """Raises AssertionError where a line is not allowed.

    folded: what the events up to each seq fold to. given_up: writes that another cockpit waits for no longer.
    blind: rollback writes of a cockpit that could not write its journal; nobody else can know of these.
    """

    def __init__(self, book: SteppedJournal, plan: Plan) -> None:
        self._book = book
        self._plan = plan
        self.events: list[Event] = []
        self.folded = [Flight()]
        self.intents: dict[str, Event] = {}
        self.given_up: set[str] = set()
        self.blind: set[str] = set()
        self._holder = ""
        self._scope: set[str] | None = None
        self._unanswered: dict[str, str] = {}
        self._advances: list[tuple[str, int]] = []
        self._declared: list[frozenset[str]] = []

    @property
    def flight(self) -> Flight:
        return self.folded[-1]

    def given(self, command: Command) -> None:
        """What a person asked for; nothing else may be written."""
        if isinstance(command, asked.Advance):
            self._advances.append((command.flag, command.percent_hundredths))
        if isinstance(command, asked.DeclareRollback):
            needs = {flag.key: flag.depends_on for flag in self._plan.flags}
            scope = layers(needs, list(command.flags) or list(needs))
            self._declared.append(frozenset(key for key, _ in scope))

    def read_on(self) -> None:
        for event in self._book.everything()[len(self.events) :]:
            self._follow(event)
            self.folded.append(apply(self.flight, event))
            self.events.append(event)

    def last_write_event(self, flag: str, before: int) -> int:
        self.read_on()
        seqs = (
            event.seq
            for event in self.events
            if event.kind in _WRITE_EVENTS and event.body["flag"] == flag and event.seq < before
        )
        return max(seqs, default=0)

    def _follow(self, event: Event) -> None:
        body = event.body
        if event.kind is Kind.DRIVER_TAKEN:
            assert body["from"] == (self._holder or None), "taken from somebody who did not have it"
            self._holder = str(body["session"])
        elif event.kind is Kind.DRIVER_RELEASED:
            assert body["session"] == self._holder
            self._holder = ""
        elif event.kind is Kind.ROLLBACK_DECLARED:
            assert self._scope is None, "two rollbacks at once"
            self._scope = self._asked_for(event)
        elif event.kind is Kind.ROLLBACK_WIDENED:
            assert self._scope is not None
            self._scope |= self._asked_for(event)
        elif event.kind in _ENDS:
            self._scope = None
        elif event.kind is Kind.WRITE_INTENT:
            self._intended(event)
        elif event.kind is Kind.WRITE_OUTCOME:
            self._answered(str(body["flag"]), str(body["write_id"]), str(body["detail"]))

    def _asked_for(self, event: Event) -> set[str]:
        rows = event.body["flags"]
        assert isinstance(rows, list | tuple)
        flags = {str(row["flag"]) for row in rows}
        assert any(flags <= scope for scope in self._declared), "a rollback that nobody declared"
        return flags

    def _intended(self, event: Event) -> None:
        flag, action = str(event.body["flag"]), event.body["action"]
        assert event.body["session"] == self._holder, "a write by one who does not drive"
        assert flag not in self._unanswered, "a second write of a flag before the first has an outcome"
        self._unanswered[flag] = str(event.body["write_id"])
        self.intents[str(event.body["write_id"])] = event
        if action != "set":
            assert self._scope is not None and flag in self._scope, "a flag that nobody rolls back"
            return
        assert self._scope is None, "a forward intent behind a declaration"
        wanted = (flag, event.body["percent"])
        assert wanted in self._advances, "a forward write that nobody asked for"
        self._advances.remove(wanted)
        if self._plan.approvals > 1:
            self._two_said_yes(event)

    def _answered(self, flag: str, write_id: str, detail: str) -> None:
        """The answer to a write that was given up may still come, while it is the flag's last one."""
        late = write_id in self.given_up and flag not in self._unanswered
        last = max((each for each in self.intents.values() if each.body["flag"] == flag), key=_seq)
        assert last.body["write_id"] == write_id, "an answer to no write"
        assert late or self._unanswered.pop(flag) == write_id, "an answer to no write"
        if "ended before the answer" in detail:
            self.given_up.add(write_id)

    def _two_said_yes(self, intent: Event) -> None:
        move = self.events[-1]
        assert move.kind is Kind.FLAG_ASKED and move.body["flag"] == intent.body["flag"]
        named = [each for each in self.events if each.body.get("request") == move.body["request"]]
        yes = [each for each in named if each.kind in (Kind.ADVANCE_REQUESTED, Kind.ADVANCE_APPROVED)]
        assert yes[0].body["flag"] == intent.body["flag"] and yes[0].body["percent"] == intent.body["percent"]
        assert len({each.actor for each in yes}) >= 2, "two people"
        assert len({each.body["session"] for each in yes}) >= 2, "from two cockpits"

    def must_be_allowed(self, sent: Sent, cockpit: Cockpit, out: Sequence[Sent]) -> None:
        """A write arrives. Its intent is on the disk; what is still out of this flag was given up there.
        A step forward is its cockpit's to make at that very moment, as the journal says."""
        self.read_on()
        pending = cockpit.flight.flag(sent.flag).pending
        assert pending is not None and not pending.answered, "a write that its cockpit knows nothing of"
        assert (pending.action, pending.percent) == (sent.action, sent.percent)
        sent.write_id = pending.write_id
        assert sent.action != "set" or cockpit.flight.rollback is None, "a forward write in a known rollback"
        intent = self.intents.get(pending.write_id)
        if intent is None:
            assert cockpit.failing, "a write without an intent on the disk, and nobody is told"
            assert sent.action != "set", "a forward write without an intent on the disk"
            self.blind.add(pending.write_id)
            return
        assert intent.body["session"] == cockpit.identity.session, "somebody else's write"
        if sent.action == "set" and not cockpit.unsaved:
            assert self._holder == cockpit.identity.session, (
                "a step forward by one who does not drive any more"
            )
            assert self._scope is None, "a step forward while a rollback is open"
        beside = [each for each in out if each.flag == sent.flag]
        known = [each for each in beside if each.write_id not in self.given_up | self.blind]
        assert not known, "two writes in flight"
        assert not (beside and sent.action == "set"), "a forward write beside another"


def _seq(event: Event) -> int:
    return event.seq
