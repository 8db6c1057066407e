"""The record of a flight: what was written down, in order, and nothing that was not."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cockpit.core import flight as folding
from cockpit.core.clean import clean_text
from cockpit.core.events import Event, Kind
from cockpit.core.flight import Flight
from cockpit.core.report import as_json, report
from cockpit.core.report_markdown import escape, markdown
from cockpit.core.report_values import OpenItem, Report, RollbackRecord, RollbackResult
from cockpit.core.rollback import IllegalEvent, Rollback, StepState
from tests.core.recorded_events import BEGAN_AT, STEPS, Story, journals, rolled_back

MADE_AT = BEGAN_AT + timedelta(hours=1)


def made(story: Story) -> Report:
    return report(story.events, made_at=MADE_AT)


def only(story: Story) -> RollbackRecord:
    (record,) = made(story).rollbacks
    return record


def opened(*, at_s: float = 1000) -> Story:
    story = Story()
    story.open()
    story.declare(at_s)
    return story


def owed(record: RollbackRecord) -> list[str]:
    return [item.what for item in record.open_items]


def test_who_flew_what_and_when() -> None:
    value = made(rolled_back())
    assert (value.title, value.environment, value.mode) == ("Chat sync", "production", "live")
    assert value.plan_digest == "abc123"
    assert [(one.operator, one.host, one.version, one.resumed) for one in value.sessions] == [
        ("ana", "ops-1", "0.1.0", False)
    ]
    assert value.operators == ("ana", "bo", "cy")
    assert (value.first_at, value.last_at) == (BEGAN_AT, BEGAN_AT + timedelta(seconds=1600))
    assert value.events == len(value.timeline) == len(rolled_back().events)
    assert value.last_hash == rolled_back().events[-1].hash
    assert [note.text for note in value.notes] == ["replaying messages tomorrow"]


def test_three_clocks() -> None:
    record = only(rolled_back())
    assert record.result is RollbackResult.CLOSED
    assert (record.detection_s, record.safe_s, record.close_s) == (95, 450, 550)
    assert (record.budget_s, record.overrun_s) == (900, 0)
    assert record.users_safe_text == ""
    assert (record.declared_by, record.ended_by, record.ended_note) == ("ana", "bo", "all safe")
    assert (record.commander, record.data_owner) == ("bo", "cy")


def test_steps_with_budget_and_actual() -> None:
    steps = {step.step: step for step in only(rolled_back()).steps}
    assert list(steps) == [key for key, _, _ in STEPS]
    assert (steps["drain"].budget_s, steps["drain"].actual_s, steps["drain"].late) == (420, 430, True)
    assert (steps["flip"].actual_s, steps["flip"].late) == (4, False)
    assert steps["flip"].evidence == "2 of 2 flags re-read at 0%"
    overridden = steps["announce"]
    assert (overridden.state, overridden.done_by) == (StepState.OVERRIDDEN, "ana")
    assert overridden.evidence == "told them by phone"
    assert (steps["close"].state, steps["close"].done_by) == (StepState.DONE, "bo")


def test_flags_with_every_write_and_its_outcome() -> None:
    send, read = only(rolled_back()).flags
    assert (send.before_pct, read.before_pct) == (25, 50)
    assert [(one.action, one.outcome) for one in send.writes] == [("kill", "unknown"), ("zero", "done")]
    assert [(one.action, one.outcome) for one in read.writes] == [
        ("kill", "refused"),
        ("kill", "done"),
        ("zero", "done"),
    ]
    assert send.at_zero_at == BEGAN_AT + timedelta(seconds=1002)
    assert (read.drained_at, read.share_pct) == (BEGAN_AT + timedelta(seconds=1430), 0.1)


def test_data_announcements_and_what_is_left_with_its_owner() -> None:
    record = only(rolled_back())
    assert [(one.name, one.count) for one in record.deltas] == [("messages", 12), ("uploads", 0)]
    assert [(one.hook, one.moment, one.sent) for one in record.announcements] == [
        ("chat", "declared", False),
        ("chat", "declared", True),
        ("pager", "flipped", False),
    ]
    assert record.open_items == (
        OpenItem(
            what="step Announce was overridden: its evidence is still missing", role="commander", owner="bo"
        ),
        OpenItem(what="announcement flipped through pager was not delivered", role="commander", owner="bo"),
        OpenItem(
            what="settle what becomes of 12 messages written on the new side since the cut mark",
            role="data owner",
            owner="cy",
        ),
    )


def test_a_forward_move_with_who_and_on_whose_judgement() -> None:
    (move,) = made(rolled_back()).moves
    assert (move.flag, move.before_pct, move.asked_pct, move.by) == ("send", 10, 25, "ana")
    assert (move.outcome, move.seen_pct) == ("done", 25)
    assert move.overrides == ("errors overridden by ana: low traffic",)
    assert move.gates == ()


def test_an_override_for_another_stage_is_not_this_move_s() -> None:
    story = Story()
    story.tell(1, Kind.VERDICT_OVERRIDDEN, "ana", flag="send", signal="errors", percent=1000, reason="x")
    story.tell(2, Kind.FLAG_ASKED, "ana", flag="send", percent=2500, before=1000, gates=["hold 10 min: met"])
    (move,) = made(story).moves
    assert move.overrides == ()
    assert move.gates == ("hold 10 min: met",)
    assert (move.outcome, move.seen_at) == ("", None)


def test_changes_by_others_are_listed() -> None:
    story = Story()
    story.tell(1, Kind.FLAG_FOREIGN, flag="send", before="0%", after="100%", who=None, raised=True)
    (change,) = made(story).foreign
    assert (change.flag, change.before, change.after, change.who, change.raised) == (
        "send", "0%", "100%", "", True,
    )  # fmt: skip


def test_verdicts_limits_and_vetoes_are_listed() -> None:
    story = Story()
    story.tell(1, Kind.VERDICT_CHANGED, signal="errors", verdict="REGRESSED", text="E=120")
    story.tell(2, Kind.PROPOSAL_RAISED, signal="errors", text="roll back", value="7%", limit="5%")
    story.tell(3, Kind.PROPOSAL_VETOED, "bo", signal="errors", reason="known noise")
    assert [(row.actor, row.kind) for row in made(story).judgements] == [
        ("cockpit", "verdict.changed"),
        ("cockpit", "proposal.raised"),
        ("bo", "proposal.vetoed"),
    ]


def test_an_open_rollback_is_open() -> None:
    record = only(opened())
    assert record.result is RollbackResult.OPEN
    assert (record.safe_s, record.close_s, record.users_safe_at, record.ended_at) == (None, None, None, None)
    assert record.overrun_s == 3600 - 1000 - 900
    assert "send was not seen drained" in record.users_safe_text
    assert "send was never re-read at zero" in owed(record)
    assert {step.state for step in record.steps} == {StepState.WAITING}
    assert all(step.late for step in record.steps)
    text = markdown(made(opened()))
    assert "**Rollback 1: OPEN since 2031-02-03 04:16:40, 28:20 over time**" in text
    assert "CLOSED" not in text


def test_before_its_deadline_an_open_rollback_has_no_overrun() -> None:
    (record,) = report(opened().events, made_at=BEGAN_AT + timedelta(seconds=1100)).rollbacks
    assert record.overrun_s == 0
    assert [step.step for step in record.steps if step.late] == ["declare", "freeze"]


def test_a_cancelled_rollback_owes_nothing() -> None:
    story = opened()
    story.tell(1010, Kind.ROLLBACK_CANCELLED, "bo", rollback="r1", reason="wrong plan")
    record = only(story)
    assert record.result is RollbackResult.CANCELLED
    assert (record.ended_by, record.ended_note, record.overrun_s) == ("bo", "wrong plan", None)
    assert record.open_items == ()
    assert "CANCELLED before any flag was written" in markdown(made(story))


def test_an_overrun_is_told() -> None:
    story = opened()
    story.tell(2000, Kind.ROLLBACK_CLOSED, "bo", rollback="r1", overrun_s=100.0)
    assert only(story).overrun_s == 100
    assert "CLOSED after 16:40, 1:40 over time" in markdown(made(story))


@pytest.mark.parametrize("step", ["drain", "verify"])
def test_users_are_not_called_safe_on_an_override(step: str) -> None:
    story = opened()
    for flag in ("send", "read"):
        story.seen(1001, flag)
        story.drained(1002, flag)
    for key in ("drain", "verify"):
        if key != step:
            story.step(1003, key)
    story.tell(1004, Kind.STEP_OVERRIDDEN, "bo", rollback="r1", step=step, reason="must go on")
    record = only(story)
    assert record.users_safe_at is None
    assert "was overridden by bo" in record.users_safe_text


def test_a_share_that_nobody_observed_is_said() -> None:
    story = opened()
    story.step(1001, "verify")
    story.drained(1002, "send")
    story.drained(1003, "read", None)
    assert "was not done" in only(story).users_safe_text, "the gauges of the new side may not be drained yet"
    story.step(1003, "drain")
    record = only(story)
    assert record.users_safe_at == BEGAN_AT + timedelta(seconds=1003)
    assert record.users_safe_text == "read: share not observed"


def test_a_flag_that_is_raised_again_takes_its_proofs_back() -> None:
    story = opened()
    for flag in ("send", "read"):
        story.write(1000, flag, 1, "done")
        story.seen(1001, flag)
        story.drained(1002, flag)
    story.step(1001, "flip")
    story.step(1002, "drain")
    story.step(1002, "verify")
    story.seen(1010, "send", 10_000)
    record = only(story)
    assert (record.flags[0].at_zero_at, record.flags[0].drained_at) == (None, None)
    assert record.flags[0].raised_again == 1
    assert record.users_safe_at is None
    states = {step.step: step.state for step in record.steps}
    assert (states["flip"], states["drain"], states["verify"]) == ("running", "running", "running")
    assert "reopened 1x" in markdown(made(story))


def test_a_stored_percentage_that_was_not_cleared_is_left_to_do() -> None:
    story = opened()
    story.write(1000, "send", 1, "done")
    story.write(1001, "send", 2, "unknown", "zero")
    assert "send is off, but its stored percentage is not known to be zero" in owed(only(story))


def test_a_write_without_an_answer_is_shown_as_such() -> None:
    story = opened()
    story.tell(1000, Kind.WRITE_INTENT, write_id="x", flag="send", action="kill", rollback="r1")
    (write,) = only(story).flags[0].writes
    assert write.outcome == ""
    assert "**no answer recorded**" in markdown(made(story))


def test_an_answer_finds_its_write_in_a_journal_that_left_out_the_rollback() -> None:
    story = opened()
    story.tell(1000, Kind.WRITE_INTENT, write_id="x", flag="send", action="kill", rollback="r1")
    story.tell(1001, Kind.WRITE_OUTCOME, write_id="x", flag="send", outcome="done")
    story.tell(1002, Kind.STEP_DONE, step="freeze", evidence="from an old journal")
    record = only(story)
    assert [write.outcome for write in record.flags[0].writes] == ["done"]
    assert {step.step: step.state for step in record.steps}["freeze"] is StepState.DONE


def test_counters_that_were_never_counted_are_left_to_the_data_owner() -> None:
    story = opened()
    story.tell(1000, Kind.ROLLBACK_CUT, rollback="r1", counters=[["messages", 1.0]])
    items = [item for item in only(story).open_items if item.role == "data owner"]
    assert items[0] == OpenItem(
        what="count messages written on the new side since the cut mark", role="data owner", owner=""
    )


def test_two_rollbacks_keep_their_events_apart() -> None:
    story = rolled_back()
    story.declare(3000, rollback="r2", reason="again")
    story.tell(3001, Kind.STEP_DONE, rollback="r2", step="freeze", evidence="second")
    first, second = made(story).rollbacks
    assert (first.result, second.result) == (RollbackResult.CLOSED, RollbackResult.OPEN)
    assert [step.evidence for step in second.steps if step.step == "freeze"] == ["second"]
    assert [step.evidence for step in first.steps if step.step == "freeze"] == ["seen"]


def test_a_plan_taken_later_is_the_one_that_flies() -> None:
    story = rolled_back()
    story.tell(1700, Kind.PLAN_TAKEN, "ana", digest="def456", diff=["hold 10m -> 20m"])
    assert made(story).plan_digest == "def456"


def test_a_flight_that_was_resumed_has_not_ended() -> None:
    story = rolled_back()
    story.tell(1700, Kind.FLIGHT_ENDED, why="done")
    assert made(story).ended_why == "done"
    story.tell(1800, Kind.FLIGHT_RESUMED, "bo", plan_title="Chat sync")
    assert made(story).ended_at is None
    assert [one.resumed for one in made(story).sessions] == [False, True]


@pytest.mark.parametrize(("mode", "loud"), [("drill", "**DRILL"), ("demo", "**DEMO"), ("live", "")])
def test_a_drill_is_never_taken_for_the_real_thing(mode: str, loud: str) -> None:
    story = Story()
    story.open(mode)
    head = markdown(made(story)).splitlines()[2]
    assert head.startswith(loud) if loud else "nothing here was real" not in head


def test_an_empty_journal_says_that_nothing_is_recorded() -> None:
    text = markdown(report([], made_at=MADE_AT))
    assert text.startswith("# Cutover record: not recorded\n")
    assert "| Plan digest | not recorded |" in text
    assert text.endswith("None recorded.\n")


HOSTILE = (
    "|`x`<img src=x onerror=y>\n# head\n- [a](https://evil)![i](u) **b** _c_ www.evil.example"
    " \x1b[2J $x$ ~~s~~"
)


def test_what_people_typed_cannot_become_markup() -> None:
    story = opened()
    story.tell(1001, Kind.NOTE_ADDED, HOSTILE, text=HOSTILE)
    story.tell(1002, Kind.STEP_OVERRIDDEN, HOSTILE, rollback="r1", step="flip", reason=HOSTILE)
    story.tell(1003, Kind.FLAG_FOREIGN, flag=HOSTILE, before=HOSTILE, after=HOSTILE, who=HOSTILE)
    text = markdown(made(story))
    assert not re.search(r"\x1b|<|(?<!\\)\[|(?<!\\)`|(?<!\\)!|(?<!\\)\$|https://|www\.e", text)
    assert_sound(text)


MARKUP = st.text(st.sampled_from(list("|`*_[]()<>&~$!\\#+-=.: \n\x1b01aw/@é")), max_size=30)


@given(
    text=MARKUP
    | st.sampled_from(["- a", "1. a", "2) b", "&lt;b&gt;", "---", "```", "http://a.b", "~~a~~", HOSTILE])
)
@settings(deadline=None)
def test_escaped_text_is_shown_as_it_is_wherever_it_stands(text: str) -> None:
    """Rendered by a real Markdown parser: the text comes out as it went in, and as nothing but text."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    shown = clean_text(text, limit=4000)
    for source in (escape(text), f"- {escape(text)}", f"| a | b |\n| --- | --- |\n| x{escape(text)} | c |"):
        tokens = parser.parse(source)
        inline = [token.children or [] for token in tokens if token.type == "inline"]
        words = ["".join(child.content for child in children) for children in inline]
        assert {child.type for children in inline for child in children} <= {"text", "text_special"}
        assert not {token.type for token in tokens} & {
            "heading_open",
            "hr",
            "html_block",
            "fence",
            "code_block",
        }
        assert words in ([shown] if shown else [], ["a", "b", f"x{shown}", "c"])


def assert_sound(text: str) -> None:
    """Every line is one of ours: a heading, our bold line, a whole table row, or a plain sentence."""
    width = 0
    for line in text.split("\n"):
        assert not {"Cc", "Cf", "Cs"} & {unicodedata.category(character) for character in line}
        if line.startswith("|"):
            cells = line.replace("\\\\", "").replace("\\|", "").count("|") - 1
            width = width or cells
            assert cells == width, line
            continue
        width = 0
        plain = ("Cut mark: ", "All times are UTC.", "None recorded.", "**Rollback ", "**DRILL", "**DEMO")
        assert line == "" or line.startswith(("# Cutover record: ", "## ", "### ", *plain)), line


@given(events=journals())
@settings(deadline=None, max_examples=150)
def test_any_journal_renders(events: list[Event]) -> None:
    value = report(events, made_at=MADE_AT)
    assert len(value.timeline) == len(events)
    assert len(value.rollbacks) == sum(event.kind is Kind.ROLLBACK_DECLARED for event in events)
    text = markdown(value)
    assert_sound(text)
    assert "<" not in text
    plain = as_json(value)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_a_story_with_fields_and_events_missing_still_renders(data: st.DataObject) -> None:
    events = rolled_back().events
    kept = data.draw(st.lists(st.sampled_from(events), unique_by=lambda event: event.seq))
    dropped = data.draw(st.sets(st.sampled_from(sorted({name for event in events for name in event.body}))))
    thinned = [
        replace(event, body={name: value for name, value in event.body.items() if name not in dropped})
        for event in sorted(kept, key=lambda event: event.seq)
    ]
    assert_sound(markdown(report(thinned, made_at=MADE_AT)))


def test_the_record_as_json_has_the_names_that_scripts_read() -> None:
    plain = as_json(made(rolled_back()))
    assert plain["format"] == 1
    rollbacks = plain["rollbacks"]
    assert isinstance(rollbacks, list)
    assert {"result", "detection_s", "safe_s", "close_s", "overrun_s", "steps", "flags"} <= rollbacks[
        0
    ].keys()
    assert rollbacks[0]["declared_at"] == "2031-02-03T04:16:40+00:00"
    assert rollbacks[0]["result"] == "CLOSED"


# --- the record tells the same story as the machine


FLAGS = st.sampled_from(["send", "read"])
STEP_KINDS = [Kind.STEP_STARTED, Kind.STEP_DONE, Kind.STEP_FAILED, Kind.STEP_OVERRIDDEN]


@st.composite
def candidates(draw: st.DrawFn) -> tuple[Kind, dict[str, object]]:
    """An event that may or may not be possible now; an answer always names its write's own action."""
    writes = [Kind.WRITE_INTENT, Kind.WRITE_OUTCOME]
    others = [Kind.FLAG_SEEN, Kind.ROLLBACK_DRAINED, Kind.ROLLBACK_WIDENED]
    levers = [Kind.LEVER_PULLED, Kind.LEVER_BY_HAND]
    kind = draw(st.sampled_from([*writes, *others, *levers, *STEP_KINDS]))
    flag, lever = draw(FLAGS), draw(st.sampled_from(["first", "second"]))
    if kind is Kind.LEVER_PULLED:
        return kind, {"flag": flag, "service": "balancer", "key": "pool", "takes_s": 40.0, "why": "down"}
    if kind is Kind.LEVER_BY_HAND:
        return kind, {"flag": flag, "manual": "weight 0", "takes_s": 240.0, "note": "done"}
    if kind is Kind.ROLLBACK_WIDENED:
        row = {"flag": draw(st.sampled_from(["more", "send"])), "layer": 0, "waits_for": [], "before": 100}
        return kind, {"flags": [row], "whole": True, "reason": ""}
    if kind in writes:
        action = draw(st.sampled_from(["kill", "zero"]))
        outcome = draw(st.sampled_from(["done", "refused", "unknown"]))
        body = {"flag": flag, "write_id": action, "action": action, "outcome": outcome, "detail": ""}
        return kind, {**body, "lever": lever}
    if kind is Kind.FLAG_SEEN:
        return kind, {"flag": flag, "exposure": draw(st.sampled_from([0, 0, 5000, None])), "lever": lever}
    if kind is Kind.ROLLBACK_DRAINED:
        return kind, {"flag": flag, "share_pct": draw(st.sampled_from([0.1, None]))}
    step = draw(st.sampled_from([key for key, _, _ in STEPS]))
    return kind, {"step": step, "evidence": "e", "reason": "r"}


def test_the_lever_of_each_flag_its_writes_and_its_time_are_told() -> None:
    story = opened()
    story.tell(1030, Kind.WRITE_INTENT, **_write("send", "w7", "kill"))
    answer = {"outcome": "refused", "detail": "connection refused", "took_s": 0.0, "unsent": True}
    story.tell(1031, Kind.WRITE_OUTCOME, **_write("send", "w7", "kill"), **answer)
    pull = {
        "rollback": "r1",
        "flag": "send",
        "service": "balancer",
        "key": "pool",
        "takes_s": 40.0,
        "why": "down",
    }
    story.tell(1032, Kind.LEVER_PULLED, "lea", **pull)
    second = {**_write("send", "w8", "kill"), "lever": "second", "service": "balancer"}
    story.tell(1033, Kind.WRITE_INTENT, **second)
    story.tell(1034, Kind.WRITE_OUTCOME, **second, outcome="done", detail="", took_s=0.9)
    story.tell(1036, Kind.FLAG_SEEN, rollback="r1", flag="send", exposure=0, lever="second")
    hand = {"rollback": "r1", "flag": "read", "manual": "weight 0", "takes_s": 240.0, "note": "weight is 0"}
    story.tell(1040, Kind.LEVER_BY_HAND, "lea", **hand)
    record = only(story)
    send, read = record.flags
    assert (send.lever, send.took_s, send.second_service, send.pulled_by) == (
        "second",
        3.0,
        "balancer",
        "lea",
    )
    assert (send.at_zero_at, send.second_at) == (None, BEGAN_AT + timedelta(seconds=1036))
    assert [(write.lever, write.outcome) for write in send.writes] == [
        ("first", "refused"),
        ("second", "done"),
    ]
    assert (read.lever, read.hand_by, read.hand_note, read.took_s) == ("by hand", "lea", "weight is 0", None)
    page = markdown(made(story))
    assert "second (balancer), pulled by lea; the first **not** at zero" in page
    assert "**by hand**, lea: weight is 0" in page
    left = [item.what for item in record.open_items]
    assert "send: put its second lever (balancer) back before the next try" in left
    assert "read was never re-read at zero; it was done by hand on lea's word" in left


def _write(flag: str, write_id: str, action: str) -> dict[str, object]:
    return {"rollback": "r1", "flag": flag, "write_id": write_id, "action": action}


def test_a_widening_is_told_with_its_flags_and_who_did_it() -> None:
    story = opened()
    row = {"flag": "more", "layer": 0, "waits_for": [], "before": 2500}
    body = {"rollback": "r1", "flags": [row], "whole": True, "reason": ""}
    story.tell(1100, Kind.ROLLBACK_WIDENED, "lea", **body)
    record = only(story)
    assert record.whole is True and [flag.flag for flag in record.flags][-1] == "more"
    assert [(one.by, one.flags) for one in record.widened] == [("lea", ("more",))]
    assert "by lea: also more" in markdown(made(story))


@given(drawn=st.lists(candidates(), max_size=60))
@settings(deadline=None, max_examples=200)
def test_the_record_agrees_with_the_machine(drawn: list[tuple[Kind, dict[str, object]]]) -> None:
    """Of any run of events that the machine accepts, both tell the same steps, flags and times."""
    story = opened()
    flight = folding.fold(story.events, Flight())
    for number, (kind, body) in enumerate(drawn):
        before = len(story.events)
        story.tell(1001 + number, kind, "cockpit", **body, rollback="r1")
        try:
            flight = folding.apply(flight, story.events[-1])
        except IllegalEvent:
            del story.events[before:]
    assert flight.rollback is not None
    assert told(only(story)) == known(flight.rollback)


def told(record: RollbackRecord) -> tuple[object, ...]:
    steps = [(step.step, step.state.replace("asking", "running"), step.done_at) for step in record.steps]
    return steps, [(flag.at_zero_at, flag.drained_at, flag.share_pct) for flag in record.flags]


def known(rollback: Rollback) -> tuple[object, ...]:
    steps = [(step.id, step.state.replace("asking", "running"), step.done_at) for step in rollback.steps]
    return steps, [(flip.at_zero_at, flip.drained_at, flip.share_pct) for flip in rollback.flips]
