"""Ready-made texts for the hooks, with the facts filled in."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from cockpit.adapters.base import Announcement
from cockpit.core.events import Event, Kind
from cockpit.core.model import Mode
from cockpit.core.rollback import Rollback, announcement_id
from cockpit.core.spec import HookMoment, Plan
from cockpit.core.wording import line

_TITLES = {
    HookMoment.DECLARED: "ROLLBACK DECLARED",
    HookMoment.FLIPPED: "ROLLBACK: all flags at 0%",
    HookMoment.CANCELLED: "ROLLBACK CANCELLED, nothing was written",
    HookMoment.CLOSED: "ROLLBACK CLOSED",
    HookMoment.HELD: "ramp held",
    HookMoment.FOREIGN: "FLAG CHANGED BY SOMEBODY ELSE",
    HookMoment.PROPOSED: "ROLLBACK PROPOSED",
    HookMoment.ESCALATED: "ROLLBACK NOT PROVEN IN TIME",
    HookMoment.LOST: "OPERATOR LOST, the machine goes on with the rollback",
}
TOLD_AS_IT_HAPPENS: Final[Mapping[Kind, HookMoment]] = {
    Kind.ROLLOUT_HELD: HookMoment.HELD,
    Kind.FLAG_FOREIGN: HookMoment.FOREIGN,
    Kind.PROPOSAL_RAISED: HookMoment.PROPOSED,
    Kind.ROLLBACK_ESCALATED: HookMoment.ESCALATED,
    Kind.OPERATOR_LOST: HookMoment.LOST,
}
"""Events that hooks are told of the moment the driver's cockpit folds them."""


def compose(
    rollback: Rollback, moment: HookMoment, hook: str, *, plan: Plan, mode: Mode, now: datetime
) -> Announcement:
    """What one hook is told of one moment."""
    real = "" if mode is Mode.LIVE else f"[{mode.upper()}, nothing here is real] "
    widened = "ROLLBACK WIDENED" if rollback.widened and moment is HookMoment.DECLARED else ""
    title = f"{real}{widened or _TITLES.get(moment, moment.value)}: {plan.title}"
    hands = sum(flip.by_hand for flip in rollback.flips)
    at_zero = sum(flip.at_zero for flip in rollback.flips) - hands
    left_s = round(rollback.left(now).total_seconds())
    minutes, seconds = divmod(abs(left_s), 60)
    clock = f"{minutes}:{seconds:02} {'left' if left_s >= 0 else 'over'}"
    text = (
        f"{', '.join(rollback.flags)} back to legacy. "
        f"{at_zero} of {len(rollback.flips)} flags re-read at 0%{f', {hands} by hand' if hands else ''}. "
        f"Declared by {rollback.declared_by}, reason: {rollback.reason or 'not given yet'}. {clock}."
    )
    return Announcement(
        event_id=announcement_id(rollback, moment, hook),
        moment=moment.value,
        title=title,
        text=text,
        environment=plan.environment,
        plan=plan.title,
        actor=rollback.declared_by,
        at=now,
        facts={"rollback": rollback.id, "flags": ", ".join(rollback.flags), "clock": clock},
    )


def compose_event(event: Event, moment: HookMoment, *, plan: Plan, mode: Mode) -> Announcement:
    """One message for one event; the same event has the same id, whoever tells of it."""
    real = "" if mode is Mode.LIVE else f"[{mode.upper()}, nothing here is real] "
    words, _ = line(event)
    facts = {name: str(event.body[name]) for name in ("rollback", "flag", "signal") if event.body.get(name)}
    return Announcement(
        event_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{event.seq}/{event.hash}")),
        moment=moment.value,
        title=f"{real}{_TITLES[moment]}: {plan.title}",
        text=words,
        environment=plan.environment,
        plan=plan.title,
        actor=event.actor,
        at=event.at,
        facts=facts,
    )


def compose_stage(
    flag: str, before: str, after: str, *, plan: Plan, mode: Mode, actor: str, event_id: str, now: datetime
) -> Announcement:
    """One message per stage change."""
    real = "" if mode is Mode.LIVE else f"[{mode.upper()}, nothing here is real] "
    return Announcement(
        event_id=event_id,
        moment=HookMoment.STAGE.value,
        title=f"{real}{flag} {before} -> {after}: {plan.title}",
        text=f"{flag} in {plan.environment} went from {before} to {after}, asked by {actor}, re-read.",
        environment=plan.environment,
        plan=plan.title,
        actor=actor,
        at=now,
        facts={"flag": flag, "before": before, "after": after},
    )
