"""Panel 2: legacy and new side by side."""

from __future__ import annotations

from cockpit.face.panels.panel import Panel, Picture
from cockpit.face.view import Line, Row
from cockpit.face.view_backends import backend_rows, backend_titles, half_widths
from cockpit.face.view_detail import Topic


class BackendsPanel(Panel):
    number = "2"
    title = "Backends"
    topic = Topic.PROBE

    def rows(self, picture: Picture, width: int, *, full: bool) -> tuple[Row, ...]:
        return backend_rows(picture.snapshot, picture.now, width + 1, full=full)

    def titles(self, picture: Picture, width: int) -> Line:
        return backend_titles(picture.snapshot, picture.now, width)

    def widths(self, width: int) -> tuple[int, ...]:
        return half_widths(width)
