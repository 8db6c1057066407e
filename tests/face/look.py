"""Look at the screens: every picture at every size, as PNG and as plain text.

    python -m tests.face.look OUTDIR [PICTURE ...]

Needs `rsvg-convert` for PNG; without it the SVG files stay. A developer's tool, not a test.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from textual.pilot import Pilot

from cockpit.core.snapshot import Snapshot
from cockpit.face.app import CockpitApp
from tests.face import pictures, pictures_seat
from tests.face.pictures import FakeClock, ScriptedPort

SIZES: Final = ((80, 24), (120, 40), (200, 50))


def screen_text(app: CockpitApp) -> str:
    """What the terminal shows, as lines of plain text."""
    width, height = app.size
    lines = app.screen._compositor.render_strips(app.size)
    return "\n".join("".join(segment.text for segment in strip).ljust(width) for strip in lines[:height])


async def settle(pilot: Pilot[None]) -> None:
    """Until the deck has been laid out and painted."""
    for _ in range(3):
        await pilot.pause()


async def look(
    name: str, snapshot: Snapshot, size: tuple[int, int], theme: str, keys: list[str], out: Path
) -> None:
    app = CockpitApp(ScriptedPort(snapshot), FakeClock(), "ines@bastion-2", theme=theme)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
        stem = out / f"{name}-{size[0]}x{size[1]}-{theme}"
        stem.with_suffix(".txt").write_text(screen_text(app))
        svg = stem.with_suffix(".svg")
        svg.write_text(app.export_screenshot())
    convert(svg)


def convert(svg: Path) -> None:
    """SVG to PNG with the font that the glyphs were chosen for."""
    text = svg.read_text().replace("Fira Code", "DejaVu Sans Mono")
    text = text.replace("<text ", '<text xml:space="preserve" ')
    svg.write_text(text)
    tool = shutil.which("rsvg-convert")
    if tool is not None:
        subprocess.run([tool, "-o", str(svg.with_suffix(".png")), str(svg)], check=True)


async def main(out: Path, names: list[str], theme: str, keys: list[str]) -> None:
    for builder in (*pictures.EVERY, *pictures_seat.EVERY):
        if names and builder.__name__ not in names:
            continue
        for size in SIZES:
            await look(builder.__name__, builder(), size, theme, keys, out)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    options = dict(argument[2:].split("=", 1) for argument in arguments if argument.startswith("--"))
    plain = [argument for argument in arguments if not argument.startswith("--")]
    Path(plain[0]).mkdir(parents=True, exist_ok=True)
    chosen_keys = [key for key in options.get("keys", "").split(",") if key]
    asyncio.run(main(Path(plain[0]), plain[1:], options.get("theme", "cockpit"), chosen_keys))
