"""Row by row: every transform of a migration, and every way in which one goes wrong with a cause to name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.parity import Match, ParityValue
from cockpit.core.parity_rows import Cell, FieldKind, FieldRule, Row, RowsSeen, compare_rows

SENT = datetime.fromisoformat("2026-03-01T08:30:15.250")  # no zone, as PostgreSQL's TIMESTAMP
TITLE = FieldRule(legacy="title", new="title")
ROLE = FieldRule(legacy="role", new="role", kind=FieldKind.ENUM, values={"human": "user", "ai": "assistant"})
TIME = FieldRule(legacy="sent", new="timestamp", kind=FieldKind.INSTANT)
PARENT = FieldRule(legacy="chat_id", new="chatId", kind=FieldKind.REFERENCE, table="chats")
SMALL = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=2))


def ms(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp() * 1000


def compared(
    legacy: Mapping[str, Row],
    new: Mapping[str, Row],
    *rules: FieldRule,
    ids: Mapping[str, str] | None = None,
    again: Mapping[str, Row] | None = None,
    only_new: tuple[str, ...] = (),
    tolerance_per_mille: float = 0,
) -> ParityValue:
    seen = RowsSeen(
        legacy=legacy, again=again or legacy, new=new, ids={"chats": ids or {}}, only_new=only_new
    )
    return compare_rows(seen, rules, tolerance_per_mille=tolerance_per_mille)


def cause(legacy: Cell, new: Cell, rule: FieldRule, ids: Mapping[str, str] | None = None) -> str:
    """What is said about one row in which only this field is looked at."""
    value = compared({"a": {rule.legacy: legacy}}, {"a": {rule.new: new}}, rule, ids=ids)
    assert (value.match is Match.EQUAL) is (not value.differences)
    return value.differences[0].what if value.differences else ""


@given(cell=SMALL)
def test_the_same_value_is_never_a_difference(cell: Cell) -> None:
    assert cause(cell, cell, TITLE) == ""


@given(legacy=SMALL, new=SMALL)
def test_values_of_different_kinds_are_never_the_same(legacy: Cell, new: Cell) -> None:
    alike = type(legacy) is type(new) and legacy == new
    assert (cause(legacy, new, TITLE) == "") is alike


def test_enums_are_mapped_and_what_has_no_mapping_must_be_the_same() -> None:
    assert cause("human", "user", ROLE) == ""
    assert cause("system", "system", ROLE) == ""
    assert cause("human", "human", ROLE) == "role is not the mapped value in all 1 rows"


def test_times_become_milliseconds() -> None:
    assert cause(SENT, ms(SENT), TIME) == ""
    assert cause("2026-03-01 08:30:15.250", ms(SENT), TIME) == ""
    assert cause(SENT.replace(microsecond=250_900), ms(SENT), TIME) == ""
    assert cause(SENT, ms(SENT) + 2, TIME) == "timestamp is another instant in all 1 rows"
    assert cause(SENT, "2026-03-01", TIME) == "timestamp is no number of milliseconds in all 1 rows"
    assert cause(SENT, True, TIME) == "timestamp is no number of milliseconds in all 1 rows"
    assert cause("yesterday", 1.0, TIME).startswith("timestamp cannot be compared")


def test_a_time_read_in_another_zone_is_named_as_that() -> None:
    shifted = ms(SENT) - timedelta(hours=2).total_seconds() * 1000
    assert cause(SENT, shifted, TIME) == "timestamp is off by exactly -2.0 h (time zone?) in all 1 rows"


def test_a_legacy_time_without_a_zone_is_read_in_the_plans_zone() -> None:
    berlin = FieldRule(legacy="sent", new="timestamp", kind=FieldKind.INSTANT, zone=ZoneInfo("Europe/Berlin"))
    summer = datetime.fromisoformat("2026-07-01T08:00")
    assert cause(summer, ms(summer) - 7_200_000, berlin) == ""
    winter = datetime.fromisoformat("2026-01-01T08:00")
    assert cause(winter, ms(winter) - 3_600_000, berlin) == ""


def test_seconds_for_milliseconds_are_named_as_that() -> None:
    assert "in seconds, not milliseconds" in cause(SENT, int(ms(SENT) / 1000), TIME)


def test_a_parent_is_the_new_id_of_the_same_row() -> None:
    ids = {"c1": "k57a", "c2": "k57b"}
    assert cause("c1", "k57a", PARENT, ids) == ""
    assert cause("c1", "k57b", PARENT, ids) == "chatId refers to another row in all 1 rows"
    assert cause("c1", "c1", PARENT, ids) == "chatId still is legacy's id in all 1 rows"
    assert (
        cause("c9", "k57a", PARENT, ids) == "chatId refers to a row that is not on the new side in all 1 rows"
    )


def test_what_was_dropped_is_absent_and_what_legacy_never_had_is_not_missed() -> None:
    assert cause(SENT, None, TIME) == "timestamp is absent in all 1 rows"
    assert cause(None, None, TIME) == ""
    assert cause(None, "x", TITLE) == "title is set where legacy has nothing in all 1 rows"
    flag = FieldRule(legacy="is_deleted", new="isDeleted", empty=False)
    assert cause(None, False, flag) == ""


def rows(count: int, **cells: Cell) -> dict[str, Row]:
    return {f"m{number}": dict(cells) for number in range(count)}


def test_messages_whose_import_skipped_them_are_all_missing_with_the_likely_cause() -> None:
    value = compared(rows(50, title="x"), {}, TITLE)
    assert value.match is Match.DIFFERENT
    assert value.apart == 1000
    assert "was the key stored on import?" in value.text
    assert value.differences[0].examples == ("m0", "m1", "m2")


def test_rows_that_moved_while_they_were_read_prove_nothing() -> None:
    legacy, again = rows(10, title="x"), rows(10, title="x")
    again["m0"] = {"title": "changed"}
    new = {**rows(10, title="x"), "m0": {"title": "something else"}}
    value = compared(legacy, new, TITLE, again=again)
    assert (value.match, value.compared) == (Match.NOISE, 9)
    everything = compared(legacy, new, TITLE, again=rows(10, title="y"))
    assert everything.match is Match.UNKNOWN
    assert compared({}, {}, TITLE).match is Match.UNKNOWN


def test_a_row_with_two_faults_counts_once_and_both_are_named() -> None:
    legacy = rows(4, title="x", role="human")
    new = {**rows(4, title="x", role="user"), "m1": {"title": "y", "role": "human"}}
    value = compared(legacy, new, TITLE, ROLE)
    assert value.apart == 250
    assert [each.what for each in value.differences] == [
        "title differs in 1 of 4 rows",
        "role is not the mapped value in 1 of 4 rows",
    ]


def test_one_field_with_two_causes_names_the_more_frequent_first() -> None:
    new = {**rows(5, timestamp=ms(SENT) + 3_600_000), "m4": {"timestamp": None}}
    value = compared(rows(5, sent=SENT), new, TIME)
    assert [each.rows for each in value.differences] == [4, 1]


def test_rows_that_only_the_new_side_has_are_differences() -> None:
    value = compared(rows(10, title="x"), rows(10, title="x"), TITLE, only_new=("ghost",))
    assert value.match is Match.DIFFERENT
    assert value.differences[0].what == "1 rows of the new side are not on legacy"


@pytest.mark.parametrize(("allowed", "match"), [(100, Match.TOLERATED), (99.9, Match.DIFFERENT)])
def test_the_plan_may_allow_so_many_in_a_thousand(allowed: float, match: Match) -> None:
    new = {**rows(10, title="x"), "m3": {"title": "y"}}
    assert compared(rows(10, title="x"), new, TITLE, tolerance_per_mille=allowed).match is match


def test_values_stay_out_of_the_finding_unless_the_plan_lets_them_show() -> None:
    legacy, new = rows(1, title="my secret"), rows(1, title="\x1b[2Jother")
    assert compared(legacy, new, TITLE).differences[0].examples == ("m0",)
    shown = FieldRule(legacy="title", new="title", shows=True)
    assert compared(legacy, new, shown).differences[0].examples == (
        "m0: my secret / \N{REPLACEMENT CHARACTER}[2Jother",
    )


def test_a_field_that_no_row_of_either_side_has_was_not_compared() -> None:
    """Misspelt on both sides it would be alike for ever."""
    legacy, new = {"a": {"id": "a", "title": "x"}}, {"a": {"id": "a", "title": "x"}}
    typo = FieldRule(legacy="titel", new="titel")
    value = compared(legacy, new, TITLE, typo)
    assert value.match is Match.UNKNOWN
    assert "has the field titel" in value.text
    assert compared({"a": {"titel": None}}, {"a": {}}, typo).match is Match.EQUAL
    assert compared(legacy, {"a": {"title": "y"}}, TITLE, typo).match is Match.DIFFERENT


@pytest.mark.parametrize(("unread", "match"), [(1, Match.EQUAL), (2, Match.UNKNOWN)])
def test_a_sample_most_of_which_legacy_did_not_give_proves_nothing(unread: int, match: Match) -> None:
    rows: Mapping[str, Row] = {"a": {"title": "x"}}
    seen = RowsSeen(legacy=rows, again=rows, new=rows, unread=unread)
    assert compare_rows(seen, [TITLE], tolerance_per_mille=0).match is match
