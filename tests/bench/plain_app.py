"""The smallest Textual app that does anything: what a goal is measured beside.

    python -m tests.bench.plain_app

Every key is shown as `key N`, where N counts them.
"""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.events import Key
from textual.widgets import Static

READY = "nothing but a line"


class PlainApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self._keys = 0
        self._line = Static(READY)

    def compose(self) -> ComposeResult:
        yield self._line

    def on_key(self, event: Key) -> None:
        self._keys += 1
        self._line.update(f"key {self._keys:06d}")


if __name__ == "__main__":
    PlainApp().run(mouse=False)
