"""Signing in flight: one command, one event, one gate that opens, and who may not sign."""

from __future__ import annotations

from dataclasses import replace

from cockpit.core.checklist import ItemSpec, ItemState
from cockpit.core.commands import SignItem, WithdrawSignature
from cockpit.core.events import Kind
from cockpit.engine.published import decode, encode
from cockpit.engine.snapshot_json import as_json
from tests.engine.conftest import Pilotage, World, advance, ident

ITEM = ItemSpec(name="load", title="50 sockets at once", flags=("writes",), evidence="figure and source")


def flown(world: World) -> Pilotage:
    return world.start(world.flying(plan=replace(world.plan, signals=(), checklist=(ITEM,), phases=("2.1",))))


def sign(note: str = "52 sockets, 10 min, run 7", item: str = "load") -> SignItem:
    return SignItem(id=ident(), by="ben", item=item, note=note)


def test_a_stage_waits_for_a_signature_and_goes_when_it_is_there(world: World) -> None:
    deck = flown(world)
    deck.until(lambda _: [g.name for g in deck.flag("writes").gates if not g.met] == ["checklist"])
    assert "50 sockets at once" in deck.refused(advance("writes", 10))
    deck.done(sign())
    (item,) = deck.now.checklist
    assert (item.state, item.by, item.note) == (ItemState.SIGNED, "ben", "52 sockets, 10 min, run 7")
    deck.fly_to("writes", 10)
    (event,) = world.events(Kind.CHECK_SIGNED)
    assert (event.actor, event.body["wording"]) == ("ben", ITEM.wording)


def test_a_withdrawal_closes_the_gate_again_and_both_need_their_words(world: World) -> None:
    deck = flown(world)
    assert "a note is needed: figure and source" in deck.refused(sign(note=" "))
    assert "no checklist item" in deck.refused(sign(item="other"))
    withdraw = WithdrawSignature(id=ident(), by="ana", item="load", reason="flaky")
    assert "nobody has signed" in deck.refused(withdraw)
    deck.done(sign())
    deck.ready("writes")
    assert "needs a reason" in deck.refused(replace(withdraw, id=ident(), reason=""))
    deck.done(replace(withdraw, id=ident()))
    deck.until(lambda _: any(g.name == "checklist" and not g.met for g in deck.flag("writes").gates))


def test_the_next_cockpit_and_observers_see_the_same_signatures(world: World) -> None:
    deck = flown(world)
    deck.done(sign())
    shot = deck.now
    assert decode(encode(shot)).checklist == shot.checklist
    told = as_json(shot)["checklist"]
    assert isinstance(told, list) and told[0]["state"] == "signed"
    deck.leave()
    again = flown(world)
    assert again.now.checklist[0].by == "ben"


def test_a_read_only_cockpit_signs_nothing(world: World) -> None:
    plan = replace(world.plan, checklist=(ITEM,))
    deck = world.start(world.flying(plan=plan, read_only=True))
    assert "read-only" in deck.refused(sign())
    assert world.events(Kind.CHECK_SIGNED) == []
