"""Panel 5: what people have signed. It is long, so it has the whole screen when it is looked at."""

from __future__ import annotations

from cockpit.face.panels.panel import Panel, Picture
from cockpit.face.subject import Topic
from cockpit.face.view import Line, Role, Row
from cockpit.face.view_checklist import checklist_rows, column_titles, summary


class ChecklistPanel(Panel):
    number = "5"
    title = "Checklist"
    topic = Topic.ITEM

    def rows(self, picture: Picture, width: int, *, full: bool) -> tuple[Row, ...]:
        return checklist_rows(picture.snapshot, picture.now, width)

    def notes(self, picture: Picture) -> Line:
        return ((summary(picture.snapshot), Role.STRONG), (" S ", Role.KEY), ("signs", Role.DIM))

    def titles(self, picture: Picture, width: int) -> Line:
        return column_titles(width)
