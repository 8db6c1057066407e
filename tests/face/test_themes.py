"""Themes: checked before use, told apart at 16 colours and without any, reloaded while running."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest
from rich.color import ColorSystem
from rich.style import Style

from cockpit.core.snapshot import Level
from cockpit.face.themes import (
    COLOR_KEYS,
    DEFAULT,
    FOR_16_COLORS,
    FOR_NO_COLOR,
    LAST_RESORT,
    Skin,
    ThemeProblems,
    automatic,
    read_skin,
    read_wardrobe,
    themes_dir,
    watch_themes,
)
from cockpit.face.view import LEVEL_ROLE, Role
from tests.face import pictures
from tests.face.conftest import Fly

SHIPPED = sorted(path.stem for path in themes_dir().glob("*.toml"))
STATES = (Role.OK, Role.WARN, Role.BAD, Role.UNKNOWN)
WAIT_S = 10.0


def skin_of(name: str) -> Skin:
    return read_skin(themes_dir() / f"{name}.toml")


def broken(directory: Path, name: str, change: tuple[str, str]) -> Path:
    text = (themes_dir() / "cockpit.toml").read_text()
    assert change[0] in text
    path = directory / f"{name}.toml"
    path.write_text(text.replace(*change))
    return path


def test_the_five_themes_are_shipped() -> None:
    assert SHIPPED == ["cockpit", "colourblind", "light", "mono", "sixteen"]
    assert not read_wardrobe(themes_dir()).problems


@pytest.mark.parametrize("name", SHIPPED)
def test_every_role_has_a_look_and_every_state_a_different_one(name: str) -> None:
    inks = skin_of(name).inks()
    assert set(inks) == set(Role)
    assert len({_sgr(inks[role], ColorSystem.TRUECOLOR) for role in STATES}) == len(STATES)
    assert inks[LEVEL_ROLE[Level.UNKNOWN]] not in (inks[Role.OK], inks[Role.BAD])


@pytest.mark.parametrize("name", [each for each in SHIPPED if each != "mono"])
@pytest.mark.parametrize("system", [ColorSystem.STANDARD, ColorSystem.EIGHT_BIT])
def test_states_stay_apart_by_colour_alone_on_poor_terminals(name: str, system: ColorSystem) -> None:
    inks = skin_of(name).inks()
    numbers = [_number(inks[role], system) for role in STATES]
    assert len(set(numbers)) == len(STATES)
    assert _number(inks[Role.TEXT], system) not in (
        _number(inks[Role.BAD], system),
        _number(inks[Role.WARN], system),
    )


@pytest.mark.parametrize("name", ["cockpit", "sixteen"])
def test_the_dark_themes_land_on_bright_red_yellow_green_and_magenta(name: str) -> None:
    inks = skin_of(name).inks()
    numbers = [_number(inks[role], ColorSystem.STANDARD) for role in STATES]
    assert numbers == [10, 11, 9, 13]


@pytest.mark.parametrize("name", SHIPPED)
def test_text_can_be_read_on_its_ground(name: str) -> None:
    colors = skin_of(name).colors
    for key in ("foreground", "dim", "accent", "ok", "note", "unknown", "warn", "bad"):
        assert _contrast(colors[key], colors["background"]) >= 4.5, key
    for key in ("live", "demo", "drill", "watch", "bad", "warn", "unknown"):
        assert _contrast(colors[key], colors["ink"]) >= 4.5, key


def test_without_colour_the_states_differ_by_text_style() -> None:
    inks = skin_of("mono").inks()
    looks = {_attributes(inks[role]) for role in STATES}
    assert len(looks) == len(STATES)
    assert inks[Role.ALARM].reverse


def test_a_terminal_gets_the_theme_that_suits_it() -> None:
    assert automatic(no_color=True, color_system="truecolor") == FOR_NO_COLOR
    assert automatic(no_color=False, color_system="standard") == FOR_16_COLORS
    assert automatic(no_color=False, color_system="256") == DEFAULT


# --- checking --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('ok         = "#50fa7b"', 'ok = "#50fa7"'), "bent.toml: colors.ok: not a colour: #50fa7"),
        (('ok         = "#50fa7b"', ""), "bent.toml: colors.ok: missing"),
        (
            ('ok         = "#50fa7b"', 'okk = "#50fa7b"'),
            "bent.toml: colors.okk: unknown key; did you mean ok?",
        ),
        (('ok         = "#50fa7b"', "ok = 5"), "bent.toml: colors.ok: not a colour: 5"),
        (('ok         = "#50fa7b"', 'ok = "#50fa7b 20%"'), "bent.toml: colors.ok: not a colour: #50fa7b 2"),
        (("dark = true", 'dark = "yes"'), "bent.toml: dark: must be true or false"),
        (("dark = true", "dark = true\ncolour = 1"), "bent.toml: colour: unknown key; did you mean colors?"),
        (("[colors]", '[text]\nbad = "blinking"\n[colors]'), "bent.toml: text.bad: blinking is none of bold"),
        (("[colors]", "[colours]"), "bent.toml: colors: must be a table"),
    ],
)
def test_a_bent_theme_is_refused_by_file_and_key(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    with pytest.raises(ThemeProblems) as caught:
        read_skin(broken(tmp_path, "bent", change))
    assert any(each.startswith(problem) for each in caught.value.problems), caught.value.problems


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = = b", b"x" * 100_000])
def test_what_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "noise.toml"
    path.write_bytes(content)
    with pytest.raises(ThemeProblems, match=r"noise\.toml"):
        read_skin(path)


def test_a_hostile_theme_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    path = broken(tmp_path, "evil", ('"#50fa7b"', '"\\u001b[2J"'))
    with pytest.raises(ThemeProblems) as caught:
        read_skin(path)
    assert "\x1b" not in str(caught.value)


def test_a_broken_file_keeps_its_last_good_skin(tmp_path: Path) -> None:
    broken(tmp_path, "mine", ("Cockpit", "Mine"))
    good = read_wardrobe(tmp_path)
    broken(tmp_path, "mine", ("dark = true", "dark = 1"))
    after = read_wardrobe(tmp_path, last_good=good.skins)
    assert after.skins["mine"] is good.skins["mine"]
    assert after.problems == ("mine.toml: dark: must be true or false",)
    assert "mine" not in read_wardrobe(tmp_path).skins


def test_without_any_theme_file_there_is_black_and_white(tmp_path: Path) -> None:
    wardrobe = read_wardrobe(tmp_path)
    assert wardrobe.pick("cockpit") is LAST_RESORT
    assert wardrobe.after("cockpit") is LAST_RESORT
    assert set(LAST_RESORT.colors) == set(COLOR_KEYS)


def test_a_theme_directory_is_watched_until_stopped(tmp_path: Path) -> None:
    stop, seen = Event(), Event()
    thread = Thread(target=watch_themes, args=((tmp_path, tmp_path / "missing"), stop, seen.set))
    thread.start()
    for round_number in range(100):
        (tmp_path / "mine.toml").write_text(f"# {round_number}")
        if seen.wait(WAIT_S / 100):
            break
    stop.set()
    thread.join(WAIT_S)
    assert seen.is_set()
    assert not thread.is_alive()


# --- in the app ------------------------------------------------------------------------------------------


async def test_t_goes_through_all_themes_and_names_each(fly: Fly) -> None:
    async with fly(pictures.regressed()) as driven:
        worn = []
        for _ in SHIPPED:
            await driven.press("t")
            worn.append(driven.app.theme)
            assert f"theme: {skin_of(driven.app.theme).title}" in driven.text
        assert sorted(worn) == SHIPPED


async def test_a_theme_that_does_not_exist_falls_back_with_one_notice(fly: Fly) -> None:
    async with fly(pictures.calm(), theme="solarised") as driven:
        assert driven.app.theme == DEFAULT
        assert "there is no usable theme solarised" in driven.text


async def test_a_broken_theme_is_named_by_file_and_key_and_the_default_is_worn(
    fly: Fly, tmp_path: Path
) -> None:
    broken(tmp_path, "mine", ('warn       = "#ffd700"', 'warn = "gelb"'))
    async with fly(pictures.calm(), theme="mine", theme_dir=tmp_path) as driven:
        assert driven.app.theme == DEFAULT
        assert "there is no usable theme mine (+1 more)" in driven.text


async def test_a_saved_theme_is_worn_at_once_and_a_broken_one_is_not(fly: Fly, tmp_path: Path) -> None:
    path = broken(tmp_path, "mine", ("Cockpit", "Mine"))
    async with fly(pictures.calm(), theme="mine", theme_dir=tmp_path) as driven:
        assert driven.app.theme == "mine"
        for round_number in range(50):
            broken(tmp_path, "mine", ("#50fa7b", f"#00ff{round_number:02x}"))
            await driven.pilot.pause(0.05)
            if _color(driven.app.inks[Role.OK]) != "#50fa7b":
                break
        assert _color(driven.app.inks[Role.OK]).startswith("#00ff")
        path.write_text("dark = 1")
        await driven.until(lambda: "mine.toml" in driven.text)
        assert _color(driven.app.inks[Role.OK]).startswith("#00ff")


async def test_NO_COLOR_wears_the_monochrome_theme(fly: Fly, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with fly(pictures.regressed(), theme=None) as driven:
        assert driven.app.theme == "mono"
        for words in ("✗ BAD", "✗ REGRESSED", "✗ DOWN", "! DEGRADED", "○ UNDECIDED"):
            assert words in driven.text


# --- measures ------------------------------------------------------------------------------------------


def _number(style: Style, system: ColorSystem) -> int | None:
    assert style.color is not None
    return style.color.downgrade(system).number


def _color(style: Style) -> str:
    assert style.color is not None
    return style.color.name


def _attributes(style: Style) -> tuple[bool | None, ...]:
    return (style.bold, style.dim, style.italic, style.underline, style.reverse)


def _sgr(style: Style, system: ColorSystem) -> str:
    return style.render("x", color_system=system)


def _contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
