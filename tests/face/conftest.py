"""A cockpit on a scripted port, driven by keys, read as the text and the cells that a terminal would show."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.pilot import Pilot

from cockpit.core.snapshot import Snapshot
from cockpit.face.app import CockpitApp
from tests.face.look import screen_text
from tests.face.pictures import FakeClock, ScriptedPort

WAIT_ROUNDS = 60


@dataclass
class Driven:
    """A running cockpit and everything around it."""

    app: CockpitApp
    pilot: Pilot[None]
    port: ScriptedPort
    clock: FakeClock

    @property
    def text(self) -> str:
        return screen_text(self.app)

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @property
    def on_deck(self) -> bool:
        return self.app.screen is self.app.deck

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def settle(self) -> None:
        await self.pilot.pause()
        await self.pilot.pause()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, for as many rounds of the app's loop as are reasonable."""
        for _ in range(WAIT_ROUNDS):
            if condition():
                return
            await self.pilot.pause(0.02)
        raise AssertionError(f"never came true; the screen shows:\n{self.text}")

    async def show(self, snapshot: Snapshot) -> None:
        """Let the engine publish a snapshot, and wait until it has been painted."""
        self.port.show(snapshot)
        self.app.refresh_picture()
        await self.settle()


Fly = Callable[..., AbstractAsyncContextManager[Driven]]


@pytest.fixture
def fly(tmp_path: Path) -> Fly:
    """`async with fly(snapshot, size=(80, 24)) as driven`. Fails when any part could not be drawn."""

    @asynccontextmanager
    async def run(
        snapshot: Snapshot,
        *,
        size: tuple[int, int] = (120, 40),
        theme: str | None = "cockpit",
        theme_dir: Path | None = None,
    ) -> AsyncIterator[Driven]:
        port, clock = ScriptedPort(snapshot), FakeClock()
        app = CockpitApp(port, clock, "ines@bastion-2", theme=theme, theme_dir=theme_dir, crash_dir=tmp_path)
        async with app.run_test(size=size) as pilot:
            driven = Driven(app, pilot, port, clock)
            await driven.until(lambda: bool(driven.text.strip()))
            await driven.settle()
            yield driven
        assert app.troubles == []

    return run
