"""Panel 2: legacy and new side by side."""

from __future__ import annotations

from cockpit.face.panels.panel import Panel, Picture
from cockpit.face.subject import Topic
from cockpit.face.view import Line, Row
from cockpit.face.view_backends import KnownProbes, backend_rows, backend_titles, half_widths


class BackendsPanel(Panel):
    number = "2"
    title = "Backends"
    topic = Topic.PROBE

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._known: dict[tuple[int, bool], KnownProbes] = {}

    def rows(self, picture: Picture, width: int, *, full: bool) -> tuple[Row, ...]:
        known = self._known.get((width, full))
        if known is None:
            self._known = {key: each for key, each in self._known.items() if key[0] == width}
            known = self._known[width, full] = KnownProbes()
        return backend_rows(picture.snapshot, picture.now, width + 1, full=full, known=known)

    def titles(self, picture: Picture, width: int) -> Line:
        return backend_titles(picture.snapshot, picture.now, width)

    def widths(self, width: int) -> tuple[int, ...]:
        return half_widths(width)
