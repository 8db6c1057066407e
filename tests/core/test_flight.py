"""The flight as a fold: what every event means for a flag, and what cannot follow what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.core.clean import Percent
from cockpit.core.events import Event, Kind
from cockpit.core.flight import FlagFlight, Flight, apply, fold
from cockpit.core.rollback import IllegalEvent

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


def event(seq: int, kind: Kind, body: Mapping[str, object], actor: str = "ana") -> Event:
    return Event(seq=seq, at=START + timedelta(seconds=seq), actor=actor, kind=kind, body=body)


def flown(*parts: tuple[Kind, Mapping[str, object]]) -> Flight:
    return fold(event(seq, kind, body) for seq, (kind, body) in enumerate(parts, 1))


def seen(percent: float | None, **more: object) -> tuple[Kind, Mapping[str, object]]:
    exposure = None if percent is None else round(percent * 100)
    return Kind.FLAG_SEEN, {"flag": "f", "exposure": exposure, "rollback": None, **more}


def ask(percent: float, before: float) -> tuple[Kind, Mapping[str, object]]:
    body = {"flag": "f", "percent": round(percent * 100), "before": round(before * 100), "gates": []}
    return Kind.FLAG_ASKED, body


def intent(
    percent: float | None, action: str = "set", write_id: str = "w"
) -> tuple[Kind, Mapping[str, object]]:
    hundredths = None if percent is None else round(percent * 100)
    return Kind.WRITE_INTENT, {"flag": "f", "write_id": write_id, "action": action, "percent": hundredths}


def outcome(said: str, action: str = "set", write_id: str = "w") -> tuple[Kind, Mapping[str, object]]:
    body = {"flag": "f", "write_id": write_id, "action": action, "outcome": said, "detail": "why"}
    return Kind.WRITE_OUTCOME, body


FOREIGN: tuple[Kind, Mapping[str, object]] = (
    Kind.FLAG_FOREIGN,
    {"flag": "f", "before": "10%", "after": "80%", "who": "mallory", "raised": True, "exposure": 8000},
)
HELD: tuple[Kind, Mapping[str, object]] = (Kind.ROLLOUT_HELD, {"flag": "f", "reason": "lunch"})
DECLARED: tuple[Kind, Mapping[str, object]] = (
    Kind.ROLLBACK_DECLARED,
    {
        "rollback": "r1",
        "flags": [{"flag": "f", "layer": 0, "waits_for": [], "before": 1000}],
        "whole": True,
        "deadline_at": (START + timedelta(seconds=900)).isoformat(),
        "escalate_at": (START + timedelta(seconds=720)).isoformat(),
        "first_breach_at": None,
        "reason": "",
        "steps": [{"id": "close", "key": "close", "title": "Close", "budget_s": 900, "machine": False}],
    },
)
CANCELLED: tuple[Kind, Mapping[str, object]] = (Kind.ROLLBACK_CANCELLED, {"rollback": "r1", "reason": "no"})


def flag(flight: Flight) -> FlagFlight:
    return flight.flag("f")


def test_a_move_is_pending_until_a_read_after_its_answer() -> None:
    steps = [seen(0), ask(10, 0), intent(10), outcome("done")]
    waiting = flag(flown(*steps))
    assert waiting.pending is not None and waiting.pending.answered and not waiting.pending.unknown
    settled = flag(flown(*steps, seen(10)))
    assert (settled.pending, settled.asked, settled.seen_exposure) == (None, Percent(1000), Percent(1000))
    assert settled.stage_since == START + timedelta(seconds=5)


def test_a_read_while_a_write_is_out_proves_nothing() -> None:
    with pytest.raises(IllegalEvent, match="proves nothing"):
        flown(seen(0), ask(10, 0), intent(10), seen(10))


def test_a_refused_move_is_asked_for_no_longer() -> None:
    refused = flag(flown(seen(0), ask(10, 0), intent(10), outcome("refused")))
    assert (refused.pending, refused.asked, refused.trouble) == (None, Percent(0), "why")


def test_a_refused_kill_still_wants_zero() -> None:
    refused = flag(flown(seen(10), DECLARED, intent(None, "kill"), outcome("refused", "kill")))
    assert refused.asked == Percent(0)


def test_a_move_that_reads_otherwise_is_named_and_given_up() -> None:
    lied = flag(flown(seen(0), ask(10, 0), intent(10), outcome("done"), seen(0)))
    assert lied.trouble == "asked 10%, but it reads 0%"
    assert lied.asked == Percent(0)


def test_two_writes_of_one_flag_are_never_out_at_once() -> None:
    with pytest.raises(IllegalEvent, match="in flight"):
        flown(intent(10), intent(50, write_id="w2"))
    with pytest.raises(IllegalEvent, match="no such write"):
        flown(intent(10), outcome("done", write_id="other"))


def test_a_foreign_change_holds_and_a_release_accepts_it() -> None:
    changed = flag(flown(seen(10), FOREIGN))
    assert changed.held_by and changed.foreign is not None and changed.seen_exposure == Percent(8000)
    accepted = flag(flown(seen(10), FOREIGN, (Kind.ROLLOUT_RELEASED, {"flag": "f"})))
    assert (accepted.foreign, accepted.held_by, accepted.asked) == (None, None, Percent(8000))


def test_a_persons_hold_stays_a_persons_hold_when_somebody_changes_the_flag() -> None:
    changed = flag(flown(seen(10), HELD, FOREIGN))
    assert (changed.held_by, changed.held_reason) == ("ana", "lunch")


def test_an_override_is_gone_with_its_stage() -> None:
    given_ = (Kind.VERDICT_OVERRIDDEN, {"flag": "f", "signal": "s", "percent": 5000, "reason": "r"})
    assert flag(flown(seen(10), given_)).overrides == (("s", Percent(5000), "ana"),)
    assert flag(flown(seen(10), given_, seen(10))).overrides, "reading the same again is no new stage"
    assert not flag(flown(seen(10), given_, seen(50))).overrides


def test_no_forward_move_follows_an_open_rollback() -> None:
    with pytest.raises(IllegalEvent):
        flown(seen(10), DECLARED, ask(50, 10))
    with pytest.raises(IllegalEvent):
        flown(seen(10), DECLARED, intent(50))
    with pytest.raises(IllegalEvent, match="open already"):
        flown(DECLARED, DECLARED)


def test_a_cancelled_rollback_leaves_holds_alarms_and_wishes_as_they_were() -> None:
    before = flag(flown(seen(10), ask(10, 0), FOREIGN, HELD))
    after = flag(flown(seen(10), ask(10, 0), FOREIGN, HELD, DECLARED, CANCELLED))
    assert (after.asked, after.foreign) == (before.asked, before.foreign)
    assert (after.held_by, after.held_reason) == (before.held_by, before.held_reason)


def test_the_first_kill_ends_holds_and_alarms() -> None:
    killed = flag(flown(seen(10), FOREIGN, HELD, DECLARED, intent(None, "kill")))
    assert (killed.foreign, killed.held_by, killed.held_reason) == (None, None, "")


def test_a_move_that_is_refused_after_a_cancelled_rollback_is_asked_for_no_more() -> None:
    """Else the flag would be asked what nobody wrote, and no gate would ever open again."""
    steps = [
        seen(0),
        ask(10, 0),
        intent(10),
        outcome("done"),
        seen(10),
        ask(25, 10),
        intent(25, write_id="v"),
    ]
    refused = flag(flown(*steps, DECLARED, CANCELLED, outcome("refused", write_id="v")))
    assert (refused.asked, refused.seen_exposure, refused.pending) == (Percent(1000), Percent(1000), None)


def test_an_unsettled_move_survives_a_cancelled_rollback_and_is_settled_by_a_read() -> None:
    moving = [seen(0), ask(10, 0), intent(10), outcome("done"), DECLARED, CANCELLED]
    waiting = flag(flown(*moving))
    assert waiting.pending is not None and waiting.asked == Percent(1000)
    settled = flag(flown(*moving, seen(10)))
    assert (settled.pending, settled.trouble, settled.asked) == (None, "", Percent(1000))


def test_a_move_that_a_rollback_overtook_is_not_told_as_a_failure() -> None:
    overtaken = flag(flown(seen(0), ask(10, 0), intent(10), outcome("done"), DECLARED, seen(0)))
    assert (overtaken.trouble, overtaken.asked) == ("", Percent(0))


def test_events_come_in_order_or_not_at_all() -> None:
    flight = flown(seen(10))
    for seq in (1, 3):
        with pytest.raises(IllegalEvent):
            apply(flight, event(seq, *seen(20)))


def test_a_proposal_is_raised_vetoed_and_cleared_and_the_first_breach_is_kept() -> None:
    raised = (
        Kind.PROPOSAL_RAISED,
        {"signal": "s", "text": "t", "value": "v", "limit": "l", "since": START.isoformat()},
    )
    vetoed = (Kind.PROPOSAL_VETOED, {"signal": "s", "reason": "known"})
    flight = flown(raised, vetoed)
    assert flight.first_breach_at == START
    assert flight.proposal is not None and flight.proposal.vetoed_by == "ana"
    cleared = flown(raised, vetoed, (Kind.PROPOSAL_CLEARED, {"signal": "s"}))
    assert (cleared.proposal, cleared.first_breach_at) == (None, None)
    with pytest.raises(IllegalEvent, match="no proposal"):
        flown(vetoed)


PARTS = st.lists(
    st.sampled_from(
        [
            seen(0),
            seen(10),
            seen(None),
            ask(10, 0),
            ask(50, 10),
            intent(10),
            intent(None, "kill"),
            intent(0, "zero"),
            outcome("done"),
            outcome("refused"),
            outcome("unknown"),
            outcome("done", "zero"),
            FOREIGN,
            HELD,
            (Kind.ROLLOUT_RELEASED, {"flag": "f"}),
            DECLARED,
            CANCELLED,
            (Kind.NOTE_ADDED, {"text": "n"}),
        ]
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(parts=PARTS)
def test_an_illegal_event_changes_nothing_and_no_order_breaks_the_rules(
    parts: list[tuple[Kind, Mapping[str, object]]],
) -> None:
    flight = Flight()
    for kind, body in parts:
        next_event = event(flight.last_seq + 1, kind, body)
        before = flight
        try:
            flight = apply(flight, next_event)
        except IllegalEvent:
            assert flight is before
            continue
        pending = flag(flight).pending
        if kind is Kind.WRITE_INTENT:
            assert before.flag("f").pending is None or before.flag("f").pending.answered  # type: ignore[union-attr]  # flag() builds the same value twice; mypy narrows only names
        if flight.rollback is not None and pending is not None and not pending.answered:
            assert pending.action != "set" or pending.at <= flight.rollback.declared_at
