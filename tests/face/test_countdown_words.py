"""The words of a rollback without a screen: examples, and that they exist for every rollback there can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unicodedata import category

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import FlagValue, Mode
from cockpit.core.rollback import (
    MACHINE_ATTEMPTS,
    CutMark,
    Delta,
    Flip,
    FlipState,
    Rollback,
    Step,
    StepState,
)
from cockpit.core.spec import StepKey
from cockpit.face.bigtype import Size, big, fitting
from cockpit.face.view import Role, text_of, width_of
from cockpit.face.view import countdown as view_countdown
from cockpit.face.view_countdown import Page, Phase, Watched, key_line, keys_for, lines, phase
from cockpit.face.view_levers import first_lever_words, flag_id, offer_block, offers
from cockpit.face.view_lines import bar, wrapped
from cockpit.face.view_needs import cancel_refusal, close_refusal, escalation, needs, needs_row
from cockpit.face.view_result import incident_text, late_steps, result_block
from cockpit.face.view_rollback import (
    before_words,
    countdown,
    drain_words,
    flip_row,
    flip_word,
    not_at_zero,
    origin,
)
from cockpit.face.view_steps import (
    budget,
    finish_words,
    first_focus,
    projected_finish,
    step_details,
    step_row,
    step_word,
)
from cockpit.face.view_wall import lines as wall_lines
from tests.face.parts import line as event_line
from tests.face.pictures import NOW, ago, calm, rolling_back
from tests.face.pictures_rollback import (
    closed,
    escalated,
    flags_down,
    flipping,
    holding,
    question,
    ready,
    refused,
    second_levers_pulled,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 3), timezones=st.just(UTC))  # noqa: DTZ001
MAYBE = st.none() | INSTANTS
TEXT = st.text(max_size=40)

FLIPS = st.builds(
    Flip,
    flag=TEXT,
    layer=st.integers(0, 4),
    state=st.sampled_from(FlipState),
    before=st.none() | st.integers(0, 10_000).map(Percent),
    attempts=st.integers(0, MACHINE_ATTEMPTS + 2),
    detail=TEXT,
    changed_at=MAYBE,
    at_zero_at=MAYBE,
    drained_at=MAYBE,
    share_pct=st.none() | st.floats(0, 100),
    fought=st.booleans(),
)
STEPS = st.builds(
    Step,
    id=TEXT,
    key=st.sampled_from(StepKey),
    number=st.integers(0, 40),
    title=TEXT,
    budget_s=st.floats(0, 5000),
    machine=st.booleans(),
    text=TEXT,
    state=st.sampled_from(StepState),
    evidence=TEXT,
    started_at=MAYBE,
    done_at=MAYBE,
    done_by=TEXT,
)
ROLLBACKS = st.builds(
    Rollback,
    id=st.just("rb-1"),
    flags=st.lists(TEXT, max_size=4).map(tuple),
    whole=st.booleans(),
    declared_at=INSTANTS,
    deadline_at=INSTANTS,
    escalate_at=INSTANTS,
    declared_by=TEXT,
    reason=TEXT,
    commander=TEXT,
    data_owner=TEXT,
    first_breach_at=MAYBE,
    flips=st.lists(FLIPS, max_size=5).map(tuple),
    steps=st.lists(STEPS, max_size=12).map(tuple),
    question=TEXT,
    answered_go=st.none() | st.booleans(),
    cut_mark=st.none() | st.builds(CutMark, at=INSTANTS),
    deltas=st.lists(
        st.builds(Delta, name=TEXT, count=st.none() | st.floats(0, 1e9), note=TEXT), max_size=3
    ).map(tuple),
    cancelled_at=MAYBE,
    closed_at=MAYBE,
    closed_by=TEXT,
)


@settings(max_examples=60, deadline=None)
@given(ROLLBACKS, INSTANTS, st.integers(1, 220), st.integers(1, 60))
def test_every_rollback_has_a_page_that_fits(
    rollback: Rollback, now: datetime, width: int, height: int
) -> None:
    snapshot = replace(rolling_back(), rollback=rollback)
    page = Page(
        snapshot=snapshot,
        watched=Watched(rollback_id=rollback.id),
        now=now,
        width=width,
        height=height,
        focus=first_focus(rollback.steps),
    )
    drawn = lines(page)
    assert len(drawn) == height
    assert all(width_of(line) <= width for line in drawn)
    assert not {category(char) for line in drawn for char in text_of(line)} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@settings(max_examples=60, deadline=None)
@given(ROLLBACKS, INSTANTS, st.integers(2, 220), st.integers(4, 60))
def test_every_rollback_has_a_wall_that_fits(
    rollback: Rollback, now: datetime, width: int, height: int
) -> None:
    drawn = wall_lines(replace(rolling_back(), rollback=rollback), now, width, height)
    assert len(drawn) == height
    assert all(width_of(line) <= width for line in drawn)


@settings(max_examples=60, deadline=None)
@given(ROLLBACKS, INSTANTS)
def test_words_are_total_and_agree_with_the_rollback(rollback: Rollback, now: datetime) -> None:
    snapshot = replace(rolling_back(), rollback=rollback)
    left = rollback.deadline_at - (rollback.closed_at or rollback.cancelled_at or now)
    assert countdown(rollback, now).digits.startswith("+") == (left <= timedelta(seconds=-1))
    assert bool(needs(rollback, now)) <= rollback.open
    assert bool(escalation(rollback, now)) <= (rollback.open and now >= rollback.escalate_at)
    assert projected_finish(rollback, now).at >= min(
        now, rollback.closed_at or now, rollback.cancelled_at or now
    )
    assert finish_words(rollback, now)[0]
    assert (cancel_refusal(rollback) == "") == (rollback.open and not rollback.flip_begun)
    incident_text(rollback, snapshot, now)
    late_steps(rollback, now)
    close_refusal(rollback)
    for step in rollback.steps:
        assert step_word(step, rollback, now).text
        assert budget(step, rollback, now).late_s >= 0
        assert all(width_of(row) <= 60 for row in step_details(step, rollback, now, 60))
    for flip in rollback.flips:
        assert flip_word(flip).text
        drain_words(flip, 0.5, None)


@given(st.text(max_size=12), st.sampled_from(Size))
def test_block_letters_exist_for_any_text(text: str, size: Size) -> None:
    rows = big(text, size)
    assert len({len(row) for row in rows}) == 1
    assert len(rows) == (3 if size is Size.SMALL else 5 * size)


def test_block_letters_take_the_largest_size_that_fits() -> None:
    assert len(fitting("OK", width=200, height=50)) == 15
    assert len(fitting("OK", width=22, height=50)) == 5
    assert len(fitting("OK", width=12, height=50)) == 3
    assert fitting("ROLLING BACK", width=30, height=9) == ("ROLLING BACK",)


@pytest.mark.parametrize(
    ("left_s", "digits", "word", "role"),
    [
        (900, "15:00", "left", Role.STRONG),
        (899.5, "15:00", "left", Role.STRONG),
        (180, "03:00", "left", Role.WARN),
        (0, "00:00", "left", Role.WARN),
        (-42, "+00:42", "OVERRUN", Role.BAD),
        (-3661, "+1:01:01", "OVERRUN", Role.BAD),
    ],
)
def test_time_left(left_s: float, digits: str, word: str, role: Role) -> None:
    rollback = rolling_back(elapsed_s=0).rollback
    assert rollback is not None
    count = countdown(rollback, NOW + timedelta(seconds=900 - left_s))
    assert (count.digits, count.word, count.role) == (digits, word, role)


@pytest.mark.parametrize(("by_s", "other"), [(-600.0, "wall clock says"), (600.0, "steady clock says")])
def test_after_a_jump_the_shorter_time_is_large_and_the_other_stands_beside_it(
    by_s: float, other: str
) -> None:
    before = flipping().rollback
    assert before is not None
    seen = NOW + timedelta(seconds=by_s)
    rollback = replace(before, clock_jumped_s=by_s)
    shorter = min(before.left(NOW), before.left(seen))
    assert rollback.left(seen) == shorter
    assert countdown(rollback, seen).digits == view_countdown(shorter.total_seconds())
    words = text_of(origin(rollback, seen))
    longer = max(before.left(NOW), before.left(seen))
    assert f"CLOCK JUMPED {by_s:+.0f} s" in words
    assert f"{other} {view_countdown(longer.total_seconds())}" in words


def test_left_and_elapsed_always_add_up_to_the_budget() -> None:
    rollback = rolling_back(elapsed_s=0).rollback
    assert rollback is not None
    for tenth in range(600):
        now = NOW + timedelta(seconds=tenth / 10)
        minutes, seconds = countdown(rollback, now).digits.split(":")
        assert int(minutes) * 60 + int(seconds) + int(tenth / 10) in (900, 901)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_where_a_line_of_the_journal_is_seen_the_newest_one_is(width: int) -> None:
    told = tuple(event_line(at, 40 - at, "cockpit", "note.added", f"event {at}") for at in range(40))
    shown = replace(rolling_back(), tail=told)
    for height in range(24, 60):
        page = Page(snapshot=shown, watched=Watched(), now=NOW, width=width, height=height)
        seen = [text_of(each) for each in lines(page)]
        assert any("event 39" in each for each in seen) or not any("event" in each for each in seen)


def test_the_most_urgent_flag_is_named_first() -> None:
    rollback = refused().rollback
    assert rollback is not None
    assert text_of(not_at_zero(rollback, 200)) == (
        "NOT AT ZERO  2 of 3: convex_courses REFUSED, needs you · convex_resources UNKNOWN, reading back"
    )


def test_zero_is_said_only_when_it_was_read() -> None:
    rollback = flipping().rollback
    assert rollback is not None
    accepted = tuple(replace(flip, state=FlipState.ACCEPTED) for flip in rollback.flips)
    assert "accepted, re-reading" in text_of(not_at_zero(replace(rollback, flips=accepted), 200))


@pytest.mark.parametrize(
    ("flip", "seen_pct", "words", "role"),
    [
        (Flip(flag="a", layer=0), 12.0, "traffic 12%", Role.DIM),
        (Flip(flag="a", layer=0, state=FlipState.AT_ZERO), None, "traffic not seen", Role.UNKNOWN),
        (Flip(flag="a", layer=0, state=FlipState.AT_ZERO), 3.14, "draining 3.14% ≥ 0.5%", Role.NOTE),
        (Flip(flag="a", layer=0, state=FlipState.AT_ZERO), 0.2, "draining 0.2% < 0.5%", Role.NOTE),
        (
            Flip(flag="a", layer=0, state=FlipState.AT_ZERO, drained_at=NOW, share_pct=0.1),
            0.0,
            "drained, 0.1% left",
            Role.OK,
        ),
        (Flip(flag="a", layer=0, state=FlipState.AT_ZERO, drained_at=NOW), None, "never exposed", Role.OK),
    ],
)
def test_drain_words(flip: Flip, seen_pct: float | None, words: str, role: Role) -> None:
    assert drain_words(flip, 0.5, seen_pct) == (words, role)


def test_needs_in_order_of_urgency() -> None:
    texts = {
        picture.__name__: [need.text for need in needs(rollback, NOW)]
        for picture in (question, holding, escalated, ready)
        if (rollback := picture().rollback) is not None
    }
    assert texts["question"][0] == "legacy looks down: g goes anyway · h holds"
    assert texts["holding"][0] == "HELD by a person: g goes anyway · c cancels"
    assert texts["escalated"][:2] == [
        "page a second person, look at plan B",
        "Update the status page: do it, then enter",
    ]
    assert texts["ready"] == ["every line is done: C signs and closes"]


def test_the_machine_working_alone_says_so() -> None:
    rollback = rolling_back().rollback
    assert rollback is not None
    named = replace(rollback, reason="x", commander="noor", data_owner="ines")
    assert text_of(needs_row(named, NOW, 80)).endswith("nothing: the machine works")


def test_a_question_is_moot_once_a_write_has_left() -> None:
    rollback = question().rollback
    assert rollback is not None
    begun = replace(rollback, flips=(replace(rollback.flips[0], attempts=1), *rollback.flips[1:]))
    assert not any("legacy looks down" in need.text for need in needs(begun, NOW))


def test_projected_finish_is_the_longest_window_that_is_left() -> None:
    rollback = rolling_back(elapsed_s=60, settled=4).rollback
    assert rollback is not None
    finish = projected_finish(rollback, NOW)
    assert (finish.late, finish.ready) == (False, False)
    assert finish.at == NOW + timedelta(seconds=840 - 180), (
        "announcing has 14 minutes, the flip took 3 of them"
    )
    late = projected_finish(rollback, NOW + timedelta(seconds=600))
    assert late.late, "the drain has outrun its four minutes"


def test_a_finished_list_is_ready_to_sign() -> None:
    rollback = ready().rollback
    assert rollback is not None
    assert projected_finish(rollback, NOW).ready
    assert finish_words(rollback, NOW) == ("now: C signs", Role.OK)


def test_a_person_and_a_machine_never_look_alike() -> None:
    rollback = escalated().rollback
    assert rollback is not None
    rows = {
        step.machine: text_of(step_row(step, rollback, NOW, 100, focused=False)) for step in rollback.steps
    }
    assert "☻ YOU" in rows[False]
    assert "⚙" in rows[True]
    assert "YOU" not in rows[True]


def test_a_late_step_is_amber_and_says_by_how_much() -> None:
    rollback = escalated().rollback
    assert rollback is not None
    drain = rollback.step("drain")
    row = step_row(drain, rollback, NOW, 100, focused=False)
    assert "late +06:00" in text_of(row)
    assert {role for text, role in row if "late" in text} == {Role.WARN}


def test_phase_follows_the_rollback_that_was_seen() -> None:
    assert phase(calm(), Watched()) is Phase.NONE
    assert phase(calm(), Watched(declare_id="d")) is Phase.DECLARING
    assert phase(flipping(), Watched(declare_id="d")) is Phase.OPEN
    assert phase(closed(), Watched(rollback_id="rb-1")) is Phase.ENDED
    assert phase(closed(), Watched(declare_id="d")) is Phase.DECLARING
    assert phase(closed(), Watched()) is Phase.ENDED


def test_bars_and_wrapping() -> None:
    assert bar(0, 4) == "────"
    assert bar(0.001, 4) == "━───"
    assert bar(2, 4) == "━━━━"
    assert wrapped("one two three", 7) == ("one two", "three")
    assert wrapped("one two three four", 7, limit=2) == ("one two", "three…")
    assert wrapped("", 7) == ()


def test_practice_has_no_record_to_ask_for_once_it_was_left() -> None:
    ended = closed()
    assert ended.last_closed is not None
    for mode, told in (
        (Mode.LIVE, "cockpit report "),
        (Mode.DEMO, "when you leave"),
        (Mode.DRILL, "when you leave"),
    ):
        block = result_block(ended.last_closed, replace(ended, mode=mode), NOW, 100)
        assert any("record" in text_of(each) and told in text_of(each) for each in block)
        assert any("of 15:00" in text_of(each) for each in block)


def test_incident_text_is_plain_lines() -> None:
    snapshot = escalated()
    assert snapshot.rollback is not None
    text = incident_text(snapshot.rollback, snapshot, NOW)
    assert text.startswith("ROLLBACK ALL 3 flags · production · Learning platform to Convex\n02:00 left")
    assert "  8. ASKS YOU  Update the status page" in text
    assert ago(780).strftime("%H:%M:%S UTC") in text


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
def test_the_offer_names_the_key_the_lever_its_time_and_what_failed(size: tuple[int, int]) -> None:
    snapshot = flags_down()
    assert snapshot.rollback is not None
    page = Page(
        snapshot=snapshot,
        watched=Watched(rollback_id=snapshot.rollback.id),
        now=NOW,
        width=size[0],
        height=size[1],
        keys=key_line(keys_for(snapshot.rollback, read_only=False, offered=True), size[0]),
    )
    shown = [text_of(line) for line in lines(page)]
    head = "\n".join(shown[:12] if size[1] == 24 else shown[:18])
    assert "L SECOND LEVER  by balancer, takes 40 s: convex_courses goes to 0% there" in head
    assert "the first lever is not reached: connection" in head
    assert "L second lever" in shown[-1]


def test_a_lever_that_is_a_person_says_what_to_do_before_the_key() -> None:
    snapshot = flags_down()
    assert snapshot.rollback is not None
    found = offers(snapshot.rollback, snapshot.flags)
    block = [text_of(line) for line in offer_block(found, flag_id("convex_resources"), 80)]
    assert any("SECOND LEVER BY HAND  takes 4 m" in line for line in block), block
    assert any("Set the weight of the new pool to 0" in line for line in block)


def test_what_went_by_the_second_lever_or_by_hand_does_not_look_like_the_first() -> None:
    snapshot = second_levers_pulled()
    assert snapshot.rollback is not None
    words = [str(flip_word(flip)) for flip in snapshot.rollback.flips]
    assert words == ["✗ NOT REACHED, try 7", "✓ at zero, 2nd 3.0 s", "☻ BY HAND, ines@bastion-2"]
    assert before_words(snapshot.rollback.flips[2]).endswith("…"), "nobody has read zero"
    assert offers(snapshot.rollback, snapshot.flags) == ()


def test_a_flag_done_by_hand_shows_its_traffic_at_every_width() -> None:
    """Nothing was read at zero there, so the traffic is all that speaks for it."""
    snapshot = second_levers_pulled()
    assert snapshot.rollback is not None
    flip = snapshot.rollback.flips[2]
    assert flip.by_hand
    for width in (80, 120):
        line = text_of(flip_row(flip, width, limit_pct=0.5, seen_pct=3.25, first="1st not readable"))
        assert "3.25%" in line, line


def test_a_first_lever_at_zero_is_read_now_or_not_said_to_be() -> None:
    """That it was at zero once says nothing about now: it may be raised, or its service gone."""
    snapshot = second_levers_pulled()
    assert snapshot.rollback is not None
    flip = replace(snapshot.rollback.flips[1], state=FlipState.AT_ZERO)
    [status] = [each for each in snapshot.flags if each.key == flip.flag]
    reads = FlagValue(key=flip.flag, on=True, percent=ZERO)
    fresh = replace(status.configured, value=reads, observed_at=NOW, failure=None)
    assert first_lever_words(flip, replace(status, configured=fresh), NOW) == "1st reads 0% too"
    old = replace(fresh, observed_at=NOW - timedelta(hours=1))
    assert first_lever_words(flip, replace(status, configured=old), NOW) == "1st not readable"
    raised = replace(fresh, value=replace(reads, percent=Percent(2500)))
    assert first_lever_words(flip, replace(status, configured=raised), NOW) == "1st still reads 25%"


@pytest.mark.parametrize("width", [80, 100, 120])
def test_around_midnight_the_times_are_whole_on_every_screen(width: int) -> None:
    """The date of tomorrow's deadline may be cut, its hour never."""
    late = NOW.replace(hour=23, minute=59, second=0)
    snapshot = rolling_back()
    assert snapshot.rollback is not None
    moved = late - NOW
    rollback = replace(
        snapshot.rollback,
        declared_at=snapshot.rollback.declared_at + moved,
        deadline_at=snapshot.rollback.deadline_at + moved,
        escalate_at=snapshot.rollback.escalate_at + moved,
    )
    page = Page(
        snapshot=replace(snapshot, rollback=rollback, engine_at=late),
        watched=Watched(),
        now=late,
        width=width,
        height=24,
    )
    shown = "\n".join(map(text_of, lines(page)))
    assert rollback.deadline_at.date() > late.date()
    assert f"deadline {rollback.deadline_at:%H:%M:%S} UTC" in shown


def test_every_flag_at_zero_says_by_which_lever() -> None:
    snapshot = second_levers_pulled()
    assert snapshot.rollback is not None
    live = replace(snapshot.rollback.flips[0], state=FlipState.AT_ZERO, unsent=0, at_zero_at=NOW)
    rollback = replace(snapshot.rollback, flips=(live, *snapshot.rollback.flips[1:]))
    said = text_of(not_at_zero(rollback, 120))
    assert said.rstrip().endswith(
        "at 0%: convex_resources by hand (ines@bastion-2), 1 by the second lever, 1 by the first"
    )


def test_a_lever_that_cannot_be_pulled_from_here_is_not_offered_and_says_why() -> None:
    snapshot = flags_down()
    assert snapshot.rollback is not None
    flags = tuple(
        replace(flag, second=replace(flag.second, offer="", barred="no right to write to balancer"))
        if flag.second is not None
        else flag
        for flag in snapshot.flags
    )
    said = [need.text for need in needs(snapshot.rollback, NOW, flags)]
    assert any("no right to write to balancer" in text for text in said)
    assert not any(text.startswith("L ") for text in said)


def test_a_first_lever_without_right_says_that_the_seat_helps_and_not_a_retry() -> None:
    snapshot = flags_down()
    assert snapshot.rollback is not None
    why = "ana@ops-1 has no right to write to main"
    flips = tuple(
        replace(flip, state=FlipState.REFUSED, unsent=0, lost=0, attempts=2, detail=why)
        for flip in snapshot.rollback.flips
    )
    rollback = replace(snapshot.rollback, flips=flips)
    flags = tuple(
        replace(flag, second=None, barred="D takes the seat, F then retries") for flag in snapshot.flags
    )
    said = [need.text for need in needs(rollback, NOW, flags)]
    assert any(f"({why})" in text and "D takes the seat, F then retries, or set it" in text for text in said)
