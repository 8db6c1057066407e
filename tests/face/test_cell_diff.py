"""Random sessions of Textual: comparing cells ends in the screen that plain Textual ends in, cell by cell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.drivers.linux_driver import LinuxDriver
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Input, Static

from cockpit.core import textual_release
from cockpit.core.snapshot import Snapshot
from cockpit.face import cell_diff
from cockpit.face.app import CockpitApp
from cockpit.face.cell_diff import CellDiffApp, CellDiffDriver, pen, unfit
from cockpit.face.cells import PLAIN, change
from tests.face import pictures, pictures_rollback
from tests.face.glass import Glass, Twin, watched
from tests.face.look import screen_text
from tests.face.pictures import FakeClock, ScriptedPort

SIZES = ((60, 18), (80, 24), (33, 9))
THEMES = ("textual-dark", "textual-light", "nord", "dracula")
WORDS = st.text(alphabet="abc 0123456789─┃█éß漢字カ한🚀✅●…✓", max_size=24)
STYLES = st.builds(
    Style,
    color=st.sampled_from((None, "red", "bright_cyan", "#50fa7b", "color(110)")),
    bgcolor=st.sampled_from((None, "blue", "#0f1217")),
    bold=st.booleans(),
    dim=st.just(None),
    italic=st.booleans(),
    underline=st.booleans(),
    blink=st.just(None),
    blink2=st.just(None),
    reverse=st.booleans(),
    conceal=st.just(None),
    strike=st.booleans(),
    underline2=st.just(None),
    frame=st.just(None),
    encircle=st.just(None),
    overline=st.just(None),
    link=st.sampled_from((None, "https://example.com/")),
    meta=st.just(None),
)
LINES = st.lists(st.tuples(WORDS, STYLES), min_size=1, max_size=4)


class Veil(ModalScreen[None]):
    """A screen over another that lets the one below shine through."""

    def compose(self) -> ComposeResult:
        yield Static("over it", markup=False)
        yield Input("typed")


class Session(CellDiffApp):
    """Boxes that can be written, moved and hidden above a long text that scrolls."""

    CSS = """
    Screen { layers: below above; }
    #long { layer: below; height: 1fr; }
    .box { layer: above; width: 18; height: 4; border: round $accent; }
    Veil { align: center middle; }
    Veil Static { width: 20; height: 3; background: $panel; }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="long"):
            yield Static(Text("\n".join(f"{number} 漢字 and ✅ text" for number in range(60))))
        for number in range(3):
            yield Static("box", id=f"box{number}", classes="box", markup=False)

    def box(self, number: int) -> Static:
        return self.screen_stack[0].query_one(f"#box{number}", Static)


Act = Callable[[Session, Pilot[None], Twin], Awaitable[None]]


def write(number: int, lines: list[tuple[str, Style]]) -> Act:
    async def act(app: Session, _pilot: Pilot[None], _twin: Twin) -> None:
        app.box(number).update(Text("\n").join(Text(text, style) for text, style in lines))

    return act


def carry(number: int, x: int, y: int) -> Act:
    async def act(app: Session, _pilot: Pilot[None], _twin: Twin) -> None:
        app.box(number).styles.offset = (x, y)

    return act


def hide(number: int) -> Act:
    async def act(app: Session, _pilot: Pilot[None], _twin: Twin) -> None:
        app.box(number).display = not app.box(number).display

    return act


def scroll(lines: int) -> Act:
    async def act(app: Session, _pilot: Pilot[None], _twin: Twin) -> None:
        app.screen_stack[0].query_one("#long").scroll_to(y=lines, animate=False)

    return act


async def veil(app: Session, _pilot: Pilot[None], _twin: Twin) -> None:
    if isinstance(app.screen, Veil):
        app.screen.dismiss()
    else:
        await app.push_screen(Veil())


async def hold(_app: Session, _pilot: Pilot[None], twin: Twin) -> None:
    """The link stalls, or takes frames again."""
    twin.held = not twin.held
    if not twin.held:
        twin.catch_up()


def dress(theme: str) -> Act:
    async def act(app: Session, _pilot: Pilot[None], _twin: Twin) -> None:
        app.theme = theme

    return act


def resize(size: tuple[int, int]) -> Act:
    async def act(app: Session, pilot: Pilot[None], twin: Twin) -> None:
        if size != app.size:
            twin.resize(*size)
            await pilot.resize_terminal(*size)

    return act


ACTS = st.one_of(
    st.builds(write, st.integers(0, 2), LINES),
    st.builds(carry, st.integers(0, 2), st.integers(-4, 70), st.integers(-3, 20)),
    st.builds(hide, st.integers(0, 2)),
    st.builds(scroll, st.integers(0, 45)),
    st.just(veil),
    st.just(hold),
    st.builds(dress, st.sampled_from(THEMES)),
    st.builds(resize, st.sampled_from(SIZES)),
)


@settings(deadline=None, max_examples=25)
@given(st.lists(ACTS, min_size=1, max_size=10))
def test_any_session_ends_in_the_screen_of_plain_textual(acts: list[Act]) -> None:
    async def fly() -> None:
        app, twin = Session(), Twin(*SIZES[0])
        watched(app, twin)
        async with app.run_test(size=SIZES[0]) as pilot:
            await pilot.pause()
            for act in acts:
                await act(app, pilot, twin)
                await pilot.pause()
                if not twin.held:
                    twin.assert_alike()
            twin.assert_alike()
            assert twin.frames

    asyncio.run(fly())


DECKS: tuple[Callable[[], Snapshot], ...] = (
    *pictures.EVERY,
    *pictures_rollback.EVERY_ROLLBACK,
)
KEYS = ("R", "escape", "question_mark", "t", "1", "down", "z", "enter", "Y", "space", "n", "x", "colon")


@settings(deadline=None, max_examples=12)
@given(st.lists(st.sampled_from(KEYS) | st.sampled_from(DECKS), min_size=1, max_size=12), st.data())
def test_the_deck_shows_what_plain_textual_shows(acts: list[Any], data: st.DataObject) -> None:
    size = data.draw(st.sampled_from(((80, 24), (120, 40))))

    async def fly() -> None:
        port, clock = ScriptedPort(pictures.calm()), FakeClock()
        app, twin = CockpitApp(port, clock, "ines", theme="cockpit"), Twin(*size)
        watched(app, twin)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            for act in acts:
                clock.advance(1.0)
                if isinstance(act, str):
                    await pilot.press(act)
                else:
                    port.show(act())
                app.refresh_picture()
                await pilot.pause()
                twin.assert_alike()
            assert app.troubles == []

    asyncio.run(fly())


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_a_key_on_the_deck_is_answered_before_the_screens_next_turn(size: tuple[int, int]) -> None:
    app, twin = CockpitApp(ScriptedPort(pictures.calm()), FakeClock(), "ines", theme="cockpit"), Twin(*size)
    watched(app, twin)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.pause()
        before = (twin.frames, twin.at_once)
        app.deck.action_move("down")
        assert (twin.frames - before[0], twin.at_once - before[1]) == (1, 1)
        twin.assert_alike()
        await pilot.pause()
        assert twin.frames - before[0] == 1, "the screen's own turn has nothing left to paint"


async def test_under_a_notice_the_screens_own_turn_paints() -> None:
    app, twin = CockpitApp(ScriptedPort(pictures.calm()), FakeClock(), "ines", theme="cockpit"), Twin(80, 24)
    watched(app, twin)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.pause()
        for _ in range(12):
            app.notify("something lies over the panels")
        await pilot.pause()
        await pilot.pause()
        at_once = twin.at_once
        app.deck.action_move("down")
        assert twin.at_once == at_once
        await pilot.pause()
        twin.assert_alike()


async def test_a_second_on_the_deck_costs_its_digits() -> None:
    """The clock of a calm deck moves on: what plain Textual sends for that is many times as much."""
    snapshot = pictures.calm()
    port, clock = ScriptedPort(snapshot), FakeClock()
    app, twin = CockpitApp(port, clock, "ines", theme="cockpit"), Twin(200, 50)
    watched(app, twin)
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause()
        before = (twin.bytes_compared, twin.bytes_plain)
        for _ in range(5):
            clock.advance(1.0)
            port.show(replace(snapshot, seq=snapshot.seq + 1))
            app.refresh_picture()
            await pilot.pause()
        compared, plain = twin.bytes_compared - before[0], twin.bytes_plain - before[1]
        assert 0 < compared * 2 < plain


async def test_without_colours_it_is_the_same_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app, twin = CockpitApp(ScriptedPort(pictures.regressed()), FakeClock(), "ines"), Twin(80, 24)
    watched(app, twin)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("R")
        await pilot.pause()
        twin.assert_alike()


@settings(deadline=None)
@given(STYLES, st.sampled_from(ColorSystem))
def test_a_style_is_what_textual_makes_of_it(style: Style, system: ColorSystem) -> None:
    ours, theirs = Glass(2, 1), Glass(2, 1)
    ours.write(change(PLAIN, pen(style, system)) + "x")
    theirs.write(Strip.render_style(style.copy(), "x", system))
    assert ours.shown == theirs.shown


# --- when it is not used --------------------------------------------------------------------------------


def test_an_unknown_textual_is_left_alone() -> None:
    assert unfit() == ""
    assert "Textual 8.3.0 is not a release" in unfit("8.3.0")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (("textual.app", "App._show", "self"), "has no App._show"),
        (("textual._gone", "Update", "self"), "has no Update"),
        (("textual.app", "App._display", "self screen"), "has another App._display"),
    ],
)
def test_a_textual_with_other_insides_is_left_alone(
    changed: tuple[str, str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_diff, "EXPECTED", (*cell_diff.EXPECTED, changed))
    assert words in unfit()


async def test_an_unknown_textual_is_told_on_the_deck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textual_release, "KNOWN", frozenset())
    app = CockpitApp(ScriptedPort(pictures.calm()), FakeClock(), "ines", theme="cockpit")
    assert app.driver_class is LinuxDriver
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.pause()
        assert "plain output: Textual" in screen_text(app)


@pytest.mark.parametrize(
    ("value", "driver"), [("0", LinuxDriver), ("1", CellDiffDriver), ("", CellDiffDriver)]
)
def test_one_switch_gives_plain_textual(
    value: str, driver: type[LinuxDriver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COCKPIT_DIFF", value)
    app = CockpitApp(ScriptedPort(pictures.calm()), FakeClock(), "ines", theme="cockpit")
    assert app.driver_class is driver
    assert app.plain_because == ""


def test_a_driver_that_somebody_chose_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser is no terminal."""
    monkeypatch.setattr("textual.constants.DRIVER", "textual.drivers.headless_driver:HeadlessDriver")
    app = CockpitApp(ScriptedPort(pictures.calm()), FakeClock(), "ines", theme="cockpit")
    assert app.driver_class.__name__ == "HeadlessDriver"
