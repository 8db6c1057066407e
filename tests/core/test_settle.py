"""After a forward write: a read that began after the answer settles it, and nothing is ever written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cockpit.core.acts import FlagFact, ReadBack, Record
from cockpit.core.clean import Percent
from cockpit.core.events import Kind
from cockpit.core.flight import FlagFlight, PendingWrite
from cockpit.core.settle import set_out, settle

AT = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
TEN = Percent(1000)
ANSWERED = 7


def pending(*, answered: bool = True, unknown: bool = False) -> FlagFlight:
    write = PendingWrite(
        write_id="w", action="set", percent=TEN, at=AT, seq=ANSWERED, answered=answered, unknown=unknown
    )
    return FlagFlight(key="f", pending=write)


def read(events_later: int, exposure: Percent | None = TEN, *, busy: bool = False) -> FlagFact:
    """A read that began when so many events behind (or before) the answer were folded."""
    return FlagFact(exposure=exposure, known=True, read_after=ANSWERED + events_later, busy=busy)


@pytest.mark.parametrize("unknown", [True, False])
def test_only_a_read_that_began_after_the_answer_settles(unknown: bool) -> None:
    flag = pending(unknown=unknown)
    assert settle(flag, FlagFact()) == ReadBack(flag="f")
    assert settle(flag, read(-1)) == ReadBack(flag="f")
    record = settle(flag, read(0))
    assert isinstance(record, Record) and record.kind is Kind.FLAG_SEEN
    assert record.body["exposure"] == 1000


def test_an_unclear_reading_is_recorded_as_unclear() -> None:
    record = settle(pending(), read(1, None))
    assert isinstance(record, Record) and record.body["exposure"] is None


def test_nothing_is_settled_while_the_write_is_out() -> None:
    assert settle(pending(answered=False), read(1)) is None
    assert settle(pending(), read(1, busy=True)) is None
    assert settle(FlagFlight(key="f"), read(1)) is None


def test_the_first_good_reading_sets_out_once() -> None:
    record = set_out(FlagFlight(key="f"), read(1))
    assert record is not None and record.body == {"flag": "f", "exposure": 1000, "rollback": None}
    assert set_out(FlagFlight(key="f"), FlagFact()) is None
    assert set_out(FlagFlight(key="f", seen=True), read(1)) is None
    assert set_out(pending(), read(1)) is None, "a reading beside a write is not where we set out from"
