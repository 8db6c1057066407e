"""A frame of the deck comes in slices: what comes first, what may be behind, and that it ends in the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.core.snapshot import Snapshot
from cockpit.face.app import CockpitApp
from cockpit.face.panels.panel import Picture
from cockpit.face.view import text_of
from cockpit.face.widgets import Paper
from tests.face import pictures
from tests.face.conftest import Driven, Fly
from tests.face.pictures import FakeClock, ScriptedPort

ONE_AFTER_THE_OTHER = (pictures.regressed, pictures.unknown_all, pictures.foreign, pictures.calm)


class SlowClock(FakeClock):
    """Every slice is over as soon as it has begun."""

    def monotonic(self) -> float:
        self.advance_monotonic(1.0)
        return super().monotonic()

    def advance_monotonic(self, seconds: float) -> None:
        self._monotonic += seconds


@asynccontextmanager
async def sliced(
    snapshot: Snapshot, tmp_path: Path, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Driven]:
    port, clock = ScriptedPort(snapshot), SlowClock()
    app = CockpitApp(port, clock, "ines@bastion-2", theme="cockpit", crash_dir=tmp_path)
    async with app.run_test(size=size) as pilot:
        driven = Driven(app, pilot, port, clock)
        await painted(driven)
        yield driven
    assert app.troubles == []


async def painted(driven: Driven) -> None:
    await driven.until(lambda: bool(driven.text.strip()) and not driven.app.deck.behind)
    await driven.settle()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_slices_end_in_what_is_painted_at_once(fly: Fly, size: tuple[int, int], tmp_path: Path) -> None:
    async with fly(pictures.calm(), size=size) as whole, sliced(pictures.calm(), tmp_path, size) as driven:
        for builder in ONE_AFTER_THE_OTHER:
            for each in (whole, driven):
                each.port.show(builder())
                each.app.refresh_picture()
            await whole.settle()
            await painted(driven)
            assert driven.text == whole.text


def said(driven: Driven, name: str) -> str:
    return "\n".join(text_of(line) for line in driven.app.deck.query_one(name, Paper).lines)


async def test_alarms_come_first_and_panels_after_them(tmp_path: Path) -> None:
    async with sliced(pictures.calm(), tmp_path) as driven:
        driven.port.show(pictures.regressed())
        driven.app.refresh_picture()
        assert "✗ BAD" in said(driven, "#reason")
        assert "ROLLBACK PROPOSED" in said(driven, "#strips")
        assert driven.app.deck.behind == driven.app.deck.panels
        assert "REGRESSED" not in said(driven, "#signals")
        await painted(driven)
        assert "REGRESSED" in said(driven, "#signals")


async def test_a_key_between_two_slices_is_served_at_once(tmp_path: Path) -> None:
    async with sliced(pictures.calm(), tmp_path) as driven:
        deck = driven.app.deck
        driven.port.show(pictures.regressed())
        driven.app.refresh_picture()
        before = deck.rollout.chosen_key
        deck.action_move("down")
        assert deck.behind and deck.rollout.chosen_key != before
        marked = [line for line in said(driven, "#rollout").split("\n") if line.startswith("▌")]
        assert len(marked) >= 1 and str(deck.rollout.chosen_key) in marked[0]
        await painted(driven)
        assert deck.rollout.chosen_key != before


async def test_of_pictures_that_come_meanwhile_the_newest_is_painted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sliced(pictures.calm(), tmp_path) as driven:
        deck, shown = driven.app.deck, list[tuple[str | None, int]]()
        for panel in deck.panels:
            monkeypatch.setattr(panel, "paint", noted(panel.id, panel.paint, shown))
        for _ in range(20):
            driven.port.show(pictures.regressed())
            driven.app.refresh_picture()
        newest = driven.port.latest().seq
        assert shown == [], "the first slice went to the alarms"
        await painted(driven)
        first = {name: seq for name, seq in reversed(shown)}
        assert set(first.values()) == {newest}
        assert first.keys() == {panel.id for panel in deck.panels}


def noted(
    name: str | None, paint: Callable[[Picture], None], shown: list[tuple[str | None, int]]
) -> Callable[[Picture], None]:
    def note(picture: Picture) -> None:
        shown.append((name, picture.snapshot.seq))
        paint(picture)

    return note


async def test_a_panel_that_was_left_out_comes_first_in_the_next_frame(tmp_path: Path) -> None:
    """However fast pictures come, no panel is forgotten."""
    async with sliced(pictures.calm(), tmp_path) as driven:
        deck = driven.app.deck
        driven.port.show(pictures.regressed())
        driven.app.refresh_picture()
        await driven.until(lambda: len(deck.behind) < len(deck.panels))
        left = deck.behind
        driven.port.show(replace(pictures.regressed(), hint="another one"))
        driven.app.refresh_picture()
        assert deck.behind[: len(left)] == left
        assert set(deck.behind) == set(deck.panels)
