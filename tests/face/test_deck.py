"""The deck as a whole: what is visible at every size, what moves, what stands still."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial

import pytest
from textual.geometry import Region

from cockpit.core.snapshot import Snapshot
from cockpit.face.app import CockpitApp
from cockpit.face.screens.countdown import CountdownScreen
from cockpit.face.widgets import Paper
from tests.face import pictures
from tests.face.conftest import Driven, Fly
from tests.face.pictures import FakeClock, ScriptedPort, ago, ahead

SIZES = [(80, 24), (120, 40), (200, 50)]
ESSENTIAL = ("LIVE", "Rollout", "Backends", "Signals", "Journal", "R ", "? Help", "q Quit")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("builder", pictures.EVERY)
async def test_every_picture_is_drawn_at_every_size(fly: Fly, builder: object, size: tuple[int, int]) -> None:
    assert callable(builder)
    async with fly(builder(), size=size) as driven:
        assert len(driven.lines) == size[1]
        assert "cannot draw" not in driven.text


@pytest.mark.parametrize("size", SIZES)
async def test_a_calm_flight_shows_everything_essential(fly: Fly, size: tuple[int, int]) -> None:
    async with fly(pictures.calm(), size=size) as driven:
        for words in ESSENTIAL:
            assert words in driven.text, words
        for key in ("convex_courses", "convex_resources", "api", "login", "functions", "Failed logins"):
            assert key in driven.text, key
        assert driven.lines[0].startswith(" LIVE · production")
        assert "✓ OK" in driven.lines[1]


@pytest.mark.parametrize("size", SIZES)
async def test_trouble_shows_banner_reason_proposal_and_the_key(fly: Fly, size: tuple[int, int]) -> None:
    async with fly(pictures.regressed(), size=size) as driven:
        assert "✗ BAD" in driven.lines[1]
        assert "7.72%" in driven.lines[1]
        assert "ROLLBACK PROPOSED" in driven.lines[2]
        assert "R roll back" in driven.lines[2]
        for words in ("✗ REGRESSED", "✗ DOWN", "503 Service"):
            assert words in driven.text, words


async def test_nothing_is_hidden_at_120x40_with_three_of_everything(fly: Fly) -> None:
    for builder in (pictures.calm, pictures.regressed, pictures.foreign, pictures.unknown_all):
        async with fly(builder(), size=(120, 40)) as driven:
            assert " more" not in driven.text.replace("+2 more", "").replace("+1 more", "")


@pytest.mark.parametrize("size", SIZES)
async def test_an_open_rollback_shows_its_countdown_at_once_and_a_strip_on_the_deck(
    fly: Fly, size: tuple[int, int]
) -> None:
    async with fly(pictures.rolling_back(), size=size) as driven:
        await driven.until(lambda: isinstance(driven.app.screen, CountdownScreen))
        await driven.press("escape")
        assert driven.on_deck
        assert "ROLLBACK  11:48 left" in driven.lines[2]
        driven.clock.advance(60)
        driven.app.refresh_picture()
        await driven.settle()
        assert driven.on_deck
        assert "ROLLBACK  10:48 left" in driven.text
        await driven.press("R")
        assert isinstance(driven.app.screen, CountdownScreen)


async def test_a_rollback_that_opens_elsewhere_shows_itself_once(fly: Fly) -> None:
    async with fly(pictures.regressed()) as driven:
        await driven.show(pictures.rolling_back())
        await driven.until(lambda: isinstance(driven.app.screen, CountdownScreen))


async def test_many_flags_at_80x24_keep_banner_reason_strip_and_keys(fly: Fly) -> None:
    base = pictures.rolling_back()
    flags = tuple(replace(base.flags[0], key=f"feature_{index:02d}") for index in range(30))
    async with fly(replace(base, flags=flags), size=(80, 24)) as driven:
        await driven.press("escape")
        assert "ROLLBACK  11:48" in driven.lines[2]
        assert "R Rollback" in driven.lines[-1]
        assert "more ↑↓" in driven.text
        for words in ("Rollout", "Backends", "Signals", "Journal"):
            assert words in driven.text
        await driven.press("G")
        assert "feature_29" in driven.text
        await driven.press("g")
        assert "feature_00" in driven.text


async def test_a_hidden_row_in_trouble_is_told_in_the_heading(fly: Fly) -> None:
    base = pictures.calm()
    flags = tuple(replace(base.flags[0], key=f"feature_{index:02d}") for index in range(30))
    bad = replace(pictures.foreign().flags[1], key="feature_30")
    async with fly(replace(base, flags=(*flags, bad)), size=(80, 24)) as driven:
        assert "BAD among them" in driven.text


async def test_ages_move_by_the_clock_although_nothing_arrives(fly: Fly) -> None:
    async with fly(pictures.calm(), size=(80, 24)) as driven:
        driven.clock.advance(12)
        driven.app.refresh_picture()
        await driven.settle()
        assert "ENGINE SILENT 12 s" in driven.lines[0]
        assert "~ STALE" in driven.text
        assert "? UNKNOWN" in driven.lines[1]


async def test_the_tick_repaints_without_any_call(fly: Fly) -> None:
    async with fly(pictures.calm(), size=(80, 24)) as driven:
        driven.clock.advance(3)
        await driven.until(lambda: "03:12:10 UTC" in driven.text)


async def test_snapshots_from_another_thread_arrive_and_are_coalesced(fly: Fly) -> None:
    async with fly(pictures.calm(), size=(120, 40)) as driven:
        last = pictures.regressed()

        def publish() -> None:
            for _ in range(200):
                driven.port.show(pictures.calm())
            driven.port.show(last)

        thread = threading.Thread(target=publish)
        thread.start()
        thread.join()
        await driven.until(lambda: "ROLLBACK PROPOSED" in driven.text)


async def test_the_face_lets_go_of_the_port_when_it_ends(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        assert driven.port.subscribers == 1
    assert driven.port.subscribers == 0
    assert not driven.port.stopped


async def test_resizing_changes_the_layout_and_loses_nothing(fly: Fly) -> None:
    async with fly(pictures.calm(), size=(80, 24)) as driven:
        for width, height in ((200, 50), (120, 40), (60, 16), (80, 24)):
            await driven.pilot.resize_terminal(width, height)
            await driven.until(partial(_has_size, driven, width, height))
            await driven.settle()
            assert driven.lines[0].startswith(" LIVE")
            assert "R Roll back" in driven.lines[-1]
            assert "convex_courses" in driven.text


def _has_size(driven: Driven, width: int, height: int) -> bool:
    return driven.app.size == (width, height)


async def test_a_hint_stands_above_the_keys(fly: Fly) -> None:
    async with fly(pictures.demo(), size=(80, 24)) as driven:
        assert "Press A to send 25%" in driven.lines[-3]
        assert "back." in driven.lines[-2]


async def test_a_part_that_cannot_be_drawn_leaves_the_rest(fly: Fly) -> None:
    broken = replace(pictures.calm(), signals=(None,))  # type: ignore[arg-type]
    async with fly(pictures.calm(), size=(120, 40)) as driven:
        driven.port.show(broken)
        await driven.until(lambda: bool(driven.app.troubles))
        await driven.settle()
        assert "cannot draw this" in driven.text
        assert "convex_courses" in driven.text
        assert "03:12:07 UTC" in driven.lines[0]
        driven.port.show(pictures.calm())
        await driven.until(lambda: "cannot draw this" not in driven.text)
        driven.app.troubles.clear()


# --- what is written ---------------------------------------------------------------------------------


class Watch:
    """Counts the cells that are asked to be repainted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.regions: list[tuple[str | None, tuple[Region, ...]]] = []
        original = Paper.refresh

        def refresh(paper: Paper, *regions: Region, **options: bool) -> Paper:
            self.regions.append((paper.id, regions))
            return original(paper, *regions, **options)

        monkeypatch.setattr(Paper, "refresh", refresh)

    @property
    def cells(self) -> int:
        return sum(region.area for _, regions in self.regions for region in regions)


async def test_an_unchanged_picture_repaints_nothing(fly: Fly, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fly(pictures.calm(), size=(200, 50)) as driven:
        watch = Watch(monkeypatch)
        for _ in range(5):
            driven.port.show(pictures.calm())
            driven.app.refresh_picture()
        await driven.settle()
        assert watch.regions == []


async def test_an_idle_second_repaints_a_digit_of_the_clock(
    fly: Fly, monkeypatch: pytest.MonkeyPatch
) -> None:
    young = replace(pictures.calm(), engine_at=ahead(6))
    async with fly(young, size=(200, 50)) as driven:
        driven.clock.advance(1)
        driven.app.refresh_picture()
        watch = Watch(monkeypatch)
        driven.clock.advance(1)
        driven.app.refresh_picture()
        assert {name for name, _ in watch.regions} == {"clock"}
        assert watch.cells == 1


async def test_one_changed_figure_repaints_its_cells_and_lays_nothing_out(
    fly: Fly, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fly(pictures.calm(), size=(120, 40)) as driven:
        watch = Watch(monkeypatch)
        await driven.show(_with_latency(pictures.calm(), 19.0))
        assert {name for name, _ in watch.regions} == {"backends"}
        assert watch.cells == 1


def _with_latency(snapshot: Snapshot, latency_ms: float) -> Snapshot:
    backend = snapshot.backends[0]
    probe = backend.probes[0]
    value = probe.reading.value
    assert value is not None
    reading = replace(probe.reading, value=replace(value, latency_ms=latency_ms), observed_at=ago(1))
    probes = (replace(probe, reading=reading), *backend.probes[1:])
    return replace(snapshot, backends=(replace(backend, probes=probes), *snapshot.backends[1:]))


@pytest.mark.parametrize("size", SIZES)
async def test_a_panel_without_rows_says_why_and_calm_does_not_count_what_is_not_there(
    fly: Fly, size: tuple[int, int]
) -> None:
    async with fly(replace(pictures.calm(), signals=()), size=size) as driven:
        assert "no signal compared" in driven.lines[1]
        assert "the plan has no signal: nothing compares" in driven.text


async def test_hidden_rows_do_not_hide_what_a_heading_has_to_say(fly: Fly) -> None:
    calm = pictures.calm()
    many = tuple(replace(calm.flags[0], key=f"flag_{number:02}") for number in range(60))
    async with fly(replace(calm, flags=many), size=(80, 24)) as driven:
        heading = next(line for line in driven.lines if line.startswith("1 Rollout"))
        assert "R rolls back" in heading and " more ↑↓" in heading


async def test_a_key_for_a_panel_that_the_plan_does_not_have_says_so(fly: Fly) -> None:
    async with fly(pictures.calm(), size=(80, 24)) as driven:
        for key, words in (("4", "the plan compares no data"), ("5", "the plan has no checklist")):
            await driven.pilot.press(key)
            await driven.until(partial(_says, driven, words))


def _says(driven: Driven, words: str) -> bool:
    return words in driven.text


async def test_the_list_of_commands_says_that_there_are_more(fly: Fly) -> None:
    async with fly(pictures.calm(), size=(80, 24)) as driven:
        await driven.pilot.press(":")
        await driven.until(partial(_says, driven, " more"))
        assert "↓ " in driven.lines[-1]
    async with fly(pictures.calm(), size=(120, 40)) as driven:
        await driven.pilot.press(":")
        await driven.until(partial(_says, driven, "enter runs it"))
        assert "↓ " not in driven.lines[-1].replace("↑↓", "")


@pytest.mark.parametrize("size", [(80, 24), (80, 7), (200, 50)])
async def test_what_waits_for_the_deck_comes_once_and_finds_it_whole(size: tuple[int, int]) -> None:
    """Also where a panel has no line to stand on."""
    found: list[str] = []
    port, clock = ScriptedPort(pictures.calm()), FakeClock()

    def standing() -> None:
        found.append("\n".join(text for panel in app.deck.panels for text in _texts(panel)))

    app = CockpitApp(port, clock, "ines", theme="cockpit", standing=standing)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press("down", "tab")
        await pilot.pause()
    assert len(found) == 1
    assert "R rolls back" in found[0]


def _texts(paper: Paper) -> list[str]:
    return ["".join(text for text, _ in line) for line in paper.lines]
