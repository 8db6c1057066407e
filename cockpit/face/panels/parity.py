"""Panel 4: whether the data of both sides agree. There only while the plan asks for it."""

from __future__ import annotations

from cockpit.face.panels.panel import Panel, Picture
from cockpit.face.subject import Topic
from cockpit.face.view import Line, Row
from cockpit.face.view_parity import column_titles, parity_rows


class ParityPanel(Panel):
    number = "4"
    title = "Parity"
    topic = Topic.PARITY

    def rows(self, picture: Picture, width: int, *, full: bool) -> tuple[Row, ...]:
        return parity_rows(picture.snapshot, picture.now, width, full=full)

    def titles(self, picture: Picture, width: int) -> Line:
        return column_titles(width)
