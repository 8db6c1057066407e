"""Signatures: whose word it is, for which wording, for how long, and what waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.checklist import ItemSpec, ItemState, ItemStatus, Signature, item_status
from cockpit.core.checklist_gate import checklist_gate
from cockpit.core.clean import Percent
from cockpit.core.events import Event, Kind
from cockpit.core.flight import Flight, apply
from cockpit.core.snapshot import GateResult

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
JWT = ItemSpec(name="jwt", title="JWT is checked on connect", phase="2.1", evidence="link to the test run")


def event(seq: int, kind: Kind, actor: str = "ana", at: datetime = NOON, **body: object) -> Event:
    return Event(seq=seq, at=at, actor=actor, kind=kind, body=body)


def sign(seq: int, spec: ItemSpec = JWT, actor: str = "ana", at: datetime = NOON, **more: object) -> Event:
    return event(
        seq,
        Kind.CHECK_SIGNED,
        actor,
        at,
        item=spec.name,
        title=spec.title,
        wording=spec.wording,
        note="run 7",
        **more,
    )


def status_after(*events: Event, spec: ItemSpec = JWT, now: datetime = NOON) -> ItemStatus:
    flight = Flight()
    for each in events:
        flight = apply(flight, each)
    return item_status(spec, flight.signatures.get(spec.name), now, environment="production")


def test_an_item_is_open_until_a_person_signs_it() -> None:
    assert status_after().state is ItemState.OPEN
    signed = status_after(sign(1))
    assert (signed.state, signed.by, signed.note, signed.at) == (ItemState.SIGNED, "ana", "run 7", NOON)


def test_a_withdrawn_signature_is_gone_and_the_next_one_counts() -> None:
    gone = event(2, Kind.CHECK_WITHDRAWN, "ben", item="jwt", title=JWT.title, reason="flaky")
    assert status_after(sign(1), gone).state is ItemState.OPEN
    again = status_after(sign(1), gone, sign(3, actor="cem"))
    assert (again.state, again.by) == (ItemState.SIGNED, "cem")


def test_what_was_signed_in_another_environment_counts_for_nothing_here() -> None:
    assert status_after(sign(1, environment="staging")).state is ItemState.CHANGED
    assert status_after(sign(1, environment="production")).state is ItemState.SIGNED


def test_a_signature_holds_as_long_as_the_plan_says() -> None:
    short = ItemSpec(name="jwt", title=JWT.title, evidence=JWT.evidence, valid_s=3600)
    before, after = NOON + timedelta(seconds=3599), NOON + timedelta(seconds=3600)
    assert status_after(sign(1, short), spec=short, now=before).state is ItemState.SIGNED
    assert status_after(sign(1, short), spec=short, now=after).state is ItemState.EXPIRED
    assert status_after(sign(1), now=NOON + timedelta(days=90)).state is ItemState.SIGNED


@pytest.mark.parametrize("changed", [{"title": "JWT is checked"}, {"evidence": "a link and a figure"}])
def test_a_signature_is_for_the_words_that_were_signed(changed: Mapping[str, str]) -> None:
    words = {"title": JWT.title, "evidence": JWT.evidence, **changed}
    other = ItemSpec(name="jwt", title=words["title"], evidence=words["evidence"])
    assert status_after(sign(1), spec=other).state is ItemState.CHANGED


def gate(*items: ItemStatus, flag: str = "chat", percent: float = 10) -> list[GateResult]:
    return list(checklist_gate(items, flag, Percent.parse(percent)))


def open_item(name: str, *, flags: tuple[str, ...] = (), from_percent: float = 0) -> ItemStatus:
    spec = ItemSpec(name=name, title=name.upper(), flags=flags, from_percent=Percent.parse(from_percent))
    return item_status(spec, None, NOON, environment="production")


def done(item: ItemStatus) -> ItemStatus:
    spec = ItemSpec(name=item.name, title=item.title, flags=item.flags, from_percent=item.from_percent)
    words = Signature(item=spec.name, wording=spec.wording, by="ana", at=NOON, note="")
    return item_status(spec, words, NOON, environment="production")


def test_nothing_to_sign_is_no_gate() -> None:
    assert gate() == []
    assert gate(open_item("a", flags=("login",))) == []
    assert gate(open_item("a", from_percent=25)) == []


def test_the_gate_says_how_many_are_missing_and_names_one() -> None:
    (result,) = gate(open_item("a"), done(open_item("b")), open_item("c"))
    assert not result.met
    assert result.text == "2 of 3 not signed: A, and 1 more"
    (met,) = gate(done(open_item("a")), done(open_item("b")))
    assert met.met and met.text == "2 of 2 signed"


def test_an_expired_signature_says_so_in_the_gate() -> None:
    old = status_after(sign(1), spec=ItemSpec(name="jwt", title="T", valid_s=1), now=NOON + timedelta(days=1))
    (result,) = gate(old)
    assert "(changed)" in result.text


@given(
    flags=st.lists(st.sampled_from(["chat", "login"]), unique=True).map(tuple),
    needed_from=st.sampled_from([0, 10, 25, 100]),
    stage=st.sampled_from([10, 25, 100]),
    is_done=st.booleans(),
)
def test_a_stage_passes_exactly_when_all_that_it_needs_is_signed(
    flags: tuple[str, ...], needed_from: float, stage: float, is_done: bool
) -> None:
    item = open_item("a", flags=flags, from_percent=needed_from)
    results = gate(done(item) if is_done else item, percent=stage)
    wanted = (not flags or "chat" in flags) and stage >= needed_from
    assert (results != []) is wanted
    assert all(result.met for result in results) is (is_done or not wanted)
