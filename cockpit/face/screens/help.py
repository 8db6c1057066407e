"""Help: every key from the registry, by group, and why one is dim just now."""

from __future__ import annotations

from cockpit.core.clock import Clock
from cockpit.face.keys import help_lines
from cockpit.face.port import Port
from cockpit.face.screens.sheet import PageScreen


class HelpScreen(PageScreen):
    def __init__(self, port: Port, clock: Clock) -> None:
        super().__init__(
            port,
            clock,
            title="Help",
            words=lambda snapshot, _now, width: help_lines(snapshot, width),
            note="? and F1 work everywhere",
        )
