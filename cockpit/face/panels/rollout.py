"""Panel 1: how far every flag is, by what was asked, what is configured and what is observed."""

from __future__ import annotations

from cockpit.face.panels.panel import Panel, Picture
from cockpit.face.subject import Topic
from cockpit.face.view import Line, Row
from cockpit.face.view_rollout import column_titles, rollout_notes, rollout_rows


class RolloutPanel(Panel):
    number = "1"
    title = "Rollout"
    topic = Topic.FLAG
    empty = "the plan has no flag"

    def rows(self, picture: Picture, width: int, *, full: bool) -> tuple[Row, ...]:
        return rollout_rows(picture.snapshot, picture.now, width, full=full)

    def notes(self, picture: Picture) -> Line:
        return rollout_notes(picture.snapshot)

    def titles(self, picture: Picture, width: int) -> Line:
        return column_titles(width)
