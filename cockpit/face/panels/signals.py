"""Panel 3: what the judge says of the new side, and on what evidence."""

from __future__ import annotations

from cockpit.face.panels.panel import Panel, Picture
from cockpit.face.view import Line, Row
from cockpit.face.view_detail import Topic
from cockpit.face.view_signals import column_titles, signal_rows


class SignalsPanel(Panel):
    number = "3"
    title = "Signals"
    topic = Topic.SIGNAL

    def rows(self, picture: Picture, width: int, *, full: bool) -> tuple[Row, ...]:
        return signal_rows(picture.snapshot, picture.now, width, full=full)

    def titles(self, picture: Picture, width: int) -> Line:
        return column_titles(width)
