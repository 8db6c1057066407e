"""Orders for writes, and what the journal is told of them: the intent before, the outcome after."""

from __future__ import annotations

import uuid

from cockpit.core.acts import Action, Write
from cockpit.core.clean import ZERO, Percent, clean_text
from cockpit.core.clocks import ClockPair
from cockpit.core.events import Kind, Lever
from cockpit.core.model import FlagValue, WriteResult
from cockpit.core.rollback import IllegalEvent, Rollback
from cockpit.core.spec import WRITE_LIMIT_S, Plan, second_limit_s
from cockpit.engine.effects import WriteOrder
from cockpit.engine.journal_port import Draft


def zeroing(act: Write, rollback: Rollback, plan: Plan, intended: ClockPair) -> WriteOrder:
    """What brings a flag of an open rollback to zero. Raises IllegalEvent for a flag that the plan flown now
    does not have, and for a second lever that nobody pulled."""
    spec = plan.flags_by_key.get(act.flag)
    if spec is None:
        raise IllegalEvent(f"the plan has no flag {act.flag}: bring it to zero by hand")
    if act.lever is Lever.SECOND:
        return _second(act.flag, rollback, intended)
    return WriteOrder(
        write_id=str(uuid.uuid4()),
        flag=act.flag,
        service=spec.service,
        key=act.flag,
        action=act.action.value,
        percent=ZERO if act.action is Action.ZERO else None,
        expected=None,
        rollback=rollback.id,
        timeout_s=WRITE_LIMIT_S,
        intended=intended,
    )


def _second(flag: str, rollback: Rollback, intended: ClockPair) -> WriteOrder:
    """Through the service that the pull named, with twice the time that the plan says it takes."""
    second = next((flip.second for flip in rollback.flips if flip.flag == flag), None)
    if second is None:
        raise IllegalEvent(f"nobody pulled the second lever of {flag}")
    return WriteOrder(
        write_id=str(uuid.uuid4()),
        flag=flag,
        service=second.service,
        key=second.key,
        action=Action.KILL.value,
        percent=None,
        expected=None,
        rollback=rollback.id,
        timeout_s=second_limit_s(second.takes_s),
        intended=intended,
        lever=Lever.SECOND,
    )


def forward(flag: str, percent: Percent, expected: FlagValue, plan: Plan, intended: ClockPair) -> WriteOrder:
    """What brings a flag to its next stage, if it still is what was read."""
    return WriteOrder(
        write_id=str(uuid.uuid4()),
        flag=flag,
        service=plan.flag(flag).service,
        key=flag,
        action="set",
        percent=percent,
        expected=expected,
        rollback=None,
        timeout_s=WRITE_LIMIT_S,
        intended=intended,
    )


def intent(order: WriteOrder, session: str) -> Draft:
    """What has to be on the disk before the write leaves. session: whose write it is."""
    body = {
        "write_id": order.write_id,
        "flag": order.flag,
        "action": order.action,
        "percent": order.percent.hundredths if order.percent is not None else None,
        "rollback": order.rollback,
        "lever": order.lever.value,
        "service": order.service,
        "limit_s": order.timeout_s,
        "session": session,
    }
    return Draft(kind=Kind.WRITE_INTENT, body=body)


def outcome(order: WriteOrder, result: WriteResult) -> dict[str, object]:
    """The body of the event that tells what came of it."""
    return {
        "write_id": order.write_id,
        "flag": order.flag,
        "action": order.action,
        "outcome": result.outcome.value,
        "detail": clean_text(result.detail),
        "took_s": round(result.took_s, 4),
        "unsent": result.unsent,
        "again_after_s": result.again_after_s,
        "lever": order.lever.value,
        "rollback": order.rollback,
    }
