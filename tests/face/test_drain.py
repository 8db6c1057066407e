"""The drain gauges on the countdown: newest number, limit, age, direction; green only by a fresh reading."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.core.drain import DrainGauge, proved_from
from cockpit.core.model import Failure, Reading, Side
from cockpit.core.rollback import StepState
from cockpit.core.snapshot import Snapshot
from cockpit.core.spec import StepKey
from cockpit.face.subject import Subject, Topic
from cockpit.face.view import Role, text_of, width_of
from cockpit.face.view_countdown import Page, Watched, lines
from cockpit.face.view_detail import detail_lines
from cockpit.face.view_drain import direction, gauge_word, gauges_block
from cockpit.face.view_needs import needs
from cockpit.face.view_wall import lines as wall_lines
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


def draining(*gauges: DrainGauge, late: bool = False) -> Snapshot:
    """All flags at zero, and the step drain still open; late: its time is over."""
    snapshot = flipped(*gauges)
    assert snapshot.rollback is not None
    steps = tuple(
        replace(step, state=StepState.RUNNING, budget_s=0.0 if late else 1e6, done_at=None)
        if step.key is StepKey.DRAIN
        else replace(step, state=StepState.DONE)
        for step in snapshot.rollback.steps
    )
    return replace(snapshot, rollback=replace(snapshot.rollback, steps=steps))


def asked_for(snapshot: Snapshot) -> list[str]:
    assert snapshot.rollback is not None
    return [need.text for need in needs(snapshot.rollback, NOW, snapshot.flags, snapshot.gauges)]


def test_a_blind_gauge_is_named_with_whom_to_ask_and_what_to_press() -> None:
    blind = replace(gauge(title="no data"), owner="payments on call")
    (asked,) = [text for text in asked_for(draining(blind, gauge(60.0, 41.0))) if "sockets" in text]
    assert asked == "the drain cannot see sockets: o overrides it · ask payments on call (no data)"


@pytest.mark.parametrize(
    "seen", [gauge(60.0, 41.0), gauge(2.0, 0.0), replace(gauge(title="no data"), side=Side.LEGACY)]
)
def test_what_can_be_seen_or_holds_nothing_is_nobodys_work(seen: DrainGauge) -> None:
    assert not [text for text in asked_for(draining(seen)) if "sockets" in text]


def test_a_late_drain_says_what_it_waits_for() -> None:
    assert any(
        "is late (sockets 41): look" in text for text in asked_for(draining(gauge(60.0, 41.0), late=True))
    )


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 50)])
def test_the_wall_tells_what_is_left_what_waits_first(width: int, height: int) -> None:
    snapshot = draining(replace(gauge(2.0, 0.0), name="jobs"), gauge(60.0, 41.0))
    texts = [text_of(line) for line in wall_lines(snapshot, NOW, width, height)]
    (left,) = [text for text in texts if "LEFT" in text]
    assert "sockets 41 ↓ → not drained · jobs 0 ↓ ✓ drained" in left
    assert max(len(text) for text in texts) <= width


def test_the_wall_names_a_blind_gauge_and_no_key() -> None:
    texts = [text_of(line) for line in wall_lines(draining(gauge(title="no data")), NOW, 120, 40)]
    assert any("sockets ? UNKNOWN" in text for text in texts)
    assert any("NEEDS" in text and "the drain cannot see sockets (no data)" in text for text in texts)
    assert not any("o overrides" in text for text in texts)


def test_a_wall_without_gauges_has_no_line_for_them() -> None:
    assert not any("LEFT" in text_of(line) for line in wall_lines(rolling_back(), NOW, 120, 40))


def in_pages(*gauges: DrainGauge) -> Snapshot:
    """The first flag of the rollback is built into pages."""
    snapshot = draining(*gauges)
    first, *others = snapshot.flags
    return replace(snapshot, flags=(replace(first, in_pages=True), *others))


def detail(snapshot: Snapshot) -> str:
    subject = Subject(Topic.FLAG, snapshot.flags[0].key)
    return "\n".join(text_of(line) for line in detail_lines(subject, snapshot, NOW, 120))


def pages(seen: DrainGauge, snapshot: Snapshot | None = None) -> DrainGauge:
    key = (snapshot or draining()).flags[0].key
    return replace(seen, name=f"{key} (old pages)", flag=key)


def test_the_details_of_a_flag_count_the_pages_that_were_not_reloaded() -> None:
    assert "134 clients still run it; below 5 counts as none" in detail(in_pages(pages(gauge(200.0, 134.0))))
    assert "unknown: no data" in detail(in_pages(pages(gauge(title="no data"))))
    assert "unknown: not counted: the plan names no old_bundle" in detail(in_pages())
    assert "reloaded" not in detail(draining())


def test_the_countdown_says_that_nobody_counts_the_old_pages_of_a_flag() -> None:
    snapshot = in_pages()
    text = said(snapshot)
    assert "? UNKNOWN" in text and f"{snapshot.flags[0].key} (old pages)" in text
    assert "not counted: the plan names no old_bundle" in text
    counted = said(in_pages(pages(gauge(200.0, 134.0))))
    assert "134" in counted and "not counted" not in counted


def test_old_pages_of_a_flag_that_is_not_rolled_back_are_no_part_of_it() -> None:
    elsewhere = replace(gauge(200.0, 134.0), name="other (old pages)", flag="other")
    assert said(draining(elsewhere)) == ""


def test_a_plan_without_gauges_shows_nothing() -> None:
    assert said(ready()) == "" and not calm().gauges


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    seen = replace(gauge(title=text), name=text, owner=text)
    assert all(line.isprintable() for line in said(flipped(seen)).splitlines())


def test_a_million_is_told_in_whole_figures() -> None:
    many = replace(gauge(2_500_000.0, 1_234_567.0), below=1_000_000)
    for width in (80, 120, 200):
        text = said(flipped(many), width)
        assert "1 234 567 ↓" in text and "below 1 000 000" in text
        assert "e+" not in text
