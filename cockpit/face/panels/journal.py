"""Panel 6: the last of what was written down, newest at the bottom."""

from __future__ import annotations

from cockpit.face.panels.panel import Panel, Picture
from cockpit.face.subject import Topic
from cockpit.face.view import Line, Row
from cockpit.face.view_journal import journal_line, journal_notes


class JournalPanel(Panel):
    """Follows the newest line until a person moves up."""

    number = "6"
    title = "Journal"
    topic = Topic.ENTRY
    titled = False
    loud = False

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._newest = -1

    def rows(self, picture: Picture, width: int, *, full: bool) -> tuple[Row, ...]:
        return tuple(
            Row(key=str(line.seq), lines=(journal_line(line, width),)) for line in picture.snapshot.tail
        )

    def notes(self, picture: Picture) -> Line:
        return journal_notes(picture.snapshot)

    def paint(self, picture: Picture) -> None:
        last = len(picture.snapshot.tail) - 1
        if self.chosen >= self._newest:
            self.chosen = last
        self._newest = last
        super().paint(picture)
