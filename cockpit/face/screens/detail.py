"""The details of one row: everything that is known of it, alive while open."""

from __future__ import annotations

from cockpit.core.clock import Clock
from cockpit.face.port import Port
from cockpit.face.screens.sheet import PageScreen
from cockpit.face.subject import Subject
from cockpit.face.view_detail import detail_lines, detail_title


class DetailScreen(PageScreen):
    def __init__(self, port: Port, clock: Clock, *, subject: Subject) -> None:
        super().__init__(
            port,
            clock,
            title=detail_title(subject),
            words=lambda snapshot, now, width: detail_lines(subject, snapshot, now, width),
        )
