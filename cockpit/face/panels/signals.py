"""Panel 3: what the judge says of the new side, and on what evidence."""

from __future__ import annotations

from dataclasses import replace

from cockpit.face.panels.panel import Panel, Picture
from cockpit.face.subject import Topic
from cockpit.face.view import Line, Row
from cockpit.face.view_deck import Want
from cockpit.face.view_signals import column_titles, signal_rows


class SignalsPanel(Panel):
    """rich: each signal with a line for its history. alone: nothing else is on the deck."""

    number = "3"
    title = "Signals"
    topic = Topic.SIGNAL
    empty = "the plan has no signal: nothing compares the new side with legacy"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.rich = False
        self.alone = False

    @property
    def form(self) -> tuple[object, ...]:
        return (self.rich, self._plot_height)

    @property
    def _plot_height(self) -> int:
        return max(0, self.size.height - self._head_lines) if self.alone else 0

    def rows(self, picture: Picture, width: int, *, full: bool) -> tuple[Row, ...]:
        snapshot, now, height = picture.snapshot, picture.now, self._plot_height
        return signal_rows(snapshot, now, width, full=full, rich=self.rich, height=height)

    def want(self, picture: Picture, width: int) -> Want:
        """With the history there are lines more, which are wanted only where they cost nobody else a line."""
        told, self.rich = self.rich, True
        rich = super().want(picture, width).full
        self.rich = False
        wanted = super().want(picture, width)
        self.rich = told
        return replace(wanted, rich=rich)

    def titles(self, picture: Picture, width: int) -> Line:
        return column_titles(width)
