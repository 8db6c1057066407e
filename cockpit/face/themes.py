"""Themes: TOML files that say how each role looks. Checked whole before one is used.

A theme file has a `title`, `dark`, a `[colors]` table with every key of `COLOR_KEYS`, and an optional
`[text]` table with text styles per role. A broken file is refused with every problem in it, named by
file and key; the caller keeps what it had. This is the one place where roles become colours.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Event
from typing import Final

from rich.style import Style
from textual.color import Color, ColorParseError
from textual.theme import Theme

from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.face.view import Role

DEFAULT: Final = "cockpit"
FOR_16_COLORS: Final = "sixteen"
FOR_NO_COLOR: Final = "mono"
MAX_BYTES: Final = 64_000

COLOR_KEYS: Final = (
    "background",
    "raised",
    "foreground",
    "dim",
    "rule",
    "accent",
    "ok",
    "note",
    "unknown",
    "warn",
    "bad",
    "ink",
    "live",
    "demo",
    "drill",
    "watch",
)
TEXT_STYLES: Final = ("bold", "dim", "italic", "underline", "reverse")


@dataclass(frozen=True, slots=True)
class _Look:
    """A role's colour, whether it fills its ground with it, and its text style unless a theme says other."""

    color: str
    filled: bool = False
    text: str = ""


_LOOKS: Final = {
    Role.TEXT: _Look("foreground"),
    Role.DIM: _Look("dim"),
    Role.STRONG: _Look("foreground", text="bold"),
    Role.OK: _Look("ok"),
    Role.NOTE: _Look("note"),
    Role.UNKNOWN: _Look("unknown", text="bold"),
    Role.WARN: _Look("warn", text="bold"),
    Role.BAD: _Look("bad", text="bold"),
    Role.ALARM: _Look("bad", filled=True, text="bold"),
    Role.CAUTION: _Look("warn", filled=True, text="bold"),
    Role.DOUBT: _Look("unknown", filled=True, text="bold"),
    Role.CURSOR: _Look("accent", filled=True, text="bold"),
    Role.BIG_UNKNOWN: _Look("unknown", text="bold"),
    Role.BIG_WARN: _Look("warn", text="bold"),
    Role.BIG_BAD: _Look("bad", text="bold"),
    Role.ACCENT: _Look("accent", text="bold"),
    Role.KEY: _Look("accent", text="bold"),
    Role.RULE: _Look("rule"),
    Role.LIVE: _Look("live", filled=True, text="bold"),
    Role.DEMO: _Look("demo", filled=True, text="bold"),
    Role.DRILL: _Look("drill", filled=True, text="bold"),
    Role.WATCH: _Look("watch", filled=True, text="bold"),
}

Inks = Mapping[Role, Style]


class ThemeProblems(Exception):
    """A theme file that cannot be used; `problems` names file and key of each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Skin:
    """One theme that was checked: colours by `COLOR_KEYS`, text styles by role."""

    name: str
    title: str
    dark: bool
    colors: Mapping[str, str]
    text: Mapping[Role, str]

    def theme(self) -> Theme:
        """The same for Textual, with our colour keys as variables for the stylesheet."""
        color = self.colors
        return Theme(
            name=self.name,
            primary=color["accent"],
            secondary=color["accent"],
            accent=color["accent"],
            warning=color["warn"],
            error=color["bad"],
            success=color["ok"],
            foreground=color["foreground"],
            background=color["background"],
            surface=color["background"],
            panel=color["raised"],
            boost=color["raised"],
            dark=self.dark,
            variables=dict(color),
        )

    def inks(self) -> Inks:
        """A terminal style for every role. Filled roles are reversed ones, so they survive without colour."""
        return {role: self._ink(role, look) for role, look in _LOOKS.items()}

    def _ink(self, role: Role, look: _Look) -> Style:
        words = self.text.get(role, look.text).split()
        ground = self.colors["ink" if look.filled else "background"]
        return Style(
            color=self.colors[look.color],
            bgcolor=ground,
            bold="bold" in words,
            dim="dim" in words,
            italic="italic" in words,
            underline="underline" in words,
            reverse=look.filled or "reverse" in words,
        )


LAST_RESORT: Final = Skin(
    name="last-resort",
    title="black and white, when no theme file can be read",
    dark=True,
    colors={key: "#000000" if key in ("background", "raised", "ink") else "#ffffff" for key in COLOR_KEYS},
    text={},
)


def themes_dir() -> Path:
    """Where the shipped themes lie: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    packed = package / "_themes"
    return packed if packed.is_dir() else package.parent / "themes"


def read_skin(path: Path) -> Skin:
    """Read and check one theme file. Raises `ThemeProblems`."""
    try:
        raw = path.read_bytes()[: MAX_BYTES + 1]
        if len(raw) > MAX_BYTES:
            raise ThemeProblems([f"{path.name}: larger than {MAX_BYTES} bytes"])
        table = tomllib.loads(raw.decode())
    except OSError as error:
        raise ThemeProblems([f"{path.name}: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ThemeProblems([f"{path.name}: {clean_text(error)}"]) from None
    problems = [f"{path.name}: {problem}" for problem in _problems(table)]
    if problems:
        raise ThemeProblems(problems)
    return Skin(
        name=path.stem,
        title=clean_text(table.get("title", path.stem), limit=60),
        dark=table["dark"],
        colors={key: Color.parse(table["colors"][key]).hex6 for key in COLOR_KEYS},
        text={Role(key): words for key, words in table.get("text", {}).items()},
    )


def _problems(table: Mapping[str, object]) -> list[str]:
    problems = list(_unknown(table, ("title", "dark", "colors", "text"), ""))
    if not isinstance(table.get("dark"), bool):
        problems.append("dark: must be true or false")
    if not isinstance(table.get("title", ""), str):
        problems.append("title: must be text")
    return [*problems, *_color_problems(table.get("colors")), *_text_problems(table.get("text", {}))]


def _color_problems(colors: object) -> Iterable[str]:
    if not isinstance(colors, dict):
        yield "colors: must be a table"
        return
    yield from _unknown(colors, COLOR_KEYS, "colors.")
    for key in COLOR_KEYS:
        if key not in colors:
            yield f"colors.{key}: missing"
        elif not _is_color(colors[key]):
            yield f"colors.{key}: not a colour: {clean_text(colors[key], limit=40)}"


def _is_color(value: object) -> bool:
    """Fixed opaque colours only; `auto` and transparency depend on what lies below."""
    if not isinstance(value, str):
        return False
    try:
        color = Color.parse(value)
    except ColorParseError:
        return False
    return color.a == 1 and color.ansi is None and not color.auto


def _text_problems(text: object) -> Iterable[str]:
    if not isinstance(text, dict):
        yield "text: must be a table"
        return
    yield from _unknown(text, tuple(Role), "text.")
    for key, words in text.items():
        for word in words.split() if isinstance(words, str) else ["?"]:
            if word not in TEXT_STYLES:
                yield (
                    f"text.{clean_text(key, limit=40)}: {clean_text(word, limit=40)} "
                    f"is none of {', '.join(TEXT_STYLES)}"
                )


def _unknown(table: Mapping[str, object], known: Iterable[str], prefix: str) -> Iterable[str]:
    names = [str(name) for name in known]
    for key in table:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"{prefix}{clean_text(key, limit=40)}: unknown key{hint}"


@dataclass(frozen=True, slots=True)
class Wardrobe:
    """Every usable skin by name, and what was wrong with the others. Never empty."""

    skins: Mapping[str, Skin]
    problems: tuple[str, ...]

    def pick(self, name: str | None) -> Skin:
        """The named skin, else the default, else any, else black and white."""
        for wanted in (name, DEFAULT):
            if wanted is not None and wanted in self.skins:
                return self.skins[wanted]
        return next(iter(self.skins.values()), LAST_RESORT)

    def after(self, name: str) -> Skin:
        """The next skin in turn."""
        names = sorted(self.skins, key=lambda each: (each != DEFAULT, each))
        if not names:
            return LAST_RESORT
        index = names.index(name) + 1 if name in names else 0
        return self.skins[names[index % len(names)]]


def read_wardrobe(*directories: Path, last_good: Mapping[str, Skin] | None = None) -> Wardrobe:
    """Read every `*.toml` of the directories, later ones win. A broken file keeps its `last_good` skin."""
    skins: dict[str, Skin] = {}
    problems: list[str] = []
    for directory in directories:
        for path in sorted(directory.glob("*.toml")):
            try:
                skins[path.stem] = read_skin(path)
            except ThemeProblems as error:
                problems.extend(error.problems)
                if last_good is not None and path.stem in last_good:
                    skins[path.stem] = last_good[path.stem]
    return Wardrobe(skins, tuple(problems))


def automatic(*, no_color: bool, color_system: str | None) -> str:
    """The theme that suits a terminal when nobody chose one."""
    if no_color:
        return FOR_NO_COLOR
    return FOR_16_COLORS if color_system in (None, "standard") else DEFAULT


def watch_themes(directories: Iterable[Path], stop: Event, changed: Callable[[], object]) -> None:
    """Call `changed` whenever a theme directory changed, until `stop`. Blocks: runs in a thread of its own.

    Directories are watched, not files: editors and config mounts replace files.
    """
    from cockpit.watch.directories import Pace, told  # late: not needed for the first frame

    existing = [directory for directory in directories if directory.is_dir()]
    if not existing:
        return
    for paths in told(existing, stop, Pace(debounce_ms=1600, step_ms=50, look_every_ms=500)):
        if any(path.endswith(".toml") for path in paths):
            changed()
