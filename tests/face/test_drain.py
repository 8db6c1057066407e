"""The drain gauges on the countdown: newest number, limit, age, direction; green only by a fresh reading."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.core.drain import DrainGauge, proved_from
from cockpit.core.model import Failure, Reading, Side
from cockpit.core.rollback import StepState
from cockpit.core.snapshot import Snapshot
from cockpit.core.spec import StepKey
from cockpit.face.view import Role, text_of, width_of
from cockpit.face.view_countdown import Page, Watched, lines
from cockpit.face.view_drain import direction, gauge_word, gauges_block
from tests.face.pictures import HOSTILE, NOW, ago, calm, rolling_back
from tests.face.pictures_rollback import ready

FAR = 10**6  # a place in the journal after everything


def gauge(*values: float | None, age_s: float = 3.0, after: int = FAR, title: str = "") -> DrainGauge:
    """title: of the present failure, if there is one."""
    numbers = [value for value in values if value is not None]
    reading: Reading[float] = Reading(
        value=numbers[-1] if numbers else None,
        observed_at=ago(age_s) if numbers else None,
        failure=Failure(title=title) if title else None,
    )
    polls = tuple((after, value) for value in values)
    return DrainGauge(name="sockets", side=Side.NEW, below=5, reading=reading, polls=polls)


def flipped(*gauges: DrainGauge) -> Snapshot:
    return replace(ready(), gauges=gauges)


def said(snapshot: Snapshot, width: int = 120) -> str:
    assert snapshot.rollback is not None
    return "\n".join(text_of(line) for line in gauges_block(snapshot.rollback, snapshot, NOW, width))


def test_a_row_tells_number_limit_age_direction_and_whom_to_ask() -> None:
    text = said(flipped(replace(gauge(60.0, 41.0), owner="payments on call")))
    assert "1 not drained" in text, "the step is settled in this picture: it waits for nothing"
    assert "→ not drained" in text and "sockets" in text
    assert "41 ↓" in text and "below 5" in text and "3 s ago" in text and "ask payments on call" in text
    assert "█▅" in text or "█▆" in text, text


@pytest.mark.parametrize(
    ("seen", "words", "role"),
    [
        (gauge(2.0, 0.0), "✓ drained", Role.OK),
        (gauge(9.0, 0.0), "→ low 1 of 2", Role.NOTE),
        (gauge(9.0, 5.0), "→ not drained", Role.WARN),
        (gauge(0.0, 0.0, age_s=60), "? UNKNOWN", Role.UNKNOWN),
        (gauge(0.0, 0.0, None, title="no data"), "→ low 0 of 2", Role.NOTE),
        (gauge(title="no data"), "? UNKNOWN", Role.UNKNOWN),
        (gauge(), "? UNKNOWN", Role.UNKNOWN),
        (gauge(0.0, 0.0, after=0), "→ low 0 of 2", Role.NOTE),
    ],
)
def test_only_fresh_readings_after_the_flip_are_green(seen: DrainGauge, words: str, role: Role) -> None:
    word = gauge_word(seen, 5, NOW)
    assert (str(word), word.role) == (words, role)


def test_a_step_that_waits_is_named_in_the_heading() -> None:
    snapshot = flipped(gauge(60.0, 41.0))
    assert snapshot.rollback is not None
    steps = tuple(
        replace(step, state=StepState.RUNNING) if step.key is StepKey.DRAIN else step
        for step in snapshot.rollback.steps
    )
    text = said(replace(snapshot, rollback=replace(snapshot.rollback, steps=steps)))
    assert "the step drain waits for 1" in text


@pytest.mark.parametrize(("value", "words"), [(4.0, "✓ low"), (5.0, "→ not low")])
def test_legacys_gauge_is_told_against_its_limit_and_never_drained(value: float, words: str) -> None:
    assert str(gauge_word(replace(gauge(value), side=Side.LEGACY), None, NOW)) == words


def test_before_the_flip_a_low_number_is_not_called_drained() -> None:
    word = gauge_word(gauge(0.0, 0.0), None, NOW)
    assert (str(word), word.role) == ("○ low, not flipped yet", Role.NOTE)
    rollback = rolling_back().rollback
    assert rollback is not None and (proved_from(rollback) is None) is not rollback.flipped


def test_a_gauge_that_cannot_be_read_says_why_and_shows_no_number() -> None:
    text = said(flipped(gauge(title="no data")))
    assert "? UNKNOWN" in text and "never read: no data" in text and "✓" not in text
    assert "last read 60 s ago: no fresh answer" in said(flipped(gauge(3.0, age_s=60)))


@pytest.mark.parametrize(
    ("values", "arrow"), [((1.0,), " "), ((1.0, 2.0), "↑"), ((2.0, None, 1.0), "↓"), ((1.0, 1.0), "=")]
)
def test_the_direction_is_of_the_last_two_numbers(values: tuple[float | None, ...], arrow: str) -> None:
    assert direction(gauge(*values)) == arrow


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_the_block_stands_on_the_countdown_at_any_width(width: int) -> None:
    snapshot = flipped(gauge(9.0, 7.0))
    page = Page(snapshot=snapshot, watched=Watched(), now=NOW, width=width, height=80)
    drawn = lines(page)
    assert any("left to drain" in text_of(line) for line in drawn)
    assert max(width_of(line) for line in drawn) <= width


def test_a_plan_without_gauges_shows_nothing() -> None:
    assert said(ready()) == "" and not calm().gauges


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    seen = replace(gauge(title=text), name=text, owner=text)
    assert all(line.isprintable() for line in said(flipped(seen)).splitlines())
