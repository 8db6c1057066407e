"""What every implementation of the journal promises. A new one joins by a line in `OPENERS`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cockpit.core.events import MACHINE, Event, Kind
from cockpit.core.model import Side
from cockpit.core.secret import Secret
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.journal_port import (
    Beat,
    Draft,
    FailureKind,
    Journal,
    JournalFailure,
    ResumePoint,
    SequenceConflict,
)

AT = datetime(2031, 2, 3, 4, 5, 6, 7, tzinfo=UTC)

OPENERS: dict[str, Callable[[Path], Journal]] = {
    "sqlite": lambda place: SqliteJournal(place / "state" / "flight.journal"),
    "memory": lambda place: MemoryJournal(),
}


@pytest.fixture(params=sorted(OPENERS))
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    opened = OPENERS[request.param](tmp_path)
    yield opened
    opened.close()


def note(journal: Journal, text: str, expected_seq: int) -> Event:
    return journal.append(Kind.NOTE_ADDED, {"text": text}, actor="ana", at=AT, expected_seq=expected_seq)


def refusal(journal: Journal, body: dict[str, object]) -> JournalFailure:
    with pytest.raises(JournalFailure) as caught:
        journal.append(Kind.NOTE_ADDED, body, actor="ana", at=AT, expected_seq=journal.last_seq())
    assert journal.last_seq() == 0
    return caught.value


def test_a_new_journal_is_empty(journal: Journal) -> None:
    assert (journal.last_seq(), journal.read(), journal.verify()) == (0, [], [])
    assert journal.latest_published() is None
    assert journal.published_mark() == ""


def test_what_is_appended_is_read_back_in_order(journal: Journal) -> None:
    appended = [note(journal, f"line {number}", number) for number in range(5)]
    assert [event.seq for event in appended] == [1, 2, 3, 4, 5]
    assert journal.read() == appended
    assert journal.last_seq() == 5
    assert appended[2].body == {"text": "line 2"}
    assert (appended[2].at, appended[2].actor, appended[2].kind) == (AT, "ana", Kind.NOTE_ADDED)


def test_reading_goes_on_from_a_seq_and_stops_at_a_limit(journal: Journal) -> None:
    for number in range(6):
        note(journal, str(number), number)
    assert [event.seq for event in journal.read(4)] == [5, 6]
    assert [event.seq for event in journal.read(1, limit=2)] == [2, 3]
    assert journal.read(6) == []
    assert journal.read(limit=0) == []


def test_a_resume_point_is_handed_out_while_its_event_is_the_one_it_names(journal: Journal) -> None:
    first, second = note(journal, "one", 0), note(journal, "two", 1)
    assert journal.resume_point() is None
    fits = ResumePoint(seq=2, hash=second.hash, state=b"\x00any bytes\n")
    for point, handed_out in (
        (fits, fits),
        (replace(fits, seq=1), None),
        (replace(fits, hash=first.hash), None),
        (replace(fits, seq=3), None),
        (replace(fits, seq=0), None),
        (replace(fits, seq=1, hash=first.hash), replace(fits, seq=1, hash=first.hash)),
    ):
        journal.keep_resume_point(point)
        assert journal.resume_point() == handed_out


def test_of_two_that_expect_the_same_seq_only_one_wins(journal: Journal) -> None:
    note(journal, "first", 0)
    with pytest.raises(SequenceConflict) as caught:
        note(journal, "second", 0)
    assert caught.value.last_seq == 1
    assert [event.body["text"] for event in journal.read()] == ["first"]
    note(journal, "second, after reading on", caught.value.last_seq)
    assert journal.last_seq() == 2


def test_a_seq_from_the_future_is_a_conflict_too(journal: Journal) -> None:
    with pytest.raises(SequenceConflict) as caught:
        note(journal, "early", 3)
    assert caught.value.last_seq == 0


def test_many_events_are_one_act(journal: Journal) -> None:
    drafts = [Draft(kind=Kind.NOTE_ADDED, body={"text": str(number)}) for number in range(3)]
    appended = journal.append_many(drafts, actor="ana", at=AT, expected_seq=0)
    assert [event.seq for event in appended] == [1, 2, 3]
    assert journal.read() == list(appended)
    assert journal.append_many([], actor="ana", at=AT, expected_seq=3) == ()
    assert journal.verify() == []


def test_one_act_may_tell_what_several_did(journal: Journal) -> None:
    drafts = [
        Draft(kind=Kind.NOTE_ADDED, body={"text": "hers"}),
        Draft(kind=Kind.NOTE_ADDED, body={"text": "the cockpit's"}, actor=MACHINE),
    ]
    journal.append_many(drafts, actor="ana", at=AT, expected_seq=0)
    assert [event.actor for event in journal.read()] == ["ana", MACHINE]
    assert journal.verify() == []


def test_one_unfit_event_among_many_leaves_none(journal: Journal) -> None:
    drafts = [
        Draft(kind=Kind.NOTE_ADDED, body={"text": "fit"}),
        Draft(kind=Kind.NOTE_ADDED, body={"text": float("nan")}),
    ]
    with pytest.raises(JournalFailure):
        journal.append_many(drafts, actor="ana", at=AT, expected_seq=0)
    assert journal.read() == []
    assert note(journal, "goes on", 0).seq == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"rate": float("nan")}, "not finite"),
        ({"rate": float("inf")}, "not finite"),
        ({"at": AT}, "datetime"),
        ({"token": Secret("hunter2")}, "a Secret"),
        ({"raw": b"bytes"}, "bytes"),
        ({"big": 2**70}, "64 bits"),
        ({"nest": {1: "a"}}, "a int as a key"),
        ({"a\x00": 1, "a\x01": 2}, "keys that are the same"),
        ({"text": "x" * 66_000}, "more than 65536"),
    ],
)
def test_a_body_that_is_no_json_is_refused_with_words(
    journal: Journal, body: dict[str, object], words: str
) -> None:
    failure = refusal(journal, body)
    assert failure.kind is FailureKind.UNFIT
    assert words in failure.detail
    assert "hunter2" not in str(failure)


def test_a_body_nested_too_deep_is_refused(journal: Journal) -> None:
    body: dict[str, object] = {}
    for _ in range(2000):
        body = {"in": body}
    assert "nested deeper" in refusal(journal, body).detail


def test_a_body_of_just_the_largest_size_is_kept(journal: Journal) -> None:
    text = "x" * (64 * 1024 - len('{"text":""}'))
    assert note(journal, text, 0).body == {"text": text}


def test_a_time_without_a_zone_is_refused(journal: Journal) -> None:
    naive = AT.replace(tzinfo=None)
    with pytest.raises(JournalFailure) as caught:
        journal.append(Kind.NOTE_ADDED, {}, actor="ana", at=naive, expected_seq=0)
    assert caught.value.kind is FailureKind.UNFIT
    with pytest.raises(JournalFailure):
        journal.publish(b"{}", naive)


def test_another_zone_becomes_utc(journal: Journal) -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=45)))
    event = journal.append(Kind.NOTE_ADDED, {}, actor="ana", at=elsewhere, expected_seq=0)
    assert event.at == AT
    assert event.at.utcoffset() == timedelta(0)


def test_enums_and_tuples_become_plain_json(journal: Journal) -> None:
    body = {"side": Side.NEW, "pairs": (("a", 1), ("b", None)), "zero": -0.0, "go": True}
    event = journal.append(Kind.NOTE_ADDED, body, actor="ana", at=AT, expected_seq=0)
    assert event.body == {"side": "new", "pairs": [["a", 1], ["b", None]], "zero": 0.0, "go": True}
    assert type(event.body["side"]) is str
    assert str(event.body["zero"]) == "0.0"


def test_nothing_that_a_terminal_acts_on_gets_in(journal: Journal) -> None:
    body = {"text": "a\x1b[2Jb\u202ec\x9bd\ud800e\nf", "k\x07": ["\x00"]}
    event = journal.append(Kind.NOTE_ADDED, body, actor="a\x1b]0;x\x07na", at=AT, expected_seq=0)
    assert event.body == {"text": "a\ufffd[2Jb\ufffdc\ufffdd\ufffde f", "k\ufffd": ["\ufffd"]}
    assert event.actor == "a\ufffd]0;x\ufffdna"
    assert journal.read() == [event]
    assert journal.verify() == []


def test_changing_a_read_body_changes_nothing_that_is_kept(journal: Journal) -> None:
    body: dict[str, object] = {"list": [1]}
    event = journal.append(Kind.NOTE_ADDED, body, actor="ana", at=AT, expected_seq=0)
    kept = event.body["list"]
    assert isinstance(kept, list)
    kept.append(2)
    body["list"] = "else"
    assert journal.read()[0].body == {"list": [1]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(bodies=st.lists(st.dictionaries(st.text(max_size=8), JSON, max_size=5), min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_whatever_json_is_accepted_comes_back_equal_and_clean(
    journal: Journal, bodies: list[dict[str, object]]
) -> None:
    for body in bodies:
        before = journal.last_seq()
        try:
            event = journal.append(Kind.NOTE_ADDED, body, actor="ana", at=AT, expected_seq=before)
        except JournalFailure as failure:
            assert failure.kind is FailureKind.UNFIT
            assert journal.last_seq() == before
            continue
        assert journal.read(before) == [event]
        text = json.dumps(event.body, ensure_ascii=False)
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in text)
    assert journal.verify() == []


def test_the_chain_is_as_documented(journal: Journal) -> None:
    """The hash computed here from the written description alone, not with the journal's code."""
    journal.append(
        Kind.NOTE_ADDED, {"text": 'é "q"', "a": [1, 2.5, None]}, actor="ana", at=AT, expected_seq=0
    )
    journal.append(Kind.ROLLOUT_HELD, {"flag": "f"}, actor="bo", at=AT, expected_seq=1)
    links = [
        '[1,"2031-02-03T04:05:06.000007+00:00","ana","note.added",{"a":[1,2.5,null],"text":"é \\"q\\""}]',
        '[2,"2031-02-03T04:05:06.000007+00:00","bo","rollout.held",{"flag":"f"}]',
    ]
    previous = "0" * 64
    for event, link in zip(journal.read(), links, strict=True):
        previous = hashlib.sha256((previous + link).encode("utf-8")).hexdigest()
        assert event.hash == previous


def test_the_newest_published_snapshot_replaces_the_one_before(journal: Journal) -> None:
    journal.publish(b"one", AT)
    first_mark = journal.published_mark()
    assert journal.latest_published() == (b"one", AT)
    journal.publish(b"two\nlines\x00\xff", AT + timedelta(seconds=1))
    assert journal.latest_published() == (b"two\nlines\x00\xff", AT + timedelta(seconds=1))
    assert journal.published_mark() not in ("", first_mark)
    assert journal.last_seq() == 0


def test_an_empty_snapshot_is_still_one(journal: Journal) -> None:
    journal.publish(b"", AT)
    assert journal.latest_published() == (b"", AT)


def test_beats_are_of_those_who_live_and_the_newest_counts(journal: Journal) -> None:
    assert journal.beats() == ()
    ana = Beat(session="b-2", operator="ana", host="ops-1", count=1)
    ben = Beat(session="a-1", operator="ben", host="ops-1", count=7)
    journal.beat(ana)
    journal.beat(ben)
    assert journal.beats() == (ben, ana), "by session"
    journal.beat(replace(ana, count=2))
    assert journal.beats() == (ben, replace(ana, count=2))
    journal.leave("a-1")
    journal.leave("never here")
    assert journal.beats() == (replace(ana, count=2),)
    assert (journal.last_seq(), journal.published_mark()) == (0, "")


def test_a_closed_journal_says_so(journal: Journal) -> None:
    note(journal, "last", 0)
    journal.close()
    journal.close()
    acts: list[Callable[[], object]] = [
        journal.read,
        journal.last_seq,
        journal.verify,
        journal.latest_published,
        journal.published_mark,
        journal.beats,
        lambda: journal.beat(Beat(session="s", operator="ana", host="h", count=1)),
        lambda: journal.publish(b"", AT),
        lambda: note(journal, "late", 1),
    ]
    for act in acts:
        with pytest.raises(JournalFailure) as caught:
            act()
        assert caught.value.kind is FailureKind.CLOSED
