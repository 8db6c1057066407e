"""The journal's vocabulary: what happened, in order, and who did it.

An event is a fact that was written down before anything was built on it. State is a fold of events
(`flight`, `rollback`). Bodies hold only JSON values: text, numbers, booleans, null, lists, objects;
instants are ISO 8601 text in UTC, percentages are whole hundredths, lengths are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from cockpit.core.dataclass import dataclass

MACHINE: Final = "cockpit"


class Kind(StrEnum):
    """Event kinds; the comment lists the body's fields."""

    FLIGHT_OPENED = "flight.opened"  # plan_title, plan_digest, environment, mode, host, version
    FLIGHT_RESUMED = "flight.resumed"  # the same
    FLIGHT_ENDED = "flight.ended"  # why
    OPERATOR_LOST = "operator.lost"  # why
    DRIVER_TAKEN = "driver.taken"  # session, host, how, from (session or null), from_name
    DRIVER_RELEASED = "driver.released"  # session, why
    DRIVER_OFFERED = "driver.offered"  # session, to (session), to_name
    DRIVER_DECLINED = "driver.declined"  # session (of who declines, or of the driver who withdraws), why
    PLAN_TAKEN = "plan.taken"  # digest, diff
    # flag, percent, before, gates [text]: as they were met, session, request (or null)
    FLAG_ASKED = "flag.asked"
    # request, flag, percent, before, needed, lapses_at, gates [text], session, host
    ADVANCE_REQUESTED = "advance.requested"
    ADVANCE_APPROVED = "advance.approved"  # request, session, host
    ADVANCE_DECLINED = "advance.declined"  # request, session, host, reason
    ADVANCE_WITHDRAWN = "advance.withdrawn"  # request, session, why
    # write_id, flag, action (set|kill|zero), percent, rollback (id or null), lever (first|second), service,
    # limit_s (how long its answer is waited for), session
    WRITE_INTENT = "write.intent"
    # write_id, flag, action, outcome (done|refused|unknown), detail, took_s, lost (true: its cockpit ended),
    # lever, unsent (true: refused because no byte of it left), again_after_s (service asked to wait, or null)
    WRITE_OUTCOME = "write.outcome"
    # flag, exposure, rollback (id or null), lever: a read that settles a write or sets out
    FLAG_SEEN = "flag.seen"
    FLAG_FOREIGN = "flag.foreign"  # flag, before, after, who, raised, exposure
    ROLLOUT_HELD = "rollout.held"  # flag, reason
    ROLLOUT_RELEASED = "rollout.released"  # flag
    VERDICT_CHANGED = "verdict.changed"  # signal, verdict, text
    VERDICT_OVERRIDDEN = "verdict.overridden"  # flag, signal, percent, reason
    LIMIT_BREACHED = "limit.breached"  # signal, value, limit
    LIMIT_CLEARED = "limit.cleared"  # signal
    PROBE_CHANGED = "probe.changed"  # side, probe, health, detail
    SOURCE_LOST = "source.lost"  # source, title
    SOURCE_BACK = "source.back"  # source
    PROPOSAL_RAISED = "proposal.raised"  # signal, text, value, limit, since, goes_at
    PROPOSAL_CLEARED = "proposal.cleared"  # signal, veto_over (true: its veto has run out)
    PROPOSAL_VETOED = "proposal.vetoed"  # signal, reason
    # rollback, flags [{flag, layer, waits_for, before}], whole, deadline_at, escalate_at, first_breach_at,
    # reason, steps [{id, key, title, budget_s, text, machine}]
    ROLLBACK_DECLARED = "rollback.declared"
    # rollback, flags [{flag, layer, waits_for, before}]: those that come along too, whole, reason
    ROLLBACK_WIDENED = "rollback.widened"
    ROLLBACK_ASKED = "rollback.asked"  # rollback, question
    ROLLBACK_ANSWERED = "rollback.answered"  # rollback, go
    ROLLBACK_CUT = "rollback.cut"  # rollback, counters [[name, value or null]]
    ROLLBACK_DRAINED = "rollback.drained"  # rollback, flag, share_pct (or null: not observable), note
    ROLLBACK_COUNTED = "rollback.counted"  # rollback, counters [[name, value]] that the cut mark did not have
    ROLLBACK_DELTA = "rollback.delta"  # rollback, deltas [{name, count, note}]
    ROLLBACK_EXPLAINED = "rollback.explained"  # rollback, reason, commander, data_owner
    ROLLBACK_ESCALATED = "rollback.escalated"  # rollback, why
    ROLLBACK_CANCELLED = "rollback.cancelled"  # rollback, reason
    ROLLBACK_CLOSED = "rollback.closed"  # rollback, note, overrun_s
    STEP_STARTED = "step.started"  # rollback, step
    STEP_DONE = "step.done"  # rollback, step, evidence
    STEP_FAILED = "step.failed"  # rollback, step, evidence
    STEP_OVERRIDDEN = "step.overridden"  # rollback, step, reason
    FLAG_RETRIED = "flag.retried"  # rollback, flag
    LEVER_PULLED = "lever.pulled"  # rollback, flag, service, key, takes_s, why
    LEVER_BY_HAND = "lever.by_hand"  # rollback, flag, manual, takes_s, note
    ANNOUNCE_SENT = "announce.sent"  # hook, moment, event_id, receipt
    ANNOUNCE_FAILED = "announce.failed"  # hook, moment, event_id, detail
    NOTE_ADDED = "note.added"  # text
    CHECK_SIGNED = "check.signed"  # item, title, wording (its digest as it was read), environment, note
    CHECK_WITHDRAWN = "check.withdrawn"  # item, title, reason
    CLOCK_JUMPED = "clock.jumped"  # by_s, rollback (id or null), away (while no cockpit flew)


class Lever(StrEnum):
    """Which lever of a flag is meant. An event without the word is about the first."""

    FIRST = "first"
    SECOND = "second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """seq starts at 1 and has no gaps. `hash` chains to the event before (see the journal)."""

    seq: int
    at: datetime
    actor: str
    kind: Kind
    body: Mapping[str, object]
    hash: str = ""


def second_lever(event: Event) -> bool:
    """Whether a write or a read of a flag went through its second lever."""
    return event.body.get("lever") == Lever.SECOND
