"""What hooks are told the moment it happens, beside the stages and the rollback's own messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from cockpit.adapters.base import Announcement
from cockpit.core.commands import Hold
from cockpit.core.spec import HookMoment, Plan
from tests.engine.conftest import World, declare, ident
from tests.engine.scripted import DEADLINE_S


def wanting(plan: Plan, *moments: HookMoment) -> Plan:
    hooks = tuple(replace(hook, moments=moments) for hook in plan.announce)
    return replace(plan, signals=(), announce=hooks)


def told(world: World, moment: HookMoment) -> Sequence[Announcement]:
    return [each for each in world.cast.hook.told if each.moment == moment.value]


def test_a_held_ramp_and_a_foreign_change_are_told_with_who_and_what(exposed: World) -> None:
    deck = exposed.start(exposed.flying(plan=wanting(exposed.plan, HookMoment.HELD, HookMoment.FOREIGN)))
    deck.ready("writes")
    deck.done(Hold(id=ident(), by="ben", flag="writes", reason="odd latencies"))
    exposed.bell.until(lambda: bool(told(exposed, HookMoment.HELD)))
    (held,) = told(exposed, HookMoment.HELD)
    assert (held.actor, held.facts["flag"]) == ("ben", "writes") and "odd latencies" in held.text
    exposed.service.change("reads", 90.0)
    exposed.bell.until(lambda: bool(told(exposed, HookMoment.FOREIGN)))
    (foreign,) = told(exposed, HookMoment.FOREIGN)
    assert foreign.facts["flag"] == "reads" and "90%" in foreign.text
    assert UUID(foreign.event_id) != UUID(held.event_id)


def test_a_lost_operator_is_told_before_the_process_ends(exposed: World) -> None:
    deck = exposed.start(exposed.flying(plan=wanting(exposed.plan, HookMoment.LOST)))
    deck.done(declare())
    deck.engine.stop_because("signal SIGHUP")
    exposed.bell.until(lambda: bool(told(exposed, HookMoment.LOST)))
    assert deck.engine.join(DEADLINE_S)
    (lost,) = told(exposed, HookMoment.LOST)
    assert "SIGHUP" in lost.text and lost.title.startswith("OPERATOR LOST")
    assert lost.facts["rollback"]


def test_a_rollback_that_is_not_proven_in_time_is_told_once(exposed: World) -> None:
    gate = exposed.gate()
    exposed.cast.monitor.gate = gate
    deck = exposed.start(exposed.flying(plan=wanting(exposed.plan, HookMoment.ESCALATED)))
    deck.done(declare())
    exposed.clock.advance(exposed.plan.rollback.escalate_after_s + 1)
    exposed.bell.until(lambda: bool(told(exposed, HookMoment.ESCALATED)))
    exposed.clock.advance(5)
    deck.until(lambda shot: shot.rollback is not None and shot.rollback.escalated_at is not None)
    assert len(told(exposed, HookMoment.ESCALATED)) == 1


def test_what_happened_before_a_cockpit_came_is_not_told_again(exposed: World) -> None:
    plan = wanting(exposed.plan, HookMoment.HELD)
    deck = exposed.start(exposed.flying(plan=plan))
    deck.ready("writes")
    deck.done(Hold(id=ident(), by="ben", flag="writes", reason="odd latencies"))
    exposed.bell.until(lambda: bool(told(exposed, HookMoment.HELD)))
    deck.leave()
    again = exposed.start(exposed.flying(plan=plan))
    again.until(lambda _: again.flag("writes").held_by == "ben")
    again.leave()
    assert len(told(exposed, HookMoment.HELD)) == 1
