"""What banner, reason, strips and panels say of every situation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from cockpit.core.commands import CommandState, CommandStatus
from cockpit.core.model import FlagValue, Freshness, Quality, Verdict, WriteOutcome
from cockpit.core.snapshot import JournalHealth, Level, PlanChange, Reason, Snapshot
from cockpit.face.subject import Subject, Topic
from cockpit.face.view import Line, Role, Row, text_of, width_of
from cockpit.face.view_backends import backend_rows, backend_titles, backend_word
from cockpit.face.view_banner import banner, calm_words, level_now, reason_line, strips
from cockpit.face.view_detail import detail_lines
from cockpit.face.view_journal import command_line, host_line, journal_line
from cockpit.face.view_rollout import column_titles, flag_word, rollout_rows
from cockpit.face.view_signals import signal_rows
from cockpit.face.view_summary import summary_lines
from tests.face import pictures
from tests.face.pictures import NOW, ago, ahead, line

WIDTHS = (20, 39, 58, 80, 99, 100, 120, 200)


def said(lines: Sequence[Line]) -> str:
    return "\n".join(text_of(each) for each in lines)


def rows_said(rows: Sequence[Row]) -> str:
    return "\n".join(said(row.lines) for row in rows)


def roles_of(lines: Sequence[Line], word: str) -> set[Role]:
    return {role for each in lines for text, role in each if word in text}


# --- banner ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("builder", "words"),
    [
        (pictures.calm, "LIVE · production"),
        (pictures.demo, "DEMO - practice world"),
        (pictures.drill, "DRILL - nothing here is real"),
        (pictures.read_only, "READ-ONLY · production"),
    ],
)
@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_banner_names_the_mode_in_words_over_its_whole_width(
    builder: Callable[[], Snapshot], words: str, width: int
) -> None:
    line = banner(builder(), NOW, width)
    assert words in text_of(line)
    assert "03:12:07 UTC" in text_of(line)
    assert width_of(line) == width
    assert len({role for _, role in line}) == 1


def test_a_live_flight_that_cannot_write_says_both() -> None:
    observer = replace(pictures.calm(), read_only=True)
    assert "READ-ONLY · LIVE · production" in text_of(banner(observer, NOW, 120))


def test_a_silent_engine_is_the_loudest_thing_and_no_level_stays_ok() -> None:
    silent = pictures.engine_silent()
    line = banner(silent, NOW, 80)
    assert "ENGINE SILENT 12 s" in text_of(line)
    assert {role for _, role in line} == {Role.ALARM}
    assert level_now(silent, NOW) is Level.UNKNOWN
    assert "12 s" in text_of(reason_line(silent, NOW, 80))


def test_the_data_age_is_mentioned_before_it_alarms_and_not_while_it_is_young() -> None:
    snapshot = pictures.calm()
    assert "data live" in text_of(banner(snapshot, NOW, 120))
    assert "data 4 s old" in text_of(banner(snapshot, NOW + timedelta(seconds=4), 120))
    assert "ENGINE SILENT 5 s" in text_of(banner(snapshot, NOW + timedelta(seconds=5), 120))


# --- reason ------------------------------------------------------------------------------------------


def test_the_reason_tells_what_tripped_value_limit_since_and_how_many_more() -> None:
    text = text_of(reason_line(pictures.regressed(), NOW, 120))
    for part in ("✗ BAD", "errors", "REGRESSED", "7.72%", "limit 5%", "94 s", "+2 more"):
        assert part in text


def test_the_count_of_more_reasons_survives_a_narrow_screen() -> None:
    long = replace(pictures.regressed().reasons[0], what="word " * 40)
    snapshot = replace(pictures.regressed(), reasons=(long, *pictures.regressed().reasons[1:]))
    line = reason_line(snapshot, NOW, 60)
    assert text_of(line).endswith("+2 more")
    assert width_of(line) <= 60


def test_what_the_strip_of_the_proposal_tells_is_not_told_above_it_too_where_there_is_more() -> None:
    shown = pictures.regressed()
    assert shown.proposal is not None
    said = replace(shown.reasons[0], subject="rollback proposed", what=shown.proposal.text)
    other = Reason(level=Level.BAD, subject="new functions", what="probe DOWN")
    both = replace(shown, reasons=(said, other))
    assert "new functions: probe DOWN +1 more" in text_of(reason_line(both, NOW, 120, above_strips=True))
    assert "rollback proposed: " in text_of(reason_line(both, NOW, 120)), "a wall has no strip that tells it"
    for reasons in ((said,), (said, replace(other, level=Level.WARN))):
        alone = replace(shown, reasons=reasons)
        assert "rollback proposed: " in text_of(reason_line(alone, NOW, 120, above_strips=True))
    vetoed = replace(both, proposal=replace(shown.proposal, vetoed_by="kim"))
    assert "rollback proposed: " in text_of(reason_line(vetoed, NOW, 120, above_strips=True))


def test_the_worst_reason_is_told_wherever_it_stands() -> None:
    note = Reason(level=Level.NOTE, subject="a", what="small")
    bad = Reason(level=Level.BAD, subject="b", what="large")
    assert "b: large" in text_of(reason_line(replace(pictures.calm(), reasons=(note, bad)), NOW, 80))


def test_calm_is_told_in_numbers_of_what_was_seen() -> None:
    numbers = "3 of 3 flags read · 6 of 6 probes OK · 1 of 3 signals NOT WORSE"
    assert calm_words(pictures.calm(), NOW, 100) == f"nothing tripped · {numbers}"
    assert text_of(reason_line(pictures.calm(), NOW, 80)) == f" ✓ OK  {numbers}", "the numbers say the same"
    assert "0 of 3 flags read · 0 of 6 probes OK" in calm_words(pictures.stale(), NOW, 100)
    assert calm_words(pictures.stale(), NOW, 40).startswith("no reason given"), "what is odd is never dropped"


def test_an_answer_names_what_was_asked_in_words() -> None:
    status = CommandStatus(id="c-1", what="CloseRollback", state=CommandState.DONE, text="rollback closed")
    assert text_of(command_line(status, 80)) == " ✓ close rollback done: rollback closed"


# --- strips --------------------------------------------------------------------------------------------


def test_an_open_rollback_shows_its_time_on_every_width() -> None:
    for width in (80, 120, 200):
        (strip,) = strips(pictures.rolling_back(), NOW, width)
        assert "ROLLBACK  11:48 left  3 of 3 flags at zero" in text_of(strip)
        assert width_of(strip) == width


def test_an_overrun_is_counted_and_loud() -> None:
    (strip,) = strips(pictures.overrun(), NOW, 80)
    assert "+01:15 OVERRUN" in text_of(strip)
    assert {role for _, role in strip} == {Role.ALARM}


def test_a_proposal_asks_for_the_key_only_where_the_key_works() -> None:
    proposed = pictures.regressed()
    (strip,) = strips(proposed, NOW, 80)
    assert "ROLLBACK PROPOSED  Failed requests REGRESSED, for 94 s" in text_of(strip)
    assert text_of(strip).endswith(" R roll back ")
    (roomy,) = strips(proposed, NOW, 120)
    assert "for 94 s · new fails 9.9x as often as legacy" in text_of(roomy)
    observer = said(strips(replace(proposed, read_only=True), NOW, 80))
    assert "ROLLBACK PROPOSED" in observer
    assert "R roll back" not in observer


def test_a_journal_that_cannot_be_written_says_what_still_works() -> None:
    broken = replace(
        pictures.calm(), journal=JournalHealth(ok=False, path="x", last_seq=3, detail="disk full")
    )
    assert "rollback still works, forward moves are refused · disk full" in said(strips(broken, NOW, 120))


def test_a_changed_plan_and_a_broken_plan_are_told_apart() -> None:
    change = PlanChange(digest="d", diff=("stage 2 is 30%",), problems=(), seen_at=NOW)
    broken = replace(change, problems=("lms.toml:3: no such flag",))
    assert "PLAN FILE CHANGED  stage 2 is 30%" in said(
        strips(replace(pictures.calm(), plan_change=change), NOW, 120)
    )
    assert "PLAN FILE BROKEN" in said(strips(replace(pictures.calm(), plan_change=broken), NOW, 120))


def test_a_calm_flight_has_no_strip() -> None:
    assert strips(pictures.calm(), NOW, 80) == ()


# --- rollout -------------------------------------------------------------------------------------------


def test_three_numbers_stand_beside_each_other() -> None:
    for width in (80, 120):
        (first, *_) = rollout_rows(pictures.calm(), NOW, width, full=False)
        text = text_of(first.lines[0])
        assert text.split().count("25%") == 2
        assert "24.6%" in text


def test_an_unread_flag_has_dashes_and_says_that_it_cannot_be_seen() -> None:
    text = rows_said(rollout_rows(pictures.unknown_all(), NOW, 120, full=True))
    assert text.count("? UNKNOWN") == 3
    assert "cannot see: no answer within 5 s, never read" in text
    assert "0%" not in text
    assert "stage unknown" in text


def test_a_stale_number_is_marked_and_dated() -> None:
    text = rows_said(rollout_rows(pictures.stale(), NOW, 120, full=False))
    assert "~25%" in text
    assert "~ STALE" in text
    assert "last read 16 s ago" in text
    assert "AGREE" not in text


def test_a_foreign_change_gets_a_line_of_its_own_in_every_form() -> None:
    for width, full in ((80, False), (120, True)):
        text = rows_said(rollout_rows(pictures.foreign(), NOW, width, full=full))
        assert "RAISED 10% to 100% by m.kolb, not by this cockpit, 48 s ago" in text
        assert "✗ CHANGED" in text


def test_a_foreign_change_by_an_unknown_hand_says_somebody() -> None:
    flag = pictures.foreign().flags[1]
    assert flag.foreign is not None
    snapshot = replace(pictures.foreign(), flags=(replace(flag, foreign=replace(flag.foreign, who=None)),))
    assert "by somebody" in rows_said(rollout_rows(snapshot, NOW, 120, full=False))


def test_a_complex_flag_has_no_single_number() -> None:
    flag = pictures.calm().flags[0]
    value = FlagValue(key=flag.key, on=True, percent=None, complexities=("two strategies",))
    snapshot = replace(
        pictures.calm(), flags=(replace(flag, configured=replace(flag.configured, value=value)),)
    )
    assert "complex" in rows_said(rollout_rows(snapshot, NOW, 120, full=False))


def test_a_held_flag_names_who_holds_it_and_why() -> None:
    flag = replace(pictures.calm().flags[0], held_by="ines", held_reason="support is short-staffed")
    text = rows_said(rollout_rows(replace(pictures.calm(), flags=(flag,)), NOW, 120, full=False))
    assert "= HELD" in text
    assert "held by ines: support is short-staffed" in text


def test_a_write_of_unknown_outcome_is_told_under_its_flag() -> None:
    flag = replace(
        pictures.calm().flags[0], writing=WriteOutcome.UNKNOWN, writing_text="set to 25%: reading back"
    )
    rows = rollout_rows(replace(pictures.calm(), flags=(flag,)), NOW, 80, full=False)
    assert roles_of(rows[0].lines, "reading back") == {Role.UNKNOWN}


def test_the_hold_timer_ends_in_words() -> None:
    flag = replace(pictures.calm().flags[0], hold_until=ahead(95))
    snapshot = replace(pictures.calm(), flags=(flag,))
    assert "hold 95 s" in rows_said(rollout_rows(snapshot, NOW, 120, full=False))
    assert "hold over" in rows_said(rollout_rows(snapshot, NOW + timedelta(seconds=95), 120, full=False))


def test_numbers_stand_under_their_headings() -> None:
    snapshot = pictures.calm()
    for width in (80, 119):
        titles = text_of(column_titles(width))
        row = text_of(rollout_rows(snapshot, NOW, width, full=False)[0].lines[0])
        end = titles.index("asked") + len("asked")
        assert row[end - 3 : end] == "25%"


def test_every_flag_word_of_trouble_beats_agreement() -> None:
    flag = pictures.calm().flags[0]
    assert flag_word(flag, NOW).text == "AGREE"
    assert flag_word(flag, NOW + timedelta(seconds=12)).text == "STALE"
    assert flag_word(flag, NOW + timedelta(seconds=60)).text == "UNKNOWN"


# --- backends --------------------------------------------------------------------------------------------


def test_probes_stand_side_by_side_with_word_latency_and_facts() -> None:
    rows = backend_rows(pictures.calm(), NOW, 120, full=True)
    assert [row.column for row in rows] == [0, 1] * 3
    assert "✓ OK" in said(rows[0].lines)
    assert "18 ms" in said(rows[0].lines)
    assert "version 2.14.1" in said(rows[0].lines)


def test_old_health_is_stale_then_unknown_whatever_it_was() -> None:
    snapshot = pictures.calm()
    for seconds, word in ((0, "✓ OK"), (12, "~ STALE"), (60, "? UNKNOWN")):
        now = NOW + timedelta(seconds=seconds)
        assert rows_said(backend_rows(snapshot, now, 120, full=False)).count(word) == 6
        assert text_of(backend_titles(snapshot, now, 120)).count(word) == 2


def test_a_sick_probe_explains_itself_in_the_dense_form_too() -> None:
    text = rows_said(backend_rows(pictures.regressed(), NOW, 120, full=False))
    assert "✗ DOWN" in text
    assert "503 Service Unavailable" in text
    assert "! DEGRADED" in text


def test_i_cannot_ask_is_not_it_is_broken() -> None:
    text = rows_said(backend_rows(pictures.unknown_all(), NOW, 120, full=True))
    assert "cannot ask: no answer within 5 s" in text
    assert "DOWN" not in text


def test_a_side_without_probes_says_so() -> None:
    legacy_only = replace(pictures.calm(), backends=pictures.calm().backends[:1])
    assert "NEW has no probes" in text_of(backend_titles(legacy_only, NOW, 80))


# --- signals ---------------------------------------------------------------------------------------------


def test_a_signal_tells_rates_ratio_verdict_limit_and_when_it_will_know() -> None:
    text = rows_said(signal_rows(pictures.calm(), NOW, 58, full=True))
    for part in ("✓ NOT WORSE", "0.78%", "0.61%", "0.8x", "limit 5% in 3", "~6 min", "~25 min"):
        assert part in text
    assert "~25 min" in rows_said(signal_rows(pictures.calm(), NOW, 79, full=False))


def test_no_data_is_a_dash_and_unknown_never_a_zero() -> None:
    text = rows_said(signal_rows(pictures.unknown_all(), NOW, 80, full=True))
    assert text.count("? UNKNOWN") == 3
    assert "0.00%" not in text
    assert "cannot see: no answer within 5 s" in text


def test_a_verdict_over_old_readings_is_stale_except_the_one_that_asks_for_an_act() -> None:
    later = NOW + timedelta(seconds=40)
    calm = rows_said(signal_rows(pictures.calm(), later, 80, full=False))
    bad = rows_said(signal_rows(pictures.regressed(), later, 80, full=False))
    assert calm.count("~ STALE") == 3
    assert "0 of 3 signals NOT WORSE" in calm_words(pictures.calm(), later, 100)
    assert "✗ REGRESSED" in bad


def test_what_cannot_be_seen_has_no_ratio_and_no_colour_of_a_verdict() -> None:
    signal = pictures.calm().signals[0]
    blind = replace(
        signal,
        legacy=replace(signal.legacy, quality=Quality.NO_DATA),
        evidence=replace(signal.evidence, verdict=Verdict.UNKNOWN),
    )
    assert signal.evidence.fill_not_worse == 1, "a bar that was full"
    for width in (58, 79, 120, 198):
        (row,) = signal_rows(replace(pictures.calm(), signals=(blind,)), NOW, width, full=True)
        assert "? UNKNOWN" in text_of(row.lines[0])
        assert "x" not in text_of(row.lines[0]).replace("Failed requests", "")
        assert roles_of(row.lines, "━") == {Role.DIM}
    summary = "\n".join(summary_lines(replace(pictures.calm(), signals=(blind,)), NOW))
    assert "Failed requests: UNKNOWN, legacy —, new 0.61%, —" in summary


def test_what_was_read_too_long_ago_to_be_known_is_a_dash() -> None:
    signal = pictures.calm().signals[0]
    later = NOW + timedelta(seconds=600)
    assert signal.reading.freshness(later) is Freshness.UNKNOWN
    (row,) = signal_rows(replace(pictures.calm(), signals=(signal,)), later, 79, full=False)
    assert text_of(row.lines[0]).count("—") >= 3 and "%" not in text_of(row.lines[0])


def test_beside_a_verdict_that_stands_the_other_one_has_no_colour() -> None:
    signal = pictures.regressed().signals[0]
    both = replace(signal, evidence=replace(signal.evidence, fill_not_worse=1.0))
    (row,) = signal_rows(replace(pictures.regressed(), signals=(both,)), NOW, 79, full=False)
    assert roles_of(row.lines, "━") == {Role.BAD, Role.DIM}


def test_a_breached_limit_is_bad_also_without_a_verdict() -> None:
    signal = replace(
        pictures.calm().signals[1], limit_breached=True, limit_pct=5.0, limit_text="5% in 3 of 5"
    )
    text = rows_said(signal_rows(replace(pictures.calm(), signals=(signal,)), NOW, 80, full=True))
    assert "✗ OVER LIMIT" in text


def test_a_suspicion_below_the_verdict_is_a_warning() -> None:
    signal = pictures.calm().signals[1]
    suspect = replace(signal, evidence=replace(signal.evidence, warning=True))
    assert "! SUSPECT" in rows_said(
        signal_rows(replace(pictures.calm(), signals=(suspect,)), NOW, 80, full=False)
    )


def test_partial_data_of_one_side_is_a_dash_for_that_side_only() -> None:
    signal = pictures.calm().signals[0]
    partial = replace(signal, new=replace(signal.new, quality=Quality.PARTIAL))
    text = rows_said(signal_rows(replace(pictures.calm(), signals=(partial,)), NOW, 80, full=False))
    assert "0.78%" in text
    assert "—" in text


# --- journal and host --------------------------------------------------------------------------------------


def test_a_journal_line_names_a_person_and_not_the_machine() -> None:
    person = text_of(journal_line(line(1, 5, "ines@bastion-2", "note.added", "hello"), 80))
    machine = text_of(journal_line(line(2, 5, "cockpit", "flag.seen", "seen"), 80))
    assert person == "03:12:02 · hello  ines@bastion-2"
    assert "cockpit" not in machine


def test_the_host_line_colours_only_what_is_out_of_the_ordinary() -> None:
    host = pictures.calm().host_status
    assert host is not None
    assert {role for _, role in host_line(host, NOW, 120)} <= {Role.DIM, Role.RULE}
    sick = host_line(replace(host, clock_skew_s=4.5, memory_used_pct=97), NOW, 120)
    assert "! memory 97%" in text_of(sick)
    assert "! clock skew +4" in text_of(sick)


def test_old_host_figures_are_not_shown_as_new() -> None:
    host = pictures.calm().host_status
    assert host is not None
    assert "40 s old" in text_of(host_line(replace(host, sampled_at=ago(40)), NOW, 120))
    assert "not measured yet" in text_of(host_line(None, NOW, 120))


# --- details and summary ---------------------------------------------------------------------------------


def test_a_flags_details_tell_value_source_age_gates_and_stages() -> None:
    text = said(detail_lines(Subject(Topic.FLAG, "convex_courses"), pictures.calm(), NOW, 120))
    for part in (
        "on, stored 25%",
        "unleash",
        "41",
        "22 min ago",
        "✓ met",
        "✗ not met",
        "possible in 8 min",
        "beta",
    ):
        assert part in text


def test_a_failing_sources_details_tell_the_error_and_whose_fault() -> None:
    text = said(detail_lines(Subject(Topic.FLAG, "convex_courses"), pictures.unknown_all(), NOW, 120))
    for part in ("no answer within 5 s", "connect timeout to 10.4.0.17:4242", "network", "never read"):
        assert part in text


def test_details_of_probe_signal_and_journal_entry() -> None:
    bad = pictures.regressed()
    assert "503 Service Unavailable" in said(
        detail_lines(Subject(Topic.PROBE, "new/functions"), bad, NOW, 120)
    )
    assert "BREACHED" in said(detail_lines(Subject(Topic.SIGNAL, "errors"), bad, NOW, 120))
    assert "rollback proposed" in said(detail_lines(Subject(Topic.ENTRY, "42"), bad, NOW, 120))


@pytest.mark.parametrize("topic", list(Topic))
def test_details_of_what_is_gone_say_so(topic: Topic) -> None:
    assert "no longer in the picture" in said(detail_lines(Subject(topic, "gone"), pictures.calm(), NOW, 80))


def test_the_summary_tells_the_situation_in_plain_words() -> None:
    text = "\n".join(summary_lines(pictures.regressed(), NOW))
    for part in (
        "state: BAD",
        "errors: new side REGRESSED",
        "convex_courses: asked 25%",
        "new functions: DOWN",
    ):
        assert part in text
    assert "rollback: 11:48 left" in "\n".join(summary_lines(pictures.rolling_back(), NOW))


# --- widths ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("builder", pictures.EVERY)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("full", [True, False])
def test_no_line_of_any_panel_exceeds_its_width(
    builder: Callable[[], Snapshot], width: int, full: bool
) -> None:
    snapshot = builder()
    lines: list[Line] = [
        banner(snapshot, NOW, width),
        reason_line(snapshot, NOW, width),
        *strips(snapshot, NOW, width),
    ]
    for rows in (rollout_rows(snapshot, NOW, width, full=full), signal_rows(snapshot, NOW, width, full=full)):
        lines += [each for row in rows for each in row.lines]
    lines += [journal_line(entry, width) for entry in snapshot.tail]
    assert [text_of(each) for each in lines if width_of(each) > width] == []


@pytest.mark.parametrize("width", range(20, 131))
def test_the_banner_fills_its_line_wherever_it_is_cut(width: int) -> None:
    """Its clock is a widget of its own: a shorter line would open a gap in the middle of the mode."""
    assert width_of(banner(pictures.calm(), NOW, width)) == width


def test_a_side_that_was_down_is_unknown_once_nobody_looks_any_more() -> None:
    _, new = pictures.regressed().backends
    assert backend_word(new, NOW).text == "DOWN"
    assert backend_word(new, NOW + timedelta(hours=1)).text == "UNKNOWN"
