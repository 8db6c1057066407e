"""Who flies: shown on every screen and journalled."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.core.model import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """read_only: no writers, no driving, no commands."""

    operator: str
    host: str
    mode: Mode
    version: str
    read_only: bool = False
