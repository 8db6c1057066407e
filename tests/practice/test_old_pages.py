"""A rollback of a switch that is built into pages: users are back when they have reloaded, and not before."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.core.drain import undrained
from cockpit.core.events import Kind
from cockpit.core.snapshot import Snapshot
from cockpit.core.spec import StepKey
from tests.flying import machine_part_done, rollback_of
from tests.plan.plans import SAMPLES
from tests.practice.forward import flight

PAGES = """
[flag.old_bundle]
monitor = "prom"
query = 'sum(web_clients{build!="current"})'
below = 8
"""


@pytest.mark.timeout(180)
def test_the_drain_waits_for_pages_that_were_not_reloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (SAMPLES / "chat-sync.toml").read_text(encoding="utf-8")
    end = text.index('[[flag]]\nkey = "chat_realtime"')
    sample = tmp_path / "plan" / "pages.toml"
    sample.parent.mkdir()
    sample.write_text(text[:end] + PAGES + text[end:], encoding="utf-8")
    with flight(sample, tmp_path, monkeypatch) as flown:
        flown.practice.world.start_at({"chat_writes": 25.0, "chat_reads": 25.0})
        flown.driver.wait("the flags are seen", lambda picture: pages_left(picture) is not None)
        flown.driver.declare(reason="the new pages are broken")
        over = flown.driver.wait("the machine's part is over", machine_part_done)
        waited = [each for each in flown.driver.pictures if waits_for_pages(each)]
        events = flown.events()
    assert max(pages_left(each) or 0 for each in waited) >= 8, "old pages were left, and the drain waited"
    evidence = rollback_of(over).step("drain").evidence
    assert "chat_reads (old pages) " in evidence and "live streams " in evidence
    kinds = [event.kind for event in events]
    assert kinds.count(Kind.ROLLBACK_DRAINED) == 3


def pages_left(picture: Snapshot) -> float | None:
    (gauge,) = [each for each in picture.gauges if each.flag == "chat_reads"]
    return gauge.reading.value


def waits_for_pages(picture: Snapshot) -> bool:
    """Every flag is at zero, and the drain waits for old pages of one of them."""
    rollback = picture.rollback
    if rollback is None or not rollback.flipped:
        return False
    drain = next(step for step in rollback.steps if step.key is StepKey.DRAIN)
    left = undrained(picture.gauges, rollback, picture.engine_at)
    return not drain.settled and "chat_reads" in [each.flag for each in left]
